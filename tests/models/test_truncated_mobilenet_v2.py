"""MobileNetV2 up to its last output."""
import pytest
import torch
from mmdet.models.backbones import MobileNetV2
from mmdet.registry import MODELS


@pytest.mark.parametrize('out_indices, layers', [((2, 4), 5), ((0, ), 1),
                                                 ((1, 6), 7)])
def test_same_maps_with_the_weights_of_the_whole_network(
        tmp_path, out_indices, layers):
    torch.manual_seed(0)
    whole = MobileNetV2(out_indices=out_indices)
    whole.init_weights()
    torch.save(whole.state_dict(), tmp_path / 'weights.pth')
    model = MODELS.build(
        dict(
            type='TruncatedMobileNetV2',
            out_indices=out_indices,
            init_cfg=dict(
                type='Pretrained', checkpoint=str(tmp_path / 'weights.pth'))))
    model.init_weights()
    assert model.layers == [f'layer{i + 1}' for i in range(layers)]
    assert not hasattr(model, 'conv2')
    picture = torch.rand(2, 3, 40, 56)
    for mode in (False, True):
        # (train gives None)
        model.train(mode)
        whole.train(mode)
        with torch.no_grad():
            found, wanted = model(picture), whole(picture)
        assert len(found) == len(wanted)
        assert all(torch.equal(x, y) for x, y in zip(found, wanted))
    sum(x.sum() for x in model(picture)).backward()
    assert all(p.grad is not None for p in model.parameters())
    assert set(model.state_dict()) < set(whole.state_dict())
