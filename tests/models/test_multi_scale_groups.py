"""The multi-scale test of a detector with anchor-scale groups."""
import logging

import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from torch import nn

from tinyfaces.evaluation.metrics import WiderFaceMetric
from tinyfaces.models.test_time import MultiScaleTestModel

NMS = dict(nms=dict(type='nms', iou_threshold=.4), max_per_img=750)
VOTING = dict(voting=dict(iou_threshold=.5), max_per_img=750)
NAMES = '16', '32', '64', '128'
WIDTH, HEIGHT = 60, 40
SMALL = [0, 0, 16, 16]
ALMOST = [0, 0, 16, 15]
LARGE = [20, 0, 56, 36]
EMPTY = [0, 20, 16, 36]


def instances(boxes):
    """Instances of rows (box, score, group); class 0."""
    return InstanceData(
        bboxes=torch.tensor([row[0] for row in boxes]).float().reshape(-1, 4),
        scores=torch.tensor([row[1] for row in boxes]).float(),
        labels=torch.zeros(len(boxes), dtype=torch.long),
        groups=torch.tensor([row[2] for row in boxes]).long())


class Grouped(nn.Module):
    """A detector that finds what it is told, by the width of the view.

    Args:
        found: Width of the view -> rows (box in pixels of the original,
            score, group). The group's own detections are those of the rows.
    """

    def __init__(self, found):
        super().__init__()
        self.found = found

    def test_step(self, data):
        sample, = data['data_samples']
        rows = self.found.get(sample.img_shape[1], [])
        if sample.flip:
            rows = [(mirrored(box), *rest) for box, *rest in rows]
        sample.pred_instances = instances(rows)
        sample.group_pred_instances = {
            name: instances([row for row in rows if row[2] == group])
            for group, name in enumerate(NAMES)
        }
        return [sample]


def mirrored(box):
    return [WIDTH - box[2], box[1], WIDTH - box[0], box[3]]


def look(found, way=NMS, *scales):
    """The data sample that a multi-scale test gives."""
    model = MultiScaleTestModel(
        Grouped(found), way,
        dict(type='ScalePlan', scales=scales or [dict(scale=1)]))
    sample = DetDataSample(
        metainfo=dict(
            img_id='0--Parade/0',
            img_shape=(HEIGHT, WIDTH),
            ori_shape=(HEIGHT, WIDTH)))
    image = torch.zeros(3, HEIGHT, WIDTH, dtype=torch.uint8)
    sample, = model.test_step(dict(inputs=[image], data_samples=[sample]))
    return sample


def rows(found):
    """Box, rounded score and, where it is there, group of each instance."""
    fields = [found.bboxes.tolist(), found.scores.mul(100).round().tolist()]
    if 'groups' in found:
        fields.append(found.groups.tolist())
    return list(zip(*fields))


TWICE = dict(scale=1), dict(scale=2)


@pytest.mark.parametrize('way', [NMS, VOTING])
def test_groups_do_not_suppress_each_other(way):
    """The weaker of two groups' boxes of one face is gone from the joint
    result, and stays in its own group's.
    """
    found = {60: [(SMALL, .5, 0)], 120: [(SMALL, .75, 1)]}
    sample = look(found, way, *TWICE)
    joint, groups = sample.pred_instances, sample.group_pred_instances
    assert joint.bboxes.tolist() == [SMALL]
    assert list(groups) == list(NAMES)
    assert groups['16'].bboxes.tolist() == [SMALL]
    assert groups['16'].scores.tolist() == [.5]
    assert groups['32'].bboxes.tolist() == [SMALL]
    assert groups['32'].scores.tolist() == [.75]
    for name in ('64', '128'):
        assert groups[name].bboxes.shape == (0, 4)


def test_the_views_of_a_group_are_joined():
    """One box of two that overlap by 15/16; another group's stays out."""
    found = {
        60: [(SMALL, .5, 0), (LARGE, .25, 1)],
        120: [(ALMOST, .75, 0), (LARGE, .5, 1)]
    }
    sample = look(found, NMS, *TWICE)
    assert rows(sample.pred_instances) == [(ALMOST, 75, 0), (LARGE, 50, 1)]
    assert rows(sample.group_pred_instances['16']) == [(ALMOST, 75, 0)]
    assert rows(sample.group_pred_instances['32']) == [(LARGE, 50, 1)]
    # Voting weighs the boxes: (.75 * 15 + .5 * 16) / 1.25
    voted = look(found, VOTING, *TWICE).group_pred_instances['16']
    assert voted.bboxes[0].tolist() == pytest.approx([0, 0, 16, 15.4])


