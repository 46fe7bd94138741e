"""A step of MMDetection's heads with ScaleGroupSampler.

They pass context and more.
"""
import pytest
import torch
from mmdet.registry import MODELS
from mmdet.structures.bbox import HorizontalBoxes
from mmengine.config import ConfigDict
from refine_models import sample

from tinyfaces.models import ScaleGroupSampler
from tinyfaces.models.task_modules import group_indices

SAMPLER = dict(
    type='ScaleGroupSampler', num_per_group=16, group_scales=(8, 16))
ASSIGNER = dict(
    type='MaxIoUAssigner',
    pos_iou_thr=.5,
    neg_iou_thr=.4,
    match_low_quality=True)


def samples():
    """Pictures with two faces, and with none."""
    return [sample([[5, 5, 14, 14], [30, 30, 47, 46]]), sample()]


def recorded(head, name='sampler'):
    """Results of the head's sampler, appended as it draws."""
    results = []
    sampler = getattr(head, name)
    assert isinstance(sampler, ScaleGroupSampler)
    original = sampler.sample

    def record(*args, **kwargs):
        results.append(original(*args, **kwargs))
        return results[-1]

    sampler.sample = record
    return results


def check_step(module, losses):
    """The losses are finite and every parameter gets a gradient."""
    total = sum(torch.as_tensor(
        sum(loss) if isinstance(loss, list) else loss)
        for name, loss in losses.items() if 'loss' in name)  # yapf: disable
    assert total.isfinite() and total > 0
    total.backward()
    assert all(p.grad.isfinite().all() for p in module.parameters()
               if p.requires_grad)


@pytest.mark.parametrize('box_type', [False, True])
@pytest.mark.parametrize('head_type, loss_cls', [
    ('RPNHead', dict(type='CrossEntropyLoss', use_sigmoid=True)),
    ('AnchorHead', dict(type='CrossEntropyLoss', use_sigmoid=False)),
    ('RetinaHead', dict(type='FocalLoss', use_sigmoid=True)),
])
def test_step_of_anchor_heads(head_type, loss_cls, box_type):
    torch.manual_seed(0)
    head = MODELS.build(
        dict(
            type=head_type,
            num_classes=1,
            in_channels=8,
            feat_channels=8,
            anchor_generator=dict(
                type='AnchorGenerator',
                scales=[2., 4.],
                ratios=[1.],
                strides=[4],
                center_offset=0.,
                use_box_type=box_type),
            loss_cls=loss_cls,
            train_cfg=ConfigDict(
                assigner=ASSIGNER,
                sampler=SAMPLER,
                allowed_border=-1,
                pos_weight=-1)))
    head.init_weights()
    results = recorded(head)
    batch = samples()
    if box_type:
        for item in batch:
            item.gt_instances.bboxes = HorizontalBoxes(
                item.gt_instances.bboxes)
    check_step(head, head.loss((torch.randn(2, 8, 16, 16), ), batch))
    assert len(results) == 2
    for result in results:
        priors = result.priors
        groups = group_indices(priors, (8, 16))
        assert groups.bincount(minlength=2).tolist() == [16, 16]
    assert len(results[0].pos_inds) >= 2 and len(results[1].pos_inds) == 0


def test_step_of_a_two_stage_detector():
    """As sampler of the RPN and of the RoI head."""
    torch.manual_seed(0)
    detector = MODELS.build(
        dict(
            type='FasterRCNN',
            backbone=dict(
                type='MobileNetV2', widen_factor=.25, out_indices=(1, )),
            neck=dict(type='FPN', in_channels=[8], out_channels=8, num_outs=1),
            rpn_head=dict(
                type='RPNHead',
                in_channels=8,
                feat_channels=8,
                anchor_generator=dict(
                    type='AnchorGenerator',
                    scales=[2., 4.],
                    ratios=[1.],
                    strides=[4],
                    center_offset=0.)),
            roi_head=dict(
                type='StandardRoIHead',
                bbox_roi_extractor=dict(
                    type='SingleRoIExtractor',
                    roi_layer=dict(
                        type='RoIAlign', output_size=3, sampling_ratio=0),
                    out_channels=8,
                    featmap_strides=[4]),
                bbox_head=dict(
                    type='Shared2FCBBoxHead',
                    in_channels=8,
                    fc_out_channels=16,
                    roi_feat_size=3,
                    num_classes=1)),
            train_cfg=ConfigDict(
                rpn=dict(
                    assigner=ASSIGNER,
                    sampler=SAMPLER,
                    allowed_border=-1,
                    pos_weight=-1),
                rpn_proposal=dict(
                    nms_pre=400,
                    max_per_img=300,
                    nms=dict(type='nms', iou_threshold=.9),
                    min_bbox_size=0),
                rcnn=dict(
                    assigner=ASSIGNER,
                    sampler=dict(SAMPLER, add_gt_as_proposals=True),
                    pos_weight=-1)),
            test_cfg=ConfigDict(
                rpn=dict(
                    nms_pre=400,
                    max_per_img=300,
                    nms=dict(type='nms', iou_threshold=.9),
                    min_bbox_size=0),
                rcnn=dict(
                    score_thr=.05,
                    nms=dict(type='nms', iou_threshold=.4),
                    max_per_img=100))))
    first = recorded(detector.rpn_head)
    second = recorded(detector.roi_head, 'bbox_sampler')
    losses = detector.loss(torch.randn(2, 3, 64, 64), samples())
    check_step(detector.roi_head, losses)
    assert len(first) == len(second) == 2
    for result in first + second:
        groups = group_indices(result.priors, (8, 16))
        assert groups.bincount(minlength=2).tolist() == [16, 16]
    assert second[0].pos_is_gt.sum() == 2
