"""What makes a detector faster before its first test."""
import copy

import pytest
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.config import ConfigDict
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
    assert batch_norms(model) == (0 if BOTH[0] in prepare else 52)
    for kernel in kernels(model):
        # A depthwise one is both.
        assert kernel.is_contiguous(memory_format=torch.channels_last) == (
            BOTH[1] in prepare or kernel.shape[1] == 1)


def test_once_and_before_the_first_picture(detector, monkeypatch):
    calls = []
    monkeypatch.setattr(
        'tinyfaces.models.test_time.multi_scale_test.prepare_for_test',
        lambda *args: calls.append(args))
    model = around(detector, prepare=BOTH)
    assert not calls
    find(model)
    find(model)
    assert calls == [(model.module, tuple(BOTH))]


def test_not_while_training(detector):
    """Batch normalisation by the batch is no part of a convolution."""
    model = around(detector, prepare=BOTH).train()
    find(model)
    assert batch_norms(model) == 52
    find(model.eval())
    assert batch_norms(model) == 0


def test_in_inference_mode(detector):
    """Afterwards the weights can be used, and changed, outside it."""
    model = around(detector, prepare=BOTH)
    with torch.inference_mode():
        find(model)
    assert not any(p.is_inference() for p in model.parameters())
    assert len(find(model, 1)) > 20


def test_checkpoints_come_before(detector, tmp_path):
    """A checkpoint with batch normalisations does not fit any more."""
    path = str(tmp_path / 'weights.pth')
    save_checkpoint(dict(state_dict=detector.state_dict()), path)
    model = around(detector, prepare=BOTH)
    expected = find(model).scores
    for load in (lambda: load_checkpoint(model, path, 'cpu'), lambda: model.
                 load_state_dict(detector.state_dict(), strict=False)):
        with pytest.raises(RuntimeError, match='load it before the first'):
            load()
    fresh = around(detector, prepare=BOTH)
    load_checkpoint(fresh, path, 'cpu', strict=True)
    torch.testing.assert_close(find(fresh).scores, expected)
    other = around(detector, prepare=BOTH[1:])
    find(other)
    load_checkpoint(other, path, 'cpu', strict=True)


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
    assert batch_norms(model) == 0
