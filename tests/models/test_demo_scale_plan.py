"""The demo's scales of Finding Tiny Faces, by hand."""
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmdet.registry import TASK_UTILS

from tinyfaces.models.test_time import DemoScalePlan


def sizes(width, height, **kwargs):
    return [view[:2] for view in DemoScalePlan(**kwargs)(width, height)]


def test_a_common_picture():
    """log2(82 / 1024) = -3.64, log2(110 / 768) = -2.80: from -4 on."""
    assert sizes(1024, 768) == [(64, 48), (128, 96), (256, 192), (512, 384),
                                (1024, 768), (1448, 1086), (2048, 1536)]
    # -2.04 and -3.22: now it is the height.
    assert sizes(337, 1024) == [(21, 64), (42, 128), (84, 256), (169, 512),
                                (337, 1024), (477, 1448), (674, 2048)]


def test_a_side_that_would_be_too_long():
    """log2(5000 / 3000) = 0.74 leaves out 2; 1 is looked at in any case."""
    assert sizes(3000, 2000) == [(47, 31), (94, 63), (188, 125), (375, 250),
                                 (750, 500), (1500, 1000), (3000, 2000),
                                 (4243, 2828)]
    assert sizes(2500, 100)[-1] == (5000, 200)
    assert sizes(2501, 100)[-1] == (3537, 141)
    assert sizes(10, 6000)[-2:] == [(5, 3000), (10, 6000)]
    assert sizes(6000, 10)[0] == (47, 1)


def test_pictures_smaller_than_a_face():
    """m is 1 for up to half the template: neither smaller nor as it is."""
    assert sizes(41, 55) == [(58, 78), (82, 110)]
    assert sizes(42, 55) == [(42, 55), (59, 78), (84, 110)]
    assert sizes(41, 56) == [(41, 56), (58, 79), (82, 112)]
    assert sizes(1, 1) == [(1, 1), (2, 2)]


def test_views_are_whole_pictures_for_all_sizes():
    for view in DemoScalePlan()(640, 480):
        assert view[2:] == (False, -math.inf, math.inf)


def test_arguments():
    plan = TASK_UTILS.build(
        dict(type='DemoScalePlan', template_size=(50, 60), max_side=150))
    # log2(50 / 120) = -1.26, log2(60 / 80) = -0.42, log2(150 / 120) = 0.32
    assert [view[:2] for view in plan(120, 80)] == [(30, 20), (60, 40),
                                                    (120, 80)]
    for wrong in (dict(template_size=(0, 110)), dict(max_side=109)):
        with pytest.raises(ValueError, match='template_size is .* max_side'):
            DemoScalePlan(**wrong)


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 20000), st.integers(1, 20000))
def test_rules(width, height):
    """The smallest copy fits the template, and twice it would not."""
    found = sizes(width, height)
    assert found and min(map(min, found)) >= 1
    smallest = found[0] if min(width / 82, height / 110) > .5 else None
    if smallest is not None and min(smallest) > 9:
        assert smallest[0] <= 82.5 and smallest[1] <= 110.5
        assert smallest[0] > 40 or smallest[1] > 54
    larger = [size for size in found if size > (width, height)]
    assert all(max(size) <= 5000.5 for size in larger)
    longer = max(width, height)
    assert ((2 * width, 2 * height) in larger) == (longer <= 2500)
    # A side of one pixel times 1.41 is one pixel.
    assert len(larger) == (longer <= 2500) + (1 < longer <= 5000 / 2**.5)
