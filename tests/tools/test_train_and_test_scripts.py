"""tools/train.py and tools/test.py: arguments, errors, one toy run."""
import os
import sys
from functools import partial
from pathlib import Path

import pytest
from command_line import parse
from mmengine.config import Config

from tinyfaces.engine import ResumableTestLoop

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / 'tools'
CONFIG = ROOT / 'configs/refineface/retinanet_mbv2_8xb4-130e_wider-face.py'

# A model with one weight, on eight numbers: an epoch takes no time.
TOY_MODULE = """
import torch
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel
from mmengine.registry import DATASETS, METRICS, MODELS
from torch.utils.data import Dataset


@DATASETS.register_module()
class ToyNumbers(Dataset):
    def __len__(self):
        return 8

    def __getitem__(self, index):
        return dict(inputs=torch.tensor([float(index)]))


@MODELS.register_module()
class ToyModel(BaseModel):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.layer = torch.nn.Linear(1, 1)

    def forward(self, inputs, mode):
        output = self.layer(inputs)
        if mode == 'loss':
            return dict(loss=(output - 3).square().mean())
        return list(output)


@METRICS.register_module()
class ToyMetric(BaseMetric):
    def process(self, data_batch, data_samples):
        self.results += [float(x) for x in data_samples]

    def compute_metrics(self, results):
        return dict(count=len(results))
"""

TOY_CONFIG = """
custom_imports = dict(imports=['toy_parts'], allow_failed_imports=False)
model = dict(type='ToyModel')
loader = dict(
    batch_size=4, num_workers=0, collate_fn=dict(type='default_collate'),
    dataset=dict(type='ToyNumbers'),
    sampler=dict(type='DefaultSampler', shuffle=False))
train_dataloader = loader
test_dataloader = loader
test_evaluator = dict(type='ToyMetric')
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=1)
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.001))
auto_scale_lr = dict(enable=False, base_batch_size=8)
default_scope = 'mmengine'
"""


@pytest.fixture
def toy(tmp_path, call):
    """Folder with the toy config; returns a function that runs a command."""
    (tmp_path / 'toy_parts.py').write_text(TOY_MODULE)
    (tmp_path / 'toy.py').write_text(TOY_CONFIG)
    return call


def test_work_dir_comes_from_argument_config_or_name(scripts, monkeypatch,
                                                     tmp_path):
    train, _, runner = scripts
    monkeypatch.setenv('LOCAL_RANK', '0')
    config = tmp_path / 'toy.py'
    config.write_text('model = dict()')

    def work_dir(*argv):
        args = parse(train, monkeypatch, *argv)
        return Path(runner.load_config(args).work_dir)

    assert work_dir(config) == Path('work_dirs/toy')
    assert work_dir(config, '--work-dir', 'mine') == Path('mine')
    config.write_text("work_dir = 'its own'")
    assert work_dir(config) == Path('its own')
    # The config that a run dumped goes on in that run's folder.
    dumped = tmp_path / 'toy' / runner.DUMPED_CONFIG
    dumped.parent.mkdir()
    dumped.write_text('model = dict()')
    assert work_dir(dumped) == Path('work_dirs/toy')


def test_options_launcher_and_rank(scripts, monkeypatch):
    train, _, runner = scripts
    # Set first, so that what load_config sets is undone after the test.
    monkeypatch.setenv('LOCAL_RANK', '')
    monkeypatch.delenv('LOCAL_RANK')
    args = parse(train, monkeypatch, CONFIG, '--cfg-options',
                 'optim_wrapper.optimizer.lr=0.5', '--local-rank=3')
    cfg = runner.load_config(args)
    assert cfg.optim_wrapper.optimizer.lr == 0.5
    assert cfg.launcher == 'none'
    assert os.environ['LOCAL_RANK'] == '3'
    args = parse(train, monkeypatch, CONFIG, '--local_rank=2')
    runner.load_config(args)
    assert os.environ['LOCAL_RANK'] == '3', "the launcher's own wins"


