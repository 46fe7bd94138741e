import json

import numpy as np
import pytest

from tinyfaces.evaluation.functional import (FDDBResult, format_fddb_table,
                                             write_fddb_json)

# 10 faces; the curve ends at 60 false positives.
RESULT = FDDBResult(
    np.array([.1, .5, .9]), np.array([9, 7, 4]), np.array([7.5, 5, 3.25]),
    np.array([60, 50, 0]), 10, 1234, 69)
PUBLISHED = {
    'HR': (np.array([[.95, 5000, -1], [.925, 40, 2]]), None),
    # Highest threshold first, as nobody but some do.
    'turned': (None, np.array([[.25, 10], [.5, 70]]))
}


def rows(text, name):
    """The cells of all lines that start with a name."""
    return [
        line.split()[1:] for line in text.splitlines()
        if line.startswith(f'{name} ')
    ]


def test_table():
    text = format_fddb_table({'ours': RESULT}, (0, 50, 1000),
                             'fold 1, annotations: original', PUBLISHED)
    assert text.startswith('FDDB protocol, true positive rate at numbers of '
                           'false positives; fold 1, annotations: original\n'
                           'ours: 1,234 pictures, 10 faces, 69 detections\n')
    assert rows(
        text, 'discrete') == [['ROC', '0', '50', '1,000', 'end', 'last', 'FP']]
    assert rows(
        text, 'ours') == [['0.40000', '0.70000', '0.90000*', '0.90000', '60'],
                          ['0.32500', '0.50000', '0.75000*', '0.75000', '60']]
    assert rows(
        text, 'HR') == [['0.00000', '0.92500', '0.92500', '0.95000', '5,000']]
    assert rows(text, 'turned') == [[
        '0.00000', '0.25000', '0.50000*', '0.50000', '70'
    ]]
    assert text.count('the curve ends before') == 1


def test_no_star_without_need():
    text = format_fddb_table({'ours': RESULT}, (50, 60))
    assert '*' not in text
    assert text.splitlines()[0].endswith('false positives')


def test_json(tmp_path):
    write_fddb_json(tmp_path / 'o.json', {'ours': RESULT}, (50, 1000), 'all',
                    PUBLISHED)
    content = json.loads((tmp_path / 'o.json').read_text())
    assert content['protocol'].endswith('; all')
    assert content['detectors'] == {
        'ours':
        dict(
            num_images=1234,
            num_faces=10,
            num_detections=69,
            disc=dict(
                tpr_at={
                    '50': .7,
                    '1000': .9
                },
                ended={
                    '50': False,
                    '1000': True
                },
                final=.9,
                last_fp=60),
            cont=dict(
                tpr_at={
                    '50': .5,
                    '1000': .75
                },
                ended={
                    '50': False,
                    '1000': True
                },
                final=.75,
                last_fp=60))
    }
    assert set(content['published']) == {'HR', 'turned'}
    assert set(content['published']['HR']) == {'disc'}


def test_equal_names_are_refused(tmp_path):
    with pytest.raises(ValueError, match='HR is the name of a detector and'):
        format_fddb_table({'HR': RESULT}, published=PUBLISHED)
    with pytest.raises(ValueError, match='HR is the name'):
        write_fddb_json(
            tmp_path / 'o.json', {'HR': RESULT}, published=PUBLISHED)
    assert not list(tmp_path.iterdir())
