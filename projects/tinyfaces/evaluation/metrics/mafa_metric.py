"""MAFA's subsets as an mmengine metric."""
from mmdet.registry import METRICS

from ..functional import (VOCFaceDetections, VOCFaceGroundTruth, VOCFaceResult,
                          evaluate_mafa, load_mafa_gt)
from .voc_face_metric import VOCStyleFaceMetric


@METRICS.register_module()
class MAFAMetric(VOCStyleFaceMetric):
    """AP on the subsets of MAFA: whole, masked and unignored.

    The rules are partly inferred: no official program for these numbers was
    found, and MAFA itself was not at hand. Log and JSON list the inferred
    rules, :data:`~tinyfaces.evaluation.functional.INFERRED_RULES`; do not
    compare with published numbers without saying so.

    Metrics: ``mafa/whole_ap``, ``mafa/masked_ap``, ``mafa/unignored_ap`` in
    [0, 1]; NaN where a subset has no face in the given images.

    Args:
        ann_file: ``LabelTestAll.mat`` (or ``LabelTrainAll.mat``, all of whose
            faces count as masked).
        iou_thr: IoU from which on a detection matches.
        shift_top, outfile_prefix, pr_curve, name, test_resolution,
        collect_device, prefix: Those of :class:`VOCStyleFaceMetric`.
    """

    default_prefix = 'mafa'

    def __init__(self, ann_file: str, iou_thr: float = 0.5, **kwargs) -> None:
        self.iou_thr = iou_thr
        super().__init__(ann_file, **kwargs)

    def load(self, ann_file: str) -> VOCFaceGroundTruth:
        """Read the annotations."""
        return load_mafa_gt(ann_file)

    def evaluate_detections(self, detections: VOCFaceDetections,
                            truth: VOCFaceGroundTruth) -> VOCFaceResult:
        """Score detections on the images that were given."""
        return evaluate_mafa(detections, truth, self.iou_thr)

    def metrics_of(self, result: VOCFaceResult) -> dict[str, float]:
        """``<subset>_ap``."""
        return {
            f'{subset}_ap': curve.ap
            for subset, curve in result.curves.items()
        }
