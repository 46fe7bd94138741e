"""Training on two processes, of which one sees no face."""
import torch
import torch.distributed as dist
from mmengine.model import MMDistributedDataParallel
from mmengine.optim import OptimWrapper
from rank_processes import RANKS

STEPS = 3


def train(rank, name, model, faces, batch):
    """Three steps, which leave the same weights everywhere.

    The wrapper waits for the gradient of each parameter, and would stop at
    the second step if one had none; so would reductions that some ranks skip.

    Yields the boxes and what was logged of each step. Only one rank has
    ``faces``, and none in the second step; ``batch`` makes data of them.
    """
    start = weights(model)
    parallel = MMDistributedDataParallel(model)
    optimizer = OptimWrapper(torch.optim.SGD(model.parameters(), lr=1e-3))
    torch.manual_seed(rank)
    for step in range(STEPS):
        boxes = faces if rank == 0 and step != 1 else []
        logged = parallel.train_step(batch(boxes), optimizer)
        assert all(value.isfinite() for value in logged.values()), logged
        assert (logged['loss_bbox'] > 0) == bool(boxes), (name, step, logged)
        yield boxes, logged
    ours = weights(model)
    everywhere = [torch.empty_like(ours) for _ in range(RANKS)]
    dist.all_gather(everywhere, ours)
    assert all(torch.equal(ours, theirs) for theirs in everywhere), name
    assert not torch.equal(ours, start)


def weights(model):
    """All parameters as one vector."""
    return torch.cat([p.detach().flatten() for p in model.parameters()])
