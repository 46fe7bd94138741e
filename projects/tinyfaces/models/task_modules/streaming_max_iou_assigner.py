"""Max-IoU matching whose memory does not grow with the number of faces."""
import torch
from mmdet.models.task_modules.assigners import AssignResult, MaxIoUAssigner
from mmdet.registry import TASK_UTILS
from mmengine.structures import InstanceData
from torch import Tensor


@TASK_UTILS.register_module()
class StreamingMaxIoUAssigner(MaxIoUAssigner):
    """:class:`MaxIoUAssigner` that never holds the whole overlap matrix.

    MMDetection's assigner builds a (faces, anchors) matrix: 174,720 anchors
    and 2,000 faces take gigabytes, and its remedy ``gpu_assign_thr`` moves
    the work to the CPU. Here the faces pass by in blocks and only their
    running maxima stay, on the device of the anchors. Overlaps are computed
    in at least float32, also under automatic mixed precision.

    The assignment is MMDetection's, with two exceptions. A face that overlaps
    no anchor at all is matched with none, whereas ``min_pos_iou=0`` there
    matches it with *every* anchor that overlaps it by 0. And anchors in
    ignored faces are ignored in pictures without other faces too, where they
    become background there.

    Args:
        max_pairs: Face-anchor pairs held at a time, at least 1; a pair needs
            about 40 bytes while its overlap is computed.
        **kwargs: Arguments of :class:`MaxIoUAssigner` (without
            ``gpu_assign_thr`` and ``perm_repeat_gt_cfg``).

    Raises:
        ValueError: ``max_pairs`` is below 1.
    """

    def __init__(self, *args, max_pairs: int = 2**22, **kwargs) -> None:
        for name in ('gpu_assign_thr', 'perm_repeat_gt_cfg'):
            if name in kwargs:
                raise ValueError(
                    f'{type(self).__name__} does not take {name}, which is '
                    'for MaxIoUAssigner: it streams on the device of the '
                    'anchors')
        super().__init__(*args, **kwargs)
        if max_pairs < 1:
            raise ValueError(f'max_pairs must be at least 1, not {max_pairs}')
        self.max_pairs = max_pairs

    @torch.no_grad()
    def assign(self,
               pred_instances: InstanceData,
               gt_instances: InstanceData,
               gt_instances_ignore: InstanceData | None = None,
               **kwargs) -> AssignResult:
        """Assign a face, background or nothing to each anchor.

        Args:
            pred_instances: Has ``priors``, shape (n, 4), xyxy.
            gt_instances: Has ``bboxes``, shape (k, 4), and ``labels``, (k, ).
            gt_instances_ignore: Has ``bboxes``, shape (m, 4).

        Returns:
            AssignResult: ``gt_inds`` (n, ): -1 nothing, 0 background, i + 1
            face i; ``max_overlaps`` (n, ) float; ``labels`` (n, ).
        """
        priors = _as_float(pred_instances.priors)
        faces = _as_float(gt_instances.bboxes).to(priors.device)
        num_faces, num_priors = len(faces), len(priors)
        if num_priors == 0:
            return self.assign_wrt_overlaps(
                priors.new_zeros((num_faces, 0)), gt_instances.labels)

        ignored = self._ignored_priors(priors, gt_instances_ignore)
        best, best_face, forced = self._running_best(faces, priors, ignored)
        gt_inds = self._first_pass(best, best_face)
        gt_inds = self._second_pass(gt_inds, best, best_face, forced,
                                    num_faces)
        labels = torch.full_like(gt_inds, -1)
        positive = gt_inds > 0
        labels[positive] = gt_instances.labels[gt_inds[positive] - 1]
        return AssignResult(num_faces, gt_inds, best, labels=labels)

    def _running_best(
            self, faces: Tensor, priors: Tensor,
            ignored: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """What stays of the overlaps once all faces have passed by.

        Args:
            faces: (k, 4).
            priors: (n, 4), n > 0.
            ignored: Priors that are not matched, (n, ) bool, or None.

        Returns:
            tuple: Three tensors of shape (n, ): the highest overlap of each
            prior (-1 if ignored), the index of its face (the first, if
            several; 0, if none), and 1 + the last face of which this is the
            best prior (0: of none, or not ``match_low_quality``).
        """
        best = priors.new_zeros((len(priors), ))
        if ignored is not None:
            best[ignored] = -1
        best_face = torch.zeros_like(best, dtype=torch.long)
        forced = torch.zeros_like(best_face)
        for start, overlaps in self._blocks(faces, priors):
            if ignored is not None:
                overlaps[:, ignored] = -1
            block_best, block_face = overlaps.max(dim=0)
            better = block_best > best
            best = torch.where(better, block_best, best)
            best_face = torch.where(better, block_face + start, best_face)
            if self.match_low_quality:
                self._force_matches(overlaps, start, forced)
        return best, best_face, forced

    def _first_pass(self, best: Tensor, best_face: Tensor) -> Tensor:
        """``gt_inds`` by the thresholds alone, (n, )."""
        gt_inds = torch.full_like(best_face, -1)
        low, high = (
            self.neg_iou_thr if isinstance(self.neg_iou_thr, tuple) else
            (0., self.neg_iou_thr))
        gt_inds[(best >= low) & (best < high)] = 0
        return torch.where(best >= self.pos_iou_thr, best_face + 1, gt_inds)

    def _second_pass(self, gt_inds: Tensor, best: Tensor, best_face: Tensor,
                     forced: Tensor, num_faces: int) -> Tensor:
        """``gt_inds`` with the matches of faces that got none by threshold.

        Args:
            gt_inds: Of :meth:`_first_pass`, (n, ).
            best: Of :meth:`_running_best`, like the next two.
            best_face: See there.
            forced: See there.
            num_faces: Number of faces.

        Returns:
            Tensor: (n, ).
        """
        return torch.where(forced > 0, forced, gt_inds)

    def _blocks(self, boxes: Tensor, priors: Tensor, mode: str = 'iou'):
        """Yield (index of the first box, overlaps of some boxes, (b, n))."""
        step = max(1, self.max_pairs // len(priors))
        for start in range(0, len(boxes), step):
            yield start, self.iou_calculator(
                boxes[start:start + step], priors, mode=mode)

    def _force_matches(self, overlaps: Tensor, start: int,
                       forced: Tensor) -> None:
        """Note the best prior(s) of each face in ``forced``, in place."""
        face_best, face_prior = overlaps.max(dim=1)
        allowed = (face_best >= self.min_pos_iou) & (face_best > 0)
        if self.gt_max_assign_all:
            face, prior = torch.nonzero(
                (overlaps == face_best[:, None]) & allowed[:, None],
                as_tuple=True)
        else:
            face = torch.nonzero(allowed).squeeze(1)
            prior = face_prior[face]
        # A prior that is the best one of several faces goes to the last.
        forced.scatter_reduce_(0, prior, face + (start + 1), 'amax')

    def _ignored_priors(
            self, priors: Tensor,
            gt_instances_ignore: InstanceData | None) -> Tensor | None:
        """Priors that lie in an ignored face, (n, ) bool, or None."""
        if self.ignore_iof_thr <= 0 or gt_instances_ignore is None:
            return None
        boxes = _as_float(gt_instances_ignore.bboxes).to(priors.device)
        if len(boxes) == 0:
            return None
        ignored = torch.zeros(
            len(priors), dtype=torch.bool, device=priors.device)
        if not self.ignore_wrt_candidates:
            for _, overlaps in self._blocks(boxes, priors, mode='iof'):
                ignored |= (overlaps > self.ignore_iof_thr).any(dim=0)
            return ignored
        step = max(1, self.max_pairs // len(priors))
        for part in boxes.split(step):
            overlaps = self.iou_calculator(priors, part, mode='iof')
            ignored |= (overlaps > self.ignore_iof_thr).any(dim=1)
        return ignored


def _as_float(boxes) -> Tensor:
    """Boxes (tensor or mmdet's box structure) as (n, 4) float32 or more."""
    boxes = getattr(boxes, 'tensor', boxes)
    return boxes if boxes.dtype == torch.float64 else boxes.float()
