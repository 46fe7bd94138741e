"""Multi-scale test of any detector, one scale in memory at a time."""
import copy
import logging
from collections.abc import Sequence

import mmcv
import numpy as np
import torch
from mmdet.models.utils import samplelist_boxtype2tensor
from mmdet.registry import MODELS, TASK_UTILS
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import bbox_flip
from mmengine.config import ConfigDict
from mmengine.logging import print_log
from mmengine.model import BaseTTAModel
from mmengine.structures import InstanceData
from torch import Tensor, nn

from ..child_keys import use_child_keys
from .preparation import PreparedCopy, check_preparations
from .scale_plan import View
from .view_joining import check_joining, join_views, joined_fields

GROUPED = 'group_pred_instances'


@MODELS.register_module()
class MultiScaleTestModel(BaseTTAModel):
    """Any detector, which looks at each picture at several scales.

    A drop-in for ``DetTTAModel`` as ``tta_model`` of a config, or around the
    ``model`` itself; checkpoints are those of the wrapped detector. Where
    mmengine's test-time augmentation has the data loader make all views of a
    batch at once, this takes the original pictures and makes one view after
    the other, the largest first: the memory is that of the largest view, and
    the scales may depend on the picture's size. Views are resized on the CPU
    by mmcv, pixel for pixel what ``Resize`` gives in training, which
    interpolation by torch is not.

    Each view goes through the detector's own ``test_step``: its data
    preprocessor pads it (to multiples of 128, if it is told so), its
    ``test_cfg`` has its own score threshold and NMS. Its metainfo has the
    ``scale_factor`` and ``flip`` of the view, for heads that treat scales
    differently. Boxes are taken back to the original picture, those of sizes
    that the view is not for are dropped, and the rest are joined.

    A detector of anchor-scale groups (Group Sampling) may give
    ``group_pred_instances``, a dict, name of the group -> its own detections:
    each group is joined by itself, in the same way. An NMS keeps what else a
    box of a view has, its ``groups``, ``templates`` and ``features``; a voted
    box has none.

    A detector may leave the suppression to this model and give all boxes of a
    view (``test_cfg=dict(nms=None)``, if its head knows that): then one NMS
    over the union of all views is the only one, as in "Finding Tiny Faces".
    Its scores may be logits.

    Args:
        module: Config of a detector, or the detector.
        tta_cfg: How to join the views: ``voting``, arguments of
            :func:`~tinyfaces.models.test_time.box_voting.box_voting` but
            ``max_num``, or ``nms``, config of an NMS over all of them; and
            ``max_per_img``, the number of boxes to keep of a picture, ``None``
            for all. Classes are joined apart.
        plan: Config of a plan from ``TASK_UTILS``, such as
            :class:`~tinyfaces.models.test_time.scale_plan.ScalePlan`; a
            callable that gives the views of a picture of some width and
            height. ``None`` for ``BudgetScalePlan``.
        interpolation: As of the transform ``Resize``; ``'area'`` if a plan
            shrinks pictures much.
        data_preprocessor: Overrides the detector's, as in ``BaseTTAModel``.
        test_cfg: What is different in the detector's own ``test_cfg`` when it
            looks at views. Merged into its config as one config file into
            another, so ``_delete_=True`` replaces a part.
        prepare: What to do to a copy of the detector, which then looks at the
            pictures in eval mode, so that it is faster: ``'fuse_conv_bn'``,
            ``'channels_last'``; see
            :mod:`~tinyfaces.models.test_time.preparation`. Predictions are
            equal up to rounding. The copy is made at the first picture, and
            again when weights have been changed or moved since, and after
            each ``train()`` or ``eval()`` of this model; it costs the memory
            of the weights once more.

    Raises:
        ValueError: ``tta_cfg`` says not one way to join the views, not how
            many boxes to keep, or something that this way does not take;
            ``test_cfg`` is for a detector that has been built; or there is
            nothing of a name in ``prepare``.
    """

    def __init__(
        self,
        module: dict | nn.Module,
        tta_cfg: dict,
        plan: dict | None = None,
        interpolation: str = 'bilinear',
        data_preprocessor: dict | nn.Module | None = None,
        test_cfg: dict | None = None,
        prepare: Sequence[str] = ()) -> None:
        if test_cfg is not None:
            module = _with_test_cfg(module, test_cfg)
        super().__init__(module, data_preprocessor)
        check_joining(tta_cfg)
        self.tta_cfg = tta_cfg
        self.joined = joined_fields(tta_cfg)
        self.plan = TASK_UTILS.build(plan or dict(type='BudgetScalePlan'))
        self.interpolation = interpolation
        self._prepared = PreparedCopy(check_preparations(prepare))
        self._told_of = set()
        use_child_keys(self, 'module')

    def train(self, mode: bool = True) -> 'MultiScaleTestModel':
        """As in ``nn.Module``; what was prepared is prepared again.

        Every test of a runner starts with ``eval()``, after hooks have put
        other weights in place.
        """
        self._prepared.forget()
        return super().train(mode)

    def ready_module(self) -> nn.Module:
        """The detector that looks at views: ``module``, or a prepared copy."""
        return self._prepared.of(self.module)

    @torch.no_grad()
    def test_step(self, data: dict) -> list[DetDataSample]:
        """Detect in each picture of a batch, at all its scales.

        Args:
            data: ``inputs``, a list of pictures (3, H, W) at their original
                size, and ``data_samples``, a list of ``DetDataSample``.

        Returns:
            list[DetDataSample]: The given ones, with ``pred_instances`` (and
            ``group_pred_instances``, where the detector gives them) in pixels
            of the original picture.

        Raises:
            TypeError: The pictures come from ``TestTimeAug``.
            ValueError: A picture has been resized.
        """
        detector = self.ready_module()
        results = []
        for image, sample in zip(data['inputs'], data['data_samples']):
            if not isinstance(image, Tensor):
                raise TypeError(
                    'MultiScaleTestModel makes the views of a picture '
                    'itself; take TestTimeAug out of tta_pipeline')
            height, width = image.shape[-2:]
            if tuple(sample.ori_shape[:2]) != (height, width):
                raise ValueError(
                    f'a picture of {sample.ori_shape[1]}x'
                    f'{sample.ori_shape[0]} pixels comes as {width}x{height}; '
                    'MultiScaleTestModel resizes the original itself: take '
                    'Resize (and Pad) out of the pipeline')
            pixels = image.permute(1, 2, 0).contiguous().cpu().numpy()
            # The largest first: what it frees has room for all others, and
            # too small a memory shows at once.
            views = sorted(
                self.plan(width, height),
                key=lambda view: -view.width * view.height)
            looks = [
                self._look_at(detector, pixels, sample, view) for view in views
            ]
            merged, = self.merge_preds([looks])
            sample.pred_instances = merged.pred_instances
            if GROUPED in merged:
                sample.group_pred_instances = merged.group_pred_instances
            results.append(sample)
        samplelist_boxtype2tensor(results)
        return results

    def _look_at(self, detector: nn.Module, pixels: np.ndarray,
                 sample: DetDataSample, view: View) -> DetDataSample:
        """What the detector finds in one view of a picture.

        Args:
            detector: Of :meth:`ready_module`.
            pixels: (H, W, 3), the original picture.
            sample: Tells of the picture.
            view: How to look at it.

        Returns:
            DetDataSample: With ``pred_instances``, and those of the groups,
            in pixels of the original.
        """
        height, width = pixels.shape[:2]
        if (view.width, view.height) != (width, height):
            pixels = mmcv.imresize(
                pixels, (view.width, view.height),
                interpolation=self.interpolation)
        if view.flip:
            pixels = mmcv.imflip(pixels)
        look = DetDataSample(
            metainfo=dict(
                sample.metainfo,
                img_shape=(view.height, view.width),
                scale_factor=(view.width / width, view.height / height),
                flip=view.flip,
                flip_direction='horizontal' if view.flip else None))
        inputs = torch.from_numpy(
            np.ascontiguousarray(pixels.transpose(2, 0, 1)))
        found, = detector.test_step(dict(inputs=[inputs], data_samples=[look]))
        kept = DetDataSample(
            metainfo=sample.metainfo,
            pred_instances=self._keep(found.pred_instances, view,
                                      (height, width)))
        if GROUPED in found:
            kept.group_pred_instances = {
                name: self._keep(group, view, (height, width))
                for name, group in found.group_pred_instances.items()
            }
        return kept

    def _keep(self, found: InstanceData, view: View,
              shape: tuple[int, int]) -> InstanceData:
        """The detections of one view that count, as they can be joined.

        Args:
            found: In pixels of the original picture, mirrored if the view is.
            view: Where they were found.
            shape: Height and width of the original picture.

        Returns:
            InstanceData: Not mirrored, of the sizes that the view is for.
        """
        self._tell_of_lost(found)
        kept = InstanceData(
            **{key: found[key]
               for key in self.joined if key in found})
        if view.flip:
            kept.bboxes = bbox_flip(kept.bboxes, shape)
        return kept[view.keeps(kept.bboxes)]

    def _tell_of_lost(self, found: InstanceData) -> None:
        """Log, once, what the detector gives and the views cannot join."""
        lost = set(found.keys()) - set(self.joined) - self._told_of
        if lost:
            self._told_of |= lost
            print_log(
                f'{type(self.module).__name__} gives {sorted(lost)} with its '
                'boxes, which a multi-scale test cannot join and drops',
                logger='current',
                level=logging.WARNING)

    def merge_preds(
            self, data_samples_list: list[list[DetDataSample]]
    ) -> list[DetDataSample]:
        """Join the detections of the views of each picture.

        Args:
            data_samples_list: For each picture, a data sample for each view
                with ``pred_instances``, and perhaps ``group_pred_instances``,
                in pixels of the original picture.

        Returns:
            list[DetDataSample]: One for each picture: that of the first view
            with the joined instances in the order of falling score.
        """
        merged = []
        for looks in data_samples_list:
            groups = [look.get(GROUPED, {}) for look in looks]
            looks[0].pred_instances = join_views(
                [look.pred_instances for look in looks], self.tta_cfg)
            names = dict.fromkeys(name for view in groups for name in view)
            if names:
                looks[0].group_pred_instances = {
                    name:
                    join_views([view[name] for view in groups if name in view],
                               self.tta_cfg)
                    for name in names
                }
            merged.append(looks[0])
        return merged


def _with_test_cfg(module: dict | nn.Module, changes: dict) -> ConfigDict:
    """A copy of a detector's config with changes to its ``test_cfg``.

    Args:
        module: Config of a detector, or of a ``PostProcessedDetector``.
        changes: Merged into the ``test_cfg`` of the detector itself.

    Raises:
        ValueError: It is no config but a detector.
    """
    if isinstance(module, nn.Module):
        raise ValueError(
            'test_cfg of a MultiScaleTestModel changes the config of its '
            f'detector, but this {type(module).__name__} has been built; '
            'give its config, or make the changes there before it is built')
    module = ConfigDict(copy.deepcopy(module))
    detector = module
    while 'detector' in detector:
        detector = detector.detector
    if detector.get('test_cfg') is None:
        detector.test_cfg = ConfigDict()
    detector.test_cfg.merge(ConfigDict(changes))
    return module
