"""Greedy NMS: hand-made cases, brute force, torchvision, compiled op."""
import importlib
import sys
from types import ModuleType

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyfaces.ops import nms

MODULE = importlib.import_module('tinyfaces.ops.nms')


def brute_force(boxes, scores, threshold, offset):
    """The definition in float64, one pair after the other."""
    order = scores.sort(0, descending=True)[1].tolist()
    boxes = boxes.double().numpy()

    def iou(a, b):
        width = min(a[2], b[2]) - max(a[0], b[0]) + offset
        height = min(a[3], b[3]) - max(a[1], b[1]) + offset
        inter = max(0., width) * max(0., height)
        areas = [(c[2] - c[0] + offset) * (c[3] - c[1] + offset)
                 for c in (a, b)]
        with np.errstate(all='ignore'):
            return np.float64(inter) / (sum(areas) - inter)

    kept = []
    for i in order:
        if not any(iou(boxes[j], boxes[i]) > threshold for j in kept):
            kept.append(i)
    return kept


@pytest.fixture(autouse=True)
def forget_torchvision():
    """The probe of torchvision is made once per process; not in tests."""
    MODULE.torchvision_nms.cache_clear()
    yield
    MODULE.torchvision_nms.cache_clear()


def fake_torchvision(monkeypatch, kernel):
    """Puts a torchvision with this NMS kernel into sys.modules."""
    package, ops = ModuleType('torchvision'), ModuleType('torchvision.ops')
    package.ops, ops.nms = ops, kernel
    monkeypatch.setitem(sys.modules, 'torchvision', package)
    monkeypatch.setitem(sys.modules, 'torchvision.ops', ops)


def test_no_boxes(device):
    keep = nms(
        torch.zeros(0, 4, device=device), torch.zeros(0, device=device), .5, 0)
    assert keep.shape == (0, ) and keep.dtype == torch.long
    assert keep.device.type == device


@pytest.mark.parametrize('threshold, expected', [
    (.3, [1]),
    (1 / 3, [1, 0]),
    (.5, [1, 0]),
])
def test_two_boxes_with_iou_one_third(threshold, expected, device):
    # 2 x 2 boxes shifted by 1: intersection 2, union 6. The IoU must be
    # larger than the threshold, not equal.
    boxes = torch.tensor([[0., 0, 2, 2], [1., 0, 3, 2]], device=device)
    scores = torch.tensor([.5, .9], device=device)
    assert nms(boxes, scores, threshold, 0).tolist() == expected


def test_offset_counts_the_last_pixel():
    # As pixel indices: 3 x 3 boxes, 6 of 12 pixels shared: IoU .5.
    boxes = torch.tensor([[0., 0, 2, 2], [1., 0, 3, 2]])
    scores = torch.tensor([.5, .9])
    assert nms(boxes, scores, .4, 0).tolist() == [1, 0]
    assert nms(boxes, scores, .4, 1).tolist() == [1]


def test_suppressed_boxes_do_not_suppress():
    # A chain: each box overlaps only its neighbours.
    boxes = torch.tensor([[float(x), 0, x + 10, 10] for x in (0, 5, 10, 15)])
    scores = torch.tensor([.9, .8, .7, .6])
    assert nms(boxes, scores, .3, 0).tolist() == [0, 2]


def test_boxes_without_area_stay():
    boxes = torch.tensor([[1., 1, 1, 1], [1., 1, 1, 1], [5., 5, 4, 9]])
    assert sorted(nms(boxes, torch.rand(3), .5, 0).tolist()) == [0, 1, 2]


def test_integer_boxes_are_refused():
    with pytest.raises(TypeError, match='floating point'):
        nms(torch.zeros(1, 4, dtype=torch.long), torch.ones(1), .5, 0)


@pytest.mark.parametrize(
    'dtype', [torch.float64, torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize('offset', [0, 1])
def test_equals_brute_force_over_several_blocks(dtype, offset, device,
                                                random_boxes):
    boxes = random_boxes(500, 250, seed=3).to(dtype)
    scores = torch.rand(500).to(dtype)
    keep = nms(boxes.to(device), scores.to(device), .4, offset)
    if device == 'cuda':  # half scores tie, and every device breaks ties
        assert len(keep) == len(set(keep.tolist()))
        scores = torch.zeros(500).index_put(
            (keep.cpu(), ), torch.arange(500., 500 - len(keep), -1))
        assert set(keep.tolist()) <= set(
            brute_force(boxes, scores, .4, offset))
    else:
        assert keep.tolist() == brute_force(boxes, scores, .4, offset)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(*[st.integers(-3, 9)] * 4, st.integers(0, 5)), max_size=12),
    st.sampled_from([0., .25, .5, 1.]), st.sampled_from([0, 1]))
def test_small_whole_numbers(rows, threshold, offset):
    # Duplicates, ties, inverted and empty boxes; IoUs exactly at threshold.
    data = torch.tensor(rows, dtype=torch.float32).reshape(-1, 5)
    boxes, scores = data[:, :4], data[:, 4]
    assert nms(boxes, scores, threshold,
               offset).tolist() == brute_force(boxes, scores, threshold,
                                               offset)


