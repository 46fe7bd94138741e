import copy

import numpy as np
import pytest
import torch
from linear_ellipses import random_regressor
from mmdet.registry import MODELS
from mmengine.config import Config, ConfigDict
from post_processed import assert_same_boxes, batch, build, wrapped_cfg
from tiny_detector import RETINANET

from tinyfaces.apis import FaceDetector
from tinyfaces.ellipses import join_features, widen_boxes
from tinyfaces.models import PostProcessedDetector
from tinyfaces.models.task_modules import anchor_scale

TTA = dict(
    type='DetTTAModel',
    tta_cfg=dict(nms=dict(type='nms', iou_threshold=.4), max_per_img=100))

FASTER_RCNN = dict(
    type='FasterRCNN',
    train_cfg=None,
    data_preprocessor=RETINANET['data_preprocessor'],
    backbone=dict(type='MobileNetV2', out_indices=(1, 2, 4, 6)),
    neck=dict(
        type='FPN', in_channels=[24, 32, 96, 320], out_channels=64,
        num_outs=4),
    rpn_head=dict(
        type='RPNHead',
        in_channels=64,
        feat_channels=64,
        anchor_generator=dict(
            type='AnchorGenerator',
            scales=[4],
            ratios=[1.],
            strides=[4, 8, 16, 32])),
    roi_head=dict(
        type='StandardRoIHead',
        bbox_roi_extractor=dict(
            type='SingleRoIExtractor',
            roi_layer=dict(type='RoIAlign', output_size=7, sampling_ratio=2),
            out_channels=64,
            featmap_strides=[4, 8, 16, 32]),
        bbox_head=dict(
            type='Shared2FCBBoxHead',
            in_channels=64,
            fc_out_channels=32,
            roi_feat_size=7,
            num_classes=1)),
    test_cfg=dict(
        rpn=dict(
            nms_pre=50,
            max_per_img=20,
            nms=dict(type='nms', iou_threshold=.7),
            min_bbox_size=0),
        rcnn=dict(
            score_thr=0.,
            nms=dict(type='nms', iou_threshold=.5),
            max_per_img=15)))


@torch.no_grad()
def test_around_test_time_augmentation(folder):
    data = batch(((128, 128), ) * 2, (1., 1.))
    views = dict(
        inputs=[[image] for image in data['inputs']],
        data_samples=[[sample] for sample in data['data_samples']])
    tta = dict(TTA, module=RETINANET)
    bare = build(tta, folder)
    wrapped = build(wrapped_cfg(folder, 'box.npz', detector=tta), folder)
    expected = bare.test_step(copy.deepcopy(views))
    found = wrapped.test_step(copy.deepcopy(views))
    assert_same_boxes(found, expected)
    for sample in found:
        boxes = widen_boxes(sample.pred_instances.bboxes)
        np.testing.assert_allclose(
            sample.pred_instances.ellipses,
            random_regressor(2).predict(
                join_features(boxes, (128, 128)), boxes),
            rtol=1e-4)
    assert list(wrapped.state_dict()) == list(bare.state_dict())
    with pytest.raises(ValueError, match='every view of a picture'):
        MODELS.build(wrapped_cfg(folder, 'neck.npz', detector=tta))


@torch.no_grad()
def test_around_two_stages(folder):
    torch.manual_seed(0)
    bare = MODELS.build(ConfigDict(copy.deepcopy(FASTER_RCNN))).eval()
    assert anchor_scale(bare) == pytest.approx(4)
    wrapped = PostProcessedDetector(
        bare,
        dict(post_process=[
            dict(type='EllipseRegressor', model=str(folder / 'neck.npz'))
        ])).eval()
    expected = bare.test_step(batch())
    found = wrapped.test_step(batch())
    assert_same_boxes(found, expected)
    for sample in found:
        assert sample.pred_instances.ellipses.shape == (len(
            sample.pred_instances), 5)


@pytest.mark.parametrize('step', ['box.npz', 'neck.npz'])
def test_through_face_detector(folder, step):
    image = batch()['inputs'][0].permute(1, 2, 0).numpy()
    model = dict(default_scope='mmdet')
    expected = FaceDetector(
        Config(dict(model, model=RETINANET)),
        folder / 'weights.pth',
        'cpu',
        score_thr=.01)(
            image)
    detector = FaceDetector(
        Config(dict(model, model=wrapped_cfg(folder, step))),
        folder / 'weights.pth',
        'cpu',
        score_thr=.01)
    # The thresholds are those of the detector inside.
    assert detector.nms_iou == .4
    found = detector(image)
    np.testing.assert_array_equal(found.boxes, expected.boxes)
    np.testing.assert_array_equal(found.scores, expected.scores)
    assert len(found) > 5 and expected.ellipses is None
    assert found.ellipses.shape == (len(found), 5)
    assert found.ellipses.dtype == np.float32
    faces = found.to_dict()['faces']
    np.testing.assert_allclose(
        faces[0]['ellipse'], found.ellipses[0], atol=.006)
    assert 'ellipse' not in expected.to_dict()['faces'][0]
