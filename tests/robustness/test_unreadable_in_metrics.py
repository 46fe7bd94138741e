"""What the metrics make of grey pictures, and of sets without faces."""
import json
import math
import pickle

import pytest
import torch
from mat_writers import mafa_test_row, write_mafa, write_voc_face
from mmdet.structures import DetDataSample
from mmengine.evaluator import Evaluator
from mmengine.structures import InstanceData
from tiny_fddb import random_folds, write_fddb

from tinyfaces.evaluation.functional import (read_image_sizes_file,
                                             read_wider_predictions)
from tinyfaces.evaluation.metrics import (FDDBMetric, MAFAMetric,
                                          VOCFaceMetric, WiderFaceMetric)
from tinyfaces.evaluation.metrics.dump_face_results import DumpFaceResults

REASON = 'is cut off'


def instances(boxes):
    boxes = torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)
    return InstanceData(
        bboxes=boxes,
        scores=torch.full((len(boxes), ), .9),
        labels=torch.zeros(len(boxes), dtype=torch.long))


def sample(key, boxes, unreadable=False, ellipses=None, size=None):
    result = DetDataSample(
        metainfo=dict(
            img_id=key,
            img_path=f'{key}.jpg',
            ori_shape=(64, 64) if unreadable else (480, 640),
            scale_factor=(9., 9.) if unreadable else (1., 1.),
            batch_input_shape=(576, 576) if unreadable else (480, 640)))
    result.pred_instances = instances(boxes)
    if ellipses is not None:
        result.pred_instances.ellipses = torch.tensor(ellipses)
    result.group_pred_instances = dict(small=instances(boxes))
    if unreadable:
        result.set_metainfo(dict(unreadable=[(f'{key}.jpg', REASON)]))
        if size:
            result.set_metainfo(dict(unreadable_size=size))
    return result


def run(metric, *samples):
    evaluator = Evaluator(metric)
    for item in samples:
        evaluator.process([item])
    return evaluator.evaluate(len(samples))


BOXES = dict(a=[10., 10, 60, 70], b=[20., 20, 90, 110])


def wider(folder, faces=BOXES):
    lines = []
    for key, (x1, y1, x2, y2) in faces.items():
        lines += [
            f'0--e/{key}.jpg', '1',
            f'{x1:g} {y1:g} {x2 - x1:g} {y2 - y1:g} 0 0 0 0 0 0'
        ]
    path = folder / 'gt.txt'
    path.write_text('\n'.join(lines))
    return WiderFaceMetric(
        ann_file=str(path),
        settings=('all', ),
        outfile_prefix=str(folder / 'out/w'))


def voc(folder):
    return VOCFaceMetric(
        str(
            write_voc_face(folder / 'gt.mat', {
                f'{key}.jpg': [[*box, 0]]
                for key, box in BOXES.items()
            })),
        outfile_prefix=str(folder / 'out/w'))


def mafa(folder):
    rows = {
        f'{key}.jpg': [mafa_test_row([x1, y1, x2 - x1, y2 - y1])]
        for key, (x1, y1, x2, y2) in BOXES.items()
    }
    return MAFAMetric(
        str(write_mafa(folder / 'gt.mat', rows)),
        outfile_prefix=str(folder / 'out/w'))


@pytest.mark.parametrize('make, prefix, name', [
    (wider, '0--e/', 'wider/all_ap'),
    (voc, '', 'voc_face/ap'),
    (mafa, '', 'mafa/whole_ap'),
])
def test_counts_as_without_detections(tmp_path, make, prefix, name):
    # WIDER FACE scales scores by their range, so there must be one.
    good = sample(f'{prefix}a', [BOXES['a'], [300., 300, 400, 400]])
    good.pred_instances.scores[1] = .1
    for unreadable in (False, True):
        # In a grey picture somebody finds the face where it would be.
        other = sample(f'{prefix}b', [BOXES['b']], unreadable)
        metrics = run(make(tmp_path), good, other)
        assert metrics[name] == pytest.approx(.5 if unreadable else 1, abs=.01)
        content = json.loads((tmp_path / 'out/w.json').read_text())
        if not unreadable:
            assert 'unreadable' not in content
    assert content['unreadable'] == {f'{prefix}b': REASON}
    # Not that of the grey picture.
    assert '9' not in content['test_resolution'].split('original size')[1]


