"""The config of a later round, from that of the first."""
import copy
import os
from collections.abc import Iterator

from mmdet.registry import TASK_UTILS
from mmengine.config import Config, ConfigDict

from ...models.task_modules.hard_negative_sampler import TakesHardNegatives
from ...utils.config_parts import (class_name, innermost_datasets,
                                   transform_names)

# Samplers, and those that draw as they do behind hard negatives.
SAMPLERS = dict(
    RandomSampler='HardNegativeSampler',
    SeededRandomSampler='HardNegativeSampler',
    ScaleGroupSampler='HardNegativeScaleGroupSampler')
_PACKERS = ('PackDetInputs', 'PackHardNegativeInputs')
# Parts of the names of transforms that move boxes.
_MOVES = ('Resize', 'Rescale', 'Flip', 'Crop', 'Pad', 'Expand', 'Shift',
          'Affine', 'Rotat', 'Shear', 'Translat')
# Of those that put several pictures together, or faces into a picture.
_MIXES = ('Mosaic', 'MixUp', 'CopyPaste', 'InstaBoost')


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
    - ``SeededRandomSampler`` or ``RandomSampler`` becomes
      ``HardNegativeSampler`` and ``ScaleGroupSampler`` becomes
      ``HardNegativeScaleGroupSampler``, with the same numbers: hard negatives
      join the proposals of a RoI head, and are looked for among the anchors
      of an RPN or one-stage detector. A sampler that takes hard negatives
      already stays as it is.

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
        ValueError: The pipeline does not load annotations or pack samples,
            moves boxes before or mixes pictures, the batch is resized, or a
            sampler is none of those above; says what to set.
    """
    if isinstance(cfg, (str, os.PathLike)):
        cfg = Config.fromfile(cfg)
    cfg = copy.deepcopy(cfg)
    for place, part, join in _sampled_parts(cfg.model, rpn):
        part.sampler = _hard_negative_sampler(part, place, join)
    if file is None:
        return cfg
    _check_batch_augments(cfg.model, 'model')
    for place, part, key in _pipelines(cfg):
        if not part.get(key):
            raise ValueError(f'{place} has no {key}, which could load hard '
                             'negatives; give it one')
        part[key] = _pipeline(part[key], f'{place}.{key}', os.fspath(file))
    return cfg


def _check_batch_augments(model: ConfigDict, place: str) -> None:
    """Raise for what moves the faces of a batch, but no hard negatives."""
    if 'detector' in model:
        _check_batch_augments(model.detector, f'{place}.detector')
    preprocessor = model.get('data_preprocessor') or {}
    for augment in preprocessor.get('batch_augments') or []:
        # It pads on the right and below.
        if class_name(augment) != 'BatchFixedSizePad':
            raise ValueError(
                f'{place}.data_preprocessor.batch_augments has '
                f'{class_name(augment)}, which would not move the hard '
                'negatives; take it out, and use a transform of the pipeline '
                'instead, such as RandomChoiceResize')


def _sampled_parts(model: ConfigDict,
                   rpn: bool) -> Iterator[tuple[str, ConfigDict, str]]:
    """Place, config and way to join of each part that has a sampler."""
    place = 'model'
    while 'detector' in model:
        model, place = model.detector, f'{place}.detector'
    place = f'{place}.train_cfg'
    train_cfg = model.get('train_cfg') or ConfigDict()
    # An RPN by itself is a detector of one stage.
    joins = dict(rpn='anchors', rcnn='proposals')
    found = [name for name in joins if train_cfg.get(name) is not None]
    if not found:
        yield place, train_cfg, 'anchors'
    for name in found:
        if name == 'rpn' and len(found) == 2 and not rpn:
            continue
        part = train_cfg[name]
        if isinstance(part, dict):
            yield f'{place}.{name}', part, joins[name]
            continue
        for number, stage in enumerate(part):
            yield f'{place}.{name}.{number}', stage, joins[name]


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
        (', or leave the RPN of a two-stage detector as it is (rpn=False, '
         '--no-rpn)' if '.rpn' in place else ''))


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
    before = transform_names(kept[:loads[-1]])
    moving = [n for n in before if any(word in n for word in _MOVES)]
    if moving:
        raise ValueError(
            f'{place} has {moving[0]} before LoadAnnotations, so that hard '
            'negatives would be loaded for another size; place it behind '
            'LoadAnnotations')
    mixing = [
        n for n in transform_names(kept) if any(word in n for word in _MIXES)
    ]
    if mixing:
        raise ValueError(
            f'{place} has {mixing[0]}, which hard negatives do not go with: '
            'they are of one picture; take it out')
    for key in ('with_mask', 'with_keypoints'):
        if any(kept[at].get(key) for at in loads):
            raise ValueError(
                f'{place}: LoadAnnotations has {key}=True, and hard '
                'negatives are boxes alone; leave it out')
    for at in packs:
        kept[at] = ConfigDict(kept[at], type='PackHardNegativeInputs')
    load = ConfigDict(type='LoadHardNegatives', ann_file=file)
    kept.insert(loads[-1] + 1, load)
    return kept
