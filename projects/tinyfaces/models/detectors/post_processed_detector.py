"""Steps behind a detector's predictions."""
from collections.abc import Callable, Sequence
from dataclasses import asdict

from mmdet.registry import MODELS, TASK_UTILS
from mmdet.structures import DetDataSample
from mmengine.model import BaseModel, BaseTTAModel
from mmengine.optim import OptimWrapper
from torch import Tensor, nn

from tinyfaces.ellipses import FeatureSampling
from ..child_keys import use_child_keys
from .feature_tap import FeatureTap


@MODELS.register_module()
class PostProcessedDetector(BaseModel):
    """Any detector, with steps applied to each data sample it predicts.

    The wrapped detector does everything else: losses, training, its data
    preprocessor and its own ``test_cfg`` stay what they are, and its
    attributes are reached through the wrapper. Names of parameters in
    checkpoints are those of the bare detector, so that a checkpoint of one
    fits the other.

    A step is called with a data sample, and with the
    :class:`~tinyfaces.models.task_modules.feature_sampler.FeaturePyramid`
    of the submodule that its ``feature_source`` names, if it names one; the
    features come from the same forward pass. For test-time augmentation
    wrap the augmenting model, so that the steps see the merged detections.
    Features are then those of the view that a detection comes from: a
    :class:`~tinyfaces.models.MultiScaleTestModel` that joins views by NMS
    has its detector wrapped, too, and keeps what is read there.

    Args:
        detector: Config of a detector or of a model for test-time
            augmentation, or the model itself.
        test_cfg: ``post_process``, a list of configs of steps from
            ``TASK_UTILS``, in the order in which they are applied.

    Raises:
        ValueError: ``test_cfg`` has no steps or something else; or a step
            needs features that the detector does not have, or that
            test-time augmentation does not keep.
    """

    def __init__(self, detector: dict | nn.Module, test_cfg: dict) -> None:
        if not isinstance(detector, nn.Module):
            detector = MODELS.build(detector)
        super().__init__(data_preprocessor=detector.data_preprocessor)
        # There is only one: __getattr__ finds that of the detector.
        del self.data_preprocessor
        if list(test_cfg) != ['post_process'] or not test_cfg['post_process']:
            raise ValueError(
                'test_cfg of a PostProcessedDetector must be '
                'dict(post_process=[...]) with one step or more, but has the '
                f'keys {list(test_cfg)}; what the detector itself is to do '
                "belongs into its own config's test_cfg")
        self.detector = detector
        self.steps: list[Callable] = [
            TASK_UTILS.build(step) for step in test_cfg['post_process']
        ]
        self._sources = sorted({
            step.feature_source
            for step in self.steps if getattr(step, 'feature_source', None)
        })
        if self._sources:
            if isinstance(detector, BaseTTAModel):
                _sample_in_views(detector, [
                    getattr(step, 'sampling', None) for step in self.steps
                    if getattr(step, 'feature_source', None)
                ])
                self._sources = []
            else:
                # Fail now, not at the first picture.
                FeatureTap(detector, self._sources)
        use_child_keys(self, 'detector')

    def __getattr__(self, name: str):
        """Attributes of the detector."""
        try:
            return super().__getattr__(name)
        except AttributeError:
            if name == 'detector':
                raise
            return getattr(self.detector, name)

    def forward(
        self,
        inputs: Tensor | list[Tensor],
        data_samples: Sequence[DetDataSample] | None = None,
        mode: str = 'tensor'
    ) -> dict[str, Tensor] | list[DetDataSample] | Tensor | tuple:
        """The detector's ``forward``; predictions go through the steps.

        Args:
            inputs: Preprocessed batch, as the detector takes it.
            data_samples: One for each picture.
            mode: ``loss``, ``predict`` or ``tensor``.

        Returns:
            dict | list[DetDataSample] | Tensor | tuple: As the detector.
        """
        if mode != 'predict':
            return self.detector(inputs, data_samples, mode=mode)
        return self._post_processed(self.detector, inputs, data_samples, mode)

    def predict(self, *args, **kwargs) -> list[DetDataSample]:
        """The detector's ``predict``, and the steps."""
        return self._post_processed(self.detector.predict, *args, **kwargs)

    def test_step(self, data: dict | tuple | list) -> list[DetDataSample]:
        """The detector's ``test_step``, and the steps."""
        return self._post_processed(self.detector.test_step, data)

    def val_step(self, data: dict | tuple | list) -> list[DetDataSample]:
        """The detector's ``val_step``, and the steps."""
        return self._post_processed(self.detector.val_step, data)

    def train_step(self, data: dict | tuple | list,
                   optim_wrapper: OptimWrapper) -> dict[str, Tensor]:
        """The detector's ``train_step``."""
        return self.detector.train_step(data, optim_wrapper)

    def _post_processed(self, run: Callable, *args,
                        **kwargs) -> list[DetDataSample]:
        """What ``run`` predicts, after all steps."""
        if not self._sources:
            samples = run(*args, **kwargs)
            for sample in samples:
                for step in self.steps:
                    step(sample)
            return samples
        with FeatureTap(self.detector, self._sources) as tap:
            samples = run(*args, **kwargs)
        for index, sample in enumerate(samples):
            for step in self.steps:
                source = getattr(step, 'feature_source', None)
                # A detector may know without a look that there is nothing.
                if source and (tap.has_seen or len(sample.pred_instances)):
                    step(sample, tap.pyramid(source, index, len(samples)))
                else:
                    step(sample)
        return samples


def _sample_in_views(model: BaseTTAModel,
                     wanted: Sequence[FeatureSampling | None]) -> None:
    """Let a model's detector give the features of each view's detections.

    Args:
        model: Its detector is wrapped.
        wanted: How each of the steps behind it reads features.

    Raises:
        ValueError: The model does not keep features, or steps want several
            kinds.
    """
    if 'features' not in getattr(model, 'joined', ()):
        raise ValueError(
            "a post-processing step needs the detector's features, but "
            'test-time augmentation has different ones for every view of a '
            'picture; use a MultiScaleTestModel that joins views by nms, or a '
            'regressor that was fitted on box features')
    if len(set(wanted)) > 1 or None in wanted:
        raise ValueError(
            'a detection under test-time augmentation keeps features of one '
            'kind, those of a FeatureSampler or an EllipseRegressor, but the '
            f'post-processing steps want {list(dict.fromkeys(wanted))}')
    model.module = PostProcessedDetector(
        model.module,
        dict(post_process=[dict(type='FeatureSampler', **asdict(wanted[0]))]))
