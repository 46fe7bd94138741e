"""ScaleGroupHead's layers and arguments."""
import pytest
import torch
import torch.nn.functional as F
from group_sampling_models import FOCAL, group_head, group_sampler, neck_maps
from refine_models import sample, total, without_gradient


def test_shared_predictors_are_those_of_rpn_head():
    head = group_head('pyramid')
    stock = group_head('pyramid', kind='RPNHead')
    shapes = [{
        n: p.shape
        for n, p in h.named_parameters()
    } for h in (head, stock)]
    assert shapes[0] == shapes[1]
    assert head.rpn_cls.weight.shape == (2, 8, 1, 1)


def test_predictors_of_each_level():
    """As many parameters as four anchors on one level have."""
    head = group_head('pyramid', shared_predictors=False)
    one_level = group_head('finest')
    assert (sum(p.numel() for p in head.parameters()) == sum(
        p.numel() for p in one_level.parameters()))
    maps = neck_maps(head)
    cls_scores, bbox_preds = head(maps)
    for level, feat in enumerate(maps):
        feat = F.relu(head.rpn_conv(feat))
        assert torch.equal(cls_scores[level], head.rpn_cls[level](feat))
        assert torch.equal(bbox_preds[level], head.rpn_reg[level](feat))
    # On sub-sampled maps of a single one they can tell the scales apart.
    same = [maps[3]] * 4
    assert not torch.equal(*head(same)[0][:2])
    assert torch.equal(*group_head('pyramid')(same)[0][:2])


def test_sub_sampled_anchors_are_those_of_the_finest_map():
    """Cell by cell: strides 4, 8, 16, 32 are steps 1, 2, 4, 8 of P2."""
    stride, finest = group_head('pyramid'), group_head('finest')
    for cells in (16, 13):
        steps = [-(-cells // step) for step in (1, 2, 4, 8)]
        anchors = stride.prior_generator.grid_priors([(n, n) for n in steps],
                                                     device='cpu')
        whole, = finest.prior_generator.grid_priors([(cells, cells)],
                                                    device='cpu')
        whole = whole.reshape(cells, cells, 4, 4)
        for level, step in enumerate((1, 2, 4, 8)):
            assert torch.equal(anchors[level], whole[::step, ::step,
                                                     level].reshape(-1, 4))


@pytest.mark.parametrize('cells', [16, 13])
def test_on_sub_sampled_maps_the_3x3_is_dilated(cells):
    """On the whole map it looks 1, 2, 4 and 8 cells away."""
    head = group_head('pyramid', shared_predictors=False)
    whole = torch.randn(1, 8, cells, cells)
    steps = (1, 2, 4, 8)
    cls_scores, _ = head([whole[..., ::step, ::step] for step in steps])
    conv = head.rpn_conv
    for step, scores, predict in zip(steps, cls_scores, head.rpn_cls):
        dilated = F.conv2d(
            whole, conv.weight, conv.bias, padding=step, dilation=step)
        torch.testing.assert_close(
            scores,
            predict(F.relu(dilated))[..., ::step, ::step])


@pytest.mark.parametrize('shared', [True, False])
def test_prior_of_the_sigmoid(shared):
    """RetinaNet's, by init_cfg, in all predictors."""
    head = group_head(
        'pyramid',
        loss_cls=FOCAL,
        shared_predictors=shared,
        init_cfg=dict(
            type='Normal',
            layer='Conv2d',
            std=.01,
            override=dict(
                type='Normal', name='rpn_cls', std=.01, bias_prob=.01)))
    for predictor in [head.rpn_cls] if shared else head.rpn_cls:
        torch.testing.assert_close(predictor.bias.sigmoid(),
                                   torch.full((1, ), .01))


@pytest.mark.parametrize('layout, options', [
    ('finest', {}),
    ('pyramid', {}),
    ('pyramid', dict(shared_predictors=False)),
    ('finest', dict(num_convs=2)),
])
def test_every_parameter_gets_a_gradient(layout, options):
    head = group_head(layout, sampler=group_sampler(), **options)
    maps = neck_maps(head)
    total(head.loss(maps, [sample([[8, 8, 25, 23]])] * 2)).backward()
    assert not without_gradient(head)


@pytest.mark.parametrize('options, message', [
    (dict(group_scales=(32, 16)), 'ascending'),
    (dict(group_scales=()), 'ascending'),
    (dict(ohem=dict(num=0)), 'how many anchors'),
    (dict(ohem=dict()), 'how many anchors'),
    (dict(sampler=group_sampler(), group_scales=(16, 32)),
     r'the sampler has groups of \(16, 32, 64, 128\) pixels and the head of '
     r'\(16, 32\)'),
])
def test_bad_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        group_head(**options)


def test_bad_number_of_maps():
    head = group_head('pyramid', shared_predictors=False)
    with pytest.raises(ValueError, match='gives 3 maps'):
        head(neck_maps(head)[:3])


def test_without_train_cfg():
    """As of a head that only predicts."""
    head = group_head(train_cfg=None)
    assert len(head.predict(neck_maps(head), [sample(), sample()])[0])
