"""The configs of Finding Tiny Faces build, train and test.

Where a model computes, it mostly has a ResNet-18.
"""
import numpy as np
import pytest
import torch
from config_folder import once_per_model
from face_samples import sample
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.config import ConfigDict
from tiny_faces_rows import FIXED, FOLDER, HR, MBV2, SUFFIX, config, shallow

from tinyfaces.models.detectors.tiled_forward import tile_spans

CONFIGS = sorted(p.stem for p in FOLDER.glob('*.py'))
SIDE = 128
# The first one is met by some template of all models but those for one size.
FACES = [[30, 30, 74, 86], [8, 8, 19, 22]]
IGNORED = [[90, 10, 120, 60]]


def build(cfg):
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    model.init_weights()
    return model


@pytest.mark.parametrize('name', CONFIGS)
def test_backbone_and_head_fit(name):
    """As they are, without numbers: only shapes are computed."""
    cfg = config(name)
    cfg.model.backbone.init_cfg = None
    with torch.device('meta'):
        backbone = MODELS.build(cfg.model.backbone)
        head = cfg.model.bbox_head
        maps = backbone(torch.empty(1, 3, SIDE, SIDE))
        head.update(test_cfg=cfg.model.test_cfg)
        predictors = MODELS.build(head).predictors
    assert [tuple(x.shape[1:]) for x in maps] == [
        (channels, SIDE // stride, SIDE // stride)
        for channels, stride in zip(head.in_channels, head.in_strides)
    ]
    templates = 1 if name.removesuffix(SUFFIX) in FIXED else 25
    for one, channels in zip(predictors.values(), head.in_channels):
        assert (one.in_channels, one.out_channels) == (channels, 5 * templates)


@pytest.mark.parametrize('name', CONFIGS)
def test_tiles_have_room_for_what_the_network_sees(name):
    cfg = config(name)
    cfg.model.backbone.init_cfg = None
    with torch.device('meta'):
        model = MODELS.build(cfg.model)
    reach = model.receptive_field.reach
    spans = tile_spans(5000, model.tiling['tile'], reach, 32)
    assert max(span.stop - span.start for span in spans) <= 2048
    assert spans[1].first - spans[1].start >= reach


@pytest.fixture(scope='module')
def outcome():
    """What the step of a config gave; equal models share it."""
    return once_per_model(step, lambda name: shallow(config(name)))


def step(cfg):
    """Losses and bad gradients, with and without faces; detections."""
    model = build(cfg)
    templates = model.bbox_head.prior_generator.templates
    faces = FACES
    if len(templates) == 1:
        # The template itself, at a cell's centre, or what fits of it.
        wide = min(templates[0].width, 100) / 2
        high = min(templates[0].height, 125) / 2
        faces = [[64 - wide, 64 - high, 64 + wide, 64 + high]]
    images, found = torch.rand(1, 3, SIDE, SIDE), {}
    for kind, boxes in dict(faces=faces, empty=[]).items():
        model.train().zero_grad(set_to_none=True)
        losses = model.loss(images, [sample(boxes, IGNORED, size=SIDE)])
        total, logged = model.parse_losses(losses)
        total.backward()
        bad = {
            name
            for name, p in model.named_parameters() if p.requires_grad and (
                p.grad is None or not p.grad.isfinite().all())
        }
        found[kind] = {k: v.item() for k, v in logged.items()}, bad
    for predictor in model.bbox_head.predictors.values():
        torch.nn.init.normal_(predictor.weight, std=.01)
    with torch.no_grad():
        result, = model.eval().predict(images, [sample(size=SIDE)])
    return found, result.pred_instances, templates


@pytest.mark.parametrize('name', CONFIGS)
def test_training_step_and_prediction(outcome, name):
    found, result, templates = outcome(name)
    cfg = config(name)
    fixed = FIXED.get(name.removesuffix(SUFFIX))
    for kind, (losses, bad) in found.items():
        assert not bad and not cfg.get('find_unused_parameters', False)
        assert all(np.isfinite(list(losses.values()))), losses
        # At first each loss is -ln(.5); at most 256 windows have one.
        windows = losses['loss_cls'] / np.log(2)
        assert windows == pytest.approx(round(windows), abs=1e-3)
        if fixed is None:
            assert 128 <= round(windows) <= 256
            assert (losses['loss_bbox'] > 0) == (kind == 'faces')
        else:
            # Windows of 250x200 pixels cross a border of this picture.
            fits = fixed.face[0] * fixed.scale < SIDE
            assert (round(windows) > 0) == fits
            assert losses['loss_bbox'] == 0
    assert 0 < len(result) <= 3000
    assert set(result.keys()) == {'bboxes', 'scores', 'labels', 'templates'}
    assert (result.scores.diff() <= 0).all()
    lowest = .03
    if cfg.model.test_cfg.score_type == 'logit':
        lowest = np.log(.03 / .97)
    assert result.scores.min() >= lowest
    assert 0 <= result.templates.min()
    assert result.templates.max() < len(templates)
    if not cfg.model.test_cfg.regress:
        inside = ((result.bboxes > 0) & (result.bboxes < SIDE)).all(1)
        sizes = torch.tensor([t[:2] for t in templates])[result.templates]
        sides = result.bboxes[:, 2:] - result.bboxes[:, :2]
        torch.testing.assert_close(sides[inside], sizes[inside])


@pytest.mark.slow
@pytest.mark.parametrize('name', [HR, f'tiny-faces_vgg16{SUFFIX}'])
def test_training_step_and_prediction_as_they_are(name):
    cfg = config(name)
    cfg.model.backbone.init_cfg = None
    found, result, _ = step(cfg)
    assert found['faces'][0]['loss_bbox'] > 0 == found['empty'][0]['loss_bbox']
    assert not found['faces'][1] and not found['empty'][1]
    assert 0 < len(result) <= 3000


def pyramid(name, options):
    """What the multi-scale test of a config finds in one picture."""
    cfg = shallow(config(name))
    cfg.merge_from_dict(options)
    torch.manual_seed(0)
    model = MODELS.build(ConfigDict(**cfg.tta_model, module=cfg.model))
    for predictor in model.module.bbox_head.predictors.values():
        torch.nn.init.normal_(predictor.weight, std=.01)
    picture = DetDataSample(
        metainfo=dict(img_shape=(48, 64), ori_shape=(48, 64)))
    image = torch.randint(0, 256, (3, 48, 64), dtype=torch.uint8)
    with torch.no_grad():
        found, = model.eval().test_step(
            dict(inputs=[image], data_samples=[picture]))
    return found.pred_instances, model.module.bbox_head.prior_generator


@pytest.mark.parametrize('options, roles', [
    ({}, {'A', 'B'}),
    ({
        'tta_model.test_cfg.templates': 'A'
    }, {'A'}),
    ({
        'tta_model.test_cfg.templates': 'B'
    }, {'B'}),
])
def test_pyramid_runs_the_templates_of_its_roles(options, roles):
    result, generator = pyramid(MBV2, options)
    found = [generator.templates[i] for i in result.templates.tolist()]
    assert {each.role for each in found} == roles
    assert (result.scores.diff() <= 0).all()
    # Logits: of probabilities of about .5
    assert result.scores.abs().max() < .03
    # Without regression a B template is half as large as at its scale.
    result, _ = pyramid(MBV2, options | {'model.test_cfg.regress': False})
    widths = result.bboxes[:, 2] - result.bboxes[:, 0]
    smallest = min(each.width / (2 if each.role in 'AB' else 1)
                   for each in generator.templates if each.role in roles)
    assert widths.min() >= smallest - .01
    if 'B' in roles:
        assert widths.min() < 20


def test_limit_of_boxes_is_that_of_each_scale():
    found = {
        limit:
        len(
            pyramid(
                MBV2, {
                    'tta_model.test_cfg.nms_pre': limit,
                    'tta_model.tta_cfg.nms.iou_threshold': 1.
                })[0])
        for limit in (3, -1)
    }
    # Cells of 8 pixels at four scales, A at all and B at the last
    assert found == {3: 4 * 3, -1: 8 * (4 + 12 + 48 + 192) + 7 * 192}


def test_untrained_models_give_every_window_one_score():
    """The first templates' come first."""
    cfg = config(MBV2)
    cfg.model.test_cfg.update(nms_pre=100, nms=None)
    model = build(cfg).eval()
    result, = model.predict(torch.rand(1, 3, SIDE, SIDE), [sample(size=SIDE)])
    found = result.pred_instances
    assert len(found) == 100 and (found.scores == .5).all()
    assert set(found.templates.tolist()) == {0}


def test_full_runs_each_template_at_its_own_resolution():
    """Not regressed, so that boxes tell the scale."""
    result, generator = pyramid(f'tiny-faces_r101_full{SUFFIX}',
                                {'model.test_cfg.regress': False})
    used = set(result.templates.tolist())
    assert {generator.templates[i].scale for i in used} == {.5, 1, 2}
    for index, box in zip(result.templates.tolist(), result.bboxes):
        width, height = generator.templates[index].face_size
        torch.testing.assert_close(
            box[2:] - box[:2], torch.tensor([width, height]), atol=.01, rtol=0)
