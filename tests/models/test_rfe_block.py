"""RFEBlock against its description, convolution by convolution."""
import pytest
import torch
import torch.nn.functional as F

from tinyfaces.models import RFEBlock


def transcription(x, weights):
    """Fig. 7(a) from a state dict, one branch after the other."""

    def conv(name, x, padding=(0, 0)):
        return F.conv2d(
            x,
            weights[f'{name}.conv.weight'],
            weights[f'{name}.conv.bias'],
            padding=padding).clamp(min=0)

    branches = []
    for index, padding in enumerate([(0, 2), (2, 0), (0, 1), (1, 0)]):
        y = conv(f'branches.{index}.0', x)
        y = conv(f'branches.{index}.1', y, padding)
        branches.append(conv(f'branches.{index}.2', y))
    return x + conv('merge', torch.cat(branches, dim=1))


@pytest.mark.parametrize('grad', [True, False])
def test_equals_transcription(grad):
    torch.manual_seed(0)
    block = RFEBlock(8)
    for parameter in block.parameters():
        torch.nn.init.normal_(parameter)
    x = torch.randn(2, 8, 6, 7)
    kept = x.clone()
    with torch.set_grad_enabled(grad):
        y = block(x)
    torch.testing.assert_close(y, transcription(x, block.state_dict()))
    assert torch.equal(x, kept)
    assert (y < 0).any(), 'there is no ReLU after the addition'


def test_shapes_and_parameters_of_the_paper():
    """Section 3.5: 1x1 to a quarter, 1xk and kx1 for k = 3 and 5."""
    block = RFEBlock(256)
    shapes = [[tuple(conv.conv.weight.shape) for conv in branch]
              for branch in block.branches]
    assert shapes == [[(64, 256, 1, 1), (64, 64, *kernel), (64, 64, 1, 1)]
                      for kernel in [(1, 5), (5, 1), (1, 3), (3, 1)]]
    assert sum(p.numel() for p in block.parameters()) == 214016


def test_looks_two_cells_far_along_rows_and_columns():
    block = RFEBlock(4)
    for name, parameter in block.named_parameters():
        torch.nn.init.constant_(parameter, float(name.endswith('weight')))
    x = torch.zeros(1, 4, 7, 7)
    x[..., 3, 3] = 1
    cross = [[3, column] for column in range(1, 6)]
    cross += [[row, 3] for row in (1, 2, 4, 5)]
    assert sorted(cross) == torch.nonzero(block(x)[0, 0]).tolist()


def test_every_parameter_gets_a_gradient():
    torch.manual_seed(0)
    block = RFEBlock(8)
    block(torch.randn(1, 8, 5, 5)).square().sum().backward()
    assert all(p.grad is not None for p in block.parameters())


@pytest.mark.parametrize('channels', [0, 2, 6])
def test_channels_that_have_no_quarter(channels):
    with pytest.raises(ValueError, match='multiple of 4'):
        RFEBlock(channels)
