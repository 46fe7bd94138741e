import math

import pytest
import torch
from mmdet.registry import MODELS, TASK_UTILS
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from tiny_detector import RETINANET

from tinyfaces.ellipses import FeatureSampling
from tinyfaces.models.task_modules import (FeaturePyramid, FeatureSampler,
                                           Priors, anchor_scale, priors_of)


def sample(boxes, **meta):
    found = DetDataSample(metainfo=meta)
    found.pred_instances = InstanceData(
        bboxes=torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4))
    return found


def ramps(input_shape, strides, offset=0.):
    """Maps whose channels are the level and x and y of the cell's centre."""
    maps = []
    for level, stride in enumerate(strides):
        rows, columns = (math.ceil(side / stride) for side in input_shape)
        y, x = torch.meshgrid(
            torch.arange(rows) + .5, torch.arange(columns) + .5, indexing='ij')
        maps.append(
            torch.stack(
                (torch.full_like(x, level), x * stride + offset, y * stride)))
    return FeaturePyramid(maps, input_shape)


def around(x, y, side):
    return [x - side / 2, y - side / 2, x + side / 2, y + side / 2]


def test_bilinear_at_the_centre_of_the_box():
    step = FeatureSampler(level_scale=4.)
    # Not a centre of a cell: a ramp is reproduced by bilinear interpolation.
    found = step.sample(
        sample([around(50.7, 33.2, 16)]), ramps((128, 128), (4, 8, 16)))
    torch.testing.assert_close(found, torch.tensor([[0., 50.7, 33.2]]))


def test_at_the_border_the_outermost_cell_counts():
    step = FeatureSampler(level_scale=4.)
    found = step.sample(
        sample([around(0, 127.9, 16),
                around(-50, 300, 16)]), ramps((128, 128), (4, 8)))
    torch.testing.assert_close(found, torch.tensor([[0., 2, 126], [0., 2,
                                                                   126]]))


def test_level_by_size_with_geometric_borders():
    step = FeatureSampler(level_scale=4.)
    sides = (1, 22.6, 22.7, 45.2, 45.3, 5000)
    boxes = [around(64, 64, side) for side in sides]
    # A tall box counts by its area.
    boxes.append([64 - 11, 64 - 46, 64 + 11, 64 + 46])
    found = step.sample(sample(boxes), ramps((256, 256), (4, 8, 16)))
    assert found[:, 0].tolist() == [0, 0, 1, 1, 2, 2, 1]


def test_boxes_are_brought_to_the_input():
    step = FeatureSampler(level_scale=4.)
    found = step.sample(
        sample([around(100, 40, 16)], scale_factor=(2., 3.)),
        ramps((256, 512), (4, 8, 16)))
    # 32 x 48 pixels there: between strides 8 (32) and 16 (64).
    torch.testing.assert_close(found, torch.tensor([[1., 200, 120]]))