def test_groups_and_files_of_wider(tmp_path):
    run(
        wider(tmp_path), sample('0--e/a', [BOXES['a']]),
        sample('0--e/b', [BOXES['b']], True))
    for name in ('w.zip', 'w.small.zip'):
        found = read_wider_predictions(tmp_path / 'out' / name)
        assert {
            key: len(rows)
            for key, rows in found.items()
        } == {
            '0--e/a': 1,
            '0--e/b': 0
        }


@pytest.mark.parametrize('ellipses', [False, True])
@pytest.mark.parametrize('size', [None, (64, 48)])
def test_fddb(tmp_path, ellipses, size):
    """Where no size was ever known, any that holds the faces will do."""
    folds = write_fddb(tmp_path, random_folds(10, 2))
    metric = FDDBMetric(
        str(tmp_path / 'FDDB-folds'), out_dir=str(tmp_path / 'out'))
    (one, faces), (other, others) = folds[1].items()

    def found(key, faces, **options):
        boxes = [[cx - a, cy - a, cx + a, cy + a] for a, _, _, cx, cy in faces]
        return sample(
            key, boxes, ellipses=faces if ellipses else None, **options)

    metrics = run(metric, found(one, faces),
                  found(other, others, unreadable=True, size=size))
    share = len(faces) / len(faces + others)
    if ellipses:
        assert metrics['fddb/disc_final'] == share
    assert metrics['fddb/disc_final'] <= share < 1
    content = json.loads((tmp_path / 'out/results.json').read_text())
    assert content['unreadable'] == {other: REASON}
    width, height = read_image_sizes_file(tmp_path /
                                          'out/image_sizes.txt')[other]
    assert (width, height) == size or size is None
    assert all(cx <= width and cy <= height for *_, cx, cy in others)


def test_format_only_says_it_too(tmp_path, monkeypatch):
    from mmengine.logging import MMLogger
    said = []
    monkeypatch.setattr(MMLogger.get_current_instance(), 'warning',
                        said.append)
    metric = WiderFaceMetric(
        format_only=True, outfile_prefix=str(tmp_path / 'w'))
    run(metric, sample('0--e/b', [BOXES['b']], True))
    assert REASON in said[0] and '0--e/b' in said[0]


def test_dump(tmp_path):
    path = tmp_path / 'out.pkl'
    run(
        DumpFaceResults(str(path)), sample('a', [BOXES['a']]),
        sample('b', [BOXES['b']], True))
    content = pickle.loads(path.read_bytes())
    assert [len(c['pred_instances']['scores']) for c in content] == [1, 0]
    assert content[1]['unreadable'] == [('b.jpg', REASON)]


def test_sets_without_faces(tmp_path):
    """NaN, which no checkpoint is better than; never an error."""
    folds = random_folds(10, 2)
    for fold in folds:
        folds[fold] = {
            name: faces if fold > 1 else []
            for name, faces in folds[fold].items()
        }
    write_fddb(tmp_path, folds)
    metric = FDDBMetric(
        str(tmp_path / 'FDDB-folds'), out_dir=str(tmp_path / 'out'))
    names = list(folds[1])
    metrics = run(metric, *(sample(name, [BOXES['a']]) for name in names))
    assert set(metrics) >= {'fddb/disc_tpr@100', 'fddb/cont_final'}
    assert all(math.isnan(value) for value in metrics.values())
    assert (tmp_path / 'out/fold-01-out.txt').is_file()
    assert not (tmp_path / 'out/DiscROC.txt').exists()
    # Of WIDER FACE: pictures of which the ground truth has no face.
    path = tmp_path / 'gt.txt'
    path.write_text('0--e/a.jpg\n0\n0--e/b.jpg\n1\n1 1 9 9 0 0 0 0 0 0\n')
    metric = WiderFaceMetric(ann_file=str(path), settings=('all', ))
    metrics = run(metric, sample('0--e/a', [BOXES['a']]))
    assert math.isnan(metrics['wider/all_ap'])
    metric = VOCFaceMetric(
        str(
            write_voc_face(tmp_path / 'v.mat', {
                'a.jpg': [],
                'b.jpg': [[1, 1, 50, 50, 0]]
            })))
    assert math.isnan(run(metric, sample('a', [BOXES['a']]))['voc_face/ap'])
