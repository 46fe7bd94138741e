"""Schedule, pictures and pyramid of Group Sampling's configs."""
import numpy as np
import pytest
import torch
from group_sampling_rows import SUFFIX, config
from mmcv.transforms import Compose
from mmdet.registry import TASK_UTILS, TRANSFORMS
from mmdet.structures.bbox import HorizontalBoxes

SAMPLING = f'fpn-finest-sampling_r50{SUFFIX}'


def test_schedule_of_the_paper():
    cfg = config(SAMPLING)
    optimizer = cfg.optim_wrapper.optimizer
    assert (optimizer.type, optimizer.lr, optimizer.momentum,
            optimizer.weight_decay) == ('SGD', .01, .9, 5e-5)
    *_, steps = cfg.param_scheduler
    assert (steps.milestones, steps.gamma, steps.end,
            cfg.train_cfg.max_epochs) == ([60, 80], .1, 100, 100)
    assert cfg.train_dataloader.batch_size * 8 == 8
    assert cfg.auto_scale_lr.base_batch_size == 8


@pytest.fixture(scope='module')
def augment():
    """The training pipeline behind loading, on one blank picture."""
    steps = config(SAMPLING).train_dataloader.dataset.pipeline[2:]
    pipeline = Compose([TRANSFORMS.build(step) for step in steps])

    def run(width, height, boxes, ignored=False):
        return pipeline(
            dict(
                img=np.zeros((height, width, 3), np.uint8),
                img_shape=(height, width),
                ori_shape=(height, width),
                img_path='0.jpg',
                img_id='0',
                gt_bboxes=HorizontalBoxes(boxes, dtype=torch.float32),
                gt_bboxes_labels=np.zeros(len(boxes), np.int64),
                gt_ignore_flags=np.full(len(boxes), ignored)))

    return run


def test_scale_jitter_of_the_paper(augment):
    """0.25 n, n from 1 to 8; the face grows with the picture."""
    np.random.seed(0)
    scales = set()
    for _ in range(60):
        item = augment(100, 60, [[20, 10, 60, 50]])
        _, height, width = item['inputs'].shape
        assert width / 100 == height / 60
        box, = item['data_samples'].gt_instances.bboxes.tensor.tolist()
        assert box[2] - box[0] == box[3] - box[1] == 40 * width / 100
        scales.add(width / 100)
    assert scales == {.25 * n for n in range(1, 9)}


def test_crops_of_the_paper(augment):
    """No side is above 1,200 pixels; a crop without any face is none.

    One with an ignored face alone is kept.
    """
    np.random.seed(0)
    shapes = set()
    for _ in range(30):
        item = augment(1600, 700, [[0, 0, 1600, 700]])
        shape = tuple(item['inputs'].shape[1:])
        box, = item['data_samples'].gt_instances.bboxes.tensor.tolist()
        assert box == [0, 0, shape[1], shape[0]]
        shapes.add(shape)
    wanted = {(min(175 * n, 1200), min(400 * n, 1200)) for n in range(1, 9)}
    assert shapes == wanted
    outside = [augment(2000, 100, [[0, 0, 10, 10]]) for _ in range(8)]
    assert None in outside
    item = augment(1600, 700, [[0, 0, 1600, 700]], ignored=True)
    assert len(item['data_samples'].gt_instances) == 0
    assert len(item['data_samples'].ignored_instances) == 1


def test_pyramid_of_the_test():
    """No side is above 3,000 pixels."""
    plan = TASK_UTILS.build(config(SAMPLING).tta_model.plan)

    def sizes(*picture):
        return [view[:2] for view in plan(*picture)]

    assert sizes(1024, 768) == [(256, 192), (512, 384), (1024, 768),
                                (2048, 1536)]
    assert sizes(1500, 300)[-1] == (3000, 600)
    assert sizes(300, 1600) == [(75, 400), (150, 800), (300, 1600),
                                (563, 3000)]
    # Two that become equal are one.
    assert sizes(5000, 3000) == [(1250, 750), (2500, 1500), (3000, 1800)]
    assert all(view.flip is False for view in plan(640, 480))
