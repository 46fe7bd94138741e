"""Group Sampling's detectors on two processes, of which one sees no face."""
import copy
import os
import sys
from datetime import timedelta

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from group_sampling_models import (FOCAL, IOU, detector_config, faster_rcnn,
                                   group_sampler)
from mmengine.logging import MMLogger
from mmengine.model import MMDistributedDataParallel
from mmengine.optim import OptimWrapper
from mmengine.registry import init_default_scope
from refine_models import build, sample

# The processes see no conftest.py; before mmdet.models, which needs its ops.
import tinyfaces  # noqa: F401

RANKS, STEPS = 2, 3
FACES = [[9, 7, 26, 22], [11, 21, 43, 52]]


def models():
    """All ways to count what divides the losses."""
    return dict(
        groups=detector_config(sampler=group_sampler(), **IOU),
        ohem=detector_config(ohem=dict(num=32)),
        focal=detector_config(loss_cls=FOCAL),
        two_stages=faster_rcnn(type='PairMeanBBoxHead', **IOU))


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
        for name, config in models().items():
            model = build(config).train()
            compare_divisors(rank, name, model)
            train(rank, name, model)
    finally:
        dist.destroy_process_group()


def batch(faces):
    generator = torch.Generator().manual_seed(5)
    image = torch.randint(256, (3, 64, 64), generator=generator)
    return dict(
        inputs=[image.to(torch.uint8)], data_samples=[sample(faces, size=64)])


def compare_divisors(rank, name, model):
    """The mean of n positives and none is n / 2: that doubles the loss."""
    found = {}
    for sync in (True, False):
        # Samplers draw alike.
        one = copy.deepcopy(model)
        heads = [m for m in one.modules() if hasattr(m, 'sync_avg_factor')]
        assert len(heads) == (2 if name == 'two_stages' else 1)
        for head in heads:
            head.sync_avg_factor = sync
        data = one.data_preprocessor(batch(FACES if rank == 0 else []), True)
        with torch.no_grad():
            losses = one(**data, mode='loss')
        found[sync] = {k: v for k, v in losses.items() if 'loss_bbox' in k}
    for key, loss in found[True].items():
        torch.testing.assert_close(loss, 2 * found[False][key])
        assert (loss > 0) == (rank == 0), (name, key)


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
        faces = FACES if rank == 0 and step != 1 else []
        logged = parallel.train_step(batch(faces), optimizer)
        assert all(value.isfinite() for value in logged.values()), logged
        assert (logged['loss_bbox'] > 0) == bool(faces), (name, step, logged)
    ours = weights(model)
    everywhere = [torch.empty_like(ours) for _ in range(RANKS)]
    dist.all_gather(everywhere, ours)
    assert all(torch.equal(ours, theirs) for theirs in everywhere), name
    assert not torch.equal(ours, start)


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


@pytest.mark.slow
def test_two_processes(tmp_path):
    """An assertion in one of them fails here."""
    mp.spawn(work, ((tmp_path / 'rendezvous').as_uri(), ), nprocs=RANKS)
