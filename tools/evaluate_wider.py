"""Score WIDER FACE predictions by the protocol of the official toolbox.

Examples:
    python tools/evaluate_wider.py pred.zip --gt eval_tools/ground_truth
    python tools/evaluate_wider.py pred.zip --gt eval_tools/ground_truth \
        --settings hard --recall-by-height 0.5
"""
import argparse
import os
import sys

# Only NumPy and SciPy are needed: do not load torch and MMDetection.
os.environ['TINYFACES_REGISTER'] = '0'

from _scoring_cli import add_names, detector_names, listed_only

from tinyfaces.evaluation import analysis, functional
from tinyfaces.utils.console import run_and_print
from tinyfaces.utils.files import check_writable


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description='Score WIDER FACE predictions by the protocol of the '
        'official toolbox.')
    add = parser.add_argument
    add('predictions',
        nargs='*',
        metavar='PRED',
        help='folder or zip in the official layout <event>/<image>.txt')
    add('--gt',
        required=True,
        metavar='DIR',
        help='folder of the four official .mat files; or a *_bbx_gt.txt, '
        'for --settings all only')
    add('--images',
        metavar='FILE',
        help='score these images by themselves: a list of <event>/<image>, '
        'or an official *_bbx_gt.txt')
    add('--settings',
        nargs='+',
        choices=functional.SETTINGS,
        default=['easy', 'medium', 'hard'])
    add('--iou-thrs', nargs='+', type=float, default=[0.5], metavar='T')
    add('--coco',
        action='store_true',
        help='IoU thresholds .5:.05:.95 and their mean')
    add('--matlab-int32',
        action='store_true',
        help='compute IoU in int32 as the official MATLAB code does')
    add('--fp-at-recall',
        nargs='+',
        type=float,
        default=[],
        metavar='R',
        help='count false positives at these recalls')
    add('--group',
        nargs='+',
        action='extend',
        default=[],
        metavar='NAME=PRED',
        help='detections of one anchor-scale group '
        'only, scored on all faces: AP @NAME')
    add('--recall-by-height',
        nargs='*',
        type=float,
        metavar='S',
        help='print the recall of each class of height, too: of all '
        'detections, and of those with a score of at least S')
    add_names(parser)
    add('--json', metavar='FILE', help='write the results')
    add('--plot', metavar='PNG', help='draw the precision-recall curves')
    add('--mat', metavar='DIR', help='write the curves in official form')
    args = parser.parse_args(argv)
    if not args.predictions and not args.group:
        parser.error('give a PRED or a --group')
    args.names = detector_names(parser, args.names, args.predictions, 'PRED')
    if not args.predictions and (args.plot or args.mat
                                 or args.recall_by_height is not None):
        parser.error('--plot, --mat and --recall-by-height are of a PRED; '
                     'there is none')
    if not all('=' in group for group in args.group):
        parser.error('--group expects NAME=PRED')
    if args.coco:
        args.iou_thrs = functional.COCO_IOU_THRS
    return args


def run(args: argparse.Namespace) -> str:
    """Load, score and write what was asked for; gives the report."""
    outputs = [args.json, args.plot, args.mat and f'{args.mat}/any.mat']
    for path in filter(None, outputs):
        check_writable(path)
    settings = args.settings + ['all'] * bool(args.group
                                              and 'all' not in args.settings)
    if os.path.isfile(args.gt):
        truth = functional.load_wider_annotations(args.gt, settings)
    else:
        truth = functional.load_wider_gt(args.gt, settings)
    if args.images:
        truth = listed_only(truth, functional.read_image_list(args.images),
                            args.images)
    options = dict(
        iou_thrs=args.iou_thrs,
        matlab_int32=args.matlab_int32,
        fp_recalls=args.fp_at_recall)
    detectors, heights = {}, []
    for name, path in zip(args.names, args.predictions):
        found = functional.read_wider_predictions(path)
        detectors[name] = functional.evaluate_wider(found, truth,
                                                    args.settings, **options)
        if args.recall_by_height is not None:
            table = analysis.format_recall_by_height(found, truth,
                                                     args.settings,
                                                     args.recall_by_height)
            heights.append(f'\n{name}: {table}')
    groups = {}
    for group in args.group:
        name, path = group.split('=', 1)
        groups.update(
            functional.evaluate_wider_groups(
                {f'@{name}': functional.read_wider_predictions(path)}, truth,
                **options))
    if args.json:
        functional.write_json(args.json, detectors, groups)
    if args.mat:
        for name, result in detectors.items():
            functional.write_mat(args.mat, name, result)
    if args.plot:
        # Matplotlib takes a while to load.
        from tinyfaces.visualization.pr_curve import plot_pr_curves
        plot_pr_curves(detectors, args.plot)
    report = [functional.format_table(detectors)] if detectors else []
    report += heights
    if groups:
        report += [
            '\ndetections of one anchor-scale group only:',
            functional.format_table(groups)
        ]
    return '\n'.join(report)


def main(argv: list[str] | None = None) -> int:
    """Exit code: 0; 1 after one line that says what is wrong; 141 for a pipe
    that nobody reads."""
    args = parse_args(argv)
    return run_and_print(lambda: run(args))


if __name__ == '__main__':
    sys.exit(main())
