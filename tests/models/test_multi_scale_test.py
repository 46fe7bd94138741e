"""The multi-scale test, around a small detector with random weights."""
import copy
import logging
import weakref

import cv2
import numpy as np
import pytest
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import HorizontalBoxes
from mmengine.config import Config, ConfigDict
from mmengine.runner import load_checkpoint
from mmengine.structures import InstanceData
from tiny_detector import PREPROCESSOR, RETINANET, save_random_model
from torch import nn

from tinyfaces.apis import FaceDetector
from tinyfaces.models.test_time import MultiScaleTestModel

VOTING = dict(voting=dict(iou_threshold=.5), max_per_img=750)
ORIGINAL = dict(type='ScalePlan', scales=[dict(scale=1)])
WIDTH, HEIGHT = 150, 100


@pytest.fixture(scope='module')
def files(tmp_path_factory):
    """Config and checkpoint of the bare detector."""
    return save_random_model(RETINANET, tmp_path_factory.mktemp('model'))


@pytest.fixture(scope='module')
def detector(files):
    return load(RETINANET, files)


def load(cfg, files):
    """A model with the weights of the bare detector, by mmengine."""
    model = MODELS.build(ConfigDict(copy.deepcopy(cfg)))
    load_checkpoint(model, str(files[1]), map_location='cpu', strict=True)
    return model.eval()


