"""No name of a picture leads out of the folder that it is put into."""
import os
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from mat_writers import mafa_test_row, write_mafa, write_voc_face

from tinyfaces.datasets.fddb_annotations import load_fold_lists
from tinyfaces.datasets.wider_annotations import parse_wider_annotations
from tinyfaces.evaluation.functional import (read_voc_face_detections,
                                             read_wider_predictions,
                                             write_fddb_detections,
                                             write_voc_face_detections,
                                             write_wider_predictions)
from tinyfaces.evaluation.metrics import MAFAMetric, VOCFaceMetric
from tinyfaces.utils.file_names import (check_file_name, fault_of_name,
                                        path_inside)

ROWS = np.array([[1, 2, 3, 4, .5]])
BAD = {
    '../a': 'leads out',
    'a/../../b': 'leads out',
    'a/..': 'leads out',
    '/etc/a': 'absolute',
    'a\\b': 'backslash',
    '..\\..\\a/b': 'backslash',
    'C:/a': 'drive',
    'a/d:b': 'drive',
    'a/b\0c': 'control character',
    'a/b\nc': 'control character',
    'a//b': 'empty',
    'a/': 'empty',
    '': 'empty',
    '.a/b': 'begins with a dot',
    './a': 'begins with a dot',
    'a/\udc80': 'Unicode',
}
# Names of all kinds, mostly with what is special in names.
NAMES = st.lists(
    st.sampled_from(['..', '.', '', 'a', 'b c', 'ä', 'C:', 'a\\b', '\0', '~'])
    | st.text(max_size=3),
    min_size=1,
    max_size=4).map('/'.join)


@pytest.mark.parametrize('name, reason', BAD.items())
def test_faults_of_names(name, reason):
    with pytest.raises(ValueError, match=f'^list: the name .*{reason}.*renam'):
        check_file_name(name, 'list')


@pytest.mark.parametrize('name', [
    '0--Parade/0_Parade_1', '2002/08/11/big/img_591', 'a', 'a..b/c.d',
    'a b/ä-ö', 'abc:d/e', '...a'[3:]
])
def test_good_names(name):
    assert fault_of_name(name) is None


def test_options():
    assert fault_of_name('.a/b', hidden=True) is None
    assert 'leads out' in fault_of_name('../b', hidden=True)
    assert fault_of_name('a/b', parts=2) is None
    assert 'has 1 parts where 2' in fault_of_name('b', parts=2)


@settings(max_examples=60, deadline=None)
@given(NAMES, st.sampled_from(['set', 'set.zip']))
@example('../../up', 'set')
@example('a/b', 'set')
@example('a/b', 'set.zip')
def test_nothing_is_written_outside(name, target):
    """A set is refused, or all in its place and read as it was."""
    with tempfile.TemporaryDirectory() as folder:
        inner = Path(folder, 'x/y')
        inner.mkdir(parents=True)
        try:
            write_wider_predictions({name: ROWS}, inner / target)
        except ValueError:
            assert list(inner.iterdir()) == []
        else:
            found = read_wider_predictions(inner / target)
            assert list(found) == [name]
            assert found[name].tolist() == ROWS.tolist()
            assert [path.name for path in inner.iterdir()] == [target]
        assert [str(path)
                for path in Path(folder).iterdir()] == [str(inner.parent)]
        assert list(inner.parent.iterdir()) == [inner]


@settings(max_examples=60, deadline=None)
@given(NAMES)
@example('../a')
@example('a\0')
def test_text_files_of_names(name):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, 'x/voc.txt')
        try:
            write_voc_face_detections({name: ROWS}, path)
        except ValueError:
            assert not path.exists()
        else:
            assert read_voc_face_detections(path).keys == (name, )
        if fault_of_name(name) or len(name.split()) != 1:
            with pytest.raises(ValueError, match='the name'):
                write_fddb_detections({name: ROWS}, path)
        assert [p.name for p in Path(folder).iterdir()] in ([], ['x'])


@pytest.mark.parametrize('name', [
    '../../a/b.txt', '/a/b.txt', 'a\\b.txt', 'C:/b.txt', 'a/../b.txt',
    'a//b.txt', 'a/b\n.txt'
])
def test_archives_that_lead_out_are_not_read(tmp_path, name):
    path = tmp_path / 'set.zip'
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr('a/good.txt', 'good\n0\n')
        archive.writestr(name, 'b\n0\n')
    with pytest.raises(ValueError, match='set.zip: the name'):
        read_wider_predictions(path)


