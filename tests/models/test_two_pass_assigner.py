"""TwoPassAssigner by hand and against section 4.1 of Group Sampling."""
import subprocess
import sys
import textwrap
from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmdet.models.task_modules.assigners import MaxIoUAssigner
from mmdet.registry import TASK_UTILS
from mmdet.structures.bbox import HorizontalBoxes
from mmengine.structures import InstanceData

from tinyfaces.models import StreamingMaxIoUAssigner, TwoPassAssigner


def priors_of(boxes):
    return InstanceData(priors=torch.tensor(boxes).float().reshape(-1, 4))


def faces_of(boxes, labels=None):
    return InstanceData(
        bboxes=torch.tensor(boxes).float().reshape(-1, 4),
        labels=torch.tensor(labels or [0] * len(boxes), dtype=torch.long))


def intersection(box, other):
    width = min(box[2], other[2]) - max(box[0], other[0])
    height = min(box[3], other[3]) - max(box[1], other[1])
    return max(width, 0) * max(height, 0)


def area(box):
    return (box[2] - box[0]) * (box[3] - box[1])


def transcription(anchors, faces, ignored, thresholds, all_matches):
    """Section 4.1 with the whole matrix M, in exact fractions.

    Returns the number of each anchor's face (from 1), 0 for L(i) = 0 and -1
    for L(i) = -1, and how many anchors the second pass added.
    """
    lambda_1, lambda_2 = thresholds
    matrix = [[
        Fraction(inter := intersection(anchor, face),
                 area(anchor) + area(face) - inter) for face in faces
    ] for anchor in anchors]
    # Anchors more than half in an ignored face take no part.
    usable = [
        all(intersection(anchor, box) * 2 <= area(anchor) for box in ignored)
        for anchor in anchors
    ]
    # First pass
    result = []
    for row, use in zip(matrix, usable):
        highest = max(row, default=Fraction(0))
        if not use:
            result.append(-1)
        elif highest >= lambda_1:
            result.append(row.index(highest) + 1)
        elif highest >= lambda_2:
            result.append(-1)
        else:
            result.append(0)
    # Second pass
    added = 0
    for j in range(len(faces)):
        if j + 1 in result:
            continue
        candidates = [
            i for i, row in enumerate(matrix) if usable[i]
            and result[i] <= 0  # 1) not matched to any other face
            and row[j] >= lambda_2  # 2)
            and row.index(max(row)) == j  # 3)
        ]
        if not all_matches and candidates:
            candidates = [max(candidates, key=lambda i: matrix[i][j])]
        for i in candidates:
            result[i] = j + 1
        added += len(candidates)
    return result, added


def random_boxes(generator, count, span=30):
    corner = torch.randint(0, span, (count, 2), generator=generator)
    size = torch.randint(4, 14, (count, 2), generator=generator)
    return torch.cat([corner, corner + size], dim=1).tolist()


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    anchors=st.integers(1, 50),
    faces=st.integers(0, 7),
    ignored=st.integers(0, 2),
    span=st.sampled_from([6, 30]),
    thresholds=st.sampled_from([('.6', '.4'), ('.5', '.5'), ('.8', '.2')]),
    max_pairs=st.sampled_from([1, 70, 10**6]),
    all_matches=st.booleans())
def test_equals_the_transcription(seed, anchors, faces, ignored, span,
                                  thresholds, max_pairs, all_matches):
    generator = torch.Generator().manual_seed(seed)
    anchors = random_boxes(generator, anchors, span)
    faces = random_boxes(generator, faces, span)
    ignored = random_boxes(generator, ignored, span)
    thresholds = [Fraction(number) for number in thresholds]
    wanted, _ = transcription(anchors, faces, ignored, thresholds, all_matches)
    labels = [i % 3 for i in range(len(faces))]
    assigner = TwoPassAssigner(
        *map(float, thresholds),
        all_matches=all_matches,
        ignore_iof_thr=.5,
        max_pairs=max_pairs)
    result = assigner.assign(
        priors_of(anchors), faces_of(faces, labels), faces_of(ignored))
    assert result.gt_inds.tolist() == wanted
    assert result.labels.tolist() == [
        labels[face - 1] if face > 0 else -1 for face in wanted
    ]
    assert result.num_gts == len(faces)


