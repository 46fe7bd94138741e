"""Fixtures shared by all tests."""
import os
from functools import cache
from pathlib import Path

import pytest
import torch
from mmengine.config import utils
from mmengine.registry import init_default_scope

# Before any test module imports mmdet.models, which needs mmcv's ops.
import tinyfaces  # noqa: F401

# For each of our configs MMEngine reads the 102 metafiles of MMDetection, only
# to find that its default_runtime.py is in none of them.
utils.load = cache(utils.load)


@pytest.fixture(scope='session')
def real_data() -> Path:
    """The folder of the research datasets, or skip."""
    folder = os.environ.get('TINYFACES_DATA')
    if not folder:
        pytest.skip('TINYFACES_DATA is not set: no research datasets here')
    path = Path(folder)
    if not (path / 'wider_face').is_dir():
        pytest.fail(f'TINYFACES_DATA={folder} has no folder wider_face/')
    return path


@pytest.fixture(autouse=True)
def scope() -> None:
    """The scope that our configs set; it is global, so a test may change it.
    """
    init_default_scope('mmdet')


@pytest.fixture(params=['weights_only', 'restricted'])
def way(request, monkeypatch) -> str:
    """Both ways of loading checkpoints: with PyTorch of now, and before 2.7.
    """
    from tinyfaces.utils import checkpoint_globals
    if request.param == 'restricted':
        monkeypatch.setattr(
            checkpoint_globals, 'digit_version', lambda text: (0, )
            if text == torch.__version__ else (1, ))
    return request.param
