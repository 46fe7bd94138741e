"""What the README overrides reaches the objects that are built."""
import re
from types import SimpleNamespace

import pytest
from config_options import parsed, value_at
from hard_negative_rows import (FOLDER, LOOP, R50, R50_HNM, VGG16, config,
                                shallow)
from mmdet.registry import MODELS, TASK_UTILS, TRANSFORMS

RPN, ROI = 'model.rpn_head', 'model.roi_head'
# Option of the command line: where its value is in the end.
OPTIONS = {
    R50: {
        'model.rpn_head.anchor_generator.scales=[2,4,8,16,32]':
        f'{RPN}.prior_generator.scales',
        'model.train_cfg.rpn.allowed_border=0':
        f'{RPN}.train_cfg.allowed_border',
        'model.train_cfg.rpn.assigner.min_pos_iou=0.3':
        f'{RPN}.assigner.min_pos_iou',
        'model.train_cfg.rpn.sampler.num=512':
        f'{RPN}.sampler.num',
        'model.train_cfg.rpn_proposal.min_bbox_size=16':
        'model.train_cfg.rpn_proposal.min_bbox_size',
        'model.test_cfg.rpn.max_per_img=1000':
        f'{RPN}.test_cfg.max_per_img',
        'model.test_cfg.rpn.min_bbox_size=16':
        f'{RPN}.test_cfg.min_bbox_size',
        'model.train_cfg.rcnn.sampler.num=64':
        f'{ROI}.bbox_sampler.num',
        'model.train_cfg.rcnn.sampler.pos_fraction=0.4':
        f'{ROI}.bbox_sampler.pos_fraction',
        'model.train_cfg.rcnn.assigner.neg_iou_thr=0.5':
        f'{ROI}.bbox_assigner.neg_iou_thr',
        'model.rpn_head.sync_avg_factor=False':
        'model.rpn_head.sync_avg_factor',
        'model.roi_head.bbox_head.sync_avg_factor=False':
        'model.roi_head.bbox_head.sync_avg_factor',
        'model.backbone.frozen_stages=-1':
        'model.backbone.frozen_stages',
        'train_dataloader.dataset.pipeline.2.scale=(100000,600)':
        'pipeline.2.scale',
        'test_dataloader.dataset.pipeline.1.scale=(100000,600)':
        'test_pipeline.1.scale',
        'train_dataloader.dataset.min_size=10':
        'cfg.train_dataloader.dataset.min_size',
        'train_dataloader.dataset.filter_cfg.filter_empty_gt=False':
        'cfg.train_dataloader.dataset.filter_cfg.filter_empty_gt',
        'train_dataloader.batch_size=2':
        'cfg.train_dataloader.batch_size',
        'optim_wrapper.optimizer.weight_decay=0.0001':
        'cfg.optim_wrapper.optimizer.weight_decay',
        'model.test_cfg.rcnn.score_thr=0.01':
        f'{ROI}.test_cfg.score_thr',
        'model.test_cfg.rcnn.nms.iou_threshold=0.4':
        f'{ROI}.test_cfg.nms.iou_threshold',
        'model.test_cfg.rcnn.max_per_img=750':
        f'{ROI}.test_cfg.max_per_img',
        # Several GPUs
        'auto_scale_lr.enable=True':
        'cfg.auto_scale_lr.enable',
        'train_cfg.max_iters=8750':
        'cfg.train_cfg.max_iters',
        'param_scheduler.0.milestones=[6250]':
        'cfg.param_scheduler.0.milestones',
        'param_scheduler.0.end=8750':
        'cfg.param_scheduler.0.end',
        # Caffe's weights
        'model.backbone.style=caffe':
        'model.backbone.style',
        'model.backbone.init_cfg.checkpoint=open-mmlab://x':
        'model.backbone.init_cfg.checkpoint',
        'model.roi_head.shared_head.style=caffe':
        'cfg.model.roi_head.shared_head.style',
        'model.roi_head.shared_head.init_cfg.checkpoint=open-mmlab://x':
        f'{ROI}.shared_head.init_cfg.checkpoint',
        'model.data_preprocessor.mean=[103.53,116.28,123.675]':
        'mean',
        'model.data_preprocessor.std=[1.0,1.0,1.0]':
        'std',
        'model.data_preprocessor.bgr_to_rgb=False':
        'model.data_preprocessor._channel_conversion',
    },
    VGG16: {
        'model.backbone.frozen_stages=0':
        'model.backbone.frozen_stages',
        'model.roi_head.shared_head.dropout=0.0':
        f'{ROI}.shared_head.classifier.2.p',
    },
    LOOP: {
        'train_cfg.rounds=1': 'cfg.train_cfg.rounds',
    },
    R50_HNM: {
        'train_dataloader.dataset.pipeline.2.ann_file=x.jsonl':
        'cfg.train_dataloader.dataset.pipeline.2.ann_file',
        'train_dataloader.dataset.pipeline.3.scale=(100000,600)':
        'pipeline.3.scale',
        'train_dataloader.dataset.pipeline.5.ignore_iof_thr=0':
        'pipeline.5.ignore_iof_thr',
        'model.train_cfg.rcnn.sampler.order=random':
        f'{ROI}.bbox_sampler.order',
        'model.train_cfg.rpn.sampler.order=random':
        f'{RPN}.sampler.order',
        'model.train_cfg.rpn.sampler.iou_thr=0.7':
        f'{RPN}.sampler.iou_thr',
        'model.train_cfg.rpn.sampler.max_anchors=None':
        f'{RPN}.sampler.max_anchors',
    },
}


