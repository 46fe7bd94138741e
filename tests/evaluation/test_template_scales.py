import math

import numpy as np
import pytest
from analysis_sets import make_truth

from tinyfaces.evaluation.analysis import study_template_scales
from tinyfaces.evaluation.analysis.target_sizes import target_size_ap
from tinyfaces.evaluation.analysis.template_scales import best_scale

TRUTH = make_truth({
    'a/1': [[0, 0, 20, 25], [100, 0, 200, 250]],
    'a/2': [[0, 0, 20, 25], [400, 0, 200, 250]]
})
SMALL = np.array([[0, 0, 20, 25, .9], [700, 0, 20, 25, .5]])
LARGE = np.array([[100, 0, 200, 250, .8], [700, 0, 20, 25, .5]])
SIZES = [(250, 200), (25, 20), (80, 64)]


def test_each_size_by_its_best_scale():
    # Scale 2 finds a small face, .5 a large one, 1 nothing but background.
    found = {
        2.: {
            'a/1': SMALL
        },
        1.: {
            'a/1': SMALL[1:],
            'a/2': SMALL[1:] - [0, 0, 0, 0, .1]
        },
        .5: {
            'a/1': LARGE
        }
    }
    study = study_template_scales(found, TRUTH, 'all', SIZES)
    assert study.sizes == SIZES
    assert study.num_faces == [2, 2, 0]
    assert list(study.ap) == [.5, 1, 2]
    assert study.best == [.5, 2, 1]
    for scale, values in study.ap.items():
        np.testing.assert_array_equal(
            values,
            target_size_ap(found[scale], TRUTH, 'all', SIZES)['ap'])
    assert study.ap[.5][:2] == [.5, 0] and study.ap[2.][:2] == [0, .5]


@pytest.mark.parametrize('height, ap, expected', [
    (200, {
        1: .4,
        2: .5,
        .5: .1
    }, 2),
    (200, {
        1: .5,
        2: .5,
        .5: .1
    }, 1),
    (200, {
        1: 0.,
        2: 0.,
        .5: 0.
    }, .5),
    (80, {
        .5: .3,
        1: .3,
        2: .3
    }, 1),
    (20, {
        .5: math.nan,
        1: math.nan,
        2: math.nan
    }, 2),
    (200, {
        1: math.nan,
        2: math.nan
    }, 1),
])
def test_the_rule_decides_between_equals(height, ap, expected):
    assert best_scale(height, ap) == expected


@pytest.mark.parametrize('scales', [(), (0., 1.), (1., math.inf)])
def test_bad_scales(scales):
    with pytest.raises(ValueError, match='scales above 0'):
        study_template_scales({scale: {}
                               for scale in scales}, TRUTH, 'all', SIZES)
