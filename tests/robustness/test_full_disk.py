"""A disk that is full: what was there stays, and the message says where."""
import errno
import os
import pathlib
import tempfile
from collections.abc import Callable

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_fddb import random_folds, write_fddb

from tinyfaces.datasets.hard_negative_file import (HardNegatives,
                                                   write_hard_negatives)
from tinyfaces.evaluation.functional import (read_fddb_detections,
                                             write_fddb_detections, write_json,
                                             write_voc_face_detections,
                                             write_wider_predictions)
from tinyfaces.evaluation.functional.fddb_io import write_image_sizes_file
from tinyfaces.evaluation.metrics import FDDBMetric
from tinyfaces.utils.files import atomic_write

ROWS = np.array([[1., 2, 30, 40, .5]])
HARD = HardNegatives(
    np.zeros((1, 4), np.float32), np.ones(1, np.float32), 64, 48)


def _save(writer: Callable) -> Callable:
    """What writes into the file that atomic_write gives."""

    def write(path):
        with atomic_write(path) as temporary:
            writer(temporary)

    return write


WRITERS = {
    'w.zip': lambda path: write_wider_predictions({'0--e/a': ROWS}, path),
    'w': lambda path: write_wider_predictions({'0--e/a': ROWS}, path),
    'fold-01-out.txt': lambda path: write_fddb_detections({'a': ROWS}, path),
    'sizes.txt': lambda path: write_image_sizes_file({'a': (3, 4)}, path),
    'v.txt': lambda path: write_voc_face_detections({'a': ROWS}, path),
    'w.json': lambda path: write_json(path, {}),
    'hard.jsonl': lambda path: write_hard_negatives(path, {'a': HARD}, {}),
    'drawn.jpg': _save(lambda path: Image.new('RGB', (99, 99)).save(path)),
}
needs_dev_full = pytest.mark.skipif(
    not os.path.exists('/dev/full'), reason='no /dev/full here')


@pytest.fixture
def fill(monkeypatch):
    """Fills the disk: files that are new then are /dev/full."""

    def fill():
        make = tempfile.mkstemp
        real = pathlib.Path.write_text

        def full(*args, **kwargs):
            handle, name = make(*args, **kwargs)
            os.unlink(name)
            os.symlink('/dev/full', name)
            return handle, name

        def write_text(path, *args, **kwargs):
            if not path.exists():
                path.symlink_to('/dev/full')
            return real(path, *args, **kwargs)

        monkeypatch.setattr(tempfile, 'mkstemp', full)
        monkeypatch.setattr(pathlib.Path, 'write_text', write_text)

    return fill


def content(folder):
    """All files, hidden ones too."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob('*') if path.is_file()
    }


def sample(name):
    """A data sample with one detection."""
    return dict(
        img_id=name,
        ori_shape=(100, 100),
        pred_instances=dict(
            bboxes=torch.tensor([[1., 2, 30, 40]]), scores=torch.tensor([.5])))


@pytest.mark.parametrize('written', [0, 1, 5])
def test_results_of_fddb_stay_and_can_be_read(tmp_path, monkeypatch, written):
    """However many files the new ones are before the disk is full."""
    write_fddb(tmp_path, random_folds(pictures=1))
    out = tmp_path / 'out'

    def run():
        metric = FDDBMetric(str(tmp_path / 'FDDB-folds'), out_dir=str(out))
        metric.process({}, [
            sample(entry.name) for entries in metric._folds.values()
            for entry in entries
        ])
        metric.compute_metrics(metric.results)

    run()
    before = content(out)
    assert len(before) == 10 + 5
    make, calls = tempfile.mkstemp, 0

    def full(*args, **kwargs):
        nonlocal calls
        calls += 1
        if calls > written:
            raise OSError(errno.ENOSPC, 'full')
        return make(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(tempfile, 'mkstemp', full)
        with pytest.raises(OSError, match='out cannot be written: No space'):
            run()
    assert content(out) == before
    assert len(read_fddb_detections(out)) == 10
    # The mark is a file too.
    monkeypatch.setattr(pathlib.Path, 'touch', make_full)
    with pytest.raises(OSError, match='out cannot be written: No space'):
        run()
    assert content(out) == before


def make_full(path):
    """In place of Path.touch."""
    raise OSError(errno.ENOSPC, f'{path}: full')


@needs_dev_full
@pytest.mark.parametrize('name', WRITERS)
def test_what_was_there_stays(tmp_path, name, fill):
    out = tmp_path / name
    WRITERS[name](out)
    before = content(tmp_path)
    assert before
    fill()
    with pytest.raises(OSError) as error:
        WRITERS[name](out)
    assert error.value.errno == errno.ENOSPC
    message = str(error.value)
    assert f'{out} cannot be written: No space left on device' in message
    assert 'MiB free' in message and 'make room' in message
    assert content(tmp_path) == before
