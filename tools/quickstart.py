"""Train, test and run a toy face detector on the built-in sample.

Everything it makes goes below --out; a second run skips what is done.
`bash tools/quickstart.sh` sets up the environment first.
"""
import argparse
import subprocess
from pathlib import Path

from tinyfaces.apis.quickstart import Quickstart


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        '--out',
        type=Path,
        default=Path('work_dirs/quickstart'),
        help='folder for everything (default: %(default)s)')
    parser.add_argument(
        '--seed',
        type=int,
        default=0,
        help='seed of the training (default: %(default)s)')
    parser.add_argument(
        '--from-scratch',
        action='store_true',
        help='start from random weights, not from ImageNet weights of the '
        'package index')
    args = parser.parse_args()
    repository = Path(__file__).resolve().parents[1]
    try:
        Quickstart(repository, args.out, args.seed,
                   not args.from_scratch).run()
    except subprocess.CalledProcessError as error:
        raise SystemExit(f'error: a step failed with status '
                         f'{error.returncode}, see above') from None
    except ValueError as error:
        raise SystemExit(f'error: {error}') from None


if __name__ == '__main__':
    main()
