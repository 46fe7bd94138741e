"""What the face datasets have in common."""
import logging
import os.path as osp
from collections.abc import Sequence
from typing import Any, TypeVar

from mmdet.datasets import BaseDetDataset
from mmdet.structures import DetDataSample
from mmengine.dist import is_main_process
from mmengine.logging import print_log

from ..utils.draws import Draw, seeded_draws
from .image_files import (missing_images, require_headers, require_images,
                          scan_image_sizes)
from .picture_faults import (GREY_SIDE, UNREADABLE, UnreadablePictureError,
                             grey_sample, mark_unreadable, run_pipeline)

Entry = TypeVar('Entry')
# A pipeline that fails on so many pictures in a row is wrong itself.
_MAX_PIPELINE_FAILURES = 10


class FaceDataset(BaseDetDataset):
    """One class, settings checked at start-up, pictures known to be there.

    A subclass implements ``load_data_list``, which calls
    :meth:`check_settings` first and :meth:`find_pictures` once it knows the
    names of the pictures.

    A picture that cannot be loaded stops no run. In training another one
    takes its place; in a test a small grey one does, which the metrics of
    this package count as a picture without detections. The meta information
    ``unreadable`` of the sample is a list of (path, reason) of those that
    could not be loaded, for ``UnreadablePicturesHook``.

    Args:
        missing: ``'raise'`` if pictures are missing, or ``'skip'`` them, for
            a download of a part; how many is logged. Defaults to
            ``'raise'``.
        unreadable: What to do at start-up about pictures whose headers
            cannot be read: ``'raise'``, or ``'skip'``, which leaves them out
            of a training (``left_out`` lists path and reason) and counts
            them as without detections in a test. Defaults to ``'raise'``.
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
                 unreadable: str = 'raise',
                 min_size: float = 0,
                 read_sizes: bool = True,
                 **kwargs) -> None:
        for name, value in dict(
                missing=missing, unreadable=unreadable).items():
            if value not in ('raise', 'skip'):
                raise ValueError(
                    f"{name} must be 'raise' or 'skip', not {value!r}")
        self.missing = missing
        self.unreadable = unreadable
        self.left_out: list[tuple[str, str]] = []
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

    def __getitem__(self, idx: int) -> dict:
        """A picture, and what the pipeline makes of it.

        Args:
            idx: Its index. Whatever the pipeline draws for a
                :class:`~tinyfaces.utils.draws.Draw`, which the seeded
                samplers of pictures give, depends on that alone. Its seed
                goes into the meta information of ``gt_instances`` as
                ``draw_seed``: MMDetection hands these to the assigners and
                samplers of all heads.

        Returns:
            dict: As ``BaseDetDataset`` does.
        """
        if not isinstance(idx, Draw):
            return super().__getitem__(idx)
        seed = idx.draw_seed()
        with seeded_draws(seed):
            data = super().__getitem__(int(idx))
        sample = data.get('data_samples')
        if isinstance(sample, DetDataSample) and 'gt_instances' in sample:
            sample.gt_instances.set_metainfo(dict(draw_seed=seed))
        return data

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
                With ``unreadable='skip'`` in training: none can.
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
            entries, infos = self._with_sizes(entries, infos)
        return entries, infos

    def _with_sizes(self, entries: Sequence[Entry],
                    infos: list[dict]) -> tuple[Sequence[Entry], list[dict]]:
        """Read the headers; decide about those that cannot be read."""
        paths = [info['img_path'] for info in infos]
        sizes, broken = scan_image_sizes(paths, is_main_process())
        if self.unreadable == 'raise':
            require_headers(
                paths, broken, 'Copy or download them again; '
                "unreadable='skip' of the dataset leaves them out of a "
                'training, and counts them as without detections in a test.')
        for at, (width, height) in enumerate(sizes.tolist()):
            if at in broken:
                infos[at][UNREADABLE] = broken[at]
                width = height = GREY_SIDE
            infos[at].update(height=height, width=width)
        if self.test_mode or not broken:
            return entries, infos
        left = [at for at in range(len(infos)) if at not in broken]
        if not left:
            require_headers(paths, broken, 'Copy or download them again.')
        self.left_out = [(paths[at], reason) for at, reason in broken.items()]
        print_log(
            f'{type(self).__name__}: {len(broken)} of {len(paths)} pictures '
            f'cannot be read and are left out; {len(left)} are left',
            'current', logging.WARNING)
        return [entries[at] for at in left], [infos[at] for at in left]

    def prepare_data(self, idx: int) -> Any:
        """A picture, or what takes the place of one that cannot be loaded.

        Args:
            idx: Its index.

        Returns:
            Any: What the pipeline gives, see the class.

        Raises:
            RuntimeError: No other picture can be loaded either.
            Exception: The pipeline fails whatever the picture.
        """
        faults = []
        failures = 0
        for _ in range(self.max_refetch + 1):
            info = self.get_data_info(idx)
            path = info['img_path']
            try:
                data = run_pipeline(self.pipeline, info)
            except UnreadablePictureError as error:
                failures += not error.is_picture
                if failures >= _MAX_PIPELINE_FAILURES:
                    raise error.__cause__
                faults.append((path, str(error)))
                data = None
                if self.test_mode:
                    data = self._grey(idx, error)
            if data is not None or self.test_mode:
                return mark_unreadable(data, faults)
            idx = self._rand_another()
        named = '\n'.join(f'  {path}: {fault}' for path, fault in faults[:10])
        raise RuntimeError(
            f'{self.source}: {self.max_refetch + 1} pictures in a row gave '
            f'nothing to train on, {len(faults)} of them because they cannot '
            f'be loaded. Look at the pipeline and the pictures:\n{named}')

    def _grey(self, idx: int, error: UnreadablePictureError) -> Any:
        """A grey picture's sample; a pipeline at fault shows its error."""
        try:
            return grey_sample(self.pipeline, self.get_data_info(idx))
        except Exception:
            if error.is_picture:
                raise
            raise error.__cause__ from None

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
