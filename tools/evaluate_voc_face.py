"""Score detections on AFW or PASCAL Face by the face-eval protocol.

Example:
    python tools/evaluate_voc_face.py sfd_afw_dets.txt \
        --gt new_annotations_AFW.mat
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
        description='Score detections on AFW or PASCAL Face by the protocol '
        'of the face-eval toolbox.')
    cli.add_arguments(
        parser, 'new_annotations_AFW.mat, '
        'Annotations_Face_PASCALLayout_large_fixed.mat, or the original '
        'anno2.mat, Annotations_Face_PASCALLayout_large.mat')
    parser.add_argument(
        '--no-refinement',
        action='store_true',
        help='score boxes as they are: one matching instead of five with '
        'boxes refined between them')
    parser.add_argument(
        '--min-size',
        type=float,
        default=30,
        metavar='PIXELS',
        help='ignore faces under this width or height (the protocol: 30)')
    args = cli.parse_args(parser, argv)
    evaluate = partial(
        functional.evaluate_voc_face,
        iou_thr=args.iou_thr,
        passes=1 if args.no_refinement else 5,
        min_size=args.min_size)
    return cli.run(args, functional.load_voc_face_gt, evaluate)


if __name__ == '__main__':
    sys.exit(main())
