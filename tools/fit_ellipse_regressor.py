"""Fit ellipses to a detector's boxes on FDDB, by 10-fold cross-validation.

Each fold's ellipses come from a regressor that was fitted on the other nine
("Finding Tiny Faces", Appendix B). Prints the scores before and after, and
those of S3FD's fixed map; writes the regressor fitted on all folds, which is
for other data.

Examples:
    python tools/fit_ellipse_regressor.py detections/ --gt FDDB-folds \
        --sizes image_sizes.txt --out regressor.npz --plot roc.png
    python tools/extract_fddb_features.py CONFIG.py CHECKPOINT.pth \
        --gt FDDB-folds --images originalPics --out features.npz
    python tools/fit_ellipse_regressor.py features.npz --gt FDDB-folds \
        --images originalPics --out regressor.npz --draw fit.png
"""
import argparse
import math
import os
import sys
from collections.abc import Mapping
from pathlib import Path

# Only NumPy, SciPy and OpenCV are needed: do not load torch and MMDetection.
os.environ['TINYFACES_REGISTER'] = '0'

import numpy as np
from _ellipse_report import draw_fit, fit_facts, format_facts, write_json
from _fddb_sizes import read_sizes

from tinyfaces.datasets.fddb_annotations import (FDDBEntry, ellipses_by_name,
                                                 load_fddb)
from tinyfaces.ellipses import (S3FD_MAP, cross_validate_ellipses,
                                load_detection_features, read_fit_mat,
                                save_ellipse_regressor)
from tinyfaces.evaluation import functional

S3FD_ROW = "S3FD's map"


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add('detections',
        metavar='DETECTIONS',
        help='rectangles: a file of all folds, a folder (or quoted pattern) '
        'of files named by their fold, or the .npz of '
        'extract_fddb_features.py, whose features are then used too')
    add('--gt',
        required=True,
        metavar='DIR',
        help='FDDB-folds of the official download')
    add('--ann-file',
        metavar='FILE',
        help='annotations of all folds to use instead of those in --gt')
    sizes = parser.add_argument_group(
        'pictures', 'one of the two is needed, for the sizes')
    sizes.add_argument(
        '--images', metavar='DIR', help='originalPics; needed for --draw too')
    sizes.add_argument(
        '--sizes', metavar='FILE', help='lines "name width height"')
    add('--only-given',
        action='store_true',
        help='use only the pictures that DETECTIONS has, instead of '
        'refusing a set that lacks some')
    add('--box-only',
        action='store_true',
        help='do not use the features in an .npz')
    add('--iou-thr',
        type=float,
        default=0.5,
        metavar='T',
        help='a detection is fitted to an annotation if the IoU of their '
        'boxes is above this, from 0 up to below 1 (default: %(default)s)')
    add('--alpha',
        type=float,
        metavar='A',
        help='penalty of the ridge regression (default: chosen by '
        'cross-validation within the nine folds)')
    add('--s3fd-fit',
        metavar='Fit.mat',
        help="S3FD's map in full precision (needs h5py), instead of the "
        'built-in digits')
    add('--out',
        metavar='NPZ',
        help='write the regressor fitted on all ten folds, for the '
        'EllipseRegressor of a config. It is for other data: on FDDB it has '
        'seen the annotations it would be scored by; the held-out scores of '
        'FDDB are those that are printed here')
    add('--detections-out',
        metavar='DIR',
        help='write the held-out ellipses, each by the regressor that was '
        "fitted without the picture's fold, as fold-XX-out.txt; such files of "
        'an earlier run are removed')
    add('--json', metavar='FILE', help='write the table')
    add('--plot', metavar='PNG', help='draw the ROC curves')
    add('--draw',
        metavar='PNG',
        help='draw boxes and ellipses into some pictures')
    add('--num-drawn', type=int, default=12, metavar='N')
    args = parser.parse_args(argv)
    if not args.images and not args.sizes:
        parser.error('give --images or --sizes')
    if args.draw and not args.images:
        parser.error('--draw needs --images')
    if args.out and not args.out.endswith('.npz'):
        parser.error('--out: the name must end in .npz')
    if not 0 <= args.iou_thr < 1:
        parser.error('--iou-thr must be 0 or more and less than 1')
    if args.alpha is not None and not 0 <= args.alpha < math.inf:
        parser.error('--alpha must be finite, 0 or more')
    if args.detections_out and os.path.realpath(
            args.detections_out) == os.path.realpath(args.detections):
        parser.error('--detections-out: that is the folder of the detections')
    if args.num_drawn < 1:
        parser.error('--num-drawn must be at least 1')
    return args


