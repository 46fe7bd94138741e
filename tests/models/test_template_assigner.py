"""TemplateAssigner by hand and against a transcription of all windows."""
import copy
import random

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmdet.models.task_modules import AnchorGenerator
from mmdet.registry import TASK_UTILS
from template_assignment_transcription import assignment, cell_windows
from template_cases import crowd, generator_of, random_boxes

from tinyfaces.models.task_modules import (TemplateAssigner,
                                           TemplatePriorGenerator)
from tinyfaces.models.task_modules.template_windows import tie_noise

EVERYWHERE = (-1000, -1000, 1000, 1000)


def boxes(*rows):
    return torch.tensor(rows, dtype=torch.float32).reshape(-1, 4)


def around(x, y, width, height):
    """A box by its centre."""
    return [x - width / 2, y - height / 2, x + width / 2, y + height / 2]


def transcribed(prior_generator, shape, area, faces, ignored, seed, scale,
                **thresholds):
    """The transcription, with the noise of the assigner's next call."""
    windows = cell_windows(prior_generator.base_anchors[0].double().numpy(),
                           prior_generator.strides[0][0], shape)
    count = shape[0] * shape[1]

    def noise(template, face):
        numbers = torch.arange(count) + template * count
        values = tie_noise(seed, torch.full((count, ), face), numbers)
        return scale * values.view(shape).numpy()

    return assignment(windows,
                      faces.double().numpy(),
                      ignored.double().numpy(), area, noise, **thresholds)


@settings(max_examples=200, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    faces=st.integers(0, 15),
    ignored=st.integers(0, 3),
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    stride=st.sampled_from([2, 4, 8]),
    offset=st.sampled_from([.5, -1.5, 4.]),
    part=st.sampled_from([1, 4]),
    noise=st.sampled_from([0., 1e-6, .25]),
    thresholds=st.sampled_from([(.7, .3, .3), (.5, .5, .3), (.6, .4, .5)]),
    negative_border=st.booleans())
def test_equals_the_transcription(seed, faces, ignored, height, width, stride,
                                  offset, part, noise, thresholds,
                                  negative_border):
    generator = torch.Generator().manual_seed(seed)
    span = stride * max(height, width)
    sizes = torch.randint(5, 25, (4, 2), generator=generator).tolist()
    priors = generator_of(*sizes, [10, 10], stride=stride, offset=offset)
    faces = random_boxes(generator, faces, span, part=part)
    ignored = random_boxes(generator, ignored, span, high=80, part=part)
    area = tuple(random_boxes(generator, 1, 10, 20, 70)[0].tolist())
    names = 'pos_iou_thr', 'neg_iou_thr', 'min_face_iou'
    assigner = TemplateAssigner(
        **dict(zip(names, thresholds)),
        negative_border=negative_border,
        noise=noise,
        seed=seed)
    labels, chosen = assigner.assign(priors, (height, width), area, faces,
                                     ignored)
    names = 'positive', 'negative', 'min_face'
    wanted = transcribed(
        priors, (height, width),
        area,
        faces,
        ignored,
        random.Random(seed).getrandbits(32),
        noise,
        **dict(zip(names, thresholds)),
        negative_border=negative_border)
    assert np.array_equal(labels.numpy(), wanted[0])
    assert np.array_equal(chosen.numpy(), wanted[1])


def test_random_boxes_meet_every_rule():
    """The test above is about them."""
    counts = dict.fromkeys((-1, 0, 1, 'best', 'tie'), 0)
    for seed in range(20):
        generator = torch.Generator().manual_seed(seed)
        priors = generator_of([10, 10], [21, 13], stride=4)
        faces = random_boxes(generator, 8, 32, part=1)
        one, other, without = (
            TemplateAssigner(**options).assign(priors, (8, 8), EVERYWHERE,
                                               faces).labels
            for options in (dict(seed=1), dict(seed=2), dict(min_face_iou=1)))
        for label in -1, 0, 1:
            counts[label] += (without == label).sum().item()
        counts['best'] += (one != without).sum().item()
        counts['tie'] += (one != other).sum().item()
    assert all(count > 10 for count in counts.values()), counts


@pytest.mark.parametrize(
    'count, cells',
    [(60, 30), pytest.param(500, 63, marks=pytest.mark.slow)])
def test_published_templates_equal_the_transcription(count, cells):
    priors = TemplatePriorGenerator()
    area = (3., 0., 8 * cells - 12., 8. * cells - 30)
    faces, ignored = crowd(count, 8 * cells), crowd(5, 8 * cells, seed=1)
    labels, chosen = TemplateAssigner(seed=5).assign(priors, (cells, cells),
                                                     area, faces, ignored)
    wanted = transcribed(priors, (cells, cells), area, faces, ignored,
                         random.Random(5).getrandbits(32), 1e-6)
    assert np.array_equal(labels.numpy(), wanted[0])
    assert np.array_equal(chosen.numpy(), wanted[1])
    assert (labels == 1).sum() > count / 2


