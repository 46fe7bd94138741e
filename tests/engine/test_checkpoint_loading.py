"""Checkpoints from outside are data: nothing that they say is run."""
import io
import os
import pickle
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from mmengine.model import BaseModule
from mmengine.runner import load_checkpoint
from mmengine.runner.checkpoint import CheckpointLoader
from toy_training import ToyModel, train

from tinyfaces.engine import checkpoint_loading
from tinyfaces.utils.checkpoint_files import (CheckpointError, read_checkpoint,
                                              write_checkpoint)


class Payload:
    """Writes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path), )


@pytest.fixture(params=[True, False], ids=['zip', 'legacy'])
def save(request):
    """Both formats of torch.save."""

    def write(content, path):
        torch.save(content, path, _use_new_zipfile_serialization=request.param)
        return path

    return write


@pytest.fixture
def evil(tmp_path, save):
    """A checkpoint with a payload, and what shows that it has run."""
    done = tmp_path / 'done'
    state = dict(ToyModel().state_dict())
    return save(
        dict(state_dict=state, meta=Payload(done)), tmp_path / 'e.pth'), done


def test_code_is_refused_with_what_to_do(way, evil):
    path, done = evil
    with pytest.raises(CheckpointError) as caught:
        read_checkpoint(path)
    text = str(caught.value)
    assert str(path) in text and 'posix.mkdir' in text
    assert 'TINYFACES_TRUST_CHECKPOINTS=1' in text
    assert not done.exists()


def test_everything_that_loads_refuses(evil, tmp_path):
    """The model's weights, those of a part, load_from and resume."""
    path, done = map(str, evil)
    loads = [
        lambda: load_checkpoint(ToyModel(), path),
        lambda: CheckpointLoader.load_checkpoint(path, 'cpu'),
        lambda: BaseModule(dict(type='Pretrained', checkpoint=path)).
        init_weights(),
        lambda: train(tmp_path / 'work', load_from=path),
        lambda: train(tmp_path / 'work', load_from=path, resume=True),
    ]
    for load in loads:
        with pytest.raises(CheckpointError, match='is refused'):
            load()
    assert not os.path.exists(done)


def test_trusted_files_are_loaded(evil, monkeypatch):
    path, done = evil
    monkeypatch.setenv('TINYFACES_TRUST_CHECKPOINTS', 'yes')
    with pytest.raises(CheckpointError, match='is refused'):
        read_checkpoint(path)
    monkeypatch.setenv('TINYFACES_TRUST_CHECKPOINTS', '1')
    assert 'layer.weight' in read_checkpoint(path)['state_dict']
    assert done.is_dir()


@pytest.mark.parametrize('pair', [(HistoryBuffer, '__init__'),
                                  (np.ndarray, 'tofile'),
                                  (ToyModel, 'forward')])
def test_getattr_reaches_nothing_but_known_methods(way, tmp_path, pair):
    """With all of it one could put code together."""

    class Reach:

        def __reduce__(self):
            return getattr, pair

    torch.save(dict(a=Reach()), tmp_path / 'a.pth')
    with pytest.raises(CheckpointError, match='refused.*(getattr|ToyModel)'):
        read_checkpoint(tmp_path / 'a.pth')


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """A training with what checkpoints of ours may hold."""
    folder = tmp_path_factory.mktemp('trained')
    return train(folder, param_scheduler=SCHEDULERS)


SCHEDULERS = [
    dict(type='MultiStepLR', milestones=[1], gamma=.1),
    dict(type='LinearLR', start_factor=.1, by_epoch=False, begin=0, end=3),
    dict(type='OneCycleLR', eta_max=.1, total_steps=20, by_epoch=False),
    dict(type='CosineAnnealingLR', T_max=8, by_epoch=False),
]


def test_our_own_training_is_loaded_and_resumed(way, trained, tmp_path):
    path = Path(trained.work_dir, 'epoch_1.pth')
    checkpoint = read_checkpoint(path)
    plain = torch.load(path, weights_only=False)
    assert checkpoint.keys() == plain.keys() >= {
        'meta', 'state_dict', 'message_hub', 'optimizer', 'param_schedulers'
    }
    assert pickle.dumps(checkpoint['meta']) == pickle.dumps(plain['meta'])
    losses = checkpoint['message_hub']['log_scalars']['train/loss']
    assert isinstance(losses, HistoryBuffer)
    assert losses.data[0].tolist(
    ) == plain['message_hub']['log_scalars']['train/loss'].data[0].tolist()
    assert losses.statistics('mean') == losses.data[0].mean()
    resumed = train(
        tmp_path, param_scheduler=SCHEDULERS, load_from=str(path), resume=True)
    assert resumed.iter == 8
    for ours, theirs in zip(resumed.model.parameters(),
                            trained.model.parameters()):
        assert torch.equal(ours, theirs)


def test_numpy_of_both_generations(way, save, tmp_path):
    content = dict(
        values=[np.float64(1.5),
                np.float32(.5),
                np.int64(3),
                np.bool_(True)],
        arrays=[np.arange(3.),
                np.array(['a', 'bc']),
                np.array([[True]])],
        dtype=np.dtype('uint8'),
        bytes=b'\0\1',
        text='\u00e9')
    path = save(content, tmp_path / 'a.pth')
    raw = path.read_bytes()
    assert b'numpy.core' in raw or b'numpy._core' in raw
    for file in (raw, _renamed(content)):
        found = read_checkpoint(io.BytesIO(file))
        assert pickle.dumps(found['values']) == pickle.dumps(content['values'])
        for ours, theirs in zip(found['arrays'], content['arrays']):
            np.testing.assert_array_equal(ours, theirs)
            assert ours.dtype == theirs.dtype
        assert found['dtype'] == np.uint8 and found['text'] == '\u00e9'


