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

from _resume import last_checkpoint, other_checkpoints, together
from mmengine.config import Config, DictAction
from mmengine.dist import master_only
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner

if not hasattr(tinyfaces, 'models'):
    raise SystemExit(
        'error: tinyfaces is imported without its MMDetection components; '
        'install MMDetection (pip install "tinyfaces[onedl]") and unset '
        'TINYFACES_REGISTER')

from mmdet.registry import RUNNERS
from mmdet.utils import setup_cache_size_limit_of_dynamo

from tinyfaces.utils.checkpoint_files import CheckpointError
from tinyfaces.utils.files import atomic_write

DUMPED_CONFIG = 'config.py'
DUMPED_TEST_CONFIG = 'test_config.py'


class TinyFacesRunner(Runner):
    """MMEngine's runner, with one fixed name for the config it dumps.

    MMEngine names the dump after the config. In a work folder inside the
    checkout it is then a second file of that name, and ``mim train tinyfaces
    NAME`` refuses NAME as ambiguous after the first training.
    """

    dumped_config = DUMPED_CONFIG

    def load_or_resume(self) -> None:
        """Load a checkpoint, or go on from one, as the config says.

        Raises:
            SystemExit: It is damaged, or refused, or the processes do not
                all have the same.
        """
        if self._has_loaded:
            return
        together(self._find_start)
        together(self._load_start)

    def load_checkpoint(self, filename: str, *args, **kwargs) -> dict:
        """As MMEngine; notes which checkpoint it is."""
        checkpoint = super().load_checkpoint(filename, *args, **kwargs)
        meta = checkpoint.get('meta') or {}
        self._loaded = {
            key: meta.get(key)
            for key in ('epoch', 'iter', 'time')
        }
        return checkpoint

    def _find_start(self) -> str:
        """Look for the checkpoint to go on from; says what was found."""
        self._last = None
        if self._resume and self._load_from is None:
            self._last = last_checkpoint(self.cfg)
            if self._last is None:
                self.logger.info(
                    f'no checkpoint in {self.work_dir} yet: training begins')
        path = self._last or self._load_from
        if path is None:
            return 'begins without a checkpoint'
        what = 'goes on from' if self._resume else 'begins with'
        return f'{what} {osp.basename(path)}'

    def _load_start(self) -> str:
        """Load the checkpoint that was found; says which it is."""
        self._loaded: dict = {}
        try:
            if self._last is not None:
                self.logger.info(f'goes on from {self._last}')
                self.resume(self._last)
                self._has_loaded = True
            elif self._load_from is not None:
                super().load_or_resume()
        except CheckpointError as error:
            text = f'error: {error}'
            if self._last is not None:
                text += f'\n{other_checkpoints(self.cfg, self._last)}'
            raise SystemExit(text) from error
        return 'has ' + (', '.join(f'{key} {value}'
                                   for key, value in self._loaded.items())
                         or 'no checkpoint')

    @master_only
    def dump_config(self) -> None:
        """Write the complete config to ``<work_dir>/config.py``."""
        path = osp.join(self.work_dir, self.dumped_config)
        with atomic_write(path) as temporary:
            self.cfg.dump(temporary)

    def scale_lr(self,
                 optim_wrapper: OptimWrapper,
                 auto_scale_lr: dict | None = None) -> None:
        """As MMEngine, by the pictures of an optimizer step.

        MMEngine leaves out that gradients of several batches are accumulated.
        """
        counts = getattr(optim_wrapper, '_accumulative_counts', 1)
        base = (auto_scale_lr or {}).get('base_batch_size')
        if base and auto_scale_lr.get('enable') and counts > 1:
            self.logger.info(f'{counts} batches are accumulated, and count as '
                             f'one: {base} pictures are {base / counts:g} '
                             'in each')
            auto_scale_lr = dict(auto_scale_lr, base_batch_size=base / counts)
        super().scale_lr(optim_wrapper, auto_scale_lr)


class TinyFacesTestRunner(TinyFacesRunner):
    """Dumps to ``test_config.py``, and leaves the training's config alone.

    By default a test works in the folder of the training, and its config may
    have other data and a wrapped model.
    """

    dumped_config = DUMPED_TEST_CONFIG


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
        dumped = path.name in (DUMPED_CONFIG, DUMPED_TEST_CONFIG)
        name = path.resolve().parent.name if dumped else path.stem
        cfg.work_dir = osp.join('work_dirs', name)
    return cfg


def build_runner(cfg: Config,
                 default: type[Runner] = TinyFacesRunner) -> Runner:
    """Build the runner that the config asks for, on GPUs or CPUs.

    Args:
        cfg (Config): Complete config.
        default (type): Of the runner, if the config names none.

    Returns:
        Runner: ``cfg.runner_type`` from the registry, or ``default``.
    """
    if cfg.launcher == 'pytorch':
        prepare_distributed_cpu(cfg)
    if 'runner_type' in cfg:
        return RUNNERS.build(cfg)
    return default.from_cfg(cfg)


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
