"""StreamingMaxIoUAssigner against MMDetection's assigner and by hand."""
import subprocess
import sys
import textwrap

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmdet.models.task_modules.assigners import MaxIoUAssigner
from mmengine.structures import InstanceData

from tinyfaces.models import StreamingMaxIoUAssigner


def instances(boxes, **fields):
    return InstanceData(
        bboxes=torch.as_tensor(boxes, dtype=torch.float32).reshape(-1, 4),
        **fields)


def faces_of(boxes):
    boxes = torch.as_tensor(boxes, dtype=torch.float32).reshape(-1, 4)
    return InstanceData(
        bboxes=boxes, labels=torch.zeros(len(boxes), dtype=torch.long))


def random_boxes(generator, count, smallest=1):
    corner = torch.randint(0, 40, (count, 2), generator=generator)
    size = torch.randint(smallest, 25, (count, 2), generator=generator)
    return torch.cat([corner, corner + size], dim=1).float()


def test_by_hand():
    """IoU 1 is positive, .45 is left out, 0 is background."""
    priors = InstanceData(
        priors=torch.tensor([[0., 0, 10, 10], [0, 0, 10, 4.5],
                             [50, 50, 60, 60]]))
    assigner = StreamingMaxIoUAssigner(
        pos_iou_thr=.5, neg_iou_thr=.4, match_low_quality=False)
    result = assigner.assign(priors, faces_of([[0, 0, 10, 10]]))
    assert result.gt_inds.tolist() == [1, -1, 0]
    assert result.labels.tolist() == [0, -1, -1]
    assert result.max_overlaps.tolist() == pytest.approx([1, .45, 0])


def test_best_prior_of_a_face_is_forced():
    priors = InstanceData(
        priors=torch.tensor([[0., 0, 10, 10], [20, 20, 30, 30]]))
    faces = faces_of([[0, 0, 10, 2], [0, 0, 4, 4]])
    assigner = StreamingMaxIoUAssigner(pos_iou_thr=.5, neg_iou_thr=.4)
    # Both faces have the first prior as their best: it goes to the last.
    assert assigner.assign(priors, faces).gt_inds.tolist() == [2, 0]
    assigner = StreamingMaxIoUAssigner(
        pos_iou_thr=.5, neg_iou_thr=.4, min_pos_iou=.19)
    assert assigner.assign(priors, faces).gt_inds.tolist() == [1, 0]


def test_face_outside_of_all_priors_matches_none():
    """There MMDetection makes every prior of overlap 0 a positive."""
    priors = InstanceData(priors=torch.tensor([[0., 0, 10, 10]]))
    face = faces_of([[90, 90, 95, 95]])
    thresholds = dict(pos_iou_thr=.5, neg_iou_thr=.4)
    ours = StreamingMaxIoUAssigner(**thresholds).assign(priors, face)
    assert ours.gt_inds.tolist() == [0]
    assert MaxIoUAssigner(**thresholds).assign(priors,
                                               face).gt_inds.tolist() == [1]


@pytest.mark.parametrize('faces, priors', [(0, 5), (3, 0), (0, 0)])
def test_empty(faces, priors):
    assigner = StreamingMaxIoUAssigner(pos_iou_thr=.5, neg_iou_thr=.4)
    result = assigner.assign(
        InstanceData(priors=torch.rand(priors, 4)),
        faces_of(torch.rand(faces, 4)))
    assert result.gt_inds.tolist() == [0] * priors
    assert result.num_gts == faces


