"""``IgnoreSmallFaces``: the limit is that of the shorter side."""
import numpy as np
import pytest
import torch
from mmdet.structures.bbox import HorizontalBoxes

from tinyfaces.datasets.transforms import IgnoreSmallFaces

BOXES = [[0, 0, 8, 8], [0, 0, 7.9, 20], [0, 0, 20, 7.9], [5, 5, 30, 30]]


@pytest.mark.parametrize('as_array', [False, True])
def test_limit(as_array):
    boxes = np.array(
        BOXES, dtype=np.float32) if as_array else (HorizontalBoxes(
            torch.tensor(BOXES)))
    results = IgnoreSmallFaces(8)(
        dict(gt_bboxes=boxes, gt_ignore_flags=np.array([0, 0, 0, 1], bool)))
    assert results['gt_ignore_flags'].tolist() == [False, True, True, True]
    assert results['gt_ignore_flags'].dtype == bool
    assert len(results['gt_bboxes']) == 4


def test_no_faces_and_no_limit():
    empty = dict(
        gt_bboxes=HorizontalBoxes(torch.zeros(0, 4)),
        gt_ignore_flags=np.zeros(0, bool))
    assert IgnoreSmallFaces(8)(empty)['gt_ignore_flags'].shape == (0, )
    results = dict(
        gt_bboxes=HorizontalBoxes(torch.tensor(BOXES)),
        gt_ignore_flags=np.zeros(4, bool))
    assert not IgnoreSmallFaces(0)(results)['gt_ignore_flags'].any()
    with pytest.raises(ValueError, match='at least 0'):
        IgnoreSmallFaces(-1)
