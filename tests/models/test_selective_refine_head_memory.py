"""The memory that the losses of SelectiveRefineHead take."""
import torch
from refine_models import loss_of, sample, small_head
from torch.utils._python_dispatch import TorchDispatchMode


class LargestTensor(TorchDispatchMode):
    """Notes how many elements the largest new tensor has."""
    elements = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **kwargs or {})
        for tensor in result if isinstance(result, tuple) else (result, ):
            if isinstance(tensor, torch.Tensor):
                self.elements = max(self.elements, tensor.numel())
        return result


def test_memory_of_2000_faces():
    """10,920 anchors: a matrix of overlaps would have 21,840,000 elements.

    The assigner is told to hold a hundredth of it, twice for x and y.
    """
    assigner = dict(
        type='StreamingMaxIoUAssigner',
        pos_iou_thr=.5,
        neg_iou_thr=.4,
        max_pairs=200000)
    strides = (4, 8, 16, 32, 64, 128)
    head = small_head(
        strides,
        stc_levels=(0, 1, 2),
        str_levels=(3, 4, 5),
        train_cfg=dict(
            assigner=assigner,
            first_assigner=assigner,
            allowed_border=-1,
            pos_weight=-1))
    corner = torch.rand(2000, 2) * 240
    faces = torch.cat([corner, corner + 12], dim=1).tolist()
    scores, deltas = ([torch.randn(1, c, 256 // s, 256 // s) for s in strides]
                      for c in (2, 8))
    with LargestTensor() as largest:
        losses = loss_of(head, (scores, deltas, scores, deltas),
                         [sample(faces, size=256)])
    assert losses['loss_bbox'] > 0
    assert largest.elements < 500000
