"""Time and memory of tinyfaces.ops against mmcv's compiled ops.

    python benchmarks/ops.py --wheel WHEEL [--device cuda] [--threads 1]

The compiled ops come from ``--wheel``; without it from the folder ``wheels``
next to the one that TINYFACES_DATA names; without that from an installed mmcv
that has them. With none of them only our own figures are printed.

Times are the best of several runs. Memory is the peak of a run above what
was in use before it: resident memory on a CPU (Linux only), allocated memory
on CUDA. A ratio is ours divided by compiled, where that is 1 MiB or more.
"""
import argparse
import ctypes
import importlib
import os
import time
from pathlib import Path
from types import ModuleType
from typing import Callable, Iterator, Optional, Tuple

import torch
from torch import Tensor

from tinyfaces import ops
from tinyfaces.ops.compiled import find_wheel, load_compiled

Case = Tuple[str, Callable[[ModuleType], object]]
# Square sides in which boxes of 4 to 64 px are spread: from crowds, where
# few boxes survive, to no overlap at all.
SPANS = {'dense': 300, 'medium': 1500, 'sparse': 100000}
METHODS = ('naive', 'linear', 'gaussian')


def random_boxes(count: int, span: float, device: str) -> Tensor:
    """(N, 4) boxes of 4 to 64 px in a square of the given side."""
    corners = torch.rand(count, 2) * span
    boxes = torch.cat((corners, corners + 4 + 60 * torch.rand(count, 2)), 1)
    return boxes.to(device)


def nms_cases(device: str) -> Iterator[Case]:
    """NMS of 1,000 to 20,000 boxes at three densities."""
    for count in (1000, 5000, 20000):
        for density, span in SPANS.items():
            boxes = random_boxes(count, span, device)
            scores = torch.rand(count, device=device)
            yield (f'nms {count} {density}', lambda m, b=boxes, s=scores: m.
                   nms(b, s, iou_threshold=.4, offset=0))


def softnms_cases() -> Iterator[Case]:
    """Soft-NMS, which mmcv runs on the CPU whatever the device."""
    for count in (1000, 5000):
        boxes = random_boxes(count, SPANS['medium'], 'cpu')
        scores, dets = torch.rand(count), torch.zeros(count, 5)
        for number, method in enumerate(METHODS):
            yield (f'softnms {count} {method}',
                   lambda m, b=boxes, s=scores, d=dets, n=number: m.softnms(
                       b,
                       s,
                       d,
                       iou_threshold=.3,
                       sigma=.5,
                       min_score=1e-3,
                       method=n,
                       offset=0))


def roi_align_cases(device: str) -> Iterator[Case]:
    """512 RoIs on a 256-channel map of 200 x 200, forward and backward."""
    features = torch.randn(1, 256, 200, 200, device=device)
    boxes = random_boxes(512, 700, device)
    rois = torch.cat((boxes.new_zeros(512, 1), boxes), 1)
    grad = torch.randn(512, 256, 7, 7, device=device)
    output, grad_input = torch.zeros_like(grad), torch.zeros_like(features)
    for mode, name in ((1, 'avg'), (0, 'max')):
        places = [
            torch.zeros_like(grad if mode == 0 else grad[:0]) for _ in 'yx'
        ]
        for ratio in (0, 2):
            arguments = dict(
                aligned_height=7,
                aligned_width=7,
                spatial_scale=.25,
                sampling_ratio=ratio,
                pool_mode=mode,
                aligned=True)
            yield (f'roi_align {name} ratio {ratio} forward',
                   lambda m, p=places, a=arguments: m.roi_align_forward(
                       features, rois, output, *p, **a))
            yield (f'roi_align {name} ratio {ratio} backward',
                   lambda m, p=places, a=arguments: m.roi_align_backward(
                       grad, rois, *p, grad_input, **a))


def focal_loss_cases(device: str) -> Iterator[Case]:
    """The anchors of four 1024 x 1024 crops, one class."""
    logits = torch.randn(4 * 174720, 1, device=device)
    target = torch.randint(0, 2, (len(logits), ), device=device)
    result, empty = torch.zeros_like(logits), logits.new_empty(0)
    for name in ('forward', 'backward'):
        yield (f'sigmoid_focal_loss {name}',
               lambda m, n=name: getattr(m, f'sigmoid_focal_loss_{n}')
               (logits, target, empty, result, gamma=2., alpha=.25))


