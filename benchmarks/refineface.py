"""What RefineFace costs against its baseline: prediction, training, memory.

    python benchmarks/refineface.py [--images FOLDER]
        [--checkpoints baseline=W rfe=W refineface=W]
    python benchmarks/refineface.py --train
    python benchmarks/refineface.py --faces 2000

All take ``--device``, ``--threads`` and ``--baseline CONFIG``, the RetinaNet
whose backbone and channels all models get: ResNet-50 unless told otherwise.

Without ``--train`` or ``--faces``: seconds from a picture of 640x480 (padded
to 640x512) in memory to its boxes. The models take turns on every picture,
and a ratio is the median over pictures and runs of the ratio in one turn.
RefineFace is measured dense (``test_cfg.sparse=False``), where each layer
sees every cell, and sparse, its default on a CPU, where the second step leaves
out cells whose result no box can need. MMDetection's RetinaHead, the baseline,
has no such shortcut; what the shortcut would give it is the sparse row of
baseline + RFE. How much it saves depends on weights and pictures: without
checkpoints nothing scores high enough to be a box, and sparse times, as well
as those of NMS, mean nothing.

``--train``: time and peak memory of training steps of each column of Table 1,
each in its own process, ``training_step.py``. ``--faces N``: peak memory with
one picture of N faces, of the baseline and of RefineFace without and with
``bbox_head.with_cp``; exit status 1 if the last takes more than the limit
above the baseline.
"""
import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import torch
from _models import (BASELINE, CONFIGS, describe, load_model, model_config,
                     pictures, timed_prediction)
from tqdm import tqdm

SUFFIX = '_8xb4-130e_wider-face.py'
# Name: its key in --checkpoints, config, whether sparse.
VARIANTS = {
    'baseline': ('baseline', 'retinanet_r50', None),
    'baseline + RFE, dense': ('rfe', 'retinanet_r50_rfe', False),
    'baseline + RFE, sparse': ('rfe', 'retinanet_r50_rfe', True),
    'RefineFace, dense': ('refineface', 'refineface_r50', False),
    'RefineFace, sparse': ('refineface', 'refineface_r50', True),
}
TABLE_1 = {
    'baseline': 'retinanet_r50',
    'STR': 'retinanet_r50_str',
    'STC': 'retinanet_r50_stc',
    'RFE': 'retinanet_r50_rfe',
    'SML': 'retinanet_r50_sml',
    'FSM': 'retinanet_r50_fsm',
    'STR, STC': 'refineface_r50_str-stc',
    'STR, STC, RFE': 'refineface_r50_str-stc-rfe',
    'STR, STC, RFE, SML': 'refineface_r50_no-fsm',
    'all': 'refineface_r50',
}
# Most times of the baseline, and of the baseline with RFE, on two CPU cores.
TIME_LIMITS = {'baseline': 1.05, 'baseline + RFE, dense': 1.25}
# Most memory above the baseline, with a picture of 2,000 faces.
MEMORY_LIMIT_MIB = 1536


def config_file(prefix: str) -> Path:
    """Path of a config that is named by what comes before the suffix."""
    return CONFIGS / (prefix + SUFFIX)


def compare_predictions(args: argparse.Namespace) -> str:
    """A table of prediction times and ratios."""
    networks = {
        key:
        load_model(
            model_config(config_file(prefix), args.baseline),
            args.checkpoints.get(key), args.device)
        for key, prefix, _ in VARIANTS.values()
    }
    seconds = {name: [] for name in VARIANTS}
    boxes = {name: [] for name in VARIANTS}
    inputs = pictures(args.images, args.count, args.width, args.height)
    turns = [(run, picture) for run in range(-1, args.runs)
             for picture in inputs]
    names = list(VARIANTS)
    for number, (run, picture) in enumerate(tqdm(turns, 'Predicting')):
        # Nobody is always first.
        at = number % len(names)
        for name in names[at:] + names[:at]:
            key, _, sparse = VARIANTS[name]
            if sparse is not None:
                networks[key].bbox_head.test_cfg['sparse'] = sparse
            taken, found = timed_prediction(networks[key], picture)
            if run >= 0:  # The first one pays for set-up.
                seconds[name].append(taken)
                boxes[name].append(found)
    return '\n'.join([
        f'{describe(args.device)}; {len(inputs)} pictures of '
        f'{args.width}x{args.height}, {args.runs} runs; backbone of '
        f'{Path(args.baseline).stem}', *time_table(seconds, boxes),
        *time_limits(args.device, seconds), *warnings(args)
    ])


