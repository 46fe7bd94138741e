"""What makes a detector faster before its first test."""
import copy

import pytest
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.config import ConfigDict
from mmengine.hooks import EMAHook
from mmengine.model import ExponentialMovingAverage
from mmengine.registry import init_default_scope
from mmengine.runner import load_checkpoint, save_checkpoint
from tiny_detector import PREPROCESSOR, RETINANET
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from tinyfaces.models.test_time import MultiScaleTestModel
from tinyfaces.models.test_time.preparation import prepare_for_test

NMS = dict(nms=dict(type='nms', iou_threshold=.4), max_per_img=750)
PLAN = dict(type='ScalePlan', scales=[dict(scale=1)])
BOTH = ['fuse_conv_bn', 'channels_last']


@pytest.fixture(scope='module')
def detector():
    """With statistics unlike those of new batch normalisations."""
    init_default_scope('mmdet')
    torch.manual_seed(0)
    model = MODELS.build(ConfigDict(copy.deepcopy(RETINANET))).eval()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, std=.1)
            nn.init.uniform_(module.running_var, .5, 2)
            nn.init.uniform_(module.weight, .5, 1.5)
            nn.init.normal_(module.bias, std=.1)
    nn.init.normal_(model.bbox_head.retina_cls.weight, std=.5)
    return model


def around(detector, **kwargs):
    """A multi-scale test of a copy of a detector."""
    return MultiScaleTestModel(copy.deepcopy(detector), NMS, PLAN, **kwargs)


def find(model, seed=0):
    image = torch.randint(
        0,
        256, (3, 100, 120),
        dtype=torch.uint8,
        generator=torch.Generator().manual_seed(seed))
    sample = DetDataSample(
        metainfo=dict(img_shape=(100, 120), ori_shape=(100, 120)))
    return model.test_step(dict(inputs=[image],
                                data_samples=[sample]))[0].pred_instances


def batch_norms(model):
    return sum(isinstance(part, _BatchNorm) for part in model.modules())


def kernels(model):
    return [
        part.weight for part in model.modules()
        if isinstance(part, nn.Conv2d) and part.weight.shape[2] > 1
    ]


@pytest.mark.parametrize('prepare', [BOTH, BOTH[:1], BOTH[1:], []])
def test_predictions_stay_what_they_are(detector, prepare):
    plain, model = around(detector), around(detector, prepare=prepare)
    expected, found = find(plain), find(model)
    assert len(expected) > 20
    torch.testing.assert_close(found.bboxes, expected.bboxes, atol=.01, rtol=0)
    torch.testing.assert_close(
        found.scores, expected.scores, atol=1e-5, rtol=0)
    assert batch_norms(plain) == batch_norms(detector) > 50
    ready = model.ready_module()
    assert (ready is model.module) == (not prepare)
    assert batch_norms(ready) == (0 if BOTH[0] in prepare else 52)
    for kernel in kernels(ready):
        # A depthwise one is both.
        assert kernel.is_contiguous(memory_format=torch.channels_last) == (
            BOTH[1] in prepare or kernel.shape[1] == 1)


def count_preparations(monkeypatch):
    """Arguments of each."""
    calls = []

    def prepare(*args):
        calls.append(args)
        prepare_for_test(*args)

    monkeypatch.setattr(
        'tinyfaces.models.test_time.preparation.prepare_for_test', prepare)
    return calls


def test_once_and_before_the_first_picture(detector, monkeypatch):
    calls = count_preparations(monkeypatch)
    model = around(detector, prepare=BOTH)
    assert not calls
    find(model)
    find(model)
    assert calls == [(model.ready_module(), tuple(BOTH))]


def test_not_while_training(detector):
    """Batch normalisation by the batch is no part of a convolution."""
    model = around(detector, prepare=BOTH).train()
    find(model)
    assert model.ready_module() is model.module
    find(model.eval())
    assert batch_norms(model.ready_module()) == 0
    assert batch_norms(model) == 52


def test_in_inference_mode(detector):
    """Afterwards the weights can be used, and changed, outside it."""
    model = around(detector, prepare=BOTH)
    with torch.inference_mode():
        find(model)
        ready = model.ready_module()
    for network in (model, ready):
        assert not any(p.is_inference() for p in network.parameters())
    assert len(find(model, 1)) > 20
    assert model.ready_module() is ready


def changed(detector):
    """The weights of a detector, with others in its first layers."""
    state = copy.deepcopy(detector.state_dict())
    for value in list(state.values())[:6]:
        if value.is_floating_point():
            value.mul_(1.5)
    return state


def found_with(detector, state):
    """Scores of a new test, not prepared, with some weights."""
    model = around(detector)
    model.load_state_dict(state)
    return find(model).scores


