"""What ``evaluate_voc_face.py`` and ``evaluate_mafa.py`` share."""
import argparse
from collections.abc import Callable

from _scoring_cli import add_names, detector_names, listed_only

from tinyfaces.evaluation import functional
from tinyfaces.utils.console import run_and_print
from tinyfaces.utils.files import check_writable

Load = Callable[[str], functional.VOCFaceGroundTruth]
Evaluate = Callable[
    [functional.VOCFaceDetections, functional.VOCFaceGroundTruth],
    functional.VOCFaceResult]


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
        help='score these pictures by themselves: a list of names; detections '
        'in others are left out')
    add('--iou-thr', type=float, default=0.5, metavar='T')
    add_names(parser)
    add('--json', metavar='FILE', help='write the results')
    add('--plot', metavar='PNG', help='draw the precision-recall curves')


def parse_args(parser: argparse.ArgumentParser,
               argv: list[str] | None) -> argparse.Namespace:
    """Read the command line; every detector has a name of its own then."""
    args = parser.parse_args(argv)
    args.names = detector_names(parser, args.names, args.detections,
                                'DETECTIONS')
    return args


def run(args: argparse.Namespace, load: Load, evaluate: Evaluate) -> int:
    """Load, score and write what was asked for.

    Args:
        args: From :func:`parse_args`.
        load: Reads the annotations.
        evaluate: Scores one set of detections.

    Returns:
        int: Exit code, see :func:`~tinyfaces.utils.console.run_and_print`.
    """
    return run_and_print(lambda: _report(args, load, evaluate))


def _report(args: argparse.Namespace, load: Load, evaluate: Evaluate) -> str:
    """What :func:`run` prints; the files are written before."""
    for path in filter(None, (args.json, args.plot)):
        check_writable(path)
    truth = load(args.gt)
    sets = {
        name: functional.read_voc_face_detections(path, truth.index)
        for name, path in zip(args.names, args.detections)
    }
    if args.images:
        # After reading: only a name that no annotation has is a mistake.
        truth = listed_only(truth, functional.read_picture_list(args.images),
                            args.images)
        sets = {
            name: found.restricted_to(truth.keys)
            for name, found in sets.items()
        }
    results = {name: evaluate(found, truth) for name, found in sets.items()}
    if args.json:
        functional.write_voc_face_json(args.json, results)
    if args.plot:
        # Matplotlib takes a while to load.
        from tinyfaces.visualization.voc_face_curve import plot_voc_face_curves
        plot_voc_face_curves(results, args.plot)
    return functional.format_voc_face_table(results)
