"""Ellipses behind TinyFaces, from the features that its head sees."""
import numpy as np
import pytest
import torch
from linear_ellipses import random_regressor
from mmdet.registry import MODELS
from mmengine.config import ConfigDict
from post_processed import batch

from tinyfaces.ellipses import (FeatureSampling, join_features,
                                save_ellipse_regressor, widen_boxes)
from tinyfaces.models import PostProcessedDetector

CHANNELS = {4: 64, 8: 128, 16: 256}
TEMPLATES = [
    dict(width=40, height=50, scale=1., role='A'),
    dict(width=20, height=24, scale=2., role='B'),
    dict(width=70, height=90, scale=.5)
]
SAMPLER = dict(type='FeatureSampler', source='backbone', all_levels=True)


def tiny_faces(strides=(8, 16), **test_cfg):
    """A small one with random weights in every layer."""
    torch.manual_seed(0)
    model = MODELS.build(
        ConfigDict(
            type='TinyFaces',
            data_preprocessor=dict(
                type='DetDataPreprocessor', mean=[120.] * 3, std=[60.] * 3),
            backbone=dict(
                type='ResNet',
                depth=18,
                num_stages=3,
                strides=(1, 2, 2),
                dilations=(1, 1, 1),
                out_indices=[(4, 8, 16).index(s) for s in strides]),
            bbox_head=dict(
                type='TemplateHead',
                in_channels=[CHANNELS[s] for s in strides],
                in_strides=strides,
                prior_generator=dict(
                    type='TemplatePriorGenerator', templates=TEMPLATES)),
            test_cfg=test_cfg))
    for conv in model.bbox_head.predictors.values():
        torch.nn.init.normal_(conv.weight, std=.1)
        torch.nn.init.normal_(conv.bias, std=.1)
    return model.eval()


@torch.no_grad()
@pytest.mark.parametrize('strides', [(8, 16), (4, 8, 16), (16, )])
def test_scores_are_linear_in_the_features(strides):
    """So these are what the head sees, at the cell that has found a box."""
    detector = tiny_faces(
        strides,
        templates='all',
        score_thr=0.,
        score_type='logit',
        regress=False,
        clip=False,
        nms=None)
    model = PostProcessedDetector(detector, dict(post_process=[SAMPLER]))
    for sample in model.eval().test_step(batch()):
        found = sample.pred_instances
        assert len(found) > 400
        assert found.features.shape[1] == sum(CHANNELS[s] for s in strides)
        convs = detector.bbox_head.predictors.values()
        weights = torch.cat([conv.weight[:, :, 0, 0] for conv in convs], dim=1)
        biases = sum(conv.bias for conv in convs)
        own = weights[found.templates]
        torch.testing.assert_close(
            (own * found.features).sum(dim=1) + biases[found.templates],
            found.scores,
            rtol=1e-3,
            atol=1e-3)


@pytest.fixture(scope='module')
def step(tmp_path_factory):
    """Config of the step, with a regressor for the small detector."""
    path = tmp_path_factory.mktemp('tiny') / 'own.npz'
    save_ellipse_regressor(
        random_regressor(128 + 256 + 2, FeatureSampling('backbone', 4., True)),
        path)
    return dict(type='EllipseRegressor', model=str(path))


def check_ellipses(sample, features):
    boxes = widen_boxes(sample.pred_instances.bboxes)
    height, width = sample.ori_shape
    np.testing.assert_allclose(
        sample.pred_instances.ellipses,
        random_regressor(386).predict(
            join_features(boxes, (width, height), features), boxes),
        rtol=1e-3,
        atol=1e-2)


@torch.no_grad()
def test_ellipses(step):
    both = PostProcessedDetector(
        tiny_faces(score_thr=.2), dict(post_process=[SAMPLER, step])).eval()
    for sample in both.test_step(batch()):
        assert len(sample.pred_instances) > 5
        check_ellipses(sample, sample.pred_instances.features)


@torch.no_grad()
@pytest.mark.parametrize('templates', ['A+B', 'B'])
def test_ellipses_of_a_pyramid(step, templates):
    """With ``B`` nothing is looked for at scale 1, not even by the network."""
    views = dict(
        type='MultiScaleTestModel',
        module=tiny_faces(
            score_thr=.2, score_type='logit', templates=templates, nms=None),
        plan=dict(type='ScalePlan', scales=[dict(scale=1.),
                                            dict(scale=2.)]),
        prepare=['fuse_conv_bn', 'channels_last'],
        tta_cfg=dict(nms=dict(type='nms', iou_threshold=.3), max_per_img=None))
    model = PostProcessedDetector(views, dict(post_process=[step])).eval()
    data = batch(factors=(1., 1.))
    for sample in model.test_step(data):
        found = sample.pred_instances
        assert len(found) > 10
        assert set(found.templates.tolist()) == ({0, 1} if templates == 'A+B'
                                                 else {1})
        check_ellipses(sample, found.features)


@torch.no_grad()
def test_nothing_to_look_for(step):
    """No template looks at scale 1."""
    model = PostProcessedDetector(
        tiny_faces(templates='B'), dict(post_process=[SAMPLER, step])).eval()
    for sample in model.test_step(batch(factors=(1., 1.))):
        assert sample.pred_instances.features.shape[0] == 0
        assert sample.pred_instances.ellipses.shape == (0, 5)


@torch.no_grad()
def test_tiles_have_no_features_of_the_whole(step):
    detector = tiny_faces()
    detector.tiling.update(max_pixels=64 * 64, tile=160, halo=16)
    model = PostProcessedDetector(detector, dict(post_process=[step])).eval()
    with pytest.raises(ValueError, match='pictures that need no tiles'):
        model.test_step(batch(((200, 300), ), (1., )))
