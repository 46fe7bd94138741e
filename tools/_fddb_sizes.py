"""The sizes of FDDB's pictures, for the tools that score."""
import argparse
import os
import sys
from collections.abc import Sequence

from tinyfaces.evaluation.functional import read_image_sizes_file


def read_sizes(args: argparse.Namespace,
               names: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Width and height of pictures.

    Args:
        args: With ``sizes``, a file of lines "name width height", or else
            ``images``, the folder originalPics.
        names: Pictures as in the fold lists, for which ``images`` is read.

    Returns:
        dict[str, tuple[int, int]]: Name -> width and height in pixels; what
        the file holds, or ``names``.

    Raises:
        FileNotFoundError: There is no such file, or pictures are missing.
        ValueError: A line of the file is malformed, or a picture is broken.
    """
    if args.sizes:
        return read_image_sizes_file(args.sizes)
    # Pillow is needed for this way only.
    from tinyfaces.datasets.image_files import missing_images, read_image_sizes
    files = [f'{name}.jpg' for name in names]
    missing = missing_images(args.images, files)
    if missing:
        raise FileNotFoundError(
            f'{len(missing):,} of {len(files):,} pictures are not in '
            f'{args.images}, e.g. {missing[0]}; give originalPics of the '
            'official download, or --sizes')
    sizes = read_image_sizes([os.path.join(args.images, f) for f in files],
                             show_progress=sys.stderr.isatty())
    return dict(zip(names, map(tuple, sizes.tolist())))
