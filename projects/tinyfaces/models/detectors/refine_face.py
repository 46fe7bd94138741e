"""RefineFace."""
import torch
from mmdet.models.detectors import SingleStageDetector
from mmdet.models.task_modules.prior_generators import AnchorGenerator
from mmdet.registry import MODELS
from mmdet.structures import SampleList
from mmdet.utils import ConfigType, OptConfigType, OptMultiConfig
from mmengine.logging import print_log
from torch import Tensor, nn

from ..dense_heads.selective_refine_head import STC_LEVELS, STR_LEVELS
from ..necks import RefineFPN
from ..roi_heads import FeatureSupervisionHead

SUPERVISION = 'feature_supervision.'


@MODELS.register_module()
class RefineFace(SingleStageDetector):
    """RefineFace (Zhang et al., arXiv 1909.04376), and SRN without SML, FSM.

    A backbone, :class:`RefineFPN`, :class:`SelectiveRefineHead` and, for
    training alone, a module that supervises the second step's feature maps by
    what the head detects, with a loss of its own.

    Weights: the supervision is no part of the detector that is trained with
    it. Without ``feature_supervision`` its weights in a checkpoint are
    skipped, and with it a checkpoint that has none loads too, upon which its
    own stay as they are. The log says so in both cases, and both also load
    with ``strict=True``; predictions do not depend on it.

    Args:
        backbone: Four maps, C2 to C5.
        neck: Where it is a ``RefineFPN`` and ``first_step`` is left out,
            that is the levels that the head needs.
        bbox_head: Of SelectiveRefineHead's interface.
        train_cfg: The head's; ``proposals`` in it replaces the default
            ``proposal_cfg`` of its ``loss_and_proposals``.
        test_cfg: The head's.
        feature_supervision: A module with
            ``loss(second_step_maps, proposals, batch_data_samples)``. Where
            it is a ``FeatureSupervisionHead`` and ``anchor_generator`` is
            left out, that is the head's.
        data_preprocessor: As in SingleStageDetector.
        init_cfg: As in SingleStageDetector.

    Raises:
        ValueError: The anchors of a FeatureSupervisionHead are not those of
            the head.
    """

    def __init__(self,
                 backbone: ConfigType,
                 neck: ConfigType,
                 bbox_head: ConfigType,
                 train_cfg: OptConfigType = None,
                 test_cfg: OptConfigType = None,
                 feature_supervision: OptConfigType = None,
                 data_preprocessor: OptConfigType = None,
                 init_cfg: OptMultiConfig = None) -> None:
        if _builds(neck, RefineFPN) and 'first_step' not in neck:
            neck = neck.copy()
            neck['first_step'] = sorted({
                *bbox_head.get('stc_levels', STC_LEVELS),
                *bbox_head.get('str_levels', STR_LEVELS)
            })
        super().__init__(
            backbone=backbone,
            neck=neck,
            bbox_head=bbox_head,
            train_cfg=train_cfg,
            test_cfg=test_cfg,
            data_preprocessor=data_preprocessor,
            init_cfg=init_cfg)
        self.feature_supervision = None
        if feature_supervision is not None:
            self.feature_supervision = self._supervision(feature_supervision)

    def _supervision(self, config: ConfigType) -> nn.Module:
        """The supervision, with the anchors of the head."""
        if not _builds(config, FeatureSupervisionHead):
            return MODELS.build(config)
        anchors = self.bbox_head.prior_generator
        module = MODELS.build(
            config, default_args=dict(anchor_generator=anchors))
        if not _equal_anchors(module.prior_generator, anchors):
            raise ValueError(
                'anchor_generator of feature_supervision is not that of '
                'bbox_head: leave it out to have the same')
        return module

    def loss(self, batch_inputs: Tensor,
             batch_data_samples: SampleList) -> dict[str, Tensor]:
        """Losses of a batch, by name.

        Args:
            batch_inputs: Shape (N, 3, H, W).
            batch_data_samples: With faces, of each picture.
        """
        x = self.extract_feat(batch_inputs)
        if self.feature_supervision is None:
            return self.bbox_head.loss(x, batch_data_samples)
        losses, proposals = self.bbox_head.loss_and_proposals(
            x, batch_data_samples, self.train_cfg.get('proposals'))
        second = x[-self.bbox_head.num_levels:]
        losses.update(
            self.feature_supervision.loss(second, proposals,
                                          batch_data_samples))
        return losses

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *args,
                              **kwargs) -> None:
        """Load what a detector is, whatever a checkpoint trained with."""
        start = prefix + SUPERVISION
        stored = [key for key in state_dict if key.startswith(start)]
        if self.feature_supervision is None:
            for key in stored:
                del state_dict[key]
            if stored:
                print_log(
                    'the checkpoint has a feature supervision, which only '
                    'training uses, and the model has none: it is left out',
                    logger='current')
        elif not stored:
            print_log(
                'the checkpoint has no feature supervision: that part of the '
                'model, which only training uses, stays as it is',
                logger='current')
            for key, value in self.feature_supervision.state_dict().items():
                state_dict[start + key] = value
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)


def _builds(config: ConfigType, kind: type) -> bool:
    """Whether the registry makes a ``kind`` of a config, however named."""
    named = config['type']
    if isinstance(named, str):
        named = MODELS.get(named)
    return isinstance(named, type) and issubclass(named, kind)


def _equal_anchors(one: AnchorGenerator, other: AnchorGenerator) -> bool:
    return one.strides == other.strides and all(
        torch.equal(*pair)
        for pair in zip(one.base_anchors, other.base_anchors))
