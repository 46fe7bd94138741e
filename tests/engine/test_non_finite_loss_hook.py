"""Losses that are infinite or not a number: named, saved, stopped, skipped."""
import copy
import json
import logging
import os
import sys
from types import SimpleNamespace

import pytest
import torch
import torch.distributed as dist
from mmengine.hooks import Hook
from mmengine.optim import OptimWrapperDict
from mmengine.registry import MODELS
from rank_processes import process_group, spawn
from toy_training import ToyModel, train, weights

from tinyfaces.engine import NonFiniteLossHook
from tinyfaces.utils.checkpoint_files import read_checkpoint

# Pictures 2 and 3 are the second step of an epoch of four.
BAD = {'train_dataloader.dataset.bad': [3]}
ONCE = {'train_cfg.max_epochs': 1}


def hook_of(**arguments):
    return {
        'default_hooks.non_finite_loss':
        dict(type='mmdet.NonFiniteLossHook', **arguments)
    }


class Watch(Hook):
    """Weights and state of the optimizer after each batch."""

    priority = 'LOWEST'

    def __init__(self):
        self.states = []

    def after_train_iter(self, runner, batch_idx, **kwargs):
        momentum = [
            one['momentum_buffer'].clone()
            for one in runner.optim_wrapper.optimizer.state.values()
        ]
        self.states.append((weights(runner), momentum))

    @property
    def changed(self):
        """After which batches the weights were not those before."""
        return [
            index for index in range(1, len(self.states))
            if not torch.equal(self.states[index -
                                           1][0], self.states[index][0])
        ]


def read(folder, stem):
    report = json.loads((folder / f'non_finite/{stem}.json').read_text())
    batch = torch.load(folder / f'non_finite/{stem}.pth', weights_only=False)
    return report, batch


def test_stops_with_names_and_the_batch(tmp_path):
    watch = Watch()
    with pytest.raises(FloatingPointError) as caught:
        train(tmp_path, watch, **BAD, **hook_of())
    text = str(caught.value)
    assert 'not finite at iteration 2 (epoch 1)' in text
    assert 'event/2.jpg' in text and 'event/3.jpg' in text
    assert 'event/1.jpg' not in text
    assert "'loss_a': 'nan'" in text and 'loss_b' not in text
    assert 'iter_2_rank_0.pth' in text and "action='skip'" in text
    assert len(watch.states) == 1
    report, batch = read(tmp_path, 'iter_2_rank_0')
    assert report['losses']['loss'] == report['losses']['loss_a'] == 'nan'
    assert report['losses']['loss_b'] >= 0
    assert report['pictures'] == [
        dict(img_path=f'event/{n}.jpg', img_id=str(n), draw_seed=n)
        for n in (2, 3)
    ]
    assert (report['iteration'], report['epoch'], report['rank']) == (2, 1, 0)
    assert [x.isnan().item() for x in batch['inputs']] == [False, True]
    assert batch['data_samples'][1].img_id == '3'
    assert sorted(os.listdir(tmp_path / 'non_finite')) == [
        'iter_2_rank_0.json', 'iter_2_rank_0.pth'
    ]


@MODELS.register_module()
class Exploding(ToyModel):
    """Infinite from the third step on."""

    steps = 0

    def forward(self, inputs, data_samples=None, mode='tensor'):
        losses = super().forward(inputs, data_samples, mode)
        self.steps += 1
        if self.steps >= 3:
            losses['loss_b'] = losses['loss_b'] / torch.zeros(())
        return losses


def test_infinite_is_not_finite(tmp_path):
    with pytest.raises(FloatingPointError, match='iteration 3 .*(?s:.)*inf'):
        train(tmp_path, **hook_of(), **{'model.type': 'Exploding'})


