"""Training steps with and without ChannelsLastHook, in one run.

    python benchmarks/channels_last.py [--size 320 --batch 8 --steps 8]

Prints seconds per step of the MobileNetV2 RetinaNet (forward, loss, backward,
SGD; random pictures with 20 faces each) and their ratio. The two alternate,
so that a change of the machine's load meets both.
"""
import argparse
import platform
import time
from pathlib import Path
from statistics import median
from types import SimpleNamespace

import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData

from tinyfaces.engine import ChannelsLastHook

CONFIG = Path(__file__).parents[1] / 'configs/_base_/models'


def build(channels_last: bool) -> tuple:
    """A fresh model and its optimizer."""
    torch.manual_seed(0)
    cfg = Config.fromfile(CONFIG / 'retinanet_face_mbv2.py')
    model = MODELS.build(cfg.model)
    model.init_weights()
    model.train()
    if channels_last:
        ChannelsLastHook().before_run(SimpleNamespace(model=model))
    return model, torch.optim.SGD(model.parameters(), lr=1e-3, momentum=.9)


def batch(size: int, count: int) -> tuple:
    """Random pictures with 20 faces each."""
    samples = []
    for _ in range(count):
        sample = DetDataSample(
            metainfo=dict(
                img_shape=(size, size),
                pad_shape=(size, size),
                batch_input_shape=(size, size)))
        corner = torch.rand(20, 2) * (size - 40)
        sample.gt_instances = InstanceData(
            bboxes=torch.cat([corner, corner + 20], dim=1),
            labels=torch.zeros(20, dtype=torch.long))
        sample.ignored_instances = InstanceData(
            bboxes=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.long))
        samples.append(sample)
    return torch.randn(count, 3, size, size), samples


def step(model, optimizer, size: int, count: int) -> float:
    """Seconds of one training step."""
    images, samples = batch(size, count)
    start = time.perf_counter()
    losses = model.loss(images, samples)
    loss = sum(sum(part) for part in losses.values())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--size', type=int, default=320)
    parser.add_argument('--batch', type=int, default=8)
    parser.add_argument('--steps', type=int, default=8)
    args = parser.parse_args()
    init_default_scope('mmdet')
    models = {
        name: build(name == 'channels last')
        for name in ('contiguous', 'channels last')
    }
    seconds = {name: [] for name in models}
    for index in range(args.steps + 2):
        for name, (model, optimizer) in models.items():
            taken = step(model, optimizer, args.size, args.batch)
            if index >= 2:  # the first ones pay for set-up
                seconds[name].append(taken)
    print(f'torch {torch.__version__}, {torch.get_num_threads()} threads, '
          f'{platform.machine()}, batch {args.batch} of {args.size}x'
          f'{args.size}, median of {args.steps} steps')
    for name, values in seconds.items():
        print(f'{name:14} {median(values):7.3f} s per step')
    ratio = median(seconds['contiguous']) / median(seconds['channels last'])
    print(f'contiguous / channels last: {ratio:.2f}')


if __name__ == '__main__':
    main()
