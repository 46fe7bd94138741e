"""Hard locations, as many positive as negative ones."""
import random

import torch
from mmdet.registry import TASK_UTILS
from torch import Tensor

from .image_seeded import next_generator


@TASK_UTILS.register_module()
class BalancedHardSampler:
    """Balanced sampling of hard locations ("Finding Tiny Faces", appendix B,
    "Online hard mining and balanced sampling").

    Locations whose classification loss is small are dropped, positives and
    negatives alike. Of those that are left, at most 128 positives and 128
    negatives of each picture are drawn uniformly without replacement.
    Negatives do not make up for missing positives.

    Each half can be switched off (Table 3): ``min_loss=None`` keeps easy
    locations, ``balanced=False`` takes all that are left.

    Args:
        num: Locations per picture, over all templates together, at most.
        pos_fraction: Of positives in it.
        min_loss: Locations with a smaller loss are dropped; None drops none.
        balanced: Whether to draw ``num``.

    Raises:
        ValueError: An argument is out of range.
    """

    def __init__(self,
                 num: int = 256,
                 pos_fraction: float = .5,
                 min_loss: float | None = .03,
                 balanced: bool = True) -> None:
        if num < 1:
            raise ValueError(f'num must be at least 1, not {num}')
        if not 0 <= pos_fraction <= 1:
            raise ValueError(
                f'pos_fraction must be from 0 to 1, not {pos_fraction}')
        if min_loss is not None and not min_loss >= 0:
            raise ValueError(
                f'min_loss must be None or at least 0, not {min_loss}')
        self.num_positives = round(num * pos_fraction)
        self.num_negatives = num - self.num_positives
        self.min_loss = min_loss
        self.balanced = balanced

    @torch.no_grad()
    def sample(self,
               labels: Tensor,
               losses: Tensor,
               seeds: random.Random | None = None) -> Tensor:
        """Draw locations of one picture.

        A loss that is not a number counts as a hard one: it must show.

        Args:
            labels: 1 positive, -1 negative, 0 neither, (n, ).
            losses: Classification loss of each location, (n, ).
            seeds: Of the picture, see :func:`picture_seeds`; None draws from
                PyTorch's global generator of the device.

        Returns:
            Tensor: Indices of the locations drawn, (m, ) int64: positives,
            then negatives.

        Raises:
            ValueError: Not the same number of labels and losses.
        """
        if labels.shape != losses.shape or labels.dim() != 1:
            raise ValueError(
                'labels and losses must have one and the same length, not '
                f'shapes {tuple(labels.shape)} and {tuple(losses.shape)}')
        chosen = []
        for label, number in ((1, self.num_positives), (-1,
                                                        self.num_negatives)):
            wanted = labels == label
            if self.min_loss is not None:
                wanted &= ~(losses < self.min_loss)
            indices = torch.nonzero(wanted).squeeze(1)
            if self.balanced and len(indices) > number:
                order = torch.randperm(
                    len(indices),
                    generator=next_generator(seeds, indices.device),
                    device=indices.device)
                indices = indices[order[:number]]
            chosen.append(indices)
        return torch.cat(chosen)
