"""The wheels of an offline bundle, for the target's Python and platform."""
import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from _setup_env import BUILD_TOOL, ROOT, SetupError, requirements

# glibc versions that manylinux tags name, oldest first, with legacy names.
OLDEST_GLIBC = 5
LEGACY_TAGS = {5: 'manylinux1', 12: 'manylinux2010', 17: 'manylinux2014'}
NEVER_PACKED = re.compile(r'(torch|nvidia_\w+|triton)-\d')


def say(text: str) -> None:
    """Print one line of progress."""
    print(f'[bundle] {text}', flush=True)


def platform_tags(newest: str) -> list[str]:
    """All tags a machine takes, newest first.

    pip takes ``--platform`` literally: with ``manylinux_2_28_x86_64`` alone
    it passes over a wheel tagged ``manylinux_2_17_x86_64``.

    Args:
        newest (str): Such as ``manylinux_2_28_x86_64``; any other kind of
            tag stands for itself.

    Returns:
        list[str]: Tags for ``pip download --platform``.
    """
    match = re.fullmatch(r'manylinux_2_(\d+)_(\w+)', newest)
    if not match:
        return [newest]
    machine, tags = match[2], []
    for minor in range(int(match[1]), OLDEST_GLIBC - 1, -1):
        tags.append(f'manylinux_2_{minor}_{machine}')
        if minor in LEGACY_TAGS:
            tags.append(f'{LEGACY_TAGS[minor]}_{machine}')
    return tags


def normal(name: str) -> str:
    """A distribution's name as wheels spell it."""
    return re.sub(r'[-_.]+', '_', name).lower()


def read_installed(path: Path | None) -> dict[str, str]:
    """Read ``pip freeze``.

    Args:
        path (Path | None): Its output, or None.

    Returns:
        dict[str, str]: Versions, keyed by normal name. Lines that name no
        version (``-e``, ``name @ file://``) are passed over.
    """
    if path is None:
        return {}
    lines = path.read_text(encoding='utf-8').splitlines()
    pairs = (re.match(r'([\w.-]+)==([^\s;]+)', line) for line in lines)
    return {normal(m[1]): m[2] for m in pairs if m}


def run_pip(*args: str, alone: bool = False) -> str:
    """Run pip of this Python and return what it prints.

    Args:
        *args (str): Arguments of ``pip``.
        alone (bool): Without this machine's own pip settings, which may
            name more places to look for wheels.

    Raises:
        SetupError: pip failed.
    """
    command = [sys.executable, '-m', 'pip', '-qq']
    command += ['--disable-pip-version-check', *args]
    environ = dict(os.environ)
    if alone:
        command.append('--isolated')
        environ['PIP_CONFIG_FILE'] = os.devnull
    result = subprocess.run(
        command, env=environ, stdout=subprocess.PIPE, text=True, check=False)
    if result.returncode:
        raise SetupError(f'"pip {" ".join(args[:2])} ..." failed; see above')
    return result.stdout


def target_options(args: argparse.Namespace) -> list[str]:
    """Options that make pip resolve for the target machine."""
    options = [
        '--only-binary=:all:', '--implementation=cp',
        f'--python-version={args.python}'
    ]
    return options + [f'--platform={x}' for x in platform_tags(args.platform)]


def collect_wheels(args: argparse.Namespace, folder: Path) -> None:
    """Download, or build, the wheels that the target machine lacks.

    What the index has only as source is built here first; wheels for any
    Python and platform come out of it, or the target is refused by pip.

    Args:
        args (argparse.Namespace): See :func:`parse_args`.
        folder (Path): Empty folder for wheels and ``requirements.txt``.

    Raises:
        SetupError: A requirement has no wheel for the target, or torch would
            have to be packed.
    """
    wanted = [BUILD_TOOL, *requirements(ROOT, ['onedl', 'sample'])]
    installed = read_installed(args.installed)
    if args.torch_installed:
        installed['torch'] = args.torch_installed
    (folder / 'requirements.txt').write_text('\n'.join(wanted) + '\n')
    # With build tags (+cu128) no index could satisfy the constraint.
    constraint = folder / 'constraints.txt'
    constraint.write_text(''.join(f'{name}=={version.partition("+")[0]}\n'
                                  for name, version in installed.items()))
    resolve = ['-r', str(folder / 'requirements.txt'), '-c', str(constraint)]
    with tempfile.TemporaryDirectory() as built:
        report = json.loads(
            run_pip('install', '--dry-run', '--ignore-installed', '--report=-',
                    '--prefer-binary', *resolve))
        for item in report['install']:
            if not item['download_info']['url'].endswith('.whl'):
                name = item['metadata']['name']
                say(f'building a wheel of {name}, which has none')
                run_pip('wheel', '--no-deps', f'--wheel-dir={built}',
                        f'{name}=={item["metadata"]["version"]}')
        say(f'downloading wheels for Python {args.python}, {args.platform}')
        run_pip('download', f'--dest={folder}', f'--find-links={built}',
                *target_options(args), *resolve)
    # The whole set once more, from the bundle alone. ("install --dry-run"
    # would load no copies, but holds this Python against the target's wheels
    # in pip 23.2.)
    with tempfile.TemporaryDirectory(dir=folder.parent) as copies:
        run_pip(
            'download',
            f'--dest={copies}',
            '--no-index',
            f'--find-links={folder}',
            *target_options(args),
            *resolve,
            alone=True)
    constraint.unlink()
    for wheel in folder.glob('*.whl'):
        if normal(wheel.name.partition('-')[0]) in installed:
            wheel.unlink()
        elif NEVER_PACKED.match(wheel.name):
            raise SetupError(
                f'a requirement asks for {wheel.name}, which belongs to the '
                "target machine's torch; give its packages with --installed")
