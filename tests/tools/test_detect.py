import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_detector import RETINANET, save_random_model

from tinyfaces.apis import DetectionJob

TOOL = Path(__file__).parents[2] / 'tools/detect.py'


@pytest.fixture(scope='module')
def main():
    """The tool's main function, which gives the exit status."""
    spec = importlib.util.spec_from_file_location('detect_tool', TOOL)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)

    def run(*args):
        try:
            return tool.main([str(arg) for arg in args])
        except SystemExit as error:
            return error.code

    return run


@pytest.fixture(scope='module')
def workplace(tmp_path_factory):
    """A folder with a model where the quickstart puts it, and pictures."""
    folder = tmp_path_factory.mktemp('workplace')
    model = folder / 'work_dirs/quickstart/model'
    model.mkdir(parents=True)
    save_random_model(RETINANET, model)
    photos = folder / 'photos'
    (photos / 'more').mkdir(parents=True)
    pixels = np.random.default_rng(0).integers(
        0, 256, (90, 120, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(photos / 'a.jpg')
    Image.fromarray(pixels).convert('CMYK').save(photos / 'more/a.jpg')
    exif = Image.Exif()
    exif[0x0112] = 8
    Image.fromarray(pixels).save(photos / 'more/turned.png', exif=exif)
    return folder


def read(out):
    lines = (out / 'detections.jsonl').read_text().splitlines()
    return [json.loads(line) for line in lines]


def test_as_a_command(workplace, tmp_path):
    paths = [str(TOOL.parents[1] / 'projects'), *sys.path]
    done = subprocess.run([
        sys.executable, TOOL, 'photos', '--out', tmp_path, '--device', 'cpu',
        '--score-thr', '0.2', '--max-per-img', '5'
    ],
                          cwd=workplace,
                          capture_output=True,
                          text=True,
                          env={
                              **os.environ, 'PYTHONPATH':
                              os.pathsep.join(filter(None, paths))
                          })
    assert done.returncode == 0, done.stderr
    assert '3 of 3 pictures done' in done.stdout
    assert '3/3' in done.stderr
    lines = read(tmp_path)
    assert [(line['file'], line['width'], line['height'], line['drawing'])
            for line in lines] == [
                ('photos/a.jpg', 120, 90, 'images/a.jpg'),
                ('photos/more/a.jpg', 120, 90, 'images/more/a.jpg'),
                ('photos/more/turned.png', 90, 120, 'images/more/turned.jpg')
            ]
    for line in lines:
        assert 0 < len(line['faces']) <= 5
        for face in line['faces']:
            x1, y1, x2, y2 = face['box']
            assert 0 <= x1 < x2 <= line['width']
            assert 0 <= y1 < y2 <= line['height']
            assert 0.2 <= face['score'] <= 1
        with Image.open(tmp_path / line['drawing']) as drawn:
            assert drawn.size == (line['width'], line['height'])


def test_corrupt_file_is_reported_and_resumed(main, workplace, tmp_path,
                                              monkeypatch, capsys):
    monkeypatch.chdir(workplace)
    whole = Path('photos/a.jpg').read_bytes()
    (tmp_path / 'cut.jpg').write_bytes(whole[:len(whole) // 2])
    args = (f'{tmp_path}/*.jpg', 'photos/a.jpg', '--out', tmp_path / 'out',
            '--no-images', '--tile-size', 128, '--tile-overlap', 32)
    assert main(*args) == 1
    printed = capsys.readouterr()
    assert 'cut.jpg: cannot be decoded' in printed.err
    assert '1 of 2 pictures done' in printed.out
    broken, good = read(tmp_path / 'out')
    assert set(broken) == {'file', 'error'}
    assert broken['file'] == str(tmp_path / 'cut.jpg')
    assert set(good) == {'file', 'width', 'height', 'faces'}
    assert not (tmp_path / 'out/images').exists()
    (tmp_path / 'cut.jpg').write_bytes(whole)
    assert main(*args, '--resume') == 0
    assert '1/1' in capsys.readouterr().err
    first, second = read(tmp_path / 'out')
    assert first == good and second['file'] == str(tmp_path / 'cut.jpg')
    assert second['faces'] == first['faces']


@pytest.mark.parametrize('args, message', [
    (['photos', '--config', 'x.py'], 'give --config and --weights together'),
    (['none.jpg', 'photos', '*.gif'], 'no pictures found: none.jpg, *.gif;'),
    (['photos', '--score-thr', '2'], 'score_thr is 2.0'),
    (['photos', '--drawing-side', '0'], '--drawing-side must be at least 1'),
    (['photos', '--config', 'x.py', '--weights', 'x.pth'], 'x.py'),
])
def test_bad_arguments(main, workplace, tmp_path, monkeypatch, capsys, args,
                       message):
    monkeypatch.chdir(workplace)
    assert main(*args, '--out', tmp_path / 'out') == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / 'out').exists()


def test_damaged_results_are_not_resumed(main, workplace, tmp_path,
                                         monkeypatch, capsys):
    monkeypatch.chdir(workplace)
    (tmp_path / 'detections.jsonl').write_text('no JSON\n')
    assert main('photos', '--out', tmp_path, '--resume') == 2
    assert 'detections.jsonl:1: expected' in capsys.readouterr().err


def test_no_model_yet(main, workplace, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(workplace / 'photos') == 2
    assert 'bash tools/quickstart.sh' in capsys.readouterr().err


def test_interrupted(main, workplace, tmp_path, monkeypatch, capsys):

    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.chdir(workplace)
    monkeypatch.setattr(DetectionJob, '_look_at', interrupt)
    assert main('photos', '--out', tmp_path) == 130
    assert '--resume goes on' in capsys.readouterr().err
