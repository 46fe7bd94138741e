"""configs/_base_/tta/srn_multi_scale.py, through the command line tool."""
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.config import Config, ConfigDict
from PIL import Image
from tiny_detector import RETINANET, save_random_model

ROOT = Path(__file__).parents[2]
BASE = ROOT / 'configs' / '_base_'

CONFIG = """
_base_ = ['{base}/datasets/wider_face.py', '{base}/default_runtime.py',
          '{base}/tta/srn_multi_scale.py']
model = {model}
tta_model = dict(plan=dict(max_size=160))
train_dataloader = val_dataloader = val_evaluator = None
test_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
    dataset=dict(
        data_root='{data}',
        ann_file='wider_face_split/wider_face_val_bbx_gt.txt',
        data_prefix=dict(img='WIDER_val/images')))
test_evaluator = dict(
    _delete_=True,
    type='WiderFaceMetric',
    ann_file='{data}/wider_face_split/wider_face_val_bbx_gt.txt',
    settings=['all'])
test_cfg = dict(type='TestLoop')
"""
# Below, near and above the budget of 160x160; portrait and landscape.
SIZES = [(60, 80), (150, 100), (300, 200)]


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Three pictures in WIDER FACE's layout, a detector and a config."""
    path = tmp_path_factory.mktemp('multi_scale')
    images = path / 'WIDER_val' / 'images' / '0--Parade'
    images.mkdir(parents=True)
    rng = np.random.default_rng(0)
    text = ''
    for number, (width, height) in enumerate(SIZES):
        noise = rng.integers(0, 256, (height // 8, width // 8, 3), np.uint8)
        Image.fromarray(noise).resize(
            (width, height), Image.BICUBIC).save(images / f'{number}.png')
        text += (f'0--Parade/{number}.png\n1\n'
                 '10 20 30 40 0 0 0 0 0 0\n')
    split = path / 'wider_face_split'
    split.mkdir()
    (split / 'wider_face_val_bbx_gt.txt').write_text(text)
    save_random_model(RETINANET, path)
    (path / 'multi_scale.py').write_text(
        CONFIG.format(base=BASE, data=path, model=RETINANET))
    return path


def call(folder, *command):
    """Run a command; what it printed."""
    environ = dict(os.environ, OMP_NUM_THREADS='1')
    environ['PYTHONPATH'] = str(ROOT / 'projects')
    result = subprocess.run([str(x) for x in command],
                            cwd=folder,
                            env=environ,
                            capture_output=True,
                            text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout + result.stderr


@pytest.fixture(scope='module')
def tested(folder):
    """Output and prediction files of tools/test.py."""
    printed = call(folder, sys.executable, ROOT / 'tools' / 'test.py',
                   'multi_scale.py', 'weights.pth', '--tta', '--wider-out',
                   'one.zip')
    return printed, predictions(folder / 'one.zip')


def predictions(path):
    """Rows x y w h score of each picture."""
    with zipfile.ZipFile(path) as archive:
        return {
            Path(name).stem:
            np.array([
                line.split()
                for line in archive.read(name).decode().split('\n')[2:] if line
            ], float)
            for name in archive.namelist() if name.endswith('.txt')
        }


def test_tool_writes_what_the_model_finds(folder, tested):
    """The same as the wrapped model with the pictures put in by hand."""
    printed, found = tested
    assert 'up to the budget of tta_model.plan' in printed
    assert 'wider/all_ap' in printed
    cfg = Config.fromfile(folder / 'multi_scale.py')
    model = MODELS.build(ConfigDict(**cfg.tta_model, module=cfg.model)).eval()
    model.load_state_dict(torch.load(folder / 'weights.pth')['state_dict'])
    assert model.plan.max_size == 160
    for number, (width, height) in enumerate(SIZES):
        picture = np.array(
            Image.open(folder / f'WIDER_val/images/0--Parade/{number}.png'))
        bgr = torch.from_numpy(picture[..., ::-1].transpose(2, 0, 1).copy())
        wanted = direct(model, bgr)
        rows = found[str(number)]
        assert 20 < len(rows) <= 750
        assert (rows[:, :2] >= 0).all()
        assert (rows[:, :2] + rows[:, 2:4] <= [width + .01,
                                               height + .01]).all()
        np.testing.assert_allclose(rows, wanted, atol=2e-3)


def direct(model, image):
    """Rows x y w h score that a model gives."""
    sample = DetDataSample(
        metainfo=dict(ori_shape=image.shape[1:], img_shape=image.shape[1:]))
    found = model.test_step(dict(inputs=[image],
                                 data_samples=[sample]))[0].pred_instances
    boxes = found.bboxes.numpy()
    return np.concatenate((boxes[:, :2], boxes[:, 2:] - boxes[:, :2],
                           found.scores.numpy()[:, None]), 1)