class PeakMemory:
    """Peak memory above the start, in MiB; None where it is not known.

    Args:
        device (str): ``'cpu'`` or ``'cuda'``.
    """

    def __init__(self, device: str) -> None:
        self.cuda = device != 'cpu'
        self.start = 0.

    def begin(self) -> None:
        """Forgets earlier peaks."""
        if self.cuda:
            torch.cuda.reset_peak_memory_stats()
            self.start = torch.cuda.memory_allocated() / 2**20
        elif Path('/proc/self/clear_refs').exists():
            # Give freed memory back, else its reuse would not be seen.
            ctypes.CDLL(None).malloc_trim(0)
            Path('/proc/self/clear_refs').write_text('5')
            self.start = self._resident('VmRSS')

    def end(self) -> Optional[float]:
        """The peak since :meth:`begin`."""
        if self.cuda:
            return torch.cuda.max_memory_allocated() / 2**20 - self.start
        if not self.start:
            return None
        return max(0., self._resident('VmHWM') - self.start)

    @staticmethod
    def _resident(key: str) -> float:
        for line in Path('/proc/self/status').read_text().splitlines():
            if line.startswith(key):
                return int(line.split()[1]) / 1024
        raise OSError(f'/proc/self/status: no line "{key}"')


def measure(case: Callable[[ModuleType], object], module: ModuleType,
            device: str, runs: int) -> Tuple[float, Optional[float]]:
    """Best time in milliseconds and peak memory in MiB."""
    case(module)
    memory = PeakMemory(device)
    memory.begin()
    case(module)
    peak = memory.end()
    best = float('inf')
    for _ in range(runs):
        if device != 'cpu':
            torch.cuda.synchronize()
        start = time.perf_counter()
        case(module)
        if device != 'cpu':
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - start)
    return best * 1000, peak


def find_compiled(wheel: Optional[Path]) -> Optional[ModuleType]:
    """The compiled ops, from the places that the module's text names."""
    if wheel is None and os.environ.get('TINYFACES_DATA'):
        wheel = find_wheel(Path(os.environ['TINYFACES_DATA'], '..', 'wheels'))
    if wheel is not None:
        print(f'compiled ops: {wheel.name}')
        return load_compiled(wheel)
    if ops.backend() == 'compiled':
        print('compiled ops: those of the installed mmcv')
        return importlib.import_module('mmcv._ext')
    print('No compiled ops to compare with: give --wheel or set '
          'TINYFACES_DATA. Absolute figures only.')
    return None


def main() -> None:
    """Measures every case and prints one table."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--wheel', type=Path, help='mmcv with compiled ops')
    parser.add_argument('--device', default='cpu', choices=['cpu', 'cuda'])
    parser.add_argument('--threads', type=int, help='CPU threads of torch')
    parser.add_argument('--runs', type=int, default=3)
    parser.add_argument('--only', default='', help='part of a case name')
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    compiled = find_compiled(args.wheel)
    print(f'torch {torch.__version__}, {args.device}, '
          f'{torch.get_num_threads()} CPU threads; NMS by '
          f'{"torchvision" if ops.torchvision_nms(args.device) else "torch"}')
    print(f'{"":34}{"ours":>18}{"compiled":>18}{"ratio":>14}\n{"":34}' +
          f'{"ms":>9}{"MiB":>9}' * 2 + f'{"time":>7}{"mem":>7}')
    cases = [
        *nms_cases(args.device), *softnms_cases(),
        *roi_align_cases(args.device), *focal_loss_cases(args.device)
    ]
    for name, case in cases:
        if args.only not in name:
            continue
        device = 'cpu' if name.startswith('softnms') else args.device
        figures = [*measure(case, ops, device, args.runs)]
        if compiled is None:
            figures += [None, None]
        else:
            try:
                figures += measure(case, compiled, device, args.runs)
            except RuntimeError as error:
                if 'not found' not in str(error):
                    raise
                figures += [None, None]  # not built for this device
        # Less than 1 MiB is noise, and nothing to divide by.
        figures += [
            ours /
            theirs if ours is not None and theirs and theirs >= floor else None
            for ours, theirs, floor in zip(figures[:2], figures[2:], (0, 1))
        ]
        widths = (9, 9, 9, 9, 7, 7)
        print(
            f'{name:34}' + ''.join(
                f'{"-":>{width}}' if figure is None else f'{figure:{width}.1f}'
                for figure, width in zip(figures, widths)),
            flush=True)


if __name__ == '__main__':
    main()
