"""SelectiveRefineHead: its layers, options, and RetinaHead as a case."""
import copy
import math

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import ConfigDict
from refine_models import (STRIDES, WITHOUT_STEPS, build, model_config,
                           noisy_maps, sample, small_head, total)

from tinyfaces.models import RFEBlock


@pytest.mark.parametrize('neck', ['FPN', 'RefineFPN'])
def test_without_steps_it_is_the_baseline(neck):
    """Same state dict: loss and boxes to 1e-6, with and without faces."""
    baseline = model_config('retinanet_face')
    ours = model_config(**WITHOUT_STEPS)
    ours.bbox_head.loss_cls = baseline.bbox_head.loss_cls
    ours.feature_supervision = None
    ours.test_cfg = baseline.test_cfg
    if neck == 'FPN':
        ours.neck = copy.deepcopy(baseline.neck)
    else:
        ours.neck.update(
            p6_from='p5', upsample_cfg=dict(mode='nearest'), first_step=False)
    baseline, ours = build(baseline), build(ours)
    torch.nn.init.normal_(baseline.bbox_head.retina_cls.weight, std=5.)
    ours.load_state_dict(baseline.state_dict())
    images = torch.rand(2, 3, 128, 128)
    faces = [[5, 6, 14, 16], [20, 20, 60, 70], [70, 60, 125, 127]]
    for samples in ([sample(faces, size=128),
                     sample(size=128)], [sample(size=128)] * 2):
        one, two = (m.train().loss(images, samples) for m in (baseline, ours))
        for name in ('loss_cls', 'loss_bbox'):
            assert two[name].item() == pytest.approx(
                sum(one[name]).item(), rel=1e-6, abs=1e-6)
        one, two = ([
            s.pred_instances
            for s in m.eval().predict(images, copy.deepcopy(samples))
        ] for m in (baseline, ours))
        for a, b in zip(one, two):
            assert len(a) == len(b) > 0
            torch.testing.assert_close(a.bboxes, b.bboxes, atol=1e-6, rtol=0)
            torch.testing.assert_close(a.scores, b.scores, atol=1e-6, rtol=0)


def test_gradients_of_the_baseline():
    """Of the same loss, in all parameters."""
    options = dict(WITHOUT_STEPS, stacked_convs=2)
    ours = small_head(**options)
    config = dict(
        type='RetinaHead',
        num_classes=1,
        in_channels=8,
        feat_channels=8,
        stacked_convs=2,
        anchor_generator=dict(
            type='AnchorGenerator',
            scales=[2.0, 2.0 * 2.0**0.5],
            ratios=[1.25],
            strides=list(STRIDES),
            center_offset=0.5),
        loss_cls=dict(type='FocalLoss', use_sigmoid=True),
        loss_bbox=dict(type='SmoothL1Loss', beta=1 / 9),
        train_cfg=ConfigDict(
            assigner=dict(
                type='StreamingMaxIoUAssigner', pos_iou_thr=.5,
                neg_iou_thr=.4),
            allowed_border=-1,
            pos_weight=-1))
    baseline = MODELS.build(config)
    baseline.load_state_dict(ours.state_dict())
    x = noisy_maps()[:3]
    for head in (ours, baseline):
        total(head.loss(x, [sample([[5, 6, 14, 16]]), sample()])).backward()
    for (name, one), two in zip(ours.named_parameters(),
                                baseline.parameters()):
        torch.testing.assert_close(one.grad, two.grad, msg=name)


@pytest.mark.parametrize('rfe, kernel, parameters', [(False, 3, 4743690),
                                                     (True, 3, 2811402),
                                                     (True, 1, 2790922)])
def test_parameters_at_256_channels(rfe, kernel, parameters):
    """Two towers of four 3x3 (590,080 each), or of two and RFE (214,016)."""
    head = small_head(
        in_channels=256, feat_channels=256, rfe=rfe, predictor_kernel=kernel)
    assert sum(p.numel() for p in head.parameters()) == parameters
    kinds = [type(conv).__name__ for conv in head.cls_convs]
    assert kinds == (['ConvModule', 'RFEBlock', 'ConvModule']
                     if rfe else ['ConvModule'] * 4)


