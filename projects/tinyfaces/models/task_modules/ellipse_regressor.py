"""Bounding ellipses as a step behind any detector."""
import os
from dataclasses import asdict

import numpy as np
from mmdet.registry import TASK_UTILS
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import get_box_tensor

from tinyfaces.ellipses import (S3FD_MAP, FeatureSampling, join_features,
                                load_ellipse_regressor, widen_boxes)
from .feature_sampler import FeaturePyramid, FeatureSampler


@TASK_UTILS.register_module()
class EllipseRegressor:
    """Add an ellipse to each detected box.

    Sets ``pred_instances.ellipses``, shape (n, 5): major and minor half-axis,
    angle of the major axis in radians, centre x and y, in pixels of the
    original picture (FDDB's convention). Boxes thinner than a pixel count as
    one pixel wide.

    :class:`~tinyfaces.apis.FaceDetector`, which cuts large pictures into
    tiles, applies a regressor of box features and S3FD's map to the joined
    boxes, so that ellipses do not depend on the cuts. A detector's own
    features are read in the tile that shows the face, and do.

    A step of :class:`~tinyfaces.models.PostProcessedDetector`::

        test_cfg=dict(post_process=[
            dict(type='EllipseRegressor', model='regressor.npz')])

    Args:
        model: File written by ``tools/fit_ellipse_regressor.py`` for this
            detector, relative to the current directory ("Finding Tiny
            Faces", Appendix B); or ``'s3fd'`` for S3FD's fixed map, which
            fits pictures of FDDB's size and boxes like S3FD's.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is no ellipse regressor.
    """

    def __init__(self, model: str | os.PathLike) -> None:
        self.regressor = None
        self.sampler = None
        if model != 's3fd':
            self.regressor = load_ellipse_regressor(model)
            sampling = self.regressor.sampling
            if sampling is not None:
                self.sampler = FeatureSampler(**asdict(sampling))

    @property
    def feature_source(self) -> str | None:
        """Submodule whose features are needed; None for boxes alone."""
        return self.sampler and self.sampler.feature_source

    @property
    def sampling(self) -> FeatureSampling | None:
        """How these are read; None for boxes alone."""
        return self.sampler and self.sampler.sampling

    def __call__(self,
                 data_sample: DetDataSample,
                 pyramid: FeaturePyramid | None = None) -> None:
        """Set the ellipses of one picture.

        Args:
            data_sample: Has ``pred_instances.bboxes`` (n, 4), xyxy in pixels
                of the original picture, and ``ori_shape`` (height, width).
                Where that is only a tile of a picture, ``whole_shape`` is
                the height and width of that picture at the tile's scale: the
                size of a box is told in shares of the whole.
            pyramid: What :attr:`feature_source` gave for this picture. None
                for detections that have ``features``, or need none.

        Raises:
            ValueError: The detector's features differ in number from those
                that the regressor was fitted on.
        """
        instances = data_sample.pred_instances
        tensor = get_box_tensor(instances.bboxes)
        if len(tensor) == 0:
            instances.ellipses = tensor.new_zeros((0, 5))
            return
        boxes = tensor.detach().double().cpu().numpy()
        if self.regressor is None:
            # fddb_test.py of S3FD, on whose output the map was fitted.
            sides = boxes[:, 2:] - boxes[:, :2] + 1
            ellipses = S3FD_MAP.predict(np.hstack((boxes[:, :2], sides)))
        else:
            boxes = widen_boxes(boxes)
            own = None
            if self.sampler is not None:
                own = self.sampler.sample(data_sample, pyramid)
                own = own.detach().double().cpu().numpy()
            height, width = data_sample.metainfo.get('whole_shape',
                                                     data_sample.ori_shape)[:2]
            ellipses = self.regressor.predict(
                join_features(boxes, (width, height), own), boxes)
        instances.ellipses = tensor.new_tensor(ellipses)
