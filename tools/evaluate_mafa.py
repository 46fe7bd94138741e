"""Score detections on MAFA's subsets: whole, masked and unignored.

The rules are partly inferred, and the report says which.

Example:
    python tools/evaluate_mafa.py detections.txt --gt LabelTestAll.mat
"""
import argparse
import os
import sys
from functools import partial

# Only NumPy and SciPy are needed: do not load torch and MMDetection.
os.environ['TINYFACES_REGISTER'] = '0'

import _voc_face_cli as cli

from tinyfaces.evaluation import functional


def main(argv: list[str] | None = None) -> int:
    """Exit code: 0; 1 after one line that says what is wrong; 141 for a pipe
    that nobody reads."""
    parser = argparse.ArgumentParser(
        description="Score detections on MAFA's subsets. The rules are partly "
        'inferred, and the report says which.')
    cli.add_arguments(parser, 'LabelTestAll.mat')
    args = cli.parse_args(parser, argv)
    evaluate = partial(functional.evaluate_mafa, iou_thr=args.iou_thr)
    return cli.run(args, functional.load_mafa_gt, evaluate)


if __name__ == '__main__':
    sys.exit(main())
