import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import tinyfaces
from tinyfaces.evaluation.analysis import DOCUMENTATION
from tinyfaces.evaluation.functional import write_wider_predictions

ROOT = Path(__file__).parents[2]
TOOL = ROOT / 'tools/analyze_errors.py'
sys.path.insert(0, str(ROOT / 'tests/evaluation'))
from wider_files import IMAGES, write_gt  # noqa: E402


@pytest.fixture
def folder(tmp_path):
    """Ground truth, two prediction sets, annotations and one picture."""
    write_gt(tmp_path)
    found = {
        key: np.array([[*box, .9] for box in boxes])
        for key, (boxes, _) in IMAGES.items()
    }
    found['0--Parade/0_a'] = np.concatenate(
        [found['0--Parade/0_a'], [[120, 100, 20, 20, .8]]])
    found['10--March/10_a'][0] = [10, 10, 30, 40, .95]
    write_wider_predictions(found, tmp_path / 'pred.zip')
    logits = {key: rows * [1, 1, 1, 1, 5] for key, rows in found.items()}
    write_wider_predictions(logits, tmp_path / 'logits.zip')
    lines = []
    for key, (boxes, _) in IMAGES.items():
        lines += [f'{key}.jpg', str(len(boxes))]
        lines += [
            f'{" ".join(map(str, box))} {at % 3} 0 0 0 0 0'
            for at, box in enumerate(boxes)
        ]
    (tmp_path / 'bbx_gt.txt').write_text('\n'.join(lines) + '\n')
    picture = tmp_path / 'images/0--Parade/0_a.jpg'
    picture.parent.mkdir(parents=True)
    Image.new('RGB', (200, 150), 'green').save(picture)
    return tmp_path


