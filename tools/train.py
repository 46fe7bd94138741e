"""Train a detector: ``python tools/train.py CONFIG``.

Takes the arguments of MMDetection's own ``tools/train.py``.
"""
import argparse
import os

from _resume import last_checkpoint
from _runner import add_common_arguments, build_runner, check_file, load_config
from mmengine.config import Config
from mmengine.device import get_device


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Train a detector.')
    parser.add_argument('config', help='config file')
    add_common_arguments(parser)
    parser.add_argument(
        '--amp',
        action='store_true',
        help='automatic mixed precision, with a dynamic loss scale')
    parser.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help='scale the learning rate from the batch size the config is made '
        'for (auto_scale_lr.base_batch_size) to the one in use')
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='CHECKPOINT',
        help='go on from CHECKPOINT, or from the last one in the work folder; '
        'without one yet, begin')
    return parser.parse_args()


def apply_train_args(cfg: Config, args: argparse.Namespace) -> None:
    """Write the arguments that only training has into the config.

    Args:
        cfg (Config): Config, changed in place.
        args (argparse.Namespace): See :func:`parse_args`.

    Raises:
        SystemExit: The config names no base batch size, the checkpoint does
            not exist, or mixed precision is asked of a CPU.
    """
    if args.amp:
        if get_device() == 'cpu':
            raise SystemExit(
                'error: --amp: mixed precision needs a GPU, and none is '
                'found; train without it')
        cfg.optim_wrapper.type = 'AmpOptimWrapper'
        cfg.optim_wrapper.setdefault('loss_scale', 'dynamic')
    if args.auto_scale_lr:
        if 'base_batch_size' not in cfg.get('auto_scale_lr', {}):
            raise SystemExit(
                f'error: --auto-scale-lr: config "{args.config}" has no '
                'auto_scale_lr.base_batch_size; add auto_scale_lr=dict('
                'base_batch_size=<GPUs x pictures per GPU>)')
        cfg.auto_scale_lr.enable = True
    if args.resume == 'auto':
        # A first run that was killed before its first checkpoint began with
        # the config's load_from, if it has one, and so does the next.
        cfg.resume = last_checkpoint(cfg) is not None
        if cfg.resume:
            cfg.load_from = None
        elif os.environ.get('LOCAL_RANK', '0') == '0':
            print(f'no checkpoint in {cfg.work_dir} yet: training begins')
    elif args.resume is not None:
        check_file(args.resume, 'checkpoint',
                   'give --resume without a file to go on from the last one')
        cfg.resume = True
        cfg.load_from = args.resume


def main() -> None:
    """Train as the command line says."""
    args = parse_args()
    cfg = load_config(args)
    apply_train_args(cfg, args)
    build_runner(cfg).train()


if __name__ == '__main__':
    main()