def test_one_block_instead_of_two_convolutions():
    head = small_head(stacked_convs=2)
    assert [type(c) for c in head.reg_convs] == [RFEBlock]


def test_initialisation():
    """Xavier everywhere, RFE included, but for the class predictor."""
    head = small_head(in_channels=32, feat_channels=32)
    for name, parameter in head.named_parameters():
        if name == 'retina_cls.bias':
            assert parameter.tolist() == pytest.approx([-math.log(99)] * 2)
        elif name == 'retina_cls.weight':
            assert .008 < parameter.std() < .012
        elif name.endswith('bias'):
            assert not parameter.any()
        else:
            outs, ins, height, width = parameter.shape
            bound = (6 / ((ins + outs) * height * width))**.5
            assert .8 * bound < parameter.abs().max() <= bound, name


def test_output_of_all_levels():
    """Tensor mode: second step of each level, first where there is one."""
    head = small_head(stc_levels=(1, 0), str_levels=(2, ))
    outputs = head(noisy_maps())
    assert [[tuple(m.shape) for m in maps] for maps in outputs
            ] == [[(2, 2, 16, 16), (2, 2, 8, 8), (2, 2, 4, 4)],
                  [(2, 8, 16, 16), (2, 8, 8, 8), (2, 8, 4, 4)],
                  [(2, 2, 16, 16), (2, 2, 8, 8)], [(2, 8, 4, 4)]]


def test_both_steps_share_the_towers():
    """The same maps in both steps give the same output."""
    head = small_head(stc_levels=(0, 1, 2), str_levels=(0, 1, 2))
    scores, deltas, first_scores, first_deltas = head(noisy_maps())
    assert all(torch.equal(*pair) for pair in zip(scores, first_scores))
    assert all(torch.equal(*pair) for pair in zip(deltas, first_deltas))


def test_first_step_maps_that_are_not_needed():
    """None on level 1; with no levels, second-step maps alone."""
    x = noisy_maps()
    whole = small_head()(x)
    x[1] = None
    assert len(small_head()(x)) == len(whole)
    assert len(small_head(**WITHOUT_STEPS)(x[3:])[0]) == 3


@pytest.mark.parametrize('x, message', [
    (noisy_maps()[:3], r'first-step maps on levels \[0, 2\]'),
    ([None] * 3 + noisy_maps()[:3], r'neck.first_step=\[0, 2\]'),
    (noisy_maps()[:4], 'needs 3 second-step maps'),
])
def test_missing_maps(x, message):
    with pytest.raises(ValueError, match=message):
        small_head()(x)


@pytest.mark.parametrize('options, message', [
    (dict(stc_levels=(3, )), 'stc_levels'),
    (dict(str_levels=(-1, )), 'str_levels'),
    (dict(predictor_kernel=5), 'predictor_kernel'),
    (dict(stacked_convs=3), 'stacked_convs must be even'),
    (dict(stacked_convs=2, in_channels=4), 'in_channels must be'),
    (dict(margin_steps=('third', )), 'margin_steps'),
    (dict(loss_cls=dict(type='CrossEntropyLoss')), 'use_sigmoid'),
    (dict(
        train_cfg=dict(
            assigner=dict(
                type='StreamingMaxIoUAssigner', pos_iou_thr=.5,
                neg_iou_thr=.4))), 'first_assigner'),
    (dict(
        train_cfg=dict(
            assigner=dict(
                type='StreamingMaxIoUAssigner', pos_iou_thr=.5,
                neg_iou_thr=.4),
            sampler=dict(type='RandomSampler', num=8, pos_fraction=.5))),
     'sampler'),
])
def test_bad_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        small_head(**options)
