"""Schedule, pictures and pyramids of Finding Tiny Faces' configs."""
from pathlib import Path

import mmcv
import numpy as np
import pytest
import torch
from mmcv.transforms import Compose
from mmdet.registry import MODELS, TASK_UTILS, TRANSFORMS
from mmdet.structures.bbox import HorizontalBoxes
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from tiny_faces_rows import HR, MBV2, SUFFIX, config, shallow

TTA = Path(__file__).parents[2] / 'configs' / '_base_' / 'tta'
PIXEL = np.uint8([10, 20, 30])
# Blue, green and red of the mean colour
MEAN = [103.53, 116.28, 123.675]


def test_schedule_of_the_paper():
    cfg = config(HR)
    optimizer = cfg.optim_wrapper.optimizer
    assert (optimizer.type, optimizer.lr, optimizer.momentum,
            optimizer.weight_decay) == ('SGD', 1e-4, .9, 5e-4)
    assert cfg.param_scheduler == []
    assert (cfg.train_cfg.max_epochs, cfg.train_cfg.val_interval) == (50, 1)
    assert cfg.default_hooks.checkpoint.save_best == 'wider/hard_ap'
    assert cfg.train_dataloader.batch_size * 4 == 20
    assert cfg.auto_scale_lr == dict(enable=False, base_batch_size=20)


@pytest.mark.parametrize('prefix, rates', [
    ('tiny-faces_r101', {
        8: .1,
        16: 1
    }),
    ('tiny-faces_vgg16', {
        8: .1,
        16: 1
    }),
    ('rpn_r101', {
        16: 1
    }),
    ('tiny-faces_r50_t25x20_res2', {
        4: 1
    }),
    ('tiny-faces_r50_t25x20_res2-3', {
        4: .1,
        8: 1
    }),
    ('tiny-faces_r50_t25x20_res2-4', {
        4: .01,
        8: .1,
        16: 1
    }),
    ('tiny-faces_r50_t250x200_res2-5', {
        4: .001,
        8: .01,
        16: .1,
        32: 1
    }),
])
def test_learning_rates(prefix, rates):
    """Appendix B, as the optimizer has them; all else has 1e-4."""
    cfg = shallow(config(prefix + SUFFIX))
    model = MODELS.build(cfg.model)
    names = {id(p): name for name, p in model.named_parameters()}
    found = {
        names[id(p)]: group['lr'] / 1e-4
        for group in build_optim_wrapper(
            model, cfg.optim_wrapper).optimizer.param_groups
        for p in group['params']
    }
    assert set(found) == {
        name
        for name, p in model.named_parameters() if p.requires_grad
    }
    for stride, rate in rates.items():
        for part in ('weight', 'bias'):
            name = f'bbox_head.predictors.stride{stride}.{part}'
            assert found.pop(name) == pytest.approx(rate)
    assert set(found.values()) == {1}


def pipeline(name):
    """The training pipeline behind loading, on a picture of one colour."""
    steps = config(name).train_dataloader.dataset.pipeline[2:]
    transforms = Compose([TRANSFORMS.build(step) for step in steps])

    def run(width, height, boxes):
        return transforms(
            dict(
                img=np.tile(PIXEL, (height, width, 1)),
                img_shape=(height, width),
                ori_shape=(height, width),
                img_path='0.jpg',
                img_id='0',
                gt_bboxes=HorizontalBoxes(boxes, dtype=torch.float32),
                gt_bboxes_labels=np.zeros(len(boxes), np.int64),
                gt_ignore_flags=np.zeros(len(boxes), bool)))

    return run


@pytest.mark.parametrize('name, scales', [
    (HR, {.5, 1, 2}),
    (f'tiny-faces_r101_sigma-half{SUFFIX}', {.5}),
    (f'tiny-faces_r101_sigma-1{SUFFIX}', {1}),
    (f'tiny-faces_r101_sigma-2{SUFFIX}', {2}),
    (f'rpn_r101{SUFFIX}', {1}),
    (f'tiny-faces_r50_t50x40-2x_res2-4{SUFFIX}', {2}),
])
def test_regions_of_the_paper(name, scales):
    """Rescaled, and at a random place of a region of 500x500 pixels."""
    augment, side = pipeline(name), 500
    np.random.seed(0)
    found, places = set(), set()
    for _ in range(30):
        item = augment(100, 60, [[20, 10, 60, 50]])
        sample, pixels = item['data_samples'], item['inputs'].numpy()
        assert pixels.shape == (3, side, side)
        x1, y1, x2, y2 = np.asarray(sample.valid_area).tolist()
        scale = (x2 - x1) / 100
        assert (y2 - y1) / 60 == scale
        found.add(scale)
        places.add((x1, y1))
        box, = sample.gt_instances.bboxes.tensor.tolist()
        assert box[1] == y1 + 10 * scale and box[3] == y1 + 50 * scale
        assert box[0] in (x1 + 20 * scale, x1 + 40 * scale)  # mirrored
        # One colour is added to all of it.
        inside = np.zeros((side, side), bool)
        inside[int(y1):int(y2), int(x1):int(x2)] = True
        offset = pixels[:, inside] - PIXEL.astype(np.float32)[:, None]
        np.testing.assert_allclose(
            offset, offset[:, :1].repeat(offset.shape[1], 1), atol=1e-3)
        rest = pixels[:, ~inside] - offset[:, :1]
        np.testing.assert_allclose(
            rest, np.repeat([MEAN], rest.shape[1], 0).T, atol=.51)
        assert abs(offset).max() < 100
    assert found == scales
    assert len(places) > 20


