"""What names that are allowed, and plain text, could be used for."""
import io
import os
import pickle
import random
import tarfile
import zipfile
from collections import OrderedDict
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmdet.apis import DetInferencer
from mmengine.config import Config
from mmengine.logging import HistoryBuffer
from mmengine.optim.scheduler import OneCycleParamScheduler
from toy_training import ToyModel, train

from tinyfaces.utils.checkpoint_files import CheckpointError, read_checkpoint

TRUST = 'TINYFACES_TRUST_CHECKPOINTS'
_reconstruct = np.empty(0).__reduce__()[0]
_scalar = np.float64(0).__reduce__()[0]


class Raw:
    """Is pickled as a call, and a state if there is one."""

    def __init__(self, *parts) -> None:
        self.parts = parts

    def __reduce__(self) -> tuple:
        return self.parts


def dtype(code, order='|', flags=0, names=None, fields=None, size=-1):
    """A pickled dtype that says what one likes."""
    return Raw(np.dtype, (code, False, True),
               (3, order, None, names, fields, size, -1, flags))


def array(kind, raw, shape=(2, ), subtype=np.ndarray):
    """A pickled array that says what one likes."""
    return Raw(_reconstruct, (subtype, (0, ), b'b'),
               (1, shape, kind, False, raw))


def saved(content) -> io.BytesIO:
    buffer = io.BytesIO()
    torch.save(dict(a=content), buffer)
    return buffer


@pytest.mark.parametrize('evil', [
    dtype('O8', flags=63),
    dtype('O8'),
    dtype('M8'),
    dtype('V8', names=('f', ), fields=dict(f=(np.dtype('O'), 0)), size=8),
    dtype('f8', '<', flags=63),
    dtype('f8', '<', names=('f', ), fields=dict(f=(np.dtype('O'), 0))),
    Raw(_scalar, (dtype('O8'), b'A' * 8)),
    array(dtype('O8'), b'A' * 16),
    array(dtype('f8', '<', flags=63), [1, 2]),
    array(dtype('f8', '<'), b'A' * 16, subtype=np.matrix),
    array(Raw(torch.device, ('cpu', )), b'A' * 16),
])
def test_numpy_follows_no_pointer_of_a_file(way, evil):
    with pytest.raises(CheckpointError, match='is refused: .*(dtype|matrix)'):
        read_checkpoint(saved(evil))
    assert np.dtype('O').hasobject and np.dtype('f8').flags == 0


@pytest.mark.parametrize('broken', [
    array(dtype('f8', '<'), b'A' * 15),
    array(dtype('f8', '<'), b'A' * 8, shape=(-1, -1)),
    array(dtype('f8', '<'), b'', shape=(2**62, 4)),
    Raw(_scalar, (dtype('f8', '<'), b'A' * 7)),
    Raw(_scalar, (dtype('f8', '<'), b'A' * 16)),
    dtype('f8', 'x'),
    Raw(_reconstruct, (np.ndarray, (0, ), b'b')),
    np.ndarray,
    {
        np.dtype('f8'): 1
    },
])
def test_what_does_not_fit_is_an_error(way, broken):
    with pytest.raises(CheckpointError, match='cannot be read'):
        read_checkpoint(saved(broken))


def test_history_takes_numbers_only(way):
    """Its own __setstate__ changes the class for all the program."""
    buffer = HistoryBuffer([1., 3.], [1, 1], max_length=5)
    methods = dict(HistoryBuffer._statistics_methods)
    buffer._statistics_methods = dict(
        mean=OneCycleParamScheduler._annealing_cos, worst=torch.Tensor)
    buffer.mean = buffer.__class__ = HistoryBuffer
    found = read_checkpoint(saved([buffer]))['a'][0]
    assert HistoryBuffer._statistics_methods == methods
    assert type(found) is HistoryBuffer and found.mean() == 2
    assert found.statistics('mean') == 2 and 'mean' not in vars(found)
    found.update(5.)
    assert found.data[0].tolist() == [1, 3, 5] and found.max_length == 5
    buffer._count_history = np.array([1])
    with pytest.raises(CheckpointError, match='do not fit'):
        read_checkpoint(saved(buffer))


