"""The training pictures of "Finding Tiny Faces", by the configs' pipelines."""
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmcv.transforms import Compose
from mmengine.config import Config

CONFIGS = Path(__file__).parents[2] / 'configs' / '_base_'
NAMES = {500: 'wider_face_tiny_faces.py', 256: 'wider_face_tiny_faces_256.py'}


def load(name):
    return Config.fromfile(CONFIGS / 'datasets' / name)


@pytest.fixture
def draw(tmp_path):
    """Draws 20 samples of a white picture, 300x200, with one face."""
    path = str(tmp_path / 'x.png')
    cv2.imwrite(path, np.full((200, 300, 3), 255, np.uint8))
    face = dict(bbox=[30, 50, 90, 130], bbox_label=0, ignore_flag=0)

    def draw(name):
        pipeline = Compose(load(name).train_dataloader.dataset.pipeline)
        np.random.seed(0)
        for _ in range(20):
            packed = pipeline(
                dict(
                    img_path=path,
                    img_id='a/x',
                    height=200,
                    width=300,
                    instances=[face]))
            yield packed['inputs'].numpy(), packed['data_samples']

    return draw


@pytest.mark.parametrize('side', NAMES)
def test_colours_and_boxes(draw, side):
    scales, flips = set(), set()
    for image, sample in draw(NAMES[side]):
        # Sides are whole pixels: of small crops the scale is not exact.
        scales.add(round(float(sample.scale_factor[0]), 1))
        flips.add(sample.flip)
        assert image.shape == (3, side, side)
        x1, y1, x2, y2 = map(int, sample.valid_area)
        inside = np.zeros((side, side), bool)
        inside[y1:y2, x1:x2] = True
        # White and one offset; the mean colour and the same offset
        assert np.ptp(image[:, inside], axis=1).max() < 1e-3
        if not inside.all():
            assert np.ptp(image[:, ~inside], axis=1).max() < 1e-3
            blue_first = image[:, y1, x1] - image[:, ~inside][:, 0]
            np.testing.assert_allclose(
                255 - blue_first, [104, 116, 124], atol=1e-3)
        for left, top, right, bottom in sample.gt_instances.bboxes.tensor:
            assert x1 <= left < right <= x2 and y1 <= top < bottom <= y2
    assert scales == {.5, 1, 2} and flips == {False, True}


def test_sizes_and_places(draw):
    """The whole picture fits where it is not enlarged."""
    for _, sample in draw(NAMES[500]):
        x1, y1, x2, y2 = sample.valid_area
        scale = sample.scale_factor[0]
        assert x2 - x1 == min(300 * scale, 500)
        assert y2 - y1 == min(200 * scale, 500)
        if scale < 2:
            box, = sample.gt_instances.bboxes.tensor.tolist()
            left = 210 if sample.flip else 30
            expected = np.array([left, 50, left + 60, 130]) * scale
            assert box == (expected + [x1, y1, x1, y1]).tolist()


def test_padding_is_what_the_network_takes_as_zero():
    """But for the random colour, as in the released code."""
    model = Config.fromfile(CONFIGS / 'models' / 'tiny_faces.py').model
    for name in NAMES.values():
        crop, = (
            x for x in load(name).train_pipeline
            if x.type == 'RandomCanvasCrop')
        assert list(crop.pad_value) == list(model.data_preprocessor.mean)


def test_batches():
    """4 GPUs have the paper's 20 pictures."""
    sizes = [load(x).train_dataloader.batch_size for x in NAMES.values()]
    assert sizes == [5, 8]
