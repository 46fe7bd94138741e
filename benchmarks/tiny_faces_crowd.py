"""Whether Finding Tiny Faces takes longer where there are many faces.

    python benchmarks/tiny_faces_crowd.py [--checkpoint W]

Two pictures of the same noise, one with 1,000 faces pasted in, take turns
through the pyramid of the WIDER FACE protocol
(``configs/_base_/tta/tiny_faces_wider.py``). Printed are medians of the
seconds in the network (backbone and predictors, at all scales), in the one
NMS, and in all the rest (scaling, normalisation, making boxes of scores); and
the median of the network's ratio in one turn. Exit status 1 if that is
further from 1 than it may be.

Weights are random without ``--checkpoint``, and then so are the boxes: the
number of faces says nothing about theirs. Hence the line of an NMS of so many
boxes of each face as a detector gives.
"""
import argparse
import sys
from pathlib import Path
from statistics import median

import numpy as np
import torch
from _models import describe, pictures
from _tiny_faces import CONFIG, clocked, find, load_detector, pyramid, watch
from mmengine.structures import InstanceData
from speed import set_precision
from torch import Tensor
from tqdm import tqdm

from tinyfaces.datasets.sample_parts.heads import (cuts, level_for, paste,
                                                   random_pose)
from tinyfaces.models.test_time.view_joining import join_views

# Most that the ratio of times in the network may differ from 1.
LIMIT = .03
# Of faces, in pixels.
HEIGHTS = 10, 24


def paste_faces(picture: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Put faces at places of a grid.

    Args:
        picture: uint8 BGR (3, H, W).
        count: Number of faces, at least 1.

    Returns:
        tuple[Tensor, Tensor]: The new picture; boxes of the faces (count, 4)
        xyxy.
    """
    rng = np.random.default_rng(0)
    canvas = picture.numpy()[::-1].transpose(1, 2, 0) / np.float32(255)
    canvas = np.ascontiguousarray(canvas, np.float32)
    height, width = canvas.shape[:2]
    columns = int(np.ceil((count * width / height)**.5))
    rows = -(-count // columns)
    corners = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)),
                       -1).reshape(-1, 2)
    corners = corners[:count] * [width / columns, height / rows]
    boxes = []
    for corner in corners:
        cut = cuts()[rng.integers(len(cuts()))]
        pose = random_pose(rng, cut, int(rng.integers(*HEIGHTS)), corner)
        level = level_for(cut, pose)
        paste(canvas, *cut.levels[level], level, pose)
        boxes.append(pose.face)
    pixels = (canvas.clip(0, 1) * 255).round().astype(np.uint8)
    pixels = np.ascontiguousarray(pixels.transpose(2, 0, 1)[::-1])
    return (torch.from_numpy(pixels),
            torch.from_numpy(np.array(boxes).reshape(-1, 4)).float())


def detections_of(faces: Tensor, each: int, device: str) -> InstanceData:
    """Boxes near faces, with different scores.

    Args:
        faces: (n, 4) xyxy.
        each: Boxes of a face.
        device: Where they are to be; the numbers are the same on all.
    """
    generator = torch.Generator().manual_seed(0)
    boxes = faces.repeat(each, 1)
    sides = (boxes[:, 2:] - boxes[:, :2]).repeat(1, 2)
    boxes += .05 * sides * torch.randn(boxes.shape, generator=generator)
    return InstanceData(
        bboxes=boxes,
        scores=torch.randn(len(boxes), generator=generator),
        labels=torch.zeros(len(boxes), dtype=torch.long)).to(device)


def measure(args: argparse.Namespace) -> tuple[str, bool]:
    """A table of times; and whether the limit is kept."""
    detector = load_detector(args.config, args.checkpoint, args.device,
                             not args.no_tiles)
    model = pyramid(detector, ['fuse_conv_bn', 'channels_last'])
    detector = model.ready_module()
    network = [
        watch(detector, 'extract_feat', args.device),
        watch(detector.bbox_head, 'predict_maps', args.device)
    ]
    joining = watch(model, 'merge_preds', args.device)
    noise, = pictures(None, 1, args.width, args.height)
    crowd, faces = paste_faces(noise, args.faces)
    inputs = {0: noise, args.faces: crowd}
    times = {count: [] for count in inputs}
    boxes = {}
    for run in tqdm(range(-2, args.runs), 'Predicting'):
        # Neither is always first.
        for count in sorted(inputs, reverse=bool(run % 2)):
            total, found = clocked(args.device,
                                   lambda: find(model, inputs[count]))
            parts = [
                sum(seconds for calls in group for _, seconds in calls)
                for group in (network, [joining])
            ]
            for calls in (*network, joining):
                calls.clear()
            boxes[count] = len(found)
            if run >= 0:  # The first ones pay for set-up.
                times[count].append((*parts, total - sum(parts)))
    ratios = [b[0] / a[0] for a, b in zip(*times.values())]
    many = detections_of(faces, args.boxes, args.device)
    suppression = median(
        clocked(args.device, lambda: join_views([many], model.tta_cfg))[0]
        for _ in range(5))
    lines = [
        f'{describe(args.device)}, {args.precision}; {Path(args.config).stem},'
        f' {"random" if args.checkpoint is None else "given"} weights; '
        f'{args.width}x{args.height}, {args.runs} runs',
        f'{"faces":>8}{"network s":>12}{"NMS s":>10}{"rest s":>10}'
        f'{"boxes":>8}'
    ]
    for count, rows in times.items():
        parts = [median(part) for part in zip(*rows)]
        lines.append(f'{count:8}{parts[0]:12.4f}{parts[1]:10.4f}'
                     f'{parts[2]:10.4f}{boxes[count]:8}')
    ratio = median(ratios)
    lines += [
        f'NMS of {len(many)} boxes, {args.boxes} of each of {args.faces} '
        f'faces: {suppression:.4f} s',
        f'network, {args.faces} faces / none: {ratio:.3f} (limit 1 +- {LIMIT})'
    ]
    return '\n'.join(lines), abs(ratio - 1) <= LIMIT


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--config', default=str(CONFIG))
    parser.add_argument('--checkpoint', help='default: random weights')
    parser.add_argument('--device', default='cpu')
    parser.add_argument('--threads', type=int)
    parser.add_argument(
        '--precision', choices=('float32', 'tf32'), default='float32')
    parser.add_argument(
        '--no-tiles', action='store_true', help='views whole at any size')
    parser.add_argument('--faces', type=int, default=1000)
    parser.add_argument(
        '--boxes', type=int, default=30, help='of each face, before NMS')
    parser.add_argument('--width', type=int, default=1024)
    parser.add_argument('--height', type=int, default=768)
    parser.add_argument('--runs', type=int, default=10)
    args = parser.parse_args()
    if args.faces < 1:
        parser.error('--faces must be at least 1')
    return args


def main() -> int:
    """Measure what the command line says, and print it."""
    args = parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    set_precision(args.precision)
    report, good = measure(args)
    print(report)
    return 0 if good else 1


if __name__ == '__main__':
    sys.exit(main())
