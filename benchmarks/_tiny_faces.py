"""What the benchmarks of Finding Tiny Faces share."""
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import mmcv
import numpy as np
import torch
from _models import load_model, model_config, pictures, synchronize
from mmcv.ops import nms
from mmdet.models.backbones.resnet import BasicBlock, Bottleneck
from mmdet.structures import DetDataSample
from mmengine.config import Config
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from tinyfaces.models.test_time import MultiScaleTestModel

CONFIGS = Path(__file__).parents[1] / 'configs'
CONFIG = CONFIGS / 'tiny_faces/tiny-faces_r101_4xb5-50e_wider-face.py'
PROTOCOL = CONFIGS / '_base_/tta/tiny_faces_wider.py'
# Of random weights: the part of all windows of a picture above the threshold,
# and how much logits and deltas vary.
FOUND, LOGIT_STD, DELTA_STD = 1e-3, 1.5, .1


def load_detector(config: str | Path,
                  checkpoint: str | None,
                  device: str,
                  tiles: bool = True,
                  residual_gain: float = 1.) -> nn.Module:
    """A detector for the views of the WIDER FACE protocol.

    Args:
        config: Its config.
        checkpoint: All of its weights; None for random ones, the same each
            time, that give scores and boxes of about a trained model's
            number; see :func:`randomise`.
        device: Such as ``'cpu'``.
        tiles: Whether large views are cut into tiles.
        residual_gain: Of random weights, see :func:`randomise`.
    """
    model = model_config(config)
    changes = Config.fromfile(PROTOCOL).tta_model.test_cfg
    model.test_cfg.merge(dict(changes, nms_pre=-1))
    if not tiles:
        model.tiling = None
    detector = load_model(model, checkpoint, device)
    if checkpoint is None:
        randomise(detector, residual_gain)
    return detector


@torch.no_grad()
def randomise(detector: nn.Module, residual_gain: float = 1.) -> None:
    """Give random weights the statistics of trained ones, in place.

    Batch normalisations get random weights and biases, and means and
    variances of a picture of noise; predictors, which are zero before a
    training, random weights, so that one window in a thousand of this picture
    is a detection.

    Args:
        detector: A TinyFaces.
        residual_gain: Factor of the last batch normalisation of each residual
            block of a ResNet. Rounding errors grow from block to block, the
            less the smaller the gain: with 1, any way to compute ResNet-101
            in float32 is up to about 1e-4 in probability from float64.
    """
    torch.manual_seed(0)
    picture, = pictures(None, 1, 256, 256)
    noise = detector.data_preprocessor(as_batch(picture))['inputs']
    norms = [x for x in detector.modules() if isinstance(x, _BatchNorm)]
    for norm in norms:
        nn.init.uniform_(norm.weight, .5, 1.5)
        nn.init.normal_(norm.bias, std=.1)
        norm.reset_running_stats()
        # Of one picture, and not nearly all of what was there before.
        norm.momentum = 1.
    for block in detector.modules():
        if isinstance(block, BasicBlock):
            block.norm2.weight.mul_(residual_gain)
        elif isinstance(block, Bottleneck):
            block.norm3.weight.mul_(residual_gain)
    detector.train()
    detector.extract_feat(noise)
    detector.eval()
    head = detector.bbox_head
    for predictor in head.predictors.values():
        nn.init.normal_(predictor.weight, std=.01)
    logits, deltas = head(detector.extract_feat(noise), tuple(noise.shape[2:]))
    factors = torch.full((5 * head.num_templates, ),
                         DELTA_STD / deltas.std().item())
    factors[:head.num_templates] = LOGIT_STD / logits.std()
    for predictor in head.predictors.values():
        predictor.weight.mul_(factors.to(noise)[:, None, None, None])
    least = torch.quantile(logits * factors[0].to(noise), 1 - FOUND)
    # One of them is enough: they are summed.
    predictor.bias[:head.num_templates] = _logit(threshold(detector)) - least


def threshold(detector: nn.Module) -> float:
    """Probability that a detection must exceed."""
    return detector.test_cfg.score_thr


def _logit(probability: float) -> float:
    return math.log(probability / (1 - probability))


def pyramid(
    detector: nn.Module, prepare: Sequence[str] = ()) -> MultiScaleTestModel:
    """The multi-scale test of the WIDER FACE protocol.

    Args:
        detector: Of :func:`load_detector`.
        prepare: As of MultiScaleTestModel, whose config has both.
    """
    protocol = Config.fromfile(PROTOCOL).tta_model
    return MultiScaleTestModel(
        detector, protocol.tta_cfg, protocol.plan, prepare=prepare)


