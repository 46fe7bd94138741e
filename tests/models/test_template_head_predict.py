"""TemplateHead's detections against boxes computed by hand."""
import math

import pytest
import torch
from face_samples import sample
from mmcv.ops import nms as suppress
from mmengine.config import ConfigDict
from tiny_faces_models import (SIZES, TEMPLATES, backbone_maps, lively,
                               noisy_outputs, template_head)

N = len(SIZES)
NO_NMS = dict(nms=None)


def meta(scale=1., size=96, **other):
    return dict(
        img_shape=(size, size),
        ori_shape=(round(size / scale), round(size / scale)),
        scale_factor=(scale, scale),
        **other)


def few(*places, cells=(12, 12)):
    """Outputs that score at some places alone.

    Args:
        *places: (template, y, x, logit) and, unless 0, the four deltas.
        cells: Of the map.
    """
    logits = torch.full((1, N, *cells), -30.)
    deltas = torch.zeros(1, 4, N, *cells)
    for template, y, x, logit, *moves in places:
        logits[0, template, y, x] = logit
        if moves:
            deltas[0, :, template, y, x] = torch.tensor(moves)
    return logits, deltas.flatten(1, 2)


def detect(test_cfg, *places, scale=1., cells=(12, 12), size=96, **options):
    found, = template_head(test_cfg=test_cfg).predict_by_feat(
        *few(*places, cells=cells), [meta(scale, size)], **options)
    return found


def test_box_by_hand():
    """A template of 20 x 26 around (40.5, 48.5), moved and stretched."""
    moves = (.1, -.5, math.log(2.), math.log(.5))
    found = detect({}, (1, 6, 5, 2., *moves))
    # Centre (40.5 + 2, 48.5 - 13), sides 40 and 13
    torch.testing.assert_close(found.bboxes,
                               torch.tensor([[22.5, 29., 62.5, 42.]]))
    torch.testing.assert_close(found.scores,
                               torch.tensor([1 / (1 + math.exp(-2))]))
    assert found.labels.tolist() == [0]
    assert found.templates.tolist() == [1]
    assert found.templates.dtype == torch.long


@pytest.mark.parametrize('template', range(N))
def test_each_template(template):
    width, height = SIZES[template][:2]
    moves = [0.] * 4
    moves[template] = .5
    found = detect(
        dict(templates='all', clip=False), (template, 2, 3, 1., *moves))
    x, y = 24.5, 16.5
    if template < 2:
        x, y = ((x + width / 2, y), (x, y + height / 2))[template]
    else:
        stretch = math.exp(.5)
        width, height = ((width * stretch, height),
                         (width, height * stretch))[template - 2]
    torch.testing.assert_close(
        found.bboxes,
        torch.tensor(
            [[x - width / 2, y - height / 2, x + width / 2, y + height / 2]]))


def test_without_regression():
    """Table 4: the templates themselves."""
    places = [(1, 6, 5, 2., .3, .3, .3, .3), (2, 1, 10, 1., .3, .3, .3, .3)]
    found = detect(dict(regress=False), *places)
    expected = torch.tensor([[30.5, 35.5, 50.5, 61.5], [73.5, .5, 87.5, 16.5]])
    torch.testing.assert_close(found.bboxes, expected)
    head = template_head(test_cfg=dict(regress=False))
    logits, deltas = few(*places)
    nothing, = head.predict_by_feat(logits, deltas[:, :0], [meta()])
    assert torch.equal(nothing.bboxes, found.bboxes)


def test_clip():
    """At the corner (0, 0); and below at 96."""
    places = [(1, 0, 0, 2.), (1, 11, 5, 1.)]
    expected = torch.tensor([[-9.5, -12.5, 10.5, 13.5],
                             [30.5, 75.5, 50.5, 101.5]])
    found = detect(dict(clip=False), *places)
    torch.testing.assert_close(found.bboxes, expected)
    found = detect({}, *places)
    torch.testing.assert_close(found.bboxes, expected.clamp(0, 96))
    found = detect({}, *places, size=90)
    assert found.bboxes.max() == 90


