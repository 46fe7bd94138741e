"""Windows near boxes, and the noise that decides ties."""
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from template_assignment_transcription import cell_windows, shared_area
from template_cases import generator_of, random_boxes

from tinyfaces.models.task_modules import TemplatePriorGenerator
from tinyfaces.models.task_modules.template_windows import (TemplateWindows,
                                                            tie_noise)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), part=st.floats(.05, .95))
def test_windows_looked_at_are_those_that_matter(seed, part):
    """Neither more nor fewer than have the area asked for."""
    generator = torch.Generator().manual_seed(seed)
    priors = generator_of((30, 20), (11, 9), (5, 30), offset=-1.5)
    windows = TemplateWindows(priors, (6, 8), torch.device('cpu'))
    found = random_boxes(generator, 5, 64).double()
    need = part * windows.areas.expand(5, -1)
    box, template, window, common = windows.overlapping(found, need)
    every = cell_windows(priors.base_anchors[0].double().numpy(), 8, (6, 8))
    dense = np.stack([shared_area(every, each) for each in found.numpy()])
    limits = part * windows.areas.numpy()[:, None, None]
    numbers = box * windows.count + window
    # Either answer is right where rounding decides.
    surely = set(np.flatnonzero(dense >= limits * (1 + 1e-6)).tolist())
    perhaps = set(np.flatnonzero(dense >= limits * (1 - 1e-6)).tolist())
    assert surely <= set(numbers.tolist()) <= perhaps
    assert len(set(numbers.tolist())) == len(numbers)
    assert common.numpy() == pytest.approx(dense.flatten()[numbers.numpy()])
    assert torch.equal(template, window // 48)
    assert (box.diff() >= 0).all()


def test_windows_are_those_of_the_priors():
    """In the order of the prediction map: template by template."""
    priors = TemplatePriorGenerator(stride=16, offset=-1.5)
    grid, = priors.grid_priors([(3, 4)], device='cpu')
    grid = grid.view(3, 4, 25, 4).permute(2, 0, 1, 3).reshape(-1, 4)
    windows = TemplateWindows(priors, (3, 4), torch.device('cpu'))
    assert windows.shape == (25, 3, 4) and windows.count == len(grid)
    everything = torch.tensor([[-999., -999, 999, 999]]).double()
    _, _, window, area = windows.overlapping(everything,
                                             windows.areas[None] / 2)
    assert torch.equal(window, torch.arange(300))
    sizes = grid[:, 2:] - grid[:, :2]
    assert torch.allclose(area.float(), sizes.prod(dim=1))
    area = (-60., -20, 90, 100)
    crosses = ((grid[:, :2] < torch.tensor(area[:2])) |
               (grid[:, 2:] > torch.tensor(area[2:]))).any(dim=1)
    assert 0 < crosses.sum() < 300
    assert torch.equal(windows.crossing(area).flatten(), crosses)


def test_noise_is_uniform_and_independent():
    window, face = torch.arange(4000), torch.arange(50)
    values = tie_noise(9, face.repeat_interleave(4000),
                       window.repeat(50)).view(50, 4000)
    assert values.dtype == torch.float64
    assert 0 <= values.min() and values.max() < 1
    share = values.flatten().histc(20, 0, 1) / values.numel()
    assert share.sub(.05).abs().max() < .003
    correlation = torch.corrcoef(values) - torch.eye(50)
    assert correlation.abs().max() < .08
    other = tie_noise(10, face.repeat_interleave(4000), window.repeat(50))
    assert torch.corrcoef(torch.stack([values.flatten(),
                                       other]))[0, 1].abs() < .01
