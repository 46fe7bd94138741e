"""Samples, pictures and schedule of the configs of hard negative mining."""
import copy

import pytest
import torch
from face_samples import sample
from hard_negative_rows import (CONFIGS, FOLDER, LOOP, LOOPS, MBV2,
                                OF_THE_PAPER, R50, R50_HNM, RETINA, ROUND_TWO,
                                VGG16, config, round_one)
from mmcv.transforms import Compose
from mmdet.registry import MODELS, TASK_UTILS, TRANSFORMS
from mmengine.config import Config
from mmengine.structures import InstanceData

from tinyfaces.engine import with_hard_negatives

FASTER = [name for name in CONFIGS if name.startswith('faster')]


def test_the_configs_that_there_are():
    """Each detector on both data sets; R50 with and without negatives."""
    ours = {
        name.removesuffix('_wider-face')
        for name in OF_THE_PAPER if name.endswith('_wider-face')
    }
    assert ours == {
        f'faster-rcnn_{x}_1xb1-70k'
        for x in ('vgg16', 'r50-c4', 'r50-c4_hnm')
    }
    assert {
        name.removesuffix('_fddb')
        for name in OF_THE_PAPER if name.endswith('_fddb')
    } == (
        ours | {LOOP.removesuffix('_fddb')})
    assert len(OF_THE_PAPER) == 7 and len(ROUND_TWO) == 5
    assert sorted(LOOPS) == [
        x for x in CONFIGS if x.endswith('_fddb') and '_hnm-loop_' in x
    ]
    assert len([x for x in CONFIGS if '_hnm-loop_' in x]) == len(LOOPS)


@pytest.mark.parametrize('name', OF_THE_PAPER)
def test_schedule_of_the_paper(name):
    cfg = config(name)
    optimizer = cfg.optim_wrapper.optimizer
    assert (optimizer.type, optimizer.lr, optimizer.momentum,
            optimizer.weight_decay) == ('SGD', .001, .9, 5e-4)
    steps, = cfg.param_scheduler
    assert (steps.by_epoch, steps.milestones, steps.gamma,
            steps.end) == (False, [50000], .1, 70000)
    loader = cfg.train_dataloader
    assert loader.batch_size == cfg.auto_scale_lr.base_batch_size == 1
    by_epoch = name == LOOP
    assert cfg.default_hooks.checkpoint.by_epoch is by_epoch
    assert cfg.log_processor.by_epoch is by_epoch
    if by_epoch:
        # FDDB has 2,845 pictures; nine of ten folds.
        assert cfg.train_cfg == dict(
            type='BootstrapTrainLoop', max_epochs=27, rounds=2)
        assert abs(27 * 2845 * .9 / 70000 - 1) < .02
        assert loader.sampler.type == 'SeededDefaultSampler'
    else:
        assert (cfg.train_cfg.type,
                cfg.train_cfg.max_iters) == ('IterBasedTrainLoop', 70000)
        assert loader.sampler.type == 'SeededInfiniteSampler'
    assert loader.sampler.shuffle


@pytest.mark.parametrize('name', OF_THE_PAPER)
def test_short_side_of_600(name):
    cfg = config(name)
    for loader in (cfg.train_dataloader, cfg.test_dataloader):
        resize, = (t for t in loader.dataset.pipeline if t.type == 'Resize')
        resize = TRANSFORMS.build(resize)
        sizes = {}
        for width, height in ((450, 350), (350, 450), (2000, 1600), (1600,
                                                                     400)):
            found = resize(dict(img=torch.zeros(height, width, 3).numpy()))
            sizes[width, height] = found['img_shape'][::-1]
        assert sizes == {
            (450, 350): (771, 600),
            (350, 450): (600, 771),
            (2000, 1600): (750, 600),
            # not above 1,000
            (1600, 400): (1000, 250)
        }
    flip, = (
        t for t in cfg.train_dataloader.dataset.pipeline
        if t.type == 'RandomFlip')
    assert flip.prob == .5
    assert cfg.train_pipeline == cfg.train_dataloader.dataset.pipeline
    assert cfg.test_pipeline == cfg.test_dataloader.dataset.pipeline


