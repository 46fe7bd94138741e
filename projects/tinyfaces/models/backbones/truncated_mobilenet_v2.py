"""MobileNetV2 up to the last map that is used."""
from mmdet.models.backbones import MobileNetV2
from mmdet.registry import MODELS


@MODELS.register_module()
class TruncatedMobileNetV2(MobileNetV2):
    """MobileNetV2 without the layers behind its last output.

    MMDetection's computes all of its layers for every picture. Without the
    last two stages and the last convolution, which a detector with maps of
    strides 8 and 16 does not use, a quarter of the operations and three
    quarters of the parameters are saved, and distributed training needs no
    ``find_unused_parameters``. Weights files of the whole network fit.

    Arguments are those of ``mmdet.models.MobileNetV2``.
    """

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        last = max(self.out_indices)
        for name in self.layers[last + 1:]:
            delattr(self, name)
        del self.layers[last + 1:]
