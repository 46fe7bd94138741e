import math

import numpy as np
import pytest
import torch
from linear_ellipses import random_regressor
from mmdet.registry import TASK_UTILS
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import HorizontalBoxes
from mmengine.structures import InstanceData

from tinyfaces.ellipses import (S3FD_MAP, FeatureSampling, join_features,
                                save_ellipse_regressor)
from tinyfaces.models import EllipseRegressor
from tinyfaces.models.task_modules import FeaturePyramid

BOXES = [[10., 20., 50., 100.], [60., 20., 100., 70.]]


def sample(boxes, **meta):
    found = DetDataSample(metainfo=dict(ori_shape=(300, 450), **meta))
    boxes = torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)
    found.pred_instances = InstanceData(
        bboxes=boxes, scores=torch.ones(len(boxes)))
    return found


@pytest.fixture
def box_file(tmp_path):
    save_ellipse_regressor(random_regressor(2), tmp_path / 'box.npz')
    return tmp_path / 'box.npz'


def test_box_features(box_file):
    step = TASK_UTILS.build(dict(type='EllipseRegressor', model=str(box_file)))
    assert step.feature_source is None
    found = sample(BOXES)
    step(found)
    expected = random_regressor(2).predict(
        join_features(BOXES, (450, 300)), BOXES)
    ellipses = found.pred_instances.ellipses
    assert ellipses.dtype == torch.float32
    np.testing.assert_allclose(ellipses, expected, rtol=1e-5)
    # They are chosen and sorted with the boxes.
    chosen = found.pred_instances[torch.tensor([False, True])]
    np.testing.assert_allclose(chosen.ellipses, expected[1:], rtol=1e-5)


def test_the_size_of_a_box_in_a_tile_is_that_in_the_picture(box_file):
    step = EllipseRegressor(box_file)
    whole, tile = sample(BOXES), sample(BOXES, whole_shape=(300, 450))
    tile.set_metainfo(dict(ori_shape=(110, 120)))
    step(whole)
    step(tile)
    torch.testing.assert_close(tile.pred_instances.ellipses,
                               whole.pred_instances.ellipses)


def test_box_structures_are_understood(box_file):
    found = sample(BOXES)
    expected = sample(BOXES)
    found.pred_instances.bboxes = HorizontalBoxes(found.pred_instances.bboxes)
    step = EllipseRegressor(box_file)
    step(found)
    step(expected)
    torch.testing.assert_close(found.pred_instances.ellipses,
                               expected.pred_instances.ellipses)


def test_none_found_and_boxes_without_area(box_file):
    for model in (box_file, 's3fd'):
        step = EllipseRegressor(model)
        found = sample([])
        step(found)
        assert found.pred_instances.ellipses.shape == (0, 5)
        found = sample([[5, 5, 5, 9], [7, 7, 7, 7]])
        step(found)
        ellipses = found.pred_instances.ellipses
        assert torch.isfinite(ellipses).all() and (ellipses[:, :2] > 0).all()


def test_own_features(tmp_path):
    sampling = FeatureSampling('neck', 4.)
    save_ellipse_regressor(
        random_regressor(5, sampling), tmp_path / 'neck.npz')
    step = EllipseRegressor(tmp_path / 'neck.npz')
    assert step.feature_source == 'neck'
    found = sample(BOXES, scale_factor=(2., 2.))
    own = torch.tensor([1., 2., 3.])
    pyramid = FeaturePyramid(
        [own[:, None, None].expand(3, 640 // s, 960 // s) for s in (8, 16)],
        (640, 960))
    step(found, pyramid)
    features = join_features(BOXES, (450, 300), own.expand(2, 3).numpy())
    np.testing.assert_allclose(
        found.pred_instances.ellipses,
        random_regressor(5).predict(features, BOXES),
        rtol=1e-5)
    assert 'features' not in found.pred_instances
    wrong = FeaturePyramid([torch.zeros(4, 80, 120)], (640, 960))
    with pytest.raises(ValueError, match='fitted on 5 features'):
        step(found, wrong)


def test_s3fd_adds_one_pixel():
    found = sample(BOXES)
    EllipseRegressor('s3fd')(found)
    expected = S3FD_MAP.predict([[10, 20, 41, 81], [60, 20, 41, 51]])
    np.testing.assert_allclose(
        found.pred_instances.ellipses, expected, rtol=1e-5)
    assert (abs(found.pred_instances.ellipses[:, 2]) <= math.pi / 2).all()


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match='none.npz does not exist'):
        EllipseRegressor(tmp_path / 'none.npz')
