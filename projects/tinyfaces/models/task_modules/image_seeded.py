"""Samples of boxes whose draws are the picture's own."""
import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from mmdet.models.dense_heads.base_dense_head import BaseDenseHead
from mmdet.models.task_modules.assigners import AssignResult
from mmdet.models.task_modules.samplers import RandomSampler, SamplingResult
from mmdet.registry import TASK_UTILS
from mmengine.structures import InstanceData
from torch import Tensor

from ...utils.draws import draw_seed


def picture_seeds(instances: InstanceData,
                  purpose: str) -> random.Random | None:
    """Seeds of what is drawn for a picture.

    Args:
        instances: The faces of the picture. ``draw_seed`` in their meta
            information comes from
            :class:`~tinyfaces.datasets.FaceDataset` and a seeded sampler of
            pictures.
        purpose: What is drawn; each has seeds of its own.

    Returns:
        random.Random | None: None if there is no ``draw_seed``.
    """
    seed = instances.get('draw_seed')
    return None if seed is None else random.Random(draw_seed(seed, purpose))


def next_generator(
        seeds: random.Random | None,
        device: torch.device | str = 'cpu') -> torch.Generator | None:
    """A generator with the next seed.

    Args:
        seeds: None for draws from the device's global generator.
        device: Where it draws.

    Returns:
        torch.Generator | None: None for the global generator, as functions of
        PyTorch take it.
    """
    # Made for each draw. A torch.Generator is bound to one device, and older
    # PyTorch cannot copy it, and the model with it.
    if seeds is None:
        return None
    return torch.Generator(device).manual_seed(seeds.getrandbits(32))


class ImageSeeded:
    """What samplers of boxes with draws of the picture's own have in common.

    Where the faces have a ``draw_seed``, draws follow from it; so they are
    the same for any number of ranks and after ``--resume``. Heads of anchors
    and each stage of a RoI head have draws of their own. Without a
    ``draw_seed`` the base sampler draws as ever.

    A subclass is derived from this first and the sampler second, and draws
    from :meth:`_generator`.

    Args:
        context: The head, which MMDetection passes to all samplers.
        *args: Of the base sampler.
        **kwargs: Of the base sampler.
    """

    def __init__(self, *args, context: object = None, **kwargs) -> None:
        super().__init__(*args, context=context, **kwargs)
        if isinstance(context, BaseDenseHead):
            self._purpose = 'anchors'
        else:
            # As CascadeRoIHead has it when it builds the stage's sampler.
            stage = getattr(context, 'current_stage', 0)
            self._purpose = f'regions {stage}'
        self._seeds = None

    def sample(self, assign_result: AssignResult, pred_instances: InstanceData,
               gt_instances: InstanceData, **kwargs) -> SamplingResult:
        """Sample positives and negatives.

        Args:
            assign_result: Of n boxes.
            pred_instances: Has ``priors``, shape (n, 4).
            gt_instances: Faces; may have ``draw_seed`` in their meta
                information.
            **kwargs: Of the base sampler.

        Returns:
            SamplingResult: That of the base sampler.
        """
        with self._drawing_for(gt_instances):
            return super().sample(assign_result, pred_instances, gt_instances,
                                  **kwargs)

    @contextmanager
    def _drawing_for(self, gt_instances: InstanceData) -> Iterator[None]:
        """Take seeds from a picture, unless there are others already."""
        before = self._seeds
        if before is None:
            self._seeds = picture_seeds(gt_instances, self._purpose)
        try:
            yield
        finally:
            self._seeds = before

    def _generator(self, device: torch.device | str) -> torch.Generator | None:
        """Source of the next draw; None for the global generator."""
        return next_generator(self._seeds, device)


@TASK_UTILS.register_module()
class SeededRandomSampler(ImageSeeded, RandomSampler):
    """``RandomSampler`` whose draws are the picture's own.

    Args and what it does: see :class:`ImageSeeded` and ``RandomSampler``.
    Without a ``draw_seed`` it draws what ``RandomSampler`` does.
    """

    def random_choice(self, gallery: Tensor | np.ndarray | list,
                      num: int) -> Tensor | np.ndarray:
        """Pick some at random, none twice.

        Args:
            gallery: To pick from, shape (n, ).
            num: How many, at most n.

        Returns:
            Tensor | np.ndarray: A tensor if the gallery is one.
        """
        # On the CPU, as RandomSampler does: the same for all devices.
        generator = self._generator('cpu')
        if generator is None:
            return super().random_choice(gallery, num)
        picked = torch.randperm(len(gallery), generator=generator)[:num]
        if isinstance(gallery, Tensor):
            return gallery[picked.to(gallery.device)]
        return np.asarray(gallery)[picked.numpy()]
