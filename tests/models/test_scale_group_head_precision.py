"""ScaleGroupHead in half precision and under automatic mixed precision."""
import pytest
import torch
from group_sampling_models import (FOCAL, group_head, group_sampler, neck_maps,
                                   noisy_outputs, random_sampler)
from mmdet.models.utils import unpack_gt_instances
from refine_models import sample, total, without_gradient

FACES = [[9, 7, 26, 22], [11, 21, 43, 52]]
IOU = dict(loss_bbox=dict(type='IoULeastSquareLoss'), reg_decoded_bbox=True)


def half_outputs(head, dtype):
    """Random outputs in ``dtype``, and the same numbers in float32."""
    halves = [[m.detach().to(dtype) for m in maps]
              for maps in noisy_outputs(head)]
    return halves, [[m.float() for m in maps] for maps in halves]


@pytest.mark.parametrize('dtype', [torch.half, torch.bfloat16])
@pytest.mark.parametrize('options', [
    dict(sampler=random_sampler(10**6)),
    dict(loss_cls=FOCAL),
    dict(ohem=dict(num=40)),
    IOU,
])
def test_losses(dtype, options):
    """Those of the same numbers in float32."""
    head = group_head(**options)
    faces, ignored, metas = unpack_gt_instances([sample(FACES)] * 2)
    losses, expected = (
        head.loss_by_feat(*outputs, faces, metas, ignored)
        for outputs in half_outputs(head, dtype))
    for name in losses:
        assert losses[name].dtype == torch.float32
        torch.testing.assert_close(losses[name], expected[name])


@pytest.mark.parametrize('dtype', [torch.half, torch.bfloat16])
def test_detections(dtype):
    """Those of the same numbers in float32."""
    head = group_head()
    metas = [dict(img_shape=(64, 64))] * 2
    halves, floats = (
        head.predict_by_feat(*outputs, batch_img_metas=metas)
        for outputs in half_outputs(head, dtype))
    for found, expected in zip(halves, floats):
        assert found.bboxes.dtype == found.scores.dtype == torch.float32
        for name in expected.keys():
            assert torch.equal(found[name], expected[name])


@pytest.mark.parametrize('dtype', [torch.half, torch.bfloat16])
def test_boxes_far_from_the_corner(dtype):
    """Half precision counts in steps of 2 there, bfloat16 in steps of 16."""
    head = group_head()
    logits = torch.zeros(1, 8, 1, 750, dtype=dtype)
    logits[:, 1::2] = 20
    logits[0, :2, 0, 747] = torch.tensor([3., 0.])
    deltas = torch.zeros(1, 16, 1, 750, dtype=dtype)
    deltas[0, 0, 0, 747] = 1 / 16  # a pixel to the right
    found, = head.predict_by_feat([logits], [deltas],
                                  batch_img_metas=[dict(img_shape=(4, 3000))])
    assert found.bboxes.tolist() == [[2981, 0, 2997, 4]]


def test_training_under_autocast():
    head = group_head(sampler=group_sampler(), **IOU)
    maps = neck_maps(head)
    pictures = [sample(FACES), sample()]
    with torch.autocast('cpu', torch.bfloat16):
        assert head(maps)[0][0].dtype == torch.bfloat16
        losses = head.loss(maps, pictures)
    head.sampler = group_head(sampler=group_sampler()).sampler  # same draws
    for name, value in head.loss(maps, pictures).items():
        assert losses[name].dtype == torch.float32
        assert losses[name].item() == pytest.approx(value.item(), rel=.02)
    total(losses).backward()
    assert not without_gradient(head)


def test_inference_under_autocast():
    head = group_head()
    maps = neck_maps(head)
    with torch.no_grad(), torch.autocast('cpu', torch.bfloat16):
        found = head.predict(maps, [sample(), sample()])
    assert all(f.bboxes.dtype == torch.float32 and len(f) for f in found)
