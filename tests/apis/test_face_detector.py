import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from linear_ellipses import random_regressor
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.structures import InstanceData
from PIL import Image
from scipy import ndimage
from tiny_detector import RETINANET, save_random_model

from tinyfaces.apis import (Detections, FaceDetector, UnreadableImageError,
                            default_model)
from tinyfaces.ellipses import (LinearEllipseRegressor, LinearMap,
                                save_ellipse_regressor)
from tinyfaces.models import EllipseRegressor


@MODELS.register_module()
class SquareDetector(BaseModel):
    """Finds bright shapes on black: score 1, or what their blue says.

    What it is given is recorded in ``seen`` as (height, width).
    """

    def __init__(self, test_cfg=None, data_preprocessor=None):
        super().__init__(data_preprocessor)
        self.test_cfg = test_cfg
        self.seen = []

    def forward(self, inputs, data_samples, mode):
        assert mode == 'predict' and not torch.is_grad_enabled()
        for image, sample in zip(inputs, data_samples):
            self.seen.append(sample.img_shape)
            height, width = sample.img_shape
            image = image[:, :height, :width].numpy()
            shapes, _ = ndimage.label(image[0] > 100, np.ones((3, 3)))
            boxes, scores = [], []
            for rows, columns in ndimage.find_objects(shapes):
                boxes.append(
                    [columns.start, rows.start, columns.stop, rows.stop])
                scores.append(image[2, rows, columns].max() / 255)
            instances = InstanceData()
            instances.bboxes = torch.tensor(boxes).reshape(-1, 4).float()
            instances.scores = torch.tensor(scores).float()
            instances.labels = torch.zeros(len(boxes), dtype=torch.long)
            sample.pred_instances = instances
        return data_samples


def square_detector(tmp_path, test_cfg=None, **kwargs):
    torch.save({'state_dict': {}}, tmp_path / 'none.pth')
    if test_cfg is None:
        test_cfg = dict(nms=dict(type='nms', iou_threshold=.4))
    # In: BGR; out: RGB, so blue is channel 2.
    preprocessor = dict(
        type='DetDataPreprocessor',
        bgr_to_rgb=True,
        mean=[0, 0, 0],
        std=[1, 1, 1],
        pad_size_divisor=32)
    model = dict(
        type='SquareDetector',
        test_cfg=test_cfg,
        data_preprocessor=preprocessor)
    return FaceDetector(
        Config(dict(model=model)),
        tmp_path / 'none.pth',
        device='cpu',
        **kwargs)


def canvas(height, width, squares):
    """Black, with squares (x, y, side, blue) in it."""
    image = np.zeros((height, width, 3), np.uint8)
    for x, y, side, blue in squares:
        image[y:y + side, x:x + side] = 255, 255, blue
    return image


def sorted_boxes(detections):
    return np.array(sorted(detections.boxes.tolist())).reshape(-1, 4)


def test_small_squares_in_tiles_as_in_one_piece(tmp_path):
    # On cuts, in corners, where four tiles meet, at the picture's sides.
    squares = [(0, 0, 9, 200), (60, 60, 20, 250), (118, 63, 30, 240),
               (270, 171, 30, 230), (200, 100, 5, 220), (133, 0, 26, 210)]
    image = canvas(201, 300, squares)
    whole = square_detector(tmp_path)
    tiled = square_detector(tmp_path, tile_size=128, tile_overlap=64)
    expected, result = whole(image), tiled(image)
    assert whole.model.seen == [(201, 300)]
    # 4 x 3 tiles; 2 x 1 of the picture at half its size; then all of it.
    assert tiled.model.seen == ([(128, 128)] * 12 + [(100, 128)] * 2 +
                                [(86, 128)])
    np.testing.assert_array_equal(result.boxes, expected.boxes)
    np.testing.assert_array_equal(result.scores, expected.scores)
    assert len(result) == len(squares)


@pytest.fixture(scope='module')
def tiles_of_96(tmp_path_factory):
    return square_detector(
        tmp_path_factory.mktemp('squares'), tile_size=96, tile_overlap=64)


@given(st.data())
@settings(max_examples=25, deadline=None)
def test_any_squares_in_tiles_as_in_one_piece(tiles_of_96, data):
    # Small and apart enough that on the smallest copy (96 / 400) no two run
    # into one, nor does one grow to the 32 pixels that count from there.
    width, height = (data.draw(st.integers(1, 400)) for _ in range(2))
    squares = []
    taken = np.zeros((height, width), bool)
    for _ in range(data.draw(st.integers(0, 6))):
        side = data.draw(st.integers(1, min(22, width, height)))
        x = data.draw(st.integers(0, width - side))
        y = data.draw(st.integers(0, height - side))
        around = np.s_[max(0, y - 12):y + side + 12,
                       max(0, x - 12):x + side + 12]
        if not taken[around].any():
            taken[y:y + side, x:x + side] = True
            squares.append((x, y, side, 255))
    image = canvas(height, width, squares)
    result = tiles_of_96(image)
    expected = [[x, y, x + side, y + side] for x, y, side, _ in squares]
    np.testing.assert_array_equal(
        sorted_boxes(result),
        np.array(sorted(expected)).reshape(-1, 4))


