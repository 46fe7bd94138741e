"""What ``evaluate_voc_face.py`` and ``evaluate_mafa.py`` share."""
import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from tinyfaces.evaluation import functional


def add_arguments(parser: argparse.ArgumentParser, gt_help: str) -> None:
    """Add the arguments of both tools.

    Args:
        parser: Gets the arguments.
        gt_help: Help for ``--gt``.
    """
    add = parser.add_argument
    add('detections',
        nargs='+',
        metavar='DETECTIONS',
        help='text file, one line "name score x1 y1 x2 y2" per detection')
    add('--gt', required=True, metavar='ANNOTATIONS.mat', help=gt_help)
    add('--images',
        metavar='FILE',
        help='score these pictures by themselves: a list of names')
    add('--iou-thr', type=float, default=0.5, metavar='T')
    add('--names',
        nargs='+',
        metavar='NAME',
        help='names of the detectors; default: their file names')
    add('--json', metavar='FILE', help='write the results')
    add('--plot', metavar='PNG', help='draw the precision-recall curves')


def parse_args(parser: argparse.ArgumentParser,
               argv: list[str] | None) -> argparse.Namespace:
    """Read the command line; every detector has a name of its own then."""
    args = parser.parse_args(argv)
    args.names = args.names or [Path(p).stem for p in args.detections]
    if len(args.names) != len(args.detections):
        parser.error('--names must have one name per DETECTIONS')
    if len(set(args.names)) < len(args.names):
        parser.error('two DETECTIONS have the same name; give --names')
    return args


def run(
    args: argparse.Namespace,
    load: Callable[[str], functional.VOCFaceGroundTruth], evaluate: Callable[
        [functional.VOCFaceDetections, functional.VOCFaceGroundTruth],
        functional.VOCFaceResult]
) -> int:
    """Load, score and write what was asked for.

    Args:
        args: From :func:`parse_args`.
        load: Reads the annotations.
        evaluate: Scores one set of detections.

    Returns:
        int: Exit code: 0, or 1 after one line that says what is wrong.
    """
    try:
        truth = load(args.gt)
        if args.images:
            truth = truth.subset(functional.read_picture_list(args.images))
        results = {
            name:
            evaluate(
                functional.read_voc_face_detections(path, truth.index), truth)
            for name, path in zip(args.names, args.detections)
        }
        print(functional.format_voc_face_table(results))
        if args.json:
            functional.write_voc_face_json(args.json, results)
        if args.plot:
            # Matplotlib takes a while to load.
            from tinyfaces.visualization.voc_face_curve import \
                plot_voc_face_curves
            plot_voc_face_curves(results, args.plot)
    except (OSError, ValueError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    return 0
