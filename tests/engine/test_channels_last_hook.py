"""ChannelsLastHook changes the layout and nothing else."""
from types import SimpleNamespace

import torch
from torch import nn

from tinyfaces.engine import ChannelsLastHook


def test_weights_and_outputs_become_channels_last():
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Conv2d(8, 4, 1)).eval()
    images = torch.rand(2, 3, 9, 7)
    before = model(images)
    ChannelsLastHook().before_run(SimpleNamespace(model=model))
    after = model(images)
    assert model[0].weight.is_contiguous(memory_format=torch.channels_last)
    assert after.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(after, before)
