"""Weights of RefineFace, with and without its feature supervision."""
import copy

import pytest
import torch
from mmengine.model import ExponentialMovingAverage
from mmengine.runner.checkpoint import load_state_dict
from refine_models import (assert_same, build, images, lively, model_config,
                           predict, sample)

from tinyfaces.models.detectors import refine_face


@pytest.mark.parametrize('loader', ['torch', 'mmengine'])
def test_supervision_is_no_part_of_the_detector(loader):
    """Weights with and without it load, strictly; predictions are the same."""
    config = model_config()
    plain_config = copy.deepcopy(config)
    plain_config.feature_supervision = None
    model = lively(config)
    plain = build(plain_config)
    samples = [sample(size=128)]

    def load(target, weights):
        if loader == 'torch':
            target.load_state_dict(weights)
        else:
            load_state_dict(target, weights, strict=True)

    weights = model.state_dict()
    count = len(weights)
    assert any(name.startswith('feature_supervision.') for name in weights)
    load(plain, weights)
    assert len(weights) == count
    assert_same(
        predict(model, images(), samples), predict(plain, images(), samples))
    other = build(config)
    for parameter in other.feature_supervision.parameters():
        torch.nn.init.constant_(parameter, 7.)
    load(other, plain.state_dict())
    assert_same(
        predict(model, images(), samples), predict(other, images(), samples))
    assert all((p == 7).all() for p in other.feature_supervision.parameters())


def test_a_part_of_the_supervision_is_missed():
    model = build(model_config())
    weights = model.state_dict()
    first = next(k for k in weights if k.startswith('feature_supervision.'))
    del weights[first]
    with pytest.raises(RuntimeError, match=first):
        model.load_state_dict(weights)


@pytest.mark.parametrize('model_has, weights_have', [(True, False),
                                                     (False, True),
                                                     (True, True)])
def test_the_log_tells_of_what_is_left_out(monkeypatch, model_has,
                                           weights_have):
    """Once, in both directions."""
    told = []
    monkeypatch.setattr(refine_face, 'print_log',
                        lambda text, **kwargs: told.append(text))
    config = model_config()
    plain = copy.deepcopy(config)
    plain.feature_supervision = None
    build(config if model_has else plain).load_state_dict(
        build(config if weights_have else plain).state_dict())
    if model_has and weights_have:
        assert not told
    else:
        text, = told
        kind = 'a' if weights_have else 'no'
        assert f'the checkpoint has {kind} feature supervision' in text


def test_moving_average():
    """Of all weights; loads, strictly, without those of the supervision."""
    config = model_config()
    model = lively(config)
    average = ExponentialMovingAverage(model, momentum=.25)
    average.update_parameters(model)
    start = copy.deepcopy(model.state_dict())
    with torch.no_grad():
        for parameter in model.parameters():
            parameter *= 1.2
    average.update_parameters(model)
    for name, parameter in average.module.named_parameters():
        torch.testing.assert_close(parameter, 1.05 * start[name])
    weights = average.state_dict()
    detector = {
        name: value
        for name, value in weights.items() if 'feature_supervision' not in name
    }
    assert len(detector) < len(weights)
    other = ExponentialMovingAverage(build(config))
    own = copy.deepcopy(other.module.feature_supervision.state_dict())
    load_state_dict(other, detector, strict=True)
    assert_same(
        predict(average.module, images(), [sample(size=128)]),
        predict(other.module, images(), [sample(size=128)]))
    for name, value in other.module.feature_supervision.state_dict().items():
        assert torch.equal(value, own[name])