@pytest.fixture
def main(monkeypatch):
    """The tool's entry; what it does to the environment is undone."""
    monkeypatch.setenv('TINYFACES_REGISTER', '0')
    monkeypatch.syspath_prepend(str(TOOL.parent))
    spec = importlib.util.spec_from_file_location('analyze_errors', TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return lambda *args: module.main([str(arg) for arg in args])


def test_everything_at_once(folder, main, capsys):
    out = folder / 'out'
    code = main(folder / 'pred.zip', folder / 'logits.zip', '--names', 'a',
                'b & c', '--logits', 'b & c', '--gt', folder, '--annotations',
                folder / 'bbx_gt.txt', '--images', folder / 'images',
                '--settings', 'hard', 'all', '--normalized-n', 7,
                '--target-sizes', '40x30', '8.5x6', '--out', out)
    printed = capsys.readouterr()
    assert code == 0, printed.err
    content = json.loads((out / 'analysis.json').read_text())
    assert set(content) <= {'documentation', *DOCUMENTATION}
    assert content['documentation'] == DOCUMENTATION
    assert content['warnings'] == []
    assert list(content['settings']) == ['hard', 'all']
    hard = content['settings']['hard']
    assert hard['num_faces'] == 5 and list(hard['detectors']) == ['a', 'b & c']
    a, b = hard['detectors'].values()
    assert a['target_sizes']['height'] == [40, 8.5]
    assert a['characteristics']['n'] == 7
    assert [
        v['num_faces']
        for v in a['characteristics']['groups']['blur']['values']
    ] == [2, 2, 1]
    names = [point['name'] for point in a['by_height']['points']]
    assert names == ['score >= 0.5', 'all detections']
    assert b['by_height']['points'][0]['name'] == 'score >= 0'
    top = a['top_false_positives']
    assert [row['image']
            for row in top['ranked']] == ['10--March/10_a', '0--Parade/0_a']
    assert [row['image'] for row in top['drawn']] == ['0--Parade/0_a']
    assert top['without_picture'] == 1

    figures = sorted(path.name for path in (out / 'figures').iterdir())
    assert len(figures) == 2 * (8 + 2)
    assert 'hard-top_false_positives-2.jpg' in figures
    page = (out / 'index.html').read_text()
    assert page.count('<img') == len(figures) == page.count('src="data:')
    assert '1 of the top 2 of all images have no picture here' in page
    assert 'b &amp; c' in page and 'b & c' not in page
    assert str(folder) not in page
    assert not list(out.rglob('.*'))
    assert '20 figures' in printed.out


def test_default_output_and_a_start_without_torch(folder):
    script = ('import runpy, sys\n'
              f'sys.path.insert(0, {str(TOOL.parent)!r})\n'
              'sys.argv = ["x", "pred.zip", "--gt", ".", "--out", "out"]\n'
              'try:\n'
              f'    runpy.run_path({str(TOOL)!r}, run_name="__main__")\n'
              'finally:\n'
              '    print(sorted({"torch", "mmdet", "mmengine"} '
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
    assert 'warning: no --annotations' in done.stderr
    content = json.loads((folder / 'out/analysis.json').read_text())
    assert list(content['settings']) == ['hard']
    part = content['settings']['hard']['detectors']['pred']
    # 0.15 per image.
    assert part['characteristics']['n'] == pytest.approx(.45)
    assert list(
        part['characteristics']['groups']) == ['area', 'height', 'aspect']
    assert part['top_false_positives']['drawn'] == []
    assert part['top_false_positives']['without_picture'] == 2
    page = (folder / 'out/index.html').read_text()
    assert page.count('<img') == 8
    assert 'none drawn: no pictures at hand' in page


def test_image_list_and_annotations_as_ground_truth(folder, main):
    (folder / 'list.txt').write_text('0--Parade/0_a.jpg\n')
    assert main(folder / 'pred.zip', '--gt', folder / 'bbx_gt.txt',
                '--settings', 'all', '--image-list', folder / 'list.txt',
                '--annotations', folder / 'bbx_gt.txt', '--out',
                folder / 'out') == 0
    content = json.loads((folder / 'out/analysis.json').read_text())
    assert content['images'] == 'subset: 1 of 3 images'
    assert content['settings']['all']['num_faces'] == 3
    assert any('not comparable' in text for text in content['warnings'])


def test_faces_that_the_annotations_lack_are_reported(folder, main, capsys):
    (folder /
     'part.txt').write_text('0--Parade/0_a.jpg\n1\n10 10 50 60 0 0 0 0 0 0\n')
    assert main(folder / 'pred.zip', '--gt', folder, '--annotations',
                folder / 'part.txt', '--out', folder / 'out') == 0
    text = capsys.readouterr().err
    assert 'part.txt: 5 of 6 faces are not in the annotation file' in text
    assert '5 of 6 faces' in (folder / 'out/index.html').read_text()


def test_figures_of_an_earlier_run_go_and_nothing_else(folder, main):
    figures = folder / 'out/figures'
    others = [
        'easy-mine.png', 'hard-error_modes.svg', 'notes-localisation.png'
    ]
    stale = ['easy-error_modes.png', 'hard-top_false_positives-2.jpg']
    figures.mkdir(parents=True)
    for name in (*others, *stale):
        (figures / name).write_text('x')
    assert main(folder / 'pred.zip', '--gt', folder, '--images',
                folder / 'images', '--out', folder / 'out') == 0
    names = {path.name for path in figures.iterdir()}
    assert names >= {*others, 'hard-top_false_positives-1.jpg'}
    assert not names & set(stale)
    assert len(names) == len(others) + 9


def test_a_reader_that_has_gone_costs_no_file(folder, run_without_reader):
    run_without_reader(TOOL, 'pred.zip', '--gt', '.', '--annotations',
                       'bbx_gt.txt', '--out', 'out')
    assert (folder / 'out/index.html').is_file()


@pytest.mark.parametrize(
    'args, message',
    [(['none.zip'], 'no such folder or zip'),
     (['{}/pred.zip', '--gt', '{}/none'], 'wider_face_val.mat is missing'),
     (['{}/bad'], 'bad/a/1.txt, line 2: says 3'),
     (['{}/logits.zip'], 'if they are logits, give --logits logits'),
     (['{}/pred.zip', '--images', '{}/none'], 'no such folder of pictures'),
     (['{}/pred.zip', '--annotations', '{}/none'
       ], 'none: no such file; give wider_face_val_bbx'),
     (['{}/pred.zip', '--image-list', '{}/none'], 'none: no such file; give'),
     (['none.zip', '--out', '{}/odd.txt'], 'odd.txt is not a folder; choose'),
     (['{}/pred.zip', '--annotations', '{}/odd.txt'], 'odd.txt, line 3'),
     (['{}/pred.zip', '--image-list', '{}/two.txt'], 'counts no face'),
     (['{}/pred.zip', '--images', '{}/broken'], 'not a readable picture')])
def test_bad_input_is_one_line_and_nothing_is_written(folder, main, capsys,
                                                      args, message):
    (folder / 'bad/a').mkdir(parents=True)
    (folder / 'bad/a/1.txt').write_text('1\n3\n1 2 3 4 5\n')
    (folder / 'odd.txt').write_text('0--Parade/0_a.jpg\n1\n1 2 3\n')
    (folder / 'two.txt').write_text('0--Parade/0_b.c\n')
    (folder / 'broken/0--Parade').mkdir(parents=True)
    (folder / 'broken/0--Parade/0_a.jpg').write_text('no picture')
    args = [arg.format(folder) for arg in args]
    if '--gt' not in args:
        args += ['--gt', folder]
    if '--out' not in args:
        args += ['--out', folder / 'out']
    assert main(*args) == 1
    text = capsys.readouterr().err
    assert text.startswith('error: ') and message in text
    assert text.count('\n') == 1
    assert not (folder / 'out').exists()


@pytest.mark.parametrize(
    'args, message',
    [(['p', 'p'], 'same name'), (['p', '--names', 'a', 'b'], 'one name per'),
     (['p', '--logits', 'q'], 'no such detector'),
     (['p', '--normalized-n', '0'], 'not above 0'),
     (['p', '--normalized-n', 'abc'], "'abc' is not a finite number"),
     (['p', '--score-thrs', 'nan'], "'nan' is not a finite number"),
     (['p', '--target-sizes', '25x0'], 'not above 0'),
     (['p', '--target-sizes', '25'], 'not HEIGHTxWIDTH')])
def test_bad_arguments(main, capsys, args, message):
    with pytest.raises(SystemExit) as stopped:
        main(*args, '--gt', 'x', '--out', 'y')
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err
