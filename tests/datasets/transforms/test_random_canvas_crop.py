"""``RandomCanvasCrop``: geometry against brute force, and the edge cases."""
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmcv.transforms.utils import cache_random_params
from mmdet.datasets.transforms import PackDetInputs
from mmdet.structures.bbox import HorizontalBoxes

from tinyfaces.datasets.transforms import RandomCanvasCrop

PAD = -5.


def sample(height, width, boxes=(), ignored=None):
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


SIDES = st.integers(1, 50)
BOX = st.tuples(
    st.integers(-10, 50), st.integers(-10, 50), st.integers(0, 30),
    st.integers(0, 30)).map(lambda b: [b[0], b[1], b[0] + b[2], b[1] + b[3]])


@settings(max_examples=120, deadline=None)
@given(
    size=st.tuples(SIDES, SIDES),
    crop_size=st.tuples(SIDES, SIDES),
    faces=st.lists(st.tuples(BOX, st.booleans()), max_size=5),
    min_visible=st.sampled_from([0., .3, .5, 1.]),
    cut_faces=st.sampled_from(['drop', 'ignore']),
    seed=st.integers(0, 2**16))
def test_geometry(size, crop_size, faces, min_visible, cut_faces, seed):
    np.random.seed(seed)
    boxes = [box for box, _ in faces]
    ignored = [flag for _, flag in faces]
    crop = RandomCanvasCrop(
        crop_size, min_visible, pad_value=PAD, cut_faces=cut_faces)
    out = crop(sample(*size, boxes, ignored))
    assert out['img'].shape[:2] == out['img_shape'] == crop_size

    # Inside the valid area every pixel of a row and column lies beside its
    # neighbour of the picture; outside there is only the colour.
    x1, y1, x2, y2 = (int(v) for v in out['valid_area'])
    assert out['valid_area'].dtype == np.float32
    assert (y2 - y1, x2 - x1) == tuple(map(min, size, crop_size))
    rows, columns = np.mgrid[:crop_size[0], :crop_size[1]]
    inside = (rows >= y1) & (rows < y2) & (columns >= x1) & (columns < x2)
    assert (out['img'][~inside] == PAD).all()
    top, left = (rows[y1, x1], columns[y1, x1]) - out['img'][y1, x1]
    np.testing.assert_array_equal(
        out['img'][inside],
        np.stack([rows - top, columns - left], axis=-1)[inside])

    # Its faces, one by one; left and top are now what is added.
    expected = []
    for label, (a, b, c, d) in enumerate(boxes):
        full = (c - a) * (d - b)
        a, c = (min(max(x + left, x1), x2) for x in (a, c))
        b, d = (min(max(y + top, y1), y2) for y in (b, d))
        visible = (c - a) * (d - b)
        enough = visible > 0 and visible >= min_visible * full
        ignore = ignored[label] or cut_faces == 'ignore'
        if enough or (visible > 0 and ignore):
            expected.append((label, [a, b, c, d], ignored[label]
                             or not enough))
    assert out['gt_bboxes_labels'].tolist() == [e[0] for e in expected]
    assert out['gt_bboxes'].tensor.tolist() == [e[1] for e in expected]
    assert out['gt_ignore_flags'].tolist() == [e[2] for e in expected]

    # The matrix takes the old corner to the new one.
    np.testing.assert_array_equal(out['homography_matrix'] @ [0, 0, 1],
                                  [left, top, 1])


def test_exactly_the_least_part_stays():
    """Of 10 columns 3 are visible, or 2."""
    crop = RandomCanvasCrop((20, 20), pad_value=0)
    for x, kept in ((-7, 1), (-8, 0)):
        out = crop(sample(20, 20, [[x, 0, x + 10, 10]]))
        assert len(out['gt_bboxes']) == kept


def test_what_is_left_of_an_ignored_face_stays_ignored():
    """Of 10 columns 2 are visible, or none."""
    crop = RandomCanvasCrop((20, 20), pad_value=0)
    out = crop(
        sample(20, 20, [[-8, 0, 2, 10], [-8, 5, 2, 15], [-12, 0, -2, 10]],
               [True, False, True]))
    assert out['gt_bboxes'].tensor.tolist() == [[0, 0, 2, 10]]
    assert out['gt_ignore_flags'].tolist() == [True]


def test_all_positions_are_drawn_alike():
    """Rows are cut (0 to 4 of them above), columns padded (0 to 4)."""
    np.random.seed(0)
    crop = RandomCanvasCrop((6, 9), pad_value=PAD)
    counts = np.zeros((5, 5))
    for _ in range(1000):
        out = crop(sample(10, 5))
        left = int(out['valid_area'][0])
        counts[int(out['img'][0, left, 0]), left] += 1
    # 40 each; 5 standard deviations of a binomial
    assert abs(counts - 40).max() < 31


