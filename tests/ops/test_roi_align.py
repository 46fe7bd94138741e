"""RoIAlign: hand-computed values, brute force, adjoint, compiled op."""
import itertools
import math

import numpy as np
import pytest
import torch

from tinyfaces import ops

MAX, AVG = 0, 1


def run(module,
        features,
        rois,
        size,
        scale=1.,
        ratio=0,
        mode=AVG,
        aligned=True,
        grad=None):
    """Forward, and backward if there is a gradient."""
    output = features.new_zeros(len(rois), features.shape[1], *size)
    places = [
        features.new_zeros(output.shape if mode == MAX else 0) for _ in 'yx'
    ]
    arguments = dict(
        aligned_height=size[0],
        aligned_width=size[1],
        spatial_scale=scale,
        sampling_ratio=ratio,
        pool_mode=mode,
        aligned=aligned)
    module.roi_align_forward(features, rois, output, *places, **arguments)
    if grad is None:
        return output, places
    grad_input = torch.zeros_like(features)
    module.roi_align_backward(grad, rois, *places, grad_input, **arguments)
    return output, places, grad_input


def brute_force(features, rois, size, scale, ratio, mode, aligned):
    """The definition in float64, one sample after the other."""
    features = features.double().numpy()
    channels, height, width = features.shape[1:]
    result = np.zeros((len(rois), channels, *size))

    def sample(image, y, x):
        if not (-1 <= y <= height and -1 <= x <= width):
            return np.zeros(channels)
        y, x = min(max(y, 0), height - 1), min(max(x, 0), width - 1)
        y0, x0 = int(y), int(x)
        y1, x1 = min(y0 + 1, height - 1), min(x0 + 1, width - 1)
        plane = features[image]
        upper = (1 - x + x0) * plane[:, y0, x0] + (x - x0) * plane[:, y0, x1]
        lower = (1 - x + x0) * plane[:, y1, x0] + (x - x0) * plane[:, y1, x1]
        return (1 - y + y0) * upper + (y - y0) * lower

    for k, (image, *corners) in enumerate(rois.double().tolist()):
        x1, y1, x2, y2 = (c * scale - (.5 if aligned else 0) for c in corners)
        w, h = x2 - x1, y2 - y1
        if not aligned:
            w, h = max(w, 1), max(h, 1)
        h, w = h / size[0], w / size[1]
        rows, columns = ((ratio, ratio) if ratio > 0 else
                         (math.ceil(h), math.ceil(w)))
        for i, j in itertools.product(*map(range, size)):
            values = [
                sample(
                    int(image), y1 + (i + (a + .5) / rows) * h,
                    x1 + (j + (b + .5) / columns) * w) for a in range(rows)
                for b in range(columns)
            ]
            if values:
                pool = np.mean if mode == AVG else np.max
                result[k, :, i, j] = pool(values, axis=0)
            elif mode == MAX:
                result[k, :, i, j] = -10000
    return torch.from_numpy(result)


def make_rois(dtype, count=12):
    """RoIs inside, partly and fully outside, tiny, huge and without area."""
    corners = torch.rand(count, 2) * 140 - 20
    rois = torch.cat((torch.arange(count)[:, None] % 2, corners,
                      corners + torch.rand(count, 2) * 90), 1)
    rois[0, 3:] = rois[0, 1:3]
    rois[1, 3] = rois[1, 1]
    rois[2, 1:] = torch.tensor([-40., -40, 300, 300])
    rois[3, 1:] = torch.tensor([500., 500, 600, 600])
    rois[4:7] = rois[4:7].round()
    return rois.to(dtype)


def test_ramp_aligned(device):
    # The value is 4 * y + x at pixel centres; bins of 2 x 2 pixels.
    ramp = torch.arange(16., device=device).view(1, 1, 4, 4)
    rois = torch.tensor([[0., 0, 0, 4, 4]], device=device)
    output, _ = run(ops, ramp, rois, (2, 2))
    assert output[0, 0].tolist() == [[2.5, 4.5], [10.5, 12.5]]
    output, (y, x) = run(ops, ramp, rois, (2, 2), mode=MAX)
    assert output[0, 0].tolist() == [[5, 7], [13, 15]]
    assert y[0, 0].tolist() == [[1, 1], [3, 3]]
    assert x[0, 0].tolist() == [[1, 3], [1, 3]]


