"""Tiny data sets with faults, made on the spot."""
import sys
from pathlib import Path

import pytest
from tiny_fddb import random_folds, write_fddb

# The papers' detectors in small.
sys.path.append(str(Path(__file__).parents[1] / 'models'))

SIZE = (64, 48)


@pytest.fixture
def fddb(tmp_path):
    """Folder, and the paths of the pictures of each fold."""
    folds = write_fddb(tmp_path, random_folds(10, 4, SIZE), SIZE)
    paths = [[tmp_path / 'originalPics' / f'{name}.jpg' for name in fold]
             for fold in folds.values()]
    return tmp_path, paths
