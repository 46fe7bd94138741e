"""Two ranks that accumulate gradients against one process and batch."""
import pytest
import torch
from accumulation_cases import LEARNING_RATE, build, models, pictures, weights
from mmengine.dataset import pseudo_collate
from mmengine.model import MMDistributedDataParallel
from mmengine.optim import OptimWrapper
from rank_processes import RANKS, process_group, spawn

from tinyfaces.engine.loops.accumulation import OptimizerStep
from tinyfaces.models.avg_factor import mean_avg_factor


class Case:
    """Model and optimizer, as a loop knows them."""

    def __init__(self, name, counts=1, wrap=lambda model: model):
        self.model = wrap(build(models()[name]))
        self.optim_wrapper = OptimWrapper(
            torch.optim.SGD(self.model.parameters(), lr=LEARNING_RATE),
            accumulative_counts=counts)


def by_halves(rank, name):
    """Train with one picture at a time, 0 and 1 or 2 and 3.

    Only 1 and 2 have faces, five and one.
    """
    case = Case(
        name, 2, lambda model: MMDistributedDataParallel(
            model, find_unused_parameters=True))
    batches = [pseudo_collate([one]) for one in pictures()[2 * rank:][:2]]
    # Each process would draw others where they are not the picture's own.
    torch.manual_seed(rank)
    step = OptimizerStep(case, batches)
    logged = [step.train(batch) for batch in batches]
    assert step.finished and not step.counts_differ()
    return weights(case.model), logged


def work(rank, file):
    """What one of the processes does."""
    found = {}
    with process_group(rank, file):
        for name in models():
            found[name] = by_halves(rank, name)
        own = torch.tensor([0, rank, 3 * rank])
        found['means'] = mean_avg_factor(own)
        found['own'] = mean_avg_factor(own, sync=False)
    torch.save(found, f'{file.removeprefix("file://")}.{rank}')


@pytest.fixture(scope='module')
def found(tmp_path_factory):
    """What both processes have found."""
    folder = tmp_path_factory.mktemp('ranks')
    spawn(work, folder)
    return [torch.load(folder / f'rendezvous.{rank}') for rank in range(RANKS)]


@pytest.mark.parametrize('name', models())
def test_equals_one_batch(found, name):
    """The step of all four pictures: weights, and the means of the losses."""
    case = Case(name)
    start = weights(case.model)
    losses = case.model.train_step(
        pseudo_collate(pictures()[:4]), case.optim_wrapper)
    change = weights(case.model) - start
    (ours, logged), (theirs, others) = (one[name] for one in found)
    assert torch.equal(ours, theirs)
    assert (ours - start - change).norm() < 1e-4 * change.norm()
    parts = logged + others
    for key, value in losses.items():
        if 'loss' in key:
            mean = sum(part[key] for part in parts) / len(parts)
            torch.testing.assert_close(mean, value, rtol=1e-4, atol=1e-6)


def test_at_least_one_of_both_ranks_together(found):
    """None and none, none and one, none and three."""
    for rank, one in enumerate(found):
        assert one['means'].tolist() == [.5, .5, 1.5]
        assert one['own'].tolist() == [1, 1, 3 if rank else 1]
