"""Finding faces in pictures of any size with any MMDetection detector."""
import copy
import os
from pathlib import Path

import mmcv
import numpy as np
import torch
from mmcv.ops import nms
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.config import Config, ConfigDict
from mmengine.model import BaseTTAModel, revert_sync_batchnorm
from mmengine.registry import init_default_scope
from mmengine.runner import load_checkpoint
from mmengine.structures import InstanceData
from tqdm import tqdm

from ..ellipses import scale_ellipses
from ..models.task_modules import EllipseRegressor
from .detections import Detections
from .image_io import check_channel_order, load_image
from .tiling import Level, check_tiling, clear_of_cuts, cut_margin, plan_levels


class FaceDetector:
    """A trained detector, ready for pictures.

    Pictures are taken at their own resolution: of the config's test pipeline
    nothing is used, least of all a fixed ``Resize``. The model's own
    ``data_preprocessor`` (normalisation, padding) and ``test_cfg`` are. A
    picture that does not fit into one tile is looked at in overlapping tiles
    and in smaller copies (see :mod:`tinyfaces.apis.tiling`); one NMS over
    all of them joins what they found. Ellipses of an
    :class:`~tinyfaces.models.EllipseRegressor` that needs nothing but boxes
    are those of the joined boxes; others come from the features of the tile
    in which a face was found.

    Args:
        config: Config file, or a loaded config. Only ``model``,
            ``default_scope`` and ``custom_imports`` are used.
        weights: Checkpoint written by training with that config.
        device: ``'auto'`` (the first GPU if there is one), ``'cpu'``,
            ``'cuda:0'``, ...
        score_thr: Faces with a lower score are left out. A higher threshold
            in the model's ``test_cfg`` is lowered to this one.
        tile_size: Largest width and height in pixels of what the model sees
            at once; it bounds the memory.
        tile_overlap: Pixels shared by neighbouring tiles; larger faces are
            found on smaller copies of the picture.
        max_per_img: Keep at most so many faces per picture. ``None`` for all
            that the model's ``test_cfg`` leaves of each tile.
        nms_iou: IoU threshold of the NMS over all tiles. ``None`` for the
            one in the model's ``test_cfg``.
        label: The class to report: 0 for the only class of a face detector.
        progress: Show a progress bar over the tiles of a large picture.

    Raises:
        FileNotFoundError: The config or the weights do not exist.
        ValueError: The weights do not fit the config, a number is out of its
            range, or the model is a ``DetTTAModel``, which needs views of a
            picture from the test pipeline.
    """

    def __init__(self,
                 config: str | os.PathLike | Config,
                 weights: str | os.PathLike,
                 device: str = 'auto',
                 score_thr: float = 0.3,
                 tile_size: int = 1536,
                 tile_overlap: int = 256,
                 max_per_img: int | None = None,
                 nms_iou: float | None = None,
                 label: int = 0,
                 progress: bool = False) -> None:
        check_tiling(tile_size, tile_overlap)
        if not 0 <= score_thr <= 1:
            raise ValueError(f'score_thr is {score_thr}; it must lie in 0..1')
        if max_per_img is not None and max_per_img < 1:
            raise ValueError(f'max_per_img is {max_per_img}; give at least 1')
        if not isinstance(config, Config):
            config = Config.fromfile(config)
        # A deep copy: the threshold is changed below.
        model_cfg = copy.deepcopy(config.model)
        test_cfgs = _final_test_cfgs(model_cfg)
        for test_cfg in test_cfgs:
            if test_cfg.get('score_thr', 0) > score_thr:
                test_cfg.score_thr = score_thr
        for test_cfg in test_cfgs:
            if nms_iou is None and test_cfg.get('nms'):
                nms_iou = test_cfg.nms.get('iou_threshold')
        self.score_thr = score_thr
        self.tile_size = tile_size
        self.tile_overlap = tile_overlap
        self.max_per_img = max_per_img
        self.nms_iou = nms_iou
        self.label = label
        self.progress = progress
        if device == 'auto':
            device = 'cuda:0' if torch.cuda.is_available() else 'cpu'
        self.device = torch.device(device)
        init_default_scope(config.get('default_scope', 'mmdet'))
        self.model = _load_model(model_cfg, weights).to(self.device).eval()
        self._ellipses_of_boxes = _box_ellipse_step(self.model)

    def __call__(self,
                 image: str | os.PathLike | np.ndarray,
                 channel_order: str = 'rgb') -> Detections:
        """Find the faces of one picture.

        Args:
            image: A picture file of any kind that
                :func:`tinyfaces.apis.load_image` reads, or a uint8 array of
                shape (height, width, 3).
            channel_order: Of an array: ``'rgb'``, or ``'bgr'`` as OpenCV
                and mmcv read pictures. Files need no such hint.

        Returns:
            Detections: In pixels of the upright picture.

        Raises:
            UnreadableImageError: The file is no readable picture.
            OSError: The file does not exist or may not be read.
            ValueError: The array has another shape or type; or the picture
                needs tiles and there is no ``nms_iou`` to join them.
        """
        check_channel_order(channel_order)
        if isinstance(image, np.ndarray):
            if image.dtype != np.uint8 or image.ndim != 3 or \
                    image.shape[2] != 3 or image.size == 0:
                raise ValueError(
                    f'the picture is an array of {image.dtype} with shape '
                    f'{image.shape}; give uint8 of shape (height, width, 3)')
            if channel_order == 'bgr':
                image = image[..., ::-1]
        else:
            image = load_image(image)
        height, width = image.shape[:2]
        levels = plan_levels(width, height, self.tile_size, self.tile_overlap)
        tiled = len(levels) > 1
        if tiled and self.nms_iou is None:
            raise ValueError(
                f'a picture of {width}x{height} pixels needs several tiles, '
                "and the model's test_cfg names no NMS to join them; give "
                f'nms_iou, or a tile_size of {max(width, height)}')
        found = []
        with tqdm(
                total=sum(len(level.tiles) for level in levels),
                desc='tiles',
                leave=False,
                disable=not (self.progress and tiled)) as bar:
            for level in levels:
                found += self._look_at_level(image, level, bar)
        boxes, scores, ellipses = map(np.concatenate, zip(*found))
        boxes = boxes.clip(0, [width, height, width, height])
        keep = (scores >= self.score_thr) & (boxes[:, 2:]
                                             > boxes[:, :2]).all(axis=1)
        boxes, scores = boxes[keep].astype(np.float32), scores[keep]
        ellipses = ellipses[keep].astype(np.float32)
        if tiled and len(boxes):
            kept = nms(
                torch.from_numpy(boxes), torch.from_numpy(scores),
                self.nms_iou)[1].numpy()
            boxes, scores = boxes[kept], scores[kept]
            ellipses = ellipses[kept]
        order = np.argsort(-scores, kind='stable')[:self.max_per_img]
        boxes, scores, ellipses = boxes[order], scores[order], ellipses[order]
        if self._ellipses_of_boxes is not None:
            sample = DetDataSample(metainfo=dict(ori_shape=(height, width)))
            sample.pred_instances = InstanceData(
                bboxes=torch.from_numpy(boxes))
            self._ellipses_of_boxes(sample)
            ellipses = sample.pred_instances.ellipses.numpy()
        return Detections(boxes, scores, width, height,
                          ellipses if ellipses.shape[1] else None)

    def _look_at_level(self, image: np.ndarray, level: Level,
                       bar: tqdm) -> list[tuple[np.ndarray, ...]]:
        """What :meth:`_predict` gives of each tile, in the picture's pixels.
        """
        height, width = image.shape[:2]
        if (level.width, level.height) != (width, height):
            image = mmcv.imresize(
                np.ascontiguousarray(image), (level.width, level.height),
                interpolation='area')
        ratio = np.array([width / level.width, height / level.height])
        margin = cut_margin(self.tile_overlap)
        found = []
        for tile in level.tiles:
            boxes, scores, ellipses = self._predict(
                image[tile.top:tile.bottom, tile.left:tile.right],
                (level.height, level.width))
            boxes = boxes + np.tile([tile.left, tile.top], 2)
            keep = clear_of_cuts(boxes, tile, level.width, level.height,
                                 margin)
            boxes = boxes * np.tile(ratio, 2)
            sides = (boxes[:, 2:] - boxes[:, :2]).max(axis=1)
            keep &= sides >= level.min_side
            if ellipses.shape[1]:
                ellipses = scale_ellipses(
                    ellipses + [0, 0, 0, tile.left, tile.top], ratio)
            found.append((boxes[keep], scores[keep], ellipses[keep]))
            bar.update()
        return found

    @torch.no_grad()
    def _predict(
        self, image: np.ndarray,
        whole_shape: tuple[int,
                           int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Boxes (n, 4) in pixels of a tile (RGB) of a picture of the height
        and width ``whole_shape``, scores (n,), and ellipses (n, 5), or (n, 0)
        from a model that gives none.
        """
        # MMDetection's models take BGR; their preprocessor swaps if needed.
        inputs = torch.from_numpy(
            np.ascontiguousarray(image[..., ::-1].transpose(2, 0, 1)))
        shape = image.shape[:2]
        sample = DetDataSample(
            metainfo=dict(
                img_id=0,
                img_path='',
                img_shape=shape,
                ori_shape=shape,
                whole_shape=whole_shape,
                scale_factor=(1., 1.)))
        result = self.model.test_step(
            dict(inputs=[inputs], data_samples=[sample]))[0].pred_instances
        faces = result[result.labels == self.label].detach().cpu()
        ellipses = faces.get('ellipses', faces.bboxes.new_empty(
            (len(faces), 0)))
        return (faces.bboxes.float().numpy(), faces.scores.float().numpy(),
                ellipses.float().numpy())


def default_model(
    folder: str | os.PathLike = 'work_dirs/quickstart/model'
) -> tuple[Path, Path]:
    """Config and weights of the model that the quickstart has trained.

    Args:
        folder: Where they lie, as ``config.py`` and ``weights.pth``;
            relative to the current directory.

    Returns:
        tuple[Path, Path]: Config and weights.

    Raises:
        FileNotFoundError: There are none.
    """
    paths = Path(folder) / 'config.py', Path(folder) / 'weights.pth'
    for path in paths:
        if not path.is_file():
            raise FileNotFoundError(
                f'{path.absolute()} does not exist: run `bash '
                'tools/quickstart.sh` here first, or name a config and '
                'weights')
    return paths


def _final_test_cfgs(model_cfg: ConfigDict) -> list[ConfigDict]:
    """Where the thresholds stand that a detector's boxes pass last.

    Those of the detector come last, after what a MultiScaleTestModel changes
    in them and the NMS with which it joins views.
    """
    found = []
    # PostProcessedDetector and MultiScaleTestModel come in any order; the
    # test_cfg of the former has other things.
    while 'module' in model_cfg or 'detector' in model_cfg:
        if 'module' in model_cfg:
            found += [model_cfg.get('tta_cfg'), model_cfg.get('test_cfg')]
        model_cfg = model_cfg.get('module', model_cfg.get('detector'))
    found.append(model_cfg.get('test_cfg'))
    return [cfg.get('rcnn') or cfg for cfg in found if cfg]


def _box_ellipse_step(model: torch.nn.Module) -> EllipseRegressor | None:
    """The step that sets the ellipses, if it needs nothing but boxes."""
    setters = [
        step for step in getattr(model, 'steps', ())
        if isinstance(step, EllipseRegressor)
    ]
    # The last one overwrites those before.
    if setters and setters[-1].feature_source is None:
        return setters[-1]
    return None


def _load_model(model_cfg: ConfigDict,
                weights: str | os.PathLike) -> torch.nn.Module:
    """Build a model and fill every one of its parameters."""
    model = revert_sync_batchnorm(MODELS.build(model_cfg))
    for part in model.modules():
        if getattr(type(part), 'test_step', None) is BaseTTAModel.test_step:
            raise ValueError(
                f'{type(part).__name__} joins views that a test pipeline has '
                'made, and none is used here; give the config of the detector '
                'without it, or take MultiScaleTestModel, which makes its own')
    try:
        load_checkpoint(
            model, os.fspath(weights), map_location='cpu', strict=True)
    except RuntimeError as error:
        raise ValueError(
            f'{os.fspath(weights)} does not fit the config; give the config '
            f'that it was trained with. {error}') from error
    return model