def pickled(instructions: bytes) -> io.BytesIO:
    """A checkpoint whose pickle is a given one."""
    target = io.BytesIO()
    with zipfile.ZipFile(saved(1)) as old, zipfile.ZipFile(target, 'w') as new:
        for name in old.namelist():
            new.writestr(
                name,
                instructions if name.endswith('data.pkl') else old.read(name))
    return target


_OWNER = b'cmmengine.optim.scheduler.param_scheduler\nOneCycleParamScheduler\n'
_KEY = b'\x80\x02}X\x01\x00\x00\x00a'


@pytest.mark.parametrize(
    'instructions', [
        _OWNER + b'(N}X\x04\x00\x00\x00stepctorch\nTensor\nstb',
        b'cnumpy\nndarray\n(N}X\x04\x00\x00\x00realK\x01stb',
        _OWNER + b')\x81}X\x04\x00\x00\x00realK\x01sb',
        b'ctorch\nTensor\n}X\x04\x00\x00\x00stepK\x01sb',
        b'cbuiltins\ngetattr\n' + _OWNER +
        b'X\x0e\x00\x00\x00_annealing_cos\x86RK\x00K\x01K\x01\x87R',
        b'cbuiltins\nset\n)RK\x01a',
        b'ccollections\nOrderedDict\n)R}X\x05\x00\x00\x00itemsK\x01sb',
        b'\x82\x01',
    ],
    ids=[
        'class', 'stand_in', 'object', 'tensor', 'method', 'set', 'dictionary',
        'code'
    ])
def test_no_attributes_are_set_and_no_others_called(way, instructions):
    step = OneCycleParamScheduler.step
    with pytest.raises(CheckpointError):
        read_checkpoint(pickled(_KEY + instructions + b's.'))
    assert OneCycleParamScheduler.step is step
    assert not hasattr(torch.Tensor, 'step')


def test_other_archives_are_not_opened(way, tmp_path, monkeypatch):
    """PyTorch would run a program, or unpack a tar archive."""
    path = tmp_path / 'a.pth'
    torch.jit.script(torch.nn.Linear(1, 1)).save(path)
    monkeypatch.setattr(torch.jit, 'load', lambda *args, **kwargs: 1 / 0)
    with pytest.raises(CheckpointError, match='TorchScript'):
        read_checkpoint(path)
    with tarfile.open(path, 'w') as archive:
        archive.addfile(tarfile.TarInfo('storages'))
    monkeypatch.setattr(tarfile.TarFile, 'extract', lambda *args: 1 / 0)
    with pytest.raises(CheckpointError, match=r'tar\b'):
        read_checkpoint(path)