def test_by_hand():
    """A window of 16 x 16 overlaps that of the next cell by 1 / 3, of the
    one after by nothing, of the diagonal one by 1 / 7."""
    priors = generator_of((16, 16), (8, 4))
    labels, faces = TemplateAssigner().assign(priors, (4, 5), EVERYWHERE,
                                              boxes(around(16.5, 8.5, 16, 16)))
    # 8 x 4 inside of 16 x 16: 1 / 8.
    assert (labels[1] == -1).all() and (faces[1] == -1).all()
    assert labels[0].tolist() == [[-1, -1, 0, -1, -1], [-1, 0, 1, 0, -1],
                                  [-1, -1, 0, -1, -1], [-1, -1, -1, -1, -1]]
    assert faces[0].flatten().tolist() == [-1] * 7 + [0] + [-1] * 12
    assert labels.dtype == torch.int8 and faces.dtype == torch.int64


@pytest.mark.parametrize('height, label', [
    (8, 1),
    (7, 1),
    (6.9, 1),
    (3.1, 1),
    (3, 0),
    (2.9, -1),
])
def test_thresholds(height, label):
    """Of the only window of 10 x 10 near it; above .3 it is the face's best
    one, at .3 it is not, but no negative either."""
    result = TemplateAssigner(noise=0).assign(
        generator_of((10, 10)), (1, 1), EVERYWHERE,
        boxes(around(.5, .5, 10, height)))
    assert result.labels.item() == label
    # .7 itself is enough for any window.
    result = TemplateAssigner(
        noise=0, min_face_iou=1).assign(
            generator_of((10, 10)), (1, 1), EVERYWHERE,
            boxes(around(.5, .5, 10, height)))
    assert result.labels.item() == min(label, int(height >= 7))


def test_best_window_over_all_templates():
    """Only one, though every template has one above .3."""
    priors = generator_of((10, 10), (10, 13), (10, 17))
    labels, faces = TemplateAssigner().assign(priors, (3, 3), EVERYWHERE,
                                              boxes(around(8.5, 8.5, 10, 20)))
    # IoU .5, .65, .85; without the last one .65 is the best.
    assert labels[:, 1, 1].tolist() == [0, 0, 1]
    labels, faces = TemplateAssigner().assign(
        generator_of((10, 10), (10, 13)), (3, 3), EVERYWHERE,
        boxes(around(8.5, 8.5, 10, 20)))
    assert labels[:, 1, 1].tolist() == [0, 1]
    assert faces[:, 1, 1].tolist() == [-1, 0]


def test_best_window_goes_to_the_face_it_overlaps_most():
    """Face 0 has no better window, but it is another face's even more."""
    faces = boxes(around(.5, .5, 10, 5), around(.5, .5, 10, 9))
    result = TemplateAssigner().assign(
        generator_of((10, 10)), (1, 1), EVERYWHERE, faces)
    assert result.labels.item() == 1 and result.faces.item() == 1


def test_noise_decides_ties_only():
    """Two equal faces halfway between two cells: windows of IoU 1 / 2."""
    priors = generator_of((12, 12))
    faces = boxes(*[around(4.5, .5, 12, 12)] * 2)
    outcomes = set()
    assigner = TemplateAssigner(seed=3)
    for _ in range(60):
        labels, chosen = assigner.assign(priors, (1, 2), EVERYWHERE, faces)
        assert set(labels.flatten().tolist()) <= {0, 1}
        assert ((chosen >= 0) == (labels == 1)).all()
        outcomes.add((*labels.flatten().tolist(), *chosen.flatten().tolist()))
    # The two faces pick the same window or not, and each window its face.
    assert outcomes == {(1, 0, 0, -1), (1, 0, 1, -1), (0, 1, -1, 0),
                        (0, 1, -1, 1), (1, 1, 0, 0), (1, 1, 0, 1),
                        (1, 1, 1, 0), (1, 1, 1, 1)}
    first = TemplateAssigner(noise=0).assign(priors, (1, 2), EVERYWHERE, faces)
    assert first.labels.tolist() == [[[1, 0]]]
    assert first.faces.tolist() == [[[0, -1]]]
    # An IoU that is higher by more than the noise is no tie.
    faces[1, 0] += .01
    for _ in range(20):
        result = assigner.assign(priors, (1, 2), EVERYWHERE, faces)
        assert (result.labels[0, 0, 1], result.faces[0, 0, 1]) == (1, 1)


def test_noise_does_not_lift_over_a_threshold():
    assigner = TemplateAssigner(noise=.29, min_face_iou=.6, seed=0)
    faces = boxes(around(.5, .5, 10, 5.9), around(8.5, .5, 10, 2.9))
    for _ in range(20):
        result = assigner.assign(
            generator_of((10, 10)), (1, 2), EVERYWHERE, faces)
        assert result.labels.tolist() == [[[0, -1]]]


