"""tools/train.py and tools/test.py: arguments, errors, one toy run."""
import os
import subprocess
import sys
from pathlib import Path

import pytest
from mmengine.config import Config

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


@pytest.fixture(scope='module')
def scripts():
    """The modules ``train`` and ``test``, imported as scripts import them."""
    sys.path.insert(0, str(TOOLS))
    try:
        import _runner
        namespaces = {}
        for name in ('train', 'test'):
            text = (TOOLS / f'{name}.py').read_text()
            namespaces[name] = {'__name__': f'tools_{name}'}
            exec(compile(text, f'{name}.py', 'exec'), namespaces[name])
        yield namespaces['train'], namespaces['test'], _runner
    finally:
        sys.path.remove(str(TOOLS))


def parse(script, monkeypatch, *argv):
    """Parse a command line of a script."""
    monkeypatch.setattr(sys, 'argv', ['script', *map(str, argv)])
    return script['parse_args']()


@pytest.fixture
def toy(tmp_path):
    """Folder with the toy config; returns a function that runs a command."""
    (tmp_path / 'toy_parts.py').write_text(TOY_MODULE)
    (tmp_path / 'toy.py').write_text(TOY_CONFIG)
    environ = {**os.environ, 'OMP_NUM_THREADS': '1'}
    environ['PYTHONPATH'] = os.pathsep.join(
        [str(tmp_path), str(ROOT / 'projects')])
    environ['PYTHON'] = sys.executable
    environ.pop('TINYFACES_REGISTER', None)

    def call(*command):
        result = subprocess.run([str(x) for x in command],
                                cwd=tmp_path,
                                env=environ,
                                capture_output=True,
                                text=True,
                                check=False)
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout + result.stderr

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

    args = parse(train, monkeypatch, CONFIG, '--resume')
    cfg = Config(dict(load_from='other.pth'))
    train['apply_train_args'](cfg, args)
    assert (cfg.resume, cfg.load_from) == (True, None)


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


def test_tta_needs_its_config(scripts):
    apply_tta = scripts[1]['apply_tta']
    with pytest.raises(SystemExit, match='tta_model and no tta_pipeline'):
        apply_tta(Config(dict(model=dict(type='A'))), 'c.py')
    cfg = Config(
        dict(
            model=dict(type='A'),
            tta_model=dict(type='T', tta_cfg=dict(k=750)),
            tta_pipeline=[dict(type='Load')],
            tta_resolution='twice',
            test_evaluator=dict(type='WiderFaceMetric'),
            test_dataloader=dict(
                dataset=dict(
                    type='Concat',
                    datasets=[
                        dict(type='D', pipeline=[]),
                        dict(
                            type='Repeat', dataset=dict(type='E', pipeline=[]))
                    ]))))
    apply_tta(cfg, 'c.py')
    assert cfg.model == dict(
        type='T', tta_cfg=dict(k=750), module=dict(type='A'))
    assert cfg.test_evaluator.test_resolution == 'twice'
    first, second = cfg.test_dataloader.dataset.datasets
    assert first.pipeline == second.dataset.pipeline == [dict(type='Load')]


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
