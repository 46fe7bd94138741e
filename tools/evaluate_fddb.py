"""Score FDDB detections as the official program does.

Examples:
    python tools/evaluate_fddb.py out/ --gt FDDB-folds --images originalPics
    python tools/evaluate_fddb.py a.txt 'b/*fold-*.txt' --gt FDDB-folds \
        --sizes image_sizes.txt --roc curves/ --plot roc.png
"""
import argparse
import os
import sys
from pathlib import Path

# Only NumPy, SciPy and OpenCV are needed: do not load torch and MMDetection.
os.environ['TINYFACES_REGISTER'] = '0'

from _fddb_sizes import read_sizes
from _scoring_cli import add_names, detector_names

from tinyfaces.datasets.fddb_annotations import (ellipses_by_name, load_fddb,
                                                 load_fold_lists)
from tinyfaces.evaluation import functional
from tinyfaces.evaluation.functional.fddb_detections import fold_number
from tinyfaces.evaluation.functional.fddb_report import FALSE_POSITIVES
from tinyfaces.utils.console import run_and_print
from tinyfaces.utils.files import check_writable


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description='Score FDDB detections as the official program does.')
    add = parser.add_argument
    add('detections',
        nargs='+',
        metavar='DETECTIONS',
        help='a file of all folds; or a folder (or quoted pattern) of files '
        'named by their fold, e.g. fold-01-out.txt; with lines "x y w h '
        'score" (rectangles) or "ra rb theta cx cy score" (ellipses)')
    add('--gt',
        required=True,
        metavar='DIR',
        help='FDDB-folds of the official download')
    add('--ann-file',
        metavar='FILE',
        help='annotations of all folds to use instead of those in --gt, e.g. '
        'FDDB_annotation_ellipseList_new.txt')
    add('--folds',
        nargs='+',
        type=int,
        metavar='N',
        help='folds to score; default: all ten')
    sizes = parser.add_mutually_exclusive_group(required=True)
    sizes.add_argument(
        '--images', metavar='DIR', help='originalPics, to read the sizes of')
    sizes.add_argument(
        '--sizes', metavar='FILE', help='lines "name width height" instead')
    add('--only-given',
        action='store_true',
        help='score only the pictures that DETECTIONS has, instead of '
        'refusing a set that lacks some')
    add('--any-order',
        action='store_true',
        help='accept pictures in another order than in the fold lists')
    add_names(parser)
    add('--fp',
        nargs='+',
        type=int,
        default=list(FALSE_POSITIVES),
        metavar='K',
        help='numbers of false positives to report at')
    add('--published',
        nargs='+',
        default=[],
        metavar='PATH',
        help='ROC files (*DiscROC.txt, *ContROC.txt) or folders of them, for '
        'the table and the picture')
    add('--roc',
        metavar='PREFIX',
        help='write PREFIXDiscROC.txt and PREFIXContROC.txt; a folder (or a '
        'name that ends in /) gets one pair per detector')
    add('--plot', metavar='PNG', help='draw the ROC curves')
    add('--json', metavar='FILE', help='write the table')
    args = parser.parse_args(argv)
    expanded = {fold_number(path) for path in args.detections}
    if len(args.detections) > 1 and None not in expanded and len(
            expanded) == len(args.detections):
        parser.error('each DETECTIONS is a whole set, not one fold: give the '
                     'folder, or put quotes around the pattern')
    args.names = detector_names(parser, args.names, args.detections,
                                'DETECTIONS', _name)
    if min(args.fp) < 0:
        parser.error('--fp must not be negative')
    args.fp = list(dict.fromkeys(args.fp))
    args.into_folder = bool(args.roc) and (args.roc.endswith('/')
                                           or os.path.isdir(args.roc))
    if args.into_folder and any('/' in name for name in args.names):
        parser.error('--names: a name must not hold a /, as the ROC files are '
                     'named by it')
    if args.roc and not args.into_folder and len(args.names) > 1:
        parser.error('--roc must be a folder, for more than one detector')
    return args


def run(args: argparse.Namespace) -> str:
    """Load, score and write what was asked for; gives the report."""
    curves = {
        name: os.path.join(args.roc, name) if args.into_folder else args.roc
        for name in args.names if args.roc
    }
    outputs = [
        args.json, args.plot, *(f'{p}DiscROC.txt' for p in curves.values())
    ]
    for path in filter(None, outputs):
        check_writable(path)
    folds = load_fddb(args.gt, args.folds, args.ann_file)
    truth = ellipses_by_name(folds)
    lists = load_fold_lists(args.gt)
    published = functional.read_published_rocs(args.published)
    sets = {
        name:
        functional.read_fddb_detections(path, lists, list(folds),
                                        args.any_order)
        for name, path in zip(args.names, args.detections)
    }
    sizes = read_sizes(args, [
        name for name in truth
        if not args.only_given or any(name in found for found in sets.values())
    ])
    results = {
        name: functional.evaluate_fddb(found, truth, sizes, args.only_given)
        for name, found in sets.items()
    }
    which = (f'fold {" ".join(map(str, args.folds))}'
             if args.folds else 'all folds')
    source = Path(args.ann_file).name if args.ann_file else 'original'
    facts = (args.fp, f'{which}, annotations: {source}', published)
    if args.json:
        functional.write_fddb_json(args.json, results, *facts)
    for name, prefix in curves.items():
        functional.write_roc(results[name], prefix)
    if args.plot:
        # Matplotlib takes a while to load.
        from tinyfaces.visualization.roc_curve import plot_roc_curves
        plot_roc_curves(results, args.plot, published)
    return functional.format_fddb_table(results, *facts)


def main(argv: list[str] | None = None) -> int:
    """Exit code: 0; 1 after one line that says what is wrong; 141 for a pipe
    that nobody reads."""
    args = parse_args(argv)
    return run_and_print(lambda: run(args))


def _name(path: str) -> str:
    """A detector's name: that of its file, or of its files' folder."""
    parts = Path(os.path.abspath(path))
    if '*' in parts.name or '?' in parts.name:
        parts = parts.parent
    return parts.stem if parts.suffix == '.txt' else parts.name


if __name__ == '__main__':
    sys.exit(main())
