"""Detection files, ROC files and sizes: values, quirks and complaints."""
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyfaces.evaluation.functional import (FDDBResult, evaluate_fddb,
                                             read_fddb_detections,
                                             read_image_sizes_file,
                                             read_published_rocs, read_roc,
                                             write_fddb_detections,
                                             write_fddb_folds, write_roc)
from tinyfaces.evaluation.functional.fddb_io import write_image_sizes_file
from tinyfaces.evaluation.functional.fddb_output import check_fddb_output

LISTS = {1: ['a/1', 'a/2', 'a/3'], 2: ['b/1']}


def put(folder, name, text):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())
    return path


def same(one, other):
    assert list(one) == list(other)
    for key in one:
        np.testing.assert_array_equal(one[key], other[key])


@pytest.mark.parametrize('end', ['\n', '\r\n', ' \n'])
def test_rectangles_by_hand(tmp_path, end):
    path = put(
        tmp_path, 'd.txt',
        end.join(['a/1', '2.0', '1 2 3 4.5  .125', '-1\t0 0 1e1 -2', 'a/2'] +
                 ['0', '', 'a/3', '1', '5 6 7 8 9']))
    same(
        read_fddb_detections(path), {
            'a/1': [[1, 2, 3, 4.5, .125], [-1, 0, 0, 10, -2]],
            'a/2': np.zeros((0, 5)),
            'a/3': [[5, 6, 7, 8, 9]]
        })


def test_ellipses_by_hand(tmp_path):
    path = put(tmp_path, 'd.txt', 'a/1\n0\na/2\n1\n20 10 -1.5 7 8 .9\n')
    found = read_fddb_detections(path)
    assert found['a/1'].shape == (0, 6)
    assert found['a/2'].tolist() == [[20, 10, -1.5, 7, 8, .9]]


@pytest.mark.parametrize('names',
                         [['fold-01-out.txt', 'fold-02-out.txt'],
                          ['FDDB-det-fold-01.txt', 'FDDB-det-fold-02.txt'],
                          ['FDDB-fold-1-out.txt', 'FDDB-fold-2-out.txt'],
                          ['det_Fold01.txt', 'det_Fold_2.txt']])
def test_folder_or_pattern_of_one_file_per_fold(tmp_path, names):
    for name, pictures in zip(names[::-1], list(LISTS.values())[::-1]):
        put(tmp_path, f'out/{name}',
            ''.join(f'{picture}\n0\n' for picture in pictures))
    put(tmp_path, 'out/XDiscROC.txt', '1 2 3\n')
    put(tmp_path, 'out/fold-01.log', '')
    for path in (tmp_path / 'out', tmp_path / 'out/*old*.txt'):
        found = read_fddb_detections(path, LISTS)
        assert list(found) == ['a/1', 'a/2', 'a/3', 'b/1']
        assert list(read_fddb_detections(path, LISTS, [2])) == ['b/1']


def test_folds_of_a_single_file(tmp_path):
    path = put(tmp_path, 'd.txt', 'a/1\n0\na/3\n0\nb/1\n0\n')
    assert list(read_fddb_detections(path, LISTS, [1])) == ['a/1', 'a/3']
    with pytest.raises(ValueError, match='give the fold lists too'):
        read_fddb_detections(path, folds=[1])


