"""Models, pictures and a clock that several benchmarks share."""
import platform
import time
from pathlib import Path

import cv2
import numpy as np
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.config import Config, ConfigDict
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope
from mmengine.runner import load_checkpoint
from torch import Tensor, nn

from tinyfaces import ops
from tinyfaces.apis import find_pictures, load_image

CONFIGS = Path(__file__).parents[1] / 'configs' / 'refineface'
BASELINE = CONFIGS / 'retinanet_r50_8xb4-130e_wider-face.py'


def model_config(config: str | Path,
                 backbone_of: str | Path | None = None) -> ConfigDict:
    """The model of a config, on request with another one's backbone.

    So each column of the tables, of which there are configs for ResNet-50
    alone, is had for any backbone.

    Args:
        config: Config file.
        backbone_of: Config file whose backbone, channels and number of 3x3
            convolutions per tower the model gets.
    """
    model = Config.fromfile(config).model
    if backbone_of is not None:
        donor = Config.fromfile(backbone_of).model
        model.backbone = donor.backbone
        for part, keys in dict(
                neck=('in_channels', 'out_channels'),
                bbox_head=('in_channels', 'feat_channels',
                           'stacked_convs')).items():
            model[part].update({key: donor[part][key] for key in keys})
        if model.get('feature_supervision') is not None:
            model.feature_supervision.in_channels = donor.neck.out_channels
    # The weights are those of a checkpoint, or random: nothing to download.
    model.backbone.init_cfg = None
    return model


def load_model(model: ConfigDict, checkpoint: str | None,
               device: str) -> nn.Module:
    """Build a model for inference.

    Args:
        model: See :func:`model_config`.
        checkpoint: All of its weights; None for those that training would
            start from, the same ones each time.
        device: Such as ``'cpu'``.
    """
    init_default_scope('mmdet')
    torch.manual_seed(0)
    network = MODELS.build(model)
    # Or it names every parameter that is initialised.
    logger = MMLogger.get_current_instance()
    level = logger.level
    logger.setLevel('WARNING')
    network.init_weights()
    logger.setLevel(level)
    if checkpoint is not None:
        load_checkpoint(network, checkpoint, 'cpu', strict=True)
    return network.to(device).eval()


def pictures(inputs: list[str] | None, count: int, width: int,
             height: int) -> list[Tensor]:
    """Pictures of one size, uint8 BGR (3, height, width), in main memory.

    Args:
        inputs: Files, folders or patterns, whose pictures are scaled to fit
            and then padded with black; None for coloured noise.
        count: How many at most, evenly spread over all; of noise, how many.
        width: Pixels.
        height: Pixels.
    """
    if not inputs:
        rng = np.random.default_rng(0)
        arrays = [
            cv2.resize(
                rng.integers(0, 256, (height // 8, width // 8, 3), np.uint8),
                (width, height)) for _ in range(count)
        ]
    else:
        found = find_pictures(inputs)
        chosen = np.linspace(0, len(found) - 1, min(count, len(found)))
        arrays = [
            _fit(load_image(found[round(at)].file, 'bgr'), width, height)
            for at in chosen
        ]
    return [
        torch.from_numpy(np.ascontiguousarray(array.transpose(2, 0, 1)))
        for array in arrays
    ]


def _fit(array: np.ndarray, width: int, height: int) -> np.ndarray:
    """Scale a picture (h, w, 3) as a whole, and pad right and below."""
    scale = min(width / array.shape[1], height / array.shape[0])
    size = [max(1, round(side * scale)) for side in array.shape[1::-1]]
    result = np.zeros((height, width, 3), np.uint8)
    result[:size[1], :size[0]] = cv2.resize(array, size)
    return result


def timed_prediction(model: nn.Module, picture: Tensor) -> tuple[float, int]:
    """Seconds from a picture in main memory to its boxes, and their number.

    It has everything but reading and scaling: the copy to the device,
    normalisation, padding, the network and its post-processing.
    """
    size = tuple(picture.shape[1:])
    sample = DetDataSample(
        metainfo=dict(img_shape=size, ori_shape=size, scale_factor=(1., 1.)))
    data = dict(inputs=[picture], data_samples=[sample])
    device = next(model.parameters()).device
    with torch.inference_mode():
        synchronize(device)
        start = time.perf_counter()
        result, = model.test_step(data)
        synchronize(device)
        seconds = time.perf_counter() - start
    return seconds, len(result.pred_instances)


def synchronize(device: torch.device | str) -> None:
    """Wait for what a GPU has been told to do."""
    if torch.device(device).type == 'cuda':
        torch.cuda.synchronize(device)


def describe(device: str) -> str:
    """Hardware and software that a time depends on."""
    backend = f'NMS of {ops.backend(torch.device(device).type)}'
    if torch.device(device).type == 'cuda':
        return (f'{torch.cuda.get_device_name(device)}, torch '
                f'{torch.__version__}, CUDA {torch.version.cuda}, cuDNN '
                f'{torch.backends.cudnn.version()}, {backend}')
    return (f'{device} ({platform.machine()}, {torch.get_num_threads()} '
            f'threads), torch {torch.__version__}, {backend}')
