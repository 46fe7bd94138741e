"""Sparse matching against TwoPassAssigner on all anchors."""
import importlib
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmdet.models.task_modules.prior_generators import (
    AnchorGenerator, LegacyAnchorGenerator)
from mmengine.structures import InstanceData

from tinyfaces.models import TwoPassAssigner

TOOLS = Path(__file__).parents[2] / 'tools'
# Columns that are stretched, rows further apart, two ratios
ODD = dict(strides=[(8, 4), (4, 12)], scales=[1.5, 4], ratios=[.5, 1.25])
LAYOUTS = [
    dict(strides=[16], scales=[1, 2, 4], ratios=[1.]),
    dict(strides=[4, 8, 16, 32], scales=[4], ratios=[1.]),
    dict(strides=[4], scales=[4, 8, 16], ratios=[1.]), ODD
]
# Whole numbers give ties and thresholds that are met exactly.
SIDES = st.one_of(st.integers(1, 70).map(float), st.floats(.3, 70))
PLACES = st.one_of(st.integers(-20, 90).map(float), st.floats(-20, 90))
BOXES = st.lists(st.tuples(PLACES, PLACES, SIDES, SIDES), max_size=12).map(
    lambda rows: np.array(rows, np.float32).reshape(-1, 4))


@pytest.fixture(scope='module')
def module():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(TOOLS))
        yield importlib.import_module('_tiled_anchors')


def xyxy(boxes):
    return np.hstack((boxes[:, :2], boxes[:, :2] + boxes[:, 2:]))