@pytest.mark.parametrize('clip', [True, False])
@pytest.mark.parametrize('shape', [(96, 96), (89, 88), (17, 16), (96, 1)])
def test_padding_of_a_batch_gives_nothing(clip, shape):
    """A small picture beside a larger one, its maps cut and whole. Cells at
    .5, 8.5, ...: those in the picture all stay."""
    head = template_head(
        test_cfg=dict(NO_NMS, clip=clip, score_thr=0, templates='all'))
    outputs = noisy_outputs(head, pictures=1)
    rows, columns = (len(range(0, side, 8)) for side in shape)
    found, = head.predict_by_feat(*outputs, [dict(img_shape=shape)])
    alone, = head.predict_by_feat(
        *(each[..., :rows, :columns] for each in outputs),
        [dict(img_shape=shape)])
    assert len(found) == N * rows * columns
    for key in ('bboxes', 'scores', 'templates'):
        assert torch.equal(found[key], alone[key])


@pytest.mark.parametrize('offset', [-1.5, 4.])
def test_cells_at_the_border_stay(offset):
    """Of a picture alone, also those whose windows have their centres outside
    of it: -1.5 at the first one, or 92 of 90 pixels at the last."""
    head = template_head(
        prior_generator=dict(
            type='TemplatePriorGenerator', templates=TEMPLATES, offset=offset),
        test_cfg=dict(NO_NMS, score_thr=0, templates='all'))
    outputs = noisy_outputs(head, pictures=1)
    found, = head.predict_by_feat(*outputs, [meta(size=90)])
    assert len(found) == N * 144


def test_rescale():
    head = template_head()
    outputs = few((1, 6, 5, 2.))
    metas = dict(meta(), scale_factor=(2., .5))
    found, = head.predict_by_feat(*outputs, [metas], rescale=True)
    torch.testing.assert_close(
        found.bboxes, torch.tensor([[30.5 / 2, 35.5 * 2, 50.5 / 2, 61.5 * 2]]))
    assert found.templates.tolist() == [1]
    del metas['scale_factor']
    plain, = head.predict_by_feat(*outputs, [metas], rescale=True)
    torch.testing.assert_close(plain.bboxes,
                               torch.tensor([[30.5, 35.5, 50.5, 61.5]]))


@pytest.mark.parametrize('score_thr, kept', [(.03, 3), (.5, 1), (0, 5),
                                             (.9, 0)])
def test_score_threshold(score_thr, kept):
    """Of the probability, which must exceed it: logits are 1, 0, -3, -4 and
    -30, .03 is that of -3.476."""
    head = template_head(
        test_cfg=dict(
            NO_NMS, score_thr=score_thr, score_type='logit', templates='all'))
    outputs = few((1, 2, 2, 0.), (1, 4, 4, -3.), (2, 6, 6, 1.), (2, 8, 8, -4.))
    found, = head.predict_by_feat(*outputs, [meta()])
    scores = found.scores[found.scores > -20].tolist()
    assert scores == [1., 0., -3., -4.][:kept]
    assert len(found) == (N * 144 if kept == 5 else kept)


def test_logits_as_scores():
    places = [(1, 2, 2, -1.), (1, 8, 8, 40.), (2, 2, 8, 39.)]
    found = detect(dict(score_type='logit'), *places)
    assert found.scores.tolist() == [40., 39., -1.]


@pytest.mark.parametrize('score_type', ['probability', 'logit'])
@pytest.mark.parametrize('with_nms', [True, False])
def test_order_is_by_logit(score_type, with_nms):
    """Also where the probabilities are all 1, in NMS too: boxes at
    neighbouring cells, IoU 12 * 26 / (2 * 20 * 26 - 12 * 26) = .43."""
    places = [(1, 4, x, 40. + x) for x in (3, 5, 4)] + [(1, 9, 9, 50.)]
    found = detect(dict(score_type=score_type), *places, with_nms=with_nms)
    lefts = ((found.bboxes[:, 0] + 9.5) / 8).tolist()
    assert lefts == ([9., 5., 3.] if with_nms else [9., 5., 4., 3.])
    if score_type == 'probability':
        assert (found.scores == 1).all()


