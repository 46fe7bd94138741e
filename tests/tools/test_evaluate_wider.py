import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tinyfaces
from tinyfaces.evaluation.functional import write_wider_predictions

ROOT = Path(__file__).parents[2]
TOOL = ROOT / 'tools/evaluate_wider.py'
sys.path.insert(0, str(ROOT / 'tests/evaluation'))
from wider_files import IMAGES, write_gt  # noqa: E402


@pytest.fixture
def folder(tmp_path):
    write_gt(tmp_path)
    found = {
        key: np.array([[*box, .9] for box in boxes])
        for key, (boxes, _) in IMAGES.items()
    }
    found['0--Parade/0_a'][0] = [900, 900, 9, 9, .1]
    write_wider_predictions(found, tmp_path / 'pred.zip')
    return tmp_path


@pytest.fixture
def main(monkeypatch):
    """The tool's entry; what it does to the environment is undone."""
    monkeypatch.setenv('TINYFACES_REGISTER', '0')
    monkeypatch.syspath_prepend(str(TOOL.parent))
    spec = importlib.util.spec_from_file_location('evaluate_wider', TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return lambda *args: module.main([str(arg) for arg in args])


def test_everything_at_once(folder, main, capsys):
    (folder / 'list.txt').write_text('0--Parade/0_a.jpg\n0--Parade/0_b.c\n')
    code = main(folder / 'pred.zip', folder / 'pred.zip', '--names', 'a', 'b',
                '--gt', folder, '--images', folder / 'list.txt', '--coco',
                '--settings', 'medium', 'all', '--fp-at-recall', .1, 1,
                '--group', f'16={folder / "pred.zip"}', '--json',
                folder / 'o.json', '--plot', folder / 'o.png', '--mat',
                folder / 'mat')
    out = capsys.readouterr().out
    assert code == 0
    assert 'subset: 2 of 3 images' in out and '.5:.95' in out
    assert 'one anchor-scale group' in out and '@16' in out
    content = json.loads((folder / 'o.json').read_text())
    assert list(content['detectors']) == ['a', 'b']
    assert content['detectors']['a']['settings']['all']['ap']['0.5'] == .75
    assert content['groups']['@16']['settings']['all']['ap']['0.5'] == .75
    assert (folder / 'o.png').stat().st_size > 10000
    assert len(list((folder / 'mat').iterdir())) == 4


def test_default_output_and_a_start_without_torch(folder):
    script = ('import runpy, sys\n'
              f'sys.path.insert(0, {str(TOOL.parent)!r})\n'
              'sys.argv = ["x", "pred.zip", "--gt", "."]\n'
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
    assert 'WIDER FACE protocol, all 3 images, true IoU >= 0.5' in done.stdout
    # Faces counted: 1, 3, 5; the first one is missed.
    assert 'pred  0.5  0.00000  0.66667  0.80000'.split() in [
        line.split() for line in done.stdout.splitlines()
    ]
    assert done.stdout.endswith('[]\n')


def test_a_reader_that_has_gone_costs_no_file(folder, run_without_reader):
    run_without_reader(TOOL, 'pred.zip', '--gt', '.', '--json', 'o.json',
                       '--mat', 'mat')
    assert 'pred' in json.loads((folder / 'o.json').read_text())['detectors']
    assert len(list((folder / 'mat').iterdir())) == 3


def test_recall_by_height(folder, main, capsys):
    common = (folder / 'pred.zip', '--gt', folder, '--settings', 'medium',
              'hard', '--recall-by-height')
    assert main(*common) == 0
    out = capsys.readouterr().out
    assert 'pred: recall at IoU 0.5 by height of the face in pixels' in out
    # Three medium faces of 60 (missed), 25 and 40 pixels.
    part = out[out.index('\nmedium'):].splitlines()
    assert part[2].split() == 'faces 0 0 0 1 1 1 0 0 0 0 3'.split()
    assert part[3].split() == ('all detections - - - 1.0000 1.0000 0.0000 - '
                               '- - - 0.6667').split()
    assert part[4].startswith('hard')
    assert main(*common, .95, -1.5) == 0
    out = capsys.readouterr().out
    rows = [line.split() for line in out[out.index('\nhard'):].splitlines()]
    # Of 8, 25, 40, 40 and 60 pixels.
    assert rows[3] == ('score >= 0.95 0.0000 - - 0.0000 0.0000 0.0000 - - - '
                       '- 0.0000').split()
    assert rows[4][3:] == rows[5][2:] == (
        '1.0000 - - 1.0000 1.0000 0.0000 - - - - 0.8000').split()


def test_group_alone_and_int32(folder, main, capsys):
    assert main('--group', f'16={folder / "pred.zip"}', '--gt', folder,
                '--matlab-int32') == 0
    out = capsys.readouterr().out
    assert 'MATLAB int32' in out and '@16' in out


def test_annotation_file_as_ground_truth(folder, main, capsys):
    (folder /
     'gt.txt').write_text('0--Parade/0_b.c.jpg\n1\n5 5 9 9 0 0 0 0 0 0\n')
    assert main(folder / 'pred.zip', '--gt', folder / 'gt.txt', '--settings',
                'all') == 0
    assert 'faces: all 1' in capsys.readouterr().out


@pytest.mark.parametrize(
    'args, message',
    [(['none.zip', '--gt', '{}'], 'no such folder or zip'),
     (['{}/pred.zip', '--gt', '{}/none'], 'wider_face_val.mat is missing'),
     (['{}/bad', '--gt', '{}'], 'bad/a/1.txt, line 2: says 3'),
     (['{}/pred.zip', '--gt', '{}', '--images', '{}/none'], 'No such file'),
     (['{}/pred.zip', '--gt', '{}', '--images', '{}/list.txt'
       ], 'list.txt: 1 image(s) to score are not in the ground truth'),
     (['{}/pred.zip', '--gt', '{}', '--mat', '{}/pred.zip'
       ], 'pred.zip is not a folder; choose'),
     (['{}/pred.zip', '--gt', '{}', '--iou-thrs', '.6', '--matlab-int32'
       ], '0.5 only'),
     (['{}/pred.zip', '--gt', '{}', '--iou-thrs', '.6', '--mat', '{}/mat'
       ], 'not evaluated')])
def test_bad_input_is_one_line_and_an_exit_code(folder, main, capsys, args,
                                                message):
    (folder / 'bad/a').mkdir(parents=True)
    (folder / 'bad/a/1.txt').write_text('1\n3\n1 2 3 4 5\n')
    (folder / 'list.txt').write_text('0--Parade/other.jpg\n')
    assert main(*[a.format(folder) for a in args]) == 1
    text = capsys.readouterr().err
    assert text.startswith('error: ') and message in text
    assert text.count('\n') == 1


@pytest.mark.parametrize(
    'args, message',
    [([], 'give a PRED'), (['p', 'p'], 'same name'),
     (['p', '--names', 'a', 'b'], 'one name per PRED'),
     (['--group', '16'], 'NAME=PRED'),
     (['--group', '16=p', '--plot', 'o.png'], 'there is none'),
     (['--group', '16=p', '--recall-by-height'], 'there is none')])
def test_bad_arguments(main, capsys, args, message):
    with pytest.raises(SystemExit) as stopped:
        main(*args, '--gt', 'x')
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err
