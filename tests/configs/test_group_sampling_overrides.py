"""What the README overrides reaches the objects that are built."""
import re
from types import SimpleNamespace

import pytest
from config_options import parsed, value_at
from group_sampling_rows import FOLDER, SUFFIX, config, shallow
from mmdet.registry import MODELS, TRANSFORMS
from mmengine.config import ConfigDict

MBV2 = 'fpn-finest-sampling_mbv2_1xb8-32e_wider-face-256'
HEAD, ROI = 'model.bbox_head', 'model.roi_head'
# Option of the command line: where its value is in the end. Those that the
# README gives without a value have one here.
SINGLE_STAGE = {
    'model.train_cfg.sampler.num_per_group=256':
    f'{HEAD}.sampler.num_per_group',
    'model.train_cfg.assigner.all_matches=True':
    f'{HEAD}.assigner.all_matches',
    'model.train_cfg.assigner.ignore_iof_thr=-1':
    f'{HEAD}.assigner.ignore_iof_thr',
    'model.bbox_head.anchor_generator.center_offset=0.5':
    f'{HEAD}.prior_generator.center_offset',
    'model.bbox_head.loss_bbox.beta=1.0': f'{HEAD}.loss_bbox.beta',
    'model.bbox_head.sync_avg_factor=False': f'{HEAD}.sync_avg_factor',
    'model.test_cfg.nms.iou_threshold=0.3':
    f'{HEAD}.test_cfg.nms.iou_threshold',
    'model.test_cfg.max_per_img=500': f'{HEAD}.test_cfg.max_per_img',
}
OPTIONS = {
    f'fpn-finest-sampling_r50{SUFFIX}': {
        **SINGLE_STAGE,
        'model.test_cfg.group_outputs=False':
        f'{HEAD}.test_cfg.group_outputs',
        'model.backbone.norm_eval=False':
        'model.backbone.norm_eval',
        'model.backbone.frozen_stages=-1':
        'model.backbone.frozen_stages',
        'tta_model.tta_cfg.nms.iou_threshold=0.3':
        'tta.tta_cfg.nms.iou_threshold',
        'tta_model.tta_cfg.max_per_img=500':
        'tta.tta_cfg.max_per_img',
        'tta_model.plan.scales.3.scale=1.5':
        'tta.plan.scales.3.scale',
        'tta_model.plan.scales.3.fit_side=4000':
        'tta.plan.scales.3.fit_side',
        'train_dataloader.dataset.pipeline.3.allow_negative_crop=True':
        'pipeline.3.allow_negative_crop',
    },
    f'fpn_r50{SUFFIX}': {
        'model.train_cfg.sampler.num=1024': f'{HEAD}.sampler.num',
        'model.bbox_head.shared_predictors=False': f'{HEAD}.shared_predictors',
    },
    f'fpn-finest_r50_ohem{SUFFIX}': {
        'model.train_cfg.ohem.num=512': f'{HEAD}.train_cfg.ohem.num',
    },
    f'fast-rcnn_r50{SUFFIX}': {
        'model.train_cfg.rpn.sampler.num_per_group=256':
        'model.rpn_head.sampler.num_per_group',
        'model.train_cfg.rpn_proposal.max_per_img=1000':
        'model.train_cfg.rpn_proposal.max_per_img',
        'model.train_cfg.rcnn.sampler.num=1024':
        f'{ROI}.bbox_sampler.num',
        'model.roi_head.bbox_head.type=PairMeanBBoxHead':
        f'{ROI}.bbox_head.__class__.__name__',
        'model.roi_head.bbox_head.sync_avg_factor=False':
        f'{ROI}.bbox_head.sync_avg_factor',
    },
    f'fast-rcnn_r50_iou-least-square{SUFFIX}': {
        'model.roi_head.bbox_head.sync_avg_factor=False':
        f'{ROI}.bbox_head.sync_avg_factor',
    },
    f'grouped-fast-rcnn_r50{SUFFIX}': {
        'model.train_cfg.rcnn.sampler.num_per_group=256':
        f'{ROI}.bbox_sampler.num_per_group',
        'model.train_cfg.rcnn.sampler.group_scales=(32,64)':
        f'{ROI}.bbox_sampler.group_scales',
        'model.roi_head.bbox_head.sync_avg_factor=False':
        f'{ROI}.bbox_head.sync_avg_factor',
    },
    MBV2: {
        'model.backbone.init_cfg.type=Pretrained':
        'model.backbone.init_cfg.type',
        'model.backbone.init_cfg.checkpoint=mobilenet_v2.pth':
        'model.backbone.init_cfg.checkpoint',
    },
}


