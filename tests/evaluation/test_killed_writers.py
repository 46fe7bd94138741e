"""Killed at any moment of writing: what was there, or what is new."""
import json
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from kills import kill_at

from tinyfaces.evaluation.functional import (evaluate_fddb,
                                             read_fddb_detections,
                                             write_fddb_detections, write_roc)
from tinyfaces.evaluation.functional.fddb_output import (check_fddb_output,
                                                         writing_fddb_output)
from tinyfaces.evaluation.functional.fddb_report import write_fddb_json
from tinyfaces.evaluation.functional.voc_face_io import (
    read_voc_face_detections, write_voc_face_detections)
from tinyfaces.evaluation.functional.wider_io import (read_wider_predictions,
                                                      write_wider_predictions)
from tinyfaces.evaluation.metrics import DumpFaceResults
from tinyfaces.visualization.roc_curve import plot_roc_curves

OLD, NEW = (np.array([[1, 2, 30, 40, score]]) for score in (.25, .75))


def dump(rows, path):
    metric = DumpFaceResults(str(path))
    metric.compute_metrics([dict(scores=torch.tensor(rows))])


def load(path):
    return pickle.loads(Path(path).read_bytes())[0]['scores'].numpy()


def result_of(rows):
    return evaluate_fddb({'a': rows}, {'a': np.array([[20., 15, 0, 16, 22]])},
                         {'a': (60, 60)})


# What writes rows to a path, and what reads them.
WRITERS = {
    'set.zip':
    (lambda rows, path: write_wider_predictions({'a/b': rows}, path),
     lambda path: read_wider_predictions(path)['a/b']),
    'set': (lambda rows, path: write_wider_predictions({'a/b': rows}, path),
            lambda path: read_wider_predictions(path)['a/b']),
    'fold-01-out.txt':
    (lambda rows, path: write_fddb_detections({'a': rows}, path),
     lambda path: read_fddb_detections(path)['a']),
    'voc.txt':
    (lambda rows, path: write_voc_face_detections({'a': rows}, path),
     lambda path: np.c_[read_voc_face_detections(path).boxes,
                        read_voc_face_detections(path).scores]),
    'all.pkl': (dump, load),
    'results.json':
    (lambda rows, path: write_fddb_json(path, {str(rows): result_of(rows)}),
     lambda path: next(iter(json.loads(path.read_text())['detectors']))),
    'roc.png':
    (lambda rows, path: plot_roc_curves({str(rows): result_of(rows)}, path),
     lambda path: path.read_bytes()),
    'DiscROC.txt':
    (lambda rows, path: write_roc(result_of(rows), f'{path.parent}/'),
     lambda path: path.read_text()),
}


def killed_at(function, call, work):
    """Do work in a process that is killed at a call of a function of os.

    Returns:
        bool: Whether there was such a call.
    """
    child = os.fork()
    if child == 0:
        kill_at(os, function, call)
        try:
            work()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


@pytest.mark.parametrize('name', WRITERS)
@pytest.mark.parametrize('function', ['fsync', 'replace'])
def test_a_file_is_the_old_or_the_new_one(tmp_path, name, function):
    write, read = WRITERS[name]
    path = tmp_path / name
    write(NEW, path)
    new = read(path)
    write(OLD, path)
    old = read(path)
    assert not np.array_equal(old, new)
    call = 1
    while killed_at(function, call, lambda: write(NEW, path)):
        if path.exists():
            found = read(path)
            assert np.array_equal(found, old) or np.array_equal(found, new)
        else:
            # A folder cannot be replaced in one step; no part of it is seen.
            assert name == 'set'
        call += 1
    # Folders of predictions are not written through.
    assert call > 1 or (name, function) == ('set', 'fsync')
    write(NEW, path)
    assert np.array_equal(read(path), new)


def test_half_a_set_of_fold_files_is_not_read(tmp_path):
    """The earlier set is, until the first file of the new one is there."""
    folder = tmp_path / 'out'

    def write(rows):
        with writing_fddb_output(folder) as out:
            (out / 'image_sizes.txt').write_text('a 60 60\n')
            for fold in (1, 2):
                write_fddb_detections({f'a{fold}': rows},
                                      out / f'fold-0{fold}-out.txt')

    write(OLD)
    (folder / 'ContROC.txt').write_text('0.5 1')
    before = content(folder)
    # Twice when a file is written, then when one takes its place.
    for call in (1, 2, 3):
        assert killed_at('replace', call, lambda: write(NEW))
        left = content(folder)
        marked = left.pop('.incomplete', None) is not None
        assert marked == (call == 3) and left == before
        assert list(folder.glob('.writing-*'))
    (folder / '.incomplete').unlink()
    assert killed_at('replace', 5, lambda: write(NEW))
    for path in (folder, folder / 'fold-01-out.txt',
                 folder / 'fold-*-out.txt'):
        with pytest.raises(ValueError, match='out: the test .* was stopped'):
            read_fddb_detections(path)
    # The next test may write there, and no score of the earlier one stays.
    check_fddb_output(folder)
    write(NEW)
    found = read_fddb_detections(folder)
    assert list(found) == ['a1', 'a2'] and found['a2'].tolist() == NEW.tolist()
    # Of what was killed nothing is left.
    assert sorted(os.listdir(folder)) == [
        'fold-01-out.txt', 'fold-02-out.txt', 'image_sizes.txt'
    ]


def content(folder):
    """The files of a folder, without those of folders in it."""
    return {
        path.name: path.read_bytes()
        for path in folder.iterdir() if path.is_file()
    }


@pytest.mark.parametrize('name', ['set.zip', 'set', 'voc.txt', 'all.pkl'])
def test_leftovers_go_with_the_next_writing(tmp_path, name):
    write, read = WRITERS[name]
    path = tmp_path / name
    write(OLD, path)
    assert killed_at('replace', 1, lambda: write(NEW, path))
    if name == 'set':
        # The last copy of a set is not what a killed run may leave behind.
        assert killed_at('replace', 2, lambda: write(NEW, path))
        assert not path.exists()
    assert len(os.listdir(tmp_path)) == 2 - (name == 'set')
    mine = tmp_path / f'.{path.stem}-ofmine00'
    mine.mkdir()
    (mine / 'notes').touch()
    write(NEW, path)
    assert np.array_equal(read(path), NEW)
    assert sorted(os.listdir(tmp_path)) == [mine.name, name]


def test_an_only_copy_is_put_back(tmp_path):
    """By the next writing, even one that fails."""
    write, read = WRITERS['set']
    path = tmp_path / 'set'
    write(OLD, path)
    assert killed_at('replace', 2, lambda: write(NEW, path))
    assert not path.exists()
    with pytest.raises(ValueError):
        write(np.zeros(3), path)
    assert np.array_equal(read(path), OLD)
    assert os.listdir(tmp_path) == ['set']
