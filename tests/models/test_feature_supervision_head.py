"""FeatureSupervisionHead: a transcription, Table 8, labels, gradients.

Hand-computed values are without a prior: scores of 1/2 where weights are 0.
"""
import math
from importlib import import_module

import pytest
import torch
from fsm_cases import (RATIO, SCALES, SIDE, STRIDES, make_feats, make_head,
                       make_picture, make_proposals, random_case)
from fsm_transcription import (chosen, classify, focal, label_of,
                               level_of_face, roi_align)
from mmdet.structures.bbox import HorizontalBoxes
from torch.autograd import gradcheck

from tinyfaces.models import avg_factor
from tinyfaces.ops.compiled import find_wheel, load_compiled

LN2 = math.log(2)
PRIOR = math.log(.01 / .99)


@pytest.mark.parametrize('layer_type', ['conv', 'fc'])
@pytest.mark.parametrize('roi_size', [3, 5])
def test_equals_the_transcription(layer_type, roi_size):
    """Two pictures, 12 boxes each, NMS and all, in NumPy."""
    head = make_head(layer_type=layer_type, roi_size=roi_size, num_samples=12)
    feats = make_feats(pictures=2)
    cases = [random_case(seed) for seed in (1, 2)]
    losses = head.loss(feats, [make_proposals(case[0]) for case in cases],
                       [make_picture(*case[1:]) for case in cases])
    expected, labels = [], []
    for picture, (proposals, faces, ignored) in enumerate(cases):
        with_levels = [(face, level_of_face(face, SCALES, RATIO, STRIDES,
                                            SIDE)) for face in faces]
        for box, level in chosen(proposals, with_levels, 12):
            label = label_of(box, faces, ignored)
            if label is None:
                continue
            labels.append(label)
            feature = feats[level][picture].detach().numpy()
            logit = classify(head.classifier,
                             roi_align(feature, box, STRIDES[level], roi_size))
            expected.append(focal(PRIOR + logit, label))
    positives = sum(labels)
    assert 6 <= positives < len(labels) < 24  # all three kinds occur
    # MMDetection adds the rounding of float32 to the divisor.
    assert losses['loss_fsm'].item() == pytest.approx(
        sum(expected) / positives, rel=1e-6)
    assert losses['num_pos_fsm'].item() == positives / 2


@pytest.mark.parametrize('layer_type, parameters', [('conv', 387360),
                                                    ('fc', 829472)])
def test_parameters_of_table_8(layer_type, parameters):
    head = make_head(256, layer_type=layer_type, feat_channels=(128, 64, 32))
    assert sum(p.numel() for p in head.parameters()) == parameters


@pytest.mark.parametrize('roi_size', [3, 5, 7])
def test_bins_of_table_7(roi_size):
    """Convolutions have the same parameters whatever the number of bins."""
    head = make_head(roi_size=roi_size)
    assert head.roi_extractor.roi_layers[0].output_size == (roi_size, roi_size)
    assert sum(p.numel()
               for p in head.parameters()) == 9 * (6 * 5 + 5 * 4 + 4 * 3 + 3)


def test_by_hand():
    """With all weights 0 every probability is 1/2.

    A positive, the face itself; a proposal of IoU 100 / 144 = .69, which is
    neither; and two negatives, of IoU 1 / 4 and 0.
    """
    head = make_head(prior=None)
    for parameter in head.parameters():
        torch.nn.init.zeros_(parameter)
    losses = head.loss(make_feats(), [
        make_proposals([(.9, [10, 10, 22, 22], 0), (.8, [10, 10, 15, 15], 0),
                        (.7, [40, 40, 50, 50], 1)])
    ], [make_picture([[10, 10, 20, 20]])])
    expected = .25 / 4 * LN2 + 2 * .75 / 4 * LN2
    assert losses['loss_fsm'].item() == pytest.approx(expected, rel=1e-6)
    assert losses['num_pos_fsm'].item() == 1


@pytest.mark.parametrize('iou, positives, cost', [(.71, 2, .5 * .25 / 4),
                                                  (.69, 1, 0), (.41, 1, 0),
                                                  (.39, 1, .75 / 4)])
def test_thresholds(iou, positives, cost):
    """A face is there as ground truth; one proposal lies on part of it."""
    head = make_head(prior=None)
    for parameter in head.parameters():
        torch.nn.init.zeros_(parameter)
    losses = head.loss(
        make_feats(), [make_proposals([(.9, [10, 10, 20, 10 + 10 * iou], 0)])],
        [make_picture([[10, 10, 20, 20]])])
    assert losses['num_pos_fsm'] == positives
    face = .25 / 4 / positives
    assert losses['loss_fsm'].item() == pytest.approx(
        (face + cost) * LN2, rel=1e-6)


