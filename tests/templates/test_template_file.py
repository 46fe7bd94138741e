"""Templates: the published ones, the rules of section 4, and files."""
import json

import numpy as np
import pytest

from tinyfaces.templates import (Template, assign_roles, load_templates,
                                 save_templates, scale_for,
                                 templates_from_dicts)


def test_published():
    """RefBox_N25_scaled.mat; the paper's A are for 40 to 140 pixels."""
    templates = load_templates()
    assert templates == load_templates('published')
    assert len(templates) == 25
    assert [x.scale for x in templates] == [.5] * 4 + [1] * 8 + [2] * 13
    assert [x.role for x in templates
            ] == [None] * 4 + ['A'] * 8 + [None] * 6 + ['B'] * 7
    areas = np.prod([x.face_size for x in templates], axis=1)
    assert (np.diff(areas) < 0).all()
    heights = [x.height for x in templates if x.role == 'A']
    assert 40 < min(heights) and max(heights) == 110
    # Twice the half-extents of the file, plus 1
    assert templates[0] == (173.67647, 227.888236, .5, None)
    assert templates[4] == (82, 110, 1, 'A')
    assert templates[24] == (20.3226, 22.2322, 2, 'B')
    np.testing.assert_allclose(templates[0].face_size, (347.35294, 455.776472))


def test_the_rules_give_the_published_roles_and_scales():
    templates = load_templates()
    assert assign_roles(x._replace(role=None) for x in templates) == templates
    # Row 4, of 137 pixels, is the one exception.
    scales = [scale_for(x.face_size[1]) for x in templates]
    assert [
        n for n, (x, scale) in enumerate(zip(templates, scales))
        if x.scale != scale
    ] == [3]


@pytest.mark.parametrize('height, scale', [(140.1, .5), (140, 1), (40, 1),
                                           (39.9, 2)])
def test_scale_for(height, scale):
    assert scale_for(height) == scale


def test_assign_roles():
    given = [
        Template(9, 90, 1, 'B'),
        Template(9, 40.9, 2),
        Template(9, 41.1, 2, 'B'),
        Template(9, 10, .5, 'A')
    ]
    roles = [x.role for x in assign_roles(given)]
    assert roles == ['A', 'B', None, None]


def test_unscaled():
    templates = load_templates('unscaled')
    assert len(templates) == 25
    assert {x[2:] for x in templates} == {(1, None)}
    assert templates[0].face_size == (216.85, 286.12)
    assert templates[-1].face_size == (3.8, 4.8)


def test_round_trip(tmp_path):
    path = tmp_path / 'new' / 'some.json'
    templates = [Template(1 / 3, 5, .5), Template(7, 8, 2, 'B')]
    save_templates(path, templates, 'the "source"')
    assert load_templates(path) == load_templates(str(path)) == templates
    content = json.loads(path.read_text())
    assert content['source'] == 'the "source"'
    assert content['templates'][1] == dict(
        width=7, height=8, scale=2, role='B')
    # A line each, for reading and for diffs
    assert sum('width' in x for x in path.read_text().splitlines()) == 2


def test_nothing_is_written_of_bad_templates(tmp_path):
    for bad in ([], [Template(-1, 2)]):
        with pytest.raises(ValueError):
            save_templates(tmp_path / 'x.json', bad, '')
    assert list(tmp_path.iterdir()) == []


def test_dicts():
    given = [dict(width=4, height=5), dict(width=4, height=5, scale=2)]
    templates = templates_from_dicts(given)
    assert templates == [(4, 5, 1, None), (4, 5, 2, None)]


@pytest.mark.parametrize('row, message', [
    (dict(width=4), 'must have "width" and "height"'),
    (dict(width=4, height=5, size=6), 'nothing else'),
    (dict(width=4, height=0), 'finite numbers above 0'),
    (dict(width=4, height='5'), 'finite numbers above 0'),
    (dict(width=True, height=5), 'finite numbers above 0'),
    (dict(width=4, height=float('nan')), 'finite numbers above 0'),
    (dict(width=4, height=5, scale=float('inf')), 'finite numbers above 0'),
    (dict(width=4, height=5, role='C'), 'the role must be'),
])
def test_bad_dicts(row, message):
    with pytest.raises(ValueError, match=f'here: template 1.*{message}'):
        templates_from_dicts([dict(width=4, height=5), row], 'here')


def test_bad_files(tmp_path):
    with pytest.raises(
            FileNotFoundError,
            match='or one of the names published, unscaled'):
        load_templates('publshed')
    with pytest.raises(FileNotFoundError, match='absent.json does not exist'):
        load_templates(tmp_path / 'absent.json')
    with pytest.raises(IsADirectoryError, match='is a folder'):
        load_templates(tmp_path)
    path = tmp_path / 'x.json'
    for text, message in (('{', 'no JSON file'), ('[]', 'no list "templates"'),
                          ('{"templates": 1}', 'no list "templates"'),
                          ('{"templates": [1]}', 'no list "templates"'),
                          ('{"templates": []}', 'at least one'),
                          ('{"templates": [{}]}', 'template 0 must have')):
        path.write_text(text)
        with pytest.raises(ValueError, match=message) as error:
            load_templates(path)
        assert str(path) in str(error.value)
    path.write_bytes(b'\xff\xfe')
    with pytest.raises(ValueError, match='no JSON file'):
        load_templates(path)
