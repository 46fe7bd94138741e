"""What ``train.py`` and ``test.py`` share: arguments, config, runner."""
import argparse
import difflib
import os
import os.path as osp
from collections.abc import Callable
from pathlib import Path

try:
    import tinyfaces
except ModuleNotFoundError as error:
    if error.name != 'tinyfaces':
        raise
    raise SystemExit(
        'error: the package "tinyfaces" is not installed in this Python; run '
        '"bash tools/setup_env.sh" or "pip install -e .[onedl]" in the '
        'repository') from None

from mmengine.config import Config, DictAction
from mmengine.dist import master_only
from mmengine.runner import Runner

if not hasattr(tinyfaces, 'models'):
    raise SystemExit(
        'error: tinyfaces is imported without its MMDetection components; '
        'install MMDetection (pip install "tinyfaces[onedl]") and unset '
        'TINYFACES_REGISTER')

from mmdet.registry import RUNNERS
from mmdet.utils import setup_cache_size_limit_of_dynamo

DUMPED_CONFIG = 'config.py'


class TinyFacesRunner(Runner):
    """MMEngine's runner, with one fixed name for the config it dumps.

    MMEngine names the dump after the config. In a work folder inside the
    checkout it is then a second file of that name, and ``mim train tinyfaces
    NAME`` refuses NAME as ambiguous after the first training.
    """

    @master_only
    def dump_config(self) -> None:
        """Write the complete config to ``<work_dir>/config.py``."""
        self.cfg.dump(osp.join(self.work_dir, DUMPED_CONFIG))


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that MMDetection's train and test scripts share."""
    parser.add_argument(
        '--work-dir',
        metavar='DIR',
        help='logs and checkpoints (default: work_dirs/<config name>)')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        metavar='KEY=VALUE',
        help='config entries to override, such as optim_wrapper.optimizer.'
        'lr=0.001; lists as key="[a,b]", without blanks')
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='what started this process in a distributed job')
    # torch.distributed.launch gives the second spelling since torch 2.0.
    parser.add_argument(
        '--local_rank',
        '--local-rank',
        type=int,
        default=0,
        help='set by the launcher')


def check_file(path: str, what: str, remedy: str) -> None:
    """Stop when a local file is missing; addresses (``x://``) pass.

    Args:
        path (str): File as the user gave it.
        what (str): What the file is, for the message.
        remedy (str): What to do, for the message.

    Raises:
        SystemExit: ``path`` is no file.
    """
    if '://' not in path and not osp.isfile(path):
        raise SystemExit(f'error: {what} "{path}" does not exist (seen from '
                         f'{os.getcwd()}); {remedy}')


def config_remedy(path: str) -> str:
    """Name the config in the repository that is closest to ``path``."""
    root = Path(__file__).resolve().parents[1] / 'configs'
    known = {p.name: p for p in root.glob('[!_]*/*.py')}
    close = difflib.get_close_matches(osp.basename(path), known, n=1)
    if close:
        return f'did you mean {known[close[0]]}?'
    return f'the configs lie in {root}'


def load_config(args: argparse.Namespace,
                change: Callable[[Config], None] | None = None) -> Config:
    """Read the config and apply the arguments both scripts share.

    The work folder is, in this order, the argument, the config's own, or
    ``work_dirs/<config name>``.

    Args:
        args (argparse.Namespace): Arguments; sets ``LOCAL_RANK`` from them
            where no launcher has.
        change (Callable, optional): Changes the config in place before
            ``--cfg-options`` are applied, so that these have the last word.

    Returns:
        Config: The config, launcher and work folder filled in.

    Raises:
        SystemExit: The config does not exist.
    """
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    check_file(args.config, 'config', config_remedy(args.config))
    setup_cache_size_limit_of_dynamo()
    cfg = Config.fromfile(args.config)
    cfg.launcher = args.launcher
    if change is not None:
        change(cfg)
    if args.cfg_options is not None:
        cfg.merge_from_dict(args.cfg_options)
    if args.work_dir is not None:
        cfg.work_dir = args.work_dir
    elif cfg.get('work_dir') is None:
        path = Path(args.config)
        # A dumped config goes on in the folder that it was dumped to.
        name = path.resolve().parent.name if path.name == DUMPED_CONFIG \
            else path.stem
        cfg.work_dir = osp.join('work_dirs', name)
    return cfg


def build_runner(cfg: Config) -> Runner:
    """Build the runner that the config asks for, on GPUs or CPUs.

    Args:
        cfg (Config): Complete config.

    Returns:
        Runner: ``cfg.runner_type`` from the registry, or
        :class:`TinyFacesRunner`.
    """
    if cfg.launcher == 'pytorch':
        prepare_distributed_cpu(cfg)
    if 'runner_type' in cfg:
        return RUNNERS.build(cfg)
    return TinyFacesRunner.from_cfg(cfg)


def prepare_distributed_cpu(cfg: Config) -> None:
    """Start a Gloo process group where no accelerator is found.

    MMEngine picks a CUDA device before it starts the group and wraps the
    model with a device number; both fail on a CPU. With the group started
    and the wrapper configured here it does neither.

    Args:
        cfg (Config): Config; gets ``model_wrapper_cfg`` if it has none.
    """
    from mmengine.device import get_device
    if get_device() != 'cpu':
        return
    import torch.distributed as dist
    dist.init_process_group(backend='gloo')
    if cfg.get('model_wrapper_cfg') is None:
        cfg.model_wrapper_cfg = dict(
            type='MMDistributedDataParallel',
            device_ids=None,
            broadcast_buffers=False,
            find_unused_parameters=cfg.get('find_unused_parameters', False))
