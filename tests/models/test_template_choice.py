"""Which templates look at a view of which scale."""
import pytest
from tiny_faces_models import TEMPLATES

from tinyfaces.models.dense_heads.template_choice import (check_choice,
                                                          choose_templates)
from tinyfaces.templates import load_templates, templates_from_dicts

FEW = templates_from_dicts(TEMPLATES)  # of scales .5, 1, 1, 2; None, A, A, B
A, B = list(range(4, 12)), list(range(18, 25))


def chosen(choice, *factors, templates=FEW, **meta):
    return choose_templates(templates, choice,
                            dict(meta, scale_factor=factors))


@pytest.mark.parametrize('scale, b', [(.25, []), (.5, []), (1., []),
                                      (1.004, []), (2**.5, B), (2., B)])
def test_published_templates(scale, b):
    """Rows 5 to 12 of the file at every scale, 19 to 25 above 1."""
    templates = load_templates()
    every = dict(templates=templates)
    assert chosen('A+B', scale, scale, **every) == A + b
    assert chosen('A', scale, scale, **every) == A
    assert chosen('B', scale, scale, **every) == b
    assert chosen('all', scale, scale, **every) == list(range(25))


def test_own_of_the_published_templates():
    templates = load_templates()
    for scale, rows in ((.5, range(4)), (1., range(4, 12)), (2., range(12,
                                                                       25))):
        assert chosen('own', scale, scale, templates=templates) == list(rows)


@pytest.mark.parametrize('choice, expected', [('A+B', [1, 2]), ('A', [1, 2]),
                                              ('B', []), ('own', [1, 2]),
                                              ('all', [0, 1, 2, 3])])
def test_a_view_without_scale_factor_is_the_picture(choice, expected):
    assert choose_templates(FEW, choice, {}) == expected


def test_geometric_mean_of_both_sides():
    assert chosen('A+B', 4., .5) == [1, 2, 3]
    assert chosen('A+B', 4., .25) == [1, 2]
    assert chosen('own', 4., 1.) == [3]


@pytest.mark.parametrize('width, height', [(3, 5), (5, 9), (31, 41), (101, 67),
                                           (1024, 767)])
@pytest.mark.parametrize('scale, expected', [(.5, [0]), (1., [1, 2]),
                                             (2., [3])])
def test_sides_are_rounded(width, height, scale, expected):
    """As the views of a plan are."""
    factors = [max(1, int(s * scale + .5)) / s for s in (width, height)]
    assert chosen('own', *factors, ori_shape=(height, width)) == expected


@pytest.mark.parametrize('scale', [.25, .7, 1.1, 3.])
def test_no_template_of_the_scale(scale):
    with pytest.raises(ValueError, match='none is made for a scale of'):
        chosen('own', scale, scale, ori_shape=(600, 800))


def test_check():
    for choice in ('A+B', 'A', 'B', 'own', 'all'):
        check_choice(FEW, choice)
    with pytest.raises(ValueError, match="not 'C'"):
        check_choice(FEW, 'C')
    plain = load_templates('unscaled')
    check_choice(plain, 'all')
    check_choice(plain, 'own')
    for choice, missing in (('A+B', 'A or B'), ('A', 'A'), ('B', 'B')):
        with pytest.raises(ValueError, match=f'the role {missing}: choose'):
            check_choice(plain, choice)
    with pytest.raises(ValueError, match='the role B: choose'):
        check_choice(FEW[:3], 'A+B')
