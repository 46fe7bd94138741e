"""Speed of detectors as in Table 9 of RefineFace: FPS and ms at 640x480.

    python benchmarks/speed.py CONFIG... --device cuda [--images FOLDER]
        [--checkpoints W...] [--precision tf32]

One picture at a time, from the picture in main memory to its boxes (copy,
normalisation, padding to 640x512, network, NMS; not reading and scaling), with
batch normalisation folded into the convolutions. After a warm-up, the median
of ``--runs`` predictions; FPS is its inverse. On a GPU the clock waits for it.

Random weights do as well for the network, but no box scores high enough, so
that NMS and what a CPU may leave out (``test_cfg.sparse``) are not measured.
"""
import argparse
from pathlib import Path
from statistics import median, quantiles

import torch
from _models import (describe, load_model, model_config, pictures,
                     timed_prediction)
from mmcv.cnn.utils import fuse_conv_bn
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from tqdm import tqdm


def folded(model: nn.Module) -> nn.Module:
    """The model with batch normalisation inside its convolutions.

    Raises:
        ValueError: A batch normalisation does not follow a convolution.
    """
    model = fuse_conv_bn(model)
    left = [
        name for name, module in model.named_modules()
        if isinstance(module, _BatchNorm)
    ]
    if left:
        raise ValueError(
            f'batch normalisation is left in {", ".join(left)}: it follows '
            'no convolution; measure with --no-fold')
    return model


def set_precision(name: str) -> None:
    """Let a GPU round the factors of products to TF32, or not."""
    allowed = name == 'tf32'
    torch.backends.cudnn.allow_tf32 = allowed
    torch.backends.cuda.matmul.allow_tf32 = allowed
    # All pictures have one size.
    torch.backends.cudnn.benchmark = True


def measure(model: nn.Module, inputs: list[Tensor], runs: int,
            warmup: int) -> dict[str, float]:
    """Times of predictions, the pictures taking turns.

    Returns:
        dict[str, float]: ``ms`` (median), ``p10`` and ``p90`` in ms, ``fps``
        and mean ``boxes`` per picture.
    """
    times, boxes = [], []
    for run in tqdm(range(-warmup, runs), 'Predicting', leave=False):
        seconds, found = timed_prediction(model, inputs[run % len(inputs)])
        if run >= 0:
            times.append(seconds * 1000)
            boxes.append(found)
    tenths = quantiles(times, n=10, method='inclusive')
    return dict(
        ms=median(times),
        p10=tenths[0],
        p90=tenths[-1],
        fps=1000 / median(times),
        boxes=sum(boxes) / len(boxes))


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('configs', nargs='+')
    parser.add_argument(
        '--checkpoints', nargs='+', help='of each config; default: random')
    parser.add_argument('--device', default='cpu')
    parser.add_argument('--threads', type=int)
    parser.add_argument(
        '--precision', choices=('float32', 'tf32'), default='float32')
    parser.add_argument('--no-fold', action='store_true')
    parser.add_argument('--images', nargs='+', help='default: noise')
    parser.add_argument('--count', type=int, default=8, help='pictures')
    parser.add_argument('--width', type=int, default=640)
    parser.add_argument('--height', type=int, default=480)
    parser.add_argument('--runs', type=int, default=100)
    parser.add_argument('--warmup', type=int, default=20)
    args = parser.parse_args()
    if args.checkpoints and len(args.checkpoints) != len(args.configs):
        parser.error('give as many --checkpoints as configs, or none')
    if args.runs < 2:
        parser.error('--runs must be at least 2')
    if args.precision == 'tf32' and torch.device(args.device).type != 'cuda':
        parser.error('--precision tf32 needs --device cuda')
    return args


def main() -> None:
    """Measure what the command line says, and print a table."""
    args = parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    set_precision(args.precision)
    inputs = pictures(args.images, args.count, args.width, args.height)
    print(f'{describe(args.device)}, {args.precision}, batch normalisation '
          f'{"as it is" if args.no_fold else "folded"}; {len(inputs)} '
          f'pictures of {args.width}x{args.height}, '
          f'{"random" if args.checkpoints is None else "given"} weights')
    print(f'{"":40}{"FPS":>7}{"ms":>8}{"10 %":>8}{"90 %":>8}{"boxes":>8}')
    for config, weights in zip(args.configs, args.checkpoints
                               or [None] * len(args.configs)):
        model = load_model(model_config(config), weights, args.device)
        if not args.no_fold:
            model = folded(model)
        found = measure(model, inputs, args.runs, args.warmup)
        print(
            f'{Path(config).stem:40}{found["fps"]:7.1f}{found["ms"]:8.1f}'
            f'{found["p10"]:8.1f}{found["p90"]:8.1f}{found["boxes"]:8.1f}',
            flush=True)


if __name__ == '__main__':
    main()