def test_skips(tmp_path):
    watch = Watch()
    runner = train(tmp_path, watch, **BAD, **hook_of(action='skip'))
    assert watch.changed == [2, 3, 4, 6, 7]
    before, after = watch.states[0], watch.states[1]
    assert torch.equal(before[1][0], after[1][0])  # the momentum
    assert all(one.isfinite().all() for one, _ in watch.states)
    noted = runner.message_hub.get_info('non_finite_losses')
    assert noted == [2, 6]
    assert len(os.listdir(tmp_path / 'non_finite')) == 4
    checkpoint = read_checkpoint(tmp_path / 'epoch_1.pth')
    assert checkpoint['message_hub']['runtime_info']['non_finite_losses'] == [
        2
    ]


def test_the_end_lists_those_before_a_resume(tmp_path):
    changes = {**BAD, **hook_of(action='skip')}
    train(tmp_path, **changes, **ONCE)
    messages = []
    handler = logging.Handler()
    handler.emit = lambda record: messages.append(record.getMessage())

    class Listen(Hook):
        priority = 'HIGHEST'

        def before_train(self, runner):
            runner.logger.addHandler(handler)

    train(tmp_path, Listen(), resume=True, **changes)
    assert messages[-1].startswith('2 steps were skipped')
    assert 'iterations 2, 6;' in messages[-1]
    assert sum('The step is skipped' in text for text in messages) == 1


def test_too_many_in_a_row(tmp_path):
    with pytest.raises(
            FloatingPointError, match='(?s)iteration 5 .*3 steps in a row'):
        train(tmp_path, **hook_of(action='skip', max_skips=2, max_saved=1),
              **{'model.type': 'Exploding'})
    assert sorted(os.listdir(tmp_path / 'non_finite')) == [
        'iter_3_rank_0.json', 'iter_3_rank_0.pth'
    ]


def test_skips_that_are_not_in_a_row(tmp_path):
    train(tmp_path, **BAD, **hook_of(action='skip', max_skips=1),
          **{'train_cfg.max_epochs': 4})


@pytest.mark.parametrize(
    'loop', ['EpochBasedTrainLoop', 'mmdet.AccumulatingEpochBasedTrainLoop'])
@pytest.mark.parametrize('bad, kept', [([3], [3]), ([0], [3]), ([7], [1]),
                                       ([0, 2], [3]), ([1, 6], [])])
def test_accumulated_steps_are_skipped_as_a_whole(tmp_path, loop, bad, kept):
    """Two steps of two batches; ``kept``: after which weights change."""
    watch = Watch()
    runner = train(
        tmp_path, watch, **ONCE, **hook_of(action='skip'), **{
            'train_dataloader.dataset.bad': bad,
            'train_cfg.type': loop,
            'optim_wrapper.accumulative_counts': 2
        })
    assert watch.changed == kept
    assert weights(runner).isfinite().all()
    assert len(
        runner.message_hub.get_info('non_finite_losses')) == 2 - len(kept)


def test_skipping_equals_a_training_without_these_pictures(tmp_path):
    """Weights and momentum go on as if the second step had not been."""
    ours = train(tmp_path / 'a', **BAD, **ONCE, **hook_of(action='skip'))

    class LeaveOut(Hook):
        """Keeps the second step from the optimizer."""

        def before_train_iter(self, runner, batch_idx, data_batch=None):
            if batch_idx == 1:
                self.kept = [
                    copy.deepcopy(one)
                    for one in (runner.model.state_dict(),
                                runner.optim_wrapper.state_dict())
                ]

        def after_train_iter(self, runner, batch_idx, **kwargs):
            if batch_idx == 1:
                runner.model.load_state_dict(self.kept[0])
                runner.optim_wrapper.load_state_dict(self.kept[1])

    theirs = train(tmp_path / 'b', LeaveOut(), **ONCE)
    assert torch.equal(weights(ours), weights(theirs))


