import copy

import numpy as np
import pytest
import torch
from linear_ellipses import random_regressor
from mmdet.registry import MODELS, TASK_UTILS
from mmengine.config import ConfigDict
from mmengine.optim import OptimWrapper
from mmengine.structures import InstanceData
from post_processed import assert_same_boxes, batch, build, wrapped_cfg
from tiny_detector import RETINANET

from tinyfaces.ellipses import (FeatureSampling, join_features,
                                save_ellipse_regressor, widen_boxes)
from tinyfaces.models import FeatureSampler, PostProcessedDetector
from tinyfaces.models.task_modules import FeaturePyramid, priors_of


@TASK_UTILS.register_module()
class CountingStep:
    """Writes the number of boxes, and whether it came after another step."""

    def __call__(self, data_sample):
        found = data_sample.pred_instances
        data_sample.set_field(len(found), 'number')
        data_sample.set_field('ellipses' in found, 'after')


def len_of(sample):
    return len(sample.pred_instances)


@torch.no_grad()
@pytest.mark.parametrize('step', ['box.npz', 'neck.npz'])
def test_the_same_boxes_and_ellipses_of_them(folder, step):
    bare = build(RETINANET, folder)
    wrapped = build(
        wrapped_cfg(folder, step, dict(type='CountingStep')), folder)
    expected = bare.test_step(batch())
    for call in (wrapped.test_step, wrapped.val_step):
        found = call(batch())
        assert_same_boxes(found, expected)
        for sample in found:
            assert sample.pred_instances.ellipses.shape == (len_of(sample), 5)
            assert sample.number == len_of(sample) and sample.after
    data = wrapped.data_preprocessor(batch(), False)
    by_mode = wrapped(**data, mode='predict')
    by_name = wrapped.predict(
        *wrapped.data_preprocessor(batch(), False).values())
    for samples in (by_mode, by_name):
        assert_same_boxes(samples, expected)
        for one, other in zip(samples, found):
            torch.testing.assert_close(one.pred_instances.ellipses,
                                       other.pred_instances.ellipses)


@torch.no_grad()
def test_features_are_those_of_the_same_pass(folder):
    wrapped = build(wrapped_cfg(folder, 'neck.npz'), folder)
    passes = []
    wrapped.backbone.register_forward_hook(lambda *_: passes.append(1))
    found = wrapped.test_step(batch())
    assert len(passes) == 1
    # No hook of the tap stays behind.
    assert len(wrapped.backbone._forward_hooks) == 1
    assert not wrapped.backbone._forward_pre_hooks
    assert not wrapped.neck._forward_hooks
    inputs = wrapped.data_preprocessor(batch(), False)['inputs']
    levels = wrapped.extract_feat(inputs)
    sampler = FeatureSampler('neck', 4.)
    for index, sample in enumerate(found):
        pyramid = FeaturePyramid([level[index] for level in levels],
                                 tuple(inputs.shape[-2:]),
                                 priors_of(wrapped, len(levels)))
        own = sampler.sample(sample, pyramid).numpy()
        boxes = widen_boxes(sample.pred_instances.bboxes)
        assert len(np.unique(own, axis=0)) > 1
        features = join_features(boxes, sample.ori_shape[::-1], own)
        np.testing.assert_allclose(
            sample.pred_instances.ellipses,
            random_regressor(66).predict(features, boxes),
            rtol=1e-3,
            atol=1e-3)


@torch.no_grad()
def test_a_picture_alone_as_in_a_batch(folder):
    wrapped = build(wrapped_cfg(folder, 'neck.npz'), folder)
    both = wrapped.test_step(batch())
    for index in (0, 1):
        data = {key: [value[index]] for key, value in batch().items()}
        alone = wrapped.test_step(data)[0].pred_instances
        torch.testing.assert_close(
            alone.ellipses,
            both[index].pred_instances.ellipses,
            rtol=1e-3,
            atol=1e-3)


@torch.no_grad()
def test_nothing_found(folder):
    cfg = wrapped_cfg(folder, 'neck.npz')
    cfg['detector'] = copy.deepcopy(RETINANET)
    cfg['detector']['test_cfg']['score_thr'] = 1.1
    for sample in build(cfg, folder).test_step(batch()):
        assert sample.pred_instances.ellipses.shape == (0, 5)


def test_losses_and_tensors_are_the_detectors(folder):
    bare = build(RETINANET, folder)
    wrapped = build(wrapped_cfg(folder, 'neck.npz'), folder)
    data = batch()
    for sample in data['data_samples']:
        sample.gt_instances = InstanceData(
            bboxes=torch.tensor([[10., 10., 40., 50.]]),
            labels=torch.tensor([0]))
        sample.ignored_instances = InstanceData(
            bboxes=torch.zeros(0, 4), labels=torch.zeros(0).long())
    train_cfg = ConfigDict(
        assigner=dict(type='MaxIoUAssigner', pos_iou_thr=.5, neg_iou_thr=.4),
        sampler=dict(type='PseudoSampler'),
        allowed_border=-1,
        pos_weight=-1)
    for model in (bare, wrapped):
        head = model.bbox_head
        head.train_cfg = train_cfg
        head.assigner = TASK_UTILS.build(train_cfg.assigner)
        head.sampler = TASK_UTILS.build(train_cfg.sampler)
    inputs = wrapped.data_preprocessor(copy.deepcopy(data), False)
    losses = wrapped(**inputs, mode='loss')
    expected = bare(**inputs, mode='loss')
    assert losses.keys() == expected.keys()
    for name in losses:
        torch.testing.assert_close(losses[name], expected[name])
    for one, other in zip(
            wrapped(inputs['inputs'])[0],
            bare(inputs['inputs'])[0]):
        torch.testing.assert_close(one, other)
    before = wrapped.bbox_head.retina_cls.weight.detach().clone()
    optim = OptimWrapper(torch.optim.SGD(wrapped.parameters(), lr=.1))
    assert 'loss' in wrapped.train().train_step(data, optim)
    assert not torch.equal(before, wrapped.bbox_head.retina_cls.weight)


@pytest.mark.parametrize(
    'test_cfg', [{},
                 dict(post_process=[]),
                 dict(post_process=[dict(type='CountingStep')], score_thr=.1)])
def test_test_cfg_has_steps_and_nothing_else(test_cfg):
    with pytest.raises(ValueError, match=r'dict\(post_process=\[...\]\)'):
        PostProcessedDetector(RETINANET, test_cfg)


def test_missing_submodule_is_noticed_at_once(folder):
    save_ellipse_regressor(
        random_regressor(9, FeatureSampling('roi_head', 4.)),
        folder / 'roi.npz')
    with pytest.raises(ValueError, match='RetinaNet has no roi_head'):
        MODELS.build(wrapped_cfg(folder, 'roi.npz'))


@torch.no_grad()
def test_a_network_that_runs_twice_is_noticed(folder):
    wrapped = build(wrapped_cfg(folder, 'neck.npz'), folder)
    run = wrapped.detector.predict

    def twice(*args, **kwargs):
        run(*copy.deepcopy(args), **kwargs)
        return run(*args, **kwargs)

    wrapped.detector.predict = twice
    with pytest.raises(ValueError, match='ran 2 times for a batch of 2'):
        wrapped.test_step(batch())
    assert not wrapped.neck._forward_hooks
