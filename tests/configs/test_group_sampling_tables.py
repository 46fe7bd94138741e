"""Each config of Group Sampling is the row of the table that it names."""
import re

import pytest
from config_folder import ROOT, check_metafile, check_readme_has_every_config
from group_sampling_rows import (COLUMNS, FOLDER, PREFIXES, SUFFIX, TABLES,
                                 config, features, head, paper_figures, points,
                                 training)
from mmdet.registry import TASK_UTILS

SAMPLING = config(f'fpn-finest-sampling_r50{SUFFIX}')
FINEST = config(f'fpn-finest_r50{SUFFIX}')
LINES = [(number, prefix) for number in TABLES for prefix in TABLES[number]]


def test_one_file_per_row():
    stems = {p.stem for p in FOLDER.glob(f'*{SUFFIX}.py')}
    assert stems == {prefix + SUFFIX for prefix in PREFIXES}
    # P2, {P2..P5} and C4 of Table 2 are in Table 1, and so on.
    assert len(PREFIXES) == 5 + (12 - 4) + (3 - 1) + (4 - 2) + (4 - 1)


@pytest.mark.parametrize('prefix', PREFIXES)
def test_feature_maps_and_strides(prefix):
    cfg = config(prefix + SUFFIX)
    outputs, strides = features(prefix)
    neck = cfg.model.neck
    assert (neck.type, neck.outputs) == ('TopDownNeck', outputs)
    generator = head(cfg).anchor_generator
    assert tuple(generator.strides) == strides
    if 'stride' in prefix:
        assert neck.subsample == (1, 2, 4, 8)
        assert head(cfg).shared_predictors is False
    else:
        assert 'subsample' not in neck
    # No stage behind the last map that is used
    stages = 4 if outputs[-1][0] == 'P' else int(outputs[-1][1]) - 1
    backbone = cfg.model.backbone
    assert backbone.num_stages == len(neck.in_channels) == stages
    assert tuple(backbone.out_indices) == tuple(range(stages))
    assert backbone.depth == 50
    assert backbone.init_cfg.checkpoint == 'torchvision://resnet50'