@pytest.mark.parametrize('order, expected', [('bgr', [30, 20, 11]),
                                             ('rgb', [11, 20, 30])])
def test_colour(order, expected):
    """Red 10.6 is rounded in a uint8 picture."""
    crop = RandomCanvasCrop((4, 4),
                            pad_value=(10.6, 20, 30),
                            channel_order=order)
    out = crop(dict(img=np.zeros((2, 4, 3), np.uint8)))
    assert out['img'].dtype == np.uint8
    assert sorted(map(tuple,
                      out['img'][:,
                                 0].tolist())) == sorted(2 * [(0, 0, 0)] +
                                                         2 * [tuple(expected)])
    assert 'gt_bboxes' not in out and 'gt_ignore_flags' not in out
    out = crop(dict(img=np.zeros((2, 4, 3), np.float32)))
    assert out['img'].max(axis=(0, 1)).tolist() == pytest.approx(
        [x if x != 11 else 10.6 for x in expected])


def test_the_default_colour_is_zero_to_the_network():
    """ImageNet's mean, which the data preprocessor subtracts."""
    out = RandomCanvasCrop((8, 8))(dict(img=np.zeros((1, 1, 3), np.float32)))
    corner = max(out['img'].reshape(-1, 3).tolist())
    assert corner == pytest.approx([103.53, 116.28, 123.675])


def test_grey_picture():
    out = RandomCanvasCrop((4, 5), pad_value=7)(
        dict(img=np.zeros((2, 2), np.uint8)))
    assert out['img'].shape == (4, 5)
    assert (out['img'] == 7).sum() == 16
    with pytest.raises(ValueError, match='one channel'):
        RandomCanvasCrop((4, 5))(dict(img=np.zeros((2, 2), np.uint8)))


def test_the_picture_is_not_a_view():
    image = np.zeros((4, 4, 3), np.uint8)
    out = RandomCanvasCrop((2, 2))(dict(img=image))
    out['img'] += 1
    assert not image.any()


def test_plain_arrays_without_flags():
    boxes = np.array([[1, 1, 5, 5], [-9, 2, 1, 9]], np.float32)
    for cut_faces, kept in (('drop', [7]), ('ignore', [7, 8])):
        out = RandomCanvasCrop((10, 10), cut_faces=cut_faces)(
            dict(
                img=np.zeros((10, 10, 3)),
                gt_bboxes=boxes.copy(),
                gt_instances_ids=np.array([7, 8])))
        assert isinstance(out['gt_bboxes'], np.ndarray)
        assert out['gt_instances_ids'].tolist() == kept
        assert out['gt_bboxes'].tolist() == [[1, 1, 5, 5], [0, 2, 1,
                                                            9]][:len(kept)]
        flags = out.get('gt_ignore_flags')
        assert flags is None if cut_faces == 'drop' else flags.tolist() == [
            False, True
        ]


def test_randomness_can_be_cached():
    np.random.seed(0)
    crop = RandomCanvasCrop((30, 200), pad_value=0)
    with cache_random_params(crop):
        first, second = (crop(sample(90, 120))['img'] for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_matrices_multiply():
    results = sample(10, 10)
    results['homography_matrix'] = np.diag([2., 2., 1.]).astype(np.float32)
    out = RandomCanvasCrop((10, 10), pad_value=0)(results)
    np.testing.assert_array_equal(out['homography_matrix'],
                                  np.diag([2., 2., 1.]))


def test_the_valid_area_reaches_the_head():
    crop = RandomCanvasCrop((8, 6), pad_value=0)
    packed = PackDetInputs(meta_keys=('valid_area', 'img_shape'))(
        crop(sample(8, 6, [[0, 0, 4, 4]])))
    meta = packed['data_samples'].metainfo
    assert meta['valid_area'].tolist() == [0, 0, 6, 8]
    assert meta['img_shape'] == (8, 6)


@pytest.mark.parametrize('arguments, message', [
    (dict(crop_size=(0, 5)), 'crop_size must be'),
    (dict(crop_size=(5, )), 'crop_size must be'),
    (dict(min_visible=1.1), 'min_visible must be'),
    (dict(min_visible=-.1), 'min_visible must be'),
    (dict(pad_value=(1, 2)), 'pad_value must be'),
    (dict(channel_order='gbr'), 'channel_order must be'),
    (dict(cut_faces='keep'), 'cut_faces must be'),
])
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        RandomCanvasCrop(**arguments)


def test_masks():
    with pytest.raises(
            ValueError, match='RandomCanvasCrop cannot crop gt_masks'):
        RandomCanvasCrop()(dict(sample(9, 9), gt_masks=np.zeros((1, 9, 9))))
