"""What the assignment of templates costs, beside plain tensor arithmetic.

    python benchmarks/template_assignment.py [--ann ANNOTATIONS]
    python benchmarks/template_assignment.py --device cuda

TemplateAssigner, which looks at windows near a face only, and the plain way:
for every template the widths and heights that all faces have in common with
all columns and rows of cells, their products, and the maxima over faces and
cells; in float32 and without the noise that decides ties, which ours has. The
25 published templates on 63 x 63 cells (500 x 500 pixels) and 500 faces, for
which TemplateAssigner may take 100 ms on one core.

The faces are those of random training crops (scaled by .5, 1 or 2, and as
RandomCanvasCrop cuts them), as many crops on top of each other as it takes.
``--ann``, or the folder of the research datasets in TINYFACES_DATA, gives the
annotations; pictures are taken to be 1,024 pixels wide, which those of WIDER
FACE are, and as high as the lowest face reaches. Otherwise the faces are made
up.

The two programs alternate, and the ratio is the median of those of each
round. Next to the time that passed stands the processor's, which tells more
on a machine that has other work to do. Before that the two must agree, in
float64 and without noise.
"""
import argparse
import os
import sys
from functools import partial
from pathlib import Path

import numpy as np
import torch
from group_sampling import alternate, report
from mmdet.structures.bbox import HorizontalBoxes
from torch import Tensor

import tinyfaces  # noqa: F401
from tinyfaces.datasets.transforms import RandomCanvasCrop
from tinyfaces.datasets.wider_annotations import parse_wider_annotations
from tinyfaces.models.task_modules import (TemplateAssigner,
                                           TemplatePriorGenerator,
                                           TemplateTargets)

ANNOTATIONS = 'wider_face/wider_face_split/wider_face_train_bbx_gt.txt'
SIDE, WIDTH = 500, 1024


def plain_assignment(priors: TemplatePriorGenerator, cells: tuple[int, int],
                     faces: Tensor) -> TemplateTargets:
    """Targets from all pairs of a window and a face, without borders.

    Args:
        priors: Of N templates.
        cells: (H, W).
        faces: (G, 4), G > 0.
    """
    areas = (faces[:, 2:] - faces[:, :2]).prod(dim=1)[:, None, None]
    labels, chosen, highest, places = [], [], [], []
    for window in priors.base_anchors[0].to(faces):
        common = []
        for axis in 0, 1:
            start = priors.strides[0][axis] * torch.arange(
                cells[1 - axis], device=faces.device)
            low, high = (window[axis::2, None] + start)[:, None]
            common.append(
                (torch.minimum(high, faces[:, axis + 2, None]) -
                 torch.maximum(low, faces[:, axis, None])).clamp(min=0))
        common = common[1][:, :, None] * common[0][:, None, :]
        area = (window[2] - window[0]) * (window[3] - window[1])
        iou = common / (area + areas - common)
        best, face = iou.max(dim=0)
        label = torch.where(best < .3, -1, 0)
        labels.append(torch.where(best >= .7, 1, label))
        chosen.append(face)
        best, place = iou.flatten(1).max(dim=1)
        highest.append(best)
        places.append(place)
    labels, chosen = torch.stack(labels), torch.stack(chosen)
    best, template = torch.stack(highest).max(dim=0)
    place = torch.stack(places).gather(0, template[None])[0]
    labels.flatten(1)[template[best > .3], place[best > .3]] = 1
    return TemplateTargets(
        labels.to(torch.int8), torch.where(labels == 1, chosen, -1))


def real_faces(path: Path, count: int, seed: int) -> Tensor:
    """Faces of random training crops, (count, 4)."""
    entries = [
        entry for entry in parse_wider_annotations(path)
        if (entry.boxes[:, 2:] > 0).any()
    ]
    np.random.seed(seed)  # the transform draws from NumPy's generator
    crop = RandomCanvasCrop((SIDE, SIDE), pad_value=0)
    faces = []
    while sum(map(len, faces)) < count:
        boxes = entries[np.random.randint(len(entries))].boxes
        boxes = boxes[(boxes[:, 2:] > 0).all(axis=1)]
        boxes = np.hstack([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]])
        scale = np.random.choice([.5, 1, 2])
        height = max(1, round(scale * boxes[:, 3].max(initial=0)))
        results = crop.transform(
            dict(
                img=np.zeros((height, round(scale * WIDTH)), np.uint8),
                gt_bboxes=HorizontalBoxes(scale * boxes, torch.float32)))
        faces.append(results['gt_bboxes'].tensor)
    return torch.cat(faces)[:count]


def made_up_faces(count: int, seed: int) -> Tensor:
    """Faces of 8 to 250 pixels, most of them small, (count, 4)."""
    generator = torch.Generator().manual_seed(seed)
    random = torch.rand(count, 4, generator=generator)
    height = 8 * 31**random[:, :1]**2
    size = torch.cat([height * (.65 + .3 * random[:, 1:2]), height], dim=1)
    corner = random[:, 2:] * SIDE - size / 2
    return torch.cat([corner, corner + size], dim=1).clamp(0, SIDE)


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument('--ann', type=Path, help='annotations of WIDER FACE')
    parser.add_argument('--faces', type=int, default=500)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--rounds', type=int, default=20)
    parser.add_argument('--threads', type=int, default=1)
    parser.add_argument('--device', default='cpu')
    args = parser.parse_args()
    if args.ann is None and os.environ.get('TINYFACES_DATA'):
        args.ann = Path(os.environ['TINYFACES_DATA'], ANNOTATIONS)
    if min(args.faces, args.rounds, args.threads) < 1:
        parser.error('--faces, --rounds and --threads must be at least 1')
    return args


def main() -> None:
    """Check that both agree, then print the table."""
    args = parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    if args.ann is None:
        faces, origin = made_up_faces(args.faces, args.seed), 'made up'
    else:
        faces = real_faces(args.ann, args.faces, args.seed)
        origin = f'of crops from {args.ann.name}'
    faces = faces.to(args.device)
    priors = TemplatePriorGenerator()
    cells = (-(-SIDE // 8), ) * 2
    everywhere = (-float('inf'), ) * 2 + (float('inf'), ) * 2

    def ours(noise: float = 1e-6) -> TemplateTargets:
        return TemplateAssigner(noise=noise).assign(priors, cells, everywhere,
                                                    faces)

    found = ours(noise=0.)
    wanted = plain_assignment(priors, cells, faces.double())
    for name, one, other in zip(found._fields, found, wanted):
        if not torch.equal(one, other):
            sys.exit(f'{name} differ at {(one != other).sum()} windows of '
                     f'{one.numel()}')
    heights = faces[:, 3] - faces[:, 1]
    print(f'{args.faces} faces {origin}, seed {args.seed}, median height '
          f'{heights.median():.0f} px; {(found.labels == 1).sum()} positive '
          f'and {(found.labels == 0).sum()} ignored of '
          f'{found.labels.numel()} windows; both programs agree')
    report(
        f'one picture on {args.device}, {args.threads} threads, median of '
        f'{args.rounds}',
        alternate(
            {
                'plain': partial(plain_assignment, priors, cells, faces),
                'TemplateAssigner': ours
            }, args.rounds, args.device))


if __name__ == '__main__':
    main()
