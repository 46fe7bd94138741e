"""What the README overrides reaches the objects that are built."""
import re
from types import SimpleNamespace

import pytest
from config_options import parsed, value_at
from mmdet.registry import MODELS, TRANSFORMS
from mmengine.config import ConfigDict
from mmengine.optim import build_optim_wrapper
from tiny_faces_rows import FOLDER, HR, MBV2, SUFFIX, config

from tinyfaces.templates import Template, save_templates

HEAD = 'model.bbox_head'
# A row of Figs. 4 and 5
STUDY = f'tiny-faces_r50_t25x20_res4{SUFFIX}'
# Option of the command line: where its value is in the end.
OPTIONS = {
    HR: {
        'model.train_cfg.assigner.min_face_iou=0.001':
        f'{HEAD}.assigner.min_face_iou',
        'model.train_cfg.assigner.noise=0': f'{HEAD}.assigner.noise',
        'model.train_cfg.assigner.ignore_iof_thr=1':
        f'{HEAD}.assigner.ignore_iof_thr',
        'model.train_cfg.assigner.negative_border=True':
        f'{HEAD}.assigner.negative_border',
        'model.train_cfg.sampler.balanced=False': f'{HEAD}.sampler.balanced',
        'model.bbox_head.loss_bbox.loss_weight=2.0':
        f'{HEAD}.loss_bbox.loss_weight',
        'model.bbox_head.bbox_coder.target_stds=[0.1,0.1,0.2,0.2]':
        f'{HEAD}.bbox_coder.stds',
        'model.bbox_head.prior_generator.offset=-1.5':
        f'{HEAD}.prior_generator.offset',
        'model.backbone.norm_eval=True': 'model.backbone.norm_eval',
        'model.test_cfg.border=drop': f'{HEAD}.test_cfg.border',
        'model.test_cfg.templates=A+B': f'{HEAD}.test_cfg.templates',
        'model.tiling=None': 'model.tiling',
        'optim_wrapper.paramwise_cfg.custom_keys.stride8.lr_mult=1.0':
        'rates.stride8',
        'train_dataloader.batch_size=12': 'loader.batch_size',
        'train_dataloader.dataset.invalid=keep': 'loader.dataset.invalid',
        'train_dataloader.dataset.pipeline.4.min_visible=0.5':
        'pipeline.4.min_visible',
        'train_dataloader.dataset.pipeline.4.cut_faces=ignore':
        'pipeline.4.cut_faces',
        'train_dataloader.dataset.pipeline.5.std=0': 'pipeline.5.std',
        'tta_model.plan.scales.3.max_side=4000': 'tta.plan.scales.3.max_side',
        'tta_model.interpolation=area': 'tta.interpolation',
        'tta_model.test_cfg.nms_pre=-1':
        'tta.module.bbox_head.test_cfg.nms_pre',
        'tta_model.test_cfg.score_thr=0.1':
        'tta.module.bbox_head.test_cfg.score_thr',
        'tta_model.test_cfg.border=drop':
        'tta.module.bbox_head.test_cfg.border',
        'tta_model.test_cfg.group_outputs=True':
        'tta.module.bbox_head.test_cfg.group_outputs',
        'tta_model.test_cfg.templates=A':
        'tta.module.bbox_head.test_cfg.templates',
        'tta_model.tta_cfg.max_per_img=750': 'tta.tta_cfg.max_per_img',
    },
    f'rpn_r101{SUFFIX}': {
        'model.bbox_head.out_stride=8': f'{HEAD}.out_stride',
    },
    f'tiny-faces_r101_sigma-1{SUFFIX}': {
        'model.backbone.depth=50':
        'model.backbone.depth',
        'model.backbone.init_cfg.checkpoint=torchvision://resnet50':
        'model.backbone.init_cfg.checkpoint',
    },
    STUDY: {
        'model.bbox_head.loss_bbox.loss_weight=1.0':
        f'{HEAD}.loss_bbox.loss_weight',
        'model.test_cfg.regress=True':
        f'{HEAD}.test_cfg.regress',
        'model.backbone.style=caffe':
        'model.backbone.layer3.0.conv1.stride',
        'model.data_preprocessor.bgr_to_rgb=False':
        'model.data_preprocessor._channel_conversion',
        'model.backbone.init_cfg.checkpoint='
        'open-mmlab://detectron2/resnet50_caffe':
        'model.backbone.init_cfg.checkpoint',
        'model.data_preprocessor.mean=[103.53,116.28,123.675]':
        'model.data_preprocessor.mean',
        'model.data_preprocessor.std=[1,1,1]':
        'model.data_preprocessor.std',
    },
    f'tiny-faces_r50_t25x20_res2-4{SUFFIX}': {
        'optim_wrapper.paramwise_cfg.custom_keys.stride4.lr_mult=0.1':
        'rates.stride4',
    },
    MBV2: {
        'model.backbone.init_cfg.type=Pretrained':
        'model.backbone.init_cfg.type',
        'model.backbone.init_cfg.checkpoint=mobilenet_v2.pth':
        'model.backbone.init_cfg.checkpoint',
    },
}
# Those that only make sense together, and those that need a file
RES2 = {
    'model.backbone.out_indices=(0,1,2)',
    'model.bbox_head.in_channels=(256,512,1024)',
    'model.bbox_head.in_strides=(4,8,16)'
}
FINER_VGG = {
    'model.backbone.out_indices=(2,4)',
    'model.bbox_head.in_channels=(256,512)',
    'model.bbox_head.in_strides=(4,16)',
    'optim_wrapper.paramwise_cfg.custom_keys.stride4.lr_mult=0.1'
}
TEMPLATES = 'model.bbox_head.prior_generator.templates=templates.json'
KEEP = 'default_hooks.checkpoint.max_keep_ckpts=-1'