def run(args: argparse.Namespace) -> None:
    """Load, fit, score and write what was asked for."""
    folds = load_fddb(args.gt, ann_file=args.ann_file)
    detections, features, sampling = _load_detections(args, folds)
    folds = _given(folds, detections, args.only_given)
    truth = ellipses_by_name(folds)
    detections = {
        name: rows
        for name, rows in detections.items() if name in truth
    }
    sizes = read_sizes(args, list(truth))
    common = dict(alpha=args.alpha, iou_thr=args.iou_thr)
    fits = {
        'box features, held out':
        cross_validate_ellipses(detections, folds, sizes, **common)
    }
    if features is not None:
        fits[f'{sampling.source} features, held out'] = \
            cross_validate_ellipses(detections, folds, sizes, features,
                                    sampling, **common)
    *_, best = fits.values()
    sets = {'boxes': detections}
    sets.update((name, fit.detections) for name, fit in fits.items())
    # fddb_test.py of S3FD, on whose files the map was fitted, writes
    # w = x2 - x1 + 1; files of others are taken as they are.
    more = 0 if sampling is None else 1
    sets[S3FD_ROW] = _s3fd(args.s3fd_fit, detections, more)
    results = {
        name: functional.evaluate_fddb(found, truth, sizes)
        for name, found in sets.items()
    }
    facts = {name: fit_facts(fit) for name, fit in fits.items()}
    source = Path(args.ann_file).name if args.ann_file else 'original'
    annotations = (f'{len(folds)} folds held out in turn, annotations: '
                   f'{source}')
    for name, fact in facts.items():
        print(format_facts(name, fact))
    print(functional.format_fddb_table(results, annotations=annotations))
    if args.out:
        save_ellipse_regressor(best.final, args.out)
    if args.detections_out:
        lists = {
            fold: [entry.name for entry in entries]
            for fold, entries in folds.items()
        }
        functional.write_fddb_folds(best.detections, lists,
                                    args.detections_out)
    if args.json:
        write_json(args.json, results, facts, annotations)
    if args.plot:
        # Matplotlib takes a while to load.
        from tinyfaces.visualization.roc_curve import plot_roc_curves
        plot_roc_curves(results, args.plot)
    if args.draw:
        drawn = draw_fit(args.draw, args.images, truth, detections,
                         best.detections, args.num_drawn)
        print(f'{drawn} pictures drawn' if drawn else
              f'nothing drawn: no picture with a match lies in {args.images}')


def main(argv: list[str] | None = None) -> int:
    """Exit code: 0, or 1 after one line that says what is wrong."""
    args = parse_args(argv)
    try:
        run(args)
    except (OSError, ValueError, ImportError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    return 0


def _load_detections(args: argparse.Namespace,
                     folds: Mapping[int, list[FDDBEntry]]) -> tuple:
    """Detections, and features with their sampling or None and None."""
    if args.detections.endswith('.npz'):
        found = load_detection_features(args.detections)
        return found if not args.box_only else (found.detections, None, None)
    lists = {
        fold: [entry.name for entry in entries]
        for fold, entries in folds.items()
    }
    found = functional.read_fddb_detections(
        args.detections, lists, any_order=True)
    if any(len(rows) and rows.shape[1] != 5 for rows in found.values()):
        raise ValueError(f'{args.detections} holds ellipses already; give '
                         'the rectangles x y w h score')
    return found, None, None


def _given(folds: Mapping[int, list[FDDBEntry]],
           detections: Mapping[str, np.ndarray],
           only_given: bool) -> dict[int, list[FDDBEntry]]:
    """The folds, or what of them there are detections for."""
    if not only_given:
        return dict(folds)
    kept = {
        fold: [entry for entry in entries if entry.name in detections]
        for fold, entries in folds.items()
    }
    return {fold: entries for fold, entries in kept.items() if entries}


def _s3fd(fit: str | None, detections: Mapping[str, np.ndarray],
          more: int) -> dict[str, np.ndarray]:
    """Ellipses of S3FD's map, ``more`` added to widths and heights."""
    ellipse_map = read_fit_mat(fit) if fit else S3FD_MAP
    return {
        name:
        np.hstack(
            (ellipse_map.predict(rows[:, :4] + [0, 0, more, more]), rows[:,
                                                                         4:]))
        for name, rows in detections.items()
    }


if __name__ == '__main__':
    sys.exit(main())
