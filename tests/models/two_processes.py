"""Training on two processes, of which one sees no face."""
import os
import sys
from contextlib import contextmanager
from datetime import timedelta

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from mmengine.logging import MMLogger
from mmengine.model import MMDistributedDataParallel
from mmengine.optim import OptimWrapper
from mmengine.registry import init_default_scope

RANKS, STEPS = 2, 3


def spawn(work, tmp_path):
    """Call ``work(rank, file)`` in each; an assertion in one fails here."""
    # A fork has imported everything; PyTorch's GPU threads do not survive it.
    method = 'spawn' if torch.cuda.is_available() else 'fork'
    mp.start_processes(
        work, ((tmp_path / 'rendezvous').as_uri(), ),
        nprocs=RANKS,
        start_method=method)


@contextmanager
def process_group(rank, file):
    """What one of the processes works in."""
    torch.set_num_threads(1)
    init_default_scope('mmdet')
    MMLogger.get_instance('mmengine').setLevel('WARNING')
    if sys.platform == 'linux':
        # Rather than by the host's name, which need not have an address.
        os.environ.setdefault('GLOO_SOCKET_IFNAME', 'lo')
    dist.init_process_group(
        'gloo',
        init_method=file,
        rank=rank,
        world_size=RANKS,
        timeout=timedelta(seconds=120))
    try:
        yield
    finally:
        dist.destroy_process_group()


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
