"""Speed of the image pyramid of Finding Tiny Faces.

    python benchmarks/tiny_faces_pyramid.py [--checkpoint W] [--images FOLDER]
    python benchmarks/tiny_faces_pyramid.py --fps --device cuda

Both take ``--config``, ``--threads`` and ``--device``. Pictures go through
the WIDER FACE protocol (``configs/_base_/tta/tiny_faces_wider.py``): 0.25,
0.5, 1 and 2 times the size, one NMS.

Without ``--fps``: seconds from a picture of 1024x768 in memory to its boxes,
as ``tools/test.py --tta`` does it, against the plain way: every scale whole,
one after the other, nothing fused, all 25 templates. The steps from one to
the other take turns on every picture, and a ratio is the median of the ratios
in one turn. Peak memory is that of a process (on a GPU, of torch) above what
it has after loading the model. Exit status 1 where the two ways find
different faces, or, on a CPU, where ours is not enough faster. With
``--reference`` both are also compared with the plain way in float64, which
tells how much of their difference is rounding that the plain way has, too;
with random weights that depends on ``--residual-gain``.

With ``--fps``: pictures per second at 720p and 1080p, beside the paper's.

Without ``--checkpoint`` weights are random, with about as many boxes as a
trained model gives.
"""
import argparse
import copy
import json
import subprocess
import sys
from pathlib import Path
from statistics import median

import torch
from _memory import peak_bytes
from _models import describe, pictures
from _tiny_faces import (CONFIG, Plain, clocked, find, load_detector, pyramid,
                         watch)
from speed import set_precision
from torch import Tensor, nn
from tqdm import tqdm

PLAIN, OURS = 'plain', '+ channels last (ours)'
# From the plain way to ours, each with all of those before.
STEPS = {
    PLAIN: None,
    'needed templates only': [],
    '+ batch norm folded': ['fuse_conv_bn'],
    OURS: ['fuse_conv_bn', 'channels_last'],
}
# Least ratio on two CPU cores; most difference in pixels and in probability.
SPEED_LIMIT, BOX_LIMIT, SCORE_LIMIT = 1.15, .01, 1e-5
# The paper's, section 5, ResNet-101, on a GPU that it does not name.
SIZES = {'720p': (1280, 720, 3.1), '1080p': (1920, 1080, 1.4)}


def load(args: argparse.Namespace) -> nn.Module:
    """The detector that the command line says."""
    return load_detector(args.config, args.checkpoint, args.device,
                         not args.no_tiles, args.residual_gain)


def build(args: argparse.Namespace, name: str, detector=None):
    """What finds the faces of a picture in one of the ways.

    Args:
        args: The command line.
        name: Of :data:`STEPS`.
        detector: To be copied; loaded if there is none.

    Returns:
        tuple: A callable; and the list that its views' (width, height) and
        seconds are written to.
    """
    if detector is None:
        detector = load(args)
    else:
        detector = copy.deepcopy(detector)
    if STEPS[name] is None:
        model = Plain(detector)
        return model, model.seconds
    model = pyramid(detector, STEPS[name])
    calls = watch(model.ready_module(), 'test_step', args.device)
    views = []

    def run(picture: Tensor) -> Tensor:
        found = find(model, picture)
        views.extend((tuple(data['inputs'][0].shape[:0:-1]), seconds)
                     for (data, ), seconds in calls)
        calls.clear()
        return found

    return run, views


