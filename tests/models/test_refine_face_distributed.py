"""RefineFace on two processes, of which one sees no face."""
import os
import sys
from datetime import timedelta

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from mmengine.logging import MMLogger
from mmengine.model import MMDistributedDataParallel
from mmengine.optim import OptimWrapper
from mmengine.registry import init_default_scope
from refine_models import FACES, build, model_config, sample

# The processes see no conftest.py; before mmdet.models, which needs its ops.
import tinyfaces  # noqa: F401

RANKS, STEPS = 2, 3
# The last one fits an anchor of P7.
BOXES = [*FACES, [-50, -79, 178, 207]]


def two_models():
    """The whole, and a single module: C7 reaches no loss but the box's."""
    return dict(
        whole=model_config(),
        str_p7=model_config('refineface_plain', str_levels=(5, )))


def work(rank, file):
    """What one of the processes does."""
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
        for name, config in two_models().items():
            train(rank, name, build(config).train())
    finally:
        dist.destroy_process_group()


def train(rank, name, model):
    """Three steps, which leave the same weights everywhere.

    The wrapper waits for the gradient of each parameter, and would stop at
    the second step if one had none; so would reductions that some ranks skip.
    """
    start = weights(model)
    parallel = MMDistributedDataParallel(model)
    optimizer = OptimWrapper(torch.optim.SGD(model.parameters(), lr=1e-3))
    torch.manual_seed(rank)
    for step in range(STEPS):
        # Only one rank has faces, and none in the second step.
        faces = BOXES if rank == 0 and step != 1 else []
        batch = dict(
            inputs=[torch.randint(0, 256, (3, 128, 128)).byte()],
            data_samples=[sample(faces, size=128)])
        logged = parallel.train_step(batch, optimizer)
        assert all(value.isfinite() for value in logged.values()), logged
        for key in ('loss_bbox', 'loss_bbox_first'):
            assert (logged[key] > 0) == bool(faces), (name, step, logged)
        assert ('loss_fsm' in logged) == (name == 'whole')
    ours = weights(model)
    everywhere = [torch.empty_like(ours) for _ in range(RANKS)]
    dist.all_gather(everywhere, ours)
    assert all(torch.equal(ours, theirs) for theirs in everywhere), name
    assert not torch.equal(ours, start)


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def test_two_processes(tmp_path):
    """An assertion in one of them fails here."""
    mp.spawn(work, ((tmp_path / 'rendezvous').as_uri(), ), nprocs=RANKS)
