"""tools/harvest_hard_negatives.py: its command line, killed and gone on."""
import os
import runpy
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from command_line import parse
from mmdet.registry import MODELS
from mmengine.config import Config, ConfigDict
from tiny_faster_rcnn import FASTER_RCNN, write_config
from tiny_fddb import random_folds, write_fddb

from tinyfaces.datasets.hard_negative_file import (read_hard_negatives,
                                                   read_header)
from tinyfaces.engine.harvest import HarvestOptions, harvest

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / 'tools'

# The third picture and those behind it wait for a file.
WAITS = """
import time
from pathlib import Path
from mmcv.transforms import BaseTransform
from mmdet.registry import TRANSFORMS


@TRANSFORMS.register_module(force=True)
class WaitForFile(BaseTransform):
    def __init__(self, file):
        self.file = Path(file)

    def transform(self, results):
        number = int(results['img_id'].split('_')[1])
        while number >= 2 and not self.file.exists():
            time.sleep(.05)
        return results
"""
MORE = """
test_pipeline.insert(0, dict(type='WaitForFile', file=data_root + 'go'))
test_dataloader['dataset']['pipeline'] = test_pipeline
custom_imports = dict(imports=['tinyfaces', 'waits'])
"""


@pytest.fixture(scope='module')
def script():
    """What the script defines."""
    sys.path.insert(0, str(TOOLS))
    try:
        yield runpy.run_path(str(TOOLS / 'harvest_hard_negatives.py'))
    finally:
        sys.path.remove(str(TOOLS))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Seven pictures, a config, and weights."""
    monkeypatch.syspath_prepend(tmp_path)
    write_fddb(tmp_path, random_folds(num_folds=2, pictures=7))
    (tmp_path / 'waits.py').write_text(WAITS)
    write_config(tmp_path, MORE)
    torch.manual_seed(0)
    model = MODELS.build(ConfigDict(FASTER_RCNN))
    torch.nn.init.normal_(model.roi_head.bbox_head.fc_cls.weight)
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'w.pth')
    return tmp_path


@pytest.mark.slow
def test_killed_and_gone_on_by_two_processes(folder, call):
    """Bit for bit what one process writes that nothing stopped."""
    tool = TOOLS / 'harvest_hard_negatives.py'
    arguments = ('--out', 'out.jsonl', '--score-thr', '.4', '--max-per-img',
                 '5')
    process = subprocess.Popen(
        [sys.executable, tool, 'tiny.py', 'w.pth', *arguments],
        cwd=folder,
        env={
            **os.environ, 'OMP_NUM_THREADS': '1',
            'PYTHONPATH': f'{folder}:{ROOT}/projects'
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL)
    parts = folder / 'out.jsonl.parts'
    limit = time.monotonic() + 200
    while not any(path.read_text().count('\n') == 2
                  for path in parts.glob('rank*')):
        assert time.monotonic() < limit and process.poll() is None
        time.sleep(.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (folder / 'out.jsonl').exists()
    part, = parts.glob('rank-0-*.jsonl')
    with open(part, 'a') as file:
        file.write('{"img_id": "2002/02/big/img_2_1", "wi')

    (folder / 'go').touch()
    printed = call('bash', TOOLS / 'dist_harvest.sh', 'tiny.py', 'w.pth', '2',
                   *arguments)
    found = read_hard_negatives(folder / 'out.jsonl')
    assert f'in {len(found)} of 7 pictures written to out.jsonl' in printed
    # Two of seven were done before.
    assert 'harvesting:  29%' in printed
    assert not part.parent.exists()
    assert not (folder / 'work_dirs/tiny/config.py').exists()

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        model = MODELS.build(ConfigDict(FASTER_RCNN))
        model.load_state_dict(torch.load(folder / 'w.pth')['state_dict'])
        summary = harvest(
            Config.fromfile(folder / 'tiny.py'), model, folder / 'one.jsonl',
            HarvestOptions(score_thr=.4, max_per_img=5))
    finally:
        torch.set_num_threads(threads)
    assert summary.boxes > 7
    assert (folder / 'one.jsonl').read_bytes() == (folder /
                                                   'out.jsonl').read_bytes()
    header = read_header(folder / 'out.jsonl')
    assert (header['score_thr'], header['iou_thr'],
            header['max_per_img']) == (.4, .5, 5)


def test_the_command_line(script, monkeypatch):
    args = parse(script, monkeypatch, 'c.py', 'w.pth', '--out', 'o')
    assert script['harvest_options'](args) == HarvestOptions(.5, .5, 100)
    assert args.resume
    args = parse(script, monkeypatch, 'c.py', 'w.pth', '--out', 'o',
                 '--no-resume', '--iou-thr', '0')
    assert not args.resume
    with pytest.raises(SystemExit, match='^error: iou_thr must be above 0'):
        script['harvest_options'](args)
    with pytest.raises(SystemExit):
        parse(script, monkeypatch, 'c.py', 'w.pth')
    args = parse(script, monkeypatch, ROOT / 'configs/fddb/none.py', 'w.pth',
                 '--out', 'o')
    with pytest.raises(SystemExit, match='config .*none.py" does not exist'):
        script['run'](args)


def test_the_runner_has_no_loops(script, folder):
    cfg = Config.fromfile(folder / 'tiny.py')
    cfg.env_cfg.cudnn_benchmark = True
    bare = script['for_inference'](cfg, 'w.pth')
    gone = {
        'train_dataloader', 'train_cfg', 'val_dataloader', 'val_evaluator',
        'val_cfg', 'test_dataloader', 'test_evaluator', 'test_cfg'
    }
    assert set(cfg.keys()) - set(bare.keys()) == gone
    assert bare.optim_wrapper is None and bare.param_scheduler is None
    assert (bare.load_from, bare.resume) == ('w.pth', False)
    assert not bare.env_cfg.cudnn_benchmark
    assert cfg.env_cfg.cudnn_benchmark and cfg.test_dataloader


def test_the_launcher():
    result = subprocess.run([
        'bash', TOOLS / 'dist_harvest.sh', 'my config.py', 'w.pth', '3',
        '--out', 'a b'
    ],
                            env={
                                **os.environ, 'PYTHON': 'echo'
                            },
                            capture_output=True,
                            text=True,
                            check=True)
    assert result.stdout.endswith(
        '--nproc_per_node=3 '
        f'{TOOLS}/harvest_hard_negatives.py my config.py w.pth --out a b '
        '--launcher pytorch\n')
