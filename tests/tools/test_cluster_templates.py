"""``cluster_templates.py``: its files, its words and its mistakes."""
import importlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import tinyfaces
from tinyfaces.datasets.wider_annotations import parse_wider_annotations
from tinyfaces.templates import jaccard_distance, load_templates, unique_shapes

TOOL = Path(__file__).parents[2] / 'tools' / 'cluster_templates.py'
# Widths, heights and how often
HEAPS = [(200, 282, 3), (60, 80, 5), (20, 30, 4), (10, 15, 9)]


@pytest.fixture
def tool(monkeypatch):
    # It sets TINYFACES_REGISTER for its own process.
    monkeypatch.setenv('TINYFACES_REGISTER', '1')
    monkeypatch.syspath_prepend(str(TOOL.parent))
    return importlib.import_module('cluster_templates')


@pytest.fixture
def annotations(tmp_path):
    """A picture with four shapes, small ones and a box without an area."""
    path = tmp_path / 'faces.txt'
    sizes = [heap[:2] for heap in HEAPS for _ in range(heap[2])]
    sizes += [(9, 30), (30, 9.5), (40, 0)]
    rows = [f'5 7 {w} {h} 0 0 0 {n % 2} 0 0' for n, (w, h) in enumerate(sizes)]
    path.write_text('\n'.join(
        ['a/x.jpg', str(len(rows)), *rows, 'a/y.jpg', '0']))
    return str(path)


def test_templates(tool, annotations, tmp_path, capsys):
    """By hand: each heap is a template, by the rules of section 4."""
    out, plot = tmp_path / 'new' / 't.json', tmp_path / 't.png'
    assert tool.main([
        '--ann', annotations, '--num', '4', '--out',
        str(out), '--plot',
        str(plot)
    ]) == 0
    assert load_templates(out) == [(100, 141, .5, None), (60, 80, 1, 'A'),
                                   (40, 60, 2, None), (20, 30, 2, 'B')]
    printed = capsys.readouterr().out
    # Also in the file
    source = ('4 medoids of 21 boxes with sides of at least 10 pixels in '
              'faces.txt, which has 24; mean Jaccard distance 0.0000; seed 0')
    assert source in printed and source in out.read_text()
    rows = [line.split() for line in printed.splitlines()[-4:]]
    assert rows == [['200x282', '100x141', '0.5', '-', '3', '0.0000'],
                    ['60x80', '60x80', '1', 'A', '5', '0.0000'],
                    ['20x30', '40x60', '2', '-', '4', '0.0000'],
                    ['10x15', '20x30', '2', 'B', '9', '0.0000']]
    with Image.open(plot) as picture:
        assert picture.width > picture.height


def test_one_resolution(tool, annotations, tmp_path):
    out = tmp_path / 't.json'
    tool.main([
        '--ann', annotations, '--num', '2', '--scale', '.5', '--min-size',
        '60', '--out',
        str(out)
    ])
    assert load_templates(out) == [(100, 141, .5, None), (30, 40, .5, None)]


def test_seeds(tool, tmp_path):
    """Equal seeds, equal files."""
    rng = np.random.default_rng(0)
    rows = [
        f'0 0 {w} {h} 0 0 0 0 0 0' for w, h in rng.integers(10, 99, (150, 2))
    ]
    ann = tmp_path / 'x.txt'
    ann.write_text('\n'.join(['a/x.jpg', str(len(rows)), *rows]))
    files = []
    for seed in (0, 0, 1):
        out = tmp_path / f'{len(files)}.json'
        assert tool.main([
            '--ann',
            str(ann), '--num', '5', '--seed',
            str(seed), '--starts', '1', '--out',
            str(out)
        ]) == 0
        files.append(out.read_text())
    assert files[0] == files[1] != files[2]


def test_mistakes(tool, annotations, tmp_path, capsys):
    out = tmp_path / 't.json'
    mistakes = [(annotations, 5, 'faces.txt has 4 different shapes'),
                (str(tmp_path / 'none.txt'), 4, 'none.txt')]
    for ann, num, message in mistakes:
        arguments = ['--ann', ann, '--num', str(num), '--out', str(out)]
        assert tool.main(arguments) == 1
        error = capsys.readouterr().err
        assert error.startswith('error: ') and message in error
    assert tool.main(['--ann', annotations, '--out', str(tmp_path)]) == 1
    assert 'is a folder' in capsys.readouterr().err
    assert not out.exists()
    for wrong in (['--num', '0'], ['--starts',
                                   '0'], ['--seed',
                                          '-1'], ['--scale',
                                                  '0'], ['--scale', 'inf']):
        with pytest.raises(SystemExit):
            tool.main(['--ann', annotations, *wrong])


def test_it_runs_without_mmdetection(annotations, tmp_path):
    """As a process of its own, in which torch must not load."""
    (tmp_path / 'torch.py').write_text('raise ImportError("not here")')
    done = subprocess.run(
        [sys.executable,
         str(TOOL), '--ann', annotations, '--num', '2'],
        cwd=tmp_path,
        env={
            **os.environ, 'PYTHONPATH':
            os.pathsep.join(
                [str(tmp_path),
                 str(Path(tinyfaces.__file__).parents[1])])
        },
        capture_output=True,
        text=True)
    assert done.returncode == 0, done.stderr
    assert len(load_templates(tmp_path / 'templates.json')) == 2
    assert 'Start 3 of 3' in done.stderr  # Its progress


@pytest.mark.real_data
@pytest.mark.slow
def test_wider_face(tool, real_data, tmp_path):
    """25 templates of the training set cover it better than the published
    ones, and are of the same kind.
    """
    ann = real_data / 'wider_face/wider_face_split'
    ann = ann / 'wider_face_train_bbx_gt.txt'
    out = tmp_path / 't.json'
    assert tool.main(['--ann',
                      str(ann), '--out',
                      str(out), '--starts', '1']) == 0
    boxes = np.concatenate([x.boxes for x in parse_wider_annotations(ann)])
    shapes, weights = unique_shapes(boxes[:, 2:], 10)
    assert len(boxes) == 159_424 and weights.sum() == 115_438
    found, published = (load_templates(x) for x in (out, None))
    means = []
    for templates in (found, published):
        faces = np.array([x.face_size for x in templates])
        distances = jaccard_distance(shapes[:, None], faces).min(axis=1)
        means.append(np.average(distances, weights=weights))
    assert .11 < means[0] < means[1] < .13
    for role in ('A', 'B', None):
        counts = [
            sum(x.role == role for x in templates)
            for templates in (found, published)
        ]
        assert abs(counts[0] - counts[1]) <= 3