def as_batch(picture: Tensor) -> dict:
    """What a data loader gives of a picture, uint8 (3, H, W)."""
    size = tuple(picture.shape[1:])
    return dict(
        inputs=[picture],
        data_samples=[
            DetDataSample(metainfo=dict(img_shape=size, ori_shape=size))
        ])


def find(model: MultiScaleTestModel, picture: Tensor) -> Tensor:
    """What a multi-scale test finds, (n, 5) x1, y1, x2, y2, probability."""
    with torch.inference_mode():
        found = model.test_step(as_batch(picture))[0].pred_instances
    return torch.cat((found.bboxes, found.scores.sigmoid()[:, None]), 1)


class Plain:
    """The pyramid without anything that makes it faster.

    Each scale goes whole through the network as it was trained, with all
    templates; those that do not count at this scale are masked afterwards.
    Same protocol, same result.

    Args:
        detector: Of :func:`load_detector`; in float64, if it is to tell how
            near the others come to what they mean to compute.

    Attributes:
        seconds: Times of views, (width, height) and seconds.
    """

    def __init__(self, detector: nn.Module) -> None:
        self.detector = detector
        protocol = Config.fromfile(PROTOCOL).tta_model
        self.scales = protocol.plan.scales
        self.iou_threshold = protocol.tta_cfg.nms.iou_threshold
        self.seconds = []

    @torch.inference_mode()
    def __call__(self, picture: Tensor) -> Tensor:
        """What is found, as :func:`find` gives it."""
        pixels = np.ascontiguousarray(picture.permute(1, 2, 0).numpy())
        found = []
        for entry in self.scales:
            size = [
                int(side * entry.scale + .5) for side in pixels.shape[1::-1]
            ]
            if max(size) > entry.get('max_side', math.inf):
                continue
            resized = pixels
            if entry.scale != 1:
                resized = mmcv.imresize(pixels, tuple(size))
            device = next(self.detector.parameters()).device
            seconds, rows = clocked(device,
                                    lambda: self._view(resized, entry.scale))
            self.seconds.append((tuple(size), seconds))
            rows = rows.float()
            rows[:, :4] *= torch.tensor(
                [pixels.shape[1] / size[0], pixels.shape[0] / size[1]],
                device=device).repeat(2)
            found.append(rows)
        found = torch.cat(found)
        kept = nms(found[:, :4].contiguous(), found[:, 4].contiguous(),
                   self.iou_threshold)[1]
        found = found[kept]
        found[:, 4].sigmoid_()
        return found

    def _view(self, pixels: np.ndarray, scale: float) -> Tensor:
        """Boxes in pixels of a view, and logits, (n, 5)."""
        tensor = torch.from_numpy(
            np.ascontiguousarray(pixels.transpose(2, 0, 1)))
        inputs = self.detector.data_preprocessor(as_batch(tensor))['inputs']
        inputs = inputs.to(next(self.detector.parameters()).dtype)
        head = self.detector.bbox_head
        logits, deltas = head(
            self.detector.extract_feat(inputs), tuple(inputs.shape[2:]))
        height, width = logits.shape[2:]
        priors, = head.prior_generator.grid_priors([(height, width)],
                                                   device=logits.device)
        roles = {'A', 'B'} if scale > 1 else {'A'}
        counts = torch.tensor(
            [each.role in roles for each in head.prior_generator.templates],
            device=logits.device)
        logits = logits[0].permute(1, 2, 0).reshape(-1)
        deltas = deltas[0].reshape(4, -1, height, width)
        deltas = deltas.permute(2, 3, 1, 0).reshape(-1, 4)
        kept = logits.sigmoid() > threshold(self.detector)
        kept &= counts.repeat(height * width)
        boxes = head.bbox_coder.decode(priors[kept], deltas[kept])
        return torch.cat((boxes, logits[kept, None]), 1)


def clocked(device: torch.device | str, call: Callable) -> tuple:
    """Seconds that a call takes, and what it gives."""
    synchronize(device)
    start = time.perf_counter()
    result = call()
    synchronize(device)
    return time.perf_counter() - start, result


def watch(owner: object, name: str, device: str) -> list[tuple]:
    """Let a method note its times.

    Args:
        owner: Its method is replaced, on this object only.
        name: Of the method.
        device: Which is waited for.

    Returns:
        list: Grows: arguments and seconds of each call.
    """
    calls, method = [], getattr(owner, name)

    def call(*args, **kwargs):
        seconds, result = clocked(device, lambda: method(*args, **kwargs))
        calls.append((args, seconds))
        return result

    setattr(owner, name, call)
    return calls
