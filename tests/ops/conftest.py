"""Fixtures for the ops: the compiled ops, devices, random boxes."""
from types import ModuleType
from typing import Callable, Iterator

import pytest
import torch
from torch import Tensor

from tinyfaces.ops.compiled import find_wheel, load_compiled


@pytest.fixture(scope='session')
def compiled(real_data) -> ModuleType:
    """mmcv's compiled ops, loaded next to ours, or skip."""
    try:
        return load_compiled(find_wheel(real_data.parent / 'wheels'))
    except (FileNotFoundError, ImportError) as error:
        pytest.skip(f'no compiled ops for this Python and torch: {error}')


@pytest.fixture(autouse=True)
def one_thread_and_seed() -> Iterator[None]:
    """Equal random numbers in every run; many small steps, one thread."""
    torch.manual_seed(0)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(params=['cpu', 'cuda'])
def device(request) -> str:
    """Each device; the code is the same for all of them."""
    if request.param == 'cuda' and not torch.cuda.is_available():
        pytest.skip('no CUDA device')
    return request.param


@pytest.fixture
def random_boxes() -> Callable[..., Tensor]:
    """Makes (N, 4) float32 boxes, up to 60 px large, in a square."""

    def make(count: int, span: float, seed: int) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        corners = torch.rand(count, 2, generator=generator) * span
        sizes = torch.rand(count, 2, generator=generator) * 60
        return torch.cat((corners, corners + sizes), 1)

    return make
