"""Say where detectors err on WIDER FACE, as a page with figures and as JSON.

Example:
    python tools/analyze_errors.py pred.zip --gt eval_tools/ground_truth \
        --annotations wider_face_split/wider_face_val_bbx_gt.txt \
        --images WIDER_val/images --out analysis
"""
import argparse
import json
import math
import os
import sys
from pathlib import Path

# Only NumPy, SciPy, matplotlib and Pillow are needed: do not load torch and
# MMDetection.
os.environ['TINYFACES_REGISTER'] = '0'

from _picture_files import picture_finder
from _scoring_cli import add_names, detector_names

from tinyfaces.datasets import wider_annotations
from tinyfaces.evaluation import analysis, functional
from tinyfaces.utils.console import run_and_print
from tinyfaces.utils.files import atomic_write, check_writable


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description='Say where detectors err on WIDER FACE: DIR/index.html, '
        'DIR/analysis.json and DIR/figures.')
    add = parser.add_argument
    add('predictions',
        nargs='+',
        metavar='PRED',
        help='folder or zip in the official layout <event>/<image>.txt')
    add('--gt',
        required=True,
        metavar='DIR',
        help='folder of the four official .mat files; or a *_bbx_gt.txt, '
        'for --settings all only')
    add('--annotations',
        metavar='FILE',
        help='wider_face_val_bbx_gt.txt, for the attributes of the faces')
    add('--images',
        metavar='DIR',
        help='folder of <event>/<image>.jpg, to draw the top false positives; '
        'may lack pictures')
    add('--image-list',
        metavar='FILE',
        help='score these images by themselves: a list of <event>/<image>, '
        'or an official *_bbx_gt.txt')
    add('--settings',
        nargs='+',
        choices=functional.SETTINGS,
        default=['hard'],
        help='which faces count; default: hard, as in the papers')
    add_names(parser)
    add('--logits',
        nargs='*',
        metavar='NAME',
        help='the scores of these detectors (default: of all) are logits, not '
        'probabilities')
    add('--normalized-n',
        type=_positive,
        metavar='N',
        help='N of the normalised AP; default: 0.15 per image (Hoiem et al.)')
    add('--target-sizes',
        nargs='+',
        type=_size,
        default=analysis.TARGET_SIZES,
        metavar='HxW',
        help='sizes in pixels; default: 16 from 8x6 to 593x474')
    add('--score-thrs',
        nargs='*',
        type=_finite,
        metavar='S',
        help='scores at which recall by height is read; default: 0.5, or 0 '
        'for logits')
    add('--out', required=True, metavar='DIR', help='folder to write to')
    args = parser.parse_args(argv)
    args.names = detector_names(parser, args.names, args.predictions, 'PRED')
    if args.logits is not None:
        args.logits = args.logits or args.names
        for name in set(args.logits) - set(args.names):
            parser.error(f'--logits {name}: there is no such detector, only '
                         f'{", ".join(args.names)}')
    return args


