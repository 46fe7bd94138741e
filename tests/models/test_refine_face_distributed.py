"""RefineFace on two processes, of which one sees no face."""
import torch
from rank_processes import process_group, spawn
from refine_models import FACES, build, model_config, sample
from two_processes import STEPS, train

# The processes see no conftest.py; before mmdet.models, which needs its ops.
import tinyfaces  # noqa: F401

# The last one fits an anchor of P7.
BOXES = [*FACES, [-50, -79, 178, 207]]


def two_models():
    """The whole, and a single module: C7 reaches no loss but the box's."""
    return dict(
        whole=model_config(),
        str_p7=model_config('refineface_plain', str_levels=(5, )))


def work(rank, file):
    """What one of the processes does."""
    with process_group(rank, file):
        for name, config in two_models().items():
            seen = 0
            for faces, logged in train(rank, name,
                                       build(config).train(), BOXES, batch):
                assert (logged['loss_bbox_first']
                        > 0) == bool(faces), (name, logged)
                assert ('loss_fsm' in logged) == (name == 'whole')
                seen += 1
            assert seen == STEPS


def batch(faces):
    """A picture of noise with faces."""
    return dict(
        inputs=[torch.randint(0, 256, (3, 128, 128)).byte()],
        data_samples=[sample(faces, size=128)])


def test_two_processes(tmp_path):
    """An assertion in one of them fails here."""
    spawn(work, tmp_path)
