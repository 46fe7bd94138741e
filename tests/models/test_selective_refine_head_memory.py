"""The memory that the losses of SelectiveRefineHead take."""
import torch
from refine_models import FACES, loss_of, noisy_maps, sample, small_head, total
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


def test_maps_that_are_computed_again():
    """``with_cp``: the same losses and gradients, and nothing is kept."""
    torch.manual_seed(0)
    x = noisy_maps(size=128)
    results = []
    for with_cp in (False, True):
        head = small_head(with_cp=with_cp)
        head.load_state_dict(results[0][2] if results else head.state_dict())
        kept = 0

        def note(tensor):
            nonlocal kept
            kept += tensor.numel()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(note, lambda x: x):
            losses = head.loss(x, [sample(FACES, size=128)] * 2)
        total(losses).backward()
        gradients = [p.grad for p in head.parameters()]
        results.append((losses, gradients, head.state_dict(), kept))
    assert results[0][0] == results[1][0]
    for whole, again in zip(results[0][1], results[1][1], strict=True):
        torch.testing.assert_close(again, whole)
    assert results[1][3] < .7 * results[0][3]
