"""ChannelsLastHook changes the layout and nothing else."""
import copy
from types import SimpleNamespace

import pytest
import torch
import torch.distributed as dist
from mmengine.model import MMDistributedDataParallel
from torch import nn

from tinyfaces.engine import ChannelsLastHook


@pytest.fixture
def model():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Conv2d(8, 4, 3)).eval()


@pytest.fixture
def process_group(tmp_path):
    """Of this process alone."""
    store = dist.FileStore(str(tmp_path / 'store'), 1)
    dist.init_process_group('gloo', store=store, rank=0, world_size=1)
    yield
    dist.destroy_process_group()


def test_weights_and_outputs_become_channels_last(model):
    images = torch.rand(2, 3, 9, 7)
    before = model(images)
    ChannelsLastHook().before_run(SimpleNamespace(model=model))
    after = model(images)
    assert model[0].weight.is_contiguous(memory_format=torch.channels_last)
    assert after.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(after, before)


@pytest.mark.filterwarnings('error:Grad strides do not match')
def test_gradients_of_a_distributed_model(model, process_group):
    """Not those of a wrapper that knows the weights in the old layout."""
    images = torch.rand(2, 3, 9, 7)
    alone = copy.deepcopy(model)
    alone(images).square().sum().backward()
    made = []

    def wrap_model(cfg, module):
        made.append(cfg)
        return MMDistributedDataParallel(module)

    settings = dict(type='MMDistributedDataParallel')
    runner = SimpleNamespace(
        model=MMDistributedDataParallel(model),
        wrap_model=wrap_model,
        cfg=dict(model_wrapper_cfg=settings))
    ChannelsLastHook().before_run(runner)
    assert made == [settings]
    runner.model(images).square().sum().backward()
    for name, weight in model.named_parameters():
        wanted = alone.get_parameter(name).grad
        torch.testing.assert_close(weight.grad, wanted, msg=name)