def picture(seed=0, width=WIDTH, height=HEIGHT):
    """uint8 (3, H, W), smooth enough for resizing."""
    image = np.random.default_rng(seed).integers(
        0, 256, (height // 10, width // 10, 3), dtype=np.uint8)
    image = cv2.resize(image, (width, height), interpolation=cv2.INTER_CUBIC)
    return torch.from_numpy(image.transpose(2, 0, 1).copy())


def batch(*pictures):
    """As the data loader gives them, with the scale factor of no Resize."""
    return dict(
        inputs=list(pictures),
        data_samples=[
            DetDataSample(
                metainfo=dict(
                    img_id=i,
                    img_path=f'{i}.jpg',
                    img_shape=x.shape[1:],
                    ori_shape=x.shape[1:],
                    scale_factor=(1., 1.))) for i, x in enumerate(pictures)
        ])


def find(model, *pictures):
    """Predicted instances of each picture."""
    with torch.no_grad():
        samples = model.test_step(batch(*pictures))
    return [sample.pred_instances for sample in samples]


class Seen(nn.Module):
    """A detector that finds, in each view, what it is told.

    Args:
        boxes: Rows x1, y1, x2, y2, score, label in pixels of the original.
    """

    def __init__(self, boxes):
        super().__init__()
        self.boxes = torch.tensor(boxes).float().reshape(-1, 6)
        self.shapes = []
        self.samples = []

    def test_step(self, data):
        (image, ), (sample, ) = data['inputs'], data['data_samples']
        self.shapes.append(tuple(image.shape))
        self.samples.append(sample)
        boxes = self.boxes[:, :4].clone()
        if sample.flip:
            width = sample.ori_shape[1]
            boxes[:, [0, 2]] = width - boxes[:, [2, 0]]
        sample.pred_instances = InstanceData(
            bboxes=boxes,
            scores=self.boxes[:, 4],
            labels=self.boxes[:, 5].long())
        return [sample]


def rows(found):
    return torch.cat(
        (found.bboxes, found.scores[:, None], found.labels[:, None]),
        1).tolist()


def test_original_scale_alone_is_the_plain_prediction(detector):
    """NMS at 0.4 leaves nothing that voting at 0.5 could join."""
    model = MultiScaleTestModel(detector, VOTING, ORIGINAL)
    pictures = picture(0), picture(1, 90, 120)
    for plain, found in zip(find(detector, *pictures), find(model, *pictures)):
        assert len(plain) > 20
        torch.testing.assert_close(found.scores, plain.scores)
        torch.testing.assert_close(found.bboxes, plain.bboxes)
        assert torch.equal(found.labels, plain.labels)


def test_a_view_is_what_resize_and_the_detector_make(detector):
    """At 1.5 times the size: the same as doing it by hand."""
    model = MultiScaleTestModel(
        detector, VOTING, dict(type='ScalePlan', scales=[dict(scale=1.5)]))
    image = picture()
    by_hand = cv2.resize(
        image.numpy().transpose(1, 2, 0), (225, 150),
        interpolation=cv2.INTER_LINEAR)
    plain, = find(detector, torch.from_numpy(by_hand.transpose(2, 0, 1)))
    found, = find(model, image)
    assert len(plain) > 20
    torch.testing.assert_close(found.scores, plain.scores)
    torch.testing.assert_close(found.bboxes, plain.bboxes / 1.5)


def test_a_mirrored_picture_has_mirrored_faces(detector):
    """With flip both are looked at as the same two views."""
    model = MultiScaleTestModel(
        detector, VOTING,
        dict(type='ScalePlan', scales=[dict(scale=1, flip=True)]))
    image = picture()
    found, = find(model, image)
    mirrored, = find(model, image.flip(2))
    assert len(found) > 20
    torch.testing.assert_close(mirrored.scores, found.scores)
    boxes = mirrored.bboxes.clone()
    boxes[:, [0, 2]] = WIDTH - boxes[:, [2, 0]]
    torch.testing.assert_close(boxes, found.bboxes, atol=1e-3, rtol=1e-4)
    alone, = find(detector, image)
    assert not torch.equal(alone.scores, found.scores)


def test_views_and_their_metainfo():
    """The largest first; scale factors as they came out of rounding."""
    detector = Seen([])
    model = MultiScaleTestModel(detector, VOTING,
                                dict(type='BudgetScalePlan', max_size=180))
    image = picture(width=101, height=77)
    sample, = model.test_step(batch(image))
    # 180 / sqrt(101 * 77) = 2.0411
    sizes = [(157, 206), (116, 152), (77, 101), (77, 101), (39, 51)]
    assert detector.shapes == [(3, *size) for size in sizes]
    assert [s.img_shape for s in detector.samples] == sizes
    assert [s.flip for s in detector.samples] == [False] * 3 + [True, False]
    assert detector.samples[0].scale_factor == (206 / 101, 157 / 77)
    assert all(s.ori_shape == (77, 101) and s.img_path == '0.jpg'
               for s in detector.samples)
    assert sample.img_shape == (77, 101) and 'flip' not in sample
    assert rows(sample.pred_instances) == []


def test_size_filters():
    """Each view sees all three faces; the plan says whom to believe."""
    small, middle, large = ([0, 0, 20, 30, .5,
                             0], [30, 0, 70, 30, .5,
                                  0], [0, 0, 100, 150, .5, 0])
    detector = Seen([small, middle, large])

    def found(*scales):
        model = MultiScaleTestModel(detector, VOTING,
                                    dict(type='ScalePlan', scales=scales))
        return rows(find(model, picture())[0])

    assert found(dict(scale=.5, above=30)) == [middle, large]
    assert found(dict(scale=2, below=100, flip=True)) == [small, middle]
    # Only the middle one is found by two views.
    model = MultiScaleTestModel(
        detector, dict(voting=dict(keep_singletons=False), max_per_img=9),
        dict(
            type='ScalePlan',
            scales=[dict(scale=.5, above=30),
                    dict(scale=2, below=100)]))
    assert rows(find(model, picture())[0]) == [middle]


def test_classes_are_joined_apart():
    """Equal boxes of two classes stay two; the limit is for both together."""
    boxes = [[0, 0, 20, 30, .25, 1], [0, 0, 20, 30, .75, 0],
             [50, 0, 70, 30, .5, 1]]
    wanted = [boxes[1], boxes[2], boxes[0]]
    plan = dict(type='ScalePlan', scales=[dict(scale=1, flip=True)])
    for way in (dict(voting=dict()),
                dict(nms=dict(type='nms', iou_threshold=.3))):
        for limit in (3, 2):
            model = MultiScaleTestModel(
                Seen(boxes), dict(way, max_per_img=limit), plan)
            assert rows(find(model, picture())[0]) == wanted[:limit]


@pytest.mark.parametrize('way', [
    dict(voting=dict(keep_singletons=False)),
    dict(nms=dict(type='nms', iou_threshold=.3))
])
def test_nothing_found(way):
    model = MultiScaleTestModel(Seen([]), dict(way, max_per_img=750))
    found, = find(model, picture())
    assert found.bboxes.shape == (0, 4)
    assert found.scores.shape == found.labels.shape == (0, )


def test_one_view_in_memory_at_a_time(detector):
    """Of all copies, inputs and feature maps, those of one view live."""
    alive, peaks, order = [], [], []

    def watch(*tensors):
        alive.extend(map(weakref.ref, tensors))
        peaks.append(sum(ref() is not None for ref in alive))

    def on_copy(module, args):
        watch(args[0]['inputs'][0])

    def on_features(module, args, outputs):
        watch(args[0], *outputs)
        order.append(args[0].shape[2:].numel())

    model = MultiScaleTestModel(detector, VOTING,
                                dict(type='BudgetScalePlan', max_size=200))
    handles = [
        detector.data_preprocessor.register_forward_pre_hook(on_copy),
        detector.backbone.register_forward_hook(on_features)
    ]
    try:
        model.test_step(batch(picture(0), picture(1)))
    finally:
        for handle in handles:
            handle.remove()
    # The copy alone; then the copy, the network's input and four maps.
    assert peaks == [1, 6] * 10
    # 1.633, 1.5, 1, mirrored, 0.5; of both pictures, padded.
    assert order == [65536, 65536, 32768, 32768, 16384] * 2


def test_keeps_annotations_for_the_metric(detector):
    data = batch(picture())
    data['data_samples'][0].gt_instances = InstanceData(
        bboxes=HorizontalBoxes(torch.tensor([[1., 2, 3, 4]])))
    sample, = MultiScaleTestModel(detector, VOTING, ORIGINAL).test_step(data)
    assert sample.gt_instances.bboxes.tolist() == [[1, 2, 3, 4]]


def test_refuses_resized_pictures_and_ready_made_views():
    model = MultiScaleTestModel(Seen([]), VOTING)
    data = batch(picture())
    data['data_samples'][0].set_metainfo(dict(ori_shape=(200, 300)))
    with pytest.raises(ValueError, match='300x200 .* 150x100.*Resize'):
        model.test_step(data)
    data['inputs'] = [[picture()]]
    with pytest.raises(TypeError, match='TestTimeAug'):
        model.test_step(data)


def test_tells_once_of_what_it_cannot_join(monkeypatch):
    told = []
    monkeypatch.setattr(
        'tinyfaces.models.test_time.multi_scale_test.print_log',
        lambda text, **kwargs: told.append((text, kwargs)))

    class WithEllipses(Seen):

        def test_step(self, data):
            sample, = super().test_step(data)
            sample.pred_instances.ellipses = self.boxes[:, :5]
            return [sample]

    model = MultiScaleTestModel(WithEllipses([[0, 0, 9, 9, .5, 0]]), VOTING)
    found, = find(model, picture())
    assert set(found.keys()) == {'bboxes', 'scores', 'labels'}
    (text, kwargs), = told
    assert "WithEllipses gives ['ellipses']" in text
    assert kwargs['level'] == logging.WARNING


def test_in_the_python_interface(files):
    """FaceDetector takes the wrapped model with the bare checkpoint."""
    cfg = Config.fromfile(files[0])
    image = picture().numpy().transpose(1, 2, 0)
    cfg.model = dict(
        type='MultiScaleTestModel',
        tta_cfg=VOTING,
        plan=dict(type='BudgetScalePlan', max_size=200),
        module=cfg.model)
    wrapped = FaceDetector(cfg, files[1], device='cpu', score_thr=.05)
    found = wrapped(image, channel_order='bgr')
    direct, = find(wrapped.model, picture())
    assert len(found.boxes) == len(direct) > 20
    np.testing.assert_allclose(found.boxes, direct.bboxes, atol=1e-4)


def test_its_own_preprocessor_replaces_the_detectors():
    model = MODELS.build(
        ConfigDict(
            type='MultiScaleTestModel',
            tta_cfg=VOTING,
            module=copy.deepcopy(RETINANET),
            data_preprocessor=dict(PREPROCESSOR, pad_size_divisor=256)))
    assert model.module.data_preprocessor.pad_size_divisor == 256
