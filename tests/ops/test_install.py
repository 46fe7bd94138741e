"""When the stand-in is put in place, and when it is not."""
import importlib
import subprocess
import sys
from types import ModuleType

import mmcv
import pytest

from tinyfaces import ops

NAME = 'mmcv._ext'
# Makes mmcv._ext missing (or broken) even where it is installed.
BLOCK = """
import sys
def say(*values):
    print('>', *values)
class Block:
    def find_spec(self, name, path=None, target=None):
        if name == 'mmcv._ext':
            raise {error}
sys.meta_path.insert(0, Block())
"""
MISSING = BLOCK.format(
    error='ModuleNotFoundError("No module named mmcv._ext", name=name)')
BROKEN = BLOCK.format(
    error='ImportError("_ext.so: undefined symbol: _ZN2at", name=name)')


def run_python(code):
    """Runs code in a new interpreter; returns what it says."""
    result = subprocess.run([sys.executable, '-W', 'ignore', '-c', code],
                            capture_output=True,
                            text=True,
                            timeout=300)
    assert result.returncode == 0, result.stderr
    return [
        line[2:] for line in result.stdout.splitlines()
        if line.startswith('> ')
    ]


@pytest.fixture
def no_ext(monkeypatch):
    """mmcv as it is before anybody asked for its compiled ops."""
    monkeypatch.setattr(mmcv, '_ext', None, raising=False)
    monkeypatch.delattr(mmcv, '_ext')
    # Set first: the deletion is then undone, too, where nothing was there.
    monkeypatch.setitem(sys.modules, NAME, ModuleType(NAME))
    monkeypatch.delitem(sys.modules, NAME)


class Finder:
    """Raises an error when mmcv._ext is looked for."""

    def __init__(self, error):
        self.error = error

    def find_spec(self, name, path=None, target=None):
        if name == NAME:
            raise self.error


def test_compiled_ops_are_preferred(monkeypatch, no_ext):
    compiled = ModuleType(NAME)
    monkeypatch.setitem(sys.modules, NAME, compiled)
    assert ops.install() is False
    assert ops.backend() == 'compiled'
    assert sys.modules[NAME] is compiled


@pytest.mark.parametrize('error, level', [
    (ModuleNotFoundError('missing', name=NAME), 'INFO'),
    (ImportError('_ext.so: undefined symbol: _ZN2at'), 'WARNING'),
])
def test_stand_in_for_missing_or_broken_ops(monkeypatch, caplog, no_ext, error,
                                            level):
    monkeypatch.setattr(sys, 'meta_path', [Finder(error)] + sys.meta_path)
    with caplog.at_level('INFO', 'tinyfaces.ops'):
        assert ops.install() is True
    assert [record.levelname for record in caplog.records] == [level]
    stand_in = sys.modules[NAME]
    assert stand_in is mmcv._ext is importlib.import_module(NAME)
    assert ops.backend() in ('torch', 'torchvision')
    assert ops.install() is True and sys.modules[NAME] is stand_in


def test_other_import_errors_are_not_hidden(monkeypatch, no_ext):
    error = ModuleNotFoundError('No module named libcuda', name='libcuda')
    monkeypatch.setattr(sys, 'meta_path', [Finder(error)] + sys.meta_path)
    with pytest.raises(ModuleNotFoundError, match='libcuda'):
        ops.install()


@pytest.mark.parametrize('works', [True, False])
def test_backend_says_whether_torchvision_runs(monkeypatch, no_ext, works):
    monkeypatch.setitem(sys.modules, NAME, ops.StandIn())
    monkeypatch.setattr(ops, 'torchvision_nms', lambda device: ops.nms
                        if works else None)
    assert ops.backend() == ('torchvision' if works else 'torch')


def test_ops_that_are_missing_raise_when_called():
    stand_in = ops.StandIn()
    op = stand_in.deform_conv_forward
    assert op.__name__ == 'deform_conv_forward'
    with pytest.raises(
            ops.MissingOpError,
            match='(?s)deform_conv_forward.*pip install') as info:
        op(1, 2, three=3)
    assert isinstance(info.value, RuntimeError)


def test_private_names_are_not_answered():
    stand_in = ops.StandIn()
    for name in ('__path__', '__file__', '__wrapped__', '_private'):
        assert not hasattr(stand_in, name)


def test_mmcv_is_told_that_there_are_no_compiled_ops(monkeypatch, no_ext):
    monkeypatch.setitem(sys.modules, NAME, ops.StandIn())
    from mmcv.utils.ext_loader import check_ops_exist
    assert not check_ops_exist()


def test_a_new_interpreter_builds_and_runs_mmdet():
    lines = run_python(MISSING + """
import tinyfaces
import mmdet.models, mmcv.ops, torch
from mmcv.utils import collect_env
from tinyfaces import ops
assert ops.backend() != 'compiled'
boxes = torch.tensor([[0., 0, 2, 2], [0., 0, 2, 2], [1., 0, 3, 2]])
scores = torch.tensor([.5, .9, .7])
say(mmcv.ops.nms(boxes, scores, .5)[1].tolist())
say(mmcv.ops.nms(boxes.numpy(), scores.numpy(), .4, offset=1)[1].tolist())
say(mmcv.ops.soft_nms(boxes, scores, .3, method='naive')[1].tolist())
say(mmcv.ops.batched_nms(boxes, scores, torch.tensor([0, 1, 1]),
                           dict(type='nms', iou_threshold=.3))[1].tolist())
features = torch.arange(16.).view(1, 1, 4, 4).requires_grad_()
rois = torch.tensor([[0., 0, 0, 4, 4]])
for mode in ('avg', 'max'):
    pooled = mmcv.ops.RoIAlign(2, 1., 0, mode)(features, rois)
    features.grad = None
    pooled.sum().backward()
    say(pooled.flatten().tolist(), features.grad.sum().item())
say(collect_env()['MMCV Compiler'])
try:
    mmcv.ops.DeformConv2d(1, 1, 3)(features, torch.zeros(1, 18, 2, 2))
except ops.MissingOpError as error:
    say(error)
""")
    assert lines[:4] == ['[1, 2]', '[1]', '[1]', '[1, 0]']
    assert lines[4] == '[2.5, 4.5, 10.5, 12.5] 4.0'
    assert lines[5] == '[5.0, 7.0, 13.0, 15.0] 4.0'
    assert lines[6].startswith('none')
    assert 'deform_conv_forward' in lines[7]


def test_after_an_import_of_the_ops_that_failed():
    assert run_python(BROKEN + """
for name in ('mmcv.ops', 'mmdet.models'):
    try:
        __import__(name)
    except ImportError:
        say('failed')
import tinyfaces, mmdet.models, mmcv.ops, torch
say(mmcv.ops.nms(torch.zeros(0, 4), torch.zeros(0), .5)[1].tolist())
""") == ['failed', 'failed', '[]']
