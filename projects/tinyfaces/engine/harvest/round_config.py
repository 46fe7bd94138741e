"""The config of a later round, from that of the first."""
import copy
import os
from collections.abc import Iterator

from mmdet.registry import TASK_UTILS
from mmengine.config import Config, ConfigDict

from ...models.task_modules.hard_negative_sampler import TakesHardNegatives
from ...utils.config_parts import class_name, innermost_datasets

# Samplers, and those that draw as they do behind hard negatives.
SAMPLERS = dict(
    RandomSampler='HardNegativeSampler',
    ScaleGroupSampler='HardNegativeScaleGroupSampler')
_PACKERS = ('PackDetInputs', 'PackHardNegativeInputs')


def with_hard_negatives(cfg: Config | str | os.PathLike,
                        file: str | os.PathLike | None,
                        rpn: bool = True) -> Config:
    """Let a config train with harvested hard negatives.

    What "Bootstrapping Face Detection with Hard Negative Examples" changes
    after the first round, and nothing else:

    - ``LoadHardNegatives`` follows ``LoadAnnotations`` in the training
      pipeline of every dataset, and ``PackHardNegativeInputs`` takes the
      place of ``PackDetInputs``; also in pipelines that ``PipelineSwitchHook``
      switches to.
    - ``RandomSampler`` becomes ``HardNegativeSampler`` and
      ``ScaleGroupSampler`` becomes ``HardNegativeScaleGroupSampler``, with
      the same numbers: hard negatives join the proposals of a RoI head, and
      are looked for among the anchors of an RPN or one-stage detector. A
      sampler that takes hard negatives already stays as it is.

    A pipeline that loads hard negatives already is given the new file.
    Pictures that ``filter_cfg`` leaves out of the training stay out, whatever
    was found in them. In a config file, below its ``_base_``::

        _base_ = ['faster-rcnn.py']
        from tinyfaces.engine import with_hard_negatives
        later = with_hard_negatives('{{ fileDirname }}/faster-rcnn.py', FILE)
        model, train_dataloader = later.model, later.train_dataloader
        del later

    Args:
        cfg: Config of the first round, or its file; not changed.
        file: The hard negatives. None changes the samplers alone, which
            without hard negatives draw as those they replace: for the config
            of a :class:`~tinyfaces.engine.loops.BootstrapTrainLoop`.
        rpn: Whether the RPN of a two-stage detector takes them too. The paper
            uses them to "jointly re-train both RPN and Fast R-CNN".

    Returns:
        Config: A copy with these changes.

    Raises:
        ValueError: The pipeline does not load annotations or pack samples, or
            a sampler is none of those above; says what to set.
    """
    if isinstance(cfg, (str, os.PathLike)):
        cfg = Config.fromfile(cfg)
    cfg = copy.deepcopy(cfg)
    for place, part, join in _sampled_parts(cfg.model, rpn):
        part.sampler = _hard_negative_sampler(part, place, join)
    if file is None:
        return cfg
    for place, part, key in _pipelines(cfg):
        part[key] = _pipeline(part[key], f'{place}.{key}', os.fspath(file))
    return cfg


def _sampled_parts(model: ConfigDict,
                   rpn: bool) -> Iterator[tuple[str, ConfigDict, str]]:
    """Place, config and way to join of each part that has a sampler."""
    place = 'model'
    while 'detector' in model:
        model, place = model.detector, f'{place}.detector'
    place = f'{place}.train_cfg'
    train_cfg = model.get('train_cfg') or ConfigDict()
    if 'rcnn' not in train_cfg:
        yield place, train_cfg, 'anchors'
        return
    if rpn and train_cfg.get('rpn'):
        yield f'{place}.rpn', train_cfg.rpn, 'anchors'
    if isinstance(train_cfg.rcnn, dict):
        yield f'{place}.rcnn', train_cfg.rcnn, 'proposals'
        return
    for number, stage in enumerate(train_cfg.rcnn):
        yield f'{place}.rcnn.{number}', stage, 'proposals'


def _hard_negative_sampler(part: ConfigDict, place: str,
                           join: str) -> ConfigDict:
    """The sampler that takes the place of another."""
    sampler = part.get('sampler')
    name = class_name(sampler) if sampler else 'missing'
    if name in SAMPLERS:
        return ConfigDict(sampler, type=SAMPLERS[name], join=join)
    kind = TASK_UTILS.get(name) if sampler else None
    if isinstance(kind, type) and issubclass(kind, TakesHardNegatives):
        return sampler
    why = ' (one-stage detectors use it, or none, to train on all anchors)'
    numbers = 'add_gt_as_proposals=False, ' if join == 'anchors' else ''
    raise ValueError(
        f'{place}.sampler is {name}{why if join == "anchors" else ""}, which '
        f'cannot take hard negatives first; set {place}.sampler=dict(type='
        f"'HardNegativeSampler', join='{join}', num=256, pos_fraction=0.25, "
        f'{numbers}neg_pos_ub=-1) or one of {", ".join(SAMPLERS)}' +
        (', or leave the RPN as it is (rpn=False, --no-rpn)' if place.
         endswith('.rpn') else ''))


def _pipelines(cfg: Config) -> Iterator[tuple[str, ConfigDict, str]]:
    """Place, config and key of each pipeline of the training."""
    dataset = (cfg.get('train_dataloader') or {}).get('dataset')
    if not dataset:
        raise ValueError('the config has no train_dataloader.dataset, whose '
                         'pipeline could load hard negatives')
    for place, part in innermost_datasets(dataset,
                                          'train_dataloader.dataset').items():
        yield place, part, 'pipeline'
    for number, hook in enumerate(cfg.get('custom_hooks') or []):
        if class_name(hook) == 'PipelineSwitchHook':
            yield f'custom_hooks.{number}', hook, 'switch_pipeline'


def _pipeline(pipeline: list, place: str, file: str) -> list:
    """A pipeline that loads and packs hard negatives too."""
    kept = [t for t in pipeline if class_name(t) != 'LoadHardNegatives']
    names = [class_name(transform) for transform in kept]
    loads = [at for at, name in enumerate(names) if name == 'LoadAnnotations']
    packs = [at for at, name in enumerate(names) if name in _PACKERS]
    for found, name in ((loads, 'LoadAnnotations'), (packs, 'PackDetInputs')):
        if not found:
            raise ValueError(
                f'{place} has no {name}: hard negatives are loaded behind '
                'LoadAnnotations and taken out by what takes the place of '
                'PackDetInputs; a pipeline must have both (those of datasets '
                'that mix pictures do not)')
    for at in packs:
        kept[at] = ConfigDict(kept[at], type='PackHardNegativeInputs')
    load = ConfigDict(type='LoadHardNegatives', ann_file=file)
    kept.insert(loads[-1] + 1, load)
    return kept