def compare(args: argparse.Namespace) -> tuple[str, bool]:
    """A table of times, ratios and peaks; and whether all limits are kept."""
    detector = load(args)
    ways = {name: build(args, name, detector) for name in STEPS}
    inputs = pictures(args.images, args.count, args.width, args.height)
    seconds = {name: [] for name in STEPS}
    found = {name: {} for name in STEPS}
    turns = [(run, at) for run in range(-1, args.runs)
             for at in range(len(inputs))]
    names = list(STEPS)
    for number, (run, at) in enumerate(tqdm(turns, 'Predicting')):
        first = number % len(names)  # Nobody is always first.
        for name in names[first:] + names[:first]:
            way, views = ways[name]
            if run == 0 and at == 0:
                views.clear()  # The first ones pay for set-up.
            taken, found[name][at] = clocked(args.device,
                                             lambda: way(inputs[at]))
            if run >= 0:
                seconds[name].append(taken)
    peaks = {
        name: None if args.no_memory else peak_of(args, name)
        for name in (PLAIN, OURS)
    }
    boxes, scores, alone = differences(found[OURS], found[PLAIN])
    ratio = median(a / b for a, b in zip(seconds[PLAIN], seconds[OURS]))
    same = boxes <= BOX_LIMIT and scores <= SCORE_LIMIT and not alone
    fast = ratio >= SPEED_LIMIT or torch.device(args.device).type != 'cpu'
    count = sum(map(len, found[OURS].values())) / len(inputs)
    lines = [
        f'{describe(args.device)}, {args.precision}; {Path(args.config).stem},'
        f' {"random" if args.checkpoint is None else "given"} weights; '
        f'{len(inputs)} pictures of {args.width}x{args.height}, {args.runs} '
        f'runs; {count:.0f} boxes',
        *time_table(seconds, peaks),
        *view_table({name: ways[name][1]
                     for name in (PLAIN, OURS)}),
        f'plain / ours: {ratio:.3f} (at least {SPEED_LIMIT} on two CPU cores)',
        f'boxes differ by at most {boxes:.2g} px (limit {BOX_LIMIT}), scores '
        f'by {scores:.2g} (limit {SCORE_LIMIT}), {alone} boxes are found in '
        'one way only (limit 0)',
    ]
    if args.reference:
        exact = Plain(detector.double())
        reference = {at: exact(picture) for at, picture in enumerate(inputs)}
        for name in (PLAIN, OURS):
            away = differences(found[name], reference)
            lines.append(f'{name} from float64: boxes {away[0]:.2g} px, '
                         f'scores {away[1]:.2g}, {away[2]} in one way only')
    return '\n'.join(lines), same and fast


def time_table(seconds: dict[str, list[float]],
               peaks: dict[str, int | None]) -> list[str]:
    """One line per step."""
    lines = [f'{"":24}{"s":>9}{"plain /":>9}{"before /":>10}{"peak MiB":>10}']
    before = seconds[PLAIN]
    for name, taken in seconds.items():
        ratios = [
            median(a / b for a, b in zip(other, taken))
            for other in (seconds[PLAIN], before)
        ]
        peak = peaks.get(name)
        lines.append(f'{name:24}{median(taken):9.3f}{ratios[0]:9.3f}'
                     f'{ratios[1]:10.3f}{"" if peak is None else peak:>10}')
        before = taken
    return lines


def view_table(views: dict[str, list[tuple]]) -> list[str]:
    """Seconds of each scale, without scaling the picture."""
    sizes = sorted({size for part in views.values() for size, _ in part})
    lines = [f'{"s per scale":24}' + ''.join(f'{name:>24}' for name in views)]
    for size in sizes:
        row = f'{size[0]}x{size[1]:<20}'
        lines.append(f'{row:24}' + ''.join(
            f'{median(taken for other, taken in part if other == size):24.3f}'
            for part in views.values()))
    return lines


def differences(some: dict[int, Tensor],
                others: dict[int, Tensor]) -> tuple[float, float, int]:
    """:func:`difference` of several pictures: two maxima and a sum."""
    boxes, scores, alone = zip(*(difference(found, others[at])
                                 for at, found in some.items()))
    return max(boxes), max(scores), sum(alone)


def difference(ours: Tensor, plain: Tensor) -> tuple[float, float, int]:
    """How far two lists of detections are from each other.

    Args:
        ours: (n, 5) boxes and scores.
        plain: (m, 5), likewise.

    Returns:
        tuple[float, float, int]: Largest difference of a coordinate, in
        pixels, and of a score, of boxes that belong together; number of
        those that are more than a pixel from any other.
    """
    if not len(ours) or not len(plain):
        return 0., 0., len(ours) + len(plain)
    away = (ours[:, None, :4] - plain[None, :, :4]).abs().amax(dim=2)
    nearest = away.min(dim=1)
    paired = nearest.values <= 1
    alone = int((~paired).sum() + (away.min(dim=0).values > 1).sum())
    if not paired.any():
        return 0., 0., alone
    scores = (ours[:, 4] - plain[nearest.indices, 4]).abs()
    return (nearest.values[paired].max().item(), scores[paired].max().item(),
            alone)


