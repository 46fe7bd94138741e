"""A tiny data set in WIDER FACE's layout, made on the spot."""
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

# Every quirk of the official files, and no picture twice the same size.
TRAIN = """\
0--Parade/a.jpg
3
10 20 30 40 1 1 0 0 2 1
5 6 7 8 2 0 1 1 1 0
0 0 3 4 0 0 0 0 0 0
0--Parade/zeros_after_one.jpg
1
0 0 0 0 0 0 0 0 0 0
1--Handshaking/zeros_after_none.jpg
0
0 0 0 0 0 0 0 0 0 0
1--Handshaking/none.jpg
0
10--People/degenerate.jpg
5
9 9 0 4 0 0 0 0 0 0
9 9 4 0 0 0 0 0 0 0
30 9 -4 6 0 0 0 0 0 0
200 9 5 5 0 0 0 0 0 0
90 70 20 20 0 0 0 0 0 0
"""
SIZES = {
    '0--Parade/a.jpg': (64, 80),
    '0--Parade/zeros_after_one.jpg': (32, 30),
    '1--Handshaking/zeros_after_none.jpg': (20, 24),
    '1--Handshaking/none.jpg': (16, 12),
    '10--People/degenerate.jpg': (100, 80),
}


@pytest.fixture
def write_wider(tmp_path: Path) -> Callable[..., Path]:
    """Writes a split and gives the data root."""

    def write(annotations: str = TRAIN,
              sizes: dict[str, tuple[int, int]] = SIZES,
              split: str = 'train') -> Path:
        folder = tmp_path / 'wider_face_split'
        folder.mkdir(exist_ok=True)
        name = f'wider_face_{split}_bbx_gt.txt'
        if split == 'test':
            name = 'wider_face_test_filelist.txt'
        (folder / name).write_text(annotations)
        for file_name, size in sizes.items():
            path = tmp_path / f'WIDER_{split}' / 'images' / file_name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new('RGB', size, (90, 120, 150)).save(path)
        return tmp_path

    return write