def test_nms_over_all_templates():
    """Of two templates at a place the better one stays; .3 is the limit."""
    # 14 x 16 in 20 x 26: IoU .43; two cells apart, in 20 x 26: .11
    places = [(1, 4, 4, 1.), (2, 4, 4, 2.), (1, 4, 6, .5)]
    assert detect({}, *places).templates.tolist() == [2, 1]
    found = detect(dict(nms=dict(type='nms', iou_threshold=.5)), *places)
    assert found.templates.tolist() == [2, 1, 1]
    for limit, left in ((.12, 2), (.1, 1)):
        nms = dict(type='nms', iou_threshold=limit)
        assert len(detect(dict(nms=nms), places[0], places[2])) == left


def test_without_nms_there_is_no_maximum():
    places = [(1, 4, x, 1. + x) for x in range(8)]
    assert len(detect(dict(NO_NMS, max_per_img=2), *places)) == 8
    assert len(detect(dict(max_per_img=2), *places)) == 2


def test_nms_pre_takes_the_best_of_the_picture():
    places = [(1, 1, 1, 1.), (1, 10, 1, 3.), (2, 1, 10, 2.), (2, 10, 10, 4.)]
    found = detect(dict(nms_pre=3, score_type='logit'), *places)
    assert found.scores.tolist() == [4., 3., 2.]


def test_small_boxes():
    places = [(1, 4, 4, 1.), (2, 8, 8, 2.), (1, 0, 0, 3., -2., 0, 0, 0)]
    found = detect(dict(min_bbox_size=0), *places)
    assert found.templates.tolist() == [2, 1]  # one lies outside
    assert detect(dict(min_bbox_size=15), *places).templates.tolist() == [1]


@pytest.mark.parametrize('choice, scale, expected', [
    ('A+B', 1., [1, 2]),
    ('A+B', 2., [1, 2, 3]),
    ('A+B', .5, [1, 2]),
    ('A', 2., [1, 2]),
    ('B', 2., [3]),
    ('B', 1., []),
    ('own', .5, [0]),
    ('own', 1., [1, 2]),
    ('own', 2., [3]),
    ('all', 1., [0, 1, 2, 3]),
])
def test_templates_by_scale(choice, scale, expected):
    """On whole maps, and on those of the needed templates alone."""
    head = template_head(test_cfg=dict(NO_NMS, templates=choice))
    outputs = noisy_outputs(head, pictures=1)
    found, = head.predict_by_feat(*outputs, [meta(scale)])
    assert sorted(set(found.templates.tolist())) == expected
    needed = head.needed_templates([meta(scale)])
    assert needed.tolist() == expected
    logits, deltas = outputs
    same, = head.predict_by_feat(
        logits[:, needed],
        deltas.unflatten(1, (4, -1))[:, :, needed].flatten(1, 2),
        [meta(scale)],
        templates=needed)
    for key in ('bboxes', 'scores', 'templates', 'labels'):
        assert torch.equal(same[key], found[key])


@pytest.mark.parametrize('scales', [(1., 1.), (1., 2.), (2., .5)])
@pytest.mark.parametrize('regress', [True, False])
def test_predict_equals_all_channels(scales, regress):
    """Pictures of several scales in a batch, each with its own templates."""
    head = lively(template_head(test_cfg=dict(regress=regress)))
    maps = backbone_maps(head)
    pictures = [sample(size=96) for _ in scales]
    for picture, scale in zip(pictures, scales):
        picture.set_metainfo(meta(scale))
    found = head.predict(maps, pictures, rescale=True)
    expected = head.predict_by_feat(
        *head(maps), [p.metainfo for p in pictures], rescale=True)
    for one, other, scale in zip(found, expected, scales):
        assert len(one) > 5
        assert (3 in one.templates) == (scale > 1)
        assert one.templates.tolist() == other.templates.tolist()
        torch.testing.assert_close(one.bboxes, other.bboxes)
        torch.testing.assert_close(one.scores, other.scores)


def test_cfg_of_the_call():
    """With the defaults for what it does not say."""
    head = template_head(test_cfg=dict(templates='all'))
    outputs = few((0, 5, 5, 1.), (1, 2, 2, -2.))
    cfg = ConfigDict(score_type='logit')
    found, = head.predict_by_feat(*outputs, [meta()], cfg)
    assert found.scores.tolist() == [-2.]
    found, = head.predict_by_feat(*outputs, [meta()])
    assert found.templates.tolist() == [0, 1]


