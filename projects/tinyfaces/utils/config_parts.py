"""Finding the parts of a config."""
import copy
from typing import Any

from mmengine.config import ConfigDict


def innermost_datasets(dataset: ConfigDict, key: str) -> dict[str, ConfigDict]:
    """Find the dataset configs inside wrappers such as ``ConcatDataset``.

    Args:
        dataset (ConfigDict): Config of a dataset or wrapper.
        key (str): Where it is, such as ``test_dataloader.dataset``.

    Returns:
        dict[str, ConfigDict]: Key, as ``--cfg-options`` take it -> config.
    """
    if 'dataset' in dataset:
        return innermost_datasets(dataset.dataset, f'{key}.dataset')
    if 'datasets' in dataset:
        found = {}
        for number, part in enumerate(dataset.datasets):
            found.update(innermost_datasets(part, f'{key}.datasets.{number}'))
        return found
    return {key: dataset}


def class_name(part: ConfigDict) -> str:
    """The class that a part of a config asks for, without its scope."""
    # Configs of the new style hold the class itself.
    kind = part.type
    return kind.split('.')[-1] if isinstance(kind, str) else kind.__name__


def complete_model(cfg: ConfigDict) -> ConfigDict:
    """The model of a config as a runner builds it.

    MMEngine takes a ``data_preprocessor`` beside the model if that has none.

    Args:
        cfg (ConfigDict): A whole config.
    """
    model = copy.deepcopy(cfg.model)
    if cfg.get('data_preprocessor') is not None:
        model.setdefault('data_preprocessor', cfg.data_preprocessor)
    return model


def transform_names(pipeline: Any) -> list[str]:
    """The classes of a pipeline, also those inside of wrappers.

    Args:
        pipeline (Any): Config of a pipeline or of a transform; None has none.

    Returns:
        list[str]: In their order, a wrapper before what it holds.
    """
    if isinstance(pipeline, dict):
        own = [class_name(pipeline)] if pipeline.get('type') else []
        return own + transform_names(list(pipeline.values()))
    if isinstance(pipeline, (list, tuple)):
        return [name for part in pipeline for name in transform_names(part)]
    return []
