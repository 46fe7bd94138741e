"""BalancedHardSampler by hand, and its randomness."""
import math

import pytest
import torch
from mmdet.registry import TASK_UTILS

from tinyfaces.models.task_modules import BalancedHardSampler


def location_labels(positives, negatives, neither=0):
    """That many of each, mixed, as int8."""
    labels = torch.tensor([1] * positives + [-1] * negatives + [0] * neither)
    order = torch.randperm(
        len(labels), generator=torch.Generator().manual_seed(0))
    return labels[order].to(torch.int8)


def numbers(labels, chosen):
    """Positives and negatives among the chosen; checks the rest."""
    assert chosen.dtype == torch.int64
    assert len(set(chosen.tolist())) == len(chosen)
    drawn = labels[chosen]
    # Positives come first, and nothing is neither.
    assert drawn.tolist() == sorted(drawn.tolist(), reverse=True)
    assert (drawn != 0).all()
    return (drawn == 1).sum().item(), (drawn == -1).sum().item()


@pytest.mark.parametrize('positives, negatives, wanted', [
    (500, 5000, (128, 128)),
    (129, 129, (128, 128)),
    (128, 128, (128, 128)),
    (3, 5000, (3, 128)),
    (0, 5000, (0, 128)),
    (500, 2, (128, 2)),
    (0, 0, (0, 0)),
])
def test_numbers(positives, negatives, wanted):
    """Nothing makes up for what is short."""
    labels = location_labels(positives, negatives, 100)
    chosen = BalancedHardSampler().sample(labels, torch.ones(len(labels)))
    assert numbers(labels, chosen) == wanted


def test_other_numbers():
    labels = location_labels(50, 50)
    for num, fraction, wanted in ((8, .25, (2, 6)), (8, 0, (0, 8)),
                                  (8, 1., (8, 0)), (7, .3, (2, 5))):
        sampler = BalancedHardSampler(num, fraction)
        chosen = sampler.sample(labels, torch.ones(100))
        assert numbers(labels, chosen) == wanted


def test_easy_locations_are_dropped():
    """Below .03, positives and negatives alike, and before the draw."""
    labels = torch.tensor([1, 1, 1, -1, -1, -1, 0], dtype=torch.int8)
    losses = torch.tensor([.029, .03, .5, .01, .0300001, 9., 9.],
                          dtype=torch.float64)
    wanted = [1, 2, 4, 5]
    assert BalancedHardSampler().sample(labels, losses).tolist() == wanted
    for _ in range(20):
        first, second = BalancedHardSampler(2).sample(labels, losses).tolist()
        assert first in (1, 2) and second in (4, 5)


def test_parts_can_be_switched_off():
    labels = location_labels(300, 900, 50)
    losses = torch.rand(1250, generator=torch.Generator().manual_seed(1)) / 10
    hard = losses >= .03

    def sizes(**options):
        chosen = BalancedHardSampler(**options).sample(labels, losses)
        return numbers(labels, chosen), bool(hard[chosen].all())

    assert sizes() == ((128, 128), True)
    assert sizes(min_loss=None) == ((128, 128), False)
    assert sizes(balanced=False) == (((hard & (labels == 1)).sum(),
                                      (hard & (labels == -1)).sum()), True)
    assert sizes(balanced=False, min_loss=None) == ((300, 900), False)


def test_draw_is_uniform():
    """Every location has the same chance, however large its loss is."""
    labels = location_labels(20, 60)
    losses = torch.linspace(.04, 5, 80)
    sampler = BalancedHardSampler(20)
    torch.manual_seed(0)
    counts = torch.zeros(80)
    for _ in range(1000):
        counts[sampler.sample(labels, losses)] += 1
    # 10 of 20 and 10 of 60; five standard deviations.
    assert (counts[labels == 1] / 1000 - 1 / 2).abs().max() < .08
    assert (counts[labels == -1] / 1000 - 1 / 6).abs().max() < .06


def test_draws_follow_the_seed():
    labels, losses = location_labels(500, 500), torch.ones(1000)
    results = []
    for seed in 3, 3, 4:
        torch.manual_seed(seed)
        results.append(BalancedHardSampler().sample(labels, losses))
    assert torch.equal(results[0], results[1])
    assert not torch.equal(results[0], results[2])


def test_loss_that_is_no_number_shows():
    labels = torch.tensor([1, -1, -1], dtype=torch.int8)
    losses = torch.tensor([math.nan, math.nan, 0.])
    assert BalancedHardSampler().sample(labels, losses).tolist() == [0, 1]


def test_bad_arguments():
    for options in (dict(num=0), dict(pos_fraction=1.2), dict(min_loss=-1.),
                    dict(min_loss=math.nan)):
        with pytest.raises(ValueError, match=next(iter(options))):
            TASK_UTILS.build(dict(type='BalancedHardSampler', **options))
    with pytest.raises(ValueError, match='length'):
        BalancedHardSampler().sample(torch.ones(3), torch.ones(4))
