"""Write a detector's false positives on its training pictures:

    python tools/harvest_hard_negatives.py CONFIG CHECKPOINT --out FILE

Runs the pipeline and the thresholds of the config's test on every picture of
its training datasets, also on those that ``filter_cfg`` leaves out of the
training. Detections above ``--score-thr`` whose IoU with every annotated face
is below ``--iou-thr`` are written, at most ``--max-per-img`` a picture;
detections that lie by half or more in an ignored face are not. A test that
keeps fewer or only higher scores (``model.test_cfg``) limits what is found.

FILE is JSON Lines, see ``tinyfaces.datasets.hard_negative_file``, for
``LoadHardNegatives``; it is the same from one process or from several
(``dist_harvest.sh``). Pictures that are done are kept in ``FILE.parts``
meanwhile: the same command goes on where a run was killed, with any number of
processes.
"""
import argparse
import sys

from _runner import (TinyFacesRunner, add_common_arguments, build_runner,
                     check_file, load_config)
from mmengine.config import Config
from mmengine.dist import is_main_process

from tinyfaces.engine.harvest import HarvestOptions, HarvestSummary, harvest

# What a runner trains, validates or tests with.
_LOOPS = tuple(f'{stage}_{part}' for stage in ('train', 'val', 'test')
               for part in ('dataloader', 'cfg', 'evaluator'))


class HarvestRunner(TinyFacesRunner):
    """Sets up processes and model; leaves the training's config alone."""

    dumped_config = 'harvest_config.py'


def add_harvest_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of :class:`HarvestOptions`."""
    parser.add_argument(
        '--score-thr',
        type=float,
        default=HarvestOptions.score_thr,
        metavar='S',
        help='harvest scores above this one (default: %(default)s)')
    parser.add_argument(
        '--iou-thr',
        type=float,
        default=HarvestOptions.iou_thr,
        metavar='IOU',
        help='harvest detections whose IoU with every face is below this one '
        '(default: %(default)s)')
    parser.add_argument(
        '--max-per-img',
        type=int,
        default=HarvestOptions.max_per_img,
        metavar='N',
        help='harvest at most this many of a picture, those of highest '
        'scores (default: %(default)s)')


def harvest_options(args: argparse.Namespace) -> HarvestOptions:
    """The options of a command line.

    Raises:
        SystemExit: One is out of range.
    """
    try:
        return HarvestOptions(args.score_thr, args.iou_thr, args.max_per_img)
    except ValueError as error:
        raise SystemExit(f'error: {error}') from None


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description="Write a detector's false positives on its training "
        'pictures.')
    parser.add_argument(
        'config', help='config file that the detector was '
        'trained with')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument(
        '--out',
        required=True,
        metavar='FILE',
        help='file to write, such as hard_negatives.jsonl; an existing one is '
        'replaced in the end')
    add_harvest_arguments(parser)
    parser.add_argument(
        '--resume',
        action=argparse.BooleanOptionalAction,
        default=True,
        help='go on with what a run that was killed left in FILE.parts, or '
        'throw it away (default: %(default)s)')
    add_common_arguments(parser)
    return parser.parse_args()


def for_inference(cfg: Config, checkpoint: str) -> Config:
    """The config of a runner that has no loops.

    Args:
        cfg (Config): Complete config.
        checkpoint (str): To load.
    """
    kept = {key: value for key, value in cfg.items() if key not in _LOOPS}
    cfg = Config(kept)
    for key in ('optim_wrapper', 'param_scheduler'):
        cfg[key] = None
    cfg.load_from = checkpoint
    cfg.resume = False
    # One and several processes must find the same.
    cfg.env_cfg = dict(cfg.get('env_cfg') or {}, cudnn_benchmark=False)
    return cfg


def run(args: argparse.Namespace) -> HarvestSummary:
    """Harvest as the command line says."""
    options = harvest_options(args)
    cfg = load_config(args)
    check_file(args.checkpoint, 'checkpoint',
               'training writes it to <work-dir>/epoch_<N>.pth')
    runner = build_runner(for_inference(cfg, args.checkpoint), HarvestRunner)
    runner.call_hook('before_run')
    runner.load_or_resume()
    return harvest(cfg, runner.model, args.out, options,
                   'resume' if args.resume else 'discard')


def main() -> int:
    """Exit code: 0, or 1 after one line that says what is wrong."""
    args = parse_args()
    try:
        summary = run(args)
    except (OSError, ValueError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    if is_main_process():
        print(f'{summary} written to {args.out}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
