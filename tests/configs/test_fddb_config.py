"""The FDDB configs: what a picture goes through, start to end."""
import random
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from mmdet.registry import DATASETS, METRICS, MODELS
from mmengine.config import Config
from tiny_fddb import random_folds, write_fddb

ROOT = Path(__file__).parents[2]
FOLDS = random_folds(pictures=2)


def load(name, root):
    """A config that reads the made pictures."""
    write_fddb(root, FOLDS)
    cfg = Config.fromfile(ROOT / 'configs' / name)
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        if cfg[loader] is not None:
            cfg[loader].dataset.data_root = str(root)
    return cfg


@pytest.mark.parametrize('loader, folds', [
    ('train_dataloader', list(range(2, 11))),
    ('val_dataloader', [1]),
    ('test_dataloader', list(range(1, 11))),
])
def test_folds(tmp_path, loader, folds):
    cfg = load('_base_/datasets/fddb.py', tmp_path)
    dataset = DATASETS.build(cfg[loader].dataset)
    found = [dataset.get_data_info(i)['fold'] for i in range(len(dataset))]
    assert found == [fold for fold in folds for _ in range(2)]


@pytest.mark.parametrize('name, size', [
    ('_base_/datasets/fddb.py', 1024),
    ('fddb/retinanet_mbv2_1xb8-2e_fddb-256.py', 256),
])
def test_train(tmp_path, name, size):
    random.seed(0)
    np.random.seed(0)
    cfg = load(name, tmp_path)
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    for index in range(4):
        item = dataset[index]
        assert item['inputs'].shape == (3, size, size)
        boxes = item['data_samples'].gt_instances.bboxes.tensor
        assert len(boxes) >= 1
        assert (boxes >= 0).all() and (boxes <= size).all()


def test_test_pictures_keep_their_size(tmp_path):
    cfg = load('_base_/datasets/fddb.py', tmp_path)
    dataset = DATASETS.build(cfg.test_dataloader.dataset)
    sample = dataset[0]['data_samples']
    assert dataset[0]['inputs'].shape == (3, 48, 64)
    assert sample.ori_shape == sample.img_shape == (48, 64)
    assert sample.scale_factor == (1., 1.)
    assert sample.img_id == next(iter(FOLDS[1]))


def test_evaluator_reads_the_same_folder(tmp_path):
    cfg = load('_base_/datasets/fddb.py', tmp_path)
    assert cfg.test_evaluator == dict(
        type='FDDBMetric', folds_dir='data/fddb/FDDB-folds')
    METRICS.build({
        **cfg.test_evaluator, 'folds_dir':
        str(tmp_path / 'FDDB-folds')
    })


def test_the_small_schedule():
    """It trains without validating: a fold held out chooses nothing."""
    cfg = Config.fromfile(ROOT /
                          'configs/fddb/retinanet_mbv2_1xb8-2e_fddb-256.py')
    assert cfg.val_dataloader is cfg.val_evaluator is cfg.val_cfg is None
    assert cfg.default_hooks.checkpoint.save_best is None
    assert cfg.param_scheduler[1].end == cfg.train_cfg.max_epochs == 2
    model = MODELS.build(cfg.model).eval()
    with torch.no_grad():
        scores, _ = model(torch.rand(1, 3, 128, 128))
    assert [x.shape[-1] for x in scores] == [32, 16, 8, 4, 2, 1]


def test_metafile_lists_every_config():
    folder = ROOT / 'configs/fddb'
    models = yaml.safe_load((folder / 'metafile.yml').read_text())['Models']
    assert [m['Config'] for m in models
            ] == [f'configs/fddb/{x.name}' for x in folder.glob('*.py')]
    index = yaml.safe_load((ROOT / 'model-index.yml').read_text())
    assert 'configs/fddb/metafile.yml' in index['Import']
    readme = (folder / 'README.md').read_text()
    assert all(Path(m['Config']).name in readme for m in models)
