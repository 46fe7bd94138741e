"""Small detectors, and pictures of which few have faces."""
import copy
import sys
from pathlib import Path

import torch
from face_samples import sample
from mmdet.registry import MODELS
from mmengine.config import ConfigDict
from tiny_faster_rcnn import FASTER_RCNN

sys.path.append(str(Path(__file__).parents[1] / 'models'))
import group_sampling_models as group_sampling  # noqa: E402
from refine_models import model_config  # noqa: E402
from tiny_faces_models import detector_config  # noqa: E402

SIZE, LEARNING_RATE = 128, 1e-2
# Of each picture; their numbers differ a lot, and one has the only one.
FACES = ([], [[5, 6, 14, 16], [10, 80, 50, 120], [50, 45, 110, 115],
              [90, 10, 108, 31], [70, 8, 80, 20]], [[20, 30, 40, 53]], [], [])


def models():
    """One of each kind of head; batch norms keep their statistics."""
    rcnn = ConfigDict(copy.deepcopy(FASTER_RCNN))
    rcnn.rpn_head.type = 'SyncedRPNHead'
    rcnn.roi_head.bbox_head.type = 'SyncedShared2FCBBoxHead'
    found = dict(
        retinanet=model_config('retinanet_face'),
        refine_face=model_config(),
        faster_rcnn=rcnn,
        group_sampling=group_sampling.detector_config(
            sampler=group_sampling.group_sampler(seed=None)),
        tiny_faces=detector_config())
    for config in found.values():
        config.backbone.norm_eval = True
    return found


def build(config):
    """A detector with the same weights each time, in training mode."""
    torch.manual_seed(0)
    return MODELS.build(copy.deepcopy(ConfigDict(config))).train()


def pictures():
    """Items of a data set."""
    generator = torch.Generator().manual_seed(0)
    items = []
    for number, faces in enumerate(FACES):
        one = sample(faces, size=SIZE)
        # Samples of boxes do not depend on what else is in the batch.
        one.gt_instances.set_metainfo(dict(draw_seed=number))
        image = torch.randint(256, (3, SIZE, SIZE), generator=generator)
        items.append(dict(inputs=image.to(torch.uint8), data_samples=one))
    return items


def weights(model):
    """All parameters as one vector."""
    return torch.cat([p.detach().flatten() for p in model.parameters()])
