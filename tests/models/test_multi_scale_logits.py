"""Scores that are logits, and other fields of boxes, in a multi-scale test."""
import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from tiny_fddb import write_fddb
from torch import nn

from tinyfaces.evaluation.functional import read_wider_predictions
from tinyfaces.evaluation.functional.fddb_detections import \
    read_fddb_detections
from tinyfaces.evaluation.metrics import FDDBMetric, WiderFaceMetric
from tinyfaces.models.test_time import MultiScaleTestModel

TWICE = dict(type='ScalePlan', scales=[dict(scale=1), dict(scale=2)])
NMS = dict(nms=dict(type='nms', iou_threshold=.3), max_per_img=None)
WIDTH, HEIGHT = 60, 40
SMALL, LARGE = [0, 0, 16, 16], [20, 0, 56, 36]
# Overlap the small one by 15/16 and by 1/4.
ALMOST, QUARTER = [0, 0, 16, 15], [0, 0, 16, 4]
EMPTY, NOTHING = [0, 20, 16, 36], [0, 18, 9, 19]


class Views(nn.Module):
    """A detector that finds rows (box, score) by the scale of the view."""

    def __init__(self, found, size=(WIDTH, HEIGHT)):
        super().__init__()
        self.found = found
        self.size = size

    def test_step(self, data):
        sample, = data['data_samples']
        scale = sample.img_shape[1] / self.size[0]
        rows = self.found.get(scale, [])
        sample.pred_instances = InstanceData(
            bboxes=torch.tensor([row[0]
                                 for row in rows]).float().reshape(-1, 4),
            scores=torch.tensor([row[1] for row in rows]).float(),
            labels=torch.zeros(len(rows), dtype=torch.long),
            templates=torch.arange(len(rows)) + 10 * int(scale),
            features=torch.tensor([[scale, row[1]] for row in rows]))
        return [sample]


def look(found, way=NMS, name='0--Parade/0', size=(WIDTH, HEIGHT)):
    model = MultiScaleTestModel(Views(found, size), way, TWICE)
    shape = size[::-1]
    sample = DetDataSample(
        metainfo=dict(img_id=name, img_shape=shape, ori_shape=shape))
    image = torch.zeros(3, *shape, dtype=torch.uint8)
    sample, = model.test_step(dict(inputs=[image], data_samples=[sample]))
    return sample


FOUND = {
    1: [(EMPTY, -3.25), (SMALL, -1.5), (QUARTER, 2.)],
    2: [(NOTHING, -3.375), (ALMOST, -1.25), (LARGE, 40.5)]
}


@pytest.mark.parametrize('split', [10000, 2])
def test_nms_ranks_logits(split):
    """As their probabilities would be ranked, if those were exact; also
    where mmcv suppresses class by class, as it does for very many boxes.
    """
    way = dict(NMS, nms=dict(NMS['nms'], split_thr=split))
    found = look(FOUND, way).pred_instances
    assert found.bboxes.tolist() == [LARGE, QUARTER, ALMOST, EMPTY, NOTHING]
    assert found.scores.tolist() == [40.5, 2, -1.25, -3.25, -3.375]


def test_all_negative():
    found = look({1: [(SMALL, -2.), (ALMOST, -1.)]}).pred_instances
    assert found.bboxes.tolist() == [ALMOST]
    assert found.scores.tolist() == [-1]


def test_boxes_keep_their_templates_and_features():
    """Those of the view and place where each was found."""
    found = look(FOUND).pred_instances
    assert found.templates.tolist() == [22, 12, 21, 10, 20]
    assert found.templates.dtype == torch.long
    assert found.features.tolist() == [[2, 40.5], [1, 2], [2, -1.25],
                                       [1, -3.25], [2, -3.375]]
    # An average of boxes has neither.
    voting = dict(voting=dict(iou_threshold=.5), max_per_img=9)
    voted = look({1: [(SMALL, .5)]}, voting).pred_instances
    assert set(voted.keys()) == {'bboxes', 'scores', 'labels'}


def test_limit_of_boxes():
    assert len(look(FOUND, dict(NMS, max_per_img=2)).pred_instances) == 2
    assert len(look(FOUND, dict(NMS, max_per_img=99)).pred_instances) == 5
    many = {1: [([0, 2 * y, 1, 2 * y + 1], y) for y in range(4000)]}
    assert len(look(many).pred_instances) == 4000
    voting = dict(voting=dict(), max_per_img=None)
    assert len(look(many, voting).pred_instances) == 4000


def test_ways_that_weigh_by_scores_refuse_logits():
    for way, message in ((dict(voting=dict()), 'turn logits into'),
                         (dict(nms=dict(type='soft_nms')), "take type='nms'")):
        with pytest.raises(ValueError, match=message):
            look(FOUND, dict(way, max_per_img=9))


def test_wider_metric_and_files(tmp_path):
    """AP by hand; the files have the logits, and give the same AP."""
    ann_file = tmp_path / 'wider_face_val_bbx_gt.txt'
    ann_file.write_text('0--Parade/0.jpg\n2\n'
                        '0 0 16 16 0 0 0 0 0 0\n20 0 36 36 0 0 0 0 0 0\n')

    def score(found):
        metric = WiderFaceMetric(
            ann_file=str(ann_file),
            settings=['all'],
            outfile_prefix=str(tmp_path / 'found'))
        metric.process({}, [look(found).to_dict()])
        return metric.evaluate(1)['wider/all_ap']

    # By rank: large, quarter (of no face), almost: (1 + 2/3) / 2.
    assert score(FOUND) == pytest.approx(5 / 6, abs=1e-6)
    rows = read_wider_predictions(tmp_path / 'found.zip')['0--Parade/0']
    np.testing.assert_array_equal(rows[:, 4], [40.5, 2, -1.25, -3.25, -3.375])
    # All logits negative, in the same order.
    lower = {s: [(b, x - 50) for b, x in rows] for s, rows in FOUND.items()}
    assert score(lower) == pytest.approx(5 / 6, abs=1e-6)


def test_fddb_metric_and_files(tmp_path):
    """As good as any scores of the same order; -3.476 is logit(0.03)."""
    truth = {
        name: faces
        for fold in write_fddb(tmp_path / 'fddb').values()
        for name, faces in fold.items()
    }

    def run(change, out):
        metric = FDDBMetric(
            str(tmp_path / 'fddb/FDDB-folds'), out_dir=str(tmp_path / out))
        for at, (name, faces) in enumerate(truth.items()):
            boxes = [[cx - b, cy - a, cx + b, cy + a]
                     for a, b, _, cx, cy in faces]
            rows = [(box, change(-3.476 + .25 * at + .1 * k))
                    for k, box in enumerate(boxes)]
            rows.append(([0, 0, 9, 4], change(-3.4 + .2 * at)))
            sample = look({1: rows}, name=name, size=(64, 48)).to_dict()
            metric.process({}, [dict(sample, img_id=name)])
        return metric.evaluate(len(truth))

    logits = run(lambda x: x, 'logits')
    assert logits == run(lambda x: 1 / (1 + np.exp(-x)), 'probabilities')
    assert logits['fddb/disc_final'] > .5
    rows = read_fddb_detections(tmp_path / 'logits')
    assert min(row[:, 4].min()
               for row in rows.values()) == pytest.approx(-3.476)
