"""Seeds that a training which is resumed has, too."""
from mmdet.registry import HOOKS
from mmengine.dist import get_rank
from mmengine.hooks import DistSamplerSeedHook
from mmengine.logging import print_log
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from ...datasets.samplers import SeededDefaultSampler, SeededInfiniteSampler
from ...utils.draws import draw_seed, seed_generators


@HOOKS.register_module()
class DrawSeedHook(DistSamplerSeedHook):
    """Let everything that is drawn in a training depend on its seed alone.

    In place of MMEngine's ``DistSamplerSeedHook``, which tells the sampler
    the epoch, as this one does, too::

        default_hooks = dict(sampler_seed=dict(type='DrawSeedHook'))

    Before the training the sampler of the pictures, if it is a
    ``SeededDefaultSampler`` or ``SeededInfiniteSampler``, gets the runner's
    seed, unless ``train_dataloader.sampler.seed`` is set. A run that is
    resumed has that of its checkpoint, so that ``--resume`` is exact without
    ``randomness.seed``, too.

    Before each iteration the global generators of Python, NumPy and PyTorch
    are seeded with the run's seed, the number of the iteration and the rank:
    dropout, samplers of MMDetection and whatever else draws in the step of
    training are the same after ``--resume`` as without a break. Other than
    what is drawn with the picture's own seed they are not the same for
    another number of ranks.
    """

    def before_train(self, runner: Runner) -> None:
        """Give the sampler the seed of the runner, or of its checkpoint."""
        loop = runner.train_loop
        sampler = _seeded_sampler(loop.dataloader)
        seed = _common_seed(runner)
        if (sampler is None or sampler.seed == seed
                or _configured_seed(runner) is not None):
            return
        sampler.reseed(seed)
        print_log(f'pictures are drawn with the seed {seed} of the run',
                  'current')
        # MMEngine 0.10.7 begins to iterate when it builds the loop.
        batches = getattr(loop, 'dataloader_iterator', None)
        if batches is not None and batches._iterator is not None:
            batches._iterator = iter(loop.dataloader)

    def before_train_iter(
            self,
            runner: Runner,
            batch_idx: int,
            data_batch: dict | tuple | list | None = None) -> None:
        """Seed the global generators.

        Args:
            runner: The runner.
            batch_idx: Not used.
            data_batch: Not used.
        """
        seed_generators(
            draw_seed(_common_seed(runner), 'step', runner.iter, get_rank()))


def _seeded_sampler(
    dataloader: DataLoader
) -> SeededDefaultSampler | SeededInfiniteSampler | None:
    """The sampler of pictures, if it is one of ours."""
    # With a batch sampler of one's own, the other is one of PyTorch's.
    for sampler in (dataloader.sampler,
                    getattr(dataloader.batch_sampler, 'sampler', None)):
        if isinstance(sampler, (SeededDefaultSampler, SeededInfiniteSampler)):
            return sampler
    return None


def _common_seed(runner: Runner) -> int:
    """The seed that all ranks have in common."""
    if runner._randomness_cfg.get('diff_rank_seed', False):
        return runner.seed - get_rank()
    return runner.seed


def _configured_seed(runner: Runner) -> int | None:
    """The seed that the config has for the sampler of pictures."""
    loading = runner.cfg.get('train_dataloader')
    sampler = loading.get('sampler') if isinstance(loading, dict) else None
    return sampler.get('seed') if isinstance(sampler, dict) else None