def in_two_stages(options):
    """The rule of the README for Fast R-CNN."""
    names = {
        'model.bbox_head': 'model.rpn_head',
        'model.train_cfg': 'model.train_cfg.rpn',
        'model.test_cfg': 'model.test_cfg.rcnn'
    }
    places = {
        f'{HEAD}.test_cfg': f'{ROI}.test_cfg',
        HEAD: 'model.rpn_head',
    }
    return {renamed(o, names): renamed(p, places) for o, p in options.items()}


def renamed(text, names):
    start = next(name for name in names if text.startswith(name))
    return names[start] + text.removeprefix(start)


def built(name, options):
    """What the tools build: model, multi-scale test, training pipeline."""
    cfg = config(name)
    if 'mbv2' not in name:
        cfg = shallow(cfg)
    cfg.merge_from_dict(parsed(options) if options else {})
    tta = MODELS.build(ConfigDict(**cfg.tta_model, module=cfg.model))
    pipeline = cfg.train_dataloader.dataset.pipeline
    return SimpleNamespace(
        tta=tta,
        model=tta.module,
        pipeline=[TRANSFORMS.build(step) for step in pipeline])


CASES = [
    *OPTIONS.items(), (f'fast-rcnn_r50{SUFFIX}', in_two_stages(SINGLE_STAGE))
]


@pytest.mark.parametrize('name, options', CASES)
def test_options_reach_what_is_built(name, options):
    before, after = built(name, {}), built(name, options)
    for option, wanted in parsed(options).items():
        place, = (p for o, p in options.items() if o.startswith(f'{option}='))
        assert value_at(after, place) == wanted, option
        assert value_at(before, place) != wanted, option


def test_readme_and_this_file_have_the_same_options():
    """A value in the README is the one that is tried here."""
    readme = (FOLDER / 'README.md').read_text()
    stated = re.findall(
        r'\b((?:model|train_dataloader|tta_model)\.[a-z][\w.]+)'
        r'(?:=([^\s`]+))?', readme)
    known = dict(
        option.split('=', 1) for options in OPTIONS.values()
        for option in options)
    for option, value in stated:
        if option not in PREFIXES:
            assert value in ('', known[option]) or '$' in value, option
    assert set(known) == {option for option, _ in stated} - PREFIXES


#: Parents of options, of which the README speaks, too.
PREFIXES = {
    'model.bbox_head', 'model.rpn_head', 'model.train_cfg.sampler',
    'model.train_cfg.rpn.sampler', 'model.train_cfg.assigner',
    'model.train_cfg.rpn.assigner', 'model.test_cfg', 'model.test_cfg.rcnn'
}


def test_single_stage_options_do_nothing_in_two_stages():
    """Or raise, as the README warns."""
    name = f'fast-rcnn_r50{SUFFIX}'
    model = built(
        name, {
            'model.train_cfg.sampler.num_per_group=256',
            'model.test_cfg.nms.iou_threshold=0.3'
        }).model
    assert model.rpn_head.sampler.num_per_group == 2048
    assert model.roi_head.test_cfg.nms.iou_threshold == .4
    with pytest.raises(TypeError, match='bbox_head'):
        built(name, {'model.bbox_head.sync_avg_factor=False'})