def test_torchvision_is_used_for_offset_0_only(monkeypatch, random_boxes):
    calls = []

    def kernel(boxes, scores, threshold):
        calls.append(len(boxes))
        order = scores.sort(stable=True, dim=0, descending=True)[1]
        return order[MODULE._nms_sorted(boxes[order], threshold, 0)]

    boxes, scores = random_boxes(50, 90, seed=0), torch.rand(50).round()
    expected = nms(boxes, scores, .4, 0)
    MODULE.torchvision_nms.cache_clear()
    fake_torchvision(monkeypatch, kernel)
    assert nms(boxes, scores, .4, 0).equal(expected)
    assert calls == [2, 50]  # the probe, then the boxes
    nms(boxes, scores, .4, 1)
    assert calls == [2, 50]


def no_kernel(boxes, scores, threshold):
    """A CPU build of torchvision with CUDA tensors, for example."""
    raise NotImplementedError('Could not run torchvision::nms')


def keeps_everything(boxes, scores, threshold):
    """A kernel that is out of order."""
    return torch.arange(len(boxes))


@pytest.mark.parametrize('kernel', [no_kernel, keeps_everything])
def test_kernel_that_fails_on_two_boxes_is_not_used(monkeypatch, caplog,
                                                    kernel):
    fake_torchvision(monkeypatch, kernel)
    boxes = torch.tensor([[0., 0, 2, 2], [0., 0, 2, 2]])
    assert nms(boxes, torch.tensor([.5, .9]), .5, 0).tolist() == [1]
    assert 'torchvision is not used' in caplog.text


@pytest.mark.parametrize('error, logged', [
    (RuntimeError('operator torchvision::nms does not exist'), True),
    (ImportError('undefined symbol'), True),
    (ModuleNotFoundError('No module', name='PIL'), True),
    (ModuleNotFoundError('No module', name='torchvision'), False),
])
def test_torchvision_that_does_not_import(monkeypatch, caplog, error, logged):

    class Finder:
        """Fails as the torchvision of PyPI does beside a CPU torch."""

        def find_spec(self, name, path=None, target=None):
            if name.partition('.')[0] == 'torchvision':
                raise error

    for name in [
            name for name in sys.modules
            if name.partition('.')[0] == 'torchvision'
    ]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, 'meta_path', [Finder()] + sys.meta_path)
    boxes = torch.tensor([[0., 0, 2, 2], [0., 0, 2, 2]])
    assert nms(boxes, torch.tensor([.5, .9]), .5, 0).tolist() == [1]
    assert ('torchvision is not used' in caplog.text) == logged


@pytest.mark.real_data
@pytest.mark.parametrize('count, span', [(1, 10), (2, 10),
                                         (127, 50), (129, 300), (1000, 100),
                                         (3000, 1500)])
@pytest.mark.parametrize('offset', [0, 1])
def test_equals_compiled(compiled, random_boxes, count, span, offset):
    boxes = random_boxes(count, span, seed=count)
    for scores in (torch.rand(count), (torch.rand(count) * 8).round()):
        for threshold in (0., .3, .4, .7, 1.):
            assert nms(boxes, scores, threshold, offset).equal(
                compiled.nms(
                    boxes, scores, iou_threshold=threshold, offset=offset))


@pytest.mark.real_data
@pytest.mark.parametrize('threshold', [-.1, 0., .2, .25, 1 / 3, .4, .5, .6])
@pytest.mark.parametrize('offset', [0, 1])
def test_equals_compiled_on_degenerate_boxes(compiled, threshold, offset):
    # Whole numbers: many duplicates, ties and IoUs at the very threshold,
    # which .4 in float32 is larger than, and .6 smaller.
    generator = torch.Generator().manual_seed(0)
    boxes = torch.randint(-2, 12, (1500, 4), generator=generator).float()
    scores = torch.randint(0, 9, (1500, ), generator=generator) / 8
    expected = compiled.nms(
        boxes, scores, iou_threshold=threshold, offset=offset)
    assert nms(boxes, scores, threshold, offset).equal(expected)


@pytest.mark.real_data
def test_equals_compiled_in_batches(compiled, monkeypatch, random_boxes):
    import mmcv.ops
    boxes, scores = random_boxes(800, 300, seed=5), torch.rand(800)
    classes = torch.randint(0, 4, (800, ))
    results = []
    for ops in (compiled, importlib.import_module('tinyfaces.ops')):
        monkeypatch.setattr(sys.modules['mmcv.ops.nms'], 'ext_module', ops)
        for split in (10000, 100):
            results.append(
                mmcv.ops.batched_nms(
                    boxes, scores, classes,
                    dict(type='nms', iou_threshold=.4, split_thr=split)))
    for expected, result in zip(results[:2], results[2:]):
        assert expected[0].equal(result[0]) and expected[1].equal(result[1])
