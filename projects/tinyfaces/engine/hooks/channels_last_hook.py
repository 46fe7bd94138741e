"""Channels-last memory format for the weights of convolutions."""
import torch
from mmdet.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner


@HOOKS.register_module()
class ChannelsLastHook(Hook):
    """Store 4-d weights channels last before anything is run.

    A convolution whose weight is channels last gives its output channels
    last, so that the whole network follows. Values stay the same up to
    rounding; on CPUs and with AMP on recent GPUs it is faster
    (benchmarks/channels_last.py measures by how much).

    DistributedDataParallel lays its buckets of gradients out as the weights
    are when it is made. Converted behind its back, the gradients that come
    out of a reduction are permuted, with no more than a warning of PyTorch's.
    So a wrapped model is wrapped anew.
    """

    priority = 'VERY_HIGH'

    def before_run(self, runner: Runner) -> None:
        """Convert the model of ``runner``, which a wrapper is made of anew."""
        wrapped = is_model_wrapper(runner.model)
        module = runner.model.module if wrapped else runner.model
        if wrapped:
            # The old wrapper's hooks on the weights go with it.
            runner.model = None
        module.to(memory_format=torch.channels_last)
        if wrapped:
            module = runner.wrap_model(
                runner.cfg.get('model_wrapper_cfg'), module)
        runner.model = module