@pytest.mark.parametrize('text, message', [
    ('a/1\n1\n1 2 3 4\n', 'line 3: expected finite numbers "x y w h score" '
     'or "ra rb theta cx cy score", 1 of the 1 detections of a/1 that line 2 '
     "announces; found '1 2 3 4'"),
    ('a/1\n1\n1 2 3 4 x\n', 'line 3: expected finite numbers'),
    ('a/1\n1\n1 2 3 4 nan\n', "line 3: .*found '1 2 3 4 nan'"),
    ('a/1\n1\n1 2 inf 4 5\n', 'line 3: expected finite'),
    ('a/1\n2\n1 2 3 4 5\n1 2 3 4 5 6\n',
     'line 4: expected 5 columns as on line 3'),
    ('a/1\n2\n1 2 3 4 5\n\n', 'line 4: .*found \'\''),
    ('a/1\n2\n1 2 3 4 5\n', 'line 4: expected 2 detections of a/1 '
     r'\(announced by line 2\), but only 1 lines follow; found the end of '
     'the file. Remedy: the file is cut off'),
    ('a/1\n', 'line 2: expected the number of detections of a/1; found the '
     'end'), ('a/1\nx\n', "line 2: expected the number .* found 'x'"),
    ('a/1\n-1\n', "line 2: .* found '-1'"),
    ('a/1\n1.5\n', "line 2: .* found '1.5'"),
    ('a/1\n1\n1 2 3 4 5\n1 2 3 4 5\n',
     "line 4: expected a picture's name; .*line 2 announces 1 detections of "
     'a/1: correct that number'),
    ('1 2 3 4 5\n', "line 1: expected a picture's name"),
    ('a/1\n0\na/2\n0\na/1\n0\n', "line 5: expected a picture not listed "
     "before; found 'a/1'. Remedy: line 1 lists it too"),
    ('a/1\n1\n1 2 -3 4 5\n', 'line 3: expected a size of 0 or more'),
    ('a/1\n1\n20 -1 1 4 5 6\n', 'line 3: expected a size of 0 or more'),
    ('a/1\n2\n1 2 3 4 5\n1 2 3e6 4 5\n',
     'line 4: expected numbers up to 1,000,000 pixels; found \'1 2 3e.06 4 5'),
    ('a/1\n1\n1 2 3 4 1_0\n', "line 3: .*found '1 2 3 4 1_0'"),
    ('a/1\n1\n1 2 3 4 \uff15\n', 'line 3: expected finite'),
    ('a/1\n\uff11\n1 2 3 4 5\n', 'line 2: expected the number'),
    ('a/1\n1e300\n', r'line 3: expected 1e300 detections of a/1 \(announced'),
    ('', 'the file is empty'), ('\n \n', 'the file is empty')
])
def test_broken_lines_name_file_and_line(tmp_path, text, message):
    path = put(tmp_path, 'd.txt', text)
    with pytest.raises(
            ValueError, match=f'^{re.escape(str(path))}.*{message}'):
        read_fddb_detections(path)


def test_file_that_is_no_text(tmp_path):
    (tmp_path / 'd.txt').write_bytes(b'\xff\xfe\x00a')
    with pytest.raises(ValueError, match='d.txt: not a UTF-8 text file'):
        read_fddb_detections(tmp_path / 'd.txt')


@pytest.mark.parametrize(
    'text, message',
    [('a/1\n0\na/x\n0\n', "line 3: expected a picture of the fold lists; "
      "found 'a/x'"), ('a/1.jpg\n0\n', 'line 1: .*without extension'),
     ('a/2\n0\na/1\n0\n', 'line 3: expected pictures in the order of the fold '
      'lists, where this one comes before a/2; found \'a/1\'')])
def test_names_are_checked_against_the_lists(tmp_path, text, message):
    path = put(tmp_path, 'd.txt', text)
    with pytest.raises(ValueError, match=f'd.txt, {message}'):
        read_fddb_detections(path, LISTS)
    assert read_fddb_detections(path)


def test_any_order_is_an_option(tmp_path):
    path = put(tmp_path, 'd.txt', 'b/1\n0\na/1\n0\n')
    found = read_fddb_detections(path, LISTS, any_order=True)
    assert list(found) == ['b/1', 'a/1']


