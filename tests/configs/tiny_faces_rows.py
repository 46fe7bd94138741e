"""The rows of Finding Tiny Faces' tables and figures, and their configs."""
from pathlib import Path
from typing import NamedTuple

from config_folder import config_reader

FOLDER = Path(__file__).parents[2] / 'configs' / 'tiny_faces'
SUFFIX = '_4xb5-50e_wider-face'
HR = f'tiny-faces_r101{SUFFIX}'
MBV2 = 'tiny-faces_mbv2_1xb8-32e_wider-face-256'

# Number of the table: the paper's AP in per cent, easy, medium and hard. The
# text of the paper that is at hand has no figures of the first two.
TABLES = {
    1: {
        'rpn_r101': '',
        'tiny-faces_r101_full': '',
        'tiny-faces_r101': '91.9 90.8 82.3',
    },
    2: {
        'tiny-faces_vgg16': '86.2 84.4 74.9',
        'tiny-faces_r50': '90.7 89.0 80.2',
        'tiny-faces_r101': '91.9 90.8 82.3',
    },
    3: {
        'tiny-faces_r101': '91.9 90.8 82.3',
        'tiny-faces_r101_no-hard-mining': '91.7 90.4 82.5',
    },
    4: {
        'tiny-faces_r101': '91.9 90.8 82.3',
        'tiny-faces_r101_no-regression': '91.1 90.0 79.8',
    },
}
ROWS = list(dict.fromkeys(p for table in TABLES.values() for p in table))


class FixedSize(NamedTuple):
    """A row of Figs. 4, 5 and 7: one template for faces of one size.

    Attributes:
        face: Height and width in the original picture.
        scale: Of the picture in which they are looked for.
        maps: First and last number of the ResNet's maps: res2 is 2.
        paper: Its AP, or ''.
    """
    face: tuple[int, int]
    scale: float
    maps: tuple[int, int]
    paper: str = ''


SIZES = {'25x20': (25, 20), '250x200': (250, 200)}
MAPS = {
    'res2': (2, 2),
    'res3': (3, 3),
    'res4': (4, 4),
    'res5': (5, 5),
    'res2-3': (2, 3),
    'res2-4': (2, 4),
    'res2-5': (2, 5),
}
FIXED = {
    f'tiny-faces_r50_t{size}_{name}': FixedSize(face, 1, maps)
    for size, face in SIZES.items()
    for name, maps in MAPS.items()
}
FIXED.update({
    'tiny-faces_r50_t25x20_res2-4':
    FixedSize((25, 20), 1, (2, 4), '.69'),
    'tiny-faces_r50_t50x40-2x_res2-4':
    FixedSize((25, 20), 2, (2, 4), '.75'),
    'tiny-faces_r50_t250x200_res2-4':
    FixedSize((250, 200), 1, (2, 4), '.89'),
    'tiny-faces_r50_t125x100-half_res2-4':
    FixedSize((250, 200), .5, (2, 4), '.94'),
})
# Fig. 8
SIGMAS = {
    'tiny-faces_r101_sigma-half': .5,
    'tiny-faces_r101_sigma-1': 1,
    'tiny-faces_r101_sigma-2': 2,
}
PREFIXES = [*ROWS, *FIXED, *SIGMAS]

config = config_reader(FOLDER)


def points(number, prefix):
    """The paper's figures of a row of a table: ['.919', ...]."""
    return [f'.{x.replace(".", "")}' for x in TABLES[number][prefix].split()]


def paper_figures(prefix):
    """As the files write them: '.919 easy, ...'; None if there are none."""
    if prefix in FIXED:
        row = FIXED[prefix]
        return row.paper and f'{row.paper} at {row.face[0]}x{row.face[1]}'
    number = next((n for n in TABLES if prefix in TABLES[n]), None)
    if number is None:
        return None
    return ', '.join(f'{figure} {name}' for figure, name in zip(
        points(number, prefix), ('easy', 'medium', 'hard')))


def three_scales(prefix):
    """Whether the row trains on pictures of .5, 1 and 2 times the size."""
    return prefix in ROWS and prefix != 'rpn_r101'


def shallow(cfg):
    """The same with ResNet-18."""
    backbone, head = cfg.model.backbone, cfg.model.bbox_head
    if backbone.type == 'ResNet':
        backbone.depth = 18
        head.in_channels = [64 * 2**i for i in backbone.out_indices]
    backbone.init_cfg = None
    return cfg
