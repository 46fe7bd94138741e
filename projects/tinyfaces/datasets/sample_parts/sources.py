"""The pictures the built-in sample is cut from, and their licences.

Only pictures inside installed packages whose documentation calls them CC0 or
public domain are used. Left out on purpose: ``coins`` and ``camera``
(scikit-image), which show faces; ``motorcycle`` (a research benchmark);
``moon``, ``page`` and ``ihc``, whose documentation does not say CC0 or public
domain.
"""
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

CC0 = 'CC0'
PUBLIC_DOMAIN = 'public domain'


@dataclass(frozen=True)
class Source:
    """One picture inside an installed package.

    Attributes:
        file: File name inside the package's picture folder.
        package: The package: ``matplotlib`` or ``scikit-image``.
        licence: ``CC0`` or ``public domain``.
        origin: Who made it, as the package's documentation says.
    """
    file: str
    package: str
    licence: str
    origin: str


@dataclass(frozen=True)
class Portrait:
    """A portrait and what was measured in it by eye, in its own pixels.

    Attributes:
        source: The picture.
        size: Expected width and height: the measures hold for these only.
        face: Tight face box x1, y1, x2, y2: hairline to chin, cheek to cheek
            with part of the ears, as WIDER FACE's annotators draw it.
        outline: Polygon around head, hair or hat and neck.
        oval: Centre and half axes (x, y, a, b) of a looser oval cut.
        clothes: Box x1, y1, x2, y2 of cloth, for bodies.
        max_height: Tallest face worth making from it, in pixels.
    """
    source: Source
    size: tuple[int, int]
    face: tuple[int, int, int, int]
    outline: tuple[tuple[int, int], ...]
    oval: tuple[int, int, int, int]
    clothes: tuple[int, int, int, int]
    max_height: int


PORTRAITS = (
    Portrait(
        source=Source('grace_hopper.jpg', 'matplotlib', PUBLIC_DOMAIN,
                      'Rear Admiral Grace Hopper, U.S. Navy photograph'),
        size=(512, 600),
        face=(164, 126, 366, 334),
        outline=((225, 30), (240, 25), (262, 23), (285, 26), (300, 36),
                 (325, 42), (345, 58), (354, 82), (364, 86), (370, 95), (371,
                                                                         125),
                 (371, 160), (366, 180), (376, 188), (377, 205), (370, 235),
                 (362, 258), (357, 290), (345, 303), (332, 312), (329, 325),
                 (330, 345), (322, 370), (300, 398), (285, 405), (262, 408),
                 (240, 402), (220, 385), (207, 365), (203, 340), (205, 322),
                 (200, 305), (185, 292), (170, 283), (163, 265), (158, 235),
                 (155, 215), (153, 195), (160, 183), (153, 165), (150, 135),
                 (153, 105), (165, 95), (173, 85), (176, 70), (190, 50), (205,
                                                                          42)),
        oval=(264, 206, 112, 172),
        clothes=(60, 440, 470, 600),
        max_height=300),
    Portrait(
        source=Source('astronaut.png', 'scikit-image', PUBLIC_DOMAIN,
                      'Astronaut Eileen Collins, NASA photograph'),
        size=(512, 512),
        face=(177, 74, 274, 180),
        outline=((235, 15), (255, 19), (270, 27), (283, 37), (294, 52),
                 (300, 70), (302, 86), (299, 102), (293, 117), (282, 128),
                 (277, 134), (269, 137), (267, 145), (262, 155), (258, 165),
                 (256, 176), (254, 186), (240, 191), (222, 189), (205, 186),
                 (195, 183), (189, 178), (186, 168), (185, 155), (182, 140),
                 (181, 132), (174, 128), (170, 120), (163, 112), (156, 100),
                 (153, 85), (153, 70), (157, 58), (166, 47), (180, 40),
                 (192, 33), (205, 24), (220, 18)),
        oval=(227, 105, 68, 88),
        clothes=(70, 290, 300, 510),
        max_height=200),
)