def dense(generator, assigner, faces, ignored, size):
    """All anchors and what the assigner says of each."""
    maps = [(-(-size[0] // y), -(-size[1] // x)) for x, y in generator.strides]
    priors = torch.cat(generator.grid_priors(maps, device='cpu'))
    result = assigner.assign(
        InstanceData(priors=priors),
        InstanceData(
            bboxes=torch.from_numpy(faces),
            labels=torch.zeros(len(faces), dtype=torch.long)),
        InstanceData(bboxes=torch.from_numpy(ignored)))
    return priors.numpy(), result.gt_inds.numpy()


@settings(max_examples=100, deadline=None)
@given(
    faces=BOXES,
    ignored=BOXES,
    layout=st.sampled_from(LAYOUTS),
    offset=st.sampled_from([0, .5]),
    thresholds=st.sampled_from([(.6, .4), (.5, .5), (1 / 3, .2)]),
    all_matches=st.booleans(),
    of_anchor=st.booleans(),
    ignore=st.sampled_from([-1, .3, .5]),
    size=st.tuples(st.integers(1, 90), st.integers(1, 90)))
def test_is_the_assigner(module, faces, ignored, layout, offset, thresholds,
                         all_matches, of_anchor, ignore, size):
    faces, ignored = xyxy(faces), xyxy(ignored)
    generator = AnchorGenerator(**layout, center_offset=offset)
    assigner = TwoPassAssigner(
        *thresholds,
        all_matches=all_matches,
        ignore_iof_thr=ignore,
        ignore_wrt_candidates=of_anchor)
    priors, expected = dense(generator, assigner, faces, ignored, size)
    tiled = module.TiledAnchors(generator)
    labels = tiled.label(assigner, faces, ignored, size)

    gt_inds = np.zeros(len(priors), int)
    gt_inds[labels.anchors] = np.where(labels.faces < 0, -1, labels.faces + 1)
    assert gt_inds.tolist() == expected.tolist()
    assert (np.diff(labels.anchors) > 0).all()
    # The kinds are those of the anchors with these indices.
    sides = priors[labels.anchors, 2:] - priors[labels.anchors, :2]
    base = tiled.base[labels.kinds]
    assert np.allclose(sides, base[:, 2:] - base[:, :2], atol=1e-4)
    assert tiled.totals(size).sum() == len(priors)

    groups = np.arange(len(tiled.base)) % 2
    counts = module.count_anchors(tiled, assigner, groups, 3, faces, ignored,
                                  size)
    assert counts.shape == (2, 3) and not counts[:, 2].any()
    assert counts.sum(axis=1).tolist() == [(expected > 0).sum(),
                                           (expected == 0).sum()]


def test_crowd(module):
    """1,000 faces and 100 ignored ones on 360x480 pixels."""
    rng = np.random.default_rng(0)
    places = rng.uniform(-10, 480, (1100, 2))
    sides = np.exp(rng.uniform(np.log(6), np.log(120), (1100, 1)))
    boxes = np.hstack((places, places + sides * rng.uniform(.8, 1.2, (1100, 2))
                       )).astype(np.float32)
    faces, ignored = boxes[:1000], boxes[1000:]
    generator = AnchorGenerator(
        strides=[4], scales=[4, 8, 16, 32], ratios=[1.], center_offset=0)
    assigner = TwoPassAssigner(ignore_iof_thr=.5)
    _, expected = dense(generator, assigner, faces, ignored, (360, 480))
    labels = module.TiledAnchors(generator).label(assigner, faces, ignored,
                                                  (360, 480))
    gt_inds = np.zeros_like(expected)
    gt_inds[labels.anchors] = np.where(labels.faces < 0, -1, labels.faces + 1)
    assert (gt_inds == expected).all()
    assert (expected > 0).sum() > 1000 and (expected < 0).sum() > 1000


def test_counts_by_hand(module):
    """Anchors of 16 every 16 pixels, and of 32 every 32, on 64x64.

    The first face is an anchor of 16. The second lies by half on each of two
    anchors of 32, which overlap it by 1/3: to a lower threshold of .3 both
    are candidates, and it takes the first. An ignored face hides one anchor
    of 16.
    """
    tiled = module.TiledAnchors(
        AnchorGenerator(
            strides=[16, 32], scales=[1], ratios=[1.], center_offset=.5))
    faces = np.array([[0, 48, 16, 64], [16, 0, 48, 32]], np.float32)
    ignored = np.array([[48, 48, 60, 64]], np.float32)
    assigner = TwoPassAssigner(.6, .3, ignore_iof_thr=.5)
    groups = np.array([0, 1])
    counts = module.count_anchors(tiled, assigner, groups, 2, faces, ignored,
                                  (64, 64))
    # The face of 32x32 covers two anchors of 16 by 1/4 each: background.
    assert counts.tolist() == [[1, 1], [14, 2]]
    assigner = TwoPassAssigner(.6, .3, all_matches=True)
    counts = module.count_anchors(tiled, assigner, groups, 2, faces, ignored,
                                  (64, 64))
    assert counts.tolist() == [[1, 2], [15, 2]]


def test_thresholds_that_are_met_exactly(module):
    """Faces of twice and of four times an anchor's area that contain it."""
    tiled = module.TiledAnchors(
        AnchorGenerator(
            strides=[64], scales=[.25], ratios=[1.], center_offset=.5))
    # Anchors from 24 to 40 and, 64 further on, from 88 to 104
    faces = np.array([[24, 24, 40, 56], [88, 8, 104, 72]], np.float32)
    none = np.zeros((0, 4), np.float32)
    assigner = TwoPassAssigner(.5, .25)
    labels = tiled.label(assigner, faces, none, (64, 128))
    # The first in the first pass, the second in the second
    assert labels.anchors.tolist() == [0, 1]
    assert labels.faces.tolist() == [0, 1]
    # A face that is the second anchor takes it from the second face.
    faces = np.vstack((faces, np.array([[88, 24, 104, 40]], np.float32)))
    labels = tiled.label(assigner, faces, none, (64, 128))
    assert labels.faces.tolist() == [0, 2]


def test_first_pass_takes_all_at_the_threshold(module):
    """A face as large as two anchors overlaps both by 1/2."""
    tiled = module.TiledAnchors(
        AnchorGenerator(
            strides=[32], scales=[1], ratios=[1.], center_offset=.5))
    face = np.array([[0, 0, 64, 32]], np.float32)
    none = np.zeros((0, 4), np.float32)
    for high, expected in ((.5, [0, 0]), (.51, [0, -1])):
        # Of equal faces the first has all.
        for faces in (face, np.vstack((face, face))):
            labels = tiled.label(
                TwoPassAssigner(high, .25), faces, none, (32, 64))
            assert labels.anchors.tolist() == [0, 1]
            assert labels.faces.tolist() == expected


def test_other_generators(module):
    generator = LegacyAnchorGenerator(strides=[8], scales=[1], ratios=[1.])
    with pytest.raises(ValueError, match='LegacyAnchorGenerator'):
        module.TiledAnchors(generator)
