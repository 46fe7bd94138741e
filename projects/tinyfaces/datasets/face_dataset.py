"""What the face datasets have in common."""
import os.path as osp
from collections.abc import Sequence
from typing import TypeVar

from mmdet.datasets import BaseDetDataset
from mmengine.dist import is_main_process
from mmengine.logging import print_log

from .image_files import missing_images, read_image_sizes, require_images

Entry = TypeVar('Entry')


class FaceDataset(BaseDetDataset):
    """One class, settings checked at start-up, pictures known to be there.

    A subclass implements ``load_data_list``, which calls
    :meth:`check_settings` first and :meth:`find_pictures` once it knows the
    names of the pictures.

    Args:
        missing: ``'raise'`` if pictures are missing, or ``'skip'`` them, for
            a download of a part; how many is logged. Defaults to
            ``'raise'``.
        min_size: Faces with a width or height below this many pixels of the
            original picture are ignored. Defaults to 0: none.
        read_sizes: Read ``height`` and ``width`` from the pictures' headers
            at start-up. Without them ``AspectRatioBatchSampler`` and
            ``filter_cfg['min_size']`` do not work. Defaults to True.
        ann_file, data_root, data_prefix, metainfo, filter_cfg, ...: Those of
            ``BaseDetDataset``. ``filter_cfg`` knows ``filter_empty_gt``
            (leave out pictures without instances) and ``min_size`` (leave
            out pictures with a shorter side below it, in pixels); it applies
            only when ``test_mode`` is False.
    """

    METAINFO = dict(classes=('face', ), palette=[(0, 255, 0)])
    #: What to do when no face is left to train on, for the message.
    TRAIN_REMEDY = 'Choose annotations with faces'
    #: What to do about missing pictures, for the message.
    PICTURE_REMEDY = 'Unpack the pictures there'

    def __init__(self,
                 *args,
                 missing: str = 'raise',
                 min_size: float = 0,
                 read_sizes: bool = True,
                 **kwargs) -> None:
        if missing not in ('raise', 'skip'):
            raise ValueError(
                f"missing must be 'raise' or 'skip', not {missing!r}")
        self.missing = missing
        self.min_size = min_size
        self.read_sizes = read_sizes
        super().__init__(*args, **kwargs)

    @property
    def source(self) -> str:
        """File or folder of the annotations, for messages."""
        return self.ann_file

    @property
    def face_label(self) -> int:
        """Label of faces: 0 unless ``metainfo`` has more classes."""
        return self._metainfo['classes'].index('face')

    def check_settings(self) -> None:
        """Look for settings that cannot work.

        Raises:
            ValueError: ``metainfo`` leaves out the class ``face``, the
                backend is not the local disk, or ``filter_cfg`` has unknown
                entries or needs sizes that are not read.
        """
        kind = type(self).__name__
        classes = self._metainfo['classes']
        if 'face' not in classes:
            raise ValueError(f"{kind} has the class 'face', which "
                             f"metainfo['classes'] = {classes} leaves out")
        if (self.backend_args or {}).get('backend', 'local') != 'local':
            raise ValueError(
                f'{kind} reads local folders only, not '
                f'backend_args={self.backend_args}: copy the data or mount it')
        config = self.filter_cfg or {}
        unknown = sorted(set(config) - {'filter_empty_gt', 'min_size'})
        if unknown:
            raise ValueError(
                f'filter_cfg does not know {unknown}, only filter_empty_gt '
                "and min_size (of pictures). MMDetection's bbox_min_size is "
                'called min_size here, an argument of the dataset itself')
        if config.get('min_size', 0) and not self.read_sizes:
            raise ValueError("filter_cfg['min_size'] needs read_sizes=True")

    def find_pictures(
            self, entries: Sequence[Entry], file_names: Sequence[str],
            keys: Sequence[str]) -> tuple[Sequence[Entry], list[dict]]:
        """Look for the pictures, and read their sizes.

        Args:
            entries: What the annotations say about each picture.
            file_names: Pictures, relative to ``data_prefix['img']``.
            keys: The ``img_id`` of each.

        Returns:
            tuple: Entries of the pictures that are there, which are all of
            them unless ``missing='skip'``; and ``img_path``, ``img_id`` and,
            with ``read_sizes``, ``height`` and ``width`` of each.

        Raises:
            FileNotFoundError: Pictures are missing; names all of them. With
                ``missing='skip'``: none exists.
            ValueError: Headers cannot be read; names all such pictures.
        """
        root = self.data_prefix['img']
        remedy = (f'{self.PICTURE_REMEDY}, or correct data_root, '
                  "data_prefix['img'] or ann_file of the dataset; "
                  "missing='skip' leaves out what is not there.")
        if self.missing == 'skip':
            there = self._present(file_names, remedy)
            entries = [entries[at] for at in there]
            file_names = [file_names[at] for at in there]
            keys = [keys[at] for at in there]
        else:
            require_images(root, file_names, remedy)
        infos = [
            dict(img_path=osp.join(root, name), img_id=key)
            for name, key in zip(file_names, keys)
        ]
        if self.read_sizes:
            sizes = read_image_sizes([info['img_path'] for info in infos],
                                     show_progress=is_main_process())
            for info, (width, height) in zip(infos, sizes.tolist()):
                info.update(height=height, width=width)
        return entries, infos

    def _present(self, file_names: Sequence[str], remedy: str) -> list[int]:
        """Which of the pictures are there; logs how many are not."""
        root = self.data_prefix['img']
        absent = set(missing_images(root, file_names))
        there = [
            at for at, name in enumerate(file_names) if name not in absent
        ]
        if not there:
            raise FileNotFoundError(f'{root}: none of the {len(file_names)} '
                                    f'pictures is there. {remedy}')
        if absent:
            print_log(
                f'{type(self).__name__}: {len(absent)} of {len(file_names)} '
                f'pictures are missing under {root} and skipped; {len(there)} '
                'are left', 'current')
        return there

    def filter_data(self) -> list[dict]:
        """Apply ``filter_cfg``, unless in test mode.

        Returns:
            list[dict]: The pictures that are left, in order.

        Raises:
            ValueError: No face is left to train on.
        """
        if self.test_mode:
            return self.data_list
        config = self.filter_cfg or {}
        filter_empty = config.get('filter_empty_gt', False)
        min_size = config.get('min_size', 0)
        kept = [
            info for info in self.data_list
            if (info['instances'] or not filter_empty) and (
                not min_size or min(info['width'], info['height']) >= min_size)
        ]
        if not any(info['instances'] for info in kept):
            raise ValueError(
                f'{self.source}: no face is left to train on in '
                f'{len(self.data_list)} pictures. {self.TRAIN_REMEDY}, loosen '
                'filter_cfg, or set test_mode=True to run on pictures without '
                'boxes.')
        return kept
