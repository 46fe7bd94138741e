"""A multi-scale test that changes its detector's test_cfg."""
import copy

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import ConfigDict
from mmengine.runner import load_checkpoint
from post_processed import batch, wrapped_cfg
from tiny_detector import RETINANET

from tinyfaces.models.test_time import MultiScaleTestModel

NMS = dict(nms=dict(type='nms', iou_threshold=.4), max_per_img=50)


def build(module, test_cfg, *scales):
    return MODELS.build(
        ConfigDict(
            type='MultiScaleTestModel',
            module=copy.deepcopy(module),
            tta_cfg=NMS,
            plan=dict(
                type='ScalePlan', scales=[dict(scale=s) for s in scales]),
            test_cfg=test_cfg)).eval()


def test_merged_as_configs_are():
    model = build(RETINANET, dict(score_thr=.2, nms=None, nms_pre=7), 1)
    assert model.module.test_cfg == dict(
        RETINANET['test_cfg'], score_thr=.2, nms=None, nms_pre=7)
    assert model.module.bbox_head.test_cfg.nms_pre == 7
    model = build(RETINANET, dict(nms=dict(iou_threshold=.7)), 1)
    assert model.module.test_cfg.nms == dict(type='nms', iou_threshold=.7)
    soft = dict(_delete_=True, type='soft_nms', min_score=.1)
    model = build(RETINANET, dict(nms=soft), 1)
    assert model.module.test_cfg.nms == dict(type='soft_nms', min_score=.1)
    assert build(RETINANET, None, 1).module.test_cfg == RETINANET['test_cfg']


def test_configs_stay_what_they_are():
    """It may be dumped, or used again."""
    module, changes = copy.deepcopy(RETINANET), dict(nms=dict(type='other'))
    MultiScaleTestModel(module, NMS, test_cfg=changes)
    assert module == RETINANET
    assert changes == dict(nms=dict(type='other'))


def test_a_detector_without_a_test_cfg():
    bare = {k: v for k, v in RETINANET.items() if k != 'test_cfg'}
    for module in (bare, dict(bare, test_cfg=None)):
        model = build(module, dict(RETINANET['test_cfg']), 1)
        assert model.module.test_cfg == RETINANET['test_cfg']


def test_the_detector_inside_a_post_processed_one(folder):
    """The other one's test_cfg names its steps."""
    cfg = wrapped_cfg(folder, 'box.npz')
    model = build(cfg, dict(nms_pre=7), 1)
    assert len(model.module.steps) == 1
    assert model.module.detector.test_cfg.nms_pre == 7


def test_a_built_detector_is_refused():
    detector = MODELS.build(ConfigDict(copy.deepcopy(RETINANET)))
    with pytest.raises(ValueError, match='RetinaNet has been built; give its'):
        MultiScaleTestModel(detector, NMS, test_cfg=dict(nms_pre=7))
    assert MultiScaleTestModel(detector, NMS).module is detector


@torch.no_grad()
def test_one_nms_over_the_union_of_all_views(folder):
    """The same boxes as of the views by hand, never suppressed before."""
    changes = dict(nms=None, max_per_img=-1, score_thr=.3)

    def found(*scales):
        model = build(RETINANET, changes, *scales)
        load_checkpoint(model, str(folder / 'weights.pth'), 'cpu', True)
        looks = []
        step = model.module.test_step

        def kept(data):
            samples = step(data)
            looks.append(samples[0].pred_instances.clone())
            return samples

        model.module.test_step = kept
        data = batch(sizes=[(90, 120)], factors=[1.])
        joined = model.test_step(data)[0].pred_instances
        return joined, looks

    joined, looks = found(.5, 1, 1.5)
    assert len(looks) == 3 and min(map(len, looks)) > 100
    expected = suppress(
        torch.cat([look.bboxes for look in looks]),
        torch.cat([look.scores for look in looks]), .4)[:50]
    assert len(joined) == len(expected) == 50
    torch.testing.assert_close(
        torch.cat((joined.bboxes, joined.scores[:, None]), 1), expected)


def suppress(boxes, scores, threshold):
    """Greedy NMS, box by box; rows box, score."""
    left = torch.cat((boxes, scores[:, None]), 1)
    left = left[scores.sort(descending=True, stable=True)[1]]
    kept = []
    while len(left):
        best = left[0]
        kept.append(best)
        low = torch.maximum(left[:, :2], best[:2])
        high = torch.minimum(left[:, 2:4], best[2:4])
        inter = (high - low).clamp(min=0).prod(1)
        areas = (left[:, 2:4] - left[:, :2]).prod(1)
        left = left[inter / (areas + areas[0] - inter) <= threshold]
    return torch.stack(kept)