def built(name, options=()):
    """Config and what the tools build: model and pipelines."""
    cfg = config(name)
    cfg.merge_from_dict(parsed(options) if options else {})
    # of the command line, which shallow() drops
    shared_head = cfg.model.roi_head.shared_head
    weights = cfg.model.backbone.init_cfg, shared_head.init_cfg
    cfg = shallow(cfg)
    cfg.model.backbone.init_cfg, shared_head.init_cfg = weights
    model = MODELS.build(cfg.model)
    # The file is not there.
    pipeline = [
        None if step.type == 'LoadHardNegatives' else TRANSFORMS.build(step)
        for step in cfg.train_dataloader.dataset.pipeline
    ]
    preprocessor = model.data_preprocessor
    return SimpleNamespace(
        cfg=cfg,
        model=model,
        pipeline=pipeline,
        test_pipeline=[
            TRANSFORMS.build(step)
            for step in cfg.test_dataloader.dataset.pipeline
        ],
        mean=preprocessor.mean.flatten().tolist(),
        std=preprocessor.std.flatten().tolist())


@pytest.mark.parametrize('name', OPTIONS)
def test_options_reach_what_is_built(name):
    options = OPTIONS[name]
    before, after = built(name), built(name, options)
    for option, wanted in parsed(options).items():
        place, = (p for o, p in options.items() if o.startswith(f'{option}='))
        found = value_at(after, place)
        if hasattr(found, 'tolist'):
            found = found.tolist()
        assert found == pytest.approx(wanted) if isinstance(
            wanted, list) else found == wanted, option
        assert str(value_at(before, place)) != str(value_at(after,
                                                            place)), option


def test_readme_and_this_file_have_the_same_options():
    """A value in the README is the one that is tried here."""
    readme = (FOLDER / 'README.md').read_text()
    stated = re.findall(
        r'\b((?:model|(?:train|test)_dataloader|optim_wrapper|auto_scale_lr|'
        r'train_cfg|param_scheduler)\.[a-z0-9][\w.]+)=("[^"]*"|[^\s`|]+)',
        readme)
    known = {}
    for options in OPTIONS.values():
        for option in options:
            key, value = option.split('=', 1)
            known.setdefault(key, set()).add(value)
    for option, value in stated:
        value = value.strip('"').removesuffix(',')
        assert value in OTHERS or value in known[option], option
    assert set(known) == {option
                          for option, _ in stated
                          } - {'model.backbone.init_cfg.type'}


#: Names of files, and MobileNetV2's of RefineFace's README
OTHERS = {'FILE', '$WEIGHTS', 'Pretrained', 'mobilenet_v2.pth'}


def test_fifteen_anchors_and_no_border():
    model = built(
        R50, ['model.rpn_head.anchor_generator.scales=[2,4,8,16,32]']).model
    assert model.rpn_head.num_base_priors == 15
    assert built(R50).model.rpn_head.num_base_priors == 9


def test_no_lower_limit_takes_all_background():
    cfg = config(R50)
    cfg.merge_from_dict(
        parsed(['model.train_cfg.rcnn.assigner.neg_iou_thr=0.5']))
    assigner = TASK_UTILS.build(cfg.model.train_cfg.rcnn.assigner)
    assert assigner.neg_iou_thr == .5
