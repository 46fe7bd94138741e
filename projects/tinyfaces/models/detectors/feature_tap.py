"""Reading what a submodule gives while a detector runs."""
from collections.abc import Sequence
from types import TracebackType

from torch import Tensor, nn

from ..task_modules.feature_sampler import FeaturePyramid, priors_of


class FeatureTap:
    """Keep the outputs of submodules of the one forward pass in the block.

    Args:
        detector: Has a ``backbone``, which is called with the input.
        sources: Names of submodules that return a map or several.

    Raises:
        ValueError: The detector has no such submodule.
    """

    def __init__(self, detector: nn.Module, sources: Sequence[str]) -> None:
        for name in ('backbone', *sources):
            if not isinstance(getattr(detector, name, None), nn.Module):
                raise ValueError(
                    f'{type(detector).__name__} has no {name}, whose '
                    'features a post-processing step needs; fit its '
                    'regressor on box features, or on another source')
        self._detector = detector
        self._sources = sources
        self._handles = []
        self._outputs: dict[str, list[tuple[Tensor, ...]]] = {}
        self._input_shapes: list[tuple[int, int]] = []

    def __enter__(self) -> 'FeatureTap':
        """Start listening."""
        self._handles.append(
            self._detector.backbone.register_forward_pre_hook(
                lambda module, inputs: self._input_shapes.append(
                    tuple(inputs[0].shape[-2:]))))
        for name in self._sources:
            self._outputs[name] = []
            self._handles.append(
                getattr(self._detector, name).register_forward_hook(
                    lambda module, inputs, output, name=name: self.
                    _outputs[name].append((output, ) if isinstance(
                        output, Tensor) else tuple(output))))
        return self

    def __exit__(self, kind: type | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        """Stop listening, also when the detector fails."""
        while self._handles:
            self._handles.pop().remove()

    @property
    def has_seen(self) -> bool:
        """Whether the network has run at all."""
        return bool(self._input_shapes)

    def pyramid(self, source: str, index: int,
                batch_size: int) -> FeaturePyramid:
        """What a submodule gave for one picture of the batch.

        Args:
            source: One of ``sources``.
            index: Of the picture in the batch.
            batch_size: Pictures in the batch.

        Raises:
            ValueError: The detector ran its network several times or on
                other pictures than it reports, so that the features cannot
                be told apart.
        """
        outputs = [
            self._last_maps(source, maps) for maps in self._outputs[source]
        ]
        if len(outputs) != 1 or len(self._input_shapes) != 1 or any(
                len(level) != batch_size for level in outputs[0]):
            raise ValueError(
                f'the {source} of {type(self._detector).__name__} ran '
                f'{len(outputs)} times for a batch of {batch_size}: features '
                'can only be read from a single pass; use a regressor that '
                'was fitted on box features, or pictures that need no tiles')
        # Heads look at the neck, if there is one; a backbone below it may
        # have as many levels of others.
        neck = getattr(self._detector, 'neck', None)
        seen = 'backbone' if neck is None else 'neck'
        priors = priors_of(self._detector, len(
            outputs[0])) if source == seen else None
        return FeaturePyramid([level[index] for level in outputs[0]],
                              self._input_shapes[0], priors)

    def _last_maps(self, source: str,
                   maps: Sequence[Tensor | None]) -> Sequence[Tensor]:
        """Those of the head's levels: the last ones of a neck.

        :class:`RefineFPN` gives maps of a first step before them, or None.
        """
        head = getattr(self._detector, 'bbox_head', None)
        num_levels = getattr(head, 'num_levels', len(maps))
        return maps[-num_levels:] if source == 'neck' else maps
