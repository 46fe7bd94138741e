"""The protocol of AFW and PASCAL Face as an mmengine metric."""
import os
from abc import abstractmethod
from collections.abc import Sequence

import numpy as np
from mmdet.registry import METRICS
from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger

from tinyfaces.utils.files import check_writable, remove_leftovers_of
from tinyfaces.visualization.voc_face_curve import plot_voc_face_curves
from ..functional import (VOCFaceDetections, VOCFaceGroundTruth, VOCFaceResult,
                          evaluate_voc_face, format_voc_face_table,
                          load_voc_face_gt, write_voc_face_detections,
                          write_voc_face_json)
from ..functional.voc_face_io import check_detection_name
from .canonical_order import in_canonical_order
from .instance_rows import to_rows
from .resolution import stated_resolution
from .unreadable import (unreadable_facts, unreadable_reason,
                         unreadable_remark, without_unreadable)


class VOCStyleFaceMetric(BaseMetric):
    """What the metrics of AFW, PASCAL Face and MAFA share.

    Takes the predictions ``pred_instances`` (``bboxes`` xyxy in pixels of the
    original image, ``scores``) of every data sample by its ``img_id`` (the
    name of the picture up to its first dot). The images that the dataloader
    gives are the ones scored: when these are not all of the annotations, log
    and files say so.

    Boxes are rounded to 0.001 pixels, so that the file gives the same AP.

    Args:
        ann_file: The ``.mat`` file of the annotations.
        shift_top: Move the top of each box down by this share of its height
            before anything else.
        outfile_prefix: Path without suffix: write ``<prefix>.txt``, one line
            ``name score x1 y1 x2 y2`` per detection, and the results as
            ``<prefix>.json``.
        pr_curve: Write the precision-recall curves to this PNG.
        name: Name of the detector in the report and the legend.
        test_resolution: What to state as test resolution; needed for
            multi-scale tests, whose data samples tell of one scale only.
            None: read from the data samples.
        collect_device: Device for gathering over ranks.
        prefix: Prefix of the metric names.

    Raises:
        FileNotFoundError: There is no ``ann_file``.
        IsADirectoryError, NotADirectoryError, PermissionError: A file named
            by ``outfile_prefix`` or ``pr_curve`` cannot be written.
        ValueError: ``ann_file`` is broken, ``shift_top`` is not in [0, 1),
            ``outfile_prefix`` ends with a slash, or it is given and a picture
            has a name that ``<prefix>.txt`` cannot hold.
    """

    def __init__(self,
                 ann_file: str,
                 shift_top: float = 0.0,
                 outfile_prefix: str | None = None,
                 pr_curve: str | None = None,
                 name: str = 'detector',
                 test_resolution: str | None = None,
                 collect_device: str = 'cpu',
                 prefix: str | None = None) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        if not 0 <= shift_top < 1:
            raise ValueError(f'shift_top must be in [0, 1), got {shift_top}')
        self.shift_top = shift_top
        self.outfile_prefix = outfile_prefix
        self.pr_curve = pr_curve
        self.name = name
        self.test_resolution = test_resolution
        # A wrong path shows before training, not after the first epoch.
        self._check_outputs()
        self._truth = self.load(ann_file)
        if outfile_prefix is not None:
            for key in self._truth.keys:
                check_detection_name(key, f'{ann_file}')

    @abstractmethod
    def load(self, ann_file: str) -> VOCFaceGroundTruth:
        """Read the annotations."""

    @abstractmethod
    def evaluate_detections(self, detections: VOCFaceDetections,
                            truth: VOCFaceGroundTruth) -> VOCFaceResult:
        """Score detections on the images that were given."""

    @abstractmethod
    def metrics_of(self, result: VOCFaceResult) -> dict[str, float]:
        """Names, without prefix, and numbers for the logger."""

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Keep the predictions of one batch.

        Args:
            data_batch: Not read.
            data_samples: One dict per image.
        """
        for sample in without_unreadable(data_samples):
            self.results.append(
                dict(
                    key=sample['img_id'],
                    unreadable=unreadable_reason(sample),
                    found=self._to_array(sample['pred_instances']),
                    scale=sample.get('scale_factor'),
                    shape=sample.get('batch_input_shape')))

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Write and score; called on the main process only.

        Args:
            results: One entry per image of all ranks. Images that came twice,
                as a distributed sampler's padding does, count once.

        Returns:
            dict[str, float]: See the class.

        Raises:
            ValueError: An image is not in the annotations, or a detection is
                not finite.
        """
        logger = MMLogger.get_current_instance()
        unique = in_canonical_order(results, self._truth.keys)
        results = list(unique.values())
        truth = self._truth.subset(unique)
        # The order decides between equal scores: always the annotations'.
        found = {key: unique[key]['found'] for key in truth.keys}
        result = self.evaluate_detections(
            VOCFaceDetections.from_dict(found), truth)
        resolution = self.test_resolution or stated_resolution(results)
        lines = [
            format_voc_face_table({self.name: result}),
            f'test resolution: {resolution}'
        ]
        if self.shift_top:
            lines.append('top of each box moved down by '
                         f'{self.shift_top:g} of its height')
        unreadable = unreadable_facts(results)
        logger.info('\n' + unreadable_remark(unreadable) + '\n'.join(lines))
        if self.outfile_prefix is not None:
            path = f'{self.outfile_prefix}.txt'
            scores = f'{self.outfile_prefix}.json'
            remove_leftovers_of(scores)
            # Scores of an earlier test are not those of these detections.
            write_voc_face_detections(found, path, outdated=[scores])
            logger.info(f'detections of {len(found):,} images: {path}')
            write_voc_face_json(
                scores, {self.name: result},
                test_resolution=resolution,
                shift_top=self.shift_top,
                **unreadable)
        if self.pr_curve is not None:
            remove_leftovers_of(self.pr_curve)
            plot_voc_face_curves({self.name: result}, self.pr_curve)
        return self.metrics_of(result)

    def _check_outputs(self) -> None:
        """Raise unless what compute_metrics writes can be written."""
        paths = [] if self.pr_curve is None else [self.pr_curve]
        if self.outfile_prefix is not None:
            if not os.path.basename(self.outfile_prefix):
                raise ValueError(
                    f'outfile_prefix={self.outfile_prefix!r} is a folder; add '
                    'the name of the files, without suffix')
            paths += [
                f'{self.outfile_prefix}.txt', f'{self.outfile_prefix}.json'
            ]
        for path in paths:
            check_writable(path)

    def _to_array(self, instances: dict) -> np.ndarray:
        """(n, 5) float64 x1 y1 x2 y2 score of instances (n boxes xyxy)."""
        boxes = to_rows(instances['bboxes'], 4)
        scores = to_rows(instances['scores'], 1)
        if self.shift_top:
            boxes[:, 1] += self.shift_top * (boxes[:, 3] - boxes[:, 1] + 1)
            # The added pixel must not turn a flat box upside down.
            boxes[:, 1] = np.minimum(boxes[:, 1], boxes[:, 3])
        return np.concatenate([boxes.round(3), scores], 1)