def run(args: argparse.Namespace) -> str:
    """Load, analyse, draw, and only then write; gives the report."""
    check_writable(Path(args.out) / 'index.html')
    _require_file(args.annotations,
                  'give wider_face_val_bbx_gt.txt of wider_face_split.zip')
    _require_file(args.image_list,
                  'give a list of <event>/<image>, or a *_bbx_gt.txt')
    settings = list(dict.fromkeys(args.settings))
    if os.path.isfile(args.gt):
        truth = functional.load_wider_annotations(args.gt, settings)
    else:
        truth = functional.load_wider_gt(args.gt, settings)
    if args.image_list:
        truth = truth.subset(functional.read_image_list(args.image_list))
    for setting in settings:
        if not truth.num_faces(setting):
            raise ValueError(f'{args.gt}: setting {setting} counts no face in '
                             f'{truth.describe()}; choose other --settings')
    warnings, attributes = [], None
    if args.annotations:
        found = analysis.match_attributes(
            truth, wider_annotations.parse_wider_annotations(args.annotations))
        attributes = found.values
        if found.warning:
            warnings.append(f'{args.annotations}: {found.warning}')
    else:
        warnings.append('no --annotations: nothing is said about blur, '
                        'expression, illumination, occlusion and pose')
    find_picture = picture_finder(args.images)
    constant = args.normalized_n or analysis.N_PER_IMAGE * len(truth.keys)

    content = dict(
        documentation=analysis.DOCUMENTATION,
        protocol=f'WIDER FACE protocol, {truth.describe()}, true IoU; '
        f'false positives by kind at IoU {analysis.FOUND_IOU:g} and '
        f'{analysis.NEAR_IOU:g}',
        images=truth.describe(),
        warnings=warnings,
        settings={
            setting: dict(num_faces=truth.num_faces(setting), detectors={})
            for setting in settings
        })
    for name, path in zip(args.names, args.predictions):
        is_logit = name in (args.logits or [])
        thrs = args.score_thrs
        options = analysis.AnalysisOptions(
            constant,
            attributes,
            args.target_sizes,
            (0. if is_logit else 0.5, ) if thrs is None else tuple(thrs),
            is_logit,
            has_picture=lambda key: find_picture(key) is not None)
        try:
            results, remarks = analysis.analyze(
                functional.read_wider_predictions(path), truth, options)
        except analysis.NotProbabilities as error:
            raise ValueError(f'{path}: {error}; if they are logits, give '
                             f'--logits {name}') from error
        warnings += [f'{name}: {text}' for text in remarks]
        for setting, result in results.items():
            content['settings'][setting]['detectors'][name] = result
    return write(analysis.finite(content), truth, find_picture, Path(args.out))


def write(content: dict, truth: functional.WiderGroundTruth, find_picture,
          out: Path) -> str:
    """Draw everything, then write all files; the page comes last.

    Returns:
        str: What was written, for the terminal.
    """
    # Matplotlib takes a while to load: not before the input was found good.
    from tinyfaces.visualization.analysis import (draw_pictures,
                                                  is_picture_name, render_page)
    drawn = {
        row['image']
        for part in content['settings'].values()
        for analyses in part['detectors'].values()
        for row in analyses['top_false_positives']['drawn']
    }
    at = {key: number for number, key in enumerate(truth.keys)}
    faces = {
        key: truth.boxes[truth.offsets[at[key]]:truth.offsets[at[key] + 1]]
        for key in drawn
    }
    pictures = draw_pictures(content,
                             {key: find_picture(key)
                              for key in drawn}, faces)
    page = render_page(content, pictures)
    for picture in pictures:
        with atomic_write(out / 'figures' / picture.file_name) as temporary:
            temporary.write_bytes(picture.data)
    with atomic_write(out / 'analysis.json') as temporary:
        temporary.write_text(json.dumps(content) + '\n', encoding='utf-8')
    with atomic_write(out / 'index.html') as temporary:
        temporary.write_text(page, encoding='utf-8')
    # Figures of an earlier run are not of this page.
    written = {picture.file_name for picture in pictures}
    for path in (out / 'figures').iterdir():
        if is_picture_name(path.name) and path.name not in written:
            path.unlink()
    for text in content['warnings']:
        print(f'warning: {text}', file=sys.stderr)
    return (f'{out / "index.html"}: {len(pictures)} figures, '
            f'{len(page) / 1e6:.1f} MB')


def _require_file(path: str | None, remedy: str) -> None:
    """An error before the long work, unless the option was left out."""
    if path and not os.path.isfile(path):
        raise FileNotFoundError(f'{path}: no such file; {remedy}')


def _finite(text: str) -> float:
    """A number, neither NaN nor infinite."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f'{text!r} is not a finite number')
    return value


def _positive(text: str) -> float:
    """A number above 0."""
    value = _finite(text)
    if value <= 0:
        raise argparse.ArgumentTypeError(f'{text} is not above 0')
    return value


def _size(text: str) -> tuple[float, float]:
    """``25x20`` as height and width."""
    height, _, width = text.partition('x')
    try:
        return _positive(height), _positive(width)
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(
            f'{text} is not HEIGHTxWIDTH, for example 25x20: {error}'
        ) from None


def main(argv: list[str] | None = None) -> int:
    """Exit code: 0; 1 after one line that says what is wrong; 141 for a pipe
    that nobody reads."""
    args = parse_args(argv)
    return run_and_print(lambda: run(args))


if __name__ == '__main__':
    sys.exit(main())
