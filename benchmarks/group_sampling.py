"""What group sampling and two-pass matching cost, beside MMDetection's own.

    python benchmarks/group_sampling.py [CONFIG] [--size 256 --batch 8]
    CONFIG=configs/group_sampling/fpn-finest-sampling_r50_8xb1-100e_wider-face.py
    python benchmarks/group_sampling.py $CONFIG --size 1200 --batch 1 \\
        --device cuda

Three tables, of random pictures with faces of 10 to 200 pixels:

- Training steps (forward, loss, backward, SGD) of the config's detector with
  ScaleGroupSampler, and with RandomSampler for as many samples of all scales
  together. The two alternate, in turns the one or the other first, so that a
  change of the machine's load meets both; the ratio is the median of those of
  each round. The sampler may cost 5 % of a step.
- The two samplers alone, per picture of that size.
- TwoPassAssigner and MaxIoUAssigner on the 360,000 anchors of 1,200 x 1,200
  pixels: seconds, and how far the peak of memory rose, each in a process of
  its own. With 2,000 faces MaxIoUAssigner would need about 25 GB and is left
  out.

Next to the time that passed stands the processor's, which tells more on a
machine that has other work to do.
"""
import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

import torch
from _memory import peak_bytes
from mmdet.registry import MODELS, TASK_UTILS
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData
from torch import Tensor

import tinyfaces  # noqa: F401

CONFIG = (
    Path(__file__).parents[1] / 'configs/group_sampling' /
    'fpn-finest-sampling_mbv2_1xb8-32e_wider-face-256.py')
ASSIGNERS = dict(
    TwoPassAssigner=dict(type='TwoPassAssigner'),
    MaxIoUAssigner=dict(
        type='MaxIoUAssigner', pos_iou_thr=.6, neg_iou_thr=.4))


def random_faces(count: int, size: int, device: str = 'cpu') -> InstanceData:
    """Square faces of 10 to 200 pixels, as many of each octave."""
    side = 10 * 20**torch.rand(count, 1)
    corner = torch.rand(count, 2) * (size - side).clamp(min=0)
    return InstanceData(
        bboxes=torch.cat([corner, corner + side], dim=1),
        labels=torch.zeros(count, dtype=torch.long)).to(device)


def batch(args: argparse.Namespace) -> tuple[Tensor, list[DetDataSample]]:
    """Random pictures with faces."""
    samples = []
    for _ in range(args.batch):
        shape = (args.size, args.size)
        sample = DetDataSample(
            metainfo=dict(
                img_shape=shape, pad_shape=shape, batch_input_shape=shape))
        sample.gt_instances = random_faces(args.faces, args.size, args.device)
        sample.ignored_instances = sample.gt_instances[:0]
        samples.append(sample)
    images = torch.randn(args.batch, 3, args.size, args.size)
    return images.to(args.device), samples


def build(config: Path, random: bool, device: str) -> tuple:
    """The config's detector, or with RandomSampler, and its optimizer."""
    cfg = Config.fromfile(config).model
    sampler = cfg.train_cfg.get('sampler')
    if sampler is None or sampler.type != 'ScaleGroupSampler':
        sys.exit(f'{config}: train_cfg.sampler is no ScaleGroupSampler; give '
                 'the config of a single-stage detector that has one')
    if random:
        group = TASK_UTILS.build(sampler)
        cfg.train_cfg.sampler = dict(
            type='RandomSampler',
            num=group.num,
            pos_fraction=group.pos_fraction,
            add_gt_as_proposals=False)
    torch.manual_seed(0)
    # Weights of before init_weights, which might load pretrained ones.
    model = MODELS.build(cfg).train().to(device)
    return model, torch.optim.SGD(model.parameters(), lr=1e-4, momentum=.9)


def seconds_of(run: Callable[[], object],
               device: str) -> tuple[float, float]:
    """Time of one call, all its work on the device included: passed, CPU."""
    if device != 'cpu':
        torch.cuda.synchronize()
    start = time.perf_counter(), time.process_time()
    run()
    if device != 'cpu':
        torch.cuda.synchronize()
    return time.perf_counter() - start[0], time.process_time() - start[1]


def alternate(runs: dict[str, Callable[[], object]], rounds: int,
              device: str) -> dict[str, list[tuple[float, float]]]:
    """:func:`seconds_of` each program, round by round."""
    seconds = {name: [] for name in runs}
    for index in range(rounds + 2):
        order = list(runs) if index % 2 else list(runs)[::-1]
        for name in order:
            taken = seconds_of(runs[name], device)
            if index >= 2:  # the first ones pay for set-up
                seconds[name].append(taken)
    return seconds


def report(title: str, seconds: dict[str, list[tuple[float, float]]]) -> None:
    """Print medians, and the ratio of the first program to the second."""
    print(title)
    print(f'  {"":18} {"passed ms":>10} {"CPU ms":>10}')
    for name, values in seconds.items():
        passed, cpu = (median(column) * 1e3 for column in zip(*values))
        print(f'  {name:18} {passed:10.2f} {cpu:10.2f}')
    passed, cpu = (
        median(first[column] / second[column]
               for first, second in zip(*seconds.values()))
        for column in (0, 1))
    print(f'  {"ratio":18} {passed:10.3f} {cpu:10.3f}', flush=True)