def peak_of(args: argparse.Namespace, name: str) -> int:
    """Peak memory of one way in a process of its own, in MiB."""
    command = [
        sys.executable, __file__, f'--peak={name}', f'--config={args.config}',
        f'--device={args.device}', f'--width={args.width}',
        f'--height={args.height}', f'--precision={args.precision}',
        f'--residual-gain={args.residual_gain}'
    ]
    for option in ('threads', 'checkpoint'):
        if getattr(args, option):
            command.append(f'--{option}={getattr(args, option)}')
    if args.no_tiles:
        command.append('--no-tiles')
    if args.images:
        command += ['--images', *args.images]
    # Its errors are shown as they are.
    done = subprocess.run(
        command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])['peak_mib']


def measure_peak(args: argparse.Namespace) -> str:
    """What :func:`peak_of` reads."""
    way, _ = build(args, args.peak)
    picture, = pictures(args.images, 1, args.width, args.height)
    if torch.device(args.device).type == 'cuda':
        before = torch.cuda.memory_allocated(args.device)
        torch.cuda.reset_peak_memory_stats(args.device)
        way(picture)
        peak = torch.cuda.max_memory_allocated(args.device) - before
        return json.dumps(dict(peak_mib=peak // 1024**2))
    before = peak_bytes()
    way(picture)
    return json.dumps(dict(peak_mib=(peak_bytes() - before) // 1024**2))


def frames_per_second(args: argparse.Namespace) -> str:
    """A table of pictures per second."""
    way, _ = build(args, OURS)
    lines = [
        f'{describe(args.device)}, {args.precision}; {Path(args.config).stem},'
        f' {"random" if args.checkpoint is None else "given"} weights, '
        f'{"no tiles" if args.no_tiles else "large views in tiles"}; median '
        f'of {args.runs} runs', f'{"":8}{"FPS":>8}{"s":>9}{"paper":>8}'
    ]
    for name, (width, height, paper) in SIZES.items():
        picture, = pictures(args.images, 1, width, height)
        taken = [
            clocked(args.device, lambda: way(picture))[0]
            for _ in tqdm(range(args.runs + 2), name, leave=False)
        ][2:]
        lines.append(f'{name:8}{1 / median(taken):8.2f}{median(taken):9.3f}'
                     f'{paper:8}')
    return '\n'.join(lines)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--config', default=str(CONFIG))
    parser.add_argument('--checkpoint', help='default: random weights')
    parser.add_argument('--fps', action='store_true')
    parser.add_argument('--peak', choices=STEPS, help=argparse.SUPPRESS)
    parser.add_argument('--device', default='cpu')
    parser.add_argument('--threads', type=int)
    parser.add_argument(
        '--precision', choices=('float32', 'tf32'), default='float32')
    parser.add_argument(
        '--no-tiles', action='store_true', help='views whole at any size')
    parser.add_argument(
        '--no-memory', action='store_true', help='do not measure peaks')
    parser.add_argument(
        '--reference', action='store_true', help='compare with float64, too')
    parser.add_argument(
        '--residual-gain',
        type=float,
        default=1.,
        metavar='G',
        help='of random weights: factor of the last batch normalisation of '
        'each residual block (default: 1)')
    parser.add_argument('--images', nargs='+', help='default: noise')
    parser.add_argument('--count', type=int, default=1, help='pictures')
    parser.add_argument('--width', type=int, default=1024)
    parser.add_argument('--height', type=int, default=768)
    parser.add_argument('--runs', type=int, default=5, help='per picture')
    return parser.parse_args()


def main() -> int:
    """Measure what the command line says, and print it."""
    args, good = parse_args(), True
    if args.threads:
        torch.set_num_threads(args.threads)
    set_precision(args.precision)
    if args.peak:
        report = measure_peak(args)
    elif args.fps:
        report = frames_per_second(args)
    else:
        report, good = compare(args)
    print(report)
    return 0 if good else 1


if __name__ == '__main__':
    sys.exit(main())
