"""At which scale to build the template of each face size: HR's Fig. 8.

"Finding Tiny Faces" (section 4) trains one model for each resolution sigma,
all of them for the same target sizes, and keeps for each size the sigma with
the highest AP of the faces near it (those beyond 0.5 Jaccard distance are
ignored). Writes these templates, with the roles of section 4, for
TemplatePriorGenerator and TemplateHead.

Example:
    python tools/select_template_scales.py --gt eval_tools/ground_truth \
        --predictions 0.5=half.zip 1=whole.zip 2=double.zip \
        --targets clusters.json --out templates.json --plot scales.png
"""
import argparse
import math
import os
import sys
from pathlib import Path

# Only NumPy, SciPy and matplotlib are needed: do not load torch and
# MMDetection.
os.environ['TINYFACES_REGISTER'] = '0'

from _scoring_cli import listed_only

from tinyfaces.evaluation import analysis, functional
from tinyfaces.templates import (Template, assign_roles, load_templates,
                                 save_templates)
from tinyfaces.utils.console import run_and_print
from tinyfaces.utils.files import check_writable


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add('--predictions',
        nargs='+',
        required=True,
        type=_of_scale,
        metavar='SIGMA=PRED',
        help='what the model of each resolution finds: folder or zip in the '
        'official layout <event>/<image>.txt')
    add('--gt',
        required=True,
        metavar='DIR',
        help='folder of the four official .mat files; or a *_bbx_gt.txt, '
        'for --setting all only')
    add('--setting',
        choices=functional.SETTINGS,
        default='hard',
        help='which faces count (default: %(default)s)')
    add('--images',
        metavar='FILE',
        help='score these images by themselves: a list of <event>/<image>, '
        'or an official *_bbx_gt.txt')
    add('--targets',
        default='unscaled',
        metavar='JSON',
        help='templates whose face sizes are the targets: a file of '
        'cluster_templates.py, or a name such as published '
        '(default: %(default)s)')
    add('--out',
        required=True,
        metavar='JSON',
        help='the templates to write, largest faces first')
    add('--plot', metavar='PNG', help='draw AP over target size')
    args = parser.parse_args(argv)
    if len(dict(args.predictions)) < len(args.predictions):
        parser.error('--predictions: a SIGMA is given twice')
    if len(args.predictions) < 2:
        parser.error('--predictions: give at least two, to choose from')
    return args


def run(args: argparse.Namespace) -> str:
    """Score, choose and write; gives the report."""
    for path in filter(None, (args.out, args.plot)):
        check_writable(path)
    # Each face size once, the largest first.
    targets = sorted(
        {template.face_size
         for template in load_templates(args.targets)},
        key=lambda size: (-size[0] * size[1], size))
    if os.path.isfile(args.gt):
        truth = functional.load_wider_annotations(args.gt, [args.setting])
    else:
        truth = functional.load_wider_gt(args.gt, [args.setting])
    if args.images:
        truth = listed_only(truth, functional.read_image_list(args.images),
                            args.images)
    study = analysis.study_template_scales(
        {
            scale: functional.read_wider_predictions(path)
            for scale, path in args.predictions
        }, truth, args.setting, [(high, wide) for wide, high in targets])
    templates = assign_roles(
        Template(wide * scale, high * scale, scale)
        for (wide, high), scale in zip(targets, study.best))
    about = f'WIDER FACE {args.setting} faces, {truth.describe()}'
    scales = ', '.join(f'{scale:g}' for scale in study.ap)
    save_templates(
        args.out, templates,
        f'Face sizes of {Path(args.targets).name}; scale: of {scales}, that '
        f'of the highest AP at the size ({about})')
    if args.plot:
        # Matplotlib takes a while to load.
        from tinyfaces.visualization.template_scales import \
            plot_template_scales
        plot_template_scales(study.sizes, study.num_faces, study.ap,
                             study.best, about, args.plot)
    return report(study, templates, about)


def report(study: analysis.ScaleStudy, templates: list[Template],
           about: str) -> str:
    """The numbers as a table, and what was chosen for want of numbers."""
    head = ''.join(f'{f"AP @{scale:g}":>9}' for scale in study.ap)
    lines = [
        f'{about}; sizes are height x width in pixels',
        f'{"target":>13}{"faces":>9}{head}{"best":>6}{"template":>15}  role'
    ]
    for at, template in enumerate(templates):
        high, wide = study.sizes[at]
        values = ''.join(
            f'{"-":>9}' if math.isnan(ap[at]) else f'{ap[at]:9.4f}'
            for ap in study.ap.values())
        target = f'{high:.1f}x{wide:.1f}'
        size = f'{template.height:.1f}x{template.width:.1f}'
        lines.append(f'{target:>13}{study.num_faces[at]:9,}'
                     f'{values}{template.scale:6g}{size:>15}  '
                     f'{template.role or "-"}')
    tied = sum(
        sum(ap[at] == study.ap[best][at] for ap in study.ap.values()) != 1
        for at, best in enumerate(study.best))
    if tied:
        lines.append(
            f'warning: no single best scale for {tied} of {len(templates)} '
            "targets: no faces, or equal AP; that nearest to the paper's rule "
            '(0.5 above 140 pixels, 2 below 40, else 1) was taken')
    return '\n'.join(lines)


def _of_scale(text: str) -> tuple[float, str]:
    """``2=double.zip`` as scale and path."""
    number, _, path = text.partition('=')
    try:
        scale = float(number)
    except ValueError:
        scale = math.nan
    if not path or not 0 < scale < math.inf:
        raise argparse.ArgumentTypeError(
            f'{text} is not SIGMA=PRED, for example 2=double.zip')
    return scale, path


def main(argv: list[str] | None = None) -> int:
    """Exit code: 0; 1 after one line that says what is wrong; 141 for a pipe
    that nobody reads."""
    args = parse_args(argv)
    return run_and_print(lambda: run(args))


if __name__ == '__main__':
    sys.exit(main())
