"""ScaleAwareMarginLoss by hand, against focal loss, and its gradient."""
import math

import pytest
import torch
from mmdet.models.losses import FocalLoss, focal_loss
from mmdet.registry import MODELS
from mmengine.config import ConfigDict
from torch.autograd import gradcheck

from tinyfaces.models.losses import ScaleAwareMarginLoss, box_sizes

LN2 = math.log(2)


def samples(count=40, classes=1, dtype=torch.float64):
    """Logits, labels (``classes`` is background) and sizes."""
    generator = torch.Generator().manual_seed(classes)
    return (3 * torch.randn(count, classes, generator=generator, dtype=dtype),
            torch.randint(0, classes + 1, (count, ), generator=generator),
            5 + 300 * torch.rand(count, generator=generator, dtype=dtype))


def transcription(x, label, size, scale, both, gamma=2., alpha=.25):
    """Eqs. 3 and 4 and focal loss for one logit, in plain Python."""
    margin = scale / size if label or both else 0.
    y = 1 / (1 + math.exp(margin - x))
    if label:
        return -alpha * (1 - y)**gamma * math.log(y)
    return -(1 - alpha) * y**gamma * math.log(1 - y)


def test_by_hand():
    """Of 30 pixels m is .5; a probability of 1/2 costs a / 4 * ln 2."""
    pred = torch.tensor([[.5], [0.], [.5]])
    target = torch.tensor([0, 1, 1])
    sizes = torch.tensor([30., 30., 30.])
    loss = ScaleAwareMarginLoss(reduction='none')(pred, target, sizes=sizes)
    assert loss[:2,
                0].tolist() == pytest.approx([.25 / 4 * LN2, .75 / 4 * LN2])
    loss = ScaleAwareMarginLoss(
        reduction='none', margin_on='both')(
            pred, target, sizes=sizes)
    assert loss[[0, 2],
                0].tolist() == pytest.approx([.25 / 4 * LN2, .75 / 4 * LN2])


@pytest.mark.parametrize('both', [False, True])
@pytest.mark.parametrize('scale', [3., 15., 23.])
def test_equals_the_equations(scale, both):
    pred, target, sizes = samples()
    loss = ScaleAwareMarginLoss(
        scale, 'both' if both else 'positive', reduction='none')(
            pred, target, sizes=sizes)
    expected = [
        transcription(x, label == 0, size, scale, both)
        for x, label, size in zip(pred[:, 0].tolist(), target.tolist(),
                                  sizes.tolist())
    ]
    assert loss[:, 0].tolist() == pytest.approx(expected, rel=1e-9)


def test_of_several_classes_only_the_own_has_a_margin():
    loss = ScaleAwareMarginLoss(reduction='none')(
        torch.zeros(2, 3),
        torch.tensor([1, 3]),
        sizes=torch.tensor([15., 15.]))
    background = .75 / 4 * LN2
    face = transcription(0., True, 15., 15., False)
    assert loss[0].tolist() == pytest.approx([background, face, background])
    assert loss[1].tolist() == pytest.approx([background] * 3)


@pytest.mark.parametrize('margin_on', ['positive', 'both'])
@pytest.mark.parametrize('classes', [1, 3])
@pytest.mark.parametrize('one_hot', [False, True])
@pytest.mark.parametrize('call', [
    dict(),
    dict(avg_factor=7.),
    dict(reduction_override='none'),
    dict(reduction_override='sum')
])
def test_margin_0_is_focal_loss_exactly(margin_on, classes, one_hot, call):
    pred, target, sizes = samples(classes=classes, dtype=torch.float32)
    call = dict(call, weight=torch.rand(len(pred)))
    if one_hot:
        target = torch.eye(classes + 1)[target][:, :classes]
    options = dict(gamma=1.5, alpha=.4, loss_weight=2.)
    ours = ScaleAwareMarginLoss(0., margin_on, **options)
    theirs = FocalLoss(**options)
    assert torch.equal(
        ours(pred, target, sizes=sizes, **call), theirs(pred, target, **call))


def test_one_hot_equals_indices():
    pred, target, sizes = samples(classes=3)
    loss = ScaleAwareMarginLoss()
    one_hot = torch.eye(4, dtype=pred.dtype)[target][:, :3]
    assert torch.equal(
        loss(pred, target, sizes=sizes), loss(pred, one_hot, sizes=sizes))


@pytest.mark.parametrize('margin_on', ['positive', 'both'])
def test_gradcheck(margin_on):
    pred, target, sizes = samples(12, classes=2)
    loss = ScaleAwareMarginLoss(margin_on=margin_on, reduction='none')
    assert gradcheck(lambda x: loss(x, target, sizes=sizes),
                     pred.requires_grad_())


def test_a_positive_costs_more_and_most_when_small():
    sizes = torch.tensor([360., 90., 9.])
    pred, target = torch.zeros(3, 1), torch.zeros(3, dtype=torch.long)
    plain = FocalLoss(reduction='none')(pred, target)
    loss = ScaleAwareMarginLoss(reduction='none')(pred, target, sizes=sizes)
    assert (loss > plain).all()
    assert (loss.diff(dim=0) > 0).all()


