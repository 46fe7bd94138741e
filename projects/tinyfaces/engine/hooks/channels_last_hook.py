"""Channels-last memory format for the weights of convolutions."""
import torch
from mmdet.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner


@HOOKS.register_module()
class ChannelsLastHook(Hook):
    """Store 4-d weights channels last before anything is run.

    A convolution whose weight is channels last gives its output channels
    last, so that the whole network follows. Values stay the same up to
    rounding; on CPUs and with AMP on recent GPUs it is faster
    (benchmarks/channels_last.py measures by how much).
    """

    priority = 'VERY_HIGH'

    def before_run(self, runner: Runner) -> None:
        """Convert the model of ``runner`` in place."""
        runner.model.to(memory_format=torch.channels_last)
