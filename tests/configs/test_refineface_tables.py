"""Each config of RefineFace is the row of the paper's table that it names."""
import re

import pytest
from config_folder import check_metafile, check_readme_has_every_config
from refineface_rows import FOLDER, NONE, ROWS, SUFFIX, config, paper_figures

# Configs that are in no table of the paper.
OTHERS = {
    'retinanet_r18', 'retinanet_r101', 'retinanet_r152', 'retinanet_mbv2',
    'refineface_mbv2'
}
BASELINE = f'retinanet_r50{SUFFIX}'


def modules(model):
    """The modules of a model's config, as in ROWS."""
    head, fsm = model.bbox_head, model.get('feature_supervision')
    if head.type == 'SyncedRetinaHead':
        assert model.type == 'RetinaNet'
        return NONE
    assert (model.type, head.type) == ('RefineFace', 'SelectiveRefineHead')
    margin = 0
    if head.loss_cls.type == 'ScaleAwareMarginLoss':
        margin = head.loss_cls.margin_scale
    if fsm is not None:
        fsm = (fsm.get('layer_type', 'conv'), fsm.get('roi_size', 5))
    return (tuple(head.stc_levels), tuple(head.str_levels), head.rfe, margin,
            fsm)


def test_one_file_per_row():
    stems = {p.stem for p in FOLDER.glob(f'*{SUFFIX}.py')}
    assert stems == {f'{prefix}{SUFFIX}' for prefix in OTHERS | set(ROWS)}
    # Ten columns of Table 1, of which one is in each of Tables 6 to 9, and
    # the first in Tables 2 and 4, too; and SRN.
    assert len(ROWS) == 10 + 6 + 6 + (6 - 1) + (3 - 1) + (2 - 1) + (4 - 1) + 1


@pytest.mark.parametrize('prefix', ROWS)
def test_modules_and_backbone(prefix):
    model = config(prefix + SUFFIX).model
    depth, expected, _ = ROWS[prefix]
    assert modules(model) == expected
    assert model.backbone.depth == depth
    assert model.backbone.init_cfg.checkpoint == (
        f'torchvision://resnet{depth}')


@pytest.mark.parametrize('prefix', ROWS)
def test_header(prefix):
    """The paper's figures, the paper, the table and the command."""
    text = (FOLDER / f'{prefix}{SUFFIX}.py').read_text()
    header = ' '.join(text.split('_base_ =')[0].replace('#', ' ').split())
    assert f'The paper\'s AP on WIDER FACE val: {paper_figures(prefix)}.' in (
        header)
    assert '1909.04376' in header and re.search(r'Tables? \d', header)
    assert (f'bash tools/dist_train.sh \\ configs/refineface/{prefix}{SUFFIX}'
            '.py 8') in header


@pytest.mark.parametrize('prefix', ROWS)
def test_same_parameter_settings(prefix):
    """Section 4.1.1: training and data do not depend on the row."""
    baseline, cfg = config(BASELINE), config(prefix + SUFFIX)
    for key in ('train_cfg', 'optim_wrapper', 'param_scheduler',
                'train_dataloader', 'val_dataloader', 'test_dataloader',
                'test_evaluator', 'auto_scale_lr'):
        assert cfg[key] == baseline[key], key
    for key in ('anchor_generator', 'bbox_coder', 'loss_bbox', 'feat_channels',
                'stacked_convs'):
        assert cfg.model.bbox_head[key] == baseline.model.bbox_head[key], key
    assigner = cfg.model.train_cfg.assigner
    assert assigner == baseline.model.train_cfg.assigner
    assert (assigner.pos_iou_thr, assigner.neg_iou_thr) == (.5, .4)
    if prefix != 'retinanet_r50':
        first = cfg.model.train_cfg.first_assigner
        assert (first.pos_iou_thr, first.neg_iou_thr) == (.7, .3)
        assert cfg.model.bbox_head.stc_score_thr == .01


@pytest.mark.parametrize('prefix', ROWS)
def test_structure(prefix):
    """`retinanet_`: the baseline's; `refineface_` and `srn_`: RefineFace's."""
    cfg, baseline = config(prefix + SUFFIX), config(BASELINE)
    neck, head = cfg.model.neck, cfg.model.bbox_head
    assert neck.get('first_step') is None
    if prefix.startswith('retinanet_'):
        assert cfg.model.test_cfg == baseline.model.test_cfg
        assert head.init_cfg == baseline.model.bbox_head.init_cfg
        assert cfg.tta_model.type == 'DetTTAModel'
        if prefix != 'retinanet_r50':
            assert (neck.p6_from, neck.upsample_cfg) == ('p5',
                                                         dict(mode='nearest'))
            assert head.predictor_kernel == 3
    else:
        assert neck.p6_from == 'lateral' and 'upsample_cfg' not in neck
        assert cfg.tta_model.type == 'MultiScaleTestModel'
        srn = prefix == 'srn_r50'
        assert head.predictor_kernel == (1 if srn else 3)
        test = cfg.model.test_cfg
        assert (test.nms_pre, test.nms_pre_over) == ((6000,
                                                      'level') if srn else
                                                     (5000, 'image'))
        assert test.get('small_level_cells', 0) == (120 if srn else 0)
        assert head.init_cfg.type == ('Normal' if srn else 'Xavier')
        assert ('init_cfg' in neck) == srn
        assert head.init_cfg.override.bias_prob == .01
    assert (cfg.model.test_cfg.score_thr, cfg.model.test_cfg.nms.iou_threshold,
            cfg.model.test_cfg.max_per_img) == (.05, .4, 750)


def test_metafile_has_every_config():

    def figures(name):
        prefix = name.removesuffix(SUFFIX)
        return paper_figures(prefix) if prefix in ROWS else None

    check_metafile(FOLDER, 'RefineFace', figures)


def test_readme_has_every_config():
    check_readme_has_every_config(FOLDER, SUFFIX)


@pytest.mark.parametrize('prefix', sorted(set(ROWS) - {'srn_r50'}))
def test_readme_has_the_figures_of_the_paper(prefix):
    text = (FOLDER / 'README.md').read_text()
    wanted = re.sub(' (easy|medium|hard)', '', paper_figures(prefix))
    rows = re.findall(rf'\| `{prefix}` \| ([^|]*) \|', text)
    assert rows and set(rows) == {wanted.replace(',', ' /')}
