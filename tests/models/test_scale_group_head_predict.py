"""ScaleGroupHead's detections against a transcription and stock heads."""
import group_head_transcription as plain
import pytest
import torch
from group_sampling_models import (FOCAL, LAYOUTS, SCALES, SOFTMAX, group_head,
                                   neck_maps, noisy_outputs)
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData
from refine_models import sample

META = dict(img_shape=(60, 64), scale_factor=(1., 1.))


def detections(head, outputs, metas=(META, META), **options):
    return head.predict_by_feat(
        *outputs, batch_img_metas=list(metas), **options)


def assert_same(found, rows):
    """Instances equal rows (box, score, group), in the order of score."""
    assert len(found) == len(rows)
    torch.testing.assert_close(
        found.bboxes,
        torch.tensor([row[0] for row in rows]).float().reshape(-1, 4),
        rtol=1e-5,
        atol=1e-4)
    torch.testing.assert_close(found.scores,
                               torch.tensor([row[1] for row in rows]).float())
    assert found.groups.tolist() == [row[2] for row in rows]
    assert found.groups.dtype == torch.long
    assert found.labels.tolist() == [0] * len(rows)


@pytest.mark.parametrize('layout', LAYOUTS)
@pytest.mark.parametrize('loss_cls', [SOFTMAX, FOCAL])
@pytest.mark.parametrize('nms_pre, score_thr, max_per_img', [
    (2000, .05, 750),
    (25, .3, 12),
    (7, 0, 100),
    (-1, .6, 100),
])
def test_equals_transcription(layout, loss_cls, nms_pre, score_thr,
                              max_per_img):
    """Jointly and group by group, of two pictures."""
    head = group_head(
        layout,
        loss_cls=loss_cls,
        test_cfg=dict(
            nms_pre=nms_pre, score_thr=score_thr, max_per_img=max_per_img))
    outputs = [[m.detach() for m in maps]
               for maps in noisy_outputs(head, spread=2.)]
    head.forward = lambda x: outputs
    pictures = [sample(), sample()]
    for picture in pictures:
        picture.set_metainfo(META)
    joint, alone = head.predict_with_groups(None, pictures)
    for index, found in enumerate(head.predict(None, pictures)):
        rows = plain.candidates(
            *outputs,
            index,
            META['img_shape'],
            **LAYOUTS[layout],
            score_thr=score_thr,
            nms_pre=nms_pre if nms_pre > 0 else 10**6,
            classifier='softmax' if loss_cls == SOFTMAX else 'focal')
        assert {row[2] for row in rows} >= {0, 1, 2}
        expected = plain.suppressed(rows, .4, max_per_img)
        assert_same(found, expected)
        assert_same(joint[index], expected)
        assert list(alone[index]) == ['16', '32', '64', '128']
        for group, name in enumerate(alone[index]):
            own = [row for row in rows if row[2] == group]
            assert_same(alone[index][name],
                        plain.suppressed(own, .4, max_per_img))


def lone_scores(head, cells, size=64):
    """Outputs where only some anchors score, and all boxes are the anchors.

    Args:
        head: With softmax.
        cells: (level, row, column, anchor, logit) of each.
    """
    logits, deltas = ([m.detach().zero_() for m in maps]
                      for maps in noisy_outputs(head, 1, size))
    for level in logits:
        level[:, 1::2] = 20  # background
    for level, row, column, anchor, logit in cells:
        logits[level][0, 2 * anchor:2 * anchor + 2, row,
                      column] = torch.tensor([logit, 0.])
    return logits, deltas


@pytest.mark.parametrize('layout, cells', [
    ('finest', [(0, 8, 8, a, 1. + a) for a in range(4)]),
    ('pyramid', [(0, 8, 8, 0, 1.), (1, 4, 4, 0, 2.), (2, 2, 2, 0, 3.),
                 (3, 1, 1, 0, 4.)]),
])
def test_groups_tell_the_scale_of_the_anchor(layout, cells):
    """Around (32, 32): the score rises with the scale."""
    head = group_head(layout)
    outputs = lone_scores(head, cells)
    found, = detections(head, outputs, [META], with_nms=False)
    # Clipped to 64 x 60 pixels
    assert found.bboxes.tolist() == [[24, 24, 40, 40], [16, 16, 48, 48],
                                     [0, 0, 64, 60], [0, 0, 64, 60]]
    assert found.groups.tolist() == [0, 1, 2, 3]
    torch.testing.assert_close(found.scores,
                               torch.tensor([1., 2., 3., 4.]).sigmoid())


