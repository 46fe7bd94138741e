"""Time and peak memory of training steps of one model, in its own process.

    python benchmarks/training_step.py CONFIG [--backbone-of CONFIG]
        [--size 320 --batch 2 --faces 20 --steps 4 --device cpu]

Trains on noise with random faces from random weights, with the optimizer of
the configs, and prints one line of JSON. A step is forward, losses, backward
and SGD. Peak memory is that of the whole process on a CPU, Python and all
libraries included, and what torch allocated on a GPU. ``refineface.py``
compares several models.
"""
import argparse
import json
import time
from pathlib import Path
from statistics import median

import torch
from _memory import peak_bytes
from _models import load_model, model_config, synchronize
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from torch import Tensor

# Sides of the faces in pixels, at most half of the picture.
SIDES = (8, 40)


def batch(size: int, count: int, faces: int) -> tuple[Tensor, list]:
    """Noise, shape (count, 3, size, size), and faces at random places."""
    low, high = (min(side, size // 2) for side in SIDES)
    meta = dict.fromkeys(
        ('img_shape', 'ori_shape', 'pad_shape', 'batch_input_shape'),
        (size, size))
    samples = []
    for _ in range(count):
        sides = torch.empty(faces, 1).uniform_(low, high)
        corners = torch.rand(faces, 2) * (size - sides)
        sample = DetDataSample(metainfo=meta)
        sample.gt_instances = InstanceData(
            bboxes=torch.cat([corners, corners + sides], dim=1),
            labels=torch.zeros(faces, dtype=torch.long))
        sample.ignored_instances = InstanceData(
            bboxes=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.long))
        samples.append(sample)
    return torch.randn(count, 3, size, size), samples


def peak(device: str) -> int:
    """Largest memory so far in MiB, see the file."""
    if torch.device(device).type == 'cuda':
        return torch.cuda.max_memory_allocated(device) // 1024**2
    return peak_bytes() // 1024**2


def measure(args: argparse.Namespace) -> dict:
    """Train, and report what it took."""
    config = model_config(args.config, args.backbone_of)
    if args.with_cp:
        config.bbox_head.with_cp = True
    model = load_model(config, None, args.device).train()
    optimizer = torch.optim.SGD(
        model.parameters(), lr=1e-4, momentum=.9, weight_decay=5e-4)
    before, seconds = peak(args.device), []
    for _ in range(args.steps + 1):
        images, samples = batch(args.size, args.batch, args.faces)
        images = images.to(args.device)
        samples = [sample.to(args.device) for sample in samples]
        synchronize(args.device)
        start = time.perf_counter()
        loss, _ = model.parse_losses(model.loss(images, samples))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        synchronize(args.device)
        seconds.append(time.perf_counter() - start)
        if not loss.isfinite():
            raise ValueError(f'{args.config}: the loss is {loss.item()}; '
                             'nothing that follows would be a training step')
    return dict(
        config=Path(args.config).stem,
        device=args.device,
        threads=torch.get_num_threads(),
        size=args.size,
        batch=args.batch,
        faces=args.faces,
        # The first step pays for set-up.
        seconds=median(seconds[1:]),
        peak_before_mib=before,
        peak_mib=peak(args.device))


def main() -> None:
    """Measure what the command line says, and print it."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config')
    parser.add_argument('--backbone-of', metavar='CONFIG')
    parser.add_argument('--size', type=int, default=320)
    parser.add_argument('--batch', type=int, default=2)
    parser.add_argument('--faces', type=int, default=20, help='per picture')
    parser.add_argument('--steps', type=int, default=4)
    parser.add_argument('--device', default='cpu')
    parser.add_argument('--threads', type=int)
    parser.add_argument(
        '--with-cp', action='store_true', help='RefineFace: bbox_head.with_cp')
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    print(json.dumps(measure(args)))


if __name__ == '__main__':
    main()
