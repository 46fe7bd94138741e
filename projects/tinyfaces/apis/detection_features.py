"""Detections of many pictures, with the detector's own features."""
import os
from collections.abc import Mapping
from dataclasses import asdict

import numpy as np
import torch
from mmdet.apis import inference_detector
from mmengine.config import Config
from tqdm import tqdm

from ..ellipses import FeatureSampling
from ..models import PostProcessedDetector
from ..models.task_modules import anchor_scale
from .face_detector import FaceDetector


def detect_with_features(
    config: str | os.PathLike | Config,
    weights: str | os.PathLike,
    pictures: Mapping[str, str],
    source: str = 'neck',
    device: str = 'auto',
    all_levels: bool = False
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], FeatureSampling]:
    """Look at pictures as a test with this config does.

    The config's test pipeline and the model's ``test_cfg`` are used as they
    are, so that features are those that a regressor will see at test time.

    Args:
        config: Config of a detector with a ``test_dataloader``.
        weights: Its checkpoint.
        pictures: Name -> file.
        source: Submodule whose features are read, ``neck`` or ``backbone``;
            the level follows from the anchors' size (see
            :class:`~tinyfaces.models.FeatureSampler`).
        device: ``'auto'``, ``'cpu'``, ``'cuda:0'``, ...
        all_levels: Read all levels, one behind the other.

    Returns:
        tuple: Name -> float64 (n, 5), x y w h score with w = x2 - x1; name
        -> float64 (n, channels); and where the features were read.

    Raises:
        FileNotFoundError: A file does not exist.
        ValueError: The weights do not fit the config, the detector has no
            such submodule, or the config has no test dataloader.
    """
    config = config if isinstance(config, Config) else Config.fromfile(config)
    if 'test_dataloader' not in config:
        raise ValueError('the config has no test_dataloader, whose pipeline '
                         'says how pictures are resized')
    # A threshold of 1 leaves the config's own one as it is.
    detector = FaceDetector(config, weights, device, score_thr=1.).model
    # The detector inside a model that joins several views has the anchors.
    sampling = FeatureSampling(
        source, anchor_scale(getattr(detector, 'module', detector)),
        all_levels)
    model = PostProcessedDetector(
        detector,
        dict(post_process=[dict(type='FeatureSampler', **asdict(sampling))
                           ])).eval()
    model.cfg = config
    rectangles, features = {}, {}
    for name, file in tqdm(pictures.items(), 'detecting', unit='picture'):
        with torch.no_grad():
            sample = inference_detector(model, os.fspath(file))
        found = sample.pred_instances.cpu()
        # The only class of a face detector, as for FaceDetector.
        found = found[found.labels == 0]
        boxes = found.bboxes.double().numpy()
        rectangles[name] = np.column_stack(
            (boxes[:, :2], boxes[:, 2:] - boxes[:, :2],
             found.scores.double().numpy()))
        features[name] = found.features.double().numpy()
    return rectangles, features, sampling
