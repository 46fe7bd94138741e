"""Features of RefineFace's neck, which has maps of two steps."""
import pytest
import torch
from mmengine.structures import InstanceData
from refine_models import build, images, model_config, sample

from tinyfaces.models import PostProcessedDetector
from tinyfaces.models.detectors.feature_tap import FeatureTap
from tinyfaces.models.task_modules import anchor_scale

STRIDES = [4, 8, 16, 32, 64, 128]
STEPS = {
    'whole': dict(),
    'STC': dict(str_levels=()),
    'STR': dict(stc_levels=()),
    'STR on P7': dict(stc_levels=(), str_levels=(5, )),
    'neither': dict(stc_levels=(), str_levels=()),
}


@pytest.fixture(params=STEPS)
def detector(request):
    return build(model_config(**STEPS[request.param])).eval()


@torch.no_grad()
def test_second_step_maps(detector):
    """P2 to P7 of each picture, and where their cells lie."""
    with FeatureTap(detector, ['neck', 'backbone']) as tap:
        detector(images(2), mode='tensor')
    maps = detector.extract_feat(images(2))[-6:]
    for index in (0, 1):
        pyramid = tap.pyramid('neck', index, 2)
        assert len(pyramid.maps) == 6
        for one, expected in zip(pyramid.maps, maps):
            assert torch.equal(one, expected[index])
        assert pyramid.input_shape == (128, 128)
        assert pyramid.priors is not None
        assert pyramid.strides == [(s, s) for s in STRIDES]
        assert [centre[0] for centre in pyramid.centres
                ] == pytest.approx([s / 2 for s in STRIDES])
    # C2 to C5, of other numbers of channels
    pyramid = tap.pyramid('backbone', 0, 2)
    assert [len(level) for level in pyramid.maps] == [8, 16, 32, 64]


@torch.no_grad()
def test_features_of_detections(detector):
    """As a step behind the detector; each box is read on its own level."""
    scale = anchor_scale(detector)
    assert scale == pytest.approx(2**1.25)
    step = dict(type='FeatureSampler', level_scale=scale)
    model = PostProcessedDetector(detector, dict(post_process=[step]))
    boxes = torch.tensor([[8., 8, 18, 18], [20, 20, 40, 40],
                          [20, 20, 110, 110]])

    detector.bbox_head.predict = lambda x, samples, **kwargs: [
        InstanceData(
            bboxes=boxes, scores=torch.ones(3), labels=torch.zeros(3))
    ]
    result, = model.predict(images(), [sample(size=128)])
    features = result.pred_instances.features
    maps = detector.extract_feat(images())[-6:]
    # Sides of 10, 20 and 90 are nearest to P2's 9.5, P3's 19 and P5's 76.
    for row, level, (x, y) in ((0, 0, (13, 13)), (1, 1, (30, 30)), (2, 3,
                                                                    (65, 65))):
        stride = STRIDES[level]
        expected = bilinear(maps[level][0], x / stride - .5, y / stride - .5)
        torch.testing.assert_close(
            features[row], expected, rtol=1e-4, atol=1e-5)


def bilinear(level, x, y):
    """Values of a (c, h, w) map between its cells."""
    left, top = int(x), int(y)
    right = min(left + 1, level.shape[2] - 1)
    bottom = min(top + 1, level.shape[1] - 1)
    x, y = x - left, y - top
    return ((1 - y) *
            ((1 - x) * level[:, top, left] + x * level[:, top, right]) + y *
            ((1 - x) * level[:, bottom, left] + x * level[:, bottom, right]))
