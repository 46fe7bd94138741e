"""Draw the losses of trainings, resumed or not, over their iterations."""
import argparse
import sys

from tinyfaces.visualization import plot_losses


def main() -> None:
    """Draw what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        'work_dirs',
        nargs='+',
        metavar='WORK_DIR',
        help="a training's --work-dir; several are drawn side by side")
    parser.add_argument(
        '--out', default='losses.png', help='PNG (default: %(default)s)')
    args = parser.parse_args()
    try:
        plot_losses(args.work_dirs, args.out)
    except (FileNotFoundError, ValueError) as error:
        sys.exit(f'error: {error}')


if __name__ == '__main__':
    main()
