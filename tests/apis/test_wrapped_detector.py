"""FaceDetector with a model that is a wrapper, or two, around a detector."""
import copy

import numpy as np
import pytest
from linear_ellipses import random_regressor
from mmengine.config import Config
from post_processed import wrapped_cfg
from tiny_detector import RETINANET, save_random_model

from tinyfaces.apis import FaceDetector
from tinyfaces.apis.face_detector import _final_test_cfgs
from tinyfaces.ellipses import save_ellipse_regressor

TILES = dict(tile_size=128, tile_overlap=32)
# Nothing is found unless FaceDetector lowers the threshold.
DETECTOR = dict(RETINANET, test_cfg=dict(RETINANET['test_cfg'], score_thr=.99))


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Weights of a bare detector, and a regressor of ellipses."""
    path = tmp_path_factory.mktemp('wrapped')
    save_random_model(RETINANET, path)
    save_ellipse_regressor(random_regressor(2), path / 'box.npz')
    return path


def multi_scale(module, **plan):
    """A multi-scale test around a model; by default of the one scale."""
    return dict(
        type='MultiScaleTestModel',
        tta_cfg=dict(voting=dict(iou_threshold=.5), max_per_img=750),
        plan=plan or dict(type='ScalePlan', scales=[dict(scale=1)]),
        module=copy.deepcopy(module))


def wrappers(folder):
    """Name -> config of a model."""
    steps = wrapped_cfg(folder, 'box.npz', detector=DETECTOR)
    return dict(
        views=multi_scale(DETECTOR),
        steps=steps,
        views_of_steps=multi_scale(steps),
        steps_of_views=dict(steps, detector=multi_scale(DETECTOR)))


def load(model, folder, **kwargs):
    config = Config(dict(default_scope='mmdet', model=copy.deepcopy(model)))
    return FaceDetector(config, folder / 'weights.pth', 'cpu', **kwargs)


def picture(height=150, width=200):
    return np.random.default_rng(0).integers(
        0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    'name', ['views', 'steps', 'views_of_steps', 'steps_of_views'])
def test_thresholds_and_tiles_are_the_detectors(folder, name):
    """With the one scale, all find what the bare detector finds."""
    bare = load(DETECTOR, folder, **TILES)
    wrapped = load(wrappers(folder)[name], folder, **TILES)
    assert wrapped.nms_iou == bare.nms_iou == .4
    expected, found = bare(picture()), wrapped(picture())
    assert len(expected) > 20
    np.testing.assert_allclose(found.scores, expected.scores, rtol=1e-5)
    np.testing.assert_allclose(found.boxes, expected.boxes, atol=1e-3)


def test_ellipses_need_the_step_outside(folder):
    """Ellipses of single views cannot be joined."""
    models = wrappers(folder)
    outside = load(models['steps_of_views'], folder, **TILES)(picture())
    plain = load(models['steps'], folder, **TILES)(picture())
    assert outside.ellipses.shape == (len(outside), 5) and len(outside) > 5
    np.testing.assert_allclose(outside.ellipses, plain.ellipses, rtol=1e-3)
    inside = load(models['views_of_steps'], folder, **TILES)(picture())
    assert inside.ellipses is None and len(inside) == len(outside)


def test_thresholds_of_two_stages():
    """As of the detector itself: the second stage's."""
    stages = dict(rpn=dict(score_thr=.1), rcnn=dict(score_thr=.05))
    detector = dict(type='A', test_cfg=stages)
    steps = dict(type='PostProcessedDetector', detector=detector)
    views = multi_scale(detector)
    for model in (views, steps, multi_scale(steps),
                  dict(steps, detector=views)):
        cfg = Config(dict(model=model)).model
        assert _final_test_cfgs(cfg)[-1] == dict(score_thr=.05)
    assert _final_test_cfgs(Config(dict(model=dict(type='A'))).model) == []


def test_thresholds_that_a_multi_scale_test_changes(folder):
    """They are lowered, too, and its NMS joins tiles."""
    views = dict(
        multi_scale(dict(RETINANET)),
        tta_cfg=dict(nms=dict(type='nms', iou_threshold=.2), max_per_img=750),
        test_cfg=dict(score_thr=.99))
    bare, changed = load(DETECTOR, folder), load(views, folder)
    assert changed.nms_iou == .2
    assert 20 < len(changed(picture())) <= len(bare(picture()))


@pytest.mark.parametrize('post_processed', [False, True])
def test_model_that_needs_ready_made_views(folder, post_processed):
    model = dict(
        type='DetTTAModel',
        tta_cfg=dict(nms=dict(type='nms', iou_threshold=.4), max_per_img=9),
        module=DETECTOR)
    if post_processed:
        model = wrapped_cfg(folder, 'box.npz', detector=model)
    with pytest.raises(ValueError, match='DetTTAModel joins views .*give the'):
        load(model, folder)