@pytest.mark.parametrize(
    'files, message',
    [({
        'fold-01.txt': 'b/1\n0\n'
    }, 'line 1: expected a picture of the list of fold 1'),
     ({
         'fold-03.txt': 'b/1\n0\n'
     }, r'fold-03.txt is of fold 3, but the fold lists are those of \[1, 2\]'),
     ({
         'fold-01.txt': 'a/1\n0\n',
         'fold-11-out.txt': 'c/1\n0\n'
     }, 'fold-11-out.txt is of fold 11, but the fold lists are those of'),
     ({
         'fold-01.txt': 'a/1\n0\n',
         'x-fold-1.txt': 'a/1\n0\n'
     }, 'both fold-01.txt and x-fold-1.txt are of fold 1')])
def test_files_of_the_wrong_fold(tmp_path, files, message):
    for name, text in files.items():
        put(tmp_path, name, text)
    for folds in (None, [1, 2]):
        with pytest.raises(ValueError, match=message):
            read_fddb_detections(tmp_path, LISTS, folds)


def test_files_that_do_not_fit_each_other(tmp_path):
    put(tmp_path, 'fold-01.txt', 'a/0\n0\na/1\n1\n1 2 3 4 5\n')
    put(tmp_path, 'fold-02.txt', 'b/0\n0\nb/1\n1\n1 2 3 4 5 6\n')
    with pytest.raises(
            ValueError,
            match='fold-02.txt, line 5: expected 5 columns as in '
            'fold-01.txt; found \'6 columns\''):
        read_fddb_detections(tmp_path)
    put(tmp_path, 'fold-02.txt', 'a/0\n0\n')
    with pytest.raises(
            ValueError, match='fold-02.txt, line 1: .*fold-01.txt has it too'):
        read_fddb_detections(tmp_path)


@pytest.mark.parametrize('path', ['none', 'none/fold-*.txt', '.'])
def test_sets_that_do_not_exist(tmp_path, path):
    with pytest.raises(FileNotFoundError, match='no such file, nor a folder'):
        read_fddb_detections(tmp_path / path)


NUMBER = st.floats(-1e6, 1e6)
LENGTH = st.floats(0, 1e6)
SCORE = st.floats(-1e300, 1e300)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.lists(st.tuples(NUMBER, NUMBER, LENGTH, LENGTH, SCORE), max_size=3),
        min_size=1,
        max_size=4))
def test_written_numbers_come_back(tmp_path_factory, sets):
    detections = {
        f'2002/{at}/img_{at}': np.array(rows).reshape(-1, 5)
        for at, rows in enumerate(sets)
    }
    path = tmp_path_factory.mktemp('set') / 'd.txt'
    write_fddb_detections(detections, path)
    same(read_fddb_detections(path), detections)


def test_written_folds(tmp_path):
    detections = {
        name: np.array([[1, 2, 3, 4, .5]], np.float32)
        for names in LISTS.values()
        for name in names
    }
    detections['a/2'] = np.zeros((0, 5))
    out = tmp_path / 'out'
    paths = write_fddb_folds(dict(reversed(detections.items())), LISTS, out)
    assert [path.name
            for path in paths] == ['fold-01-out.txt', 'fold-02-out.txt']
    assert paths[0].read_text() == ('a/1\n1\n1.0 2.0 3.0 4.0 0.5\na/2\n0\n'
                                    'a/3\n1\n1.0 2.0 3.0 4.0 0.5\n')
    same(read_fddb_detections(out, LISTS), detections)
    del detections['b/1']
    with pytest.raises(ValueError, match='1 of 1 pictures of fold 2, .* b/1'):
        write_fddb_folds(detections, LISTS, tmp_path / 'none')
    assert not (tmp_path / 'none').exists()


