"""The configs of hard negative mining build, train and predict.

Where a model computes, it mostly has a ResNet-18 and a light second stage.
"""
import random

import numpy as np
import pytest
import torch
from config_folder import once_per_model
from hard_negative_rows import (CONFIGS, LOOPS, MBV2, R50, R50_HNM, ROUND_TWO,
                                VGG16, config, shallow)
from mmcv.transforms import Compose
from mmdet.registry import MODELS, TRANSFORMS
from mmdet.structures.bbox import HorizontalBoxes
from mmengine.dataset import pseudo_collate

from tinyfaces.datasets.hard_negative_file import (HardNegatives,
                                                   write_hard_negatives)
from tinyfaces.models.task_modules.hard_negative_sampler import \
    TakesHardNegatives

WIDTH, HEIGHT = 128, 96
FACES = [[10, 12, 50, 60], [70, 20, 104, 62]]
# Two that overlap nothing, and one that is on a face.
HARD = [[20, 64, 56, 94], [92, 60, 126, 95], [12, 12, 50, 60]]
# Layers of MobileNetV2 that MMDetection computes for nothing
BEHIND_MAPS = ('backbone.layer6', 'backbone.layer7', 'backbone.conv2')


@pytest.fixture(scope='module')
def hard_negatives(tmp_path_factory):
    path = tmp_path_factory.mktemp('harvest') / 'hard_negatives.jsonl'
    entry = HardNegatives(
        np.array(HARD, np.float32), np.array([.9, .8, .7], np.float32), WIDTH,
        HEIGHT)
    write_hard_negatives(path, {'a': entry}, {})
    return str(path)


def prepared(cfg, path):
    """Hard negatives come from the file; pictures stay small, and may be
    without faces."""
    train = cfg.train_dataloader.dataset.pipeline
    # RandomCrop keeps a crop without faces if it shows a hard negative.
    needs_face = {'RandomSquareCrop', 'RandomCrop'}
    if 'LoadHardNegatives' in [transform.type for transform in train]:
        needs_face.remove('RandomCrop')
    for transform in (*train, *cfg.test_dataloader.dataset.pipeline):
        if transform.type == 'Resize' and 'scale' in transform:
            transform.scale = (160, 120) if transform.keep_ratio else (128,
                                                                       128)
        elif transform.type == 'LoadHardNegatives':
            transform.ann_file = path
        elif transform.type in needs_face:
            transform.allow_negative_crop = True
    return cfg


@pytest.fixture(scope='module')
def outcome(hard_negatives):
    """What the step of a config gave; equal ones share it."""
    return once_per_model(
        step, lambda name: prepared(shallow(config(name)), hard_negatives))


def item(pipeline, faces):
    """A picture of noise behind loading."""
    pipeline = Compose([TRANSFORMS.build(step) for step in pipeline])
    return pipeline(
        dict(
            img=np.random.randint(0, 256, (HEIGHT, WIDTH, 3), np.uint8),
            img_shape=(HEIGHT, WIDTH),
            ori_shape=(HEIGHT, WIDTH),
            img_path='a.jpg',
            img_id='a',
            instances=[],
            gt_bboxes=HorizontalBoxes(
                torch.tensor(faces).float().reshape(-1, 4)),
            gt_bboxes_labels=np.zeros(len(faces), np.int64),
            gt_ignore_flags=np.zeros(len(faces), bool)))


def step(cfg):
    """Losses, lacking gradients and hard negatives used; detections."""
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    model.init_weights()
    if cfg.model.type == 'RetinaNet':
        # At the prior of .01 the score threshold leaves nothing.
        torch.nn.init.zeros_(model.bbox_head.retina_cls.bias)
    used = set()
    find = TakesHardNegatives._hard_negatives

    def note(self, *args):
        boxes, overlaps = find(self, *args)
        used.add((self.join, len(boxes) > 0))
        return boxes, overlaps

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TakesHardNegatives, '_hard_negatives', note)
        found = {
            kind:
            loss_step(model,
                      item(cfg.train_dataloader.dataset.pipeline[2:], faces))
            for kind, faces in dict(faces=FACES, empty=[]).items()
        }
    picture = item(cfg.test_dataloader.dataset.pipeline[1:], [])
    with torch.no_grad():
        result, = model.eval().test_step(pseudo_collate([picture]))
    return found, used, result


