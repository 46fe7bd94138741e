"""Choose templates for the faces of a training set.

    python tools/cluster_templates.py --ann wider_face_train_bbx_gt.txt
        [--num 25] [--out templates.json] [--plot templates.png]

K-medoids with the Jaccard distance ("Finding Tiny Faces", section 4, Eq. 1)
on all boxes of an annotation file in WIDER FACE's format, ``invalid`` ones
too, as in the released code. Templates are built at half the resolution for
faces over 140 pixels tall, at twice the resolution below 40 pixels and else
at their own, and written from the largest face to the smallest, in pixels of
the scaled picture. Use the file in a config as
model.bbox_head.prior_generator.templates.
"""
import argparse
import os
import sys
from pathlib import Path

# Neither torch nor MMDetection is needed: do not load them.
os.environ['TINYFACES_REGISTER'] = '0'

import numpy as np

from tinyfaces.datasets.wider_annotations import parse_wider_annotations
from tinyfaces.templates import (Clusters, Template, assign_roles, k_medoids,
                                 save_templates, scale_for, unique_shapes)
from tinyfaces.utils.console import run_and_print
from tinyfaces.utils.files import check_writable


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add('--ann',
        required=True,
        metavar='FILE',
        help='annotations, such as wider_face_train_bbx_gt.txt')
    add('--num',
        type=int,
        default=25,
        metavar='N',
        help='how many templates (default: %(default)s)')
    add('--min-size',
        type=float,
        default=10,
        metavar='PX',
        help='leave out boxes with a shorter side below it '
        '(default: %(default)s)')
    add('--scale',
        type=float,
        metavar='S',
        help='build all templates at this resolution, without roles, for '
        'the single-resolution models of Fig. 8')
    add('--seed', type=int, default=0, help='default: %(default)s')
    add('--starts',
        type=int,
        default=3,
        metavar='N',
        help='clusterings, of which the best one counts '
        '(default: %(default)s)')
    add('--out',
        default='templates.json',
        metavar='JSON',
        help='default: %(default)s')
    add('--plot', metavar='PNG', help='draw the templates')
    args = parser.parse_args(argv)
    if args.num < 1 or args.starts < 1:
        parser.error('--num and --starts must be at least 1')
    if args.seed < 0:
        parser.error('--seed must be at least 0')
    if args.scale is not None and not 0 < args.scale < float('inf'):
        parser.error('--scale must be finite and above 0')
    return args


def to_templates(faces: np.ndarray,
                 scale: float | None = None) -> list[Template]:
    """Templates for faces.

    Args:
        faces: (k, 2), widths and heights in the original picture.
        scale: Of all templates, which then have no role; None: by the rules
            of section 4.

    Returns:
        list[Template]: In the same order.
    """
    scaled = [(width, height, scale or scale_for(height))
              for width, height in faces.tolist()]
    templates = [Template(w * s, h * s, s) for w, h, s in scaled]
    return templates if scale else assign_roles(templates)


def in_words(templates: list[Template], clusters: Clusters,
             source: str) -> str:
    """A line on the whole and a table of the templates."""
    lines = [
        source, f'{"face":>11}{"template":>17}{"scale":>7}{"role":>6}'
        f'{"boxes":>9}{"distance":>10}'
    ]
    for template, count, distance in zip(templates, clusters.counts,
                                         clusters.distances):
        width, height, scale, role = template
        face = 'x'.join(f'{side:g}' for side in template.face_size)
        lines.append(f'{face:>11}{f"{width:g}x{height:g}":>17}{scale:7g}'
                     f'{role or "-":>6}{count:9,.0f}{distance:10.4f}')
    return '\n'.join(lines)


def run(args: argparse.Namespace) -> str:
    """Cluster, write what was asked for, and report."""
    for path in filter(None, (args.out, args.plot)):
        check_writable(path)
    boxes = np.concatenate(
        [entry.boxes for entry in parse_wider_annotations(args.ann)])
    shapes, weights = unique_shapes(boxes[:, 2:], args.min_size)
    if len(shapes) < args.num:
        raise ValueError(
            f'{args.ann} has {len(shapes)} different shapes of boxes with '
            f'sides of at least {args.min_size:g} pixels, too few for '
            f'{args.num} templates: lower --num or --min-size')
    clusters = k_medoids(
        shapes, weights, args.num, args.seed, args.starts, progress=True)
    templates = to_templates(clusters.shapes, args.scale)
    source = (f'{args.num} medoids of {weights.sum():,} boxes with sides of '
              f'at least {args.min_size:g} pixels in {Path(args.ann).name}, '
              f'which has {len(boxes):,}; mean Jaccard distance '
              f'{clusters.mean_distance:.4f}; seed {args.seed}')
    save_templates(args.out, templates, source)
    if args.plot:
        # Matplotlib takes a while to load.
        from tinyfaces.visualization.template_shapes import \
            plot_template_shapes
        title, _, rest = source.partition('; ')
        plot_template_shapes(templates, f'{title}\n{rest}', args.plot, shapes,
                             weights)
    return in_words(templates, clusters, source)


def main(argv: list[str] | None = None) -> int:
    """Exit code: 0; 1 after one line that says what is wrong."""
    args = parse_args(argv)
    return run_and_print(lambda: run(args))


if __name__ == '__main__':
    sys.exit(main())
