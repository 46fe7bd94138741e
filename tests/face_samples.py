"""A picture's data sample with faces."""
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData


def sample(faces=(), ignored=(), size=64, pad_shape=None):
    """A picture of ``size`` x ``size`` with boxes."""
    result = DetDataSample(
        metainfo=dict(
            img_shape=(size, size),
            ori_shape=(size, size),
            pad_shape=pad_shape or (size, size),
            batch_input_shape=(size, size),
            scale_factor=(1., 1.)))
    for name, boxes in (('gt_instances', faces), ('ignored_instances',
                                                  ignored)):
        setattr(
            result, name,
            InstanceData(
                bboxes=torch.tensor(boxes).float().reshape(-1, 4),
                labels=torch.zeros(len(boxes), dtype=torch.long)))
    return result