def loss_step(model, picture):
    """Logged losses, and parameters without a good gradient."""
    model.train().zero_grad(set_to_none=True)
    data = model.data_preprocessor(pseudo_collate([picture]), True)
    total, logged = model.parse_losses(model(**data, mode='loss'))
    total.backward()
    bad = {
        name
        for name, p in model.named_parameters()
        if p.requires_grad and (p.grad is None or not p.grad.isfinite().all())
    }
    # MMDetection's RPNHead puts its name elsewhere than its other heads.
    return {
        k.replace('loss_rpn_', 'rpn_loss_'): v.item()
        for k, v in logged.items()
    }, bad


def trains_rois(name):
    """Whether the second stage trains in a picture without faces, too."""
    return not name.startswith('faster-rcnn') or name in ROUND_TWO


@pytest.mark.filterwarnings('ignore:HardNegative.* draws as its base')
@pytest.mark.parametrize('name', CONFIGS)
def test_training_step_and_prediction(outcome, name):
    found, used, result = outcome(name)
    stages = ['', 'rpn_'] if 'roi_head' in config(name).model else ['']
    for kind, (losses, bad) in found.items():
        assert all(np.isfinite(list(losses.values()))), losses
        for stage in stages:
            if kind == 'empty' and not stage and not trains_rois(name):
                # No RoI has an IoU of .1 with a face.
                assert losses['loss_cls'] == losses['loss_bbox'] == 0
                continue
            assert losses[f'{stage}loss_cls'] > 0
            assert (losses[f'{stage}loss_bbox'] > 0) == (kind == 'faces')
        assert not {x for x in bad if not x.startswith(BEHIND_MAPS)}
        # Distributed training must know.
        assert not bad or config(name).find_unused_parameters
    joins = ['anchors', 'proposals'] if len(stages) == 2 else ['anchors']
    if name in ROUND_TWO:
        assert used == {(join, True) for join in joins}
    elif name in LOOPS:
        assert used == {(join, False) for join in joins}
    else:
        assert not used
    part = result.pred_instances
    assert 0 < len(part) <= 750
    assert (part.scores.diff() <= 0).all() and part.scores.min() >= .05
    assert (part.bboxes[:, 2:] > part.bboxes[:, :2]).all()
    assert part.bboxes.min() >= 0
    assert (part.bboxes <= torch.tensor([WIDTH, HEIGHT] * 2) + .01).all()


@pytest.mark.slow
@pytest.mark.parametrize('name', [R50_HNM, VGG16])
def test_training_step_and_prediction_as_they_are(name, hard_negatives):
    cfg = prepared(config(name), hard_negatives)
    cfg.model.backbone.init_cfg = None
    cfg.model.roi_head.shared_head.init_cfg = None
    found, _, result = step(cfg)
    assert found['faces'][0]['loss_bbox'] > 0 == found['empty'][0]['loss_bbox']
    assert not found['faces'][1]
    assert 0 < len(result.pred_instances) <= 300


@pytest.mark.parametrize('name', [R50, VGG16, MBV2])
def test_maps_rois_and_heads_fit(name):
    """As they are, without numbers: only shapes are computed."""
    model = config(name).model
    roi_head, size = model.roi_head, 128
    model.backbone.init_cfg = None
    if roi_head.shared_head:
        roi_head.shared_head.init_cfg = None
    with torch.device('meta'):
        maps = MODELS.build(model.backbone)(torch.empty(1, 3, size, size))
        if 'neck' in model:
            maps = MODELS.build(model.neck)(maps)
        assert [tuple(x.shape[1:]) for x in maps
                ] == [(model.rpn_head.in_channels, size // s, size // s)
                      for s in model.rpn_head.anchor_generator.strides]
        extractor = roi_head.bbox_roi_extractor
        assert extractor.featmap_strides == (
            model.rpn_head.anchor_generator.strides)
        pooled = [extractor.roi_layer.output_size] * 2
        rois = torch.empty(3, extractor.out_channels, *pooled)
        if roi_head.shared_head:
            rois = MODELS.build(roi_head.shared_head)(rois)
        head = MODELS.build(roi_head.bbox_head)
        scores, deltas = head(rois)
    assert (scores.shape, deltas.shape) == ((3, 2), (3, 4))