def test_amp_auto_scale_and_resume(scripts, monkeypatch, tmp_path):
    train = scripts[0]
    checkpoint = tmp_path / 'm.pth'
    checkpoint.touch()
    args = parse(train, monkeypatch, CONFIG, '--amp', '--auto-scale-lr',
                 '--resume', checkpoint)
    cfg = Config(
        dict(
            optim_wrapper=dict(type='OptimWrapper'),
            auto_scale_lr=dict(enable=False, base_batch_size=32)))
    with pytest.raises(SystemExit, match='--amp: mixed precision needs'):
        train['apply_train_args'](cfg, args)
    monkeypatch.setitem(train, 'get_device', lambda: 'cuda')
    train['apply_train_args'](cfg, args)
    assert cfg.optim_wrapper == dict(
        type='AmpOptimWrapper', loss_scale='dynamic')
    assert cfg.auto_scale_lr.enable
    assert (cfg.resume, cfg.load_from) == (True, str(checkpoint))

    # From the last one if there is one, else from what the config says.
    args = parse(train, monkeypatch, CONFIG, '--resume')
    for resume, load_from in ((False, 'other.pth'), (True, None)):
        cfg = Config(dict(load_from='other.pth', work_dir=str(tmp_path)))
        train['apply_train_args'](cfg, args)
        assert (cfg.resume, cfg.load_from) == (resume, load_from)
        (tmp_path / 'last_checkpoint').write_text(str(checkpoint))


def test_missing_files_and_keys_are_one_line_errors(scripts, monkeypatch,
                                                    tmp_path):
    train, test, runner = scripts
    monkeypatch.setenv('LOCAL_RANK', '0')
    args = parse(train, monkeypatch, 'retinanet_r5_8xb4-130e_wider-face.py')
    with pytest.raises(SystemExit, match='did you mean .*retinanet_r50_8xb4'):
        runner.load_config(args)
    args = parse(train, monkeypatch, CONFIG, '--resume', tmp_path / 'no.pth')
    with pytest.raises(SystemExit, match='checkpoint ".*no.pth" does not'):
        train['apply_train_args'](Config(), args)
    args = parse(train, monkeypatch, CONFIG, '--auto-scale-lr')
    with pytest.raises(SystemExit, match='base_batch_size'):
        train['apply_train_args'](Config(), args)
    with pytest.raises(SystemExit):
        parse(test, monkeypatch, CONFIG, 'm.pth', '--out', 'o.json')
    runner.check_file('torchvision://resnet50', 'checkpoint', '')


def test_wider_out_is_checked_before_the_test(scripts, tmp_path):
    (tmp_path / 'notes.md').touch()
    cfg = Config(dict(test_evaluator=dict(type='mmdet.WiderFaceMetric')))
    with pytest.raises(SystemExit, match='notes.md'):
        scripts[1]['apply_wider_out'](cfg, f'{tmp_path}/')
    scripts[1]['apply_wider_out'](cfg, f'{tmp_path}/new/')
    assert cfg.test_evaluator.outfile_prefix == f'{tmp_path}/new'


def test_wider_out_sets_the_metric(scripts):
    apply_wider_out = scripts[1]['apply_wider_out']
    cfg = Config(dict(test_evaluator=dict(type='WiderFaceMetric')))
    apply_wider_out(cfg, 'out/mine.zip')
    assert cfg.test_evaluator == dict(
        type='WiderFaceMetric', outfile_prefix='out/mine', as_folder=False)
    cfg = Config(
        dict(test_evaluator=[
            dict(type='CocoMetric'),
            dict(type='WiderFaceMetric')
        ]))
    apply_wider_out(cfg, 'folder')
    assert cfg.test_evaluator[1].outfile_prefix == 'folder'
    assert cfg.test_evaluator[1].as_folder
    for wrong in (dict(type='CocoMetric'), []):
        with pytest.raises(SystemExit, match='has 0 WiderFaceMetric'):
            apply_wider_out(Config(dict(test_evaluator=wrong)), 'x')