def test_sizes_that_are_no_sizes():
    """Not above 0: no margin. Below min_size: that of min_size. NaN shows."""
    pred, target = torch.zeros(5, 1), torch.zeros(5, dtype=torch.long)
    sizes = torch.tensor([0., -3., .1, 2., math.nan])
    loss = ScaleAwareMarginLoss(
        margin_scale=4., min_size=2., reduction='none')(
            pred, target, sizes=sizes)[:, 0]
    none, two = .25 / 4 * LN2, transcription(0., True, 2., 4., False)
    assert loss[:4].tolist() == pytest.approx([none, none, two, two])
    assert loss[4].isnan()


@pytest.mark.parametrize('both', ['positive', 'both'])
def test_no_samples(both):
    pred = torch.zeros(0, 1, requires_grad=True)
    loss = ScaleAwareMarginLoss(margin_on=both)(
        pred, torch.zeros(0, dtype=torch.long), avg_factor=1.,
        sizes=torch.zeros(0))  # yapf: disable
    loss.backward()
    assert loss == 0


def test_type_of_the_logits_is_kept():
    pred, target, sizes = samples(dtype=torch.float32)
    loss = ScaleAwareMarginLoss()(pred.bfloat16(), target, sizes=sizes)
    assert loss.dtype == torch.bfloat16


def test_missing_and_misshapen_sizes():
    loss = ScaleAwareMarginLoss()
    pred, target, sizes = samples()
    with pytest.raises(ValueError, match='needs the sizes'):
        loss(pred, target)
    with pytest.raises(ValueError, match=r'shape \(40,\).*not \(39,\)'):
        loss(pred, target, sizes=sizes[1:])
    with pytest.raises(ValueError, match='shape'):
        loss(pred, target, sizes=sizes[:, None])


@pytest.mark.parametrize('name, value', [('margin_scale', -1.),
                                         ('margin_scale', math.nan),
                                         ('margin_on', 'negative'),
                                         ('size_of', 'box'), ('min_size', 0.),
                                         ('activated', True)])
def test_bad_arguments(name, value):
    with pytest.raises(ValueError, match=name):
        ScaleAwareMarginLoss(**{name: value})


def test_through_the_op_of_mmcv(monkeypatch):
    """On a GPU class indices go to mmcv's op; here by way of its stand-in."""
    pred, target, sizes = samples(classes=2)
    loss = ScaleAwareMarginLoss(margin_on='both')
    expected = loss(pred, target, sizes=sizes)
    calls = []

    def through_the_op(shifted, one_hot, *args, **kwargs):
        calls.append(len(shifted))
        return focal_loss.sigmoid_focal_loss(shifted, target, *args, **kwargs)

    monkeypatch.setattr(focal_loss, 'py_sigmoid_focal_loss', through_the_op)
    torch.testing.assert_close(loss(pred, target, sizes=sizes), expected)
    assert calls == [len(pred)]


@pytest.mark.skipif(not torch.cuda.is_available(), reason='no CUDA device')
def test_cuda_equals_cpu():
    pred, target, sizes = samples(classes=2, dtype=torch.float32)
    loss = ScaleAwareMarginLoss()
    gradients = []
    for device in 'cpu', 'cuda':
        logits = pred.detach().to(device).requires_grad_()
        loss(logits, target.to(device), sizes=sizes.to(device)).backward()
        gradients.append(logits.grad.cpu())
    torch.testing.assert_close(*gradients)


def test_no_margin_at_test_time():
    """The loss of a head does not change what it predicts."""
    results = []
    for loss in dict(type='ScaleAwareMarginLoss'), dict(type='FocalLoss'):
        torch.manual_seed(0)
        head = MODELS.build(
            dict(
                type='RetinaHead',
                num_classes=1,
                in_channels=8,
                feat_channels=8,
                stacked_convs=1,
                anchor_generator=dict(
                    type='AnchorGenerator',
                    scales=[2.],
                    ratios=[1.25],
                    strides=[8]),
                loss_cls=dict(loss, use_sigmoid=True, loss_weight=1.),
                test_cfg=ConfigDict(
                    nms_pre=50,
                    min_bbox_size=0,
                    score_thr=0.,
                    nms=dict(type='nms', iou_threshold=.4),
                    max_per_img=20)))
        outputs = head((torch.randn(1, 8, 8, 8), ))
        results.append(
            head.predict_by_feat(
                *outputs, batch_img_metas=[dict(img_shape=(64, 64))])[0])
    assert len(results[0]) == 20
    assert torch.equal(results[0].scores, results[1].scores)
    assert torch.equal(results[0].bboxes, results[1].bboxes)


def test_box_sizes():
    boxes = torch.tensor([[1., 2., 4., 14.], [5., 5., 5., 9.],
                          [5., 5., 3., 4.]])
    assert box_sizes(boxes).tolist() == pytest.approx([6., 0., 0.])
    large = torch.tensor([[0., 0., 300., 400.]], dtype=torch.float16)
    assert box_sizes(large).item() == pytest.approx(120000**.5, rel=2e-3)
