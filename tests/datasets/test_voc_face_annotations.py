import numpy as np
import pytest
import scipy.io
from mat_writers import struct_array, write_anno, write_voc_face

from tinyfaces.datasets import parse_voc_face_annotations
from tinyfaces.datasets.mat_files import picture_key

IMAGES = {
    'a.jpg': [[1, 2, 30, 40, 0], [5, 6, 7, 8, 1]],
    'b.c.jpg': [],
    'd.jpg': [[-1, -2, 3, 4, 0]],
}


@pytest.mark.parametrize('columns', [4, 6])
def test_structs(tmp_path, columns):
    path = write_voc_face(tmp_path / 'x.mat', IMAGES, columns)
    a, b, d = parse_voc_face_annotations(path)
    assert [e.file_name for e in (a, b, d)] == list(IMAGES)
    assert [e.key for e in (a, b, d)] == ['a', 'b', 'd']
    assert a.boxes.tolist() == [[1, 2, 30, 40], [5, 6, 7, 8]]
    assert a.boxes.dtype == np.float64
    assert a.ignore.tolist() == [False, columns == 6]
    assert b.boxes.shape == (0, 4) and b.ignore.shape == (0, )
    assert d.boxes.tolist() == [[-1, -2, 3, 4]]


def test_cells(tmp_path):
    path = write_anno(tmp_path / 'x.mat', {
        'a.jpg': [[1, 2, 30, 40], [5.5, 6, 7, 8]],
        'd.jpg': [[1, 2, 3, 4]]
    })
    a, d = parse_voc_face_annotations(path)
    assert (a.key, d.key) == ('a', 'd')
    assert a.boxes.tolist() == [[1, 2, 30, 40], [5.5, 6, 7, 8]]
    assert not a.ignore.any() and len(d.boxes) == 1


@pytest.mark.parametrize('name, key', [('a.jpg', 'a'), ('a.b.jpg', 'a'),
                                       ('x/y\\a.jpg', 'a'), ('a', 'a')])
def test_keys_are_cut_at_the_first_dot(name, key):
    assert picture_key(name) == key


@pytest.mark.parametrize('faces, message', [
    ([[5, 5, 5, 9, 0]], r'face 1: expected x1 < x2'),
    ([[1, 2, 3, 4, 0], [5, 9, 8, 8, 0]], r'face 2: expected x1 < x2'),
    ([[1, 2, 3, np.nan, 0]], 'face 1: NaN'),
    ([[1, 2, 3, 4, 2]], 'sixth column must be 0 or 1'),
])
def test_bad_boxes_name_file_picture_and_face(tmp_path, faces, message):
    path = write_voc_face(tmp_path / 'x.mat', {**IMAGES, 'e.jpg': faces})
    with pytest.raises(
            ValueError, match=rf'x.mat, picture 4 \(e.jpg\).*{message}'):
        parse_voc_face_annotations(path)


def save(path, fields, rows):
    scipy.io.savemat(path, {'Annotations': struct_array(fields, rows)})


def test_other_layouts(tmp_path):
    path = tmp_path / 'x.mat'
    with pytest.raises(FileNotFoundError, match='no such annotation file'):
        parse_voc_face_annotations(path)
    path.write_text('text')
    with pytest.raises(ValueError, match='not a readable MATLAB'):
        parse_voc_face_annotations(path)
    scipy.io.savemat(path, dict(other=1))
    with pytest.raises(
            ValueError, match='variable Annotations or anno, found other'):
        parse_voc_face_annotations(path)
    scipy.io.savemat(path, dict(Annotations=np.ones((2, 2))))
    with pytest.raises(ValueError, match='no field imgname, objects, only nu'):
        parse_voc_face_annotations(path)
    save(path, ('imgname', 'boxes'), [('a.jpg', np.ones((1, 6)))])
    with pytest.raises(ValueError, match='no field objects, only imgname'):
        parse_voc_face_annotations(path)
    save(path, ('imgname', 'objects'), [('a.jpg', np.ones((1, 5)))])
    with pytest.raises(ValueError, match=r'6 or 4 numbers.*shape \(1, 5\)'):
        parse_voc_face_annotations(path)
    save(path, ('imgname', 'objects'), [('a.jpg', 'text')])
    with pytest.raises(ValueError, match='rows of 6 or 4 numbers, found nda'):
        parse_voc_face_annotations(path)
    save(path, ('imgname', 'objects'), [(3., np.ones((1, 6)))])
    with pytest.raises(ValueError, match='picture 1: expected the name'):
        parse_voc_face_annotations(path)
    scipy.io.savemat(path, dict(anno=np.ones((3, 2))))
    with pytest.raises(ValueError, match='anno to be a cell array'):
        parse_voc_face_annotations(path)


def test_matlab_files_that_cannot_be_read(tmp_path, monkeypatch):
    path = write_voc_face(tmp_path / 'x.mat', IMAGES)
    content = path.read_bytes()
    # Cut in the middle of the variable: SciPy calls it an OSError.
    path.write_bytes(content[:300])
    with pytest.raises(ValueError, match='x.mat: not a readable MATLAB'):
        parse_voc_face_annotations(path)
    # The header of version 7.3, in front of HDF5.
    path.write_bytes(b'MATLAB 7.3 MAT-file'.ljust(124) + b'\0\2IM' +
                     b'\0' * 384 + b'\x89HDF\r\n\x1a\n' + b'\0' * 100)
    with pytest.raises(ValueError, match='x.mat: a MATLAB 7.3 .*with -v7'):
        parse_voc_face_annotations(path)

    def no_permission(path, mode):
        raise PermissionError(13, 'Permission denied', str(path))

    monkeypatch.setattr('builtins.open', no_permission)
    with pytest.raises(PermissionError, match='denied: .*x.mat'):
        parse_voc_face_annotations(path)


def test_cells_of_another_shape(tmp_path):
    path = tmp_path / 'x.mat'
    anno = np.empty((1, 2), object)
    cells = np.empty((1, 2), object)
    cells[0, :] = [np.eye(2), np.ones((1, 4))]
    anno[0] = ['a.jpg', cells]
    scipy.io.savemat(path, dict(anno=anno))
    with pytest.raises(
            ValueError, match=r'\(a.jpg\), face 2: expected 2 x 2.*\(1, 4\)'):
        parse_voc_face_annotations(path)


def test_listed_twice_or_empty(tmp_path):
    path = write_voc_face(tmp_path / 'x.mat', {
        **IMAGES, 'a.png': [[1, 2, 3, 4, 0]]
    })
    with pytest.raises(
            ValueError, match="picture 4: .*'a' .*that of picture 1 too"):
        parse_voc_face_annotations(path)
    path = write_voc_face(tmp_path / 'x.mat', {'a.jpg': [], 'b.jpg': []})
    with pytest.raises(ValueError, match='no face in 2 pictures'):
        parse_voc_face_annotations(path)
