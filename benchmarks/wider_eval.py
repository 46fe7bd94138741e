"""Speed and memory of the WIDER FACE evaluation.

    python benchmarks/wider_eval.py [--images 60] [--eight-million]

Uses the full val split below ``TINYFACES_DATA`` when that is set, else data
made up in the same form. Prints the ratio to the literal transcription of the
protocol (``tests/evaluation/wider_transcription.py``) on some of the images,
both timed in this run, and the CPU seconds and peak memory of a process of its
own that reads and scores the whole set in three settings.
"""
import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ['TINYFACES_REGISTER'] = '0'
os.environ['OMP_NUM_THREADS'] = '1'
sys.path.insert(0, str(Path(__file__).parents[1] / 'tests/evaluation'))

import numpy as np
import wider_transcription
from wider_files import write_gt

from tinyfaces.evaluation.functional import (evaluate_wider, load_wider_gt,
                                             read_wider_predictions,
                                             write_wider_predictions)

SETTINGS = ('easy', 'medium', 'hard')
FIXTURE = 'predictions/retinaface_mnet025_wider_val.zip'


def make_ground_truth(folder, num_images=3226):
    """Boxes in the amount and spread of sizes of the val split."""
    rng = np.random.default_rng(0)
    images = {}
    for at in range(num_images):
        num = min(int(rng.geometric(1 / 12)), 700)
        sizes = rng.lognormal(3, .8, num).round() + 5
        boxes = np.stack(
            [*rng.integers(0, 1000, (2, num)), sizes,
             (sizes * 1.25).round()], 1)
        order = np.arange(1, num + 1)
        images[f'{at % 61}--Event/{at}'] = boxes.tolist(), {
            name: order[boxes[:, 3] > low].tolist()
            for name, low in zip(SETTINGS, (50, 30, 10))
        }
    write_gt(folder, images)


def make_predictions(truth, total):
    """A noisy copy of the faces, then detections anywhere."""
    rng = np.random.default_rng(1)
    per_image = total // len(truth.keys)
    predictions = {}
    for key, begin, end in zip(truth.keys, truth.offsets, truth.offsets[1:]):
        # At least ten detections anywhere, however many faces there are.
        boxes = truth.boxes[begin:end][:max(per_image - 10, 0)].clip(min=0)
        near = boxes + rng.normal(0, .05, boxes.shape) * boxes[:, 2:3]
        wrong = per_image - len(near)
        rows = np.zeros((per_image, 5))
        rows[:len(near), :4] = near
        rows[:len(near), 4] = rng.beta(4, 1, len(near))
        rows[len(near):, :2] = rng.uniform(0, 1000, (wrong, 2))
        rows[len(near):, 2:4] = rng.lognormal(3, .8, (wrong, 2))
        rows[len(near):, 4] = rng.beta(1, 6, wrong)
        rows[:, 2:4] = rows[:, 2:4].clip(min=0)
        predictions[key] = rows.round(3)
    return predictions


def measure(predictions, gt_dir):
    """Read and score in this process; its whole use of time and memory."""
    truth = load_wider_gt(gt_dir, SETTINGS)
    result = evaluate_wider(read_wider_predictions(predictions), truth)
    # Linux counts the peak in KiB.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    return dict(
        cpu=time.process_time(),
        peak=peak,
        detections=result.num_detections,
        ap=[result.ap(s) for s in SETTINGS])


def measure_apart(predictions, gt_dir):
    """:func:`measure` in a fresh process."""
    done = subprocess.run(
        [sys.executable, __file__, '--measure',
         str(predictions),
         str(gt_dir)],
        check=True,
        stdout=subprocess.PIPE,
        text=True)
    numbers = json.loads(done.stdout)
    print(f'  {numbers["detections"]:,} detections, three settings, imports '
          f'and reading included: {numbers["cpu"]:.2f} s of one core, peak '
          f'{numbers["peak"]:.0f} MiB')
    print('  AP ' + ' '.join(f'{ap:.10f}' for ap in numbers['ap']))


def compare(predictions, truth, num_images):
    """Time both on some images, in this process."""
    step = max(len(truth.keys) // num_images, 1)
    part = truth.subset(truth.keys[::step][:num_images])
    found = {key: predictions[key] for key in part.keys if key in predictions}
    rows = {key: value.tolist() for key, value in found.items()}
    ends = part.offsets.tolist()
    start = time.process_time()
    slow = []
    for setting in SETTINGS:
        images = {
            key: (part.boxes[a:b].tolist(), part.keep[setting][a:b].tolist())
            for key, a, b in zip(part.keys, ends, ends[1:])
        }
        slow.append(wider_transcription.evaluate(rows, images)[2])
    slow_seconds = time.process_time() - start
    start, repeats = time.process_time(), 0
    # Often enough for the clock.
    while time.process_time() - start < .5:
        result = evaluate_wider(found, part)
        repeats += 1
    seconds = (time.process_time() - start) / repeats
    fast = [result.ap(s) for s in SETTINGS]
    print(f'  {result.images}, {result.num_detections:,} detections, three '
          f'settings, without reading:\n  transcription {slow_seconds:.2f} s,'
          f' ours {seconds:.4f} s: {slow_seconds / seconds:.0f} times as '
          f'fast; largest difference in AP '
          f'{np.abs(np.subtract(slow, fast)).max():.1e}')


def main():
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument(
        '--images',
        type=int,
        default=60,
        help='images given to the transcription')
    parser.add_argument(
        '--eight-million',
        action='store_true',
        help='also score a made-up set of 8,000,000 '
        'detections (writes 500 MB to a temporary folder)')
    parser.add_argument('--measure', nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        print(json.dumps(measure(*args.measure)))
        return
    with tempfile.TemporaryDirectory() as scratch:
        data = os.environ.get('TINYFACES_DATA')
        if data:
            gt_dir = Path(data, 'wider_face/ground_truth')
            path = Path(data, FIXTURE)
            print('data: WIDER FACE val')
        else:
            gt_dir, path = Path(scratch), Path(scratch, 'made.zip')
            print('data: made up, TINYFACES_DATA is not set')
            make_ground_truth(gt_dir)
        truth = load_wider_gt(gt_dir, SETTINGS)
        if not data:
            write_wider_predictions(make_predictions(truth, 300000), path)
        print('the whole set:')
        measure_apart(path, gt_dir)
        print('against the transcription:')
        compare(read_wider_predictions(path), truth, args.images)
        if args.eight_million:
            print('eight million:')
            large = Path(scratch, 'large')
            write_wider_predictions(
                make_predictions(truth, 8000000 + len(truth.keys)), large)
            measure_apart(large, gt_dir)


if __name__ == '__main__':
    main()