def time_table(seconds: dict[str, list[float]],
               boxes: dict[str, list[int]]) -> list[str]:
    """One line per model."""
    lines = [
        f'{"":24}{"ms":>9}{"/ baseline":>12}{"/ with RFE":>12}'
        f'{"boxes":>8}'
    ]
    for name, values in seconds.items():
        ratios = [
            median_ratio(values, seconds[other]) for other in TIME_LIMITS
        ]
        lines.append(f'{name:24}{median(values) * 1000:9.1f}{ratios[0]:12.3f}'
                     f'{ratios[1]:12.3f}'
                     f'{sum(boxes[name]) / len(boxes[name]):8.1f}')
    return lines


def median_ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Median of the ratios of times that were taken in the same turn."""
    return median(a / b for a, b in zip(ours, theirs))


def time_limits(device: str, seconds: dict[str, list[float]]) -> list[str]:
    """RefineFace as it is by default on the device, against its limits."""
    sparse = torch.device(device).type == 'cpu'
    name = f'RefineFace, {"sparse" if sparse else "dense"}'
    return [
        f'{name} (the default here) / {other}: '
        f'{median_ratio(seconds[name], seconds[other]):.3f} '
        f'(limit on two CPU cores: {limit})'
        for other, limit in TIME_LIMITS.items()
    ]


def warnings(args: argparse.Namespace) -> list[str]:
    """What a reader of the table must know."""
    lines = ['The baseline has no sparse prediction: compare like with like.']
    random = sorted({key
                     for key, *_ in VARIANTS.values()} - set(args.checkpoints))
    if random:
        lines.append(f'Random weights: {", ".join(random)}; sparse times and '
                     'NMS of these mean nothing.')
    return lines


def training_step(args: argparse.Namespace,
                  prefix: str,
                  faces: int,
                  with_cp: bool = False) -> dict:
    """What ``training_step.py`` says of a model.

    A process inherits the peak of the one that starts it, which holds
    nothing here but what the other one also loads.
    """
    command = [
        sys.executable,
        str(Path(__file__).with_name('training_step.py')),
        str(config_file(prefix)), f'--backbone-of={args.baseline}',
        f'--device={args.device}', f'--size={args.size}',
        f'--batch={args.batch}', f'--steps={args.steps}', f'--faces={faces}'
    ]
    if args.threads:
        command.append(f'--threads={args.threads}')
    if with_cp:
        command.append('--with-cp')
    # Its errors are shown as they are.
    done = subprocess.run(
        command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def compare_training(args: argparse.Namespace) -> str:
    """A table of the columns of Table 1."""
    rows = {name: [] for name in TABLE_1}
    turns = [name for _ in range(args.rounds) for name in TABLE_1]
    for name in tqdm(turns, 'Training'):
        rows[name].append(training_step(args, TABLE_1[name], 20))
    return '\n'.join([*training_header(args, 20), *training_table(rows)])


def training_header(args: argparse.Namespace, faces: int) -> list[str]:
    """What was trained, and where."""
    return [
        f'{describe(args.device)}; {args.batch} pictures of '
        f'{args.size}x{args.size} with {faces} faces, median of {args.steps} '
        f'steps; backbone of {Path(args.baseline).stem}'
    ]


def training_table(rows: dict[str, list[dict]]) -> list[str]:
    """One line per column; the first is what the others are compared with."""
    lines = [
        f'{"":20}{"s per step":>12}{"/ baseline":>12}{"peak MiB":>10}'
        f'{"- baseline":>12}{"/ baseline":>12}'
    ]
    base = next(iter(rows.values()))
    for name, runs in rows.items():
        seconds, peaks, base_seconds, base_peaks = ([run[key] for run in part]
                                                    for part in (runs, base)
                                                    for key in ('seconds',
                                                                'peak_mib'))
        lines.append(f'{name:20}{median(seconds):12.3f}'
                     f'{median_ratio(seconds, base_seconds):12.3f}'
                     f'{median(peaks):10.0f}'
                     f'{median(peaks) - median(base_peaks):+12.0f}'
                     f'{median(peaks) / median(base_peaks):12.3f}')
    return lines


def compare_faces(args: argparse.Namespace) -> tuple[str, bool]:
    """Peak memory of few and many faces; whether it can be kept in the limit.

    Most of what RefineFace takes is maps of its towers, whatever the number
    of faces; ``bbox_head.with_cp`` computes them again instead.
    """
    models = {
        'baseline': ('baseline', False),
        'RefineFace': ('all', False),
        'RefineFace, with_cp': ('all', True)
    }
    cases = [(name, faces) for name in models for faces in (20, args.faces)]
    peaks = {}
    for name, faces in tqdm(cases, 'Training'):
        column, with_cp = models[name]
        peaks[name, faces] = training_step(args, TABLE_1[column], faces,
                                           with_cp)['peak_mib']
    lines = training_header(args, args.faces)
    lines += [
        f'{name:20}{faces:6} faces: peak {mib:6} MiB, above the baseline '
        f'{mib - peaks["baseline", faces]:6}'
        for (name, faces), mib in peaks.items()
    ]
    above = peaks['RefineFace, with_cp', args.faces] - peaks['baseline',
                                                             args.faces]
    lines.append(f'RefineFace with with_cp above the baseline, {args.faces} '
                 f'faces: {above} MiB (limit {MEMORY_LIMIT_MIB})')
    return '\n'.join(lines), above <= MEMORY_LIMIT_MIB


def checkpoint(text: str) -> tuple[str, str]:
    """``KEY=FILE`` as a pair."""
    key, _, path = text.partition('=')
    keys = {key for key, *_ in VARIANTS.values()}
    if key not in keys or not Path(path).is_file():
        raise argparse.ArgumentTypeError(
            f'"{text}" is not NAME=FILE with a file that exists and one of '
            f'the names {", ".join(sorted(keys))}')
    return key, path


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_mutually_exclusive_group()
    what.add_argument('--train', action='store_true')
    what.add_argument('--faces', type=int, metavar='N')
    parser.add_argument('--baseline', default=str(BASELINE))
    parser.add_argument('--device', default='cpu')
    parser.add_argument('--threads', type=int)
    parser.add_argument(
        '--checkpoints', nargs='+', type=checkpoint, default=[])
    parser.add_argument('--images', nargs='+', help='default: noise')
    parser.add_argument('--count', type=int, default=8, help='pictures')
    parser.add_argument('--width', type=int, default=640)
    parser.add_argument('--height', type=int, default=480)
    parser.add_argument('--runs', type=int, default=5, help='per picture')
    parser.add_argument(
        '--size', type=int, help='of training (320; with --faces 1024)')
    parser.add_argument(
        '--batch', type=int, help='of training (2; with --faces 1)')
    parser.add_argument('--steps', type=int, default=4)
    parser.add_argument(
        '--rounds', type=int, default=1, help='of all columns of --train')
    args = parser.parse_args()
    args.checkpoints = dict(args.checkpoints)
    args.size = args.size or (1024 if args.faces else 320)
    args.batch = args.batch or (1 if args.faces else 2)
    return args


def main() -> int:
    """Compare what the command line says, and print it."""
    args, good = parse_args(), True
    if args.threads:
        torch.set_num_threads(args.threads)
    if args.faces:
        report, good = compare_faces(args)
    elif args.train:
        report = compare_training(args)
    else:
        report = compare_predictions(args)
    print(report)
    return 0 if good else 1


if __name__ == '__main__':
    sys.exit(main())
