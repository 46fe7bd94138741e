import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tinyfaces
from tinyfaces.evaluation.functional import write_wider_predictions
from tinyfaces.templates import Template, load_templates, save_templates

ROOT = Path(__file__).parents[2]
TOOL = ROOT / 'tools/select_template_scales.py'
sys.path.insert(0, str(ROOT / 'tests/evaluation'))
from wider_files import IMAGES, write_gt  # noqa: E402


@pytest.fixture
def folder(tmp_path):
    """Models of two scales: of 1 for all but the faces of 10 pixels."""
    write_gt(tmp_path)
    for name, small, large in (('one', .1, .9), ('two', .9, .1)):
        found = {
            key:
            np.array([[*box, small if box[3] < 12 else large]
                      for box in boxes] + [[900, 900, 9, 9, .5]])
            for key, (boxes, _) in IMAGES.items()
        }
        write_wider_predictions(found, tmp_path / f'{name}.zip')
    save_templates(
        tmp_path / 'targets.json',
        [Template(16, 18, 2.),
         Template(30, 40),
         Template(300, 400)], 'test')
    return tmp_path


@pytest.fixture
def main(monkeypatch):
    """The tool's entry; what it does to the environment is undone."""
    monkeypatch.setenv('TINYFACES_REGISTER', '0')
    monkeypatch.syspath_prepend(str(TOOL.parent))
    spec = importlib.util.spec_from_file_location('select_scales', TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return lambda *args: module.main([str(arg) for arg in args])


def arguments(folder):
    return ('--predictions', f'1={folder}/one.zip', f'2={folder}/two.zip',
            '--gt', folder, '--targets', folder / 'targets.json', '--out',
            folder / 'out.json')


def test_templates_figure_and_report(folder, main, capsys):
    assert main(*arguments(folder), '--setting', 'all', '--plot',
                folder / 'out.png') == 0
    assert load_templates(folder / 'out.json') == [
        Template(300, 400, 1., 'A'),
        Template(30, 40, 1., 'A'),
        Template(16, 18, 2., 'B')
    ]
    text = (folder / 'out.json').read_text()
    assert 'targets.json' in text and str(folder) not in text
    assert (folder / 'out.png').read_bytes().startswith(b'\x89PNG')
    lines = capsys.readouterr().out.splitlines()
    assert 'all faces, all 3 images' in lines[0]
    rows = [line.split() for line in lines[1:5]]
    assert rows[0] == ('target faces AP @1 AP @2 best template role').split()
    assert rows[1] == '400.0x300.0 0 - - 1 400.0x300.0 A'.split()
    # 40 x 30 twice and 60 x 50, which is .4 of it; 9 x 9 and 8 x 6.
    assert rows[2][:3] == ['40.0x30.0', '2', '1.0000']
    assert rows[3][1] == '2' and rows[3][3:] == '1.0000 2 18.0x16.0 B'.split()
    assert 'warning: no single best scale for 1 of 3 targets' in lines[5]


def test_a_start_without_torch_and_published_targets(folder):
    (folder / 'list.txt').write_text('0--Parade/0_a.jpg\n')
    script = ('import runpy, sys\n'
              f'sys.path.insert(0, {str(TOOL.parent)!r})\n'
              'sys.argv = ["x", "--predictions", "1=one.zip", "2=two.zip", '
              '"--gt", ".", "--images", "list.txt", "--out", "out.json"]\n'
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
    assert done.stdout.endswith('[]\n')
    assert 'subset: 1 of 3 images' in done.stdout
    assert len(load_templates(folder / 'out.json')) == 25


@pytest.mark.parametrize('change, message', [
    (dict(gt='none'), 'wider_face_val.mat is missing'),
    (dict(targets='none.json'), 'none.json does not exist'),
    (dict(out='.'), 'is a folder; give'),
])
def test_bad_input_is_one_line_and_an_exit_code(folder, main, capsys, change,
                                                message):
    args = list(arguments(folder))
    for name, value in change.items():
        args[args.index(f'--{name}') + 1] = folder / value
    assert main(*args) == 1
    text = capsys.readouterr().err
    assert text.startswith('error: ') and message in text
    assert text.count('\n') == 1


@pytest.mark.parametrize('predictions, message', [
    (['1=a'], 'at least two'),
    (['1=a', '1.0=b'], 'given twice'),
    (['1=a', 'b.zip'], 'b.zip is not SIGMA=PRED'),
    (['1=a', '0=b'], '0=b is not SIGMA=PRED'),
    (['1=a', 'nan=b'], 'is not SIGMA=PRED'),
    (['1=a', '2='], 'is not SIGMA=PRED'),
])
def test_bad_arguments(main, capsys, predictions, message):
    with pytest.raises(SystemExit) as stopped:
        main('--gt', 'x', '--out', 'y', '--predictions', *predictions)
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err
