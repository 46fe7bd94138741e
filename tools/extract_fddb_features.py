"""Run a detector on FDDB and keep its features at each detection.

For tools/fit_ellipse_regressor.py, which fits ellipses to these features.

Examples:
    python tools/extract_fddb_features.py CONFIG.py CHECKPOINT.pth \
        --gt FDDB-folds --images originalPics --out features.npz
    python tools/extract_fddb_features.py TINY_FACES.py CHECKPOINT.pth \
        --source backbone --all-levels --tta tiny_faces_wider \
        --gt FDDB-folds --images originalPics --out features.npz
"""
import argparse
import os
import sys

from _config_parts import replace_part
from mmengine.config import Config, ConfigDict

from tinyfaces.apis.detection_features import detect_with_features
from tinyfaces.datasets.fddb_annotations import load_fold_lists
from tinyfaces.datasets.image_files import missing_images, require_images
from tinyfaces.ellipses import save_detection_features
from tinyfaces.utils.config_parts import innermost_datasets
from tinyfaces.utils.console import run_and_print


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add('config', help='config of the detector; its test pipeline is used')
    add('checkpoint', help='checkpoint of the detector')
    add('--gt',
        required=True,
        metavar='DIR',
        help='FDDB-folds of the official download')
    add('--images', required=True, metavar='DIR', help='originalPics')
    add('--out', required=True, metavar='NPZ', help='file to write')
    add('--source',
        default='neck',
        choices=['neck', 'backbone'],
        help='whose features (default: %(default)s)')
    add('--all-levels',
        action='store_true',
        help='read all levels, not the one that fits the size of the face: '
        'the features of the box regression of a TemplateHead')
    add('--tta',
        metavar='NAME',
        help='multi-scale test by the tta_model and tta_pipeline of NAME, a '
        'file or the name of one in configs/_base_/tta; it must join views '
        'by nms')
    add('--only-given',
        action='store_true',
        help='leave out pictures that do not exist')
    add('--device', default='auto', help='auto, cpu, cuda:0, ...')
    args = parser.parse_args(argv)
    if not args.out.endswith('.npz'):
        parser.error('--out: the name must end in .npz')
    return args


def run(args: argparse.Namespace) -> str:
    """Look at the pictures of all folds and write what was found; gives the
    report."""
    names = [
        name for part in load_fold_lists(args.gt).values() for name in part
    ]
    files = {name: f'{name}.jpg' for name in names}
    if args.only_given:
        missing = set(missing_images(args.images, list(files.values())))
        files = {
            name: file
            for name, file in files.items() if file not in missing
        }
        if not files:
            raise FileNotFoundError(
                f'none of the {len(names):,} pictures is in {args.images}; '
                'give originalPics of the official download')
    else:
        require_images(
            args.images, list(files.values()),
            'give originalPics of the official download, or --only-given')
    pictures = {
        name: os.path.join(args.images, file)
        for name, file in files.items()
    }
    config = Config.fromfile(args.config)
    if args.tta:
        replace_part(config, args.tta, 'tta', '--tta',
                     ('tta_model', 'tta_pipeline'))
        config.model = ConfigDict(**config.tta_model, module=config.model)
        # What follows says what is wrong with a config without one.
        if config.get('test_dataloader'):
            for dataset in innermost_datasets(config.test_dataloader.dataset,
                                              'dataset').values():
                dataset.pipeline = config.tta_pipeline
    found = detect_with_features(config, args.checkpoint, pictures,
                                 args.source, args.device, args.all_levels)
    save_detection_features(*found, args.out)
    detections = sum(map(len, found[0].values()))
    return (f'{detections:,} detections in {len(pictures):,} of '
            f'{len(names):,} pictures written to {args.out}')


def main(argv: list[str] | None = None) -> int:
    """Exit code: 0; 1 after one line that says what is wrong; 141 for a pipe
    that nobody reads."""
    args = parse_args(argv)
    return run_and_print(lambda: run(args))


if __name__ == '__main__':
    sys.exit(main())
