"""FDDB as an MMDetection dataset, from the official download."""
from collections.abc import Sequence

from mmdet.registry import DATASETS

from .boxes_outside import reach_into
from .face_dataset import FaceDataset
from .fddb_annotations import (FDDBEntry, check_folds, ellipses_to_boxes,
                               load_fddb)


@DATASETS.register_module()
class FDDBDataset(FaceDataset):
    """FDDB (Jain and Learned-Miller, 2010) in its official layout.

    Expects, under ``data_root``, the archives as they unpack::

        FDDB-folds/FDDB-fold-{01..10}.txt
        FDDB-folds/FDDB-fold-{01..10}-ellipseList.txt
        originalPics/2002/08/11/big/img_591.jpg

    One item of the data list holds ``img_path``, ``img_id`` (the name in the
    fold's list, without ``.jpg``: the key of metrics and evaluators),
    ``fold``, ``height`` and ``width`` in pixels and ``instances``. An instance
    holds ``bbox``, ``bbox_label``, ``ignore_flag`` and ``ellipse``: five
    numbers as annotated, that is major and minor half-axis in pixels, angle
    of the major axis in radians, centre x and y.

    ``bbox`` (x1, y1, x2, y2 in pixels) is the smallest box around the
    ellipse. An ellipse covers the head where it leaves the picture, so boxes
    reach over the border too; they are kept as they are, and MMDetection's
    transforms clip them. A box wholly outside, of which FDDB has none, is
    dropped (with ``read_sizes``). Like WIDER FACE's attributes, ellipses stay
    in ``results['instances']`` and are not moved by transforms.

    The order is that of ``folds`` and the fold lists. Some pictures are grey;
    MMDetection loads them as three equal channels. FDDB marks no face as
    difficult, so ``ignore_flag`` is 0 unless ``min_size`` is set.

    Args:
        folds: Number of a fold (1 to 10), several of them, or None for all.
            The annotators' ten-fold cross-validation trains on nine and
            tests on the other.
        ann_file: Annotations in one file instead of those of the folds: the
            "new annotations" of S3FD's authors (5,409 faces instead of
            5,171). The fold lists still say which picture is in which fold.
        data_prefix: ``img`` and ``folds`` are the folders of pictures and
            fold lists, by default the official names.
        missing, unreadable, min_size, read_sizes, data_root, metainfo,
        filter_cfg, ...: Those of :class:`FaceDataset`.

    Raises:
        FileNotFoundError: The annotations, or any picture that they list,
            are missing (all missing pictures are reported at once); or all
            pictures, with ``missing='skip'``.
        ValueError: A line of the annotations is broken, headers of pictures
            cannot be read, an option has an unknown value, or no face is
            left to train on.
    """

    METAINFO = dict(FaceDataset.METAINFO, dataset_name='fddb')
    TRAIN_REMEDY = 'Choose other folds'
    PICTURE_REMEDY = 'Unpack originalPics.tar.gz there'

    def __init__(self,
                 *args,
                 folds: int | Sequence[int] | None = None,
                 data_prefix: dict | None = None,
                 **kwargs) -> None:
        self.folds = check_folds([folds] if isinstance(folds, int) else folds)
        prefix = dict(img='originalPics', folds='FDDB-folds')
        super().__init__(
            *args, data_prefix={
                **prefix,
                **(data_prefix or {})
            }, **kwargs)

    @property
    def source(self) -> str:
        """File or folder of the annotations, for messages."""
        return self.ann_file or self.data_prefix['folds']

    def load_data_list(self) -> list[dict]:
        """Read the annotations, check all pictures, read their sizes.

        Returns:
            list[dict]: One per picture, see the class.
        """
        self.check_settings()
        by_fold = load_fddb(
            self.data_prefix['folds'],
            folds=self.folds,
            ann_file=self.ann_file or None)
        listed = [(fold, entry) for fold, entries in by_fold.items()
                  for entry in entries]
        # The lists leave the extension out.
        listed, infos = self.find_pictures(
            listed, [f'{entry.name}.jpg' for _, entry in listed],
            [entry.name for _, entry in listed])
        for info, (fold, entry) in zip(infos, listed):
            size = (info['width'], info['height']) if self.read_sizes else None
            info.update(fold=fold, instances=self._instances(entry, size))
        return infos

    def _instances(self, entry: FDDBEntry,
                   size: tuple[int, int] | None) -> list[dict]:
        """Faces of one picture; size is its width and height, if known."""
        boxes = ellipses_to_boxes(entry.ellipses)
        inside = reach_into(boxes, size)
        boxes, ellipses = boxes[inside], entry.ellipses[inside]
        small = (boxes[:, 2:] - boxes[:, :2] < self.min_size).any(axis=1)
        return [
            dict(
                bbox=box,
                bbox_label=self.face_label,
                ignore_flag=flag,
                ellipse=ellipse) for box, flag, ellipse in zip(
                    boxes.tolist(),
                    small.astype(int).tolist(), ellipses.tolist())
        ]
