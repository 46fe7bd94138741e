"""Make the built-in sample, a two-person toy in WIDER FACE's layout."""
import argparse
import os
import sys


def main() -> None:
    """Read the command line and make the sample."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('out', help='folder to make')
    parser.add_argument(
        '--seed',
        type=int,
        default=0,
        help='another seed, other scenes (default: 0)')
    parser.add_argument(
        '--num-train',
        type=int,
        default=160,
        help='training pictures (default: 160)')
    parser.add_argument(
        '--num-val',
        type=int,
        default=60,
        help='validation pictures (default: 60)')
    args = parser.parse_args()
    # No model is needed: start without loading torch.
    os.environ['TINYFACES_REGISTER'] = '0'
    from tinyfaces.datasets.sample import make_sample
    try:
        root = make_sample(args.out, args.seed, args.num_train, args.num_val)
    except (ImportError, OSError, ValueError) as error:
        sys.exit(f'make_sample: {error}')
    print(f'{root}: a two-person toy, no benchmark; see its README.txt')


if __name__ == '__main__':
    main()