def test_best_box_of_a_face_is_not_forced():
    """The face itself is more than half ignored, the proposal has IoU .43."""
    losses = make_head().loss(
        make_feats(), [make_proposals([(.9, [10, 14, 20, 24], 0)])],
        [make_picture([[10, 10, 20, 20]], ignored=[[10, 10, 20, 15.5]])])
    assert losses['num_pos_fsm'] == 0
    assert losses['loss_fsm'] == 0


def test_ignored_face_is_neither():
    """Boxes in it do not matter, and it is no face of its own."""
    head, feats = make_head(), make_feats()
    far = (.7, [40, 40, 50, 50], 1)
    inside = (.9, [12, 12, 20, 20], 0)
    expected = head.loss(feats, [make_proposals([far])], [make_picture()])
    losses = head.loss(feats, [make_proposals([far, inside])],
                       [make_picture(ignored=[[10, 10, 22, 22]])])
    assert losses == expected
    assert losses['num_pos_fsm'] == 0
    others = head.loss(feats, [make_proposals([far, inside])],
                       [make_picture()])
    assert others['loss_fsm'] > losses['loss_fsm']


@pytest.mark.parametrize('with_faces', [False, True])
@pytest.mark.parametrize('with_proposals', [False, True])
def test_empty(with_faces, with_proposals, monkeypatch):
    head, feats = make_head(), make_feats(pictures=2)
    focal_loss = head.loss_cls.forward

    def as_on_a_gpu(scores, *args, **kwargs):
        assert len(scores), 'the op of mmcv does not take empty input'
        return focal_loss(scores, *args, **kwargs)

    monkeypatch.setattr(head.loss_cls, 'forward', as_on_a_gpu)
    faces = [[10, 10, 20, 20]] if with_faces else []
    rows = [(.7, [40, 40, 50, 50], 1)] if with_proposals else []
    losses = head.loss(feats, [make_proposals(rows)] * 2,
                       [make_picture(faces)] * 2)
    assert losses['num_pos_fsm'] == with_faces
    assert losses['loss_fsm'].isfinite()
    assert (losses['loss_fsm'] > 0) == (with_faces or with_proposals)
    # Distributed training waits for the gradient of every parameter.
    losses['loss_fsm'].backward()
    assert all(p.grad is not None for p in head.parameters())


def test_boxes_without_area_do_not_matter():
    head, feats = make_head(), make_feats()
    row, face = (.7, [40, 40, 50, 50], 1), [10, 10, 20, 20]
    expected = head.loss(feats, [make_proposals([row])],
                         [make_picture([face])])
    losses = head.loss(
        feats,
        [make_proposals([row, (.9, [5, 5, 5, 9], 0), (.8, [9, 9, 7, 12], 2)])],
        [make_picture([face, [30, 30, 30, 30]])])
    assert losses == expected


def test_gradient_reaches_the_maps_of_the_boxes_alone():
    head, feats = make_head(), make_feats()
    proposals = make_proposals([(.9, [40, 40, 50, 50], 1)])
    proposals.bboxes.requires_grad_()
    proposals.scores.requires_grad_()
    losses = head.loss(feats, [proposals], [make_picture()])
    losses['loss_fsm'].backward()
    assert proposals.bboxes.grad is None and proposals.scores.grad is None
    assert feats[0].grad is None and feats[2].grad is None
    touched = feats[1].grad[0].abs().sum(dim=0) > 0
    assert touched[5:7, 5:7].any()
    touched[4:7, 4:7] = False
    assert not touched.any()


def test_gradcheck():
    head = make_head(channels=2)
    proposals = [make_proposals([(.9, [31, 30, 52, 49], 2)])]
    picture = [make_picture([[8, 9, 29, 36]])]
    feats = [feat.detach() for feat in make_feats(channels=2)]
    feats[2].requires_grad_()
    assert gradcheck(
        lambda feat: head.loss([*feats[:2], feat], proposals, picture)[
            'loss_fsm'], feats[2])