def test_dataset_replaces_the_test(scripts, monkeypatch, tmp_path):
    """Nothing of the former test stays, and options come last."""
    _, test, runner = scripts
    monkeypatch.setenv('LOCAL_RANK', '0')
    args = parse(test, monkeypatch, CONFIG, 'm.pth', '--dataset', 'fddb',
                 '--cfg-options', 'test_dataloader.dataset.data_root=mine/',
                 'test_evaluator.name=me')
    cfg = runner.load_config(args, partial(test['change_config'], args=args))
    fddb = Config.fromfile(ROOT / 'configs/_base_/datasets/fddb.py')
    fddb.test_dataloader.dataset.data_root = 'mine/'
    assert cfg.test_dataloader == fddb.test_dataloader
    assert cfg.test_evaluator == dict(fddb.test_evaluator, name='me')
    plain = Config.fromfile(CONFIG)
    for key in ('model', 'train_dataloader', 'val_evaluator', 'test_cfg',
                'tta_pipeline'):
        assert cfg[key] == plain[key]
    # Without the argument all stays as it was.
    args = parse(test, monkeypatch, CONFIG, 'm.pth')
    cfg = runner.load_config(args, partial(test['change_config'], args=args))
    assert cfg.test_dataloader == plain.test_dataloader


def test_dataset_is_a_name_or_a_file(scripts, tmp_path):
    replace = scripts[1]['replace_test_dataset']
    own = tmp_path / 'fddb.py'
    own.write_text("test_dataloader = dict(batch_size=7)\n"
                   "test_evaluator = [dict(type='A'), dict(type='B')]\n")
    cfg = Config(dict(model=dict(type='A')))
    replace(cfg, str(own))
    assert cfg.test_dataloader == dict(batch_size=7)
    assert [m.type for m in cfg.test_evaluator] == ['A', 'B']
    assert cfg.test_cfg == dict(type='TestLoop')
    with pytest.raises(SystemExit, match='"fdbd" does not.* one of .*fddb, '):
        replace(cfg, 'fdbd')
    own.write_text('test_dataloader = dict(batch_size=7)')
    with pytest.raises(SystemExit, match='has no test_evaluator; give a'):
        replace(cfg, str(own))


@pytest.mark.parametrize('name, message', [
    ('notes.txt', 'notes.txt" does not end in one of .py .json .yaml .yml;'),
    ('none.txt', 'none.txt" does not exist'),
    ('https://example.org/fddb.py', 'is not a local file; download it'),
    ('bad.py', '"bad.py": .*no_such_module'),
])
def test_dataset_that_is_no_config(scripts, monkeypatch, tmp_path, name,
                                   message):
    monkeypatch.chdir(tmp_path)
    Path('notes.txt').write_text('test_evaluator = []')
    Path('bad.py').write_text(
        "custom_imports = dict(imports=['no_such_module'])")
    with pytest.raises(SystemExit, match=f'(?s)error: .*{message}'):
        scripts[1]['replace_test_dataset'](Config(), name)
    # A file of the name of a dataset does not hide it.
    Path('fddb').write_text('')
    cfg = Config()
    scripts[1]['replace_test_dataset'](cfg, 'fddb')
    assert cfg.test_evaluator.type == 'FDDBMetric'


def test_dataset_brings_its_modules(scripts, monkeypatch, tmp_path):
    """They are imported, and the dumped config names them."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / 'brought_parts.py').touch()
    own = tmp_path / 'own.py'
    own.write_text("custom_imports = dict(imports='brought_parts')\n"
                   "test_dataloader = dict(batch_size=7)\n"
                   "test_evaluator = dict(type='A')\n")
    cfg = Config(
        dict(
            custom_imports=dict(
                imports=['tinyfaces'], allow_failed_imports=False)))
    scripts[1]['replace_test_dataset'](cfg, str(own))
    assert 'brought_parts' in sys.modules
    assert cfg.custom_imports == dict(
        imports=['tinyfaces', 'brought_parts'], allow_failed_imports=False)


def test_classes_of_new_style_configs(scripts, tmp_path):
    """``type`` may be the class itself."""
    (tmp_path / 'new.py').write_text("""
from tinyfaces.datasets import WiderFaceDataset
from tinyfaces.evaluation.metrics import WiderFaceMetric
from tinyfaces.models.detectors import PostProcessedDetector

