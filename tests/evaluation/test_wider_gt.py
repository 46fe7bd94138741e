import numpy as np
import pytest
from scipy.io import savemat
from wider_files import IMAGES, write_gt

from tinyfaces.evaluation.functional import (load_wider_annotations,
                                             load_wider_gt, read_image_list)


@pytest.fixture
def folder(tmp_path):
    write_gt(tmp_path)
    return tmp_path


def test_official_files(folder):
    truth = load_wider_gt(folder)
    assert truth.keys == tuple(IMAGES)
    assert truth.offsets.tolist() == [0, 3, 4, 6]
    assert truth.boxes[3].tolist() == [5, 5, 9, 9]
    assert [truth.num_faces(s) for s in truth.keep] == [1, 3, 5, 6]
    assert truth.keep['medium'].tolist() == [1, 1, 0, 0, 0, 1]
    assert truth.describe() == 'all 3 images'


def test_only_the_asked_settings_are_read(folder):
    (folder / 'wider_easy_val.mat').unlink()
    assert list(load_wider_gt(folder, ['hard']).keep) == ['hard']
    with pytest.raises(FileNotFoundError, match='wider_easy_val.mat.*missing'):
        load_wider_gt(folder, ['easy'])


def test_indices_beyond_255(tmp_path):
    boxes = [[i, 0, 5, 5] for i in range(300)]
    image = dict(easy=[1], medium=[255], hard=list(range(1, 301)))
    write_gt(tmp_path, {'a/1': (boxes, image), 'a/2': (boxes, image)})
    truth = load_wider_gt(tmp_path)
    assert np.flatnonzero(truth.keep['medium']).tolist() == [254, 554]
    assert truth.keep['hard'].all()
    assert np.flatnonzero(truth.keep['easy']).tolist() == [0, 300]


def test_subset_keeps_official_order_and_says_so(folder):
    truth = load_wider_gt(
        folder, images=['10--March/10_a', '0--Parade/0_a', '10--March/10_a'])
    assert truth.keys == ('0--Parade/0_a', '10--March/10_a')
    assert truth.offsets.tolist() == [0, 3, 5]
    assert truth.boxes[3:].tolist() == IMAGES['10--March/10_a'][0]
    assert truth.keep['hard'].tolist() == [True] * 5
    assert truth.is_subset and truth.describe() == 'subset: 2 of 3 images'
    assert not truth.subset(truth.keys[:1]).describe() == truth.describe()


def test_subset_of_unknown_or_no_images(folder):
    with pytest.raises(ValueError, match="not in the ground truth.*'a/b'"):
        load_wider_gt(folder, images=['a/b', '0--Parade/0_a'])
    with pytest.raises(ValueError, match='empty'):
        load_wider_gt(folder, images=[])


def test_broken_files(folder):
    with pytest.raises(ValueError, match='unknown setting'):
        load_wider_gt(folder, ['Easy'])
    with pytest.raises(ValueError, match='list of'):
        load_wider_gt(folder, 'easy')
    (folder / 'wider_hard_val.mat').write_bytes(b'<html>' * 100)
    with pytest.raises(ValueError, match='wider_hard_val.mat: not a readable'):
        load_wider_gt(folder)
    savemat(folder / 'wider_hard_val.mat', dict(other=1))
    with pytest.raises(ValueError, match="no variable 'gt_list'"):
        load_wider_gt(folder)


def test_lists_that_do_not_belong_together(folder, tmp_path_factory):
    other = tmp_path_factory.mktemp('other')
    write_gt(other, {'a/1': IMAGES['0--Parade/0_a']})
    hard = (other / 'wider_hard_val.mat').read_bytes()
    (folder / 'wider_hard_val.mat').write_bytes(hard)
    with pytest.raises(ValueError, match='lists 1 images'):
        load_wider_gt(folder)
    write_gt(other,
             {'a/1': ([[0, 0, 5, 5]], dict(easy=[], medium=[], hard=[2]))})
    with pytest.raises(ValueError, match='counts a box'):
        load_wider_gt(other)


def test_annotation_file_as_ground_truth(tmp_path):
    path = tmp_path / 'bbx_gt.txt'
    path.write_text(
        'a/1.jpg\n2\n1 2 3 4 0 0 0 0 0 0 \n5 6 7 8 0 0 0 1 0 0\n'
        'b/2.jpg\n0\n0 0 0 0 0 0 0 0 0 0\nb/3.jpg\n1\n9 9 9 9 0 0 0 0 0 0\n')
    truth = load_wider_annotations(path)
    assert truth.keys == ('a/1', 'b/2', 'b/3')
    assert truth.offsets.tolist() == [0, 2, 2, 3]
    assert truth.boxes.tolist() == [[1, 2, 3, 4], [5, 6, 7, 8], [9] * 4]
    with pytest.raises(ValueError, match='only the setting "all"'):
        load_wider_annotations(path, ['hard'])


@pytest.mark.parametrize('text, message',
                         [('a/1.jpg\n1\n1 2 3\n', 'line 3.*1 2 3'),
                          ('a/1.jpg\nx\n', 'line 2'), ('a/1.jpg\n', 'no face'),
                          ('a/1.jpg\n1\n1 2 3 4 0 0 0 0 0 0\n' * 2, 'line 4'),
                          ('\n', 'empty')])
def test_broken_annotation_file(tmp_path, text, message):
    path = tmp_path / 'bbx_gt.txt'
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        load_wider_annotations(path)


def test_spellings_that_the_dataset_takes_too(tmp_path):
    """A byte-order mark, and no line of zeros after a zero."""
    path = tmp_path / 'bbx_gt.txt'
    path.write_text('\ufeffa/1.jpg\n0\na/2.jpg\n1\n1 2 3 4 0 0 0 0 0 0\n')
    truth = load_wider_annotations(path)
    assert truth.keys == ('a/1', 'a/2')
    assert truth.offsets.tolist() == [0, 0, 1]
    assert read_image_list(path) == ['a/1', 'a/2']


def test_image_lists(tmp_path):
    path = tmp_path / 'list.txt'
    path.write_text('a/1\n\nimages/b/2.c.jpg\n/data/val/d/3.JPG\n')
    assert read_image_list(path) == ['a/1', 'b/2.c', 'd/3']
    path.write_text('a/1.jpg\n2\n1 2 3 4 0 0 0 0 0 0 \n5 6 7 8 0 0\n')
    assert read_image_list(path) == ['a/1']


@pytest.mark.parametrize('text, message', [('a/1\nb\n', "line 2.*'b'"),
                                           ('/x\n', 'line 1'),
                                           ('3 4\n', 'no image'),
                                           ('', 'no image')])
def test_broken_image_lists(tmp_path, text, message):
    path = tmp_path / 'list.txt'
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_image_list(path)