def test_divided_by_the_mean_of_all_ranks(monkeypatch):
    head, feats = make_head(), make_feats()
    batch = [make_proposals([])], [make_picture([[10, 10, 20, 20]])]
    alone = head.loss(feats, *batch)
    monkeypatch.setattr(avg_factor, 'reduce_mean', lambda number: number + 3)
    assert head.loss(feats, *batch)['loss_fsm'].item() == pytest.approx(
        alone['loss_fsm'].item() / 4, rel=1e-6)
    # All four ranks have at least 1 together.
    monkeypatch.setattr(avg_factor, 'reduce_mean', lambda number: number / 9)
    monkeypatch.setattr(avg_factor, 'get_world_size', lambda: 4)
    assert head.loss(feats, *batch)['loss_fsm'].item() == pytest.approx(
        alone['loss_fsm'].item() * 4, rel=1e-6)


@pytest.mark.parametrize('size_of', ['anchor', 'face'])
def test_margin_loss_is_given_sizes(size_of):
    """A face of 10 and a proposal of 10 x 9 on it; weights 0, so logits 0."""
    head = make_head(
        prior=None,
        loss_cls=dict(type='ScaleAwareMarginLoss', size_of=size_of))
    for parameter in head.parameters():
        torch.nn.init.zeros_(parameter)
    losses = head.loss(make_feats(),
                       [make_proposals([(.9, [10, 10, 20, 19], 0)])],
                       [make_picture([[10, 10, 20, 20]])])
    sizes = [10, 10 if size_of == 'face' else 90**.5]
    expected = sum(focal(-15 / size, True) for size in sizes) / 2
    assert losses['loss_fsm'].item() == pytest.approx(expected, rel=1e-6)


def test_box_structures_and_half_precision():
    """As MMDetection's pipelines give ground truth, and as autocast maps."""
    head, feats = make_head().float(), make_feats()
    rows = [(.7, [40, 40, 50, 50], 1)]
    picture = make_picture([[10, 10, 20, 20]])
    expected = head.loss([feat.float() for feat in feats],
                         [make_proposals(rows)], [picture])['loss_fsm']
    picture.gt_instances.bboxes = HorizontalBoxes(
        picture.gt_instances.bboxes.float())
    losses = head.loss([feat.bfloat16() for feat in feats],
                       [make_proposals(rows)], [picture])
    assert losses['loss_fsm'].dtype == torch.float32
    torch.testing.assert_close(losses['loss_fsm'], expected, rtol=.02, atol=0.)


def test_compiled_ops(real_data, monkeypatch):
    try:
        ops = load_compiled(find_wheel(real_data.parent / 'wheels'))
    except (FileNotFoundError, ImportError) as error:
        pytest.skip(f'no compiled ops for this Python and torch: {error}')
    head = make_head().float()
    feats = [feat.detach().float() for feat in make_feats()]
    proposals, *picture = random_case(3)
    results = []
    for compiled in False, True:
        if compiled:
            for name in 'nms', 'roi_align':
                monkeypatch.setattr(
                    import_module(f'mmcv.ops.{name}'), 'ext_module', ops)
        maps = [feat.clone().requires_grad_() for feat in feats]
        loss = head.loss(maps, [make_proposals(proposals)],
                         [make_picture(*picture)])['loss_fsm']
        results.append([loss.detach(), *torch.autograd.grad(loss, maps)])
    for ours, theirs in zip(*results):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize('name, value', [('layer_type', 'mlp'),
                                         ('selection', 'best'),
                                         ('roi_size', 0), ('num_samples', 0),
                                         ('nms_pre', 0), ('prior', 0),
                                         ('prior', 1), ('prior', -.5),
                                         ('prior', math.nan)])
def test_bad_arguments(name, value):
    with pytest.raises(ValueError, match=name):
        make_head(**{name: value})


def test_strides_must_be_square():
    with pytest.raises(ValueError, match='square strides'):
        make_head(
            anchor_generator=dict(
                type='AnchorGenerator',
                scales=[2.],
                ratios=[1.],
                strides=[(4, 8)]))


def test_numbers_that_do_not_agree():
    head, feats = make_head(), make_feats()
    picture, proposals = make_picture(), make_proposals([])
    with pytest.raises(ValueError):
        head.loss(feats, [proposals, proposals], [picture])
    with pytest.raises(ValueError, match='2 feature maps'):
        head.loss(feats[:2], [proposals], [picture])
    wrong = make_proposals([(.9, [40, 40, 50, 50], 3)])
    with pytest.raises(ValueError, match='1 RoIs are on levels outside'):
        head.loss(feats, [wrong], [picture])
