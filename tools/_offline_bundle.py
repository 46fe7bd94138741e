"""Make a bundle that installs and trains where there is no network.

Called by ``make_offline_bundle.sh``. The target machine brings its own torch;
the bundle holds, one part each: the wheels it still lacks (made for its
Python and platform), this repository as it is committed, and, where given,
weights and a data folder. ``install.sh`` in the bundle installs them.
"""
import argparse
import configparser
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from _bundle_wheels import collect_wheels, say
from _setup_env import ROOT, SetupError

PARTS = ('wheels', 'repository', 'weights', 'data')


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog='make_offline_bundle.sh',
        description='Collect wheels, repository, weights and data for a '
        'machine that has its own torch but no network.')
    parser.add_argument('out', type=Path, help='folder to make')
    parser.add_argument(
        '--python',
        default='{}.{}'.format(*sys.version_info[:2]),
        metavar='X.Y',
        help='Python of the target machine (default: this one, %(default)s)')
    parser.add_argument(
        '--platform',
        default=f'manylinux_2_28_{platform.machine()}',
        metavar='TAG',
        help='newest wheel tag it takes (default: %(default)s)')
    parser.add_argument(
        '--torch-installed',
        metavar='VERSION',
        help="the target machine's torch; install.sh insists on it")
    parser.add_argument(
        '--installed',
        type=Path,
        metavar='FILE',
        help='"pip freeze" of the target machine: what it lists keeps its '
        'version and is left out')
    parser.add_argument(
        '--weights', type=Path, metavar='DIR', help='folder of weights')
    parser.add_argument(
        '--data', type=Path, metavar='DIR', help='folder of pictures')
    parser.add_argument(
        '--max-mb',
        action='append',
        default=[],
        metavar='[PART=]N',
        help='fail if a part is larger than N MiB: every part, or one of '
        f'{", ".join(PARTS)}; may be repeated')
    args = parser.parse_args(argv)
    if not re.fullmatch(r'3\.\d+', args.python):
        parser.error(f'--python {args.python}: give it as 3.11')
    try:
        args.max_mb = parse_limits(args.max_mb)
    except ValueError as error:
        parser.error(f'--max-mb: {error}')
    return args


def parse_limits(texts: list[str]) -> dict[str, float]:
    """Read ``--max-mb`` into one limit per part.

    Args:
        texts (list[str]): Each ``N`` or ``PART=N``; later ones win.

    Returns:
        dict[str, float]: MiB, keyed by part.

    Raises:
        ValueError: Unknown part, or no positive number.
    """
    limits = {}
    for text in texts:
        part, equals, number = text.rpartition('=')
        if equals and part not in PARTS:
            raise ValueError(f'"{part}" is none of {", ".join(PARTS)}')
        if not float(number) > 0:
            raise ValueError(f'{text}: not above 0')
        limits.update(dict.fromkeys([part] if part else PARTS, float(number)))
    return limits


def archive_repository(folder: Path) -> None:
    """Write the committed repository to ``tinyfaces.tar.gz``.

    Raises:
        SetupError: This is no git checkout with a commit.
    """
    git = ['git', '-C', str(ROOT)]
    status = [*git, 'status', '--porcelain']
    changed = subprocess.run(
        status, capture_output=True, text=True, check=False)
    if changed.stdout:
        say(f'note: {len(changed.stdout.splitlines())} changed files are not '
            'committed, so their changes are not in the bundle')
    archive = [*git, 'archive', '--prefix=tinyfaces/', '-o']
    archive += [str(folder / 'tinyfaces.tar.gz'), 'HEAD']
    result = subprocess.run(archive, check=False)
    if result.returncode:
        raise SetupError(f'{ROOT} is no git checkout with a commit; clone the '
                         'repository and run this there')


def folder_size(folder: Path) -> int:
    """Bytes of all files below ``folder``."""
    return sum(x.stat().st_size for x in folder.rglob('*') if x.is_file())


def copy_folder(source: Path, target: Path, option: str) -> None:
    """Copy a folder the user named; links are followed.

    Raises:
        SetupError: It is no folder.
    """
    if not source.is_dir():
        raise SetupError(f'{option} {source} is not a folder')
    shutil.copytree(source, target, dirs_exist_ok=True)


def check_limit(folder: Path, limits: dict[str, float]) -> int:
    """Size of a part, once it is within its limit.

    Args:
        folder (Path): The part.
        limits (dict[str, float]): MiB, keyed by part.

    Returns:
        int: Bytes.

    Raises:
        SetupError: The part is too large.
    """
    size = folder_size(folder)
    limit = limits.get(folder.name)
    if limit is not None and size > limit * 2**20:
        raise SetupError(
            f'the part "{folder.name}" has {size / 2**20:.1f} MiB, more than '
            f'the {limit:g} MiB of --max-mb; raise it, or leave something '
            'out (--installed leaves out wheels)')
    return size


def make_bundle(args: argparse.Namespace, out: Path) -> dict[str, int]:
    """Fill ``out``.

    Args:
        args (argparse.Namespace): See :func:`parse_args`.
        out (Path): Empty folder.

    Returns:
        dict[str, int]: Bytes of each part.
    """
    sizes = {}
    # The cheap parts first: what is too large is said before the downloads.
    for name in ('weights', 'data', 'repository', 'wheels'):
        part = out / name
        if name in ('weights', 'data'):
            if getattr(args, name) is None:
                continue
            copy_folder(getattr(args, name), part, f'--{name}')
        else:
            part.mkdir()
            if name == 'repository':
                archive_repository(part)
            else:
                collect_wheels(args, part)
        sizes[name] = check_limit(part, args.max_mb)
    config = configparser.ConfigParser()
    config.read(ROOT / 'setup.cfg', encoding='utf-8')
    (out / 'bundle.json').write_text(
        json.dumps(
            {
                'version': config['metadata']['version'],
                'python': args.python,
                'platform': args.platform,
                'torch': args.torch_installed,
                'bytes': sizes,
            },
            indent=2) + '\n')
    shutil.copyfile(ROOT / 'tools' / 'bundle_parts' / 'install.sh',
                    out / 'install.sh')
    return sizes


def main() -> None:
    """Make the bundle that the command line describes."""
    args = parse_args()
    if args.out.exists():
        raise SetupError(f'{args.out} exists already; remove it, or choose '
                         'another folder')
    args.out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(
            prefix=args.out.name + '.', dir=args.out.parent) as folder:
        partial = Path(folder, 'bundle')
        partial.mkdir()
        sizes = make_bundle(args, partial)
        os.replace(partial, args.out)
    for name, size in sizes.items():
        print(f'{name:<12}{size / 2**20:>9.1f} MiB')
    print(f'{"total":<12}{sum(sizes.values()) / 2**20:>9.1f} MiB')
    print(f'on the other machine: bash {args.out.name}/install.sh')


if __name__ == '__main__':
    try:
        main()
    except SetupError as bundle_error:
        sys.exit(f'[bundle] error: {bundle_error}')
