"""The fully connected layers of VGG-16."""
from mmdet.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn


@MODELS.register_module()
class VGG16Classifier(BaseModule):
    """fc6 and fc7 of VGG-16, for the second stage of Faster R-CNN.

    As ``shared_head`` of a RoI head: behind it a ``BBoxHead`` with
    ``in_channels=hidden`` and ``roi_feat_size=1`` has the two predictors. The
    parameters have torchvision's names, so that its ImageNet weights fit,
    which these layers start from too ("Fast R-CNN", section 2.2).

    Args:
        in_channels: Of the RoI's features.
        roi_feat_size: Their height and width.
        hidden: Outputs of each of the two layers.
        dropout: Probability, behind each of them in training.
        init_cfg: As in ``BaseModule``; None for Xavier's.
    """

    def __init__(self,
                 in_channels: int = 512,
                 roi_feat_size: int = 7,
                 hidden: int = 4096,
                 dropout: float = .5,
                 init_cfg: dict | list[dict] | None = None) -> None:
        super().__init__(
            init_cfg
            or dict(type='Xavier', layer='Linear', distribution='uniform'))
        self.classifier = nn.Sequential(
            nn.Linear(in_channels * roi_feat_size**2, hidden), nn.ReLU(True),
            nn.Dropout(dropout), nn.Linear(hidden, hidden), nn.ReLU(True),
            nn.Dropout(dropout))

    def forward(self, x: Tensor) -> Tensor:
        """Compute the outputs of fc7.

        Args:
            x: Features (n, in_channels, roi_feat_size, roi_feat_size).

        Returns:
            Tensor: (n, hidden, 1, 1).
        """
        return self.classifier(x.flatten(1))[:, :, None, None]