# Texture pictures, split so that no background of one split is ever seen in
# the other.
BACKGROUNDS = {
    'train': (
        Source('brick.png', 'scikit-image', CC0, 'CC0Textures'),
        Source('grass.png', 'scikit-image', CC0, 'linolafett, DeviantArt'),
        Source('coffee.png', 'scikit-image', CC0, 'Rachel Michetti'),
        Source('hubble_deep_field.jpg', 'scikit-image', PUBLIC_DOMAIN,
               'Hubble eXtreme Deep Field, NASA'),
        Source('text.png', 'scikit-image', PUBLIC_DOMAIN,
               'Corner.png, Wikipedia'),
    ),
    'val': (
        Source('gravel.png', 'scikit-image', CC0, 'CC0Textures'),
        Source('rocket.jpg', 'scikit-image', PUBLIC_DOMAIN, 'SpaceX'),
        Source('retina.jpg', 'scikit-image', CC0, 'Mikael Häggström'),
        Source('clock_motion.png', 'scikit-image', PUBLIC_DOMAIN,
               'Stefan van der Walt'),
    ),
}
# An animal's face is the hard distractor; it is never a background.
CAT = Source('chelsea.png', 'scikit-image', CC0, 'Stefan van der Walt')

_LONGEST_SIDE = 800


def _folder(package: str) -> Path:
    if package == 'matplotlib':
        import matplotlib
        return Path(matplotlib.get_data_path()) / 'sample_data'
    # The package need not be imported to read a file of it.
    spec = find_spec('skimage')
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(
            'The built-in sample is cut from pictures inside scikit-image, '
            'which is not installed. Remedy: pip install scikit-image')
    return Path(spec.submodule_search_locations[0]) / 'data'


def locate(source: Source) -> Path:
    """Find a source picture.

    Args:
        source: Which one.

    Returns:
        Path: The file inside its package.

    Raises:
        ModuleNotFoundError: The package is not installed.
        FileNotFoundError: The package comes without this picture.
    """
    path = _folder(source.package) / source.file
    if not path.is_file():
        raise FileNotFoundError(
            f'{path}: the installed {source.package} lacks this picture. '
            f'Remedy: pip install --force-reinstall {source.package}')
    return path


@lru_cache(maxsize=None)
def load(source: Source) -> np.ndarray:
    """Read a source picture.

    Args:
        source: Which one.

    Returns:
        Read-only (h, w, 3) float32 RGB in 0..1, its longest side at most
        800 pixels.

    Raises:
        ModuleNotFoundError: The package is not installed.
        FileNotFoundError: The package comes without this picture.
    """
    with Image.open(locate(source)) as file:
        picture = np.asarray(file.convert('RGB'), np.float32) / 255
    shrink = _LONGEST_SIDE / max(picture.shape[:2])
    if shrink < 1:
        picture = cv2.resize(
            picture, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    picture.setflags(write=False)
    return picture


def load_portrait(portrait: Portrait) -> np.ndarray:
    """Read a portrait and check that the measures taken in it still hold.

    Args:
        portrait: Which one.

    Returns:
        (h, w, 3) float32 RGB in 0..1.

    Raises:
        ValueError: The package now carries a picture of another size.
    """
    picture = load(portrait.source)
    size = picture.shape[1], picture.shape[0]
    if size != portrait.size:
        raise ValueError(
            f'{portrait.source.file} of {portrait.source.package} is '
            f'{size[0]}x{size[1]}, the face was measured in '
            f'{portrait.size[0]}x{portrait.size[1]}. Remedy: install another '
            f'release of {portrait.source.package}')
    return picture


def all_sources() -> list[Source]:
    """Every picture the sample uses, portraits first."""
    return [portrait.source for portrait in PORTRAITS
            ] + [source for split in BACKGROUNDS.values()
                 for source in split] + [CAT]