def test_ignored_face_alone_in_its_picture():
    """There MMDetection makes the first prior background as well."""
    priors = InstanceData(
        priors=torch.tensor([[0., 0, 10, 10], [20, 20, 30, 30]]))
    options = dict(pos_iou_thr=.5, neg_iou_thr=.4, ignore_iof_thr=.5)
    ignored = instances([[0, 0, 12, 12]])
    ours = StreamingMaxIoUAssigner(**options).assign(priors, faces_of([]),
                                                     ignored)
    assert ours.gt_inds.tolist() == [-1, 0]
    assert MaxIoUAssigner(**options).assign(priors, faces_of(
        []), ignored).gt_inds.tolist() == [0, 0]


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    faces=st.integers(1, 12),
    ignored=st.integers(0, 4),
    max_pairs=st.sampled_from([1, 70, 10**6]),
    neg=st.sampled_from([.4, (.1, .4)]),
    assign_all=st.booleans(),
    low_quality=st.booleans(),
    wrt_candidates=st.booleans())
def test_equals_max_iou_assigner(seed, faces, ignored, max_pairs, neg,
                                 assign_all, low_quality, wrt_candidates):
    generator = torch.Generator().manual_seed(seed)
    priors = InstanceData(priors=random_boxes(generator, 60))
    gt = faces_of(random_boxes(generator, faces))
    ignore = instances(random_boxes(generator, ignored))
    # .01: overlap 0 is where the two differ on purpose
    options = dict(
        pos_iou_thr=.5,
        neg_iou_thr=neg,
        min_pos_iou=.01,
        gt_max_assign_all=assign_all,
        match_low_quality=low_quality,
        ignore_iof_thr=.5,
        ignore_wrt_candidates=wrt_candidates)
    ours = StreamingMaxIoUAssigner(
        max_pairs=max_pairs, **options).assign(priors, gt, ignore)
    theirs = MaxIoUAssigner(**options).assign(priors, gt, ignore)
    assert torch.equal(ours.max_overlaps, theirs.max_overlaps)
    assert torch.equal(ours.gt_inds, theirs.gt_inds)
    assert torch.equal(ours.labels, theirs.labels)


def test_half_precision_priors_are_matched_in_float32():
    """In float16 an area over 65,504 square pixels is infinite."""
    priors = InstanceData(
        priors=torch.tensor([[0, 0, 500, 500]], dtype=torch.float16))
    assigner = StreamingMaxIoUAssigner(pos_iou_thr=.5, neg_iou_thr=.4)
    result = assigner.assign(priors, faces_of([[0, 0, 500, 500]]))
    assert result.max_overlaps.tolist() == [1]


def test_bad_arguments():
    with pytest.raises(ValueError, match='max_pairs'):
        StreamingMaxIoUAssigner(pos_iou_thr=.5, neg_iou_thr=.4, max_pairs=0)
    with pytest.raises(ValueError, match='gpu_assign_thr'):
        StreamingMaxIoUAssigner(
            pos_iou_thr=.5, neg_iou_thr=.4, gpu_assign_thr=10)


def test_memory_of_1000_faces_and_174720_anchors():
    """At most 400 MB, measured in a process of its own.

    One float of each pair is 699 MB.
    """
    program = textwrap.dedent('''
        import re
        import torch
        from mmengine.structures import InstanceData
        from tinyfaces.models import StreamingMaxIoUAssigner
        torch.set_num_threads(1)
        corner = torch.rand(174720, 2) * 1000
        priors = InstanceData(
            priors=torch.cat([corner, corner + 20], dim=1))
        boxes = torch.cat([corner[:1000] + 3, corner[:1000] + 25], dim=1)
        faces = InstanceData(
            bboxes=boxes, labels=torch.zeros(1000, dtype=torch.long))
        assigner = StreamingMaxIoUAssigner(pos_iou_thr=.5, neg_iou_thr=.4)
        def peak():
            # Unlike ru_maxrss it does not begin with the parent's peak.
            status = open('/proc/self/status').read()
            return int(re.search(r'VmHWM:\\s+(\\d+)', status)[1]) // 1024
        before = peak()
        result = assigner.assign(priors, faces)
        assert (result.gt_inds > 0).sum() >= 500
        print(peak() - before)
    ''')
    output = subprocess.run([sys.executable, '-c', program],
                            capture_output=True,
                            text=True,
                            check=True).stdout
    assert int(output.split()[-1]) <= 400