@pytest.fixture(scope='module')
def trained(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp('trained')
    train(
        folder,
        param_scheduler=[
            dict(
                type='OneCycleLR', eta_max=.1, total_steps=20, by_epoch=False)
        ])
    return folder / 'epoch_1.pth'


def test_a_config_in_a_checkpoint_is_not_run(way, trained, tmp_path,
                                             monkeypatch):
    """MMEngine runs it on a resume."""
    done = tmp_path / 'done'
    content = torch.load(trained, weights_only=False)
    content['meta']['config'] = f'import os\nos.mkdir({str(done)!r})\n'
    path = tmp_path / 'evil.pth'
    torch.save(content, path)
    train(tmp_path / 'work', load_from=str(path), resume=True)
    assert not done.exists()
    said = []
    monkeypatch.setattr('tinyfaces.utils.checkpoint_files.print_log',
                        lambda text, **kwargs: said.append(text))
    assert 'config' not in read_checkpoint(path)['meta']
    assert str(path) in said[0] and 'meta["config"] is left out' in said[0]
    monkeypatch.setenv(TRUST, '1')
    assert 'mkdir' in read_checkpoint(path)['meta']['config']


def test_inferencers_want_a_config(tmp_path, monkeypatch):
    """Without one MMEngine runs that of the checkpoint."""
    done = tmp_path / 'done'
    path = str(tmp_path / 'evil.pth')
    text = f'import os\nos.mkdir({str(done)!r})\nmodel = dict(type="x")\n'
    torch.save(dict(state_dict={}, meta=dict(cfg=text)), path)
    with pytest.raises(CheckpointError, match='evil.pth.*Give it as model='):
        DetInferencer(weights=path, device='cpu')
    assert not done.exists()
    cfg = Config(dict(model=dict(type='mmengine.ToyModel')))
    inferencer = SimpleNamespace(_load_weights_to_model=lambda *args: None)
    model = DetInferencer._init_model(inferencer, cfg, None, 'cpu')
    assert isinstance(model, ToyModel)
    monkeypatch.setenv(TRUST, '1')
    with pytest.raises(KeyError, match='x is not in'):
        DetInferencer(weights=path, device='cpu')
    assert done.exists()


def test_faults_of_the_computer_are_not_the_files(way, trained, monkeypatch):
    """Memory, and devices that are not here."""
    with monkeypatch.context() as patch:
        patch.setattr(torch.serialization, 'location_tag',
                      lambda storage: 'cuda:99')
        file = saved(torch.ones(2))
    with pytest.raises(RuntimeError, match='CUDA device'):
        read_checkpoint(file)
    assert read_checkpoint(file, 'cpu')['a'].tolist() == [1, 1]
    with pytest.raises(RuntimeError, match='nowhere'):
        read_checkpoint(trained, 'nowhere')

    def full(*args, **kwargs):
        raise MemoryError('no room')

    monkeypatch.setattr(torch, 'load', full)
    with pytest.raises(MemoryError, match='^no room$'):
        read_checkpoint(trained)


def test_states_of_generators_and_odd_arrays(way):
    """All real objects, those of the same identity too."""
    shared = np.arange(6.).reshape(2, 3)
    content = dict(
        states=(random.getstate(), np.random.get_state(),
                torch.get_rng_state()),
        arrays=[
            shared, shared, shared.T,
            np.array(3),
            np.empty((0, 3), 'f4'),
            np.array([1, 2], '>i4'),
            np.array([1j], 'c8'),
            np.array([[b'a', b'bc']])
        ],
        numbers=(np.str_('\u00e9'), np.str_(''), np.bytes_(b'ab'),
                 np.float16(2), np.longdouble(1)),
        types={'a': [np.dtype('>i4'), np.dtype('U3')]},
        state=OrderedDict(a=torch.nn.Parameter(torch.ones(1))))
    content['state']._metadata = {'': dict(version=np.int64(1))}
    found = read_checkpoint(saved(content))['a']
    for ours, theirs in zip(found['arrays'], content['arrays']):
        np.testing.assert_array_equal(ours, theirs)
        assert type(ours) is np.ndarray and ours.flags.writeable
        assert ours.dtype == theirs.dtype and ours.strides == theirs.strides
    assert found['arrays'][0] is found['arrays'][1]
    for name in ('numbers', 'types'):
        assert pickle.dumps(found[name]) == pickle.dumps(content[name])
    assert found['state']._metadata == {'': dict(version=1)}
    random.setstate(found['states'][0])
    np.random.set_state(found['states'][1])
    assert torch.equal(torch.get_rng_state(), found['states'][2])
    assert pickle.dumps(random.getstate()) == pickle.dumps(
        content['states'][0])


def test_our_own_states_are_real_objects(way, trained):
    found = read_checkpoint(trained)
    scheduler = found['param_schedulers'][0]
    assert scheduler['anneal_func'] is OneCycleParamScheduler._annealing_cos
    for buffer in found['message_hub']['log_scalars'].values():
        assert type(buffer) is HistoryBuffer
        assert all(type(one) is np.ndarray for one in buffer.data)


@pytest.mark.skipif(
    not hasattr(torch.serialization, 'get_safe_globals'),
    reason='PyTorch before 2.5 has none')
def test_what_a_program_allows_stays_and_changes_nothing(trained):
    before = torch.serialization.get_safe_globals()
    allowed = [np.dtype, np.ndarray, HistoryBuffer, os.mkdir]
    try:
        torch.serialization.add_safe_globals(allowed)
        with pytest.raises(CheckpointError, match='numpy.dtype of'):
            read_checkpoint(saved(dtype('O8')))
        assert read_checkpoint(trained)['message_hub']
        assert set(allowed) <= set(torch.serialization.get_safe_globals())
    finally:
        torch.serialization.clear_safe_globals()
        torch.serialization.add_safe_globals(before)
