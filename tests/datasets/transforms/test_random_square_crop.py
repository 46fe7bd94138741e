"""``RandomSquareCrop``: geometry against brute force, and the edge cases."""
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmcv.transforms.utils import cache_random_params
from mmdet.structures.bbox import HorizontalBoxes

from tinyfaces.datasets.transforms import RandomSquareCrop


def sample(height, width, boxes, ignored=None):
    """A picture whose pixels say where they are, with labels 0, 1, 2..."""
    rows, columns = np.mgrid[:height, :width]
    boxes = torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)
    return dict(
        img=np.dstack([rows, columns]).astype(np.float32),
        img_shape=(height, width),
        gt_bboxes=HorizontalBoxes(boxes),
        gt_bboxes_labels=np.arange(len(boxes)),
        gt_ignore_flags=np.array(
            ignored if ignored is not None else [False] * len(boxes), bool))


SIDES = st.integers(1, 60)
BOX = st.tuples(
    st.integers(-10, 60), st.integers(-10, 60), st.integers(1, 30),
    st.integers(1, 30)).map(lambda b: [b[0], b[1], b[0] + b[2], b[1] + b[3]])


@settings(max_examples=100, deadline=None)
@given(
    height=SIDES,
    width=SIDES,
    faces=st.lists(st.tuples(BOX, st.booleans()), max_size=5),
    cut_faces=st.sampled_from(['ignore', 'drop']),
    seed=st.integers(0, 2**16))
def test_geometry(height, width, faces, cut_faces, seed):
    np.random.seed(seed)
    boxes = [box for box, _ in faces]
    ignored = [flag for _, flag in faces]
    crop = RandomSquareCrop(cut_faces=cut_faces, allow_negative_crop=True)
    out = crop(sample(height, width, boxes, ignored))

    # A square piece of the picture, of an allowed size.
    side = out['img'].shape[0]
    assert out['img'].shape[:2] == out['img_shape'] == (side, side)
    short = min(height, width)
    assert max(1, int(.5 * short + .5)) <= side <= short
    top, left = out['img'][0, 0].astype(int)
    np.testing.assert_array_equal(out['img'][-1, -1],
                                  [top + side - 1, left + side - 1])

    # Its faces, one by one.
    expected = []
    for label, (x1, y1, x2, y2) in enumerate(boxes):
        inside = (
            left <= (x1 + x2) / 2 < left + side and top <=
            (y1 + y2) / 2 < top + side)
        x1, x2 = (min(max(x - left, 0), side) for x in (x1, x2))
        y1, y2 = (min(max(y - top, 0), side) for y in (y1, y2))
        visible = x2 > x1 and y2 > y1
        if inside or (visible and cut_faces == 'ignore'):
            expected.append((label, [x1, y1, x2, y2], ignored[label]
                             or not inside))
    assert out['gt_bboxes_labels'].tolist() == [e[0] for e in expected]
    assert out['gt_bboxes'].tensor.tolist() == [e[1] for e in expected]
    assert out['gt_ignore_flags'].tolist() == [e[2] for e in expected]

    # The matrix takes the old corner to the new one.
    np.testing.assert_array_equal(out['homography_matrix'] @ [left, top, 1],
                                  [0, 0, 1])


def test_patch_sizes_follow_the_paper():
    """Half of the patches have the full side, the others U[.5, 1] of it."""
    np.random.seed(0)
    crop = RandomSquareCrop()
    sides = np.array([
        crop(sample(200, 300, [[0, 0, 300, 200]]))['img'].shape[0]
        for _ in range(600)
    ])
    assert sides.min() >= 100 and sides.max() == 200
    # 5 standard deviations of a binomial, and of a uniform mean
    assert abs((sides == 200).mean() - .5) < .11
    assert abs(sides[sides < 200].mean() - 150) < 9


def test_ratios():
    np.random.seed(0)
    crop = RandomSquareCrop(ratios=[.25])
    assert {
        crop(sample(80, 100, [[0, 0, 100, 80]]))['img'].shape[:2]
        for _ in range(20)
    } == {(20, 20)}


def test_it_looks_for_a_face():
    """Only 1 of 100 positions holds the face; ignored ones do not count."""
    np.random.seed(0)
    crop = RandomSquareCrop(ratios=[1.], max_tries=5000)
    boxes = [[0, 4, 1, 5], [50, 4, 51, 5]]
    for _ in range(5):
        out = crop(sample(10, 109, boxes, [False, True]))
        assert 0 in out['gt_bboxes_labels']


@pytest.mark.parametrize('boxes, ignored', [([], []), ([[2, 2, 6, 6]], [1])])
def test_no_face_to_train_on(boxes, ignored):
    assert RandomSquareCrop()(sample(20, 20, boxes, ignored)) is None
    out = RandomSquareCrop(
        ratios=[1.], allow_negative_crop=True)(
            sample(20, 20, boxes, ignored))
    assert out['img'].shape[:2] == (20, 20)
    assert out['gt_bboxes'].tensor.tolist() == boxes
    assert out['gt_ignore_flags'].tolist() == [bool(i) for i in ignored]


def test_picture_without_annotations():
    out = RandomSquareCrop(ratios=[.5])(dict(img=np.zeros((8, 10, 3))))
    assert out['img'].shape == (4, 4, 3)
    assert 'gt_bboxes' not in out and 'gt_ignore_flags' not in out


def test_plain_arrays_without_flags():
    np.random.seed(0)
    results = dict(
        img=np.zeros((10, 10, 3)),
        gt_bboxes=np.array([[1, 1, 5, 5], [2, 2, 9, 9]], np.float32),
        gt_instances_ids=np.array([7, 8]))
    out = RandomSquareCrop(ratios=[1.])(results)
    assert isinstance(out['gt_bboxes'], np.ndarray)
    assert out['gt_bboxes'].tolist() == [[1, 1, 5, 5], [2, 2, 9, 9]]
    assert out['gt_ignore_flags'].tolist() == [False, False]
    assert out['gt_instances_ids'].tolist() == [7, 8]


def test_randomness_can_be_cached():
    np.random.seed(0)
    crop = RandomSquareCrop()
    with cache_random_params(crop):
        first, second = (
            crop(sample(90, 120, [[0, 0, 120, 90]]))['img'] for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_matrices_multiply():
    results = sample(10, 10, [[0, 0, 10, 10]])
    results['homography_matrix'] = np.diag([2., 2., 1.]).astype(np.float32)
    out = RandomSquareCrop(ratios=[1.])(results)
    np.testing.assert_array_equal(out['homography_matrix'],
                                  np.diag([2., 2., 1.]))


def test_bad_input():
    for ratios in ((), (0, ), (1.5, ), ((.9, .5), ), ((.1, .2, .3), )):
        with pytest.raises(ValueError, match='ratios must hold'):
            RandomSquareCrop(ratios=ratios)
    with pytest.raises(ValueError, match='cut_faces must be'):
        RandomSquareCrop(cut_faces='keep')
    with pytest.raises(ValueError, match='max_tries'):
        RandomSquareCrop(max_tries=0)
    with pytest.raises(ValueError, match='cannot crop gt_masks'):
        RandomSquareCrop()(
            dict(sample(9, 9, [[0, 0, 9, 9]]), gt_masks=np.zeros((1, 9, 9))))
