"""RoI features from given pyramid levels."""
import torch
from mmdet.models.roi_heads.roi_extractors import BaseRoIExtractor
from torch import Tensor


class LevelRoIExtractor(BaseRoIExtractor):
    """Pools each RoI from the level that it comes from.

    MMDetection's ``SingleRoIExtractor`` chooses the level by the size of the
    RoI instead.

    Arguments as :class:`BaseRoIExtractor`. Half precision maps are pooled in
    float32: mmcv's op takes RoIs of the type of the features, where float16
    rounds a coordinate of 1,000 to half pixels, and does not know bfloat16.
    """

    def forward(self, feats: tuple[Tensor, ...], rois: Tensor,
                levels: Tensor) -> Tensor:
        """Pool all RoIs.

        Maps of levels without RoIs do not take part, so that a distributed
        run needs another loss that reaches them.

        Args:
            feats: L maps, shape (n, c, h, w).
            rois: Shape (k, 5): picture index, x1, y1, x2, y2 in pixels of
                the network's input.
            levels: Shape (k, ), 0 to L - 1.

        Returns:
            Tensor: Shape (k, c, output height, output width), at least
            float32.

        Raises:
            ValueError: A level has no map, or a map no level.
        """
        if len(feats) != self.num_inputs:
            raise ValueError(f'{len(feats)} feature maps for '
                             f'{self.num_inputs} levels')
        dtype = torch.promote_types(feats[0].dtype, torch.float32)
        rois = rois.to(dtype)
        pooled = rois.new_zeros(
            (len(rois), self.out_channels, *self.roi_layers[0].output_size))
        done = 0
        for level, (layer, feat) in enumerate(zip(self.roi_layers, feats)):
            index = (levels == level).nonzero().squeeze(1)
            if len(index):
                pooled[index] = layer(feat.to(dtype), rois[index])
            done += len(index)
        if done != len(rois):
            raise ValueError(f'{len(rois) - done} RoIs are on levels outside '
                             f'of 0 to {self.num_inputs - 1}')
        return pooled
