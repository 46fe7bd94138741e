"""Plans of scales, by hand."""
import math

import pytest
import torch
from mmdet.registry import TASK_UTILS

from tinyfaces.models.test_time import BudgetScalePlan, ScalePlan, View


def test_budget_of_a_vga_picture():
    """1400^2 / (640 * 480) = 6.38: 1.5^2 fits, 1.5^3 does not; root 2.526."""
    small = dict(below=100.)
    assert BudgetScalePlan(max_size=1400)(640, 480) == [
        View(640, 480),
        View(640, 480, flip=True),
        View(320, 240, above=30.),
        View(960, 720, **small),
        View(1440, 1080, **small),
        View(1617, 1212, **small),
    ]


def test_budget_of_a_picture_of_1024x768():
    """1400^2 / (1024 * 768) = 2.49: 1.5 fits; root 1.5787."""
    assert BudgetScalePlan()(1024, 768) == [
        View(1024, 768),
        View(1024, 768, flip=True),
        View(512, 384, above=30.),
        View(1536, 1152, below=100.),
        View(1617, 1212, below=100.),
    ]


def test_budget_of_a_picture_above_it():
    """sqrt(1400^2 / (2000 * 1500)) = 0.80829, times 0.75, times 0.5."""
    assert BudgetScalePlan()(2000, 1500) == [
        View(1617, 1212),
        View(1617, 1212, flip=True),
        View(1212, 909, above=30.),
        View(808, 606, above=30.),
    ]


def test_larger_budget():
    """2100^2 / (640 * 480) = 14.36: 1.5^3 fits; root 3.789."""
    sides = [view.width for view in BudgetScalePlan(2100)(640, 480)]
    assert sides == [640, 640, 320, 960, 1440, 2160, 2425]


def test_no_copy_twice():
    """1.5 is the largest scale, or it is 1: neither is looked at twice."""
    assert [view.width
            for view in BudgetScalePlan(150)(100, 100)] == [100, 100, 50, 150]
    # 1000 / sqrt(1414 * 707) = 1.00015
    assert BudgetScalePlan(1000)(1414, 707) == [
        View(1414, 707),
        View(1414, 707, flip=True),
        View(707, 354, above=30.),
    ]
    assert [view.width for view in BudgetScalePlan(1000)(1000, 1000)
            ] == [1000, 1000, 750, 500]


def test_budget_options():
    views = BudgetScalePlan(
        400, step=2, above=10, below=50, flip=False)(100, 100)
    assert views == [
        View(100, 100),
        View(50, 50, above=10),
        View(200, 200, below=50),
        View(400, 400, below=50)
    ]


def test_views_have_pixels_and_stay_within_the_budget():
    for size in [(1, 1), (1, 3000), (4999, 7), (1399, 1400), (5000, 5000)]:
        views = BudgetScalePlan(1400)(*size)
        assert all(view.width >= 1 and view.height >= 1 for view in views)
        # Half a pixel may be added to each side.
        limit = max(1400**2 + sum(views[0][:2]) + sum(views[-1][:2]), 1)
        assert all(view.width * view.height <= limit for view in views)


def test_sizes_a_view_is_for():
    """Longer side above 30, shorter side below 100; neither inclusive."""
    boxes = torch.tensor([[0, 0, 30, 10], [0, 0, 10, 31], [5, 5, 105, 405],
                          [5, 5, 104, 405], [7, 7, 7, 7]])
    assert View(1, 1).keeps(boxes).tolist() == [True] * 5
    assert View(1, 1, above=30).keeps(boxes).tolist() == [0, 1, 1, 1, 0]
    assert View(1, 1, below=100).keeps(boxes).tolist() == [1, 1, 0, 1, 1]
    assert View(1, 1).keeps(torch.zeros(0, 4)).shape == (0, )


def test_list_of_scales():
    """The pyramid of Finding Tiny Faces: no double size above 5,000."""
    plan = TASK_UTILS.build(
        dict(
            type='ScalePlan',
            scales=[
                dict(scale=.5, above=20),
                dict(scale=1, flip=True),
                dict(scale=2, below=60, max_side=5000)
            ]))
    assert plan(2500, 1001) == [
        View(1250, 501, above=20),
        View(2500, 1001),
        View(2500, 1001, flip=True),
        View(5000, 2002, below=60),
    ]
    assert [view.width for view in plan(2501, 1001)] == [1251, 2501, 2501]


def test_copies_shrunk_to_fit():
    """Group Sampling's pyramid: no side above 3,000, and nothing twice."""
    plan = ScalePlan(
        [dict(scale=s, fit_side=3000, flip=s == 2) for s in (.5, 1, 2)])
    assert plan(1500, 1000) == [
        View(750, 500),
        View(1500, 1000),
        View(3000, 2000),
        View(3000, 2000, flip=True),
    ]
    # 2 becomes 3000 / 1536, 1.953.
    assert [view[:2] for view in plan(1024, 1536)] == [(512, 768),
                                                       (1024, 1536),
                                                       (2000, 3000),
                                                       (2000, 3000)]
    # 1 and 2 become 3/4, and of 7,000 pixels all three 3/7.
    assert plan(4000, 3000) == [
        View(2000, 1500),
        View(3000, 2250),
        View(3000, 2250, flip=True),
    ]
    assert plan(7000, 1) == [View(3000, 1), View(3000, 1, flip=True)]


def test_equal_copies_for_other_sizes_are_kept():
    plan = ScalePlan([dict(scale=1, above=9), dict(scale=2, fit_side=5)])
    assert plan(5, 4) == [View(5, 4, above=9), View(5, 4)]


@pytest.mark.parametrize('width', [1, 2999, 3001, 4097, 5003, 98765])
def test_longer_side_fits_to_the_pixel(width):
    plan = ScalePlan([dict(scale=1.9, fit_side=3000)])
    for size in (width, 17), (17, width):
        view, = plan(*size)
        assert max(view[:2]) == min(3000, int(1.9 * max(size) + .5))


def test_default_list_is_the_original():
    assert ScalePlan()(31, 17) == [View(31, 17, False, -math.inf, math.inf)]


@pytest.mark.parametrize('scales, error', [
    ([], 'without max_side'),
    ([dict(scale=1, max_side=9)], 'without max_side'),
    ([dict(scale=0)], 'no scale of a plan'),
    ([dict(flip=True)], 'no scale of a plan'),
    ([dict(scale=1, bellow=9)], 'no scale of a plan'),
    ([dict(scale=1, fit_side=0)], 'at least 1 as fit_side'),
    ([dict(scale=1), dict(scale=2, fit_side=9, max_side=9)], 'not with max'),
])
def test_wrong_lists(scales, error):
    with pytest.raises(ValueError, match=error):
        ScalePlan(scales)


@pytest.mark.parametrize('kwargs', [dict(max_size=0), dict(step=1)])
def test_wrong_budgets(kwargs):
    with pytest.raises(ValueError, match='max_size is .* step is'):
        BudgetScalePlan(**kwargs)
