"""Ground-truth ``.mat`` files in the official form, made for tests."""
from pathlib import Path

import numpy as np
from scipy.io import savemat

# key -> boxes x y w h, and the 1-based boxes that each setting counts.
IMAGES = {
    '0--Parade/0_a': ([[10, 10, 50, 60], [100, 10, 20, 25],
                       [200, 10, 6,
                        8]], dict(easy=[1], medium=[1, 2], hard=[1, 2, 3])),
    '0--Parade/0_b.c': ([[5, 5, 9, 9]], dict(easy=[], medium=[], hard=[])),
    '10--March/10_a': ([[0, 0, 30, 40],
                        [300, 300, 30,
                         40]], dict(easy=[], medium=[2], hard=[1, 2])),
}


def write_gt(folder, images=IMAGES):
    """Write the four files; indices unsigned, empty lists as (0, 0)."""
    events = list(dict.fromkeys(key.split('/')[0] for key in images))
    names = [[k.split('/')[1] for k in images if k.startswith(f'{e}/')]
             for e in events]
    shared = dict(
        event_list=column(events),
        file_list=column([column(n) for n in names]))
    savemat(
        Path(folder, 'wider_face_val.mat'),
        dict(
            shared,
            face_bbx_list=per_image(images, events,
                                    lambda item: np.array(item[0], np.int32))))
    for setting in ('easy', 'medium', 'hard'):
        savemat(
            Path(folder, f'wider_{setting}_val.mat'),
            dict(
                shared,
                gt_list=per_image(
                    images, events,
                    lambda item: smallest_unsigned(item[1][setting]).reshape(
                        -1, 1))))


def smallest_unsigned(values):
    """uint8, or uint16 where it takes that, as MATLAB stores numbers."""
    return np.array(values,
                    np.uint8 if max(values, default=0) < 256 else np.uint16)


def per_image(images, events, convert):
    """Nested cell arrays, event by event."""
    cells = []
    for event in events:
        arrays = [
            convert(item) for key, item in images.items()
            if key.startswith(f'{event}/')
        ]
        cells.append(
            column(
                [a if a.size else np.zeros((0, 0), a.dtype) for a in arrays]))
    return column(cells)


def column(items):
    """An (n, 1) cell array."""
    cell = np.empty((len(items), 1), object)
    for at, item in enumerate(items):
        cell[at, 0] = item
    return cell
