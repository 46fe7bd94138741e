"""Find faces in pictures, folders of pictures and patterns.

Writes OUT/detections.jsonl (one JSON object per picture: file, width,
height, faces; or file and error) and drawn copies under OUT/images/. Boxes
are [x1, y1, x2, y2] in pixels of the upright picture (EXIF applied).

Exit status: 0 when every picture was done, 1 when files could not be read
(they are reported, skipped and recorded), 2 for bad arguments, 130 when
interrupted (--resume goes on).
"""
import argparse
import sys
from collections.abc import Sequence

from tinyfaces.apis import (DetectionJob, FaceDetector, default_model,
                            find_pictures)


def build_parser() -> argparse.ArgumentParser:
    """Give the parser of this tool's arguments."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        'inputs',
        nargs='+',
        metavar='INPUT',
        help='picture, folder (searched with its subfolders), or pattern in '
        "quotes such as 'photos/**/*.jpg'")
    parser.add_argument(
        '--config',
        help='config of the model; with --weights. Without both, '
        "the quickstart's model is used")
    parser.add_argument('--weights', help='checkpoint of the model')
    parser.add_argument(
        '--out',
        default='detections',
        help='folder for the results (default: %(default)s)')
    parser.add_argument(
        '--score-thr',
        type=float,
        default=0.3,
        metavar='S',
        help='leave out faces with a lower score (default: %(default)s)')
    parser.add_argument(
        '--device',
        default='auto',
        help='auto, cpu, cuda:0, ... (default: %(default)s: the first GPU '
        'if there is one)')
    parser.add_argument(
        '--tile-size',
        type=int,
        default=1536,
        metavar='PIXELS',
        help='larger pictures are cut into tiles of this size, which bounds '
        'the memory (default: %(default)s)')
    parser.add_argument(
        '--tile-overlap',
        type=int,
        default=256,
        metavar='PIXELS',
        help='pixels that neighbouring tiles share (default: %(default)s)')
    parser.add_argument(
        '--max-per-img',
        type=int,
        metavar='N',
        help='keep at most so many faces per picture (default: all)')
    parser.add_argument(
        '--no-images', action='store_true', help='draw nothing')
    parser.add_argument(
        '--drawing-side',
        type=int,
        default=4096,
        metavar='PIXELS',
        help='scale larger drawn copies down to this (default: %(default)s)')
    parser.add_argument(
        '--resume',
        action='store_true',
        help='keep the results of an interrupted run with the same settings '
        'and skip its pictures')
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool with the given arguments; give its exit status."""
    parser = build_parser()
    args = parser.parse_args(argv)
    if bool(args.config) != bool(args.weights):
        parser.error('give --config and --weights together, or neither')
    if args.drawing_side < 1:
        parser.error('--drawing-side must be at least 1')
    try:
        pictures = find_pictures(args.inputs, leave_out=args.out)
        config, weights = (args.config, args.weights) if args.config \
            else default_model()
        detector = FaceDetector(
            config,
            weights,
            args.device,
            args.score_thr,
            args.tile_size,
            args.tile_overlap,
            args.max_per_img,
            progress=True)
        job = DetectionJob(detector, args.out, not args.no_images,
                           args.drawing_side, args.resume)
    except (ValueError, FileNotFoundError) as error:
        parser.error(str(error))
    try:
        failed = job.run(pictures)
    except KeyboardInterrupt:
        print(
            'interrupted; the same command with --resume goes on',
            file=sys.stderr)
        return 130
    print(f'{len(pictures) - failed} of {len(pictures)} pictures done, '
          f'results in {job.lines}')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
