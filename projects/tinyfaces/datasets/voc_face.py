"""What the datasets of AFW and PASCAL Face have in common."""
from collections.abc import Sequence

from .boxes_outside import reach_into
from .mat_face_dataset import MatFaceDataset
from .voc_face_annotations import VOCFaceEntry, parse_voc_face_annotations


class VOCFaceDataset(MatFaceDataset):
    """Pictures and boxes of a benchmark of the face-eval toolbox.

    Faces marked to be ignored have ``ignore_flag`` 1. That faces under 30
    pixels are ignored too is left to :class:`VOCFaceMetric`, so that it can be
    studied; ``min_size=30`` marks them here. A box wholly outside of its
    picture is dropped (with ``read_sizes``).

    Args:
        ann_file, data_prefix, missing, min_size, ...: Those of
            :class:`MatFaceDataset`.
    """

    def parse(self) -> Sequence[VOCFaceEntry]:
        """Read ``ann_file``."""
        return parse_voc_face_annotations(self.ann_file)

    def instances_of(self, entry: VOCFaceEntry,
                     size: tuple[int, int] | None) -> list[dict]:
        """Faces of one picture, see :class:`MatFaceDataset`."""
        inside = reach_into(entry.boxes, size)
        boxes, ignore = entry.boxes[inside], entry.ignore[inside]
        small = (boxes[:, 2:] - boxes[:, :2] < self.min_size).any(axis=1)
        return [
            dict(bbox=box, bbox_label=self.face_label, ignore_flag=flag)
            for box, flag in zip(boxes.tolist(), (
                ignore | small).astype(int).tolist())
        ]
