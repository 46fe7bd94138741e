"""Parts of the tests of PostProcessedDetector."""
import copy

import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.config import ConfigDict
from mmengine.runner import load_checkpoint
from tiny_detector import RETINANET


def wrapped_cfg(folder, *steps, detector=RETINANET):
    """A detector with steps: configs, or names of regressors."""
    steps = [
        dict(type='EllipseRegressor', model=str(folder / step)) if isinstance(
            step, str) else step for step in steps
    ]
    return dict(
        type='PostProcessedDetector',
        detector=detector,
        test_cfg=dict(post_process=steps))


def build(cfg, folder):
    """A model with the weights in ``folder``."""
    model = MODELS.build(ConfigDict(copy.deepcopy(cfg)))
    load_checkpoint(model, str(folder / 'weights.pth'), 'cpu', strict=True)
    return model.eval()


def batch(sizes=((90, 120), (128, 100)), factors=(1., 2.)):
    """Pictures of different sizes and scale factors."""
    generator = torch.Generator().manual_seed(3)
    inputs, samples = [], []
    for (height, width), factor in zip(sizes, factors):
        inputs.append(
            torch.randint(0, 256, (3, height, width),
                          generator=generator).byte())
        samples.append(
            DetDataSample(
                metainfo=dict(
                    img_shape=(height, width),
                    ori_shape=(int(height / factor), int(width / factor)),
                    scale_factor=(factor, factor),
                    flip=False,
                    flip_direction=None)))
    return dict(inputs=inputs, data_samples=samples)


def assert_same_boxes(one, other):
    """The predictions are equal, and not too few."""
    assert len(one) == len(other)
    assert sum(len(sample.pred_instances) for sample in one) > 10
    for a, b in zip(one, other):
        for name in ('bboxes', 'scores', 'labels'):
            torch.testing.assert_close(a.pred_instances[name],
                                       b.pred_instances[name])
