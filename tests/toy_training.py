"""A training of one weight, which takes no time, with MMEngine's runner."""
import copy
import itertools
from pathlib import Path
from types import SimpleNamespace

import torch
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel
from mmengine.registry import DATASETS, METRICS, MODELS
from mmengine.runner import Runner
from mmengine.structures import InstanceData
from torch.utils.data import Dataset

_names = map('toy {}'.format, itertools.count())
LENGTH = 8


@DATASETS.register_module(force=True)
class ToyPictures(Dataset):
    """Numbers 0 to 7; picture ``bad`` is not a number."""

    METAINFO = dict(classes=('face', ))

    def __init__(self, bad: tuple[int, ...] = ()) -> None:
        self.bad = bad
        self.metainfo = dict(self.METAINFO)

    def __len__(self) -> int:
        return LENGTH

    def __getitem__(self, index: int) -> dict:
        sample = DetDataSample(
            metainfo=dict(img_path=f'event/{index}.jpg', img_id=str(index)))
        sample.gt_instances = InstanceData(metainfo=dict(draw_seed=index))
        value = float('nan') if index in self.bad else index / LENGTH
        return dict(inputs=torch.tensor([value]), data_samples=sample)


@MODELS.register_module(force=True)
class ToyModel(BaseModel):
    """Two losses, of which one shows what the pictures hold."""

    def __init__(self, **kwargs) -> None:
        super().__init__(**kwargs)
        self.layer = torch.nn.Linear(1, 1)

    def forward(self, inputs, data_samples=None, mode='tensor'):
        output = self.layer(torch.stack(inputs))
        if mode == 'loss':
            return dict(
                loss_a=(output - 3).square().mean(),
                loss_b=(self.layer.weight**2).sum())
        return [SimpleNamespace(value=one) for one in output]


@METRICS.register_module(force=True)
class ToyScores(BaseMetric):
    """A score for each validation in turn, and how many there were."""

    scores: list[float] = []

    def process(self, data_batch, data_samples):
        self.results.append(len(data_samples))

    def compute_metrics(self, results):
        return dict(score=self.scores.pop(0))


def toy_config(folder: Path, **changes) -> Config:
    """Two epochs of four steps in a work folder; no validation."""
    loader = dict(
        batch_size=2,
        num_workers=0,
        dataset=dict(type='ToyPictures'),
        sampler=dict(type='DefaultSampler', shuffle=False))
    cfg = Config(
        dict(
            model=dict(type='ToyModel'),
            train_dataloader=loader,
            train_cfg=dict(type='EpochBasedTrainLoop', max_epochs=2),
            optim_wrapper=dict(
                type='OptimWrapper',
                optimizer=dict(type='SGD', lr=.01, momentum=.9)),
            param_scheduler=[
                dict(type='MultiStepLR', milestones=[1], gamma=.1)
            ],
            default_hooks=dict(
                logger=dict(type='LoggerHook', interval=1),
                checkpoint=dict(type='mmdet.AtomicCheckpointHook',
                                interval=1)),
            randomness=dict(seed=0),
            default_scope='mmengine',
            log_level='WARNING'))
    if changes.pop('validate', False):
        cfg.merge_from_dict(
            dict(
                val_dataloader=loader,
                val_cfg=dict(type='ValLoop'),
                val_evaluator=dict(type='ToyScores')))
    cfg.merge_from_dict(copy.deepcopy(changes))
    cfg.work_dir = str(folder)
    cfg.experiment_name = next(_names)
    return cfg


def train(folder: Path, hook=None, kind: type = Runner, **changes) -> Runner:
    """Train in a folder, and give the runner."""
    runner = kind.from_cfg(toy_config(folder, **changes))
    if hook is not None:
        runner.register_hook(hook)
    runner.train()
    return runner


def weights(runner: Runner) -> torch.Tensor:
    """All of them as one vector."""
    return torch.cat([p.detach().flatten() for p in runner.model.parameters()])
