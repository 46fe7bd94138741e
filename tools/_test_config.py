"""The parts of a config that a test consists of: datasets and metrics."""
from _config_parts import replace_part
from mmengine.config import Config, ConfigDict

from tinyfaces.utils.config_parts import class_name


def replace_test_dataset(cfg: Config, name: str) -> None:
    """Let ``cfg`` test on the dataset of another config.

    ``test_dataloader`` and ``test_evaluator`` are replaced as a whole:
    nothing of the former ones is merged in. Modules that the dataset config
    names in ``custom_imports`` are imported, and added to those of ``cfg``.

    Args:
        cfg (Config): Config, changed in place.
        name (str): Path of a config, or the stem of a file in
            ``configs/_base_/datasets``, such as ``fddb``.

    Raises:
        SystemExit: There is no such file, it lacks one of the two, or a
            module cannot be imported.
    """
    replace_part(cfg, name, 'datasets', '--dataset',
                 ('test_dataloader', 'test_evaluator'))
    # A config that was only made for training has no test loop.
    if cfg.get('test_cfg') is None:
        cfg.test_cfg = dict(type='TestLoop')


def metrics_of(cfg: Config) -> list[ConfigDict]:
    """The metrics of the test's evaluator."""
    evaluators = cfg.get('test_evaluator') or []
    if isinstance(evaluators, dict):
        evaluators = evaluators.get('metrics', [evaluators])
    return list(evaluators)


def only_metric(cfg: Config, kind: str, source: str,
                remedy: str) -> ConfigDict:
    """Find the one metric of a class in the test's evaluator.

    Args:
        cfg (Config): Config.
        kind (str): Name of the class.
        source (str): Argument that asks for it, for the message.
        remedy (str): What to do if there is none, for the message.

    Raises:
        SystemExit: The test has no such metric, or several.
    """
    found = [m for m in metrics_of(cfg) if class_name(m) == kind]
    if len(found) != 1:
        raise SystemExit(f'error: {source}: test_evaluator has {len(found)} '
                         f'{kind} where one must be; {remedy}')
    return found[0]
