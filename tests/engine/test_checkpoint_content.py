"""A run does not write for days what ``--resume`` would refuse."""
import os
from collections import OrderedDict, defaultdict
from datetime import datetime
from pathlib import Path

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.hooks import Hook
from toy_training import ToyPictures, train, weights

from tinyfaces.engine.checkpoint_content import (check_readable,
                                                 plain_containers)
from tinyfaces.utils.checkpoint_files import TRUST, CheckpointError


class Note(Hook):
    """Puts something into what checkpoints keep of a run."""

    def __init__(self, value):
        self.value = value

    def before_train(self, runner):
        runner.message_hub.update_info('noted', dict(of=[self.value]))


def test_the_first_checkpoint_names_the_key(tmp_path):
    with pytest.raises(
            CheckpointError,
            match=r"checkpoint\['message_hub'\]\['runtime_info'\]"
            r"\['noted'\]\['of'\]\[0\] is a pathlib.*PosixPath"):
        train(tmp_path, Note(Path('/a')))
    assert not [one for one in os.listdir(tmp_path) if '.pth' in one]


@pytest.mark.parametrize(
    'value',
    [datetime(2000, 1, 1), defaultdict(list, a=[1])])
def test_what_else_is_refused(value):
    with pytest.raises(CheckpointError, match=r"checkpoint\['a'\] is a "):
        check_readable(dict(a=value, b=1))


def test_what_cannot_be_pickled_is_named():
    with pytest.raises(CheckpointError, match=r"\['b'\]\[1\] is a .*function"):
        check_readable(dict(a=1, b=[2, lambda: 1]))


def test_trusted_files_may_hold_anything(tmp_path, monkeypatch):
    monkeypatch.setenv(TRUST, '1')
    train(tmp_path, Note(Path('/a')))
    assert (tmp_path / 'epoch_2.pth').is_file()


def test_a_run_with_nested_metainfo_is_resumed(tmp_path, monkeypatch):
    """Which configs hand to a data set as they hold it."""
    real = ToyPictures.__init__

    def with_source(self, *args):
        real(self, *args)
        self.metainfo['source'] = ConfigDict(name='x', of=[ConfigDict(y=1)])

    monkeypatch.setattr(ToyPictures, '__init__', with_source)
    first = train(tmp_path, **{'train_cfg.max_epochs': 1})
    checkpoint = torch.load(tmp_path / 'epoch_1.pth', weights_only=False)
    meta = checkpoint['meta']['dataset_meta']
    assert meta['source'] == dict(name='x', of=[dict(y=1)])
    assert type(meta['source']['of'][0]) is dict
    # The run itself keeps what it had.
    source = first.train_dataloader.dataset.metainfo['source']
    assert isinstance(source, ConfigDict)
    assert train(tmp_path, resume=True).iter == 8


def test_nothing_else_is_changed():
    state = OrderedDict(weight=torch.ones(1))
    state._metadata = dict(version=1)
    value = dict(state=state, rest=(1, [state, None]))
    assert plain_containers(value) is value
    plain = plain_containers(dict(value, cfg=(ConfigDict(a=1), state)))
    assert type(plain['cfg']) is tuple and type(plain['cfg'][0]) is dict
    assert plain['state'] is plain['cfg'][1] is state
    check_readable(plain)


def test_tensors_are_not_written_twice(tmp_path, monkeypatch):
    """Checking takes no time that grows with the weights."""
    whole = weights(train(tmp_path / 'a'))
    sizes = []
    real = torch.save

    def watched(content, buffer):
        real(content, buffer)
        sizes.append(buffer.tell())

    monkeypatch.setattr(torch, 'save', watched)
    check_readable(dict(state_dict=dict(big=torch.ones(1_000_000))))
    assert sizes and max(sizes) < 10_000
    assert torch.equal(weights(train(tmp_path / 'b')), whole)