def test_regions_for_a_cpu():
    """256x256 pixels of a square around a face, rescaled."""
    augment = pipeline(MBV2)
    np.random.seed(0)
    sizes = set()
    for _ in range(60):
        item = augment(100, 100, [[20, 10, 60, 50]])
        assert item['inputs'].shape == (3, 256, 256)
        x1, y1, x2, y2 = np.asarray(item['data_samples'].valid_area).tolist()
        assert x2 - x1 == y2 - y1 <= 200
        sizes.add(x2 - x1)
        assert 0 <= x1 and x2 <= 256 and 0 <= y1 and y2 <= 256
    # .2 to 1 of the shorter side, times .5, 1 or 2
    assert 10 <= min(sizes) < 50 and 100 < max(sizes)


def test_padding_becomes_zero():
    """The mean colour is that which the data preprocessor subtracts."""
    assert config(HR).model.data_preprocessor.mean == MEAN[::-1]
    crop = config(HR).train_dataloader.dataset.pipeline[4]
    assert list(crop.pad_value) == MEAN[::-1]
    assert (crop.crop_size, crop.min_visible) == ((500, 500), .3)


def test_pyramid_of_the_test():
    """A scale above 1 is left out where a side would exceed 5,000 pixels."""
    plan = TASK_UTILS.build(config(HR).tta_model.plan)

    def sizes(*picture):
        return [view[:2] for view in plan(*picture)]

    assert sizes(1024, 768) == [(256, 192), (512, 384), (1024, 768),
                                (2048, 1536)]
    assert sizes(2500, 300)[-1] == (5000, 600)
    assert sizes(300, 2501)[-1] == (300, 2501)
    assert sizes(6000, 300)[-1] == (6000, 300)
    cfg = config(HR).tta_model
    assert (cfg.test_cfg.templates, cfg.test_cfg.score_thr,
            cfg.test_cfg.score_type, cfg.test_cfg.nms) == ('A+B', .03, 'logit',
                                                           None)
    assert cfg.tta_cfg.nms.iou_threshold == .3
    for name in ('wider', 'full', 'demo'):
        cfg = Config.fromfile(TTA / f'tiny_faces_{name}.py').tta_model
        assert (cfg.test_cfg.nms_pre, cfg.tta_cfg.max_per_img) == (20000, None)
    plan = TASK_UTILS.build(
        config(f'tiny-faces_r101_full{SUFFIX}').tta_model.plan)
    assert sizes(1024, 768) == [(512, 384), (1024, 768), (2048, 1536)]


def test_shrinking_and_enlarging():
    """What the README says of bilinear pictures, and of the other way."""
    picture = np.random.RandomState(0).randint(0, 256, (64, 96, 3), np.uint8)

    def resized(scale, way):
        return mmcv.imrescale(picture, scale, interpolation=way).astype(int)

    def means(step, of):
        parts = picture.reshape(64 // step, step, 96 // step, step, 3)
        return parts[:, of, :, of].mean((1, 3))

    assert abs(resized(.5, 'bilinear') - means(2, slice(2))).max() <= .5
    assert abs(resized(.25, 'bilinear') - means(4, slice(1, 3))).max() <= .5
    assert abs(resized(.25, 'area') - means(4, slice(4))).max() <= .5
    np.testing.assert_array_equal(
        resized(2, 'area'),
        picture.repeat(2, 0).repeat(2, 1))


def test_config_for_a_cpu():
    cfg = config(MBV2)
    assert cfg.model.backbone.type == 'TruncatedMobileNetV2'
    assert cfg.train_dataloader.batch_size == 8
    assert cfg.auto_scale_lr.base_batch_size == 8
    assert cfg.train_cfg.max_epochs == 32
    assert cfg.train_dataloader.num_workers == 0
    # Ten times the paper's rate, which falls along a cosine
    assert cfg.optim_wrapper.optimizer == dict(
        config(HR).optim_wrapper.optimizer, lr=1e-3)
    rates = cfg.optim_wrapper.paramwise_cfg.custom_keys
    assert rates == dict(stride8=dict(lr_mult=.1))
    assert cfg.param_scheduler[1].type == 'CosineAnnealingLR'
    for key in ('train_cfg', 'test_cfg', 'data_preprocessor', 'tiling'):
        assert cfg.model[key] == config(HR).model[key]
