"""Single-stage detectors of Group Sampling."""
from mmdet.models.detectors import SingleStageDetector
from mmdet.registry import MODELS
from mmdet.structures import SampleList
from torch import Tensor


@MODELS.register_module()
class GroupSampling(SingleStageDetector):
    """Detector of "Group Sampling for Scale Invariant Face Detection".

    Backbone, :class:`TopDownNeck` and :class:`ScaleGroupHead`: the paper's
    RPN, FPN, FPN-finest-stride, FPN-finest and FPN-finest-sampling are
    configurations of it. With ``test_cfg.group_outputs=True`` each data
    sample also has ``group_pred_instances``, which ``WiderFaceMetric`` scores
    as ``wider/all_ap@16`` and so on: a dict from the scale of a group, such
    as ``'16'``, to the detections of that group alone.

    Arguments are those of SingleStageDetector.
    """

    def predict(self,
                batch_inputs: Tensor,
                batch_data_samples: SampleList,
                rescale: bool = True) -> SampleList:
        """Detect in each picture.

        Args:
            batch_inputs: Shape (N, 3, H, W).
            batch_data_samples: Tell of each picture.
            rescale: Whether boxes are in pixels of the original picture.

        Returns:
            list[DetDataSample]: The given ones, with ``pred_instances``
            (``bboxes``, ``scores``, ``labels``, ``groups``) and, if asked
            for, ``group_pred_instances``.
        """
        if not self.bbox_head.test_cfg.get('group_outputs', False):
            return super().predict(batch_inputs, batch_data_samples, rescale)
        joint, alone = self.bbox_head.predict_with_groups(
            self.extract_feat(batch_inputs), batch_data_samples, rescale)
        for sample, groups in zip(batch_data_samples, alone):
            sample.group_pred_instances = groups
        return self.add_pred_to_datasample(batch_data_samples, joint)
