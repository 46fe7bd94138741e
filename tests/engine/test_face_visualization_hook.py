"""What is drawn on is the picture that the boxes are of."""
from types import SimpleNamespace

import numpy as np
import pytest
from mmdet.structures import DetDataSample
from mmengine.visualization import Visualizer
from PIL import Image

from tinyfaces.engine.hooks import FaceVisualizationHook


@pytest.fixture
def drawn(monkeypatch):
    """What the visualizer is given, as (name, picture, options)."""
    calls = []
    visualizer = SimpleNamespace(
        add_datasample=lambda *args, **options: calls.append((*args, options)))
    monkeypatch.setattr(Visualizer, 'get_current_instance', lambda: visualizer)
    return calls


def sample(path, **meta):
    return DetDataSample(metainfo=dict(img_path=str(path), **meta))


@pytest.fixture
def turned(tmp_path):
    """Red at the left, to be shown after a quarter turn."""
    image = Image.new('RGB', (64, 48), (0, 0, 255))
    image.paste((255, 0, 0), (0, 0, 32, 48))
    exif = image.getexif()
    exif[0x0112] = 6
    path = tmp_path / 'turned.jpg'
    image.save(path, exif=exif)
    return path


def runner(folder, iteration=0):
    return SimpleNamespace(
        work_dir=str(folder / 'work'), timestamp='now', iter=iteration)


def test_pictures_are_drawn_as_stored(tmp_path, drawn, turned):
    hook = FaceVisualizationHook(draw=True, interval=2, test_out_dir='out')
    batch = [
        sample('gone.jpg', unreadable=[('gone.jpg', 'is not there')]),
        sample(turned)
    ]
    hook.after_test_iter(runner(tmp_path), 0, None, batch)
    hook.after_test_iter(runner(tmp_path), 1, None, batch)
    hook.after_val_iter(runner(tmp_path, 1), 1, None, batch)
    hook.after_val_iter(runner(tmp_path, 1), 2, None, batch)  # 3: not drawn
    folder = tmp_path / 'work/now/out'
    assert folder.is_dir()
    assert [(name, options['out_file'], options['step'])
            for name, _, options in drawn
            ] == [('test_img', str(folder / 'turned.jpg'), 1),
                  ('test_img', str(folder / 'turned.jpg'), 2),
                  ('val_img', None, 2)]
    for _, picture, options in drawn:
        assert picture.shape == (48, 64, 3)
        assert np.abs(picture[24, 8].astype(int) - (255, 0, 0)).max() < 4
        assert options['data_sample'] is batch[1]


def test_nothing_is_drawn_unless_asked_for(tmp_path, drawn, turned):
    hook = FaceVisualizationHook(test_out_dir='out')
    hook.after_test_iter(runner(tmp_path), 0, None, [sample(turned)])
    hook.after_val_iter(runner(tmp_path), 0, None, [sample(turned)])
    assert not drawn and not (tmp_path / 'work').exists()


def test_another_visualizer_was_made_since(tmp_path, monkeypatch, turned):
    """Such as that of a run before, in the same process."""
    monkeypatch.setattr(Visualizer, 'get_current_instance', lambda: None)
    hook = FaceVisualizationHook(draw=True)
    calls = []
    run = runner(tmp_path)
    run.visualizer = SimpleNamespace(
        add_datasample=lambda *args, **options: calls.append(args))
    hook.before_run(run)
    hook.after_test_iter(run, 0, None, [sample(turned)])
    assert len(calls) == 1