def measure_steps(models: dict[str, tuple], args: argparse.Namespace) -> None:
    """Print the table of training steps."""
    pictures = batch(args)

    def step(name: str) -> None:
        model, optimizer = models[name]
        losses = model.loss(*pictures)
        loss = sum(
            sum(part) if isinstance(part, list) else part
            for part in losses.values())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    report(
        f'training step, batch {args.batch} of {args.size}x{args.size} with '
        f'{args.faces} faces each, median of {args.steps}',
        alternate({name: partial(step, name)
                   for name in models}, args.steps, args.device))


def measure_samplers(models: dict[str, tuple],
                     args: argparse.Namespace) -> None:
    """Print the table of the samplers alone."""
    head = next(iter(models.values()))[0].bbox_head
    shapes = [(-(-args.size // height), -(-args.size // width))
              for width, height in head.prior_generator.strides]
    priors = InstanceData(priors=torch.cat(
        head.prior_generator.grid_priors(shapes, device=args.device)))
    faces = random_faces(args.faces, args.size, args.device)
    assigned = head.assigner.assign(priors, faces)
    runs = {
        name: partial(model.bbox_head.sampler.sample, assigned, priors, faces)
        for name, (model, _) in models.items()
    }
    positives = (assigned.gt_inds > 0).sum()
    report(
        f'sampler alone, {len(priors)} anchors, {positives} of them positive, '
        f'median of {args.rounds}', alternate(runs, args.rounds, args.device))


def peak_mb(device: str) -> float:
    """Peak memory so far: the device's allocations, or the process's."""
    if device != 'cpu':
        return torch.cuda.max_memory_allocated() / 1e6
    return peak_bytes() / 1e6


def assign_once(name: str, count: int, device: str) -> None:
    """Print a line of JSON: seconds passed, of CPU, megabytes, positives."""
    torch.manual_seed(0)
    anchors = TASK_UTILS.build(
        dict(
            type='AnchorGenerator',
            strides=[4],
            ratios=[1.],
            scales=[4, 8, 16, 32],
            center_offset=0.))
    priors = InstanceData(
        priors=anchors.grid_priors([(300, 300)], device=device)[0])
    faces = random_faces(count, 1200, device)
    assigner = TASK_UTILS.build(ASSIGNERS[name])
    assigner.assign(priors, faces[:1])
    before, results = peak_mb(device), []
    passed, cpu = seconds_of(
        lambda: results.append(assigner.assign(priors, faces)), device)
    megabytes = peak_mb(device) - before
    positives = (results[0].gt_inds > 0).sum().item()
    print(json.dumps([passed, cpu, megabytes, positives]))


def measure_assigners(args: argparse.Namespace) -> None:
    """Print the table of the assigners."""
    print('matching of 360,000 anchors')
    print(f'  {"":18} {"faces":>6} {"passed s":>9} {"CPU s":>9} {"MB":>6} '
          f'{"positives":>10}')
    for count in args.match:
        for name in ASSIGNERS:
            if name == 'MaxIoUAssigner' and count > 500:
                continue
            output = subprocess.run([
                sys.executable, __file__, '--device', args.device,
                '--assign-once', name, str(count)
            ], capture_output=True, text=True)  # yapf: disable
            if output.returncode:
                sys.exit(output.stderr)
            passed, cpu, megabytes, positives = json.loads(
                output.stdout.splitlines()[-1])
            print(
                f'  {name:18} {count:6} {passed:9.2f} {cpu:9.2f} '
                f'{megabytes:6.0f} {positives:10}',
                flush=True)


def main() -> None:
    """Measure and print all tables."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', type=Path, nargs='?', default=CONFIG)
    parser.add_argument('--size', type=int, default=256)
    parser.add_argument('--batch', type=int, default=8)
    parser.add_argument('--faces', type=int, default=20, help='per picture')
    parser.add_argument('--steps', type=int, default=16)
    parser.add_argument(
        '--rounds', type=int, default=50, help='of the samplers alone')
    parser.add_argument(
        '--match',
        type=int,
        nargs='*',
        default=[20, 200, 2000],
        help='numbers of faces to match')
    parser.add_argument('--device', default='cpu')
    parser.add_argument('--assign-once', nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    init_default_scope('mmdet')
    if args.assign_once:
        name, count = args.assign_once
        assign_once(name, int(count), args.device)
        return
    print(f'torch {torch.__version__}, {torch.get_num_threads()} threads, '
          f'{args.device}, {args.config.stem}')
    models = {
        name: build(args.config, name == 'RandomSampler', args.device)
        for name in ('ScaleGroupSampler', 'RandomSampler')
    }
    measure_steps(models, args)
    measure_samplers(models, args)
    measure_assigners(args)


if __name__ == '__main__':
    main()
