"""``tools/test.py --out``: the same detections are the same bytes."""
import pickle

import mmengine
import numpy as np
import pytest
import torch

from tinyfaces.evaluation.metrics import DumpFaceResults


def sample(name, **others):
    """What a metric gets of a data sample."""
    return dict(
        img_id=name,
        pred_instances=dict(
            bboxes=torch.arange(8.).reshape(2, 4),
            scores=torch.tensor([.5, .25]),
            labels=torch.zeros(2, dtype=torch.long)),
        **others)


def written(path, samples):
    metric = DumpFaceResults(str(path))
    metric.process({}, samples)
    metric.evaluate(len(samples))
    return path.read_bytes()


def test_bytes_depend_on_values_alone(tmp_path):
    """Not on what is shared, in what order a dict is, or where it lies."""
    path = tmp_path / 'all.pkl'
    shape = (3, 4)
    first = written(path, [
        sample('a', size=shape, array=np.arange(3)),
        sample('b', size=shape, array=np.arange(3))
    ])
    boxes = torch.arange(40.).reshape(10, 4)[:2]
    second = []
    for name in 'ab':
        other = sample(
            str(bytes(name, 'ascii'), 'ascii'),
            array=np.arange(6)[:3],
            size=tuple([3, 4]))
        other['pred_instances'] = dict(
            reversed(other['pred_instances'].items()), bboxes=boxes)
        second.append(dict(reversed(other.items())))
    assert written(path, second) == first
    second[1]['pred_instances']['scores'] = torch.tensor([.5, .26])
    assert written(path, second) != first
    # Nothing of the other rows of a tensor is written.
    assert len(first) < 2000


def test_readers_find_what_they_know(tmp_path):
    path = tmp_path / 'all.pkl'
    half = torch.tensor([1.5], dtype=torch.bfloat16)
    written(path, [sample('a', half=half, gt_instances=dict(bboxes=half))])
    found, = mmengine.load(path)
    assert 'gt_instances' not in found
    for key, value in sample('a')['pred_instances'].items():
        assert found['pred_instances'][key].dtype == value.dtype
        assert torch.equal(found['pred_instances'][key], value)
    assert torch.equal(found['half'], half)


def test_what_could_not_be_read_has_no_detections(tmp_path):
    path = tmp_path / 'all.pkl'
    written(path, [sample('a', unreadable=[('a.jpg', 'broken')])])
    found, = pickle.loads(path.read_bytes())
    assert [len(x) for x in found['pred_instances'].values()] == [0, 0, 0]


def test_a_wrong_path_shows_before_the_test(tmp_path):
    with pytest.raises(ValueError, match='pkl'):
        DumpFaceResults(str(tmp_path / 'all.json'))
    (tmp_path / 'file').touch()
    with pytest.raises(NotADirectoryError, match='is not a folder; choose'):
        DumpFaceResults(str(tmp_path / 'file/all.pkl'))
