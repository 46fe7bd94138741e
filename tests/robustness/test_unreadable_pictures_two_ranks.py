"""UnreadablePicturesHook on two processes, in a training of two rounds."""
import json
import os
import sys
from datetime import timedelta
from types import SimpleNamespace

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from mmdet.structures import DetDataSample
from mmengine.logging import MessageHub

from tinyfaces.engine import UnreadablePicturesHook


def _work(rank, address, folder):
    """Each process has a bad picture of its own in each round."""
    dist.init_process_group(
        'gloo',
        init_method=address,
        rank=rank,
        world_size=2,
        timeout=timedelta(seconds=60))
    runner = SimpleNamespace(
        message_hub=MessageHub('two_ranks'),
        work_dir=folder,
        iter=0,
        train_dataloader=SimpleNamespace(dataset=SimpleNamespace()))
    hook = UnreadablePicturesHook()
    for number in (1, 2):
        hook.before_train(runner)
        sample = DetDataSample()
        name = f'{number}_{rank}.jpg'
        sample.set_metainfo(dict(unreadable=[(name, 'is empty')]))
        hook.after_train_iter(runner, 0, dict(data_samples=[sample]))
        runner.iter += 1
        hook.after_train(runner)
    dist.destroy_process_group()


def test_two_rounds(tmp_path, monkeypatch):
    """All processes begin the second one alike, or they wait for ever."""
    if sys.platform == 'linux':
        monkeypatch.setitem(os.environ, 'GLOO_SOCKET_IFNAME', 'lo')
    mp.start_processes(
        _work, ((tmp_path / 'rendezvous').as_uri(), str(tmp_path)),
        nprocs=2,
        start_method='spawn' if torch.cuda.is_available() else 'fork')
    found = json.loads((tmp_path / 'unreadable_pictures.json').read_text())
    assert {
        one['path'] if isinstance(one, dict) else one
        for one in found['pictures']
    } == {'1_0.jpg', '1_1.jpg', '2_0.jpg', '2_1.jpg'}
