"""Tiles of a network's input, and TinyFaces with and without them."""
import pytest
import torch
from face_samples import sample
from hypothesis import given, settings
from hypothesis import strategies as st
from refine_models import build
from tiny_faces_models import detector_config, lively

from tinyfaces.models.detectors.tiled_forward import tile_spans, tiled_forward


def test_spans_by_hand():
    assert tile_spans(100, 100, 40, 16) == [(0, 100, 0)]
    # Two halos of 16 pixels; kept are 0-48, 48-80 and 80-113.
    assert tile_spans(113, 64, 16, 16) == [(0, 64, 0), (32, 96, 48),
                                           (64, 113, 80)]
    # Two tiles of 80 would do, or of 64 + 16 and the rest: even ones.
    assert tile_spans(120, 112, 10, 16) == [(0, 80, 0), (48, 120, 64)]


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_spans_cover_the_picture(data):
    step = data.draw(st.sampled_from([8, 16, 32]))
    halo = data.draw(st.integers(0, 150))
    rounded = -(-halo // step) * step
    tile = data.draw(st.integers(2 * rounded + step, 600))
    length = data.draw(st.integers(1, 3000))
    spans = tile_spans(length, tile, halo, step)
    assert spans[0][::2] == (0, 0)
    assert spans[-1].stop == length
    for span in spans:
        assert span.start % step == span.first % step == 0
        assert 0 < span.stop - span.start <= tile
    for one, two in zip(spans, spans[1:]):
        # Kept up to two.first, with a halo on both sides.
        assert one.first < two.first < length
        assert one.stop - two.first >= halo
        assert two.first - two.start >= halo
    room = tile // step * step - 2 * rounded
    assert len(spans) <= max(1, -(-(length - 2 * rounded) // room))


@pytest.mark.parametrize('tile', [1, 16, 47])
def test_no_room_for_halos(tile):
    with pytest.raises(ValueError, match='give at least 48'):
        tile_spans(100, tile, 10, 16)


@pytest.mark.parametrize('shape', [(64, 64), (61, 90), (7, 200), (130, 33)])
def test_stitches_maps(shape):
    """Of a network that looks 5 pixels far: the sum of 11 x 11."""
    inputs = torch.rand(2, 3, *shape, dtype=torch.float64)
    seen = []

    def network(x):
        seen.append(x.shape[-2:])
        sums = torch.nn.functional.avg_pool2d(x, 11, 1, 5)[..., ::4, ::4]
        return sums, sums[:, :1] * 2

    whole = network(inputs)
    seen.clear()
    for halo, equal in ((5, True), (0, False)):
        for one, other in zip(
                tiled_forward(network, inputs, 32, halo, 8, 4), whole):
            assert one.shape == other.shape
            assert torch.allclose(one, other, rtol=0, atol=1e-12) == equal
    assert max(max(tile) for tile in seen) <= 32 and len(seen) > 2


# In stride, from the templates' side: one map alone, and a finer one.
LAYOUTS = {
    'res3, res4': {},
    'res4': dict(in_channels=(256, ), in_strides=(16, )),
    'res2, res3, res4':
    dict(in_channels=(64, 128, 256), in_strides=(4, 8, 16)),
}


def detector(tiling, layout='res3, res4', channels=64, **options):
    """With batch norm that has seen something, and a head that has learned."""
    config = detector_config(
        channels, tiling=tiling, **options, **LAYOUTS[layout])
    config.backbone.out_indices = {
        'res4': (2, ),
        'res3, res4': (1, 2),
        'res2, res3, res4': (0, 1, 2)
    }[layout]
    model = lively(build(config), std=.05).eval()
    generator = torch.Generator().manual_seed(7)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            for name, spread in (('running_mean', .3), ('running_var', .5),
                                 ('weight', .5), ('bias', .3)):
                value = getattr(module, name).data
                value += spread * torch.rand(value.shape, generator=generator)
    return model


def picture(shape, number=1):
    generator = torch.Generator().manual_seed(5)
    return torch.randn(number, 3, *shape, generator=generator)


def maps_of(model, inputs):
    with torch.no_grad():
        return model._predict_maps(inputs, torch.arange(4))


@pytest.mark.parametrize('layout', LAYOUTS)
@pytest.mark.parametrize('shape', [(465, 373), (131, 400)])
def test_equals_the_whole_picture(layout, shape):
    """A whole ResNet-18 with random weights, sides that are multiples of
    nothing, and the least halo."""
    model = detector(dict(max_pixels=100, tile=352), layout)
    seen = []
    model.backbone.register_forward_pre_hook(
        lambda module, inputs: seen.append(inputs[0].shape[-2:]))
    inputs = picture(shape)
    tiled = maps_of(model, inputs)
    assert len(seen) == (6 if shape[0] > 400 else 2)
    assert max(max(tile) for tile in seen) <= 352
    model.tiling = None
    for one, other in zip(tiled, maps_of(model, inputs)):
        assert one.shape == other.shape
        assert other.std() > .05
        torch.testing.assert_close(one, other, rtol=0, atol=1e-4)


def test_the_halo_is_needed():
    """A quarter of it leaves seams that show."""
    inputs = picture((300, 421))
    halves = [
        maps_of(detector(tiling), inputs)[0]
        for tiling in (None, dict(max_pixels=100, tile=288, halo=32))
    ]
    assert (halves[0] - halves[1]).abs().max() > 1e-3


def test_detections_are_the_same():
    """Of a batch, with groups and boxes in pixels of the original."""
    test_cfg = dict(group_outputs=True, score_thr=.3)
    results = []
    for tiling in (None, dict(max_pixels=300 * 420,
                              tile=272), dict(max_pixels=301 * 421, tile=256)):
        model = detector(tiling, channels=8, test_cfg=test_cfg)
        runs = []
        model.backbone.register_forward_hook(lambda *_: runs.append(1))
        pictures = [sample() for _ in range(2)]
        for one in pictures:
            one.set_metainfo(dict(img_shape=(301, 421), scale_factor=(2., 2.)))
        with torch.no_grad():
            found = model.predict(picture((301, 421), 2), pictures)
        results.append((len(runs), found))
    (one, whole), (several, tiled), (again, _) = results
    assert (one, again) == (1, 1) and several > 2
    for left, right in zip(whole, tiled):
        groups = [each.group_pred_instances for each in (left, right)]
        for expected, got in ((left.pred_instances, right.pred_instances),
                              (groups[0]['A'], groups[1]['A']),
                              (groups[0]['B'], groups[1]['B'])):
            assert len(expected) > 10
            assert len(got) == len(expected)
            torch.testing.assert_close(
                got.bboxes, expected.bboxes, rtol=0, atol=1e-3)
            torch.testing.assert_close(
                got.scores, expected.scores, rtol=0, atol=1e-5)


def test_in_inference_mode():
    """The halo is computed there, too."""
    inputs, found = picture((301, 421)), []
    for tiling in (None, dict(max_pixels=100, tile=272)):
        model = detector(tiling, channels=8, test_cfg=dict(score_thr=.3))
        one = sample()
        one.set_metainfo(dict(img_shape=(301, 421)))
        with torch.inference_mode():
            found.append(model.predict(inputs, [one])[0].pred_instances)
    expected, tiled = found
    assert len(expected) > 10
    torch.testing.assert_close(
        tiled.bboxes, expected.bboxes, rtol=0, atol=1e-3)
    torch.testing.assert_close(
        tiled.scores, expected.scores, rtol=0, atol=1e-5)


def test_receptive_field():
    """ResNet-18's res4 spans 211 pixels, and bilinear interpolation between
    two of its cells is up to 16 to the left and 8 to the right."""
    field = detector(None, channels=8).receptive_field
    assert field == (8, 105 + 16, 105 + 8, 16)


def test_tiles_too_small():
    model = detector(dict(max_pixels=100, tile=256 + 15), channels=8)
    with pytest.raises(ValueError, match='give at least 272'):
        maps_of(model, picture((300, 300)))


@pytest.mark.parametrize('tiling', [
    dict(max_pixels=0),
    dict(tile=0),
    dict(halo=-1),
    dict(size=3),
])
def test_bad_tiling(tiling):
    with pytest.raises(ValueError, match='tiling is None or has'):
        build(detector_config(tiling=tiling))


def test_defaults():
    assert build(detector_config(tiling=dict(tile=512))).tiling == dict(
        max_pixels=6250000, tile=512, halo=None)
    config = detector_config()
    del config.tiling
    assert build(config).tiling['tile'] == 2048
    assert build(detector_config(tiling=None)).tiling is None