def test_folds_of_an_earlier_run_are_removed(tmp_path):
    detections = {'a/1': [[1, 2, 3, 4, .5]], 'b/1': [[1, 2, 3, 4, .6]]}
    for name in ('fold-03-out.txt', 'fold-1-out.txt', 'notes.txt'):
        put(tmp_path, name, 'old')
    with pytest.raises(ValueError, match='no detections'):
        write_fddb_folds(detections, {2: ['c/1']}, tmp_path)
    # Nothing is lost when nothing is written.
    assert (tmp_path / 'fold-03-out.txt').exists()
    write_fddb_folds(detections, {1: ['a/1'], 2: ['b/1']}, tmp_path)
    write_fddb_folds(detections, {2: ['b/1']}, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        'fold-02-out.txt', 'fold-1-out.txt', 'notes.txt'
    ]


def make_result():
    """Counts whose digits show how numbers are written."""
    return FDDBResult(
        np.array([-1.25, .12345678, np.finfo(float).max]), np.array([2, 1, 0]),
        np.array([1.2345678, .5, 0]), np.array([1234567, 1, 0]), 3, 2, 9)


def test_roc_files_have_the_official_digits(tmp_path):
    paths = write_roc(make_result(), tmp_path / 'new/X')
    assert [path.name for path in paths] == ['XDiscROC.txt', 'XContROC.txt']
    assert paths[0].read_text() == ('0.666667 1234567 -1.25\n'
                                    '0.333333 1 0.123457\n'
                                    '0 0 1.79769e+308\n')
    assert paths[1].read_text() == ('0.411523 1234567\n0.166667 1\n0 0\n')
    np.testing.assert_array_equal(
        read_roc(paths[0])[:, 1],
        make_result().false_positives)
    assert read_roc(paths[1]).shape == (3, 2)


@pytest.mark.parametrize('text, line', [('.5\n', 1), ('.5 1\n.4 x\n', 2),
                                        ('.5 1\n\n.4 1 2\n', 3),
                                        ('.5 nan\n', 1), ('1 2 3 4\n', 1),
                                        ('.5 1_0\n', 1)])
def test_roc_files_that_cannot_be_read(tmp_path, text, line):
    path = put(tmp_path, 'XDiscROC.txt', text)
    with pytest.raises(ValueError, match=f'XDiscROC.txt, line {line}: '):
        read_roc(path)


def test_published_curves_by_name(tmp_path):
    for name, text in {
            'HR-ER-DiscROC.txt': '.9 5 .1\n',
            'HR-ER-ContROC.txt': '.8 5\n',
            'frcnContROC.txt': '.7 6\n',
            'DiscROC.txt': '.6 7 .1\n',
            'notes.txt': 'x'
    }.items():
        put(tmp_path, f'rocs/{name}', text)
    found = read_published_rocs([tmp_path / 'rocs'])
    assert set(found) == {'HR-ER', 'frcn', 'rocs'}
    assert found['HR-ER'][0].tolist() == [[.9, 5, .1]]
    assert found['HR-ER'][1].tolist() == [[.8, 5]]
    assert found['frcn'][0] is None and found['rocs'][1] is None
    one = tmp_path / 'rocs/frcnContROC.txt'
    assert read_published_rocs([one])['frcn'][1].tolist() == [[.7, 6]]
    with pytest.raises(ValueError, match='a second Cont curve of frcn'):
        read_published_rocs([one, one])
    with pytest.raises(ValueError, match='notes.txt: name it <detector>Disc'):
        read_published_rocs([tmp_path / 'rocs/notes.txt'])
    with pytest.raises(ValueError, match=r'holds no \*DiscROC.txt'):
        read_published_rocs([tmp_path])
    with pytest.raises(FileNotFoundError):
        read_published_rocs([tmp_path / 'XDiscROC.txt'])


def test_sizes_by_hand_and_back(tmp_path):
    path = put(tmp_path, 's.txt', 'a/1 450 300\r\n\r\na/2\t1 2\r\n')
    sizes = {'a/1': (450, 300), 'a/2': (1, 2)}
    assert read_image_sizes_file(path) == sizes
    write_image_sizes_file(sizes, path)
    assert read_image_sizes_file(path) == sizes


