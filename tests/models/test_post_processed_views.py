"""Steps that need features, behind a multi-scale test."""
import copy

import mmcv
import numpy as np
import pytest
import torch
from linear_ellipses import random_regressor
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from post_processed import build, wrapped_cfg
from tiny_detector import RETINANET

from tinyfaces.ellipses import join_features, widen_boxes

NMS = dict(nms=dict(type='nms', iou_threshold=.4), max_per_img=750)
SAMPLER = dict(type='FeatureSampler', source='neck', level_scale=4.)


def multi_scale(*scales, tta_cfg=NMS, **kwargs):
    return dict(
        type='MultiScaleTestModel',
        module=RETINANET,
        tta_cfg=tta_cfg,
        plan=dict(
            type='ScalePlan',
            scales=[dict(scale=s, **kwargs) for s in scales]))


def picture(height=90, width=130):
    pixels = np.random.default_rng(5).integers(0, 256, (height, width, 3),
                                               np.uint8)
    return mmcv.imresize(pixels[::6, ::6], (width, height))


def data_of(pixels, factor=1.):
    """A batch of one picture, enlarged."""
    height, width = pixels.shape[:2]
    size = int(width * factor), int(height * factor)
    seen = mmcv.imresize(pixels, size) if factor != 1 else pixels
    sample = DetDataSample(
        metainfo=dict(
            img_shape=size[::-1],
            ori_shape=(height, width),
            scale_factor=(factor, factor),
            flip=False,
            flip_direction=None))
    inputs = torch.from_numpy(np.ascontiguousarray(seen.transpose(2, 0, 1)))
    return dict(inputs=[inputs], data_samples=[sample])


@torch.no_grad()
def test_ellipses_are_of_the_view_that_a_box_comes_from(folder):
    model = build(
        wrapped_cfg(folder, 'neck.npz', detector=multi_scale(1, 2)), folder)
    found = model.test_step(data_of(picture()))[0].pred_instances
    view = build(wrapped_cfg(folder, SAMPLER), folder)
    views = [
        view.test_step(data_of(picture(), factor))[0].pred_instances
        for factor in (1, 2)
    ]
    boxes = torch.cat([each.bboxes for each in views])
    owner = torch.cdist(found.bboxes, boxes).argmin(dim=1)
    torch.testing.assert_close(boxes[owner], found.bboxes)
    # Both views have given some.
    assert 5 < (owner < len(views[0])).sum() < len(found) - 5
    features = torch.cat([each.features for each in views])[owner]
    torch.testing.assert_close(found.features, features, rtol=1e-3, atol=1e-4)
    boxes = widen_boxes(found.bboxes)
    np.testing.assert_allclose(
        found.ellipses,
        random_regressor(66).predict(
            join_features(boxes, (130, 90), features), boxes),
        rtol=1e-3,
        atol=1e-2)


@torch.no_grad()
def test_of_one_view_as_without(folder):
    model = build(
        wrapped_cfg(folder, 'neck.npz', detector=multi_scale(1)), folder)
    plain = build(wrapped_cfg(folder, 'neck.npz'), folder)
    found = model.test_step(data_of(picture()))[0].pred_instances
    expected = plain.test_step(data_of(picture()))[0].pred_instances
    assert len(found) > 10
    torch.testing.assert_close(found.bboxes, expected.bboxes)
    torch.testing.assert_close(
        found.ellipses, expected.ellipses, rtol=1e-3, atol=1e-3)
    assert list(model.state_dict()) == list(plain.state_dict())


@torch.no_grad()
def test_nothing_found_in_any_view(folder):
    cfg = wrapped_cfg(folder, 'neck.npz', detector=multi_scale(1, 2))
    cfg['detector'] = copy.deepcopy(cfg['detector'])
    cfg['detector']['module']['test_cfg']['score_thr'] = 1.1
    found = build(cfg, folder).test_step(data_of(picture()))[0]
    assert found.pred_instances.ellipses.shape == (0, 5)


@torch.no_grad()
def test_mirrored_views_are_refused(folder):
    model = build(
        wrapped_cfg(folder, 'neck.npz', detector=multi_scale(1, flip=True)),
        folder)
    with pytest.raises(ValueError, match='leave mirrored views out'):
        model.test_step(data_of(picture()))


def test_what_views_cannot_give_is_noticed_at_once(folder):
    voting = multi_scale(
        1, tta_cfg=dict(voting=dict(iou_threshold=.5), max_per_img=9))
    with pytest.raises(ValueError, match='joins views by nms'):
        MODELS.build(wrapped_cfg(folder, 'neck.npz', detector=voting))
    with pytest.raises(ValueError, match='one kind.*False.*True'):
        MODELS.build(
            wrapped_cfg(
                folder,
                'neck.npz',
                dict(SAMPLER, all_levels=True),
                detector=multi_scale(1)))
    # One kind for two steps is enough.
    MODELS.build(
        wrapped_cfg(folder, 'neck.npz', SAMPLER, detector=multi_scale(1)))
