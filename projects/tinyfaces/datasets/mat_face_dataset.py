"""What the datasets with MATLAB annotations have in common."""
from abc import abstractmethod
from collections.abc import Sequence

from .face_dataset import FaceDataset
from .mafa_annotations import MAFAEntry
from .voc_face_annotations import VOCFaceEntry

Entry = VOCFaceEntry | MAFAEntry


class MatFaceDataset(FaceDataset):
    """Pictures in one folder, annotations in one ``.mat`` file.

    One item of the data list holds ``img_path``, ``img_id`` (the name of the
    picture up to its first dot: the key of metrics and detection files),
    ``height`` and ``width`` in pixels and ``instances``, each with ``bbox``
    (x1, y1, x2, y2 in pixels), ``bbox_label`` and ``ignore_flag``.

    Args:
        missing, unreadable, min_size, read_sizes, ann_file, data_root,
        data_prefix, metainfo, filter_cfg, ...: Those of :class:`FaceDataset`.

    Raises:
        FileNotFoundError: The annotation file, or any picture that it lists,
            is missing (all missing pictures are reported at once); or all
            pictures, with ``missing='skip'``.
        ValueError: The annotation file is broken, headers of pictures cannot
            be read, an option has an unknown value, or no face is left to
            train on.
    """

    @abstractmethod
    def parse(self) -> Sequence[Entry]:
        """Read ``ann_file``."""

    @abstractmethod
    def instances_of(self, entry: Entry,
                     size: tuple[int, int] | None) -> list[dict]:
        """Faces of one picture.

        Args:
            entry: What the annotations say.
            size: Width and height of the picture in pixels; None without
                ``read_sizes``.
        """

    def load_data_list(self) -> list[dict]:
        """Read the annotations, check all pictures, read their sizes.

        Returns:
            list[dict]: One per picture, see the class.
        """
        self.check_settings()
        entries = self.parse()
        entries, infos = self.find_pictures(
            entries, [entry.file_name for entry in entries],
            [entry.key for entry in entries])
        for info, entry in zip(infos, entries):
            size = (info['width'], info['height']) if self.read_sizes else None
            info['instances'] = self.instances_of(entry, size)
        return infos
