"""Convolutions at some cells equal those of the whole map."""
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from tinyfaces.models.dense_heads import sparse_cells
from tinyfaces.models.dense_heads.sparse_cells import cover, on_cells


def random_cells(seed, height, width, count):
    generator = np.random.default_rng(seed)
    wanted = np.zeros((height, width), dtype=bool)
    for _ in range(count):
        y, x = generator.integers(height), generator.integers(width)
        wanted[y:y + generator.integers(1, 4), x:x + 3] = True
    return wanted


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    height=st.integers(1, 70),
    width=st.integers(1, 70),
    count=st.integers(0, 12),
    reach=st.integers(0, 5),
    start=st.sampled_from([0, 1, 100, 10**4]))
def test_cover(seed, height, width, count, reach, start):
    """Each wanted cell is in one rectangle; they cost no more than the map."""
    wanted = random_cells(seed, height, width, count)
    times = np.zeros((height, width), dtype=int)
    rectangles, said = cover(wanted, reach, start)
    cost = 0
    for top, left, bottom, right in rectangles:
        assert 0 <= top < bottom <= height and 0 <= left < right <= width
        times[top:bottom, left:right] += 1
        cost += start + times[max(top - reach, 0):bottom + reach,
                              max(left - reach, 0):right + reach].size
    assert times.max() <= 1
    assert times[wanted].all()
    assert said == cost <= height * width + start
    assert wanted.any() or cost == 0


def test_two_clusters_are_two_rectangles():
    wanted = np.zeros((40, 100), dtype=bool)
    wanted[3:5, 4:9] = wanted[30, 90] = True
    rectangles = [(3, 4, 5, 9), (30, 90, 31, 91)]
    assert cover(wanted, 2) == (rectangles, 6 * 9 + 5 * 5)


def test_clusters_are_joined_when_a_rectangle_costs_much():
    wanted = np.zeros((40, 100), dtype=bool)
    wanted[3:5, 4:9] = wanted[30, 90] = True
    # 32 x 91 cells in one, 6 x 9 and 5 x 5 in two
    assert len(cover(wanted, 2, 1000)[0]) == 2
    assert cover(wanted, 2, 3000) == ([(3, 4, 31, 91)], 32 * 91 + 3000)


def test_dense_cells_are_one_rectangle():
    assert cover(np.ones((40, 100), dtype=bool),
                 2) == ([(0, 0, 40, 100)], 4000)


@pytest.mark.parametrize('seed', range(4))
def test_values_of_the_whole_map(monkeypatch, seed):
    monkeypatch.setattr(sparse_cells, 'START', 0)
    torch.manual_seed(seed)
    tower = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(),
        nn.Conv2d(4, 4, (1, 5), padding=(0, 2)), nn.ReLU(),
        nn.Conv2d(4, 2, 3, padding=1))
    x = torch.randn(2, 3, 50, 41)
    wanted = torch.from_numpy(random_cells(seed, 50, 41, 5))
    seen = []

    def watched(part):
        seen.append(part.shape[-2] * part.shape[-1])
        return tower(part)

    out = on_cells(watched, x, wanted, 4, 2, -7.)
    torch.testing.assert_close(out[..., wanted], tower(x)[..., wanted])
    assert sum(seen) < 50 * 41
    assert (out == -7).any()


def test_whole_map_where_that_is_cheaper():
    """Three channels: a rectangle costs more than these cells."""
    tower = nn.Conv2d(3, 4, 3, padding=1)
    wanted = torch.zeros(50, 41, dtype=torch.bool)
    wanted[3, 4] = True
    x = torch.randn(1, 3, 50, 41)
    assert torch.equal(on_cells(tower, x, wanted, 1, 4, -7.), tower(x))


def test_nothing_wanted():
    wanted = torch.zeros(5, 6, dtype=torch.bool)
    out = on_cells(pytest.fail, torch.zeros(1, 3, 5, 6), wanted, 2, 4, 0.)
    assert out.shape == (1, 4, 5, 6) and not out.any()
