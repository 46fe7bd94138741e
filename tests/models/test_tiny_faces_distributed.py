"""TinyFaces on two processes, of which one sees no face."""
import pytest
import torch
from face_samples import sample
from rank_processes import process_group, spawn
from refine_models import build
from tiny_faces_models import detector_config
from two_processes import STEPS, train

# The processes see no conftest.py; before mmdet.models, which needs its ops.
import tinyfaces  # noqa: F401

FACES = [[9, 7, 26, 30], [40, 30, 60, 56]]


def work(rank, file):
    """What one of the processes does."""
    with process_group(rank, file):
        model = build(detector_config()).train()
        assert len(list(train(rank, 'tiny faces', model, FACES,
                              batch))) == STEPS


def batch(faces):
    generator = torch.Generator().manual_seed(5)
    image = torch.randint(256, (3, 96, 96), generator=generator)
    return dict(
        inputs=[image.to(torch.uint8)], data_samples=[sample(faces, size=96)])


@pytest.mark.slow
def test_two_processes(tmp_path):
    """An assertion in one of them fails here."""
    spawn(work, tmp_path)
