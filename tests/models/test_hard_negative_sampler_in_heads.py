"""A training step with hard negatives, from the pipeline to the gradients."""
import pytest
import torch
from group_sampling_models import (bbox_head_config, faster_rcnn, group_head,
                                   neck_maps)
from hard_negative_cases import tensor
from mmdet.registry import MODELS, TRANSFORMS
from mmdet.structures.bbox import bbox_overlaps
from mmengine.config import ConfigDict
from refine_models import sample

from tinyfaces.datasets import HardNegatives, write_hard_negatives
from tinyfaces.models.task_modules import hard_negative_sampler

FACES = [[4, 4, 20, 20], [36, 6, 60, 30]]
# The third lies on a face; the last in an ignored one.
HARD = [[4, 40, 20, 56], [30, 38, 60, 62], [36, 6, 60, 28], [22, 20, 34, 36]]
IGNORED = [[20, 18, 36, 38]]
USABLE = tensor(HARD[:2])
RANDOM = dict(
    type='HardNegativeSampler', num=64, pos_fraction=.25, max_anchors=None)
GROUPED = dict(
    type='HardNegativeScaleGroupSampler', num_per_group=32, max_anchors=None)


def recorded(module, name='sampler'):
    """Results of a head's sampler(s), appended as they draw."""
    samplers = getattr(module, name)
    results = []
    for sampler in samplers if isinstance(samplers, list) else [samplers]:
        assert isinstance(sampler, hard_negative_sampler.TakesHardNegatives)

        def record(*args, original=sampler.sample, **kwargs):
            results.append(original(*args, **kwargs))
            return results[-1]

        sampler.sample = record
    return results


def check_losses(module, losses):
    """They are finite and every parameter gets a gradient."""
    total = sum(
        torch.as_tensor(sum(loss) if isinstance(loss, list) else loss)
        for name, loss in losses.items() if 'loss' in name)
    assert total.isfinite() and total > 0
    total.backward()
    assert all(p.grad.isfinite().all() for p in module.parameters()
               if p.requires_grad)


def check_anchors(head, result):
    """All negative anchors on hard negatives were taken, if they are few."""
    anchors = head.prior_generator.grid_priors([(16, 16)], device='cpu')[0]
    faces = bbox_overlaps(anchors, tensor(FACES)).amax(dim=1)
    hidden = bbox_overlaps(anchors, tensor(IGNORED), mode='iof')[:, 0]
    on_hard = bbox_overlaps(anchors, USABLE).amax(dim=1) >= .5
    expected = on_hard & (faces < .4) & (hidden <= .5)
    assert expected.sum() > 10
    assert set(torch.nonzero(expected)[:, 0].tolist()) <= set(
        result.neg_inds.tolist())


@pytest.mark.parametrize('sampler', [RANDOM, GROUPED])
@pytest.mark.parametrize('kind', ['RetinaHead', 'ScaleGroupHead', 'RPNHead'])
def test_step_of_anchor_heads(kind, sampler):
    """With a picture that has none behind it."""
    options = dict(
        loss_cls=dict(type='FocalLoss', use_sigmoid=True),
        num_classes=1) if kind == 'RetinaHead' else {}
    if kind == 'RPNHead':
        options['loss_cls'] = dict(type='CrossEntropyLoss', use_sigmoid=True)
    options['sampler'] = dict(
        sampler, join='anchors', add_gt_as_proposals=False)
    head = group_head(kind=kind, **options)
    results = recorded(head)
    batch = [sample(FACES, IGNORED), sample(FACES[:1])]
    for item, boxes in zip(batch, (HARD[:3], [])):
        item.gt_instances.set_metainfo(
            dict(
                hard_negatives=tensor(boxes),
                hard_negative_scores=torch.rand(len(boxes))))
    check_losses(head, head.loss(neck_maps(head), batch))
    assert len(results) == 2
    check_anchors(head, results[0])
    assert len(results[0].neg_inds) == len(results[0].neg_priors)


def pictures(folder):
    """A batch behind a pipeline: two pictures, the second without any."""
    size = dict(width=64, height=64)
    write_hard_negatives(
        folder / 'hard.jsonl', {
            0:
            HardNegatives(
                tensor(HARD).numpy(),
                torch.linspace(1, .5, len(HARD)).numpy(), **size)
        }, {})
    steps = [
        dict(type='LoadAnnotations', with_bbox=True),
        dict(type='LoadHardNegatives', ann_file=folder / 'hard.jsonl'),
        dict(type='PackHardNegativeInputs')
    ]
    batch = dict(inputs=[], data_samples=[])
    for number in range(2):
        results = dict(
            img_id=number,
            img=torch.randint(0, 256, (64, 64, 3)).byte().numpy(),
            img_shape=(64, 64),
            ori_shape=(64, 64),
            instances=[
                dict(bbox=box, bbox_label=0, ignore_flag=flag)
                for flag, boxes in enumerate((FACES, IGNORED)) for box in boxes
            ])
        for step in steps:
            results = TRANSFORMS.build(step)(results)
        for key, part in batch.items():
            part.append(results[key])
    return batch


def detector_config(first, second, stages=1):
    """Faster R-CNN, or Cascade R-CNN of two stages."""
    config = faster_rcnn()
    config.train_cfg.rpn.sampler = dict(
        first, join='anchors', add_gt_as_proposals=False)
    config.train_cfg.rcnn.sampler = dict(second, add_gt_as_proposals=True)
    config.train_cfg.rcnn.assigner.update(
        neg_iou_thr=(.1, .5), ignore_iof_thr=.5)
    if stages > 1:
        config.type = 'CascadeRCNN'
        config.roi_head.update(
            type='CascadeRoIHead',
            num_stages=stages,
            stage_loss_weights=[1.] * stages,
            bbox_head=[bbox_head_config() for _ in range(stages)])
        config.train_cfg.rcnn = [config.train_cfg.rcnn] * stages
    return ConfigDict(config)


@pytest.mark.parametrize('samplers', [(RANDOM, RANDOM), (GROUPED, GROUPED),
                                      (RANDOM, GROUPED)])
@pytest.mark.parametrize('stages', [1, 2])
def test_step_of_two_stages(tmp_path, stages, samplers):
    torch.manual_seed(0)
    config = detector_config(*samplers, stages)
    detector = MODELS.build(config)
    detector.init_weights()
    first = recorded(detector.rpn_head)
    second = recorded(detector.roi_head, 'bbox_sampler')
    data = detector.data_preprocessor(pictures(tmp_path), training=True)
    check_losses(detector, detector(**data, mode='loss'))
    assert (len(first), len(second)) == (2, 2 * stages)
    check_anchors(detector.rpn_head, first[0])
    for number, result in enumerate(second):
        ends = result.neg_priors[-len(USABLE):]
        assert torch.equal(ends, USABLE) == (number % 2 == 0)
        overlaps = bbox_overlaps(result.neg_priors, tensor(FACES))
        assert (overlaps < .5).all()


@pytest.mark.parametrize('sampler', [RANDOM, GROUPED])
def test_anchors_cannot_be_added_to(sampler):
    with pytest.raises(
            ValueError, match="RPNHead has fixed .* set join='anchors' in"):
        group_head(
            kind='RPNHead',
            loss_cls=dict(type='CrossEntropyLoss', use_sigmoid=True),
            sampler=sampler)
