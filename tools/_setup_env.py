"""Install what tinyfaces needs into the Python that runs this file.

Called by ``setup_env.sh``; needs nothing but the standard library and pip. An
installed torch is never replaced, and an MMDetection that is there is used.
"""
import configparser
import hashlib
import importlib
import os
import re
import subprocess
import sys
import tempfile
from importlib import metadata, util
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
STAMP = Path(sys.prefix, 'tinyfaces-setup.stamp')
# The exact pin keeps the resolver from trying other builds of torch, each
# with gigabytes of CUDA libraries.
TORCH = 'torch==2.13.0'
BUILD_TOOL = 'setuptools>=70.1'
TOOLBOX = ('mmcv', 'mmdet', 'mmengine')


class SetupError(Exception):
    """The environment cannot be made; the message says what to do."""


def say(text: str) -> None:
    """Print one line of progress."""
    print(f'[setup] {text}', flush=True)


def pip(*args: str, remedy: str) -> None:
    """Run pip in this Python.

    Args:
        *args (str): Arguments of ``pip``.
        remedy (str): What to do if it fails.

    Raises:
        SetupError: pip failed; its own message is printed above.
    """
    command = [
        sys.executable, '-m', 'pip', args[0], '-qq',
        '--disable-pip-version-check', *args[1:]
    ]
    if subprocess.run(command, check=False).returncode:
        raise SetupError(f'"pip {" ".join(args)}" failed: {remedy}')
    importlib.invalidate_caches()


def version(distribution: str) -> str | None:
    """Version of an installed distribution, or None."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def requirements(root: Path, extras: list[str]) -> list[str]:
    """Requirements that ``setup.cfg`` declares, torch left out.

    Args:
        root (Path): Repository.
        extras (list[str]): Extras to add to ``install_requires``.

    Returns:
        list[str]: One requirement each.
    """
    config = configparser.ConfigParser()
    config.read(root / 'setup.cfg', encoding='utf-8')
    extra = config['options.extras_require']
    text = '\n'.join([config['options']['install_requires']] +
                     [extra[name] for name in extras])
    lines = (line.strip() for line in text.splitlines())
    return [x for x in lines if x and not re.match(r'torch\b(?!-)', x)]


def fingerprint() -> str:
    """Digest of everything that decides what is to be installed."""
    digest = hashlib.sha256(f'{sys.version}\n{ROOT}\n'.encode())
    for name in ('setup.cfg', 'setup.py', 'pyproject.toml'):
        digest.update((ROOT / name).read_bytes())
    digest.update(Path(__file__).read_bytes())
    return digest.hexdigest()


def is_done() -> bool:
    """Whether an earlier run finished and its packages are still there."""
    return (STAMP.is_file() and STAMP.read_text() == fingerprint() and all(
        util.find_spec(name)
        for name in ('tinyfaces', 'torch', 'pytest', *TOOLBOX)))


def choose_extras() -> list[str]:
    """Extras to install, depending on the MMDetection that is there.

    Raises:
        SetupError: Upstream's toolbox is installed in part: the OneDL line
            would overwrite its files.
    """
    present = [x for x in TOOLBOX if util.find_spec(x)]
    missing = [x for x in TOOLBOX if x not in present]
    onedl = [
        x for x in ('onedl-mmcv', 'onedl-mmdetection', 'onedl-mmengine')
        if version(x)
    ]
    # Partly installed OneDL packages are completed, as after an interrupt.
    if not present or len(onedl) == len(present):
        return ['onedl', 'test']
    if missing:
        raise SetupError(
            f'{", ".join(present)} of upstream OpenMMLab is installed, but '
            f'not {", ".join(missing)}; complete it (see the extra '
            '"openmmlab" in setup.cfg) or use a fresh environment')
    say('using the installed MMDetection '
        f'{version("mmdet") or "(from source)"}')
    return ['test']


def install() -> None:
    """Install torch where it is missing, then the rest around it."""
    network = 'is the package index reachable? Then run this again'
    if util.find_spec('pip') is None:
        raise SetupError(
            f'{sys.prefix} has no pip; add it with "{sys.executable} -m '
            'ensurepip" (uv: "uv pip install pip")')
    if util.find_spec('torch') is None:
        say(f'installing {TORCH} (1 of 3)')
        pip('install', TORCH, remedy=network)
    torch = version('torch')
    if torch is None:
        raise SetupError(
            'torch can be imported but has no metadata, so pip would install '
            'another one over it; install torch as a wheel')
    extras = choose_extras()
    say(f'torch {torch} is kept; installing the other packages (2 of 3)')
    # The OneDL sdists are built in pip's isolation on purpose: with torch in
    # sight, onedl-mmcv compiles its ops for the better part of an hour.
    with tempfile.TemporaryDirectory() as folder:
        constraint = Path(folder, 'constraints.txt')
        constraint.write_text(f'torch=={torch}\n')
        pip('install',
            '--prefer-binary',
            '-c',
            str(constraint),
            BUILD_TOOL,
            *requirements(ROOT, extras),
            remedy=network)
    say('installing tinyfaces itself (3 of 3)')
    # Without isolation and dependencies, this step needs no network.
    pip('install',
        '--no-deps',
        '--no-build-isolation',
        '-e',
        str(ROOT),
        remedy='see the message above')


def check_opencv() -> None:
    """Make ``import cv2`` work on machines without a display.

    imaug asks for opencv-python and opencv-python-headless, which share one
    folder; whichever is installed last wins, and only the headless one does
    without libGL.

    Raises:
        SetupError: cv2 still cannot be imported.
    """

    def failure() -> str:
        command = [sys.executable, '-c', 'import cv2']
        result = subprocess.run(
            command, capture_output=True, text=True, check=False)
        return result.stderr.strip() if result.returncode else ''

    error = failure()
    headless = version('opencv-python-headless')
    if '.so' in error and headless:
        say('OpenCV cannot be used here, installing its headless build: '
            f'{error.splitlines()[-1]}')
        pip('install',
            '--force-reinstall',
            '--no-deps',
            f'opencv-python-headless=={headless}',
            remedy='or install the library (Debian: apt-get install libgl1 '
            'libglib2.0-0)')
        error = failure()
    if error:
        raise SetupError(
            f'OpenCV cannot be imported: {error.splitlines()[-1]}; on Debian, '
            'apt-get install libgl1 libglib2.0-0')


def main() -> None:
    """Bring the environment up to date."""
    if not (3, 10) <= sys.version_info < (3, 13):
        raise SetupError(
            f'{sys.executable} is Python {sys.version.split()[0]}, but 3.10 '
            'to 3.12 are needed; deactivate this environment or activate '
            'another')
    if is_done():
        return
    say(f'Python {sys.version.split()[0]} in {sys.prefix}')
    STAMP.unlink(missing_ok=True)
    install()
    check_opencv()
    # Written last, and whole: an interrupted set-up leaves none.
    partial = STAMP.with_suffix('.partial')
    partial.write_text(fingerprint())
    os.replace(partial, STAMP)
    say('done')


if __name__ == '__main__':
    try:
        main()
    except SetupError as setup_error:
        sys.exit(f'[setup] error: {setup_error}')