def test_limit_of_boxes_is_each_groups_own():
    found = {60: [(SMALL, .5, 0), (LARGE, .75, 1)], 120: [(LARGE, .25, 0)]}
    sample = look(found, dict(NMS, max_per_img=1), *TWICE)
    assert rows(sample.pred_instances) == [(LARGE, 75, 1)]
    assert rows(sample.group_pred_instances['16']) == [(SMALL, 50, 0)]
    assert rows(sample.group_pred_instances['32']) == [(LARGE, 75, 1)]


def test_size_filters_and_mirrored_views():
    found = {
        60: [(SMALL, .5, 0), (LARGE, .25, 0)],
        120: [(SMALL, .75, 0), (LARGE, .75, 0)]
    }
    sample = look(found, NMS, dict(scale=1, above=20),
                  dict(scale=2, below=20, flip=True))
    wanted = [(SMALL, 75, 0), (LARGE, 25, 0)]
    assert rows(sample.pred_instances) == wanted
    assert rows(sample.group_pred_instances['16']) == wanted


def test_only_nms_keeps_the_indices_of_the_groups(monkeypatch):
    told = []
    monkeypatch.setattr(
        'tinyfaces.models.test_time.multi_scale_test.print_log',
        lambda text, **kwargs: told.append((text, kwargs)))
    found = {60: [(SMALL, .5, 2), (LARGE, .75, 3)]}
    kept = look(found, NMS).pred_instances
    assert kept.groups.tolist() == [3, 2] and kept.groups.dtype == torch.long
    assert not told
    sample = look(found, VOTING)
    assert 'groups' not in sample.pred_instances
    assert 'groups' not in sample.group_pred_instances['64']
    (text, kwargs), = told
    assert "Grouped gives ['groups']" in text
    assert kwargs['level'] == logging.WARNING


def test_scores_of_a_soft_nms():
    """Linear: the second box keeps 1 - 15/16 of its score, and its group."""
    found = {60: [(SMALL, .75, 0)], 120: [(ALMOST, .5, 1)]}
    way = dict(
        nms=dict(type='soft_nms', iou_threshold=.4, min_score=.01),
        max_per_img=9)
    kept = look(found, way, *TWICE).pred_instances
    assert kept.scores.tolist() == pytest.approx([.75, .5 / 16])
    assert kept.groups.tolist() == [0, 1]


@pytest.mark.parametrize('way', [NMS, VOTING])
def test_nothing_found(way):
    sample = look({}, way, *TWICE)
    for found in (sample.pred_instances,
                  *sample.group_pred_instances.values()):
        assert found.bboxes.shape == (0, 4)
        assert found.scores.shape == found.labels.shape == (0, )


def test_a_view_without_detections_may_lack_fields():
    """mmdet's RPNHead gives no more than boxes, scores and float labels."""

    class Bare(Grouped):

        def test_step(self, data):
            sample, = super().test_step(data)
            if len(sample.pred_instances) == 0:
                sample.pred_instances = InstanceData(
                    bboxes=torch.zeros(0, 4),
                    scores=torch.zeros(0),
                    labels=torch.zeros(0))
            return [sample]

    model = MultiScaleTestModel(
        Bare({60: [(SMALL, .5, 2)]}), NMS,
        dict(type='ScalePlan', scales=TWICE))
    sample = DetDataSample(
        metainfo=dict(img_shape=(HEIGHT, WIDTH), ori_shape=(HEIGHT, WIDTH)))
    image = torch.zeros(3, HEIGHT, WIDTH, dtype=torch.uint8)
    sample, = model.test_step(dict(inputs=[image], data_samples=[sample]))
    assert rows(sample.pred_instances) == [(SMALL, 50, 2)]
    assert sample.pred_instances.labels.dtype == torch.long


def test_metric_scores_the_joined_groups(tmp_path):
    """Group 16 finds the small one of two faces, 32 the large one; each at
    one scale only.
    """
    ann_file = tmp_path / 'wider_face_val_bbx_gt.txt'
    ann_file.write_text('0--Parade/0.jpg\n2\n'
                        '0 0 16 16 0 0 0 0 0 0\n20 0 36 36 0 0 0 0 0 0\n')
    # The protocol needs two different scores: one is of no face.
    sample = look(
        {
            60: [(LARGE, .5, 1), (EMPTY, .25, 1)],
            120: [(SMALL, .75, 0), (EMPTY, .2, 0)]
        }, NMS, *TWICE)
    metric = WiderFaceMetric(ann_file=str(ann_file), settings=('all', ))
    metric.process({}, [sample.to_dict()])
    found = metric.evaluate(1)
    assert found['wider/all_ap'] == pytest.approx(1, abs=1e-3)
    assert found['wider/all_ap@16'] == pytest.approx(.5, abs=1e-3)
    assert found['wider/all_ap@32'] == pytest.approx(.5, abs=1e-3)
    assert np.isclose(found['wider/all_ap@64'], 0)
