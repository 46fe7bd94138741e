"""RefineFace's head: two steps of classification and of regression."""
from collections.abc import Sequence

import torch
from mmdet.models.dense_heads import RetinaHead
from mmdet.models.task_modules.samplers import PseudoSampler
from mmdet.models.utils import multi_apply
from mmdet.registry import MODELS, TASK_UTILS
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ..layers import RFEBlock
from .two_step_loss import TwoStepLossMixin
from .two_step_prediction import TwoStepPredictionMixin

STC_LEVELS = (0, 1, 2)
STR_LEVELS = (3, 4, 5)
STEPS = ('first', 'second')


@MODELS.register_module()
class SelectiveRefineHead(TwoStepLossMixin, TwoStepPredictionMixin,
                          RetinaHead):
    """Selective two-step regression and classification (RefineFace, 3.1-3.6).

    One class and one box tower serve all levels and both steps. The first
    step sees C2 to C7, on the levels of ``stc_levels`` by the class tower
    and on those of ``str_levels`` by the box tower alone, and the second step
    P2 to P7. Nothing is computed for a level that is in neither.

    - STR: on ``str_levels`` the first step's boxes are the anchors of the
      second, in matching, regression targets and decoding. They are detached,
      as in RefineDet, and not clipped to the picture, since an anchor on the
      padding could lose its area; only the final boxes are clipped.
    - STC: on ``stc_levels`` the second step is left to the anchors that the
      first step scores above ``stc_score_thr``. All others count in neither
      loss of the second step (the set Phi of Eqs. 1 and 2) and are not
      detected. The final score is the second step's.

    Losses, all over anchors that are matched against the faces of the whole
    picture on all levels: ``loss_cls_first`` (``stc_levels``),
    ``loss_bbox_first`` (``str_levels``), ``loss_cls`` and ``loss_bbox`` (Phi).
    Each is divided by its own positives, at least 1 per picture as in
    MMDetection. For the log of each rank: ``stc_pos`` and ``stc_neg``, the
    second step's positives and negatives per picture before STC,
    ``stc_dropped_pos`` and ``stc_dropped_neg``, those of them that it drops,
    and ``stc_share_pos`` and ``stc_share_neg``, the share that it drops of the
    batch's, 0 if there are none; of many batches the share is the ratio of the
    means of the other two. The class prior of .01 is the very threshold of
    STC, so that a random part of both is dropped when training begins; where
    all is, the second step's losses are 0 and the first step still trains the
    towers.

    With no levels in either set, ``rfe=False`` and ``predictor_kernel=3`` it
    is :class:`mmdet.models.dense_heads.RetinaHead`, with its parameter names.

    Defaults where the paper is silent or SRN's code differs:

    - ``predictor_kernel=3``, RetinaNet's, as the paper replaces only the
      middle two convolutions of RetinaNet's towers; SRN's code has 1.
    - ``init_cfg``: Xavier (paper), but the class predictor is that of the
      baseline, N(0, .01) and a prior of .01. SRN's code has N(0, .01)
      everywhere.
    - ``margin_steps``: both, as Eq. 3 speaks of the classification loss.

    ``train_cfg`` has RetinaNet's keys, where ``assigner`` is the second
    step's (.5/.4), and ``first_assigner`` (.7/.3). There is no sampling.
    ``test_cfg`` has RetinaNet's keys and

    - ``nms_pre_over``: ``'level'`` (default, MMDetection and SRN's code): the
      best ``nms_pre`` of each level; or ``'image'`` (paper): of a picture.
    - ``small_level_cells``: on levels of fewer cells the score threshold is
      0: 0 (default; paper) or 120 (SRN's code).
    - ``sparse``: whether ``predict`` computes the second step's scores only
      around cells that STC leaves, and its boxes only around cells of high
      enough score; the results are the same up to rounding. By default on a
      CPU if any level has two steps: to choose the cells, a GPU would have to
      stop and wait. Not with ``conv_cfg`` or ``norm_cfg``.

    Args:
        num_classes: 1 for faces.
        in_channels: Channels of the neck's maps.
        stc_levels: Levels of two-step classification, 0 is P2.
        str_levels: Levels of two-step regression.
        stc_score_thr: Score that the first step must exceed, 1 - theta.
        rfe: Whether an :class:`RFEBlock` replaces the middle two 3x3
            convolutions of each tower.
        predictor_kernel: 3 or 1.
        margin_steps: Steps in which a loss with ``needs_sizes``
            (:class:`ScaleAwareMarginLoss`) has its margin: ``'first'``,
            ``'second'``.
        sync_avg_factor: Whether the number of positives is the mean over all
            ranks and accumulated micro-batches; otherwise each batch's own,
            as in RetinaHead. Tells only in distributed training, or with
            accumulated gradients.
        with_cp: Whether training keeps no maps of the towers and computes
            them again for the gradient: less memory, more time, same result.
        stacked_convs: 3x3 convolutions of a tower; with ``rfe`` an even
            number, of which two become the block.
        init_cfg: Initialisation.
        **kwargs: Arguments of RetinaHead.

    Raises:
        ValueError: An argument is out of range, ``train_cfg`` incomplete, or
            ``test_cfg.sparse`` set with layers that are not plain.
    """

    def __init__(self,
                 num_classes: int,
                 in_channels: int,
                 stc_levels: Sequence[int] = STC_LEVELS,
                 str_levels: Sequence[int] = STR_LEVELS,
                 stc_score_thr: float = 0.01,
                 rfe: bool = True,
                 predictor_kernel: int = 3,
                 margin_steps: Sequence[str] = STEPS,
                 sync_avg_factor: bool = True,
                 with_cp: bool = False,
                 stacked_convs: int = 4,
                 init_cfg: dict = dict(
                     type='Xavier',
                     layer='Conv2d',
                     distribution='uniform',
                     override=dict(
                         type='Normal',
                         name='retina_cls',
                         std=0.01,
                         bias_prob=0.01)),
                 **kwargs) -> None:
        if predictor_kernel not in (1, 3):
            raise ValueError(
                f'predictor_kernel must be 1 or 3, not {predictor_kernel}')
        if rfe and (stacked_convs < 2 or stacked_convs % 2):
            raise ValueError(
                'an RFE block replaces the middle two convolutions: '
                f'stacked_convs must be even, not {stacked_convs}')
        if not set(margin_steps) <= set(STEPS):
            raise ValueError(
                f'margin_steps must be among {STEPS}, not {margin_steps}')
        self.rfe = rfe
        self.predictor_kernel = predictor_kernel
        self.margin_steps = tuple(margin_steps)
        self.stc_score_thr = stc_score_thr
        self.sync_avg_factor = sync_avg_factor
        self.with_cp = with_cp
        super().__init__(
            num_classes,
            in_channels,
            stacked_convs=stacked_convs,
            init_cfg=init_cfg,
            **kwargs)
        self.num_levels = self.prior_generator.num_levels
        self.stc_levels = self._checked('stc_levels', stc_levels)
        self.str_levels = self._checked('str_levels', str_levels)
        if not self.use_sigmoid_cls:
            raise ValueError('loss_cls must have use_sigmoid=True')
        if self.train_cfg:
            self._init_matching()
        if self.test_cfg:
            self._check_sparse()

    def _checked(self, name: str, levels: Sequence[int]) -> tuple[int, ...]:
        levels = tuple(sorted(set(levels)))
        if levels and not 0 <= levels[0] <= levels[-1] < self.num_levels:
            raise ValueError(f'{name} must be indices of 0 to '
                             f'{self.num_levels - 1}, not {levels}')
        return levels

    def _init_matching(self) -> None:
        if not isinstance(self.sampler, PseudoSampler):
            raise ValueError('SelectiveRefineHead trains on all matched '
                             'anchors: leave out train_cfg.sampler')
        if self.stc_levels or self.str_levels:
            if 'first_assigner' not in self.train_cfg:
                raise ValueError(
                    'two steps need two assigners: add first_assigner to '
                    'train_cfg, or empty stc_levels and str_levels')
            self.first_assigner = TASK_UTILS.build(
                self.train_cfg['first_assigner'])

    def _init_layers(self) -> None:
        """RetinaHead's layers, then those that differ."""
        super()._init_layers()
        if self.rfe:
            middle = self.stacked_convs // 2
            for name in ('cls_convs', 'reg_convs'):
                convs = list(getattr(self, name))
                channels = convs[middle - 1].in_channels
                if channels != self.feat_channels:
                    raise ValueError(
                        f'an RFE block keeps the channels: in_channels must '
                        f'be feat_channels, {self.feat_channels}, not '
                        f'{channels}, with stacked_convs=2')
                convs[middle - 1:middle + 1] = [RFEBlock(channels)]
                setattr(self, name, nn.ModuleList(convs))
        if self.predictor_kernel == 1:
            for name in ('retina_cls', 'retina_reg'):
                old = getattr(self, name)
                setattr(self, name,
                        nn.Conv2d(old.in_channels, old.out_channels, 1))

    def forward(
        self, x: Sequence[Tensor | None]
    ) -> tuple[list[Tensor], list[Tensor], list[Tensor], list[Tensor]]:
        """Raw output of both steps.

        Args:
            x: L first-step maps, None where none is needed, then L
                second-step maps; the latter are enough if no level has a
                first step. Shape (N, in_channels, H, W).

        Returns:
            tuple: Four lists of maps, a = anchors per cell: second-step
            logits (N, a * num_classes, H, W) and deltas (N, 4a, H, W) of all
            L levels; first-step logits of ``stc_levels``, first-step deltas
            of ``str_levels``.

        Raises:
            ValueError: Maps are missing.
        """
        first, second = self._split(x)
        return (*multi_apply(self.forward_single, second),
                [self._logits(first[level]) for level in self.stc_levels
                 ], [self._deltas(first[level]) for level in self.str_levels])

    def forward_single(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Logits and deltas of one map."""
        return self._logits(x), self._deltas(x)

    def _logits(self, x: Tensor) -> Tensor:
        return self.retina_cls(self._tower(self.cls_convs, x))

    def _deltas(self, x: Tensor) -> Tensor:
        return self.retina_reg(self._tower(self.reg_convs, x))

    def _tower(self, convs: nn.ModuleList, x: Tensor) -> Tensor:

        def run(x: Tensor) -> Tensor:
            for conv in convs:
                x = conv(x)
            return x

        if self.with_cp and torch.is_grad_enabled():
            return checkpoint(run, x, use_reentrant=False)
        return run(x)

    def _split(self, x: Sequence[Tensor | None]) -> tuple[Sequence, Sequence]:
        """First-step and second-step maps, by level."""
        if len(x) not in (self.num_levels, 2 * self.num_levels):
            raise ValueError(
                f'the head has {self.num_levels} levels and needs '
                f'{self.num_levels} second-step maps, after as many of the '
                f'first step if there are any, not {len(x)} in all')
        first, second = x[:-self.num_levels], x[-self.num_levels:]
        needed = sorted({*self.stc_levels, *self.str_levels})
        missing = [i for i in needed if not first or first[i] is None]
        if missing:
            raise ValueError(
                f'no first-step maps on levels {missing}: set '
                f'neck.first_step={needed} of RefineFPN, or leave it out in a '
                'RefineFace detector')
        return first, second