def test_random_boxes_need_the_second_pass():
    """The test above is about it, in both modes."""
    added = {False: 0, True: 0}
    for seed in range(60):
        generator = torch.Generator().manual_seed(seed)
        anchors = random_boxes(generator, 40)
        faces = random_boxes(generator, 5)
        for all_matches in added:
            added[all_matches] += transcription(
                anchors, faces, [], [Fraction(3, 5), Fraction(2, 5)],
                all_matches)[1]
    assert added[False] > 40
    assert added[True] > 1.3 * added[False]


# IoU with the face of 10 x 10 at the origin: 1/2, 9/20, 1/2, 2/5, 3/8, 0.
ANCHORS = [[0, 0, 10, 5], [0, 0, 10, 4.5], [0, 5, 10, 10], [0, 0, 10, 4],
           [0, 0, 10, 3.75], [50, 50, 60, 60]]
FACE = [0, 0, 10, 10]


@pytest.mark.parametrize('all_matches, wanted',
                         [(False, [1, -1, -1, -1, 0, 0]),
                          (True, [1, 1, 1, 1, 0, 0])])
def test_second_pass_by_hand(all_matches, wanted):
    """Lambda 2 itself is enough; of two equals the first is taken."""
    result = TwoPassAssigner(all_matches=all_matches).assign(
        priors_of(ANCHORS), faces_of([FACE]))
    assert result.gt_inds.tolist() == wanted
    assert result.max_overlaps.tolist() == pytest.approx(
        [.5, .45, .5, .4, .375, 0])


@pytest.mark.parametrize('all_matches', [False, True])
def test_matched_face_gets_no_more(all_matches):
    result = TwoPassAssigner(all_matches=all_matches).assign(
        priors_of([*ANCHORS, [0, 0, 10, 6]]), faces_of([FACE]))
    assert result.gt_inds.tolist() == [-1, -1, -1, -1, 0, 0, 1]


@pytest.mark.parametrize('all_matches', [False, True])
def test_face_that_is_no_anchors_first_choice(all_matches):
    """Condition 3: all anchors over the smaller face prefer the larger one,
    which takes what it may; the smaller one stays without."""
    faces = faces_of([FACE, [0, 0, 10, 2]])
    priors = priors_of([[0, 0, 10, 5], [0, 0, 10, 9]])
    assigner = TwoPassAssigner(all_matches=all_matches)
    assert assigner.assign(priors, faces).gt_inds.tolist() == [-1, 1]
    # MMDetection's second pass takes the anchor, at an IoU of .4.
    theirs = MaxIoUAssigner(.6, .4, min_pos_iou=.4)
    assert theirs.assign(priors, faces).gt_inds.tolist() == [2, 1]


def test_face_below_lambda_2_stays_unmatched():
    priors, faces = priors_of(ANCHORS[4:]), faces_of([FACE])
    assert TwoPassAssigner().assign(priors, faces).gt_inds.tolist() == [0, 0]
    theirs = StreamingMaxIoUAssigner(.6, .4)
    assert theirs.assign(priors, faces).gt_inds.tolist() == [1, 0]


def test_anchor_over_two_faces_that_both_lack_one():
    """It goes to the face it overlaps most; the other takes its own."""
    faces = faces_of([FACE, [0, 5, 10, 15]])
    priors = priors_of([[0, 4, 10, 9], [0, 11, 10, 16]])
    # IoU .5 and 4/11; 0 and 4/11
    assigner = TwoPassAssigner(pos_iou_thr=.9, neg_iou_thr=.3)
    assert assigner.assign(priors, faces).gt_inds.tolist() == [1, 2]


@pytest.mark.parametrize('all_matches', [False, True])
def test_ignored_faces(all_matches):
    """An anchor in one matches in neither pass."""
    assigner = TwoPassAssigner(all_matches=all_matches, ignore_iof_thr=.5)
    ignored = faces_of([[0, 0, 10, 5]])
    wanted = [-1, -1, 1, -1, -1, 0]
    assert assigner.assign(
        priors_of(ANCHORS), faces_of([FACE]),
        ignored).gt_inds.tolist() == wanted
    no_faces = assigner.assign(priors_of(ANCHORS), faces_of([]), ignored)
    assert no_faces.gt_inds.tolist() == [-1, -1, 0, -1, -1, 0]


