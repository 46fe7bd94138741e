import copy

import pytest
import torch
from mmengine.runner import load_checkpoint, save_checkpoint
from mmengine.runner.checkpoint import get_state_dict
from post_processed import build, wrapped_cfg
from tiny_detector import RETINANET


def test_names_in_checkpoints_are_the_bare_detectors(folder, tmp_path):
    bare = build(RETINANET, folder)
    wrapped = build(wrapped_cfg(folder, 'box.npz'), folder)
    for get in (get_state_dict, torch.nn.Module.state_dict):
        ours, theirs = get(wrapped), get(bare)
        assert list(ours) == list(theirs)
        assert ours._metadata == theirs._metadata
        for name in ours:
            torch.testing.assert_close(ours[name], theirs[name])
    # From the wrapper's checkpoint into the bare one, by both loaders.
    torch.nn.init.normal_(wrapped.bbox_head.retina_cls.weight)
    save_checkpoint(
        dict(state_dict=get_state_dict(wrapped)), str(tmp_path / 'w.pth'))
    load_checkpoint(bare, str(tmp_path / 'w.pth'), strict=True)
    torch.testing.assert_close(bare.bbox_head.retina_cls.weight,
                               wrapped.bbox_head.retina_cls.weight)
    torch.nn.init.normal_(bare.bbox_head.retina_cls.weight)
    weights = bare.state_dict()
    names = list(weights)
    assert str(wrapped.load_state_dict(weights)) == (
        '<All keys matched successfully>')
    assert list(weights) == names
    torch.testing.assert_close(bare.bbox_head.retina_cls.weight,
                               wrapped.bbox_head.retina_cls.weight)


def test_versions_of_modules_are_seen_when_loading(folder):
    wrapped = build(wrapped_cfg(folder, 'box.npz'), folder)
    seen = []
    wrapped.bbox_head._register_load_state_dict_pre_hook(
        lambda state, prefix, metadata, *_: seen.append((prefix, metadata)))
    bare = build(RETINANET, folder)
    bare.bbox_head._version = 7
    wrapped.load_state_dict(bare.state_dict())
    assert seen == [('detector.bbox_head.', dict(version=7))]


def test_inside_another_module(folder):
    inner = build(wrapped_cfg(folder, 'box.npz'), folder)
    outer = torch.nn.ModuleDict(dict(model=inner))
    weights = outer.state_dict()
    assert list(weights) == [f'model.{name}' for name in inner.state_dict()]
    assert list(weights) == [
        f'model.{name}' for name in build(RETINANET, folder).state_dict()
    ]
    outer.load_state_dict(weights, strict=True)


def test_wrong_weights_are_noticed(folder):
    wrapped = build(wrapped_cfg(folder, 'box.npz'), folder)
    weights = wrapped.state_dict()
    weights['extra.weight'] = weights.pop('bbox_head.retina_cls.bias')
    with pytest.raises(RuntimeError, match='retina_cls.bias(.|\n)*extra'):
        wrapped.load_state_dict(weights)


def test_copies_are_whole(folder):
    wrapped = build(wrapped_cfg(folder, 'box.npz'), folder)
    twin = copy.deepcopy(wrapped)
    assert twin.detector is not wrapped.detector
    assert twin.backbone is twin.detector.backbone
    assert list(twin.state_dict()) == list(wrapped.state_dict())
    with pytest.raises(AttributeError, match='RetinaNet.*no_such'):
        wrapped.no_such


def test_one_data_preprocessor(folder):
    wrapped = build(wrapped_cfg(folder, 'box.npz'), folder)
    assert wrapped.data_preprocessor is wrapped.detector.data_preprocessor
    assert [name for name, _ in wrapped.named_children()] == ['detector']
    assert wrapped.to('meta').data_preprocessor.device.type == 'meta'