@pytest.mark.parametrize('negative_border', [False, True])
def test_border(negative_border):
    """The picture is 24 wide from x = 8.5: the window of 16 touches its edges
    at cells 2 and 3, and crosses them at the others."""
    priors = generator_of((16, 16))
    area = (8.5, -100, 32.5, 100)
    assigner = TemplateAssigner(negative_border=negative_border)
    outside = -1 if negative_border else 0
    result = assigner.assign(priors, (1, 6), area,
                             boxes(around(16.5, .5, 16, 16)))
    assert result.labels.tolist() == [[[outside, 0, 1, 0, outside, outside]]]
    # A face whose best windows cross the edge has none.
    result = assigner.assign(priors, (1, 6), area,
                             boxes(around(8.5, .5, 16, 16)))
    assert result.labels.tolist() == [[[0, 0, 0, -1, outside, outside]]]
    assert (result.faces == -1).all()


def test_ignored_faces():
    """More than half in one: negatives train nothing, positives train."""
    priors = generator_of((16, 16))
    # Has a width of 16, 15.5, 7.5 and 0 in common with the windows.
    ignored = boxes([-20, -20, 16, 20], [300, 300, 200, 200])
    result = TemplateAssigner().assign(priors, (1, 4), EVERYWHERE,
                                       boxes(around(8.5, .5, 16, 16)), ignored)
    assert result.labels.tolist() == [[[0, 1, 0, -1]]]
    result = TemplateAssigner().assign(priors, (1, 4), EVERYWHERE, boxes(),
                                       ignored)
    assert result.labels.tolist() == [[[0, 0, -1, -1]]]
    # Exactly half is not more than half.
    result = TemplateAssigner().assign(priors, (1, 3), EVERYWHERE, boxes(),
                                       boxes([-20, -20, 16.5, 20]))
    assert result.labels.tolist() == [[[0, 0, -1]]]


def test_empty_and_degenerate_faces():
    priors = TemplatePriorGenerator()
    faces = boxes([5, 5, 5, 20], [20, 20, 10, 10], [30, 30, 60, 30])
    for these in boxes(), faces:
        result = TemplateAssigner().assign(priors, (5, 7), (0, 0, 40, 40),
                                           these, boxes())
        assert result.labels.shape == result.faces.shape == (25, 5, 7)
        assert {*result.labels.flatten().tolist()} == {-1, 0}
        assert (result.faces == -1).all()


def test_seeds():
    priors, faces = TemplatePriorGenerator(), crowd(20, 200).repeat(2, 1)

    def faces_of(assigner):
        result = assigner.assign(priors, (25, 25), EVERYWHERE, faces)
        assert (result.faces >= 0).sum() >= 15
        return result.faces

    assigner = TemplateAssigner(seed=7)
    state = torch.get_rng_state()
    first = faces_of(copy.deepcopy(assigner))
    assert torch.equal(first, faces_of(assigner))
    assert not torch.equal(first, faces_of(assigner))
    assert torch.equal(state, torch.get_rng_state())
    torch.manual_seed(1)
    first = faces_of(TemplateAssigner())
    assert not torch.equal(first, faces_of(TemplateAssigner()))
    torch.manual_seed(1)
    assert torch.equal(first, faces_of(TemplateAssigner()))


def test_other_prior_generators_and_types():
    """Any generator of one level; boxes in half precision."""
    anchors = AnchorGenerator([8], [.5, 2.], [2., 4.])
    faces = boxes(around(20, 20, 23, 46), around(40, 8, 32, 24))
    labels, chosen = TemplateAssigner(seed=0).assign(anchors, (6, 7),
                                                     (0, 0, 56, 48),
                                                     faces.half())
    wanted = transcribed(anchors, (6, 7), (0, 0, 56, 48), faces, boxes(),
                         random.Random(0).getrandbits(32), 1e-6)
    assert np.array_equal(labels.numpy(), wanted[0])
    assert np.array_equal(chosen.numpy(), wanted[1])
    with pytest.raises(ValueError, match='one level, not 2'):
        TemplateAssigner().assign(
            AnchorGenerator([8, 16], [1.], [2.]), (6, 7), EVERYWHERE, faces)


@pytest.mark.skipif(not torch.cuda.is_available(), reason='no CUDA device')
def test_same_on_the_device():
    priors, faces, ignored = TemplatePriorGenerator(), crowd(300), crowd(4)
    wanted, result = (
        TemplateAssigner(seed=2).assign(priors, (63, 63), (0, 0, 480, 500),
                                        faces.to(device), ignored.to(device))
        for device in ('cpu', 'cuda'))
    for tensor, other in zip(wanted, result):
        assert other.is_cuda and torch.equal(tensor, other.cpu())


@pytest.mark.parametrize('options', [
    dict(neg_iou_thr=.8),
    dict(neg_iou_thr=0.),
    dict(pos_iou_thr=1.1),
    dict(min_face_iou=0.),
    dict(ignore_iof_thr=1.5),
    dict(ignore_iof_thr=-1.),
    dict(noise=-1e-6),
    dict(noise=.3)
])
def test_bad_arguments(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        TASK_UTILS.build(dict(type='TemplateAssigner', **options))