def test_nothing_found():
    for test_cfg in ({}, NO_NMS, dict(templates='B')):
        found = detect(test_cfg, rescale=True)
        assert len(found) == 0
        assert found.bboxes.shape == (0, 4)
        assert set(found.keys()) == {'bboxes', 'scores', 'labels', 'templates'}
        assert found.templates.dtype == torch.long


def test_roles_alone():
    """A group's detections are those of its own NMS; candidates stay as they
    are."""
    head = template_head()
    outputs = noisy_outputs(head, pictures=1, spread=3.)
    candidates, = head.candidates_by_feat(*outputs, [meta(2.)])
    before = candidates.clone()
    alone = head.finish_by_role(candidates)
    joint = head.finish(candidates)
    assert torch.equal(candidates.scores, before.scores)
    assert list(alone) == ['A', 'B']
    for role, rows in (('A', [1, 2]), ('B', [3])):
        own = alone[role]
        assert sorted(set(own.templates.tolist())) == rows
        mine = before[torch.isin(before.templates, torch.tensor(rows))]
        dets, kept = suppress(mine.bboxes, mine.scores, .3)
        assert torch.equal(own.bboxes, mine.bboxes[kept])
        torch.testing.assert_close(own.scores, dets[:, 4].sigmoid())
        of_joint = torch.isin(joint.templates, torch.tensor(rows)).sum()
        assert len(own) > of_joint > 0
    candidates, = head.candidates_by_feat(*outputs, [meta()])
    alone = head.finish_by_role(candidates)
    assert len(alone['A']) and not len(alone['B'])
    assert alone['B'].bboxes.shape == (0, 4)


def test_half_precision_maps():
    """Boxes far from the corner, in float32: bfloat16 counts in steps of 16
    there."""
    logits, deltas = (
        each.bfloat16()
        for each in few((1, 0, 300, 2., 1 / 16, 0, 0, 0), cells=(2, 310)))
    found, = template_head(test_cfg=dict(clip=False)).predict_by_feat(
        logits, deltas, [dict(img_shape=(16, 2480))])
    assert found.bboxes.dtype == found.scores.dtype == torch.float32
    torch.testing.assert_close(found.bboxes,
                               torch.tensor([[2391.75, -12.5, 2411.75, 13.5]]))


def test_no_gradient():
    head = template_head(test_cfg=NO_NMS)
    found, = head.predict_by_feat(*noisy_outputs(head, pictures=1), [meta()])
    assert not found.bboxes.requires_grad and not found.scores.requires_grad


@pytest.mark.parametrize('test_cfg, message', [
    (dict(templates='C'), "not 'C'"),
    (dict(border='ignore'), 'border'),
    (dict(score_type='probs'), "not 'probs'"),
    (dict(score_thr=1), 'a probability below 1, not 1'),
    (dict(score_thr=-.1), 'a probability below 1, not -0.1'),
    (dict(nms=dict(type='soft_nms', iou_threshold=.3)), "of type 'nms'"),
    (dict(max_per_img=-1), 'at least 1, not'),
])
def test_bad_test_cfg(test_cfg, message):
    with pytest.raises(ValueError, match=message):
        template_head(test_cfg=test_cfg)


def test_templates_without_roles():
    with pytest.raises(ValueError, match='no template has the role A or B'):
        template_head(
            prior_generator=dict(
                type='TemplatePriorGenerator', templates='unscaled'))


@pytest.mark.parametrize('shape', [(96, 96), (90, 81)])
def test_windows_across_the_border(shape):
    """Left out are those with an edge beyond one of the picture's."""
    head = template_head(test_cfg=dict(templates='all', nms=None))
    logits, deltas = torch.zeros(1, N, 12, 12), torch.zeros(1, 4 * N, 12, 12)
    found = {
        border:
        head.predict_by_feat(
            logits, deltas, [dict(meta(), img_shape=shape)],
            ConfigDict(templates='all', nms=None, clip=False,
                       border=border))[0]
        for border in ('keep', 'drop')
    }
    boxes = found['keep'].bboxes
    height, width = shape
    inside = (boxes[:, :2] >= 0).all(1) & (boxes[:, 2] <= width) & (
        boxes[:, 3] <= height)
    assert 0 < inside.sum() < len(boxes)
    torch.testing.assert_close(found['drop'].bboxes, boxes[inside])
    assert (found['drop'].templates == found['keep'].templates[inside]).all()
