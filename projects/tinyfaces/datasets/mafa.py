"""MAFA (masked faces) as an MMDetection dataset."""
from collections.abc import Sequence

import numpy as np
from mmdet.registry import DATASETS

from .boxes_outside import reach_into
from .mafa_annotations import INVALID, MAFAEntry, parse_mafa_annotations
from .mat_face_dataset import MatFaceDataset

_CHOICES = ('keep', 'ignore', 'drop')


@DATASETS.register_module()
class MAFADataset(MatFaceDataset):
    """MAFA (Ge et al., CVPR 2017): 25,876 train and 4,935 test pictures.

    Expects, under ``data_root``::

        MAFA-Label-Train/LabelTrainAll.mat  train-images/images/<name>
        MAFA-Label-Test/LabelTestAll.mat    test-images/images/<name>

    These folders are those that public users of the download name; the data
    was not at hand, and the layout of the files is that of its read-me.

    Instances also hold ``face_type`` (1 masked, 2 unmasked, 3 invalid; in
    train always 1, by inference), ``occ_type``, ``occ_degree``,
    ``orientation``, ``gender``, ``race`` as integers (-1: not annotated) and
    ``occluder``, ``glasses`` and in train ``eyes`` as four floats,
    see ``mafa_annotations.TEST_COLUMNS``. As WIDER FACE's attributes they are
    not moved by transforms.

    Boxes that reach over the border are kept as annotated; MMDetection's
    transforms clip them.

    Args:
        invalid: What happens to faces of type 3: ``'keep'`` them like all
            others, ``'ignore'`` them (``ignore_flag`` 1) or ``'drop'`` them
            (background). Defaults to ``'ignore'``.
        degenerate: The same for boxes with a width or height of zero or below
            and for boxes wholly outside the picture (recognised only with
            ``read_sizes``). Defaults to ``'drop'``.
        ann_file, data_prefix, missing, min_size, ...: Those of
            :class:`MatFaceDataset`. ``data_prefix`` is
            ``dict(img='train-images/images')`` or ``test-images/images``.
    """

    METAINFO = dict(MatFaceDataset.METAINFO, dataset_name='mafa')
    PICTURE_REMEDY = "Unpack MAFA's train-images and test-images there"
    TRAIN_REMEDY = 'Train on LabelTrainAll.mat'

    def __init__(self,
                 *args,
                 invalid: str = 'ignore',
                 degenerate: str = 'drop',
                 **kwargs) -> None:
        for name, value in dict(
                invalid=invalid, degenerate=degenerate).items():
            if value not in _CHOICES:
                raise ValueError(
                    f'{name} must be one of {_CHOICES}, not {value!r}')
        self.invalid = invalid
        self.degenerate = degenerate
        super().__init__(*args, **kwargs)

    def parse(self) -> Sequence[MAFAEntry]:
        """Read ``ann_file``."""
        return parse_mafa_annotations(self.ann_file)

    def instances_of(self, entry: MAFAEntry,
                     size: tuple[int, int] | None) -> list[dict]:
        """Faces of one picture, see :class:`MatFaceDataset`."""
        start, extent = entry.boxes[:, :2], entry.boxes[:, 2:]
        stop = start + extent
        degenerate = entry.degenerate
        if size is not None:
            degenerate |= ~reach_into(np.hstack([start, stop]), size)
        drop = np.zeros(len(start), bool)
        ignore = (extent < self.min_size).any(axis=1)
        invalid = entry.attributes['face_type'] == INVALID
        for chosen, action in ((invalid, self.invalid), (degenerate,
                                                         self.degenerate)):
            if action == 'drop':
                drop |= chosen
            elif action == 'ignore':
                ignore |= chosen
        boxes = np.hstack([start, stop]).tolist()
        flags = ignore.astype(int).tolist()
        return [
            dict({
                k: v[at].tolist()
                for k, v in entry.attributes.items()
            },
                 bbox=boxes[at],
                 bbox_label=self.face_label,
                 ignore_flag=flags[at]) for at in np.flatnonzero(~drop)
        ]