def test_archives_with_a_name_twice_or_a_lock(tmp_path):
    path = tmp_path / 'set.zip'
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr('a/b.txt', 'b\n0\n')
        with pytest.warns(UserWarning, match='Duplicate name'):
            archive.writestr('a/b.txt', 'b\n0\n')
    with pytest.raises(ValueError, match='holds a/b.txt twice'):
        read_wider_predictions(path)
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr('a/b.txt', 'b\n0\n')
    # The flag of an encrypted file, in the entry and in the directory.
    data = bytearray(path.read_bytes())
    data[6] |= 1
    data[data.index(b'PK\1\2') + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(ValueError, match='a/b.txt: damaged .*encrypted'):
        read_wider_predictions(path)


def test_a_link_in_the_way(tmp_path):
    outside, out = tmp_path / 'outside', tmp_path / 'out'
    outside.mkdir()
    (out / 'images').mkdir(parents=True)
    (out / 'images/event').symlink_to(outside)
    assert path_inside(out, 'images/x.jpg') == out / 'images/x.jpg'
    assert path_inside(out, Path('images/a/b.jpg')).parent.name == 'a'
    for name in ('images/event/x.jpg', '../x', '/x', 'a/../../x'):
        with pytest.raises(PermissionError, match='outside of .*out;'):
            path_inside(out, name)
    # A file in the folder may be a link too.
    (out / 'images/x.jpg').symlink_to(outside / 'x.jpg')
    with pytest.raises(PermissionError, match='outside of .*out;'):
        path_inside(out, 'images/x.jpg')
    # A link that the user gives is where the user wants it.
    (tmp_path / 'link').symlink_to(out)
    assert path_inside(tmp_path / 'link', 'x').name == 'x'
    # Folders of predictions are replaced as a whole.
    event = tmp_path / 'set'
    event.mkdir()
    (event / 'a').symlink_to(outside)
    with pytest.raises(FileExistsError, match='set holds a, which is no'):
        write_wider_predictions({'a/b': ROWS}, event)
    assert list(outside.iterdir()) == []
    # The folder behind a link gets the files; the link stays.
    (tmp_path / 'real').mkdir()
    (tmp_path / 'to_real').symlink_to('real')
    write_wider_predictions({'a/b': ROWS}, tmp_path / 'to_real')
    assert (tmp_path / 'to_real').is_symlink()
    assert (tmp_path / 'real/a/b.txt').is_file()


def test_annotations_with_such_names(tmp_path):
    """They are refused at the start, not when the test is over."""
    path = tmp_path / 'list.txt'
    for name in ('../x.jpg', '/x.jpg', 'C:/x.jpg', 'a\\..\\b/x.jpg'):
        path.write_text(f'a/b.jpg\n0\n{name}\n0\n')
        with pytest.raises(ValueError, match='list.txt, line 3: expected a p'):
            parse_wider_annotations(path)


@pytest.mark.parametrize('name', ['../../up', 'a/.b', 'C:x', 'a\\b', '/a'])
def test_fold_lists_with_such_names(tmp_path, name):
    path = tmp_path / 'FDDB-fold-01.txt'
    path.write_text(f'2002/08/11/big/img_591\n{name}\n')
    with pytest.raises(ValueError, match='01.txt, line 2: expected one pic'):
        load_fold_lists(tmp_path)


@pytest.mark.parametrize('name', ['../up', '..', 'a/.b', 'C:x', 'a\\b', '/a'])
def test_mat_files_with_such_names(tmp_path, name):
    good, bad = 'ok.jpg', f'{name}.jpg'
    path = tmp_path / 'v.mat'
    write_voc_face(path, {good: [[9, 9, 60, 70, 0]], bad: []})
    with pytest.raises(ValueError, match='v.mat, picture 2: the name'):
        VOCFaceMetric(str(path))
    write_mafa(path, {good: [mafa_test_row([9, 9, 60, 70])], bad: []})
    with pytest.raises(ValueError, match='v.mat, picture 2: the name'):
        MAFAMetric(str(path))


def test_blanks_matter_where_they_are_written(tmp_path):
    path = tmp_path / 'v.mat'
    write_voc_face(path, {'a b.jpg': [[9, 9, 60, 70, 0]]})
    assert VOCFaceMetric(str(path))
    with pytest.raises(ValueError, match="v.mat: the image name 'a b' cannot"):
        VOCFaceMetric(str(path), outfile_prefix=str(tmp_path / 'found'))


def test_equal_sets_are_equal_files(tmp_path):
    """Whatever the time."""
    first, second = (tmp_path / f'{number}.zip' for number in (1, 2))
    for path in (first, second):
        write_wider_predictions({'a/b': ROWS, 'a/c': ROWS[:0]}, path)
    assert first.read_bytes() == second.read_bytes()
    with zipfile.ZipFile(first) as archive:
        assert {info.date_time[0] for info in archive.infolist()} == {1980}
    assert os.stat(first).st_mode & 0o777 == 0o644 & ~_umask()


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask
