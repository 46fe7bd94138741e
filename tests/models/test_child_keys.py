"""Checkpoints of a wrapped detector, and of one without its wrapper."""
import copy

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import ConfigDict
from mmengine.runner import load_checkpoint
from tiny_detector import RETINANET, save_random_model
from torch import nn

from tinyfaces.models.test_time import MultiScaleTestModel

VOTING = dict(voting=dict(), max_per_img=750)


def test_checkpoints_are_those_of_the_detector(tmp_path):
    """By mmengine and by torch, read and written, also inside a wrapper."""
    cfg = dict(type='MultiScaleTestModel', tta_cfg=VOTING, module=RETINANET)
    file = save_random_model(RETINANET, tmp_path)[1]
    weights = torch.load(file)['state_dict']
    model = MODELS.build(ConfigDict(copy.deepcopy(cfg)))
    load_checkpoint(model, str(file), map_location='cpu', strict=True)
    assert_same(model.module.state_dict(), weights)
    assert_same(model.state_dict(), weights)
    bare = MODELS.build(ConfigDict(copy.deepcopy(RETINANET)))
    assert model.state_dict()._metadata == bare.state_dict()._metadata
    fresh = MODELS.build(ConfigDict(copy.deepcopy(cfg)))
    fresh.load_state_dict(weights)
    assert_same(fresh.module.state_dict(), weights)
    outer = nn.Sequential(MODELS.build(ConfigDict(copy.deepcopy(cfg))))
    outer.load_state_dict({f'0.{key}': x for key, x in weights.items()})
    assert_same(outer[0].module.state_dict(), weights)
    assert list(outer.state_dict()) == [f'0.{key}' for key in weights]
    with pytest.raises(RuntimeError, match='module.bbox_head.retina_cls.bias'):
        fresh.load_state_dict({
            key: x
            for key, x in weights.items() if key != 'bbox_head.retina_cls.bias'
        })


def assert_same(found, wanted):
    assert list(found) == list(wanted)
    for key in wanted:
        assert torch.equal(found[key], wanted[key])


class Norm(nn.Module):
    """Version 5 of a model with a layer that has versions of its own."""

    _version = 5
    loaded = None

    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm2d(1)

    def test_step(self, data):
        return data['data_samples']

    def _load_from_state_dict(self, state, prefix, metadata, *args):
        self.loaded = metadata.get('version')
        super()._load_from_state_dict(state, prefix, metadata, *args)


def test_versions_of_layers_survive():
    """Batch norm of version 1 had no counter, and may lack it."""
    state = Norm().state_dict()
    model = MultiScaleTestModel(Norm(), VOTING)
    assert model.state_dict()._metadata[''] == dict(version=5)
    assert model.state_dict()._metadata['norm'] == dict(version=2)
    del state['norm.num_batches_tracked']
    state._metadata['norm']['version'] = 1
    model.load_state_dict(state)
    assert model.module.loaded == 5
    state = Norm().state_dict()
    del state['norm.num_batches_tracked']
    with pytest.raises(RuntimeError, match='num_batches_tracked'):
        model.load_state_dict(state)