def test_both_data_sets_are_trained_on_alike():
    for name in OF_THE_PAPER:
        if name.endswith('_fddb') and name != LOOP:
            cfg, other = config(name), config(
                name.replace('_fddb', '_wider-face'))
            assert cfg.model == other.model
            for key in ('train_cfg', 'optim_wrapper', 'param_scheduler'):
                assert cfg[key] == other[key]
            assert cfg.train_dataloader.dataset.type == 'FDDBDataset'
            assert other.train_dataloader.dataset.type == 'WiderFaceDataset'
            types = [[t.type for t in c.train_dataloader.dataset.pipeline]
                     for c in (cfg, other)]
            assert types[0] == types[1]


@pytest.mark.parametrize('name', [x for x in CONFIGS if x.endswith('_fddb')])
def test_a_fold_held_out_chooses_nothing(name):
    cfg = config(name)
    assert cfg.val_dataloader is cfg.val_evaluator is cfg.val_cfg is None
    assert cfg.default_hooks.checkpoint.save_best is None
    assert cfg.train_dataloader.dataset.folds == list(range(2, 11))
    assert cfg.test_dataloader.dataset.folds is None


@pytest.mark.filterwarnings('ignore:HardNegativeSampler draws as its base')
@pytest.mark.parametrize('name', FASTER)
def test_rois_of_the_paper(name):
    """Faces above .5, background from .1 to .5, one to three, of 128."""
    cfg = config(name)
    # Written and read again, as tools/bootstrap_train.py does: a pair that
    # became a list would be no pair of limits.
    cfg = Config.fromstring(cfg.pretty_text, '.py')
    train = cfg.model.train_cfg.rcnn
    assigner = TASK_UTILS.build(train.assigner)
    assert isinstance(assigner.neg_iou_thr, tuple)
    heights = torch.tensor([0., 9, 11, 49, 51, 100])
    rois = torch.tensor([[0., 0, 100, 100]]).repeat(6, 1)
    rois[:, 3] = heights
    found = assigner.assign(
        InstanceData(priors=rois),
        sample([[0, 0, 100, 100]], size=128).gt_instances)
    assert found.gt_inds.tolist() == [-1, -1, 0, 0, 1, 1]

    sampler = TASK_UTILS.build(train.sampler)
    assert (sampler.num, sampler.pos_fraction, sampler.neg_pos_ub,
            sampler.add_gt_as_proposals) == (128, .25, -1, True)
    faces = sample([[0, 0, 100, 100]], size=128).gt_instances
    if name in ROUND_TWO:
        # Below .1, two; the base sampler would have 96 others.
        faces.set_metainfo(
            dict(
                hard_negatives=torch.tensor([[300., 300, 350, 350],
                                             [500, 500, 550, 550]]),
                hard_negative_scores=torch.tensor([.9, .6])))
    rois = torch.tensor([[0., 0, 100, 90], [0., 0, 100, 30]])
    priors = InstanceData(priors=rois.repeat(200, 1))
    result = sampler.sample(assigner.assign(priors, faces), priors, faces)
    assert (len(result.pos_inds), len(result.neg_inds)) == (32, 96)
    hard = (result.neg_priors[:, 0] > 200).sum()
    assert hard == (2 if name in ROUND_TWO else 0)


@pytest.mark.parametrize('name', [R50, VGG16])
def test_anchors_and_heads_of_faster_rcnn(name):
    model = config(name).model
    anchors = TASK_UTILS.build(model.rpn_head.anchor_generator)
    boxes = anchors.base_anchors[0]
    sides = (boxes[:, 2:] - boxes[:, :2]).log2()
    # Areas of 128, 256 and 512 squared, at 1:2, 1:1 and 2:1
    areas = sides.sum(dim=1).reshape(3, 3)
    assert sorted(areas.mean(dim=0).round(decimals=3).tolist()) == [14, 16, 18]
    ratios = (sides[:, 1] - sides[:, 0]).round().tolist()
    assert sorted(ratios) == [-1.] * 3 + [0.] * 3 + [1.] * 3
    assert anchors.strides == [(16, 16)]
    assert model.rpn_head.feat_channels == 512
    assert model.test_cfg.rpn.max_per_img == 300
    backbone, shared_head = model.backbone, model.roi_head.shared_head
    wanted = ('torchvision://vgg16'
              if 'vgg16' in name else 'torchvision://resnet50')
    assert backbone.init_cfg.checkpoint == wanted
    assert shared_head.init_cfg.checkpoint == wanted
    assert backbone.frozen_stages == (2 if 'vgg16' in name else 1)


