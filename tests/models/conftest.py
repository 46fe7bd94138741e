"""Fixtures of the tests of models."""
from pathlib import Path

import pytest
from linear_ellipses import random_regressor
from tiny_detector import RETINANET, save_random_model

from tinyfaces.ellipses import FeatureSampling, save_ellipse_regressor


@pytest.fixture(scope='session')
def folder(tmp_path_factory) -> Path:
    """Weights of a small RetinaNet and two ellipse regressors for it."""
    folder = tmp_path_factory.mktemp('post')
    save_random_model(RETINANET, folder)
    save_ellipse_regressor(random_regressor(2), folder / 'box.npz')
    save_ellipse_regressor(
        random_regressor(66, FeatureSampling('neck', 4.)), folder / 'neck.npz')
    return folder
