"""Peak memory and time of finding faces in one very large picture.

Makes a JPEG of 12,000 x 9,000 pixels, runs on it what ``tools/detect.py``
runs (reading, tiles, one NMS, drawing, writing), and prints what it took as
one line of JSON. The peak is that of the whole process: its resident set,
Python and all libraries included. Exit status 1 when it exceeds the cap.

    python benchmarks/detect_memory.py
    python benchmarks/detect_memory.py --weights W [--config C --device D]

Without ``--weights`` the model is as before training: it finds next to
nothing, which spares it most of its NMS.
"""
import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from _memory import peak_bytes
from mmengine.config import Config
from mmengine.registry import init_default_scope
from PIL import Image

from tinyfaces.apis import DetectionJob, FaceDetector, find_pictures

CONFIG = (
    Path(__file__).parents[1] /
    'configs/refineface/retinanet_mbv2_8xb4-130e_wider-face.py')
CAP_MIB = 2048


def make_picture(path: Path, width: int, height: int) -> None:
    """Write a JPEG of coloured noise at several scales."""
    rng = np.random.default_rng(0)
    picture = np.zeros((height, width, 3), np.uint8)
    for size in (8, 64):
        small = rng.integers(
            0, 128, (height // size + 1, width // size + 1, 3), dtype=np.uint8)
        # Row by row, so that making the picture takes no memory either.
        for y in range(height):
            row = small[y // size].repeat(size, axis=0)[:width]
            picture[y] += row
    Image.fromarray(picture).save(path, quality=90)


def random_weights(config: Path, path: Path) -> None:
    """Write the weights that training would start from."""
    from mmdet.registry import MODELS
    init_default_scope('mmdet')
    torch.manual_seed(0)
    model = MODELS.build(Config.fromfile(config).model)
    model.init_weights()
    torch.save({'state_dict': model.state_dict()}, path)


def main() -> int:
    """Measure, print and compare with the cap."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--config', type=Path, default=CONFIG)
    parser.add_argument('--weights', type=Path)
    parser.add_argument('--device', default='cpu')
    parser.add_argument('--width', type=int, default=12000)
    parser.add_argument('--height', type=int, default=9000)
    parser.add_argument('--tile-size', type=int, default=1536)
    parser.add_argument('--make', type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.make:
        make_picture(args.make / 'large.jpg', args.width, args.height)
        if not args.weights:
            random_weights(args.config, args.make / 'weights.pth')
        return 0
    with tempfile.TemporaryDirectory() as folder:
        # In a process of its own, whose memory does not count.
        subprocess.run([sys.executable, *sys.argv, '--make', folder],
                       check=True)
        weights = args.weights or Path(folder, 'weights.pth')
        detector = FaceDetector(
            args.config,
            weights,
            args.device,
            score_thr=0.05,
            tile_size=args.tile_size,
            progress=True)
        before, start = peak_bytes() // 1024**2, time.perf_counter()
        job = DetectionJob(detector, folder)
        job.run(find_pictures([f'{folder}/large.jpg']))
        seconds = time.perf_counter() - start
        faces = len(json.loads(job.lines.read_text())['faces'])
    result = dict(
        config=args.config.stem,
        size=f'{args.width}x{args.height}',
        tile_size=args.tile_size,
        device=args.device,
        faces=faces,
        threads=torch.get_num_threads(),
        seconds=round(seconds, 1),
        peak_before_mib=before,
        peak_mib=peak_bytes() // 1024**2,
        cap_mib=CAP_MIB)
    print(json.dumps(result))
    return 0 if result['peak_mib'] <= CAP_MIB else 1


if __name__ == '__main__':
    sys.exit(main())
