"""Draw the losses of a training, resumed or not, over its iterations."""
import argparse
import sys

from tinyfaces.visualization import plot_losses


def main() -> None:
    """Draw what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('work_dir', help="the training's --work-dir")
    parser.add_argument(
        '--out', default='losses.png', help='PNG (default: %(default)s)')
    args = parser.parse_args()
    try:
        plot_losses(args.work_dir, args.out)
    except (FileNotFoundError, ValueError) as error:
        sys.exit(f'error: {error}')


if __name__ == '__main__':
    main()