def test_large_square_is_found_whole_and_once(tmp_path):
    detector = square_detector(tmp_path, tile_size=128, tile_overlap=64)
    # Larger than a tile: only the copy scaled by 128 / 512 shows it whole.
    result = detector(canvas(512, 512, [(100, 140, 300, 255)]))
    assert (512 // 4, 512 // 4) == detector.model.seen[-1]
    np.testing.assert_allclose(result.boxes, [[100, 140, 400, 440]], atol=4)


def test_middling_square_seen_on_two_levels_is_kept_once(tmp_path):
    detector = square_detector(tmp_path, tile_size=128, tile_overlap=64)
    result = detector(canvas(250, 250, [(20, 30, 40, 255)]))
    np.testing.assert_allclose(result.boxes, [[20, 30, 60, 70]], atol=2)


def test_nms_over_tiles_takes_the_models_threshold(tmp_path):
    image = canvas(250, 250, [(20, 30, 40, 255)])
    # The same square from two levels: boxes that overlap almost wholly.
    cfg = dict(nms=dict(type='nms', iou_threshold=.999))
    assert len(
        square_detector(tmp_path, cfg, tile_size=130,
                        tile_overlap=64)(image)) == 2
    assert len(
        square_detector(
            tmp_path, cfg, tile_size=130, tile_overlap=64,
            nms_iou=.4)(image)) == 1
    rcnn = dict(
        rpn=dict(nms=dict(iou_threshold=.1)),
        rcnn=dict(nms=dict(iou_threshold=.55)))
    assert square_detector(tmp_path, rcnn).nms_iou == .55


def test_no_nms_in_the_config(tmp_path):
    detector = square_detector(tmp_path, {}, tile_size=128, tile_overlap=64)
    assert len(detector(canvas(100, 100, [(3, 3, 9, 255)]))) == 1
    with pytest.raises(ValueError, match='129x100 .* give nms_iou'):
        detector(canvas(100, 129, []))


def test_scores_and_numbers(tmp_path):
    image = canvas(60, 200, [(10, 10, 9, 120), (40, 10, 9, 250),
                             (70, 10, 9, 60), (100, 10, 9, 200)])
    result = square_detector(tmp_path)(image)
    assert isinstance(result, Detections)
    assert result.scores.dtype == result.boxes.dtype == np.float32
    np.testing.assert_allclose(result.scores * 255, [250, 200, 120])
    assert result.boxes[:, 0].tolist() == [40, 100, 10]
    assert (result.width, result.height) == (200, 60)
    all_of_them = square_detector(tmp_path, score_thr=0)(image)
    assert len(all_of_them) == 4
    best = square_detector(tmp_path, max_per_img=2)(image)
    assert best.boxes[:, 0].tolist() == [40, 100]
    assert best.to_dict() == {
        'width':
        200,
        'height':
        60,
        'faces': [{
            'box': [40, 10, 49, 19],
            'score': .980392
        }, {
            'box': [100, 10, 109, 19],
            'score': .784314
        }]
    }


def test_channel_order(tmp_path):
    detector = square_detector(tmp_path)
    image = canvas(40, 40, [(10, 10, 9, 120)])
    np.testing.assert_allclose(detector(image).scores * 255, 120)
    bgr = image[..., ::-1].copy()
    np.testing.assert_allclose(detector(bgr, 'bgr').scores * 255, 120)
    np.testing.assert_allclose(detector(bgr).scores * 255, 255)
    with pytest.raises(ValueError, match='hsv'):
        detector(image, 'hsv')


def test_file_is_the_same_as_its_array(tmp_path):
    image = canvas(40, 70, [(10, 10, 9, 200)])
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(image).save(tmp_path / 'a.png', exif=exif)
    result = square_detector(tmp_path)(tmp_path / 'a.png')
    # Turned clockwise: x' = 40 - y - side, y' = x.
    assert result.boxes.tolist() == [[21, 10, 30, 19]]
    assert (result.width, result.height) == (40, 70)
    (tmp_path / 'b.jpg').write_text('no picture')
    with pytest.raises(UnreadableImageError, match='b.jpg'):
        square_detector(tmp_path)(tmp_path / 'b.jpg')


@pytest.mark.parametrize('array', [
    np.zeros((4, 4), np.uint8),
    np.zeros((4, 4, 4), np.uint8),
    np.zeros((4, 4, 3), np.float32),
    np.zeros((0, 4, 3), np.uint8)
])
def test_wrong_arrays(tmp_path, array):
    with pytest.raises(ValueError, match='give uint8 of shape'):
        square_detector(tmp_path)(array)


@pytest.mark.parametrize(
    'kwargs, message',
    [(dict(score_thr=1.5), 'score_thr is 1.5'),
     (dict(max_per_img=0), 'max_per_img is 0'),
     (dict(tile_size=100, tile_overlap=100), 'tile overlap is 100')])
def test_wrong_settings(tmp_path, kwargs, message):
    with pytest.raises(ValueError, match=message):
        square_detector(tmp_path, **kwargs)


def test_lower_threshold_reaches_the_model(tmp_path):
    cfg = dict(rcnn=dict(score_thr=.05))
    detector = square_detector(tmp_path, cfg, score_thr=.01)
    assert detector.model.test_cfg['rcnn']['score_thr'] == .01
    assert cfg == dict(rcnn=dict(score_thr=.05))
    higher = square_detector(tmp_path, cfg, score_thr=.5)
    assert higher.model.test_cfg['rcnn']['score_thr'] == .05


@pytest.fixture(scope='module')
def retinanet(tmp_path_factory):
    return save_random_model(RETINANET, tmp_path_factory.mktemp('retinanet'))


@pytest.mark.parametrize('size', [(1, 1), (1, 300), (300, 1), (90, 128),
                                  (200, 300)])
def test_retinanet_on_any_size(retinanet, size):
    detector = FaceDetector(
        *retinanet, device='cpu', score_thr=.1, tile_size=128, tile_overlap=32)
    image = np.random.default_rng(0).integers(
        0, 256, (*size, 3), dtype=np.uint8)
    result = detector(image)
    assert (result.height, result.width) == size
    boxes, scores = result.boxes, result.scores
    assert boxes.shape == (len(result), 4) and scores.shape == (len(result), )
    assert len(result) > 0
    assert (boxes >= 0).all() and (boxes[:, 2:] <= [size[1], size[0]]).all()
    assert (boxes[:, 2:] > boxes[:, :2]).all()
    assert (np.diff(scores) <= 0).all() and scores[-1] >= .1
    again = detector(image)
    np.testing.assert_array_equal(boxes, again.boxes)


def test_retinanet_untiled_is_the_models_own_answer(retinanet):
    from mmdet.apis import inference_detector
    detector = FaceDetector(*retinanet, device='auto', score_thr=.05)
    image = np.random.default_rng(1).integers(
        0, 256, (200, 150, 3), dtype=np.uint8)
    detector.model.cfg = Config(
        dict(
            test_dataloader=dict(
                dataset=dict(pipeline=[
                    dict(type='LoadImageFromFile'),
                    dict(type='Resize', scale_factor=1.),
                    dict(type='PackDetInputs')
                ]))))
    theirs = inference_detector(detector.model, image).pred_instances
    ours = detector(image, channel_order='bgr')
    assert len(ours) == len(theirs) > 10
    order = np.argsort(-theirs.scores.cpu().numpy(), kind='stable')
    np.testing.assert_allclose(
        ours.boxes, theirs.bboxes.cpu().numpy()[order].clip(0), atol=1e-4)


def test_two_stage_model(tmp_path):
    (tmp_path / 'stock.py').write_text(
        "_base_ = ['mmdet::_base_/models/faster-rcnn_r50_fpn.py']\n"
        "model = dict(backbone=dict(depth=18), neck=dict(in_channels="
        "[64, 128, 256, 512]), roi_head=dict(bbox_head=dict("
        "num_classes=1, fc_out_channels=64)))\n")
    model = Config.fromfile(tmp_path / 'stock.py').model
    # It names ImageNet weights: building a detector must not fetch them.
    assert model.backbone.init_cfg.type == 'Pretrained'
    detector = FaceDetector(
        *save_random_model(model, tmp_path),
        device='cpu',
        score_thr=0.,
        tile_size=128,
        tile_overlap=32)
    assert detector.nms_iou == .5
    result = detector(
        np.random.default_rng(0).integers(
            0, 256, (100, 150, 3), dtype=np.uint8))
    assert len(result) > 0
    assert (result.boxes[:, 2:] <= [150, 100]).all()


def test_weights_of_another_model(retinanet, tmp_path):
    config, _ = retinanet
    torch.save({'state_dict': {'x': torch.zeros(1)}}, tmp_path / 'x.pth')
    with pytest.raises(ValueError, match='x.pth does not fit the config'):
        FaceDetector(config, tmp_path / 'x.pth', device='cpu')
    with pytest.raises(FileNotFoundError, match='y.pth'):
        FaceDetector(config, tmp_path / 'y.pth', device='cpu')
    with pytest.raises(FileNotFoundError, match='z.py'):
        FaceDetector(tmp_path / 'z.py', tmp_path / 'x.pth', device='cpu')


def test_default_model(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match='bash tools/quickstart.sh'):
        default_model()
    folder = tmp_path / 'work_dirs/quickstart/model'
    folder.mkdir(parents=True)
    (folder / 'config.py').touch()
    with pytest.raises(FileNotFoundError, match='weights.pth'):
        default_model()
    (folder / 'weights.pth').touch()
    config, weights = default_model()
    assert config.resolve() == folder / 'config.py'
    assert weights.resolve() == folder / 'weights.pth'


def ellipse_detector(tmp_path, regressor, **kwargs):
    """Squares with ellipses by a file, or by a map that is named."""
    torch.save({'state_dict': {}}, tmp_path / 'none.pth')
    preprocessor = dict(
        type='DetDataPreprocessor',
        bgr_to_rgb=True,
        mean=[0, 0, 0],
        std=[1, 1, 1],
        pad_size_divisor=32)
    model = dict(
        type='PostProcessedDetector',
        detector=dict(
            type='SquareDetector',
            test_cfg=dict(nms=dict(type='nms', iou_threshold=.4)),
            data_preprocessor=preprocessor),
        test_cfg=dict(
            post_process=[dict(type='EllipseRegressor', model=str(regressor))
                          ]))
    return FaceDetector(
        Config(dict(model=model)),
        tmp_path / 'none.pth',
        device='cpu',
        **kwargs)


@pytest.mark.parametrize('s3fd', [False, True])
def test_ellipses_of_boxes_do_not_depend_on_the_cuts(tmp_path, s3fd):
    regressor = 's3fd'
    if not s3fd:
        # The features have large weights: that of the size tells the tile.
        regressor = tmp_path / 'box.npz'
        save_ellipse_regressor(random_regressor(2), regressor)
    image = canvas(200, 310, [(10, 10, 20, 250), (200, 150, 18, 240),
                              (150, 90, 24, 230), (290, 5, 9, 220)])
    whole = ellipse_detector(tmp_path, regressor)(image)
    tiled = ellipse_detector(
        tmp_path, regressor, tile_size=128, tile_overlap=64)(
            image)
    assert len(whole) == 4
    np.testing.assert_array_equal(tiled.boxes, whole.boxes)
    np.testing.assert_array_equal(tiled.ellipses, whole.ellipses)
    expected = DetDataSample(metainfo=dict(ori_shape=(200, 310)))
    expected.pred_instances = InstanceData(bboxes=torch.tensor(whole.boxes))
    EllipseRegressor(regressor)(expected)
    np.testing.assert_allclose(
        tiled.ellipses, expected.pred_instances.ellipses, rtol=1e-6)


def test_tiles_are_told_the_size_of_the_picture(tmp_path):
    detector = square_detector(tmp_path, tile_size=128, tile_overlap=64)
    seen = []
    detector.model.register_forward_pre_hook(
        lambda module, args, kwargs: seen.extend(
            (sample.ori_shape, sample.whole_shape)
            for sample in kwargs['data_samples']),
        with_kwargs=True)
    detector(canvas(100, 256, [(3, 3, 9, 255)]))
    assert set(seen) == {((100, 128), (100, 256)), ((50, 128), (50, 128))}


def test_ellipses_of_tiles_lie_on_their_boxes(tmp_path):
    """Every ellipse is the one inscribed in its box, wherever it came from."""
    save_ellipse_regressor(
        LinearEllipseRegressor(
            LinearMap(np.zeros(2), np.ones(2), np.zeros((2, 5)), np.zeros(5)),
            np.zeros(5), np.zeros(5), np.zeros(2), np.zeros(2), 0., 1, 1, 0),
        tmp_path / 'box.npz')
    detector = ellipse_detector(
        tmp_path, tmp_path / 'box.npz', tile_size=128, tile_overlap=32)
    squares = [(10, 10, 20, 250), (200, 150, 18, 240), (90, 40, 100, 230),
               (290, 5, 9, 220)]
    found = detector(canvas(200, 310, squares))
    assert len(found) == len(squares)
    sides = found.boxes[:, 2:] - found.boxes[:, :2]
    # The large one came from a smaller copy.
    assert sides.max() > 90 and len(detector.model.seen) > 4
    centres = (found.boxes[:, 2:] + found.boxes[:, :2]) / 2
    np.testing.assert_allclose(found.ellipses[:, 3:], centres, atol=.01)
    np.testing.assert_allclose(
        found.ellipses[:, :2], np.sort(sides / 2)[:, ::-1], rtol=1e-4)