def test_ramp_not_aligned(device):
    # Samples at .5, 1.5, 2.5 and 3.5; the last one is clipped to 3.
    ramp = torch.arange(16., device=device).view(1, 1, 4, 4)
    rois = torch.tensor([[0., 0, 0, 4, 4]], device=device)
    output, _ = run(ops, ramp, rois, (2, 2), aligned=False)
    assert output[0, 0].tolist() == [[5, 6.75], [12, 13.75]]


def test_gradient_of_one_sample(device):
    # One sample at y = .5, x = .75.
    rois = torch.tensor([[0., 0, 0, 2.5, 2]], device=device)
    features = torch.zeros(1, 1, 3, 3, device=device)
    grad = torch.full((1, 1, 1, 1), 8., device=device)
    for mode in (AVG, MAX):
        _, _, result = run(
            ops, features, rois, (1, 1), ratio=1, mode=mode, grad=grad)
        assert result[0, 0].tolist() == [[1, 3, 0], [1, 3, 0], [0, 0, 0]]


def test_picture_without_rois(device):
    features = torch.ones(1, 2, 4, 4, device=device)
    _, _, grad = run(
        ops,
        features,
        torch.zeros(0, 5, device=device), (2, 2),
        grad=torch.zeros(0, 2, 2, 2, device=device))
    assert not grad.any()


def test_gradient_is_added():
    features, rois = torch.rand(1, 1, 4, 4), torch.tensor([[0., 0, 0, 4, 4]])
    grad_input = torch.ones_like(features)
    nothing = torch.zeros(0)
    ops.roi_align_backward(
        torch.ones(1, 1, 1, 1), rois, nothing, nothing, grad_input, 1, 1, 1.,
        0, AVG, True)
    torch.testing.assert_close(grad_input, torch.full((1, 1, 4, 4), 1.0625))


def test_aligned_rois_of_negative_size_are_refused():
    rois = torch.tensor([[0., 0, 0, 2, 2], [0., 3, 0, 2, 2]])
    with pytest.raises(RuntimeError, match='RoI 1'):
        run(ops, torch.zeros(1, 1, 4, 4), rois, (2, 2))
    run(ops, torch.zeros(1, 1, 4, 4), rois, (2, 2), aligned=False)


def test_unknown_pool_mode():
    with pytest.raises(ValueError, match='pool modes'):
        run(ops, torch.zeros(1, 1, 4, 4), torch.zeros(1, 5), (2, 2), mode=2)


def test_nan_is_not_a_maximum():
    features = torch.tensor([[[[math.nan, 1.], [2., 3.]]]])
    output, (y, _) = run(
        ops, features, torch.tensor([[0., 0, 0, 2, 2]]), (2, 2), mode=MAX)
    assert output[0, 0].tolist() == [[-10000, 1], [2, 3]]
    assert y[0, 0].tolist() == [[-1, 0], [1, 1]]


@pytest.mark.parametrize('mode', [AVG, MAX])
@pytest.mark.parametrize('aligned', [True, False])
@pytest.mark.parametrize('ratio', [0, 2])
@pytest.mark.parametrize('dtype, precision', [(torch.float64, 1e-9),
                                              (torch.float32, 1e-4)])
def test_equals_brute_force(mode, aligned, ratio, dtype, precision, device,
                            monkeypatch):
    import tinyfaces.ops.roi_align as module
    monkeypatch.setattr(module, '_STEP_SAMPLES', 100)  # several steps
    monkeypatch.setattr(module, '_STEP_VALUES', 300)
    features = torch.randn(2, 3, 13, 17, dtype=dtype)
    arguments = ((3, 2), .125, ratio, mode, aligned)
    rois = make_rois(dtype)
    expected = brute_force(features, rois, *arguments)
    output, _ = run(ops, features.to(device), rois.to(device), *arguments)
    if device == 'cuda':  # the floor of an empty maximum differs there
        output[output < -10000] = -10000
    torch.testing.assert_close(
        output.double().cpu(), expected, rtol=0, atol=precision)