model = dict(type=PostProcessedDetector, detector=dict(type='A'))
tta_model = dict(type='T')
tta_pipeline = []
tta_resolution = 'twice'
test_dataloader = dict(dataset=dict(type=WiderFaceDataset, pipeline=[1]))
test_evaluator = dict(type=WiderFaceMetric)
""")
    cfg = Config(dict(model=dict(type='A')))
    scripts[1]['replace_test_dataset'](cfg, str(tmp_path / 'new.py'))
    scripts[1]['apply_wider_out'](cfg, str(tmp_path / 'out'))
    assert cfg.test_evaluator.outfile_prefix == str(tmp_path / 'out')
    cfg = Config.fromfile(tmp_path / 'new.py')
    scripts[1]['apply_tta'](cfg, 'new.py')
    assert cfg.model.detector == dict(type='T', module=dict(type='A'))
    assert cfg.test_evaluator.test_resolution == 'twice'


def test_fddb_out_sets_the_metric(scripts):
    apply_fddb_out = scripts[1]['apply_fddb_out']
    cfg = Config(
        dict(test_evaluator=[
            dict(type='CocoMetric'),
            dict(type='mmdet.FDDBMetric', folds_dir='f')
        ]))
    apply_fddb_out(cfg, 'out/fddb')
    assert cfg.test_evaluator[1].out_dir == 'out/fddb'
    with pytest.raises(SystemExit, match='has 0 FDDBMetric .* --dataset fddb'):
        apply_fddb_out(
            Config(dict(test_evaluator=dict(type='WiderFaceMetric'))), 'x')


def test_fddb_out_is_checked_before_the_test(scripts, tmp_path):
    apply_fddb_out = scripts[1]['apply_fddb_out']
    cfg = Config(dict(test_evaluator=dict(type='FDDBMetric')))
    (tmp_path / 'fold-01-out.txt').touch()
    for path, message in ((tmp_path, 'holds fold-01-out.txt, and no image_s'),
                          (tmp_path / 'fold-01-out.txt', 'is a file; give')):
        with pytest.raises(
                SystemExit, match=f'^error: --fddb-out: .*{message}'):
            apply_fddb_out(cfg, str(path))
    (tmp_path / 'image_sizes.txt').touch()
    apply_fddb_out(cfg, str(tmp_path))
    assert cfg.test_evaluator.out_dir == str(tmp_path)


def test_resume_of_a_test_sets_the_loop(scripts):
    apply_resume = scripts[1]['apply_resume']
    for before, after in ((None, dict(type='ResumableTestLoop')),
                          (dict(type='TestLoop', fp16=True),
                           dict(type='ResumableTestLoop', fp16=True)),
                          (dict(type='ResumableTestLoop', parts='here'),
                           dict(type='ResumableTestLoop', parts='here'))):
        cfg = Config(dict(test_cfg=before))
        apply_resume(cfg)
        assert cfg.test_cfg == after
    with pytest.raises(SystemExit, match='--resume: test_cfg is a Own.*leave'):
        apply_resume(Config(dict(test_cfg=dict(type='mmdet.OwnLoop'))))


def test_without_resume_nothing_is_kept(scripts, capsys):
    """The dumped config of a resumed test names the loop that keeps."""
    without_resume = scripts[1]['without_resume']
    for kind in ('ResumableTestLoop', ResumableTestLoop):
        cfg = Config(dict(test_cfg=dict(type=kind, parts='here', fp16=True)))
        without_resume(cfg)
        assert cfg.test_cfg == dict(type='TestLoop', fp16=True)
        assert 'nothing is kept without --resume' in capsys.readouterr().out
    for loop in (None, dict(), dict(type='mmdet.OwnLoop', parts='here')):
        cfg = Config(dict(test_cfg=loop))
        without_resume(cfg)
        assert cfg.test_cfg == loop
    assert not capsys.readouterr().out


@pytest.mark.slow
def test_dist_scripts_run_on_a_cpu(toy, tmp_path):
    printed = toy('bash', TOOLS / 'dist_train.sh', 'toy.py', '1')
    work_dir = tmp_path / 'work_dirs' / 'toy'
    assert 'Saving checkpoint at 1 epochs' in printed
    # mim would not know the dumped config from the one it was read from.
    assert (work_dir / 'config.py').is_file()
    assert len(list(tmp_path.rglob('toy.py'))) == 1
    printed = toy('bash', TOOLS / 'dist_test.sh', 'toy.py',
                  work_dir / 'epoch_1.pth', '1')
    assert 'count: 8' in printed
