"""What an earlier test wrote stays until the new files are whole."""
import errno
import os
import tempfile

import numpy as np
import pytest
import torch
from mat_writers import write_voc_face

from tinyfaces.evaluation.functional import (read_wider_predictions,
                                             write_wider_predictions)
from tinyfaces.evaluation.metrics import VOCFaceMetric, WiderFaceMetric

ROWS = np.array([[1., 2, 30, 40, .5]])


@pytest.mark.parametrize('error', [
    OSError(errno.EIO, 'broken'),
    OSError(errno.ENOSPC, 'full'),
    KeyboardInterrupt(),
])
@pytest.mark.parametrize('failing', [1, 2])
def test_a_folder_that_cannot_be_replaced(tmp_path, monkeypatch, error,
                                          failing):
    path = tmp_path / 'set'
    write_wider_predictions({'a/old': ROWS}, path)
    replace, calls = os.replace, 0

    def fails(*args):
        nonlocal calls
        calls += 1
        if calls == failing:
            raise error
        replace(*args)

    with monkeypatch.context() as patch:
        patch.setattr(os, 'replace', fails)
        with pytest.raises(type(error)):
            write_wider_predictions({'a/new': ROWS}, path)
    assert calls >= failing
    assert list(read_wider_predictions(path)) == ['a/old']
    assert os.listdir(tmp_path) == ['set']


def test_a_folder_that_cannot_be_put_back(tmp_path, monkeypatch):
    """The old one is not thrown away with what was to replace it."""
    path = tmp_path / 'set'
    write_wider_predictions({'a/old': ROWS}, path)
    replace = os.replace

    def fails(source, target):
        if target == path:
            raise PermissionError(f'no {target}')
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, 'replace', fails)
        with pytest.raises(PermissionError):
            write_wider_predictions({'a/new': ROWS}, path)
    assert not path.exists()
    with pytest.raises(ValueError):
        write_wider_predictions({'a/new': ROWS[0, :3]}, path)
    assert list(read_wider_predictions(path)) == ['a/old']
    assert os.listdir(tmp_path) == ['set']


def sample(name, scores, groups=False):
    """A data sample with two detections."""
    boxes = torch.tensor([[1., 2, 30, 40], [5, 5, 39, 39]])
    found = dict(bboxes=boxes, scores=torch.tensor(scores))
    return dict(
        img_id=name,
        img_path=name,
        pred_instances=found,
        group_pred_instances=dict(small=found) if groups else {})


def wider(folder, **options):
    (folder / 'list.txt').write_text('e/a.jpg\n1\n1 1 30 30 0 0 0 0 0 0\n')
    return WiderFaceMetric(
        ann_file=str(folder / 'list.txt'),
        settings=('all', ),
        outfile_prefix=str(folder / 'out/found'),
        **options), 'e/a'


def voc(folder):
    write_voc_face(folder / 'list.mat', {'a.jpg': [[9, 9, 60, 70, 0]]})
    return VOCFaceMetric(
        str(folder / 'list.mat'),
        outfile_prefix=str(folder / 'out/found')), 'a'


METRICS = {
    'zip': (wider, {}),
    'folder': (wider, dict(as_folder=True)),
    'text': (voc, {}),
}


def content(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob('*') if path.is_file()
    }


@pytest.mark.parametrize('kind', METRICS)
def test_scores_stay_beside_their_detections(tmp_path, monkeypatch, kind):
    make, options = METRICS[kind]
    metric, name = make(tmp_path, **options)

    def run(scores):
        metric.results.clear()
        metric.process({}, [sample(name, scores, kind == 'zip')])
        metric.compute_metrics(metric.results)

    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, 'full')

    run([.5, .2])
    out = tmp_path / 'out'
    before = content(out)
    assert 'found.json' in before and len(before) == 2 + (kind == 'zip')
    with pytest.raises(ValueError, match='NaN'):
        run([.5, float('nan')])
    assert content(out) == before
    # A set is a temporary file, or a folder, and is flushed if a file.
    makers = ['mkdtemp'] if kind == 'folder' else ['mkstemp', 'fsync']
    for maker in makers:
        with monkeypatch.context() as patch:
            patch.setattr(os if maker == 'fsync' else tempfile, maker, full)
            with pytest.raises(OSError, match='cannot be written: No space'):
                run([.5, .3])
        assert content(out) == before
    # Full when only the scores are missing: no scores, rather than others.
    real = tempfile.mkstemp

    def full_at_last(*args, **kwargs):
        return (full if kwargs['suffix'] == '.json' else real)(*args, **kwargs)

    monkeypatch.setattr(tempfile, 'mkstemp', full_at_last)
    with pytest.raises(OSError, match='found.json cannot be written: No sp'):
        run([.5, .3])
    after = content(out)
    assert sorted(after) == sorted(set(before) - {'found.json'})
    assert all(after[file] != before[file] for file in after)


def test_unknown_images_and_format_only(tmp_path):
    """Nothing is written of what cannot be scored or read again."""
    metric, _ = wider(tmp_path)
    metric.process({}, [sample('e/other', [.5, .2])])
    with pytest.raises(ValueError, match='e/other'):
        metric.compute_metrics(metric.results)
    metric = WiderFaceMetric(
        format_only=True, outfile_prefix=str(tmp_path / 'out/found'))
    metric.process({}, [sample('e/a', [.5, float('inf')])])
    with pytest.raises(ValueError, match='predictions of e/a: NaN or inf'):
        metric.compute_metrics(metric.results)
    assert not (tmp_path / 'out').exists()
