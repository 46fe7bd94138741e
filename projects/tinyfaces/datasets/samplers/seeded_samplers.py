"""Samplers whose indices know the epoch and the seed."""
from collections.abc import Iterator, Sized

from mmdet.registry import DATA_SAMPLERS
from mmengine.dataset import (ConcatDataset, DefaultSampler, InfiniteSampler,
                              RepeatDataset)
from mmengine.runner.runner import _SlicedDataset

from ...utils.draws import Draw
from ..face_dataset import FaceDataset


@DATA_SAMPLERS.register_module()
class SeededDefaultSampler(DefaultSampler):
    """``DefaultSampler`` with which a picture's draws are the picture's own.

    The indices are those of ``DefaultSampler``, in the same order. As
    :class:`~tinyfaces.utils.draws.Draw` they tell the data set the seed and
    the epoch, and :class:`~tinyfaces.datasets.FaceDataset` seeds with these
    and the picture whatever its pipeline draws. The sampled boxes of the
    picture follow from the same seed. So a picture is the same sample for any
    number of ranks and workers, and after ``--resume``.

    Args:
        dataset: A FaceDataset, or several in ``ConcatDataset`` and
            ``RepeatDataset``, which repeats a picture with other draws.
        **kwargs: Of ``DefaultSampler``.

    Raises:
        TypeError: The data set is another one.
    """

    def __init__(self, dataset: Sized, **kwargs) -> None:
        _require_face_datasets(dataset, self)
        super().__init__(dataset, **kwargs)

    def __iter__(self) -> Iterator[Draw]:
        """The indices of an epoch on this rank."""
        seed, epoch = self.seed, self.epoch
        return iter([Draw(at, seed, epoch) for at in super().__iter__()])

    def reseed(self, seed: int) -> None:
        """Draw the epochs from now on with another seed."""
        self.seed = seed


@DATA_SAMPLERS.register_module()
class SeededInfiniteSampler(InfiniteSampler):
    """``InfiniteSampler`` with which a picture's draws are the picture's own.

    As :class:`SeededDefaultSampler`; the epoch is the number of the pass over
    the data set, of all ranks together.

    Args:
        dataset: See :class:`SeededDefaultSampler`.
        **kwargs: Of ``InfiniteSampler``.

    Raises:
        TypeError: The data set is another one.
    """

    def __init__(self, dataset: Sized, **kwargs) -> None:
        _require_face_datasets(dataset, self)
        super().__init__(dataset, **kwargs)

    # Ranks and ``skip`` pick from this.
    def _infinite_indices(self) -> Iterator[Draw]:
        """The indices of all ranks."""
        seed = self.seed
        for number, at in enumerate(super()._infinite_indices()):
            yield Draw(at, seed, number // self.size)

    def reseed(self, seed: int) -> None:
        """Begin anew with another seed."""
        self.seed = seed
        self.indices = self._indices_of_rank()


def _require_face_datasets(dataset: Sized, sampler: object) -> None:
    """Raise unless the indices reach FaceDatasets as they are drawn."""
    if isinstance(dataset, FaceDataset):
        return
    if isinstance(dataset, ConcatDataset):
        for part in dataset.datasets:
            _require_face_datasets(part, sampler)
    elif isinstance(dataset, RepeatDataset):
        _require_face_datasets(dataset.dataset, sampler)
    elif isinstance(dataset, _SlicedDataset):
        _require_face_datasets(dataset._dataset, sampler)
    else:
        name = type(sampler).__name__
        raise TypeError(
            f'{name} cannot give the draws of each picture a seed in a '
            f'{type(dataset).__name__}: it needs a FaceDataset, or several in '
            'ConcatDataset or RepeatDataset. Derive the data set from '
            'FaceDataset, or set '
            f"train_dataloader.sampler.type='{name.removeprefix('Seeded')}', "
            'with which draws depend on the number of processes and workers, '
            'and are others after --resume')