def _renamed(content):
    """The file that the other generation of NumPy would write."""
    buffer = io.BytesIO()
    torch.save(content, buffer, _use_new_zipfile_serialization=False)
    raw = buffer.getvalue()
    if b'numpy._core' in raw:
        return raw.replace(b'numpy._core', b'numpy.core')
    return raw.replace(b'numpy.core', b'numpy._core')


def test_the_content_of_old_releases(way, save, tmp_path):
    """What MMDetection 2 wrote, by its keys."""
    path = save(
        dict(
            meta=dict(
                mmdet_version='2.3.0',
                config='model = dict()',
                CLASSES=('face', ),
                hook_msgs=dict(best_score=.5),
                seed=None),
            state_dict=ToyModel().state_dict(),
            optimizer=dict(state={}, param_groups=[dict(lr=.1, params=[0])])),
        tmp_path / 'old.pth')
    model = ToyModel()
    load_checkpoint(model, str(path), strict=True)
    assert read_checkpoint(path)['meta']['CLASSES'] == ('face', )


def test_files_that_are_no_checkpoints(way, tmp_path):
    good = tmp_path / 'good.pth'
    write_checkpoint(dict(state_dict=dict(a=torch.arange(1000))), good)
    whole = good.read_bytes()
    path = tmp_path / 'a.pth'
    noise = random.Random(0).randbytes(3000)
    array = io.BytesIO()
    np.save(array, np.arange(3))
    for content, message in (
        (b'', r'is empty \(0 bytes\)'),
        (whole[:2000], 'its end is missing'),
        (whole[:100], 'its end is missing'),
        (noise, 'cannot be read as a checkpoint'),
        (b'<!DOCTYPE html><html>', 'cannot be read as a checkpoint'),
        (array.getvalue(), 'cannot be read as a checkpoint'),
    ):
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match=message) as caught:
            load_checkpoint(ToyModel(), str(path))
        assert str(path) in str(caught.value)
    torch.save([1, 2], path)
    with pytest.raises(CheckpointError, match='holds a list, not a dict'):
        read_checkpoint(path)
    with pytest.raises(FileNotFoundError, match='none.pth'):
        read_checkpoint(tmp_path / 'none.pth')


@pytest.mark.parametrize('number', [10, 3000])
def test_every_cut_of_a_file_is_an_error(way, tmp_path, number):
    path = tmp_path / 'a.pth'
    write_checkpoint(dict(state_dict=dict(a=torch.arange(number))), path)
    whole = path.read_bytes()
    for end in range(0, len(whole), len(whole) // 20):
        path.write_bytes(whole[:end])
        with pytest.raises(CheckpointError, match='a.pth (is empty|cannot)'):
            read_checkpoint(path)
        with pytest.raises(CheckpointError, match='^mine (is empty|cannot)'):
            read_checkpoint(io.BytesIO(whole[:end]), name='mine')


def test_names_and_addresses_are_downloaded_and_loaded_so(
        evil, tmp_path, monkeypatch):
    """By a download that takes the file from the disk."""
    path, done = evil
    asked = []

    def download(url, target, **kwargs):
        asked.append(url)
        Path(target).write_bytes(path.read_bytes())

    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path / 'hub'))
    monkeypatch.setattr(torch.hub, 'download_url_to_file', download)
    # Without torchvision, which is only asked for names.
    monkeypatch.setattr(checkpoint_loading.mmengine_checkpoint,
                        'get_torchvision_models',
                        lambda: dict(resnet18='https://example.org/r18.pth'))
    names = ('https://example.org/w/a.pth', 'torchvision://resnet18',
             'open-mmlab://detectron2/resnet50_caffe', 'mmcls://mobilenet_v2')
    for name in names:
        with pytest.raises(CheckpointError, match='is refused') as caught:
            CheckpointLoader.load_checkpoint(name)
        assert 'https://' in str(caught.value)
    assert len(asked) == len(names) and asked[0] == names[0]
    with pytest.raises(CheckpointError, match='knows no "resnot18"'):
        CheckpointLoader.load_checkpoint('torchvision://resnot18')
    with pytest.raises(CheckpointError, match='download the file'):
        CheckpointLoader.load_checkpoint('pavi://a/b.pth')
    # Once downloaded, it is not again.
    torch.save(
        dict(state_dict={
            'backbone.a': torch.ones(2),
            'head.b': torch.ones(1)
        }), path)
    asked.clear()
    for old in (tmp_path / 'hub').rglob('*.pth'):
        old.unlink()
    for _ in range(2):
        found = CheckpointLoader.load_checkpoint('mmcls://mobilenet_v2')
        assert list(found['state_dict']) == ['a']
    assert len(asked) == 1 and not done.exists()


def test_all_of_mmengine_goes_this_way():
    """No loader of its own is left."""
    for prefix, loader in CheckpointLoader._schemes.items():
        assert loader.__module__ == checkpoint_loading.__name__, prefix