@pytest.mark.parametrize('text, line', [('a/1 450\n', 1),
                                        ('a/1 4 5\na/2 0 5\n', 2),
                                        ('a/1 4 5\na/1 4 5\n', 2),
                                        ('a/1 4.5 5\n', 1), ('a b 4 5\n', 1),
                                        ('a/1 65535 4\na/2 4 65536\n', 2),
                                        ('a/1 4 \uff15\n', 1),
                                        ('a/1 4 ' + '9' * 5000, 1)])
def test_sizes_that_cannot_be_read(tmp_path, text, line):
    with pytest.raises(ValueError, match=f's.txt, line {line}: expected'):
        read_image_sizes_file(put(tmp_path, 's.txt', text))


def test_writing_leaves_the_old_file_when_it_fails(tmp_path):
    path = put(tmp_path, 'd.txt', 'old')
    with pytest.raises(ValueError):
        write_fddb_detections({'a/1': [[1, 2], [3]]}, path)
    assert path.read_text() == 'old'
    assert [file.name for file in tmp_path.iterdir()] == ['d.txt']


@pytest.mark.parametrize('rows, message', [
    ([[1, 2, 3, np.nan, .5]], 'NaN or infinite'),
    ([[1, 2, 3, 4, np.inf]], 'NaN or infinite'),
    ([[1, 2, -3, 4, .5]], 'negative size'),
    ([[1, -2, 3, 4, 5, .5]], 'negative size or half-axis'),
    ([[1, 2, 3, 2e6, .5]], 'beyond 1,000,000 pixels'),
    ([[1, 2, 3, 4]], r'got \(1, 4\)'),
    ([1, 2, 3, 4, 5], r'got \(5,\)'),
])
def test_what_cannot_be_read_is_not_written(tmp_path, rows, message):
    detections = {
        name: np.zeros((0, 5))
        for names in LISTS.values()
        for name in names
    }
    detections['b/1'] = np.array(rows)
    for write, arguments in ((write_fddb_detections, [tmp_path / 'd.txt']),
                             (write_fddb_folds, [LISTS, tmp_path])):
        with pytest.raises(ValueError, match=f'of b/1: .*{message}'):
            write(detections, *arguments)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize('files, message', [
    ({}, None),
    ({
        '.cache': ''
    }, None),
    ({
        'image_sizes.txt': '',
        'fold-01-out.txt': '',
        'notes.txt': ''
    }, None),
    ({
        'image_sizes.txt': '',
        'results.json': '{"protocol": "FDDB protocol, true ..."}'
    }, None),
    ({
        'fold-01-out.txt': ''
    }, 'holds fold-01-out.txt, and no image_sizes.txt: .* give an empty'),
    ({
        'results.json': '{"protocol": "FDDB protocol, true ..."}'
    }, 'holds results.json, and no'),
    *(({
        'image_sizes.txt': '',
        'results.json': text
    }, 'holds a results.json of something else')
      for text in ('{"protocol": "WIDER FACE"}', '{}', '[1]', 'no JSON')),
])
def test_folders_of_other_things_are_refused(tmp_path, files, message):
    for name, text in files.items():
        put(tmp_path, name, text)
    if message is None:
        check_fddb_output(tmp_path)
    else:
        with pytest.raises(FileExistsError, match=message):
            check_fddb_output(tmp_path)
    check_fddb_output(tmp_path / 'new/folder')


def test_a_written_and_read_set_scores_the_same(tmp_path):
    truth = {'a/1': np.array([[20, 10, 0, 50, 50]], float)}
    detections = {'a/1': np.array([[30.1, 40.2, 40.3, 20.4, 1 / 3]])}
    write_fddb_detections(detections, tmp_path / 'd.txt')
    results = [
        evaluate_fddb(found, truth, {'a/1': (99, 99)})
        for found in (detections, read_fddb_detections(tmp_path / 'd.txt'))
    ]
    assert results[0].thresholds == results[1].thresholds
    assert results[0].continuous == results[1].continuous
