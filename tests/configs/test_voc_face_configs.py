"""The dataset configs of AFW, PASCAL Face and MAFA, from picture to AP."""
import copy
import json
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from mat_writers import mafa_test_row as row
from mat_writers import mafa_train_row as train_row
from mat_writers import write_mafa, write_voc_face
from mmdet.registry import DATASETS
from mmengine.config import Config, ConfigDict
from mmengine.runner import Runner
from PIL import Image
from tiny_detector import RETINANET, save_random_model

from tinyfaces.evaluation.functional import (evaluate_mafa, evaluate_voc_face,
                                             load_mafa_gt, load_voc_face_gt,
                                             read_voc_face_detections)

FOLDER = Path(__file__).parents[2] / 'configs/_base_/datasets'
FACES = {
    '2007_1.jpg': [[10, 12, 60, 70], [80, 10, 120, 60]],
    '2007_2.jpg': [[5, 5, 50, 50]],
    '2007_3.jpg': [],
}


def write_data(config, root):
    """Pictures and annotations where the config looks for them."""
    loaders = {'test': config.test_dataloader}
    if 'train_dataloader' in config:
        loaders['train'] = config.train_dataloader
    for split, loader in loaders.items():
        path = root / loader.dataset.ann_file
        path.parent.mkdir(parents=True, exist_ok=True)
        if loader.dataset.type == 'MAFADataset':
            make = train_row if split == 'train' else row
            write_mafa(
                path, {
                    name: [make([x, y, u - x, v - y]) for x, y, u, v in boxes]
                    for name, boxes in FACES.items()
                }, split == 'train')
        else:
            write_voc_face(
                path, {
                    name: [[*box, 0] for box in boxes]
                    for name, boxes in FACES.items()
                })
        folder = root / loader.dataset.data_prefix.img
        folder.mkdir(parents=True)
        rng = np.random.default_rng(0)
        for name in FACES:
            pixels = rng.integers(0, 256, (96, 128, 3), np.uint8)
            Image.fromarray(pixels).save(folder / name)
        loader.dataset.data_root = str(root)
    config.test_evaluator.ann_file = str(
        root / config.test_dataloader.dataset.ann_file)


@pytest.mark.parametrize('name, metric', [('afw', 'VOCFaceMetric'),
                                          ('pascal_face', 'VOCFaceMetric'),
                                          ('mafa', 'MAFAMetric')])
def test_random_detector_from_picture_to_ap(name, metric, tmp_path):
    torch.set_num_threads(1)
    config = Config.fromfile(FOLDER / f'{name}.py')
    assert config.test_evaluator.type == metric
    assert config.val_dataloader == config.test_dataloader
    assert config.test_evaluator.ann_file == (
        config.data_root + config.test_dataloader.dataset.ann_file)
    write_data(config, tmp_path)
    config.test_dataloader.num_workers = 0
    config.test_dataloader.persistent_workers = False
    config.test_evaluator.outfile_prefix = str(tmp_path / 'dets')
    config.test_evaluator.iou_thr = .3  # or chance hits nothing
    model = ConfigDict(copy.deepcopy(RETINANET))
    # Larger than what the protocol leaves out.
    model.bbox_head.anchor_generator.scales = [10]
    model.bbox_head.anchor_generator.ratios = [1., 1.25]
    _, weights = save_random_model(model, tmp_path)
    runner = Runner(
        model=model,
        work_dir=str(tmp_path / 'work'),
        test_dataloader=config.test_dataloader,
        test_evaluator=config.test_evaluator,
        test_cfg=dict(type='TestLoop'),
        load_from=str(weights),
        default_scope='mmdet',
        experiment_name=f'test_voc_face_configs_{name}')
    metrics = runner.test()
    ann_file = config.test_evaluator.ann_file
    load, evaluate = ((load_mafa_gt, evaluate_mafa) if name == 'mafa' else
                      (load_voc_face_gt, evaluate_voc_face))
    truth = load(ann_file)
    found = read_voc_face_detections(tmp_path / 'dets.txt', truth.index)
    assert len(found.scores) > 100, 'the random detector finds something'
    result = evaluate(found, truth, iou_thr=.3)
    expected = {
        f'{name}/ap': result.ap()
    } if name != 'mafa' else {
        f'mafa/{subset}_ap': curve.ap
        for subset, curve in result.curves.items()
    }
    assert metrics == expected
    assert max(metrics.values()) > 0
    content = json.loads((tmp_path / 'dets.json').read_text())
    assert content['test_resolution'].startswith('original size, padded')


@pytest.mark.parametrize('name, kind, ann_file', [
    ('afw', 'AFWDataset', 'new_annotations_AFW.mat'),
    ('pascal_face', 'PASCALFaceDataset',
     'Annotations_Face_PASCALLayout_large_fixed.mat'),
])
def test_member_of_another_base(tmp_path, name, kind, ann_file):
    """Beside other members, and whole when it stands alone."""
    (tmp_path / 'other.py').write_text("model = dict(type='M')")
    (tmp_path / 'x.py').write_text(
        f'_base_ = [{str(FOLDER / name)!r} + ".py", "other.py"]\n'
        "test_evaluator = dict(passes=1)\n")
    config = Config.fromfile(tmp_path / 'x.py')
    alone = Config.fromfile(FOLDER / f'{name}.py')
    assert config.test_dataloader == alone.test_dataloader
    assert config.test_evaluator == dict(alone.test_evaluator, passes=1)
    assert config.val_evaluator == alone.test_evaluator
    for loader in (config.val_dataloader, config.test_dataloader):
        assert loader.dataset.type == kind
        assert loader.dataset.ann_file == ann_file
        assert loader.dataset.data_root == f'data/{name}/'
    assert config.test_evaluator.prefix == name
    assert config.test_evaluator.ann_file == f'data/{name}/{ann_file}'


def test_s3fd_resolution(tmp_path):
    """The change that the config's comment names."""
    config = Config.fromfile(FOLDER / 'afw.py')
    config.merge_from_dict(
        {'test_dataloader.dataset.pipeline.1.scale': (640, 640)})
    write_data(config, tmp_path)
    item = DATASETS.build(config.test_dataloader.dataset)[0]
    assert item['inputs'].shape == (3, 480, 640)
    sample = item['data_samples']
    assert sample.scale_factor == (5., 5.) and sample.img_id == '2007_1'
    # Boxes stay those of the original picture.
    assert sample.gt_instances.bboxes.tensor[0].tolist() == [10, 12, 60, 70]


def test_mafa_train(tmp_path):
    config = Config.fromfile(FOLDER / 'mafa.py')
    write_data(config, tmp_path)
    dataset = DATASETS.build(config.train_dataloader.dataset)
    assert len(dataset) == 2, 'pictures without faces are left out'
    random.seed(0)
    np.random.seed(0)
    item = dataset[0]
    assert item['inputs'].shape == (3, 1024, 1024)
    boxes = item['data_samples'].gt_instances.bboxes.tensor
    assert 1 <= len(boxes) <= 2 and (boxes[:, 2:] > boxes[:, :2]).all()
