"""select_proposals by hand."""
import pytest
import torch
from mmengine.structures import InstanceData

from tinyfaces.models.roi_heads import select_proposals

OPTIONS = dict(num_samples=4, nms_pre=100, nms_iou_thr=.7)


def boxes(*corners, size=10., **fields):
    """Squares with these x1; all have y1 = 0."""
    x1 = torch.tensor(corners, dtype=torch.float32)
    zero = torch.zeros_like(x1)
    return InstanceData(
        bboxes=torch.stack([x1, zero, x1 + size, zero + size], dim=1),
        **{
            name: torch.tensor(value)
            for name, value in fields.items()
        })


def proposals(count, offset=1000., step=20.):
    """Apart from each other, of falling scores, on levels 0, 1, 2, 0 ..."""
    return boxes(
        *[offset + step * i for i in range(count)],
        scores=[1 - i / count for i in range(count)],
        levels=[i % 3 for i in range(count)])


FACES = boxes(0., 50., levels=[2, 1])
NO_FACES = FACES[:0]


def test_faces_first_then_the_best():
    shuffled = proposals(8)[torch.tensor([3, 1, 7, 0, 2, 5, 4, 6])]
    result = select_proposals(shuffled, FACES, **OPTIONS)
    assert result.bboxes[:, 0].tolist() == [0, 50, 1000, 1020]
    assert result.levels.tolist() == [2, 1, 0, 1]


def test_nms_over_all_levels():
    """IoU 9 / 11 goes, 8 / 12 stays; a face drops nothing."""
    result = select_proposals(
        boxes(0., 1., 2., scores=[.9, .8, .7], levels=[0, 1, 2]), FACES,
        **OPTIONS)
    assert result.bboxes[:, 0].tolist() == [0, 50, 0, 2]
    assert result.levels.tolist() == [2, 1, 0, 2]


def test_nms_sees_the_best_only():
    """The two best overlap, so that one of nms_pre = 2 is left."""
    result = select_proposals(
        boxes(0., 1., 40., scores=[.9, .8, .7], levels=[0, 1, 2]), NO_FACES,
        **dict(OPTIONS, nms_pre=2))
    assert result.bboxes[:, 0].tolist() == [0]


def test_random_selection():
    torch.manual_seed(0)
    seen = set()
    for _ in range(60):
        result = select_proposals(
            proposals(6), FACES, **OPTIONS, selection='random')
        assert result.bboxes[:2, 0].tolist() == [0, 50]
        index = (result.bboxes[2:, 0] - 1000) / 20
        assert result.levels[2:].tolist() == (index % 3).tolist()
        assert len(set(index.tolist())) == 2
        seen.update(index.tolist())
    assert seen == set(range(6))


def test_more_faces_than_samples():
    torch.manual_seed(0)
    faces = boxes(*range(0, 300, 30), levels=list(range(10)))
    seen = set()
    for _ in range(60):
        result = select_proposals(proposals(6), faces, **OPTIONS)
        index = result.bboxes[:, 0] / 30
        assert index.tolist() == result.levels.tolist()
        assert len(set(index.tolist())) == 4
        seen.update(index.tolist())
    assert seen == set(range(10))


def test_boxes_without_area_are_left_out():
    flat = proposals(3)
    flat.bboxes[0, 2] = flat.bboxes[0, 0]
    flat.bboxes[1, 3] = -5
    faces = boxes(0., 50., levels=[2, 1])
    faces.bboxes[0, 3] = 0
    result = select_proposals(flat, faces, **OPTIONS)
    assert result.bboxes[:, 0].tolist() == [50, 1040]


@pytest.mark.parametrize('faces', [FACES, NO_FACES])
@pytest.mark.parametrize('count', [0, 1])
@pytest.mark.parametrize('selection', ['top', 'random'])
def test_few(faces, count, selection):
    result = select_proposals(
        proposals(1)[:count], faces, **OPTIONS, selection=selection)
    assert len(result) == len(faces) + count
    assert result.bboxes.shape[1] == 4
    assert result.levels.dtype == torch.long


def test_half_precision():
    half = proposals(4, offset=0.)
    half.bboxes, half.scores = half.bboxes.half(), half.scores.half()
    result = select_proposals(half, FACES[:1], **OPTIONS)
    assert result.bboxes.dtype == torch.float32
    assert result.bboxes[:, 0].tolist() == [0, 0, 20, 40]