@pytest.mark.parametrize('prefix', PREFIXES)
def test_anchors_are_a_part_of_those_of_fpn_finest(prefix):
    """Squares of 16, 32, 64 and 128 pixels, at the stride of the row."""
    size, strides = 256, features(prefix)[1]
    shapes = [(size // s, size // s) for s in strides]

    def anchors(cfg, shapes):
        generator = TASK_UTILS.build(head(cfg).anchor_generator)
        levels = generator.grid_priors(shapes, device='cpu')
        return [tuple(box) for level in levels for box in level.tolist()]

    found = anchors(config(prefix + SUFFIX), shapes)
    every = anchors(FINEST, [(64, 64)])
    assert len(found) == len(set(found)) and set(found) <= set(every)
    for x1, y1, x2, y2 in found:
        assert x2 - x1 == y2 - y1
    per_scale = [
        sum(x2 - x1 == scale for x1, _, x2, _ in found)
        for scale in (16, 32, 64, 128)
    ]
    wanted = strides if len(strides) == 4 else strides * 4
    assert per_scale == [(size // stride)**2 for stride in wanted]


@pytest.mark.parametrize('prefix', PREFIXES)
def test_sampling(prefix):
    """Group sampling, the same number at random, OHEM or focal loss."""
    train = training(config(prefix + SUFFIX))
    sampler = train.sampler
    assert train.assigner == SAMPLING.model.train_cfg.assigner
    assert (train.assigner.type, train.assigner.pos_iou_thr,
            train.assigner.neg_iou_thr) == ('TwoPassAssigner', .6, .4)
    if prefix.endswith(('ohem', 'focal')):
        assert sampler.type == 'PseudoSampler'
    elif 'sampling' in prefix or 'fast-rcnn' in prefix:
        assert sampler.type == 'ScaleGroupSampler'
        assert sampler.num_per_group == 2048
        assert sampler.group_scales == (16, 32, 64, 128)
    else:
        assert sampler.type == 'SeededRandomSampler'
        assert sampler.num == 4 * 2048
        assert not sampler.add_gt_as_proposals
    if sampler.type != 'PseudoSampler':
        assert sampler.pos_fraction == .25
    assert train.get('ohem') == (
        dict(num=1024) if prefix.endswith('ohem') else None)


@pytest.mark.parametrize('prefix', PREFIXES)
def test_losses(prefix):
    """Smooth L1 but for Table 3 and the last two rows of Table 5."""
    cfg = config(prefix + SUFFIX)
    rpn = head(cfg)
    loss = rpn.loss_cls
    if prefix.endswith('focal'):
        assert (loss.type, loss.alpha, loss.gamma) == ('FocalLoss', .25, 2)
    else:
        assert (loss.type, loss.use_sigmoid) == ('CrossEntropyLoss', False)
    heads = [rpn]
    decoded = prefix.endswith('iou-least-square') or 'grouped' in prefix
    if 'fast-rcnn' in prefix:
        heads.append(cfg.model.roi_head.bbox_head)
        assert heads[1].type == ('PairMeanBBoxHead'
                                 if decoded else 'SyncedShared2FCBBoxHead')
    for one in heads:
        if prefix.endswith('neg-log-iou'):
            assert (one.loss_bbox.type, one.loss_bbox.mode) == ('IoULoss',
                                                                'log')
        elif decoded:
            assert one.loss_bbox.type == 'IoULeastSquareLoss'
        else:
            assert one.loss_bbox.type == 'SmoothL1Loss'
        assert one.get('reg_decoded_bbox', False) == (
            decoded or prefix.endswith('neg-log-iou'))
        # Eq. 2, in both stages, of the weight that it has
        assert one.loss_bbox.get('loss_weight', 1) == 1
        # else an entry of the base was not deleted
        assert ('beta' in one.loss_bbox) == (
            one.loss_bbox.type == 'SmoothL1Loss')


def test_only_the_last_row_of_table_5_groups_its_rois():
    plain, iou, grouped = (
        config(prefix + SUFFIX).model for prefix in list(TABLES[5])[1:])
    for model in (plain, iou, grouped):
        assert model.type == 'FasterRCNN'
        assert model.backbone == SAMPLING.model.backbone
        assert model.neck == SAMPLING.model.neck
        assert model.train_cfg.rpn == SAMPLING.model.train_cfg
    assert plain.rpn_head == SAMPLING.model.bbox_head
    assert plain.train_cfg == iou.train_cfg
    assert iou.rpn_head == grouped.rpn_head
    assert iou.roi_head == grouped.roi_head
    assert iou.train_cfg.rcnn.sampler.type == 'SeededRandomSampler'
    sampler = grouped.train_cfg.rcnn.sampler
    assert sampler.type == 'ScaleGroupSampler'
    assert sampler.num_per_group * 4 == iou.train_cfg.rcnn.sampler.num == 512
    assert sampler.add_gt_as_proposals
    assert grouped.train_cfg.rcnn.assigner == iou.train_cfg.rcnn.assigner


@pytest.mark.parametrize('prefix', PREFIXES)
def test_same_settings_in_training_and_inference(prefix):
    """Section 3: "all detectors use the same setting for both"."""
    cfg = config(prefix + SUFFIX)
    for key in ('train_cfg', 'optim_wrapper', 'param_scheduler',
                'train_dataloader', 'val_dataloader', 'test_dataloader',
                'test_evaluator', 'auto_scale_lr', 'tta_model',
                'tta_pipeline'):
        assert cfg[key] == SAMPLING[key], key
    final = cfg.model.test_cfg.get('rcnn', cfg.model.test_cfg)
    assert (final.score_thr, final.nms.iou_threshold,
            final.max_per_img) == (.05, .4, 750)
    if cfg.model.type == 'GroupSampling':
        assert cfg.model.test_cfg == SAMPLING.model.test_cfg
        assert cfg.model.test_cfg.group_outputs


@pytest.mark.parametrize('prefix', PREFIXES)
def test_header(prefix):
    """The paper's figures, the paper, the tables and the commands."""
    path = f'configs/group_sampling/{prefix}{SUFFIX}.py'
    text = (ROOT / path).read_text()
    header = ' '.join(text.split('_base_ =')[0].replace('#', ' ').split())
    assert f'The paper\'s AP on WIDER FACE val: {paper_figures(prefix)}.' in (
        header)
    tables = [number for number in TABLES if prefix in TABLES[number]]
    for number in tables:
        for figure in points(number, prefix):
            assert figure in header, (number, figure)
    assert 'Group Sampling for Scale Invariant Face Detection' in header
    stated = re.search(r'Tables? (\d)(?: and (\d)|, (\d) and (\d)| to (\d))?',
                       header).groups()
    stated = [int(number) for number in stated if number]
    assert stated == tables or stated == [tables[0], tables[-1]]
    assert f'CONFIG={path} bash tools/dist_train.sh $CONFIG 8' in header
    assert 'python tools/test.py $CONFIG CHECKPOINT --tta' in header


def test_metafile_has_every_config():

    def figures(name):
        prefix = name.removesuffix(SUFFIX)
        return paper_figures(prefix) if prefix in PREFIXES else None

    check_metafile(FOLDER, 'Group Sampling', figures)


@pytest.fixture(scope='module')
def readme():
    return (FOLDER / 'README.md').read_text()


def test_readme_has_every_config():
    check_readme_has_every_config(FOLDER, SUFFIX)


@pytest.mark.parametrize('number, prefix', LINES)
def test_readme_has_the_figures_of_the_paper(readme, number, prefix):
    table = re.search(rf'\*\*Table {number}\*\*.*?\n\n(.*?)\n\n', readme,
                      re.DOTALL)[1]
    row, = re.findall(rf'\| `{prefix}` \| ([^|]*) \|', table)
    figures = re.findall(r'\.\d{3}', row)
    assert figures == points(number, prefix)
    assert len(figures) == len(COLUMNS[number].split())
    assert table.count('`') == 2 * len(TABLES[number])
