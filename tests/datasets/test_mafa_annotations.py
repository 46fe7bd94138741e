import numpy as np
import pytest
import scipy.io
from mat_writers import mafa_test_row as row
from mat_writers import mafa_train_row as train_row
from mat_writers import struct_array, write_mafa

from tinyfaces.datasets import parse_mafa_annotations

BOX = [10, 20, 30, 40]


def test_test_annotations(tmp_path):
    path = write_mafa(
        tmp_path / 'LabelTestAll.mat', {
            'test_1.jpg': [row(BOX, 1),
                           row([-5, 0, 0, 9], 3, -1, -1)],
            'test_2.png': []
        })
    first, second = parse_mafa_annotations(path)
    assert (first.file_name, first.key) == ('test_1.jpg', 'test_1')
    assert first.boxes.tolist() == [BOX, [-5, 0, 0, 9]]
    assert first.degenerate.tolist() == [False, True]
    values = {k: v[0].tolist() for k, v in first.attributes.items()}
    assert values == dict(
        face_type=1,
        occluder=[3, 4, 20, 21],
        occ_type=1,
        occ_degree=2,
        gender=1,
        race=2,
        orientation=3,
        glasses=[-1] * 4)
    assert first.attributes['face_type'].tolist() == [1, 3]
    assert first.attributes['occ_type'].tolist() == [1, -1]
    assert second.boxes.shape == (0, 4) and second.file_name == 'test_2.png'
    assert second.attributes['occluder'].shape == (0, 4)
    assert second.attributes['face_type'].shape == (0, )


def test_train_annotations(tmp_path):
    path = write_mafa(
        tmp_path / 'LabelTrainAll.mat',
        {'train_1.jpg': [train_row(BOX),
                         train_row(BOX, -1, -1)]},
        train=True)
    entry, = parse_mafa_annotations(path)
    assert entry.key == 'train_1', 'imgName, not orgImgName'
    values = {k: v[0].tolist() for k, v in entry.attributes.items()}
    assert values == dict(
        face_type=1,
        eyes=[11, 12, 13, 14],
        occluder=[3, 4, 20, 21],
        occ_type=1,
        occ_degree=2,
        gender=1,
        race=2,
        orientation=3,
        glasses=[5, 6, 7, 8])
    assert entry.attributes['occ_degree'].tolist() == [2, -1]


def save(path, label, name='test_2.jpg'):
    rows = [('test_1.jpg', np.array([row(BOX)])), (name, label)]
    array = struct_array(('name', 'label'), rows)
    scipy.io.savemat(path, dict(LabelTest=array[None]))


@pytest.mark.parametrize('label, message', [
    ([row(BOX, 4)], r'face 1: the face type .* found 4'),
    ([row(BOX), row(BOX, 0)], r'face 2: the face type .* found 0'),
    ([train_row(BOX)], r'18 numbers, found an array of shape \(1, 21\)'),
    ([[*row(BOX)[:-1], np.nan]], 'face 1: NaN or infinite'),
    ([[*BOX, 1.5, *row(BOX)[5:]]], 'face 1: .* whole number for face_type'),
    ([row(BOX), row(BOX, occ_degree=.5)
      ], r'face 2: .* for occ_degree \(column 11\), found 0.5'),
])
def test_bad_rows_name_file_picture_and_face(tmp_path, label, message):
    path = tmp_path / 'x.mat'
    save(path, np.array(label))
    with pytest.raises(
            ValueError, match=rf'x.mat, picture 2 \(test_2.jpg\).*{message}'):
        parse_mafa_annotations(path)


@pytest.mark.parametrize('train, make, columns', [
    (False, row, dict(occluder=8, glasses=17)),
    (True, train_row, dict(eyes=7, occluder=11, glasses=20)),
])
def test_coordinates_need_not_be_whole(tmp_path, train, make, columns):
    values = np.array(make(BOX), float)
    values[list(columns.values())] += .25
    fields = ('imgName', 'label') if train else ('name', 'label')
    array = struct_array(fields, [('a.jpg', values[None])])
    scipy.io.savemat(tmp_path / 'x.mat',
                     {'label_train' if train else 'LabelTest': array[None]})
    entry, = parse_mafa_annotations(tmp_path / 'x.mat')
    for name, column in columns.items():
        assert entry.attributes[name].dtype == np.float64
        assert entry.attributes[name][0, -1] == values[column]
    assert entry.attributes['face_type'].dtype == np.int64
    assert entry.attributes['occ_type'].dtype == np.int64


def test_other_layouts(tmp_path):
    path = tmp_path / 'x.mat'
    scipy.io.savemat(path, dict(Annotations=1))
    with pytest.raises(
            ValueError, match='LabelTest or label_train, found Annotations'):
        parse_mafa_annotations(path)
    array = struct_array(('name', 'boxes'), [('a.jpg', 1)])
    scipy.io.savemat(path, dict(LabelTest=array[None]))
    with pytest.raises(ValueError, match='no field label, only name, boxes'):
        parse_mafa_annotations(path)
    save(path, np.array([row(BOX)]), name='test_1.png')
    with pytest.raises(ValueError, match="picture 2: .*'test_1'"):
        parse_mafa_annotations(path)
    write_mafa(path, {'a.jpg': [], 'b.jpg': []})
    with pytest.raises(ValueError, match='no face in 2 pictures'):
        parse_mafa_annotations(path)
