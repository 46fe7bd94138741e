import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_fddb import write_fddb

import tinyfaces
from tinyfaces.datasets import ellipses_to_boxes
from tinyfaces.evaluation.functional import (read_roc, write_fddb_detections,
                                             write_fddb_folds)

TOOL = Path(__file__).parents[2] / 'tools/evaluate_fddb.py'
SIZE = (64, 48)


@pytest.fixture
def folder(tmp_path):
    """Ten folds of two pictures; every face is found, and one thing more."""
    folds = write_fddb(tmp_path, size=SIZE)
    detections, ellipses, sizes = {}, {}, ''
    for pictures in folds.values():
        for name, faces in pictures.items():
            boxes = ellipses_to_boxes(faces)
            detections[name] = np.column_stack([
                boxes[:, :2], boxes[:, 2:] - boxes[:, :2],
                np.full(len(boxes), .9)
            ])
            ellipses[name] = np.column_stack([faces, np.full(len(faces), .8)])
            sizes += f'{name} {SIZE[0]} {SIZE[1]}\n'
    first = next(iter(detections))
    detections[first] = np.concatenate(
        [detections[first], [[60, 44, 2, 2, .5]]])
    lists = {fold: list(pictures) for fold, pictures in folds.items()}
    write_fddb_folds(detections, lists, tmp_path / 'boxes')
    write_fddb_detections(ellipses, tmp_path / 'ellipses.txt')
    (tmp_path / 'sizes.txt').write_text(sizes)
    (tmp_path / 'rocs').mkdir()
    (tmp_path / 'rocs/OldDiscROC.txt').write_text('.75 3 .1\n.5 1 .2\n')
    return tmp_path


