"""``evaluate_voc_face.py`` and ``evaluate_mafa.py``."""
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from mat_writers import mafa_test_row as row
from mat_writers import write_mafa, write_voc_face

import tinyfaces

TOOLS = Path(__file__).parents[2] / 'tools'


@pytest.fixture
def folder(tmp_path):
    write_voc_face(
        tmp_path / 'gt.mat', {
            'a.jpg': [[0, 0, 99, 99, 0]],
            'b.jpg': [[0, 0, 99, 99, 0], [200, 0, 299, 99, 0]]
        })
    write_mafa(tmp_path / 'mafa.mat', {
        'a.jpg': [row([0, 0, 99, 99], 1)],
        'b.jpg': [row([200, 0, 99, 99], 2)]
    })
    (tmp_path / 'dets.txt').write_text('a.jpg .9 0 0 99 99\n'
                                       'b.jpg .8 32 0 131 99\n'
                                       'b.jpg .7 34 300 131 399\n')
    return tmp_path


@pytest.fixture
def main(monkeypatch):
    """A tool's entry; what it does to the environment is undone."""
    monkeypatch.setenv('TINYFACES_REGISTER', '0')
    monkeypatch.syspath_prepend(str(TOOLS))

    def main(tool, *args):
        path = TOOLS / f'{tool}.py'
        spec = importlib.util.spec_from_file_location(tool, path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module.main([str(arg) for arg in args])

    return main


def test_everything_at_once(folder, main, capsys):
    code = main('evaluate_voc_face', folder / 'dets.txt', folder / 'dets.txt',
                '--names', 'one', 'two', '--gt', folder / 'gt.mat', '--json',
                folder / 'o.json', '--plot', folder / 'o.png')
    out = capsys.readouterr().out
    assert code == 0
    assert 'face-eval protocol (AFW, PASCAL Face), all 2 images' in out
    assert 'faces: all 3; images: 2' in out
    assert ['two', '66.667'] in [line.split() for line in out.splitlines()]
    assert 'one: 3 detections; 2 of 2 images have detections' in out
    content = json.loads((folder / 'o.json').read_text())
    assert list(content['detectors']) == ['one', 'two']
    one = content['detectors']['one']['subsets']['all']
    assert one == dict(num_faces=3, ap=pytest.approx(2 / 3))
    assert (folder / 'o.png').stat().st_size > 10000


@pytest.mark.parametrize('options, ap, text', [
    (['--no-refinement', '--iou-thr', '.6'], '33.333', 'boxes as detected'),
    (['--no-refinement', '--iou-thr', '.5'], '66.667', 'IoU > 0.5'),
    (['--min-size', '100'], 'nan', 'faces under 100 pixels'),
])
def test_options(folder, main, capsys, options, ap, text):
    assert main('evaluate_voc_face', folder / 'dets.txt', '--gt',
                folder / 'gt.mat', *options) == 0
    out = capsys.readouterr().out
    assert ['dets', ap] in [line.split() for line in out.splitlines()]
    assert text in out


def test_some_pictures_only(folder, main, capsys):
    (folder / 'list.txt').write_text('a.jpg\n')
    (folder / 'a.txt').write_text('a .9 0 0 99 99\n')
    assert main('evaluate_voc_face', folder / 'a.txt', '--gt',
                folder / 'gt.mat', '--images', folder / 'list.txt') == 0
    out = capsys.readouterr().out
    assert 'subset: 1 of 2 images' in out and 'not comparable' in out
    assert ['a', '100.000'] in [line.split() for line in out.splitlines()]


@pytest.mark.parametrize('tool, gt', [('evaluate_voc_face', 'gt.mat'),
                                      ('evaluate_mafa', 'mafa.mat')])
def test_detections_of_other_pictures_are_left_out(folder, main, capsys, tool,
                                                   gt):
    """A whole detection file with a list of some pictures."""
    (folder / 'list.txt').write_text('x/a.jpg\n')
    args = (tool, folder / 'dets.txt', '--gt', folder / gt, '--images',
            folder / 'list.txt', '--json', folder / 'o.json')
    assert main(*args) == 0
    out = capsys.readouterr().out
    assert 'dets: 1 detections' in out
    assert '2 detections in other images left out' in out
    content = json.loads((folder / 'o.json').read_text())['detectors']['dets']
    assert (content['num_detections'], content['num_left_out']) == (1, 2)
    # The name must be one of the annotations all the same.
    with open(folder / 'dets.txt', 'a') as file:
        file.write('c .9 0 0 99 99\n')
    assert main(*args) == 1
    assert "line 4: image 'c' is not in the" in capsys.readouterr().err


def test_mafa(folder, main, capsys):
    assert main('evaluate_mafa', folder / 'dets.txt', '--gt',
                folder / 'mafa.mat', '--json', folder / 'o.json') == 0
    out = capsys.readouterr().out
    assert 'MAFA, rules partly inferred, all 2 images' in out
    assert 'type 3 (invalid)' in out
    assert 'faces: whole 2, masked 1, unignored 2' in out
    assert ['dets', '50.000', '100.000',
            '50.000'] in [line.split() for line in out.splitlines()]
    content = json.loads((folder / 'o.json').read_text())
    assert len(content['detectors']['dets']['inferred_rules']) >= 4


@pytest.mark.parametrize('tool, gt', [('evaluate_voc_face', 'gt.mat'),
                                      ('evaluate_mafa', 'mafa.mat')])
def test_starts_without_torch(folder, tool, gt):
    script = ('import runpy, sys\n'
              f'sys.path.insert(0, {str(TOOLS)!r})\n'
              f'sys.argv = ["x", "dets.txt", "--gt", {gt!r}]\n'
              'try:\n'
              f'    runpy.run_path({str(TOOLS / tool)!r} + ".py", '
              'run_name="__main__")\n'
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


@pytest.mark.parametrize('args, message', [
    (['none.txt', '--gt', '{}/gt.mat'], 'no such file of detections'),
    (['{}/dets.txt', '--gt', '{}/none.mat'], 'no such annotation file'),
    (['{}/dets.txt', '--gt', '{}/mafa.mat'], 'expected a variable'),
    (['{}/bad.txt', '--gt', '{}/gt.mat'], 'bad.txt, line 2: x2 < x1'),
    (['{}/other.txt', '--gt', '{}/gt.mat'
      ], 'other.txt, line 1: none of the 1 detections'),
    (['{}/dets.txt', '--gt', '{}/gt.mat', '--iou-thr', '1'], 'in [0, 1)'),
    (['{}/dets.txt', '--gt', '{}/gt.mat', '--images', '{}/no'
      ], 'no: no such list of pictures'),
    (['{}/dets.txt', '--gt', '{}/gt.mat', '--images', '{}/other.txt'
      ], 'other.txt, line 1: expected the name of one picture'),
    (['{}/dets.txt', '--gt', '{}/gt.mat', '--images', '{}/names.txt'
      ], 'names.txt: 1 image(s) to score are not in the ground truth'),
    (['{}/dets.txt', '--gt', '{}/gt.mat', '--min-size', '1e200'
      ], 'min_size must be 0 or more pixels, up to 1,000,000,000, got 1e+200'),
    (['{}/dets.txt', '--gt', '{}/gt.mat', '--plot', '{}'
      ], 'is a folder; give the name of a file'),
])
def test_bad_input_is_one_line_and_an_exit_code(folder, main, capsys, args,
                                                message):
    (folder / 'bad.txt').write_text('a 1 1 1 2 2\na 1 9 1 2 2\n')
    (folder / 'other.txt').write_text('x 1 1 1 2 2\n')
    (folder / 'names.txt').write_text('a.jpg\nx.jpg\n')
    before = sorted(folder.iterdir())
    assert main('evaluate_voc_face', *[a.format(folder) for a in args],
                '--json', folder / 'o.json') == 1
    text = capsys.readouterr().err
    assert text.startswith('error: ') and message in text
    assert text.count('\n') == 1
    assert sorted(folder.iterdir()) == before


@pytest.mark.parametrize('tool, gt', [('evaluate_voc_face', 'gt.mat'),
                                      ('evaluate_mafa', 'mafa.mat')])
def test_a_reader_that_has_gone_costs_no_file(folder, run_without_reader, tool,
                                              gt):
    run_without_reader(TOOLS / f'{tool}.py', 'dets.txt', '--gt', gt, '--json',
                       'o.json')
    assert 'dets' in json.loads((folder / 'o.json').read_text())['detectors']


@pytest.mark.parametrize('args, message', [
    (['p', 'p'], 'same name'),
    (['p', '--names', 'a', 'b'], 'one name per DETECTIONS'),
    ([], 'required: DETECTIONS'),
])
def test_bad_arguments(main, capsys, args, message):
    with pytest.raises(SystemExit) as stopped:
        main('evaluate_mafa', *args, '--gt', 'x')
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.real_data
@pytest.mark.parametrize('found, gt, ap, faces', [
    ('SFD_AFW_detections.txt', 'new_annotations_AFW.mat', '99.85', '473'),
    ('SFD_PASCAL_detections.txt',
     'Annotations_Face_PASCALLayout_large_fixed.mat', '98.49', '1,341'),
])
def test_published_numbers(real_data, main, capsys, found, gt, ap, faces):
    data = real_data / 'afw_pascal'
    assert main('evaluate_voc_face', data / found, '--names', 'S3FD', '--gt',
                data / gt) == 0
    out = capsys.readouterr().out
    row, = [x.split() for x in out.splitlines() if x.startswith('S3FD ')]
    assert f'{float(row[1]):.2f}' == ap and f'faces: all {faces};' in out
