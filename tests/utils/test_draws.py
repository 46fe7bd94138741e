"""Seeds of draws, and indices that know theirs."""
import copy
import pickle
import random

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyfaces.utils.draws import (Draw, draw_seed, seed_generators,
                                   seeded_draws)

parts = st.one_of(
    st.integers(-2**70, 2**70), st.text(max_size=5), st.sampled_from(['1']))


def numbers():
    """One draw of each generator."""
    return random.random(), np.random.random(), torch.rand(()).item()


def test_seeds_are_the_same_everywhere():
    """Written down once; another value would be other trainings."""
    assert draw_seed(0, 0, 0) == 5928909249620920657
    assert draw_seed(5, 'step', 12, 1) == 3323999451128772679
    assert draw_seed('Gesichter: äöü', -1) == 175107970810167943


@settings(max_examples=50, deadline=None)
@given(keys=st.lists(st.lists(parts, max_size=3), max_size=6))
def test_keys_differ_and_so_do_seeds(keys):
    different = {tuple((type(p), p) for p in key): key for key in keys}
    seeds = [draw_seed(*key) for key in different.values()]
    assert len(set(seeds)) == len(different)
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_neighbours_have_nothing_in_common():
    """Every bit is set in half of the seeds; five standard deviations."""
    seeds = np.array([draw_seed(0, 0, key) for key in range(4000)])
    bits = (seeds[:, None] >> np.arange(63)) & 1
    assert (abs(bits.mean(axis=0) - .5) < 5 * .5 / 4000**.5).all()


def test_kinds_of_keys():
    assert draw_seed(np.int64(3), True) == draw_seed(3, 1)
    assert draw_seed(Draw(3, 0, 0)) == draw_seed(3) != draw_seed('3')
    for other in (1.5, None, b'1', torch.rand(1)):
        with pytest.raises(TypeError):
            draw_seed(0, other)


def test_global_generators_are_put_back():
    seed_generators(1)
    before = numbers()
    seed_generators(1)
    with seeded_draws(2**63 - 1):
        first = numbers()
        with seeded_draws(4):
            inner = numbers()
        second = numbers()
    assert numbers() == before
    with seeded_draws(2**63 - 1):
        assert [numbers(), numbers()] == [first, second]
    with seeded_draws(4):
        assert numbers() == inner
    assert len({before, first, second, inner}) == 4


def test_also_after_an_error():
    seed_generators(1)
    before = numbers()
    seed_generators(1)
    with pytest.raises(OSError, match='no picture'):
        with seeded_draws(7):
            numbers()
            raise OSError('no picture')
    assert numbers() == before


def test_devices_are_seeded_for_a_step_only(monkeypatch):
    seeds = []
    monkeypatch.setattr(torch.cuda, 'manual_seed_all', seeds.append)
    monkeypatch.setattr(torch.cuda, '_is_in_bad_fork', lambda: False)
    with seeded_draws(7):
        numbers()
    assert seeds == []
    seed_generators(8)
    assert seeds == [8]


@settings(max_examples=100, deadline=None)
@given(
    value=st.integers(-50, 50),
    other=st.integers(1, 20),
    key=st.one_of(st.none(), st.integers(0, 9)))
def test_a_draw_is_an_index(value, other, key):
    draw = Draw(value, 3, 4, key)
    assert draw == value and hash(draw) == hash(value)
    assert (draw % other, draw - other) == (value % other, value - other)
    kept = value if key is None else key
    for each in (draw, draw % other, draw - other, copy.deepcopy(draw),
                 pickle.loads(pickle.dumps(draw)),
                 pickle.loads(pickle.dumps(draw - other, protocol=2))):
        assert isinstance(each, Draw)
        assert (each.seed, each.epoch, each.key) == (3, 4, kept)
        assert each.draw_seed() == draw_seed(3, 4, kept)
    assert not isinstance(draw + other, Draw)
    assert list(range(100))[draw] == list(range(100))[value]


def test_a_draw_among_other_numbers():
    draw = Draw(7, 0, 0)
    assert draw - 1.5 == 5.5 and draw % 1.5 == 1.
    assert 10 - draw == 3 and 10 % draw == 3
    with pytest.raises(TypeError):
        draw - 'a'
    assert type(int(draw)) is int
