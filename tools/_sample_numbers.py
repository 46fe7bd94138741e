"""How many anchors of each group a sampler draws, without drawing."""
import numpy as np
from mmdet.models.task_modules.samplers import (BaseSampler, PseudoSampler,
                                                RandomSampler)

from tinyfaces.models.task_modules import (ScaleGroupSampler,
                                           SeededRandomSampler)


def expected_samples(sampler: BaseSampler, positives: np.ndarray,
                     negatives: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The expected numbers of samples; no chance is left in them.

    A random draw from all groups takes of each one, on average, the same part
    (the mean of the multivariate hypergeometric distribution). What a
    ScaleGroupSampler draws of a group is no matter of chance.

    Args:
        sampler: PseudoSampler, RandomSampler, SeededRandomSampler or
            ScaleGroupSampler.
        positives: (pictures, groups), integers, before sampling.
        negatives: The same.

    Returns:
        tuple[np.ndarray, np.ndarray]: float64 (pictures, groups), positives
        and negatives after sampling.

    Raises:
        ValueError: It is another sampler, or one that makes samples of
            ground-truth boxes.
    """
    kind = type(sampler)
    if kind is PseudoSampler:
        return positives.astype(np.float64), negatives.astype(np.float64)
    if kind not in (RandomSampler, SeededRandomSampler, ScaleGroupSampler):
        raise ValueError(
            f'what a {kind.__name__} draws is not known: give a config with '
            'PseudoSampler, RandomSampler, SeededRandomSampler or '
            'ScaleGroupSampler')
    if sampler.add_gt_as_proposals:
        raise ValueError(
            f'the {kind.__name__} adds ground truth to the anchors, which is '
            'for proposals: set add_gt_as_proposals=False')
    if kind is ScaleGroupSampler:
        number = sampler.num_per_group
        most = int(number * sampler.pos_fraction)
        drawn = np.minimum(negatives, number - np.minimum(positives, most))
        filled = np.minimum(positives, number - drawn)
        return filled.astype(np.float64), drawn.astype(np.float64)
    all_positives = positives.sum(axis=1, keepdims=True)
    all_negatives = negatives.sum(axis=1, keepdims=True)
    most = int(sampler.num * sampler.pos_fraction)
    drawn_positives = np.minimum(all_positives, most)
    room = sampler.num - drawn_positives
    if sampler.neg_pos_ub >= 0:
        bound = sampler.neg_pos_ub * np.maximum(1, drawn_positives)
        room = np.minimum(room, bound.astype(np.int64))
    drawn_negatives = np.minimum(all_negatives, room)
    return (positives * (drawn_positives / np.maximum(1, all_positives)),
            negatives * (drawn_negatives / np.maximum(1, all_negatives)))