@pytest.mark.parametrize('shape', [(450, 301), (40, 100), (64, 64)])
def test_strides_of_padded_and_unpadded_inputs(shape):
    pyramid = ramps(shape, (4, 8, 16, 32))
    assert pyramid.strides == [(s, s) for s in (4, 8, 16, 32)]
    floored = FeaturePyramid([
        torch.zeros(1, 451 // 4, 301 // 4),
        torch.zeros(1, 451 // 32, 301 // 32)
    ], (451, 301))
    assert floored.strides == [(4, 4), (32, 32)]
    assert floored.centres == [(2, 2), (16, 16)]


def test_all_levels_one_behind_the_other():
    step = TASK_UTILS.build(
        dict(type='FeatureSampler', source='backbone', all_levels=True))
    assert step.sampling == FeatureSampling('backbone', 4., True)
    pyramid = ramps((128, 128), (4, 8, 16))
    # Levels may have different numbers of channels.
    pyramid.maps[1] = pyramid.maps[1][1:]
    boxes = [around(50.7, 33.2, 16), around(60, 70, 90), around(1, 127.9, 5)]
    found = step.sample(sample(boxes), pyramid)
    torch.testing.assert_close(
        found,
        torch.tensor([[0, 50.7, 33.2, 50.7, 33.2, 2, 50.7, 33.2],
                      [0, 60, 70, 60, 70, 2, 60, 70],
                      [0, 2, 126, 4, 124, 2, 8, 120]]))
    assert step.sample(sample([]), pyramid).shape == (0, 8)


def test_features_of_a_view_are_kept():
    found = sample([around(20, 20, 16)])
    found.pred_instances.features = torch.tensor([[3., 5]])
    FeatureSampler()(found)
    assert found.pred_instances.features.tolist() == [[3, 5]]


def test_none_found():
    step = FeatureSampler()
    found = step.sample(sample([]), ramps((128, 128), (4, 8)))
    assert found.shape == (0, 3)


def test_as_a_step_it_sets_features():
    step = TASK_UTILS.build(dict(type='FeatureSampler', source='backbone'))
    assert step.feature_source == 'backbone'
    found = sample([around(20, 20, 16)])
    step(found, ramps((128, 128), (4, 8)))
    assert found.pred_instances.features.shape == (1, 3)


def test_bad_input():
    with pytest.raises(ValueError, match='level_scale is 0'):
        FeatureSampler(level_scale=0)
    uneven = FeaturePyramid(
        [torch.zeros(3, 8, 8), torch.zeros(5, 4, 4)], (32, 32))
    with pytest.raises(ValueError, match=r'neck have \[3, 5\] channels.*all_'):
        FeatureSampler().sample(sample([]), uneven)
    for all_levels in (False, True):
        with pytest.raises(ValueError, match='leave mirrored views'):
            FeatureSampler(all_levels=all_levels).sample(
                sample([around(20, 20, 16)], flip=True),
                ramps((128, 128), (4, 8)))


def test_scale_of_anchors():
    detector = MODELS.build(RETINANET)
    # Scales 2 and 2 sqrt 2; a ratio does not change the area.
    assert anchor_scale(detector) == pytest.approx(2 * 2**.25, rel=1e-5)
    assert anchor_scale(torch.nn.Identity()) == 4


def test_cells_lie_where_the_priors_do():
    # A level of stride 6 x 5 whose first cell is centred at 1, 2: no power
    # of two, and no half of a stride.
    y, x = torch.meshgrid(torch.arange(20.), torch.arange(30.), indexing='ij')
    maps = [torch.stack((x * 6 + 1, y * 5 + 2))]
    pyramid = FeaturePyramid(maps, (100, 180), Priors([(6, 5)], [(1, 2)]))
    found = FeatureSampler().sample(sample([around(50.7, 33.2, 16)]), pyramid)
    torch.testing.assert_close(found, torch.tensor([[50.7, 33.2]]))


def test_priors_of_heads():
    detector = torch.nn.Module()
    detector.bbox_head = torch.nn.Module()
    for generator, centre in (
        (dict(type='AnchorGenerator', center_offset=0.), 0),
        (dict(type='AnchorGenerator', center_offset=.5), 6),
        (dict(type='MlvlPointGenerator', offset=.25), 3),
    ):
        if generator['type'] == 'AnchorGenerator':
            generator.update(scales=[2], ratios=[.8, 1.25])
        detector.bbox_head.prior_generator = TASK_UTILS.build(
            dict(generator, strides=[12, 24]))
        priors = priors_of(detector, 2)
        assert priors.strides == [(12, 12), (24, 24)]
        torch.testing.assert_close(
            torch.tensor(priors.centres),
            torch.tensor([[centre] * 2, [centre * 2] * 2]).float())
        assert priors_of(detector, 3) is None
    assert priors_of(torch.nn.Identity(), 2) is None


def test_maps_that_a_head_brings_to_one_grid():
    """Cells lie where such a head reads them for the centre of a prior."""
    detector = torch.nn.Module()
    head = detector.bbox_head = torch.nn.Module()
    head.prior_generator = TASK_UTILS.build(
        dict(
            type='AnchorGenerator',
            strides=[8],
            scales=[1],
            ratios=[1.],
            centers=[(.5, .5)]))
    head.in_strides = (4, 8, 16)
    priors = priors_of(detector, 3)
    assert priors_of(detector, 1) is None
    generator = torch.Generator().manual_seed(0)
    maps = [
        torch.rand(channels, 96 // stride, 128 // stride, generator=generator)
        for channels, stride in zip((1, 2, 3), head.in_strides)
    ]
    on_grid = torch.cat([
        maps[0][:, ::2, ::2], maps[1],
        torch.nn.functional.interpolate(
            maps[2][None], scale_factor=2, mode='bilinear')[0]
    ])
    y, x = torch.meshgrid(torch.arange(12), torch.arange(16), indexing='ij')
    boxes = torch.stack((x * 8 - 5, y * 8 - 7, x * 8 + 6, y * 8 + 8), dim=-1)
    found = FeatureSampler(all_levels=True).sample(
        sample(boxes.tolist()), FeaturePyramid(maps, (96, 128), priors))
    torch.testing.assert_close(found, on_grid.flatten(1).T)