@pytest.mark.parametrize('error', [
    OSError(28, 'No space left on device'),
    MemoryError(),
    AttributeError("Can't pickle local object")
])
def test_a_batch_that_cannot_be_written_hides_nothing(tmp_path, monkeypatch,
                                                      error):
    """Nor does it leave the other processes waiting for the report."""

    def fail(*args):
        raise error

    module = sys.modules[NonFiniteLossHook.__module__]
    monkeypatch.setattr(module, 'write_checkpoint', fail)
    with pytest.raises(
            FloatingPointError,
            match=f'(?s)not written: {type(error).__name__}.*3.jpg'):
        train(tmp_path, **BAD, **hook_of())


def test_pictures_that_are_described_oddly(tmp_path):
    """Of other data sets, whose batches may hold anything."""
    hook = NonFiniteLossHook()
    hook._folder, hook._batch = tmp_path, dict(data_samples=[
        object(),
        dict(img_path='a.jpg', img_id=lambda: 1, gt_instances=[])
    ])
    hub = SimpleNamespace(runtime_info={})
    runner = SimpleNamespace(iter=0, epoch=0, message_hub=hub)
    with pytest.raises(FloatingPointError, match='(?s)not written: .*a.jpg'):
        hook._report(runner, torch.tensor(float('nan')))


def test_arguments_and_what_is_put_back(tmp_path):
    for wrong in (dict(action='ignore'), dict(max_skips=0), dict(max_saved=0)):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            NonFiniteLossHook(**wrong)
    runner = train(tmp_path, **BAD, **ONCE, **hook_of(action='off'))
    assert weights(runner).isnan().all()
    runner = train(tmp_path, **ONCE, **hook_of())
    assert 'update_params' not in vars(runner.optim_wrapper)
    assert 'parse_losses' not in vars(runner.model)
    assert not (tmp_path / 'non_finite').exists()
    hook, = (one for one in runner.hooks if isinstance(one, NonFiniteLossHook))
    runner.optim_wrapper = OptimWrapperDict(only=runner.optim_wrapper)
    with pytest.raises(TypeError, match="non_finite_loss.action='off'"):
        hook.before_train(runner)


def _work(rank, file, folder):
    with process_group(rank, file):
        _work_of(rank, folder)


def _work_of(rank, folder):
    """A rank of a training in which rank 1 has the bad pictures.

    Stops, then skips, then skips with accumulated gradients.
    """
    os.environ['LOCAL_RANK'] = str(rank)
    parallel = dict(
        type='MMDistributedDataParallel',
        device_ids=None,
        broadcast_buffers=False)
    # Of each rank: 0 2 4 6 and 1 3 5 7, one at a time.
    changes = {
        'train_dataloader.batch_size': 1,
        'launcher': 'pytorch',
        'model_wrapper_cfg': parallel,
        **ONCE,
        **BAD
    }
    with pytest.raises(FloatingPointError) as caught:
        train(folder / 'stop', **changes, **hook_of())
    text = str(caught.value)
    assert 'rank 0: all losses finite' in text
    assert "rank 1: {'loss" in text
    assert 'event/2.jpg' in text and 'event/3.jpg' in text
    report, batch = read(folder / 'stop', f'iter_2_rank_{rank}')
    assert len(batch['inputs']) == 1
    assert report['pictures'][0]['img_id'] == str(2 + rank)
    for name, more, changed in (('skip', {}, [2, 3]), ('accumulated', {
            'optim_wrapper.accumulative_counts':
            2
    }, [3])):
        watch = Watch()
        runner = train(folder / name, watch, **changes, **more,
                       **hook_of(action='skip'))
        assert watch.changed == changed, (rank, name, watch.changed)
        ours = weights(runner)
        assert ours.isfinite().all()
        both = [torch.empty_like(ours) for _ in range(2)]
        dist.all_gather(both, ours)
        assert torch.equal(*both)


def test_two_ranks_agree(tmp_path):
    spawn(_work, tmp_path, tmp_path)
