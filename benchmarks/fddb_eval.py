"""Speed and memory of the FDDB evaluation.

    python benchmarks/fddb_eval.py [DETECTIONS --gt FDDB-folds --sizes FILE]

Scores the set that is given, by default the one below ``TINYFACES_DATA`` when
that is set, and sets made up in FDDB's amount of pictures and faces with
30,000 rectangles and 30,000 ellipses. Each is read and scored by a process of
its own, with one thread, whose seconds and peak memory are printed. Then the
literal transcription of the protocol (``tests/evaluation/
fddb_transcription.py``) and ours are timed on some of the made-up pictures, in
this run.
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
os.environ['OPENBLAS_NUM_THREADS'] = '1'
ROOT = Path(__file__).parents[1]
# What the tests use to make data.
HELPERS = str(ROOT / 'tests/evaluation')


def measure(detections, folds_dir, sizes_file):
    """Read and score in this process; its whole use of time and memory."""
    # OpenCV would start threads of its own.
    import cv2

    from tinyfaces.datasets.fddb_annotations import ellipses_by_name, load_fddb
    from tinyfaces.evaluation import functional
    cv2.setNumThreads(1)
    truth = ellipses_by_name(load_fddb(folds_dir))
    result = functional.evaluate_fddb(
        functional.read_fddb_detections(detections), truth,
        functional.read_image_sizes_file(sizes_file))
    # Linux counts the peak in KiB.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    return dict(
        cpu=time.process_time(),
        peak=peak,
        detections=result.num_detections,
        images=result.num_images,
        faces=result.num_faces,
        final=[result.final('disc'),
               result.final('cont')])


def measure_apart(title, *paths):
    """:func:`measure` in a fresh process."""
    start = time.perf_counter()
    done = subprocess.run([sys.executable, __file__, '--measure', *paths],
                          check=True,
                          stdout=subprocess.PIPE,
                          text=True)
    seconds = time.perf_counter() - start
    numbers = json.loads(done.stdout)
    print(f'{title}: {numbers["detections"]:,} detections, '
          f'{numbers["images"]:,} pictures, {numbers["faces"]:,} faces\n'
          f'  start, reading and scoring: {numbers["cpu"]:.2f} s of one core, '
          f'{seconds:.2f} s of the clock, peak {numbers["peak"]:.0f} MiB\n'
          '  rates at the end: {:.6f} / {:.6f}'.format(*numbers['final']))


def compare(detections, truth, sizes, num_images):
    """Time both on some pictures, in this process."""
    import fddb_transcription
    import numpy as np

    from tinyfaces.evaluation.functional import evaluate_fddb
    step = max(len(truth) // num_images, 1)
    names = list(truth)[::step][:num_images]
    truth = {name: truth[name] for name in names}
    detections = {name: detections[name] for name in names}
    start = time.process_time()
    slow = fddb_transcription.evaluate(detections, truth, sizes)
    slow_seconds = time.process_time() - start
    # The first call imports.
    evaluate_fddb(detections, truth, sizes)
    start, repeats = time.process_time(), 0
    # Often enough for the clock.
    while time.process_time() - start < .5:
        result = evaluate_fddb(detections, truth, sizes)
        repeats += 1
    seconds = (time.process_time() - start) / repeats
    fast = np.stack([
        result.thresholds, result.true_positives, result.continuous,
        result.false_positives
    ], 1)
    print(f'{len(names)} of the pictures, {result.num_detections:,} '
          f'rectangles, without reading:\n  transcription {slow_seconds:.2f} '
          f's, ours {seconds:.4f} s: {slow_seconds / seconds:.0f} times as '
          f'fast; largest difference of any count '
          f'{np.abs(slow[:, 1:] - fast[:, 1:]).max():.1e}')


def main():
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('detections', nargs='?', help='file or folder')
    parser.add_argument('--gt', help='FDDB-folds')
    parser.add_argument('--sizes', help='lines "name width height"')
    parser.add_argument(
        '--images',
        type=int,
        default=100,
        help='pictures given to the transcription')
    parser.add_argument('--measure', nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        print(json.dumps(measure(*args.measure)))
        return
    data = os.environ.get('TINYFACES_DATA')
    if args.detections:
        if not (args.gt and args.sizes):
            parser.error('DETECTIONS need --gt and --sizes')
        measure_apart(
            Path(args.detections).name, args.detections, args.gt, args.sizes)
    elif data:
        fddb = Path(data, 'fddb')
        measure_apart(
            'MTCNN',
            *(str(fddb / name) for name in ('detections_mtcnn', 'FDDB-folds',
                                            'image_sizes.txt')))
    sys.path.insert(0, HELPERS)
    from fddb_files import (make_detections, make_faces, write_folds,
                            write_sizes)

    from tinyfaces.evaluation.functional import write_fddb_folds
    truth, sizes = make_faces()
    with tempfile.TemporaryDirectory() as scratch:
        gt, sizes_file = Path(scratch, 'gt'), Path(scratch, 'sizes.txt')
        folds = write_folds(gt, truth)
        write_sizes(sizes_file, sizes)
        for title in ('ellipses', 'rectangles'):
            detections = make_detections(
                truth, sizes, ellipses=title == 'ellipses')
            out = Path(scratch, title)
            write_fddb_folds(detections, folds, out)
            measure_apart(f'made-up {title}', str(out), str(gt),
                          str(sizes_file))
    compare(detections, truth, sizes, args.images)


if __name__ == '__main__':
    main()