def test_vgg16_differs_in_the_network_alone():
    one, other = config(R50), config(VGG16)
    for cfg in (one, other):
        cfg.model.pop('backbone')
        cfg.model.rpn_head.pop('in_channels')
        for part in ('shared_head', 'bbox_roi_extractor'):
            cfg.model.roi_head.pop(part)
        for key in ('roi_feat_size', 'in_channels'):
            cfg.model.roi_head.bbox_head.pop(key)
    assert one.to_dict() == other.to_dict()


@pytest.mark.parametrize('name', ROUND_TWO)
def test_second_rounds_are_what_bootstrapping_derives(name):
    """And nothing else differs from the first."""
    first = round_one(name)
    cfg = config(name)
    file = f'work_dirs/{first.stem}/hard_negatives.jsonl'
    derived = with_hard_negatives(first, file)
    # A plain variable, of which nothing is built
    derived.train_pipeline = derived.train_dataloader.dataset.pipeline
    assert cfg.to_dict() == derived.to_dict()
    with pytest.raises(FileNotFoundError, match='hard_negatives.jsonl'):
        Compose([
            TRANSFORMS.build(t)
            for t in copy.deepcopy(cfg.train_dataloader.dataset.pipeline)
        ])


def test_the_loop_has_the_model_of_the_second_round():
    """And begins with the pictures of the first."""
    first = R50.replace('_wider-face', '_fddb')
    loop = config(LOOP)
    assert loop.model == with_hard_negatives(config(first), None).model
    assert loop.model == config(R50_HNM).model
    assert loop.train_dataloader.dataset == (
        config(first).train_dataloader.dataset)


@pytest.mark.parametrize('name', [x for x in LOOPS if x != LOOP])
def test_loops_differ_from_wider_face_in_the_pictures(name):
    """Those of FDDB, as in the paper's configs; and two rounds."""
    loop, other = config(name), config(LOOPS[name])
    first = Config.fromfile(round_one(LOOPS[name]))
    fddb = config(LOOP)
    for loader, pipeline in (('train_dataloader', first.train_pipeline),
                             ('test_dataloader', first.test_pipeline)):
        wanted = fddb[loader].dataset
        wanted.pipeline = pipeline
        assert loop[loader].pop('dataset') == wanted
        first[loader].pop('dataset')
        assert loop[loader] == first[loader]
    assert loop.test_evaluator == fddb.test_evaluator
    assert loop.train_cfg == dict(
        type='BootstrapTrainLoop',
        max_epochs=first.train_cfg.max_epochs,
        rounds=2)
    assert loop.model == other.model
    assert loop.custom_imports == other.custom_imports
    for key in ('optim_wrapper', 'param_scheduler', 'auto_scale_lr'):
        assert loop[key] == other[key]


def test_retinanet_with_samples():
    """The baseline of RefineFace, but for samples and their loss."""
    cfg = config(RETINA)
    base = Config.fromfile(FOLDER.parent / 'refineface' /
                           'retinanet_r50_8xb4-130e_wider-face.py')
    sampler = cfg.model.train_cfg.pop('sampler')
    assert (sampler.num, sampler.pos_fraction,
            sampler.add_gt_as_proposals) == (512, .25, False)
    assert base.model.train_cfg.pop('sampler').type == 'PseudoSampler'
    loss = cfg.model.bbox_head.pop('loss_cls')
    assert loss == dict(
        type='CrossEntropyLoss', use_sigmoid=True, loss_weight=1.)
    base.model.bbox_head.pop('loss_cls')
    assert cfg.to_dict() == base.to_dict()


def test_config_for_a_cpu():
    cfg = config(MBV2)
    assert cfg.train_dataloader.batch_size == 8
    assert cfg.train_cfg.max_epochs == cfg.train_cfg.val_interval == 16
    assert cfg.param_scheduler[1].end == 16
    resize, = (
        t for t in cfg.train_dataloader.dataset.pipeline if t.type == 'Resize')
    assert resize.scale == (256, 256)
    anchors = TASK_UTILS.build(cfg.model.rpn_head.anchor_generator)
    sides = [(b[:, 2] - b[:, 0]).round().tolist()
             for b in anchors.base_anchors]
    assert sides == [[16, 23, 32, 45], [64, 91, 128, 181]]
    assert anchors.strides == [(8, 8), (16, 16)]
    # RoIs likewise
    extractor = MODELS.build(cfg.model.roi_head.bbox_roi_extractor)
    rois = torch.tensor([[0., 0, 0, s, s] for s in (16, 60, 68, 200)])
    assert extractor.map_roi_levels(rois, 2).tolist() == [0, 0, 1, 1]
