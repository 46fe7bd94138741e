"""Group Sampling's detectors on two processes, of which one sees no face."""
import copy

import pytest
import torch
from group_sampling_models import (FOCAL, IOU, detector_config, faster_rcnn,
                                   group_sampler)
from rank_processes import process_group, spawn
from refine_models import build, sample
from two_processes import STEPS, train

# The processes see no conftest.py; before mmdet.models, which needs its ops.
import tinyfaces  # noqa: F401

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
    with process_group(rank, file):
        for name, config in models().items():
            model = build(config).train()
            compare_divisors(rank, name, model)
            assert len(list(train(rank, name, model, FACES, batch))) == STEPS


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


@pytest.mark.slow
def test_two_processes(tmp_path):
    """An assertion in one of them fails here."""
    spawn(work, tmp_path)
