"""Writes annotation files as MATLAB would: struct and cell arrays."""
from pathlib import Path

import numpy as np
import scipy.io


def struct_array(fields, rows):
    """A struct array, one row of values per element."""
    array = np.empty(len(rows), [(field, object) for field in fields])
    for number, row in enumerate(rows):
        for field, value in zip(fields, row):
            array[number][field] = value
    return array


def write_voc_face(path, images, columns=6):
    """``Annotations``, n x 1, as in the corrected files.

    Args:
        images: File name -> rows x1 y1 x2 y2 ignore.
        columns: 6, or 4 as in the original file of PASCAL Face.
    """
    rows = []
    for name, faces in images.items():
        objects = np.zeros((len(faces), columns))
        for number, (*box, ignore) in enumerate(faces):
            objects[number, :4] = box
            if columns == 6:
                objects[number, 5] = ignore
        rows.append((name, np.array([[480], [640], [3]]), objects, 0))
    fields = ('imgname', 'imgsize', 'objects', 'flags')
    scipy.io.savemat(path,
                     {'Annotations': struct_array(fields, rows)[:, None]})
    return Path(path)


def write_anno(path, images):
    """``anno``, n x 4 cells, as in AFW's original file.

    Args:
        images: File name -> rows x1 y1 x2 y2.
    """
    anno = np.empty((len(images), 4), object)
    for number, (name, faces) in enumerate(images.items()):
        cells = np.empty((1, len(faces)), object)
        for face, box in enumerate(faces):
            cells[0, face] = np.array(box, float).reshape(2, 2)
        anno[number] = [name, cells, np.zeros((1, 3)), np.zeros((6, 2))]
    scipy.io.savemat(path, {'anno': anno})
    return Path(path)


def mafa_test_row(box, face_type=1, occ_type=1, occ_degree=2):
    """One row of 18 of MAFA's test annotations."""
    return [
        *box, face_type, 3, 4, 20, 21, occ_type, occ_degree, 1, 2, 3, -1, -1,
        -1, -1
    ]


def mafa_train_row(box, occ_type=1, occ_degree=2):
    """One row of 21 of MAFA's train annotations."""
    return [
        *box, 11, 12, 13, 14, 3, 4, 20, 21, occ_type, occ_degree, 1, 2, 3, 5,
        6, 7, 8
    ]


def write_mafa(path, images, train=False):
    """``LabelTest`` or ``label_train``, 1 x n.

    Args:
        images: File name -> rows.
    """
    width = 21 if train else 18
    content = {
        name: np.array(rows, np.int16).reshape(-1, width)
        for name, rows in images.items()
    }
    if train:
        rows = [(f'add_{name}', name, label)
                for name, label in content.items()]
        array = struct_array(('orgImgName', 'imgName', 'label'), rows)
        scipy.io.savemat(path, {'label_train': array[None]})
    else:
        array = struct_array(('name', 'label'), list(content.items()))
        scipy.io.savemat(path, {'LabelTest': array[None]})
    return Path(path)