def built(name, options=()):
    """What the tools build: detector, pyramid, data and learning rates."""
    cfg = config(name)
    cfg.merge_from_dict(parsed(options) if options else {})
    model = MODELS.build(cfg.model)
    names = {id(p): n for n, p in model.named_parameters()}
    groups = build_optim_wrapper(model,
                                 cfg.optim_wrapper).optimizer.param_groups
    rates = {
        names[id(p)].split('.')[2]: group['lr'] / 1e-4
        for group in groups
        for p in group['params'] if '.predictors.' in names[id(p)]
    }
    tta = None
    if cfg.get('tta_model'):
        tta = MODELS.build(ConfigDict(**cfg.tta_model, module=cfg.model))
    pipeline = cfg.train_dataloader.dataset.pipeline
    return SimpleNamespace(
        model=model,
        tta=tta,
        rates=rates,
        loader=cfg.train_dataloader,
        pipeline=[TRANSFORMS.build(step) for step in pipeline])


def plain_at(node, path):
    """What is there, with tensors and tuples as lists."""
    found = value_at(node, path)
    if hasattr(found, 'flatten') and hasattr(found, 'tolist'):
        found = found.flatten().tolist()
    return list(found) if isinstance(found, tuple) else found


@pytest.mark.parametrize('name', OPTIONS)
def test_options_reach_what_is_built(name):
    options = OPTIONS[name]
    before, after = built(name), built(name, options)
    for option, wanted in parsed(options).items():
        place, = (p for o, p in options.items() if o.startswith(f'{option}='))
        if option == 'model.backbone.style':
            # The stride is in the first 1x1 convolution of a stage.
            wanted = [2, 2]
        if isinstance(wanted, list):
            wanted = pytest.approx(wanted)
        assert plain_at(after, place) == wanted, option
        assert plain_at(before, place) != wanted, option


def test_predictor_on_res2():
    """With the rate of appendix B."""
    model = built(HR, RES2)
    assert list(model.model.bbox_head.predictors) == [
        'stride4', 'stride8', 'stride16'
    ]
    assert model.rates == pytest.approx(
        dict(stride4=.01, stride8=.1, stride16=1))


def test_other_maps_of_vgg16():
    """The finer one has a tenth of the rate."""
    found = built(f'tiny-faces_vgg16{SUFFIX}', FINER_VGG)
    assert found.rates == pytest.approx(dict(stride4=.1, stride16=1))
    assert found.model.backbone.out_indices == (2, 4)


def test_templates_of_a_file(tmp_path):
    """As tools/cluster_templates.py and select_template_scales.py write."""
    wanted = [Template(30., 40., 1., 'A'), Template(20., 25., 2., 'B')]
    save_templates(tmp_path / 'templates.json', wanted, 'a test')
    option = TEMPLATES.replace('=', f'={tmp_path}/')
    found = built(HR, [option])
    for model in (found.model, found.tta.module):
        generator = model.bbox_head.prior_generator
        assert list(generator.templates) == wanted
        assert model.bbox_head.predictors['stride8'].out_channels == 10


def test_readme_and_this_file_have_the_same_options():
    """A value in the README is the one that is tried here."""
    readme = (FOLDER / 'README.md').read_text()
    stated = {
        option.replace('"', '').rstrip('`')
        for option in re.findall(
            r'\b((?:model|train_dataloader|tta_model|optim_wrapper|'
            r'default_hooks)\.[a-z][\w.]+=[^\s`]+)', readme)
    }
    known = {o for options in OPTIONS.values() for o in options}
    assert stated == known | RES2 | FINER_VGG | {TEMPLATES, KEEP}
    assert config(HR).default_hooks.checkpoint.max_keep_ckpts == 3
    # mentioned without a value
    assert 'test_evaluator.target_sizes' in readme
    assert 'target_sizes' in config(STUDY).test_evaluator