@pytest.mark.parametrize('all_matches', [False, True])
@pytest.mark.parametrize('anchors, faces', [(0, 3), (5, 0), (0, 0)])
def test_empty(anchors, faces, all_matches):
    result = TwoPassAssigner(all_matches=all_matches).assign(
        priors_of([FACE] * anchors), faces_of([FACE] * faces))
    assert result.gt_inds.tolist() == [0] * anchors
    assert result.num_gts == faces


def test_half_precision_and_boxes_of_a_type():
    priors = torch.tensor([[0, 0, 500, 260], [600, 600, 900, 900]])
    face = [[0, 0, 500, 500]]
    for boxes in priors.half(), HorizontalBoxes(priors.float()):
        faces = faces_of(face)
        faces.bboxes = type(boxes)(faces.bboxes) if isinstance(
            boxes, HorizontalBoxes) else faces.bboxes.half()
        result = TwoPassAssigner().assign(InstanceData(priors=boxes), faces)
        assert result.gt_inds.tolist() == [1, 0]
        assert result.max_overlaps.tolist() == pytest.approx([.52, 0])


@pytest.mark.skipif(not torch.cuda.is_available(), reason='no CUDA device')
def test_stays_on_the_device():
    generator = torch.Generator().manual_seed(0)
    priors = priors_of(random_boxes(generator, 300, 60))
    faces = faces_of(random_boxes(generator, 20, 60))
    for all_matches in False, True:
        assigner = TwoPassAssigner(all_matches=all_matches)
        wanted = assigner.assign(priors, faces).gt_inds
        result = assigner.assign(priors.to('cuda'), faces.to('cuda'))
        assert result.gt_inds.is_cuda
        assert torch.equal(result.gt_inds.cpu(), wanted)


@pytest.mark.parametrize('options', [
    dict(neg_iou_thr=.7),
    dict(neg_iou_thr=0.),
    dict(neg_iou_thr=(.1, .4)),
    dict(pos_iou_thr=1.1)
])
def test_bad_thresholds(options):
    with pytest.raises(ValueError, match='neg_iou_thr'):
        TwoPassAssigner(**options)


@pytest.mark.parametrize('options', [
    dict(match_low_quality=True),
    dict(min_pos_iou=.3),
    dict(gt_max_assign_all=False),
    dict(gpu_assign_thr=10),
    dict(max_pairs=0)
])
def test_bad_arguments(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        TASK_UTILS.build(dict(type='TwoPassAssigner', **options))


@pytest.mark.slow
def test_memory_of_500_faces_and_360000_anchors():
    """At most 400 MB, measured in a process of its own: 1,200 x 1,200 pixels
    with four anchors on each cell of P2. One float of each pair is 720 MB."""
    program = textwrap.dedent('''
        import re
        import torch
        from tinyfaces.models import TwoPassAssigner
        from mmdet.models.task_modules import AnchorGenerator
        from mmengine.structures import InstanceData
        torch.set_num_threads(1)
        priors = InstanceData(priors=AnchorGenerator(
            strides=[4], ratios=[1.], scales=[4, 8, 16, 32],
            center_offset=0.).grid_priors([(300, 300)], device='cpu')[0])
        assert len(priors) == 360000
        corner, side = torch.rand(500, 2) * 1100, 9 + 20 * torch.rand(500, 1)
        faces = InstanceData(
            bboxes=torch.cat([corner, corner + side], dim=1),
            labels=torch.zeros(500, dtype=torch.long))
        assigner = TwoPassAssigner()
        def peak():
            # Unlike ru_maxrss it does not begin with the parent's peak.
            status = open('/proc/self/status').read()
            return int(re.search(r'VmHWM:\\s+(\\d+)', status)[1]) // 1024
        before = peak()
        result = assigner.assign(priors, faces)
        second = (result.gt_inds > 0) & (result.max_overlaps < .6)
        assert second.sum() >= 100
        print(peak() - before)
    ''')
    output = subprocess.run([sys.executable, '-c', program],
                            capture_output=True,
                            text=True,
                            check=True).stdout
    assert int(output.split()[-1]) <= 400