def test_the_detector_stays_what_it_is(detector):
    """Whoever knows its parameters finds them; the copy is nowhere."""
    model = around(detector, prepare=BOTH)
    before = list(model.parameters()), list(model.modules())
    find(model)
    for one, other in zip(
            before, (list(model.parameters()), list(model.modules())),
            strict=True):
        assert list(map(id, one)) == list(map(id, other))
    assert all(p.requires_grad for p in before[0])
    ready = model.ready_module()
    assert all(ready is not part for part in model.modules())
    assert list(model.state_dict()) == list(detector.state_dict())
    for name, value in model.state_dict().items():
        assert torch.equal(value, detector.state_dict()[name])
        assert value.is_contiguous()


@pytest.mark.parametrize('replaced', [False, True])
def test_checkpoints_after_a_picture(detector, tmp_path, replaced):
    """The copy is made anew, and once."""
    state = changed(detector)
    expected = found_with(detector, state)
    model = around(detector, prepare=BOTH)
    first = find(model).scores
    if replaced:
        for name, value in state.items():
            owner, _, name = name.rpartition('.')
            owner = model.module.get_submodule(owner)
            if name in owner._parameters:
                value = nn.Parameter(value)
            setattr(owner, name, value)
    else:
        path = str(tmp_path / 'weights.pth')
        save_checkpoint(dict(state_dict=state), path)
        load_checkpoint(model, path, 'cpu', strict=True)
    found = find(model).scores
    assert first.shape != found.shape or not first.allclose(found, atol=1e-3)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
    assert model.ready_module() is model.ready_module()


def test_changed_statistics(detector):
    """Of one batch normalisation."""
    model = around(detector, prepare=BOTH)
    ready = model.ready_module()
    norm = next(x for x in model.modules() if isinstance(x, _BatchNorm))
    norm.running_mean.add_(1)
    assert model.ready_module() is not ready


def test_average_of_weights(detector):
    """EMAHook swaps weights before a test, and back after it."""
    state = changed(detector)
    expected = found_with(detector, state), find(around(detector)).scores
    model = around(detector, prepare=BOTH)
    hook = EMAHook(ema_type='ExponentialMovingAverage', update_buffers=True)
    hook.src_model = model
    hook.ema_model = ExponentialMovingAverage(model, update_buffers=True)
    hook.ema_model.module.load_state_dict(state)
    find(model)
    for scores in (*expected, *expected):
        hook._swap_ema_parameters()
        model.eval()  # as a runner's test does
        torch.testing.assert_close(
            find(model).scores, scores, atol=1e-5, rtol=0)
    for name, value in model.state_dict().items():
        assert torch.equal(value, detector.state_dict()[name])


def test_moved_after_a_picture(detector):
    """To another type of numbers, and to a device that all have."""
    model = around(detector, prepare=BOTH)
    find(model)
    model.to(torch.float64)
    assert {p.dtype
            for p in model.ready_module().parameters()} == {torch.float64}
    model.to('meta')
    ready = model.ready_module()
    assert {p.device.type for p in ready.parameters()} == {'meta'}
    assert ready.data_preprocessor.device.type == 'meta'


def test_shared_convolutions_are_refused():
    """One convolution, a batch normalisation for each of two levels."""
    conv = nn.Conv2d(1, 1, 1)
    towers = nn.ModuleList(
        nn.Sequential(conv, nn.BatchNorm2d(1)) for _ in range(2))
    with pytest.raises(ValueError, match='ModuleList has .* share a weight'):
        prepare_for_test(towers.eval(), BOTH)
    assert batch_norms(towers) == 2
    # The same layers twice are no such thing.
    twice = nn.ModuleList([towers[0], towers[0], nn.Conv2d(1, 1, 1)])
    prepare_for_test(twice.eval(), BOTH)
    assert batch_norms(twice) == 0


def test_batch_norms_without_a_convolution_stay():
    """They cannot be folded, and work as before."""
    network = nn.Sequential(
        nn.BatchNorm2d(3), nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).eval()
    nn.init.uniform_(network[0].running_mean)
    image = torch.rand(1, 3, 8, 8)
    expected = network(image)
    prepare_for_test(network, BOTH)
    assert batch_norms(network) == 1
    torch.testing.assert_close(network(image), expected)


@pytest.mark.parametrize('prepare', [['fuse'], 'channels_last', [1]])
def test_unknown_names(detector, prepare):
    with pytest.raises(ValueError, match="prepare is .*'fuse_conv_bn', 'chan"):
        MultiScaleTestModel(detector, NMS, PLAN, prepare=prepare)


def test_of_a_config():
    """As tools/test.py builds it: from a config, with its preprocessor."""
    model = MODELS.build(
        ConfigDict(
            type='MultiScaleTestModel',
            module=copy.deepcopy(RETINANET),
            tta_cfg=NMS,
            plan=PLAN,
            data_preprocessor=PREPROCESSOR,
            prepare=BOTH)).eval()
    find(model)
    assert batch_norms(model.ready_module()) == 0
    assert batch_norms(model) == 52