@pytest.fixture
def main(monkeypatch):
    """The tool's entry; what it does to the environment is undone."""
    monkeypatch.setenv('TINYFACES_REGISTER', '0')
    monkeypatch.syspath_prepend(str(TOOL.parent))
    spec = importlib.util.spec_from_file_location('evaluate_fddb', TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return lambda *args: module.main([str(arg) for arg in args])


def cells(text, name):
    return [
        line.split()[1:] for line in text.splitlines()
        if line.startswith(f'{name} ')
    ]


def test_everything_at_once(folder, main, capsys):
    code = main(folder / 'boxes', folder / 'ellipses.txt', '--gt',
                folder / 'FDDB-folds', '--images', folder / 'originalPics',
                '--fp', 0, 1, 2, '--published', folder / 'rocs', '--roc',
                f'{folder}/out/', '--plot', folder / 'o.png', '--json',
                folder / 'o.json')
    out = capsys.readouterr().out
    assert code == 0
    assert 'all folds, annotations: original' in out
    assert 'boxes: 20 pictures, 30 faces, 31 detections' in out
    one = ['1.00000', '1.00000', '1.00000*', '1.00000', '1']
    disc, cont = cells(out, 'boxes')
    assert disc == one
    assert .6 < float(cont[-2]) < .8
    # The same shapes as the annotations.
    assert cells(
        out,
        'ellipses') == [['1.00000', '1.00000*', '1.00000*', '1.00000', '0']
                        ] * 2
    assert cells(out,
                 'Old') == [['0.00000', '0.50000', '0.50000', '0.75000', '3']]
    assert sorted(path.name for path in (folder / 'out').iterdir()) == [
        'boxesContROC.txt', 'boxesDiscROC.txt', 'ellipsesContROC.txt',
        'ellipsesDiscROC.txt'
    ]
    np.testing.assert_array_equal(
        read_roc(folder / 'out/boxesDiscROC.txt'), [[1, 1, .5], [1, 0, .9]])
    content = json.loads((folder / 'o.json').read_text())
    assert content['detectors']['boxes']['disc']['tpr_at']['1'] == 1
    assert content['published']['Old']['disc']['last_fp'] == 3
    with Image.open(folder / 'o.png') as image:
        assert min(image.size) > 300


def test_folds_annotations_and_a_prefix(folder, main, capsys):
    # Another file of annotations, where a fold has one face more.
    lists = folder / 'FDDB-folds'
    text = ''.join(
        (lists / f'FDDB-fold-{fold:02d}-ellipseList.txt').read_text()
        for fold in (3, 1, 2))
    name = (lists / 'FDDB-fold-02.txt').read_text().split()[0]
    face = '5 4 0 58 40  1\n'
    assert f'{name}\n1\n' in text
    (folder / 'new.txt').write_text(
        text.replace(f'{name}\n1\n', f'{name}\n2\n{face}'))
    for source in ('boxes', 'ellipses.txt', 'boxes/fold-*.txt'):
        assert main(folder / source, '--gt', lists, '--folds', 1, 2,
                    '--ann-file', folder / 'new.txt', '--sizes',
                    folder / 'sizes.txt', '--roc', folder / 'X', '--names',
                    'mine') == 0
        out = capsys.readouterr().out
        assert 'fold 1 2, annotations: new.txt' in out
        assert 'mine: 4 pictures, 7 faces' in out
        assert read_roc(folder / 'XDiscROC.txt')[0, 0] == .857143


def test_a_number_given_twice_and_the_folder_one_is_in(folder, main, capsys,
                                                       monkeypatch):
    monkeypatch.chdir(folder / 'boxes')
    assert main('.', '--gt', folder / 'FDDB-folds', '--sizes',
                folder / 'sizes.txt', '--fp', 1, 100, 1) == 0
    disc, cont = cells(capsys.readouterr().out, 'boxes')
    assert len(disc) == len(cont) == 4  # Two rates, the end and the last FP.


@pytest.mark.parametrize('size', [f'{SIZE[1]} {SIZE[0]}', '10 10'])
def test_wrong_sizes_are_refused(folder, main, capsys, size):
    text = (folder / 'sizes.txt').read_text()
    (folder / 'sizes.txt').write_text(
        text.replace(f'{SIZE[0]} {SIZE[1]}', size))
    assert main(folder / 'boxes', '--gt', folder / 'FDDB-folds', '--sizes',
                folder / 'sizes.txt') == 1
    assert 'centre outside the picture' in capsys.readouterr().err


def test_one_fold_by_its_file(folder, main, capsys):
    assert main(folder / 'boxes/fold-04-out.txt', '--gt',
                folder / 'FDDB-folds', '--folds', 4, '--sizes',
                folder / 'sizes.txt') == 0
    assert 'fold-04-out: 2 pictures, 3 faces' in capsys.readouterr().out


def test_only_given_and_any_order(folder, main, capsys):
    path = folder / 'ellipses.txt'
    lines = path.read_text().splitlines()
    # The first three pictures have 1, 2 and 1 detections.
    part = [*lines[7:10], *lines[:3], '']
    path.write_text('\n'.join(part))
    options = ('--gt', folder / 'FDDB-folds', '--images',
               folder / 'originalPics')
    assert main(path, *options) == 1
    assert 'ellipses.txt, line 4: expected pictures in the order' in (
        capsys.readouterr().err)
    assert main(path, *options, '--any-order') == 1
    assert 'no detections for 18 of 20 pictures' in capsys.readouterr().err
    # Pictures that are not scored are not needed.
    for picture in (folder / 'originalPics').rglob('*.jpg'):
        name = str(
            picture.relative_to(folder / 'originalPics').with_suffix(''))
        if name not in part:
            picture.unlink()
    assert main(path, *options, '--any-order', '--only-given') == 0
    assert 'ellipses: 2 pictures, 2 faces, 2' in capsys.readouterr().out


def test_a_start_without_torch(folder):
    script = ('import runpy, sys\n'
              f'sys.path.insert(0, {str(TOOL.parent)!r})\n'
              'sys.argv = ["x", "boxes", "--gt", "FDDB-folds", "--sizes", '
              '"sizes.txt"]\n'
              'try:\n'
              f'    runpy.run_path({str(TOOL)!r}, run_name="__main__")\n'
              'finally:\n'
              '    print(sorted({"torch", "mmdet", "matplotlib"} '
              '& set(sys.modules)))\n')
    done = subprocess.run([sys.executable, '-c', script],
                          capture_output=True,
                          text=True,
                          cwd=folder,
                          env={
                              **os.environ, 'PYTHONPATH':
                              str(Path(tinyfaces.__file__).parents[1])
                          })
    assert done.returncode == 0, done.stderr
    assert 'boxes: 20 pictures, 30 faces, 31 detections' in done.stdout
    assert done.stdout.endswith('[]\n')


def test_a_reader_that_has_gone_costs_no_file(folder, run_without_reader):
    run_without_reader(TOOL, 'boxes', '--gt', 'FDDB-folds', '--sizes',
                       'sizes.txt', '--json', 'o.json', '--roc', 'X')
    assert 'boxes' in json.loads((folder / 'o.json').read_text())['detectors']
    assert (folder / 'XContROC.txt').is_file()


@pytest.mark.parametrize(
    'change, message',
    [({
        'DET': 'none'
    }, 'none: no such file, nor a folder or pattern'),
     ({
         'DET': 'bad.txt'
     }, 'bad.txt, line 1: expected a picture of the fold lists'),
     ({
         '--gt': 'none'
     }, 'FDDB-fold-01.txt is missing'),
     ({
         '--folds': '11'
     }, 'different numbers from 1 to 10'),
     ({
         '--sizes': 'bad.txt'
     }, 'bad.txt, line 1: expected "name width height"'),
     ({
         '--sizes': 'short.txt'
     }, 'no size for 19 of 20 pictures'),
     ({
         '--ann-file': 'bad.txt'
     }, 'bad.txt: 2 of the 2 pictures of fold 1 are missing'),
     ({
         '--published': 'bad.txt'
     }, 'bad.txt: name it <detector>DiscROC.txt'),
     ({
         '--published': 'rocs',
         '--names': 'Old'
     }, 'Old is the name of a detector and of a published curve'),
     ({
         '--roc': 'bad.txt/'
     }, 'boxesDiscROC.txt cannot be written: bad.txt is not a folder'),
     ({
         '--sizes': None,
         '--images': 'none'
     }, '20 of 20 pictures are not in')])
def test_bad_input_is_one_line_and_an_exit_code(folder, main, capsys,
                                                monkeypatch, change, message):
    monkeypatch.chdir(folder)
    Path('bad.txt').write_text('x\n0\n')
    Path('short.txt').write_text(
        Path('sizes.txt').read_text().splitlines()[0] + '\n')
    options = {
        'DET': 'boxes',
        '--gt': 'FDDB-folds',
        '--sizes': 'sizes.txt',
        '--json': 'o.json',
        **change
    }
    args = [options.pop('DET')]
    for key, value in options.items():
        args += [key, value] if value else []
    assert main(*args) == 1
    captured = capsys.readouterr()
    assert captured.err.startswith('error: ') and message in captured.err
    assert captured.err.count('\n') == 1
    assert not captured.out and not Path('o.json').exists()


@pytest.mark.parametrize(
    'args, message',
    [(['a'], 'one of the arguments --images --sizes'),
     (['a', '--sizes', 's', '--images', 'i'], 'not allowed with argument'),
     (['a', 'a', '--sizes', 's'], 'same name'),
     (['a', '--names', 'a', 'b', '--sizes', 's'], 'one name per DETECTIONS'),
     (['a', '--fp', '-1', '--sizes', 's'], 'must not be negative'),
     (['a', '--names', 'x/y', '--roc', 'out/', '--sizes', 's'
       ], 'a name must not hold a /'),
     (['a', 'b', '--roc', 'X', '--sizes', 's'], '--roc must be a folder'),
     (['fold-01-out.txt', 'fold-02-out.txt', '--sizes', 's'
       ], 'put quotes around the pattern')])
def test_bad_arguments(main, capsys, args, message):
    with pytest.raises(SystemExit) as stopped:
        main(*args, '--gt', 'x')
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err