@METRICS.register_module()
class VOCFaceMetric(VOCStyleFaceMetric):
    """AP on AFW or PASCAL Face by the protocol of the face-eval toolbox.

    Metrics: ``<prefix>/ap`` in [0, 1]; set ``prefix`` to ``afw`` or
    ``pascal_face``. See :func:`~tinyfaces.evaluation.functional.\
evaluate_voc_face` for the protocol and :class:`VOCStyleFaceMetric` for what is
    taken from the data samples.

    S3FD's authors resized the longer side of the pictures to 640 pixels and
    moved the top of each box down by 0.2 of its height (plus 0.2 pixels)
    before writing. To do the same, set ``shift_top=0.2`` and the test
    pipeline's ``Resize`` to ``scale=(640, 640)``.

    Args:
        ann_file: ``new_annotations_AFW.mat``,
            ``Annotations_Face_PASCALLayout_large_fixed.mat``, or one of the
            original annotations.
        iou_thr: IoU that a match must exceed.
        passes: Number of matchings, boxes refined between them; 1 for boxes
            as detected. The protocol has 5.
        min_size: Faces under this many pixels are ignored. The protocol has
            30.
        shift_top: Added to y1: ``shift_top * (y2 - y1 + 1)``.
        outfile_prefix, pr_curve, name, test_resolution, collect_device,
        prefix: Those of :class:`VOCStyleFaceMetric`.
    """

    default_prefix = 'voc_face'

    def __init__(self,
                 ann_file: str,
                 iou_thr: float = 0.5,
                 passes: int = 5,
                 min_size: float = 30,
                 **kwargs) -> None:
        self.options = dict(iou_thr=iou_thr, passes=passes, min_size=min_size)
        super().__init__(ann_file, **kwargs)

    def load(self, ann_file: str) -> VOCFaceGroundTruth:
        """Read the annotations."""
        return load_voc_face_gt(ann_file)

    def evaluate_detections(self, detections: VOCFaceDetections,
                            truth: VOCFaceGroundTruth) -> VOCFaceResult:
        """Score detections on the images that were given."""
        return evaluate_voc_face(detections, truth, **self.options)

    def metrics_of(self, result: VOCFaceResult) -> dict[str, float]:
        """``ap``."""
        return dict(ap=result.ap())