def test_joint_nms_lets_groups_suppress_each_other():
    """The two largest boxes are the same after clipping; the best stays."""
    head = group_head()
    head.forward = lambda x: lone_scores(head, [(0, 8, 8, a, 1. + a)
                                                for a in range(4)])
    picture = sample()
    (joint, ), (alone, ) = head.predict_with_groups(None, [picture])
    assert joint.groups.tolist() == [3, 1, 0]
    assert [alone[name].groups.tolist() for name in alone] == [[0], [1], [2],
                                                               [3]]
    assert alone['64'].bboxes.tolist() == alone['128'].bboxes.tolist()
    assert head.predict(None, [picture])[0].groups.tolist() == [3, 1, 0]


def test_a_group_suppresses_itself():
    """Anchors of 16 pixels, 4 apart: IoU .6."""
    head = group_head()
    head.forward = lambda x: lone_scores(head, [(0, 8, 8, 0, 1.),
                                                (0, 8, 9, 0, 2.),
                                                (0, 8, 12, 0, 0.)])
    _, (alone, ) = head.predict_with_groups(None, [sample()])
    assert [box[0] for box in alone['16'].bboxes.tolist()] == [28, 40]
    assert all(len(alone[name]) == 0 for name in ('32', '64', '128'))
    assert alone['32'].bboxes.shape == (0, 4)
    assert alone['32'].groups.dtype == torch.long


def test_maximum_and_nms_pre_count_in_each_group():
    """Three faces that do not overlap, of 16 pixels and of 32."""
    cells = [(0, 4, 4, 0, 6.), (0, 4, 12, 0, 5.), (0, 12, 4, 0, 4.),
             (0, 20, 4, 1, 3.), (0, 20, 14, 1, 2.), (0, 20, 24, 1, 1.)]
    for key, joint_groups in (('max_per_img', [0,
                                               0]), ('nms_pre', [0, 0, 1, 1])):
        head = group_head(test_cfg={key: 2})
        head.forward = lambda x: lone_scores(head, cells, size=128)
        (joint, ), (alone, ) = head.predict_with_groups(
            None, [sample(size=128)])
        assert joint.groups.tolist() == joint_groups
        assert len(alone['16']) == len(alone['32']) == 2
        assert len(alone['64']) == len(alone['128']) == 0


def test_rescale():
    """Boxes of a picture that was enlarged by 2 in width and 4 in height."""
    head = group_head()
    head.forward = lambda x: lone_scores(head, [(0, 8, 8, 0, 1.)])
    picture = sample()
    picture.set_metainfo(dict(scale_factor=(2., 4.)))
    expected = [[12, 6, 20, 10]]
    (joint, ), (alone, ) = head.predict_with_groups(
        None, [picture], rescale=True)
    assert joint.bboxes.tolist() == alone['16'].bboxes.tolist() == expected
    found, = head.predict(None, [picture], rescale=True)
    assert found.bboxes.tolist() == expected
    found, = head.predict(None, [picture])
    assert found.bboxes.tolist() == [[24, 24, 40, 40]]


@pytest.mark.parametrize('key, number', [('min_bbox_size', 16),
                                         ('score_thr', .9)])
def test_filters(key, number):
    """Of boxes of 16 and 32 pixels; their scores are .73 and .95."""
    head = group_head(test_cfg={key: number})
    cells = [(0, 8, 8, 0, 1.), (0, 8, 8, 1, 3.)]
    found, = detections(head, lone_scores(head, cells), [META])
    assert found.groups.tolist() == [1]


def test_nothing_scores():
    head = group_head()
    head.forward = lambda x: lone_scores(head, [])
    (joint, ), (alone, ) = head.predict_with_groups(None, [sample()])
    for found in (joint, *alone.values()):
        assert len(found) == 0
        assert found.bboxes.shape == (0, 4)
        assert set(found.keys()) == {'bboxes', 'scores', 'labels', 'groups'}