@pytest.mark.parametrize('mode', [AVG, MAX])
@pytest.mark.parametrize('aligned', [True, False])
@pytest.mark.parametrize('ratio', [0, 2])
def test_backward_is_the_adjoint(mode, aligned, ratio, device, monkeypatch):
    """<g, forward(x)> = <backward(g), x>: the op is linear in x.

    So is the maximum, as long as the same samples are the largest.
    """
    import tinyfaces.ops.roi_align as module
    monkeypatch.setattr(module, '_STEP_SAMPLES', 100)
    monkeypatch.setattr(module, '_STEP_VALUES', 300)
    features = torch.randn(2, 3, 13, 17, dtype=torch.float64, device=device)
    rois = make_rois(torch.float64).to(device)
    grad = torch.randn(len(rois), 3, 3, 2, dtype=torch.float64, device=device)
    output, _, grad_input = run(ops, features, rois, (3, 2), .125, ratio, mode,
                                aligned, grad)
    output[output <= -10000] = 0  # no sample: nothing that depends on x
    torch.testing.assert_close((grad * output).sum(),
                               (grad_input * features).sum())


def test_half_is_near_float(device):
    # Corners at multiples of 1/8 px: float16 holds all positions exactly.
    features = torch.randn(2, 3, 13, 17, device=device).half()
    rois = torch.tensor([[0., 8, 16, 40, 48], [1., 0, 0, 64, 32]],
                        device=device).half()
    grad = torch.randn(2, 3, 4, 4, device=device).half()
    for mode in (AVG, MAX):
        half = run(ops, features, rois, (4, 4), .125, 2, mode, True, grad)
        single = run(ops, features.float(), rois.float(), (4, 4), .125, 2,
                     mode, True, grad.float())
        assert half[0].dtype == half[2].dtype == torch.half
        torch.testing.assert_close(
            half[0].float(), single[0], rtol=1e-3, atol=1e-3)
        torch.testing.assert_close(
            half[2].float(), single[2], rtol=1e-3, atol=1e-3)


@pytest.mark.real_data
@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
@pytest.mark.parametrize('mode', [AVG, MAX])
@pytest.mark.parametrize('aligned', [True, False])
@pytest.mark.parametrize('ratio', [0, 1, 3])
@pytest.mark.parametrize('size', [(7, 7), (3, 5), (1, 1)])
def test_equals_compiled(compiled, dtype, mode, aligned, ratio, size):
    features = torch.randn(2, 5, 13, 17, dtype=dtype)
    rois = make_rois(dtype, count=40)
    grad = torch.randn(40, 5, *size, dtype=dtype)
    arguments = (features, rois, size, .125, ratio, mode, aligned, grad)
    output, _, grad_input = run(ops, *arguments)
    expected, _, expected_grad = run(compiled, *arguments)
    torch.testing.assert_close(output, expected, rtol=0, atol=1e-5)
    torch.testing.assert_close(grad_input, expected_grad, rtol=0, atol=1e-4)


@pytest.mark.real_data
@pytest.mark.parametrize('mode', [AVG, MAX])
@pytest.mark.parametrize('aligned', [True, False])
@pytest.mark.parametrize('ratio', [0, 2])
def test_equals_compiled_in_half(compiled, mode, aligned, ratio):
    # The compiled op rounds every product and sum to float16, ours only the
    # result; the samples are the same. Its gradient is left out: it adds up
    # hundreds of float16 numbers per pixel.
    features = torch.randn(2, 5, 13, 17).half()
    arguments = (features, make_rois(torch.half, count=40), (7, 7), .125,
                 ratio, mode, aligned)
    torch.testing.assert_close(
        run(ops, *arguments)[0],
        run(compiled, *arguments)[0],
        rtol=4e-3,
        atol=4e-3)


@pytest.mark.real_data
def test_refusal_equals_compiled(compiled):
    arguments = (torch.zeros(1, 1, 4, 4), torch.tensor([[0., 3, 0, 2,
                                                         2]]), (2, 2))
    for module in (ops, compiled):
        with pytest.raises(RuntimeError):
            run(module, *arguments)
