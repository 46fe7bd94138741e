"""Groups of boxes by scale, by hand and against the nearest logarithm."""
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmdet.models.task_modules import AnchorGenerator
from mmdet.structures.bbox import HorizontalBoxes

from tinyfaces.models.task_modules import group_edges, group_indices

SCALES = (16, 32, 64, 128)


def boxes_of(sides):
    """Boxes of (width, height), somewhere."""
    sides = torch.tensor(sides, dtype=torch.float64).reshape(-1, 2)
    return torch.cat([torch.full_like(sides, 7), sides + 7], dim=1)


def test_edges_are_the_geometric_means():
    assert group_edges(SCALES) == pytest.approx(
        [22.627417, 45.254834, 90.50967])
    assert group_edges([20]) == []


def test_by_hand():
    boxes = boxes_of([(16, 16), (128, 128), (22, 23), (23, 23), (8, 128),
                      (1, 1), (4000, 4000)])
    assert group_indices(boxes, SCALES).tolist() == [0, 3, 0, 1, 1, 0, 3]


def test_border_belongs_to_the_lower_group():
    assert group_indices(boxes_of([(32, 32)]), (16, 64)).tolist() == [0]


def test_boxes_without_area_are_in_the_first_group():
    boxes = torch.tensor([[5., 5, 5, 90], [9, 9, 4, 4], [9, 0, 4, 300]])
    assert group_indices(boxes, SCALES).tolist() == [0, 0, 0]
    assert group_indices(torch.zeros(0, 4), SCALES).tolist() == []


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.floats(1, 500), min_size=2, max_size=2),
    st.lists(st.integers(2, 400), min_size=1, max_size=6, unique=True))
def test_is_the_nearest_scale_as_a_ratio(sides, scales):
    scales = sorted(scales)
    size = math.sqrt(sides[0] * sides[1])
    group = group_indices(boxes_of(sides), scales).item()
    ratios = [abs(math.log(size / scale)) for scale in scales]
    assert ratios[group] == pytest.approx(min(ratios), abs=1e-9)


def test_anchors_get_the_group_of_their_scale():
    """With all scales at each cell, in every number format."""
    generator = AnchorGenerator(
        strides=[4], ratios=[1.], scales=[4, 8, 16, 32], center_offset=0.)
    anchors = generator.grid_priors([(5, 3)], device='cpu')[0]
    wanted = [0, 1, 2, 3] * 15
    for boxes in (anchors, anchors.half(), anchors.bfloat16(),
                  anchors.double(), HorizontalBoxes(anchors)):
        groups = group_indices(boxes, SCALES)
        assert groups.dtype == torch.int64
        assert groups.tolist() == wanted


@pytest.mark.parametrize('scales', [(), (0, 16), (-1, 16), (32, 16), (16, 16),
                                    (16, math.nan)])
def test_bad_scales(scales):
    with pytest.raises(ValueError, match='positive and ascending'):
        group_edges(scales)
    with pytest.raises(ValueError, match='positive and ascending'):
        group_indices(torch.zeros(0, 4), scales)
