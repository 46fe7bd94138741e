"""Two-pass matching of Group Sampling."""
import torch
from mmdet.registry import TASK_UTILS
from torch import Tensor

from .streaming_max_iou_assigner import StreamingMaxIoUAssigner


@TASK_UTILS.register_module()
class TwoPassAssigner(StreamingMaxIoUAssigner):
    r"""Matching of "Group Sampling for Scale Invariant Face Detection",
    section 4.1.

    First pass (Eq. 1): with C(i) the highest IoU of anchor i with a face, the
    anchor belongs to that face if :math:`C(i) \ge \lambda_1`, is background
    if :math:`C(i) < \lambda_2`, and is left out otherwise. Second pass: a
    face j that no anchor belongs to takes an anchor i that (1) belongs to no
    other face, (2) overlaps j by :math:`\lambda_2` at least, and (3) overlaps
    no face more than j. So a face takes only anchors that the first pass left
    out, two faces never want the same one, and a face without such an anchor
    stays unmatched, whereas :class:`MaxIoUAssigner` gives it its best anchor
    at any overlap.

    The paper says "the anchor", but several can meet the three conditions:
    by default the face takes the one of highest IoU (the first, of equals).

    An anchor that overlaps several faces equally, and most, counts as the
    first one's. As in :class:`StreamingMaxIoUAssigner` the faces pass by in
    blocks, on the device of the anchors: only the highest IoU of each anchor
    and its face are kept.

    Args:
        pos_iou_thr: :math:`\lambda_1`, at most 1.
        neg_iou_thr: :math:`\lambda_2`, above 0 and at most ``pos_iou_thr``.
        all_matches: An unmatched face takes all anchors that meet the
            conditions, instead of the best one.
        **kwargs: ``ignore_iof_thr``, ``ignore_wrt_candidates``,
            ``iou_calculator`` and ``max_pairs`` of
            :class:`StreamingMaxIoUAssigner`. Anchors in ignored faces are
            left out of both passes.

    Raises:
        ValueError: A threshold is out of range, or an argument belongs to the
            second pass of :class:`MaxIoUAssigner`.
    """

    def __init__(self,
                 pos_iou_thr: float = .6,
                 neg_iou_thr: float = .4,
                 all_matches: bool = False,
                 **kwargs) -> None:
        if isinstance(neg_iou_thr, (tuple, list)) or not (
                0 < neg_iou_thr <= pos_iou_thr <= 1):
            raise ValueError(
                'neg_iou_thr must be one number with 0 < neg_iou_thr <= '
                f'pos_iou_thr <= 1, not {neg_iou_thr} (pos_iou_thr '
                f'{pos_iou_thr})')
        for name in ('match_low_quality', 'min_pos_iou', 'gt_max_assign_all'):
            if name in kwargs:
                raise ValueError(f'TwoPassAssigner does not take {name}: its '
                                 'second pass is another one')
        super().__init__(
            pos_iou_thr, neg_iou_thr, match_low_quality=False, **kwargs)
        self.all_matches = all_matches

    def _second_pass(self, gt_inds: Tensor, best: Tensor, best_face: Tensor,
                     forced: Tensor, num_faces: int) -> Tensor:
        """``gt_inds`` with the matches of faces that got none, (n, )."""
        matched = torch.zeros(
            num_faces + 1, dtype=torch.bool, device=gt_inds.device)
        matched[gt_inds.clamp(min=0)] = True
        # Conditions 1 and 2; the only face that 3 allows is best_face.
        anchors = torch.nonzero((gt_inds < 0)
                                & (best >= self.neg_iou_thr)).squeeze(1)
        anchors = anchors[~matched[best_face[anchors] + 1]]
        if not self.all_matches:
            anchors = _first_of_best(anchors, best[anchors],
                                     best_face[anchors], num_faces)
        gt_inds[anchors] = best_face[anchors] + 1
        return gt_inds


def _first_of_best(anchors: Tensor, ious: Tensor, faces: Tensor,
                   num_faces: int) -> Tensor:
    """The anchor of highest IoU of each face; the first, of equals.

    Args:
        anchors: Indices in ascending order, (c, ).
        ious: (c, ).
        faces: (c, ), 0 to ``num_faces`` - 1.
        num_faces: Number of faces.

    Returns:
        Tensor: One of ``anchors`` for each of the faces that occur.
    """
    highest = ious.new_zeros(num_faces).scatter_reduce_(0, faces, ious, 'amax')
    top = torch.nonzero(ious == highest[faces]).squeeze(1)
    none = len(faces)
    first = faces.new_full((num_faces, ), none)
    first.scatter_reduce_(0, faces[top], top, 'amin')
    return anchors[first[first < none]]
