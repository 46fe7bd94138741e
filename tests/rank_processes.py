"""Work in several processes, each of which is a rank."""
import os
import sys
from contextlib import contextmanager
from datetime import timedelta

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope

RANKS = 2


def spawn(work, tmp_path, *args, ranks=RANKS):
    """Call ``work(rank, file, *args)`` in each; an assertion fails here."""
    # A fork has imported everything; PyTorch's GPU threads do not survive it.
    method = 'spawn' if torch.cuda.is_available() else 'fork'
    mp.start_processes(
        work, ((tmp_path / 'rendezvous').as_uri(), *args),
        nprocs=ranks,
        start_method=method)


@contextmanager
def process_group(rank, file, ranks=RANKS):
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
        world_size=ranks,
        timeout=timedelta(seconds=120))
    try:
        yield
    finally:
        dist.destroy_process_group()