def test_cfg_of_the_call():
    """As a two-stage detector gives for training proposals."""
    head = group_head()
    outputs = noisy_outputs(head)
    cfg = ConfigDict(
        nms_pre=50, nms=dict(type='nms', iou_threshold=.7), max_per_img=30)
    found = detections(head, outputs, cfg=cfg)
    assert [len(f) for f in found] == [30, 30]
    whole = detections(head, outputs, cfg=cfg, with_nms=False)
    assert [len(f) for f in whole] == [200, 200]


@pytest.mark.parametrize('loss_cls', [SOFTMAX, FOCAL])
@pytest.mark.parametrize('layout, kind', [('pyramid', 'AnchorHead'),
                                          ('finest', 'AnchorHead')])
@pytest.mark.parametrize('rescale', [False, True])
def test_equals_anchor_head(layout, kind, loss_cls, rescale):
    """Jointly. On four levels with ``nms_pre``, which counts on each there;
    on one it counts all groups there, so that it must not bind."""
    nms_pre = 40 if layout == 'pyramid' else 2000
    options = dict(loss_cls=loss_cls, test_cfg=dict(nms_pre=nms_pre))
    ours = group_head(layout, **options)
    stock = group_head(layout, kind=kind, num_classes=1, **options)
    outputs = noisy_outputs(ours)
    metas = [META, dict(META, scale_factor=(.5, 2.))]
    for found, expected in zip(
            detections(ours, outputs, metas, rescale=rescale),
            detections(stock, outputs, metas, rescale=rescale)):
        assert len(found) > 20
        for name in ('bboxes', 'scores', 'labels'):
            torch.testing.assert_close(found[name], expected[name])


def test_equals_rpn_head_on_one_level():
    """RPNHead has an NMS for each level; on one level it is the same."""
    options = dict(loss_cls=SOFTMAX, test_cfg=dict(score_thr=0))
    ours, stock = (
        group_head('finest', kind=kind, **options)
        for kind in ('ScaleGroupHead', 'RPNHead'))
    stock.load_state_dict(ours.state_dict())
    maps = neck_maps(ours)
    pictures = [sample(), sample()]
    for found, expected in zip(
            ours.predict(maps, pictures), stock.predict(maps, pictures)):
        assert len(found) > 20
        for name in ('bboxes', 'scores', 'labels'):
            torch.testing.assert_close(found[name], expected[name])


def test_names_and_groups_of_other_scales():
    """Six anchors in three groups, between scales too."""
    head = group_head(
        group_scales=(12.5, 50, 200),
        anchor_generator=dict(
            type='AnchorGenerator',
            strides=[4],
            scales=[2, 5, 7, 20, 26, 64],
            ratios=[1.0]))
    assert head.group_names == ['12.5', '50', '200']
    assert [g.tolist() for g in head.cell_groups] == [[0, 0, 1, 1, 2, 2]]
    outputs = noisy_outputs(head)
    found, _ = detections(head, outputs, with_nms=False)
    assert set(found.groups.tolist()) == {0, 1, 2}


def test_two_ratios_are_in_one_group():
    head = group_head(
        anchor_generator=dict(
            type='AnchorGenerator',
            strides=[4],
            scales=[4, 8],
            ratios=[.5, 2.0]))
    assert sorted(head.cell_groups[0].tolist()) == [0, 0, 1, 1]
    _, (alone,
        *_) = head.predict_with_groups(neck_maps(head),
                                       [sample(), sample()])
    assert len(alone['16']) and len(alone['32'])
    assert not len(alone['64']) and not len(alone['128'])


def test_scales_of_all_layouts():
    for layout in LAYOUTS:
        head = group_head(layout)
        assert head.group_names == [str(scale) for scale in SCALES]
        assert torch.cat(head.cell_groups).tolist() == [0, 1, 2, 3]


def test_no_gradient():
    """Proposals of a training step do not train the head."""
    head = group_head()
    found = detections(head, noisy_outputs(head))
    assert isinstance(found[0], InstanceData)
    assert not found[0].bboxes.requires_grad
    assert not found[0].scores.requires_grad
