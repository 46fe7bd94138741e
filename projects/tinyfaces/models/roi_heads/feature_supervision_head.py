"""An extra classification of proposals, only to train better features."""
import torch
from mmdet.models.task_modules.prior_generators import AnchorGenerator
from mmdet.registry import MODELS, TASK_UTILS
from mmdet.structures import DetDataSample, SampleList
from mmdet.structures.bbox import bbox2roi, get_box_tensor
from mmdet.utils import ConfigType, InstanceList, OptMultiConfig
from mmengine.model import BaseModule, bias_init_with_prob
from mmengine.structures import InstanceData
from torch import Tensor, nn

from ..avg_factor import mean_avg_factor
from ..losses import box_sizes
from ..precision import at_least_float
from ..task_modules import best_anchor_levels, picture_seeds
from .level_roi_extractor import LevelRoIExtractor
from .proposal_selection import select_proposals


@MODELS.register_module()
class FeatureSupervisionHead(BaseModule):
    """Feature supervision module of RefineFace (section 3.4, Tables 7, 8).

    A detection is classified a second time, by features that RoIAlign takes
    from the box itself rather than from the receptive field of its anchor.
    Its gradient reaches the feature maps and the backbone, not the boxes.
    The module is for training alone; a detector without it predicts the same.

    Per picture: NMS of the proposals, ground truth added, 512 boxes, features
    from the level that a proposal comes from, or that has the anchor with the
    largest IoU with a face. IoU of .7 with a face is positive, under .4
    negative; what lies between, or in an ignored face, is dropped. Focal loss
    is divided by its own positives, the mean over all ranks, which have at
    least 1 together.

    The sizes of the layers follow from Table 8, whose parameter counts only
    fit convolutions of 128, 64, 32 and 1 channels without biases on 256
    channels and 5x5 bins: 387,360, and 829,472 fully connected. Padding 1 and
    a ReLU after each layer but the last are ours. Other choices of ours:

    - Of the proposals those of the highest scores, as the paper supervises
      "each detection": the errors that the detector makes with confidence.
      ``selection='random'`` takes any of those that survive NMS.
    - The ground truth is part of the 512 and comes first, so that every face
      is a positive from the first iteration on. The paper does not say how
      many of the 512 it may be, and there is no limit here: pictures of 512
      faces or more have no proposal and so no negative in this loss.

    Without biases nothing learns a prior of the classes, and scores would
    start around .5, where the negatives cost .13 each: 66 for one face among
    512 boxes, with fifteen times the gradient of the detector's own
    classification, while the paper wants a "relatively small loss" (section
    3.4). So a constant, no parameter, is added to the logits: that of
    ``prior``, RetinaNet's .01. ``prior=None`` leaves it out.

    Args:
        anchor_generator: That of the dense head, or its config; its strides
            are those of the feature maps. :class:`RefineFace` passes it.
        in_channels: Channels of the feature maps.
        layer_type: ``'conv'``, 3x3 convolutions and global average pooling,
            or ``'fc'``.
        feat_channels: Output channels of the layers before the last.
        roi_size: Bins of RoIAlign along each side; Table 7 has 3, 5, 7.
        num_samples: Boxes per picture.
        nms_pre: Proposals per picture that NMS sees, those of the highest
            scores; by default as many as the paper has at test time.
        nms_iou_thr: IoU above which NMS drops a box.
        selection: ``'top'`` or ``'random'``.
        assigner: Defaults to :class:`StreamingMaxIoUAssigner` at .7/.4 that
            ignores boxes lying by more than half in an ignored face.
        loss_cls: Defaults to focal loss with alpha .25 and gamma 2. A loss
            that needs sizes (:class:`ScaleAwareMarginLoss`) is given those of
            the boxes, or of the matched faces.
        prior: Score of a box of which nothing is known, or None for .5.
        init_cfg: Defaults to "xavier" (section 3.6).

    Raises:
        ValueError: An argument is out of range, or a stride is not square.
    """

    def __init__(
        self,
        anchor_generator: AnchorGenerator | ConfigType,
        in_channels: int = 256,
        layer_type: str = 'conv',
        feat_channels: tuple[int, ...] = (128, 64, 32),
        roi_size: int = 5,
        num_samples: int = 512,
        nms_pre: int = 5000,
        nms_iou_thr: float = 0.7,
        selection: str = 'top',
        assigner: ConfigType = dict(
            type='StreamingMaxIoUAssigner',
            pos_iou_thr=0.7,
            neg_iou_thr=0.4,
            match_low_quality=False,
            ignore_iof_thr=0.5),
        loss_cls: ConfigType = dict(
            type='FocalLoss',
            use_sigmoid=True,
            gamma=2.0,
            alpha=0.25,
            loss_weight=1.0),
        prior: float | None = 0.01,
        init_cfg: OptMultiConfig = dict(
            type='Xavier', layer=['Conv2d', 'Linear'], distribution='uniform')
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        if layer_type not in ('conv', 'fc'):
            raise ValueError(
                f"layer_type must be 'conv' or 'fc', not {layer_type!r}")
        if selection not in ('top', 'random'):
            raise ValueError(
                f"selection must be 'top' or 'random', not {selection!r}")
        for name, value in dict(
                roi_size=roi_size, num_samples=num_samples,
                nms_pre=nms_pre).items():
            if value < 1:
                raise ValueError(f'{name} must be at least 1, not {value}')
        if prior is not None and not 0 < prior < 1:
            raise ValueError(f'prior must be in (0, 1) or None, not {prior}')
        self.prior_logit = 0. if prior is None else bias_init_with_prob(prior)
        self.num_samples = num_samples
        self.nms_pre = nms_pre
        self.nms_iou_thr = nms_iou_thr
        self.selection = selection
        if not isinstance(anchor_generator, AnchorGenerator):
            anchor_generator = TASK_UTILS.build(anchor_generator)
        self.prior_generator = anchor_generator
        self.assigner = TASK_UTILS.build(assigner)
        self.loss_cls = MODELS.build(loss_cls)
        strides = self.prior_generator.strides
        if any(x != y for x, y in strides):
            raise ValueError(f'RoIAlign needs square strides, not {strides}')
        self.roi_extractor = LevelRoIExtractor(
            # 0: as many samples as a bin has pixels. Boxes of the size of
            # their anchors have about half a pixel per bin.
            roi_layer=dict(
                type='RoIAlign', output_size=roi_size, sampling_ratio=0),
            out_channels=in_channels,
            featmap_strides=[x for x, _ in strides])
        if layer_type == 'conv':
            self.classifier = _conv_classifier(in_channels, feat_channels)
        else:
            self.classifier = _fc_classifier(in_channels * roi_size**2,
                                             feat_channels)

    def forward(self, feats: tuple[Tensor, ...], rois: Tensor,
                levels: Tensor) -> Tensor:
        """Logits of boxes.

        Args:
            feats: L maps, shape (n, c, h, w).
            rois: Shape (k, 5): picture index, x1, y1, x2, y2 in pixels of
                the network's input.
            levels: Shape (k, ), 0 to L - 1.

        Returns:
            Tensor: Shape (k, 1), at least float32.
        """
        scores = self.classifier(self.roi_extractor(feats, rois, levels))
        return at_least_float(scores) + self.prior_logit

    def loss(self, feats: tuple[Tensor, ...], proposals: InstanceList,
             batch_data_samples: SampleList) -> dict[str, Tensor]:
        """The loss of a batch.

        Args:
            feats: L maps, shape (n, c, h, w).
            proposals: One per picture, with ``bboxes`` (k, 4), xyxy in pixels
                of the network's input, ``scores`` (k, ) and ``levels``
                (k, ), 0 to L - 1.
            batch_data_samples: One per picture, with ``gt_instances`` and,
                optionally, ``ignored_instances``.

        Returns:
            dict[str, Tensor]: ``loss_fsm`` and, for the log,
            ``num_pos_fsm``, the positives per picture on this rank.

        Raises:
            ValueError: The numbers of pictures or levels do not agree.
        """
        featmap_sizes = [tuple(feat.shape[-2:]) for feat in feats]
        sampled = [
            self._sample(*picture, featmap_sizes)
            for picture in zip(proposals, batch_data_samples, strict=True)
        ]
        boxes = InstanceData.cat(sampled)
        scores = self(feats, bbox2roi([s.bboxes for s in sampled]),
                      boxes.levels)
        num_positives = boxes.positive.sum().to(scores.dtype)
        # Every rank must come by here, with or without boxes of its own.
        avg_factor = mean_avg_factor(num_positives)
        if len(boxes):
            loss = self.loss_cls(
                scores,
                # As in MMDetection: 0 is the one class, 1 background.
                (~boxes.positive).long(),
                avg_factor=avg_factor,
                **self._sizes(boxes))
        else:
            # mmcv's op takes no empty input. The parameters still get their
            # gradient of zero, which distributed training waits for.
            loss = scores.sum()
        return dict(loss_fsm=loss, num_pos_fsm=num_positives / len(sampled))

    @torch.no_grad()
    def _sample(self, proposals: InstanceData, data_sample: DetDataSample,
                featmap_sizes: list[tuple[int, int]]) -> InstanceData:
        """Boxes of one picture that are positive or negative.

        Returns:
            InstanceData: ``bboxes`` (m, 4), ``levels`` (m, ), ``positive``
            (m, ) and ``face_bboxes`` (m, 4): of the matched face, or the box
            itself where there is none.
        """
        faces = get_box_tensor(data_sample.gt_instances.bboxes)
        face_levels, _ = best_anchor_levels(faces, self.prior_generator,
                                            featmap_sizes)
        boxes = select_proposals(
            proposals,
            InstanceData(bboxes=faces, levels=face_levels),
            num_samples=self.num_samples,
            nms_pre=self.nms_pre,
            nms_iou_thr=self.nms_iou_thr,
            selection=self.selection,
            seeds=picture_seeds(data_sample.gt_instances,
                                'feature supervision'))
        gt_inds = self.assigner.assign(
            InstanceData(priors=boxes.bboxes), data_sample.gt_instances,
            data_sample.get('ignored_instances')).gt_inds
        boxes.positive = gt_inds > 0
        boxes.face_bboxes = boxes.bboxes.clone()
        matched = gt_inds[boxes.positive] - 1
        boxes.face_bboxes[boxes.positive] = faces[matched].to(boxes.bboxes)
        return boxes[gt_inds >= 0]

    def _sizes(self, boxes: InstanceData) -> dict[str, Tensor]:
        """What the loss needs beside the scores: sizes, or nothing."""
        if not getattr(self.loss_cls, 'needs_sizes', False):
            return {}
        of_face = self.loss_cls.size_of == 'face'
        return dict(
            sizes=box_sizes(boxes.face_bboxes if of_face else boxes.bboxes))


def _conv_classifier(in_channels: int,
                     feat_channels: tuple[int, ...]) -> nn.Sequential:
    """(k, c, h, w) to (k, 1): 3x3 convolutions, global average pooling."""
    layers = []
    for channels in feat_channels:
        layers += [
            nn.Conv2d(in_channels, channels, 3, padding=1, bias=False),
            nn.ReLU(inplace=True)
        ]
        in_channels = channels
    return nn.Sequential(*layers,
                         nn.Conv2d(in_channels, 1, 3, padding=1, bias=False),
                         nn.AdaptiveAvgPool2d(1), nn.Flatten())


def _fc_classifier(in_features: int,
                   feat_channels: tuple[int, ...]) -> nn.Sequential:
    """(k, c, h, w) to (k, 1): fully connected layers."""
    layers = [nn.Flatten()]
    for channels in feat_channels:
        layers += [
            nn.Linear(in_features, channels, bias=False),
            nn.ReLU(inplace=True)
        ]
        in_features = channels
    return nn.Sequential(*layers, nn.Linear(in_features, 1, bias=False))
