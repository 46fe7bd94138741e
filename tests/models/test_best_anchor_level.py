"""best_anchor_levels against all the anchors."""
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmdet.models.task_modules.prior_generators import AnchorGenerator
from mmdet.structures.bbox import bbox_overlaps

from tinyfaces.models.task_modules import best_anchor_levels

FACES = dict(
    scales=[2., 2. * 2**.5], ratios=[1.25], center_offset=.5)  # yapf: disable


def all_overlaps(boxes, generator, sizes):
    """Largest IoU with the anchors of each level, (k, L)."""
    anchors = generator.grid_priors(sizes, boxes.dtype, device='cpu')
    return torch.stack(
        [bbox_overlaps(boxes, level).amax(dim=1) for level in anchors], dim=1)


def test_by_hand():
    """Anchors of 8 at every 4 pixels, of 16 at every 8: equal shapes win."""
    generator = AnchorGenerator(strides=[4, 8], ratios=[1.], scales=[2.])
    boxes = torch.tensor([
        [0., 0., 8., 8.],  # the second cell's anchor, shifted by 4: (0 ... 8)
        [8., 8., 24., 24.],
        [0., 0., 11., 11.],  # 64 / 121 and 121 / 256
        [90., 90., 95., 95.],  # outside of all
    ])
    levels, ious = best_anchor_levels(boxes, generator, [(8, 8), (4, 4)])
    assert levels.tolist() == [0, 1, 0, 0]
    assert ious.tolist() == pytest.approx([1, 1, 64 / 121, 0])


def test_of_equal_overlaps_the_first_level_wins():
    generator = AnchorGenerator(
        strides=[4, 4], ratios=[1.], scales=[1.], base_sizes=[8, 8])
    boxes = torch.tensor([[3., 1., 9., 12.], [0., 0., 0., 0.]])
    levels, ious = best_anchor_levels(boxes, generator, [(8, 8), (8, 8)])
    assert levels.tolist() == [0, 0]
    assert ious[0] > 0 and ious[1] == 0


@settings(max_examples=100, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    grid=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    offset=st.sampled_from([0., .5]),
    ratios=st.sampled_from([[1.25], [.5, 2.]]),
    whole=st.booleans())
def test_equals_all_anchors(seed, grid, offset, ratios, whole):
    generator = AnchorGenerator(
        strides=[(4, 4), (8, 12), (16, 16)],
        ratios=ratios,
        scales=[1.5, 2. * 2**.5],
        center_offset=offset)
    sizes = [(4 * grid[0], 4 * grid[1]), (2 * grid[0], 2 * grid[1]), grid]
    random = torch.Generator().manual_seed(seed)
    # Some lie beside the maps.
    corner = 100 * torch.rand(30, 2, generator=random).double() - 10
    shape = 60 * torch.rand(30, 2, generator=random).double()**2
    boxes = torch.cat([corner, corner + shape], dim=1)
    if whole:
        boxes = boxes.round()
    levels, ious = best_anchor_levels(boxes, generator, sizes)
    expected = all_overlaps(boxes, generator, sizes)
    torch.testing.assert_close(ious, expected.amax(dim=1))
    torch.testing.assert_close(
        expected.gather(1, levels[:, None])[:, 0], expected.amax(dim=1))
    # Up to rounding no earlier level is as good.
    earlier = torch.arange(3) < levels[:, None]
    assert not (earlier & (expected > ious[:, None] + 1e-9)).any()


def test_anchors_of_the_paper():
    """20 faces of 4 to 400 pixels and all 174,720 anchors of 1024 x 1024."""
    generator = AnchorGenerator(strides=[4, 8, 16, 32, 64, 128], **FACES)
    sizes = [(1024 // s, 1024 // s) for s, _ in generator.strides]
    random = torch.Generator().manual_seed(0)
    sides = 4 * 100**torch.linspace(0, 1, 20).double()[:, None]
    sides = sides * (.8 + .4 * torch.rand(20, 2, generator=random))
    corner = torch.rand(20, 2, generator=random) * (1024 - sides)
    boxes = torch.cat([corner, corner + sides], dim=1)
    levels, ious = best_anchor_levels(boxes, generator, sizes)
    expected, level = all_overlaps(boxes, generator, sizes).max(dim=1)
    assert torch.equal(levels, level)
    assert set(levels.tolist()) == set(range(6))
    torch.testing.assert_close(ious, expected)


def test_no_boxes():
    generator = AnchorGenerator(strides=[4, 8], **FACES)
    levels, ious = best_anchor_levels(
        torch.zeros(0, 4), generator, [(8, 8), (4, 4)])
    assert levels.shape == ious.shape == (0, )
    assert levels.dtype == torch.long


def test_half_precision_is_compared_in_float32():
    generator = AnchorGenerator(strides=[128], **FACES)
    boxes = torch.tensor([[0., 0., 320., 400.]], dtype=torch.float16)
    _, ious = best_anchor_levels(boxes, generator, [(8, 8)])
    assert ious.dtype == torch.float32
    assert .5 < ious.item() < 1


def test_one_map_per_level():
    generator = AnchorGenerator(strides=[4, 8], **FACES)
    with pytest.raises(ValueError, match='1 feature maps.*2 levels'):
        best_anchor_levels(torch.zeros(1, 4), generator, [(8, 8)])
