"""WIDER FACE as an MMDetection dataset, from the official download."""
import gc
import os.path as osp
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice

import numpy as np
from mmdet.registry import DATASETS

from .boxes_outside import reach_into
from .face_dataset import FaceDataset
from .wider_annotations import ATTRIBUTES, WiderEntry, parse_wider_annotations

_CHOICES = ('keep', 'ignore', 'drop')


@DATASETS.register_module()
class WiderFaceDataset(FaceDataset):
    """WIDER FACE (Yang et al., CVPR 2016) in its official layout.

    Expects, under ``data_root``, the archives as they unpack::

        wider_face_split/wider_face_{train,val}_bbx_gt.txt
        wider_face_split/wider_face_test_filelist.txt
        WIDER_{train,val,test}/images/<event>/<name>.jpg

    One item of the data list holds ``img_path``, ``img_id``
    (``'<event>/<stem>'``, the key of metrics and evaluators), ``height`` and
    ``width`` in pixels and ``instances``. An instance holds ``bbox`` (x1, y1,
    x2, y2 in pixels, with x2 = x + w), ``bbox_label``, ``ignore_flag`` and the
    six attributes ``blur``, ``expression``, ``illumination``, ``invalid``,
    ``occlusion`` and ``pose`` as integers. In a pipeline the attributes stay
    in ``results['instances']``, untouched by transforms; add ``'instances'``
    to ``meta_keys`` of ``PackDetInputs`` to find them in the data sample's
    ``metainfo``, in the order of the annotations.

    The official annotations hold some lines that are no faces, or not for
    training. They are treated like this, whether training or testing:

    - The line of zeros of a picture without faces gives no instance.
    - ``invalid`` (1.5 % of the boxes: too blurred or too small to judge, never
      counted by the evaluation): see the argument.
    - Degenerate boxes (31 in train, 11 in val, the lines of zeros included):
      see the argument.
    - Boxes that reach over the border are kept as annotated; MMDetection's
      transforms clip them. None in the 916 pictures this was tried on.

    Small faces stay for training unless ``min_size`` is set (MMDetection's
    own WIDER FACE config ignores those below 17 pixels).

    Args:
        invalid: What happens to faces marked invalid: ``'keep'`` them like
            all others, ``'ignore'`` them (``ignore_flag`` 1: neither positive
            nor negative, if the assigner's ``ignore_iof_thr`` is above 0) or
            ``'drop'`` them (background). Defaults to ``'ignore'``.
        degenerate: The same for boxes with a width or height of zero or below
            and for boxes wholly outside the picture (recognised only with
            ``read_sizes``). ``'keep'`` is for studies of the annotations: box
            coders take the logarithm of the sizes. Defaults to ``'drop'``.
        missing: ``'raise'`` if pictures are missing, or ``'skip'`` them, for
            a download of a part; how many is logged. Defaults to
            ``'raise'``.
        unreadable: That of :class:`FaceDataset`.
        min_size: Faces with a width or height below this many pixels of the
            original picture are ignored. Defaults to 0: none.
        read_sizes: Read ``height`` and ``width`` from the pictures' headers
            at start-up. Without them ``AspectRatioBatchSampler`` and
            ``filter_cfg['min_size']`` do not work. Defaults to True.
        ann_file, data_root, data_prefix, metainfo, filter_cfg, ...: Those of
            ``BaseDetDataset``. ``data_prefix`` is
            ``dict(img='WIDER_train/images')``. ``filter_cfg`` knows
            ``filter_empty_gt`` (leave out pictures without instances) and
            ``min_size`` (leave out pictures with a shorter side below it, in
            pixels); it applies only when ``test_mode`` is False.

    Raises:
        FileNotFoundError: The annotation file, or any picture that it lists,
            is missing (all missing pictures are reported at once); or all
            pictures, with ``missing='skip'``.
        ValueError: A line of the annotation file is broken, headers of
            pictures cannot be read, an option has an unknown value, or no
            face is left to train on.
    """

    METAINFO = dict(FaceDataset.METAINFO, dataset_name='wider_face')
    TRAIN_REMEDY = 'Train on wider_face_train_bbx_gt.txt'
    PICTURE_REMEDY = 'Unpack the pictures of the official download there'

    def __init__(self,
                 *args,
                 invalid: str = 'ignore',
                 degenerate: str = 'drop',
                 **kwargs) -> None:
        options = dict(invalid=invalid, degenerate=degenerate)
        for name, value in options.items():
            if value not in _CHOICES:
                raise ValueError(
                    f'{name} must be one of {_CHOICES}, not {value!r}')
        self.invalid = invalid
        self.degenerate = degenerate
        super().__init__(*args, **kwargs)

    def load_data_list(self) -> list[dict]:
        """Read the annotations, check all pictures, read their sizes.

        Returns:
            list[dict]: One per picture, see the class.
        """
        self.check_settings()
        if not osp.isfile(self.ann_file):
            raise FileNotFoundError(
                f'{self.ann_file}: no such annotation file. Unpack the '
                'official wider_face_split.zip under data_root, or correct '
                'data_root and ann_file')
        entries = parse_wider_annotations(self.ann_file)
        entries, infos = self.find_pictures(
            entries, [entry.file_name for entry in entries],
            [entry.key for entry in entries])
        sizes = None
        if self.read_sizes:
            sizes = np.array([(i['width'], i['height']) for i in infos])
        for info, faces in zip(infos, self._instances(entries, sizes)):
            info['instances'] = faces
        return infos

    def _instances(self,
                   entries: list[WiderEntry],
                   sizes: np.ndarray | None = None) -> list[list[dict]]:
        """Faces of each picture; sizes (n, 2) are widths and heights."""
        counts = [len(entry.boxes) for entry in entries]
        # One pass over all faces: thousands of small arrays take seconds.
        xywh = np.concatenate([entry.boxes for entry in entries])
        attributes = np.concatenate([entry.attributes for entry in entries])
        start, extent = xywh[:, :2], xywh[:, 2:]
        stop = start + extent
        degenerate = (extent <= 0).any(axis=1)
        if sizes is not None:
            degenerate |= ~reach_into(
                np.hstack([start, stop]), np.repeat(sizes, counts, axis=0))
        invalid = attributes[:, list(ATTRIBUTES).index('invalid')] == 1
        drop = ~xywh.any(axis=1)  # lines of zeros
        ignore = np.zeros_like(drop)
        if self.min_size > 0:
            ignore |= (extent < self.min_size).any(axis=1)
        for chosen, action in ((invalid, self.invalid), (degenerate,
                                                         self.degenerate)):
            if action == 'drop':
                drop |= chosen
            elif action == 'ignore':
                ignore |= chosen
        label = self.face_label
        with _paused_gc():
            rows = zip(
                np.hstack((start, stop)).tolist(),
                ignore.astype(int).tolist(), drop.tolist(),
                attributes.tolist())
            return [[
                dict(
                    zip(ATTRIBUTES, values),
                    bbox=box,
                    bbox_label=label,
                    ignore_flag=flag)
                for box, flag, dropped, values in islice(rows, count)
                if not dropped
            ] for count in counts]


@contextmanager
def _paused_gc() -> Iterator[None]:
    """Keep the garbage collector from walking over every new instance.

    With torch loaded it takes three quarters of the time in which the 159,424
    faces of the train set are made; none of them is garbage.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
