"""A training with validation, and a test, on pictures that break."""
import json
import sys
from pathlib import Path

import pytest
from mmdet.registry import HOOKS
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner
from picture_kinds import put_fault
from tiny_faster_rcnn import write_config

ROOT = Path(__file__).parents[2]
VALIDATION = """
val_dataloader = dict(
    num_workers=0, persistent_workers=False,
    dataset=dict(data_root=data_root, folds=[2], pipeline=test_pipeline))
val_evaluator = dict(folds_dir=data_root + 'FDDB-folds')
val_cfg = dict(type='ValLoop')
"""
NONE = ('val_dataloader = None\n', 'val_evaluator = None\n',
        'val_cfg = None\n')


@HOOKS.register_module()
class BreakPictures(Hook):
    """Breaks pictures once training has begun, as a disk may."""

    def __init__(self, faults):
        self.faults = faults

    def before_train_epoch(self, runner):
        for path, fault in self.faults.items():
            put_fault(Path(path), fault)
        self.faults = {}


def config(root, work_dir, **hooks):
    """Four pictures train, four others are validated and tested."""
    path = write_config(root)
    text = path.read_text()
    for line in NONE:
        assert line in text
        text = text.replace(line, '')
    path.write_text(text + VALIDATION)
    cfg = Config.fromfile(path)
    cfg.work_dir = str(work_dir)
    cfg.train_cfg.val_interval = 1
    cfg.default_hooks.update(hooks)
    cfg.default_hooks.checkpoint.update(save_best=None)
    return cfg


def logged(work_dir):
    """What the log files say."""
    return ''.join(p.read_text() for p in work_dir.rglob('*.log'))


@pytest.fixture
def trained(fddb):
    """A training in which three pictures break, and its work folder."""
    root, (train, val, *_) = fddb
    work_dir = root / 'work'
    cfg = config(
        root,
        work_dir,
        unreadable_pictures=dict(
            type='UnreadablePicturesHook', max_fraction=.9, interval=1))
    cfg.custom_hooks = [
        dict(
            type='BreakPictures',
            faults={
                str(train[1]): 'cut',
                str(train[2]): 'empty',
                str(val[3]): 'cut'
            })
    ]
    Runner.from_cfg(cfg).train()
    return root, work_dir, train, val


def test_training_goes_on_and_hides_nothing(trained):
    root, work_dir, train, val = trained
    found = json.loads((work_dir / 'unreadable_pictures.json').read_text())
    assert {(p['path'], p['where'])
            for p in found['pictures']} == {(str(train[1]), 'training'),
                                            (str(train[2]), 'training'),
                                            (str(val[3]), 'validation')}
    times = {p['path']: p['times'] for p in found['pictures']}
    # Two epochs ask for each picture at least once.
    assert times[str(val[3])] == 2
    assert times[str(train[1])] >= 2 and times[str(train[2])] >= 2
    assert found['unreadable'] == times[str(train[1])] + times[str(train[2])]
    assert found['asked'] == 8 + found['unreadable']
    text = logged(work_dir)
    assert '3 pictures could not be read' in text
    # Warned of once, and listed at the end of the table and of the run.
    assert text.count(f'{train[1]}: is cut off') == 2
    assert 'count as pictures without detections' in text
    assert (work_dir / 'epoch_2.pth').is_file()
    resumes_with_its_list(root, work_dir, found)
    says_it_at_the_end(root, work_dir, val)


def resumes_with_its_list(root, work_dir, found):
    """The third epoch adds to what the first two found."""
    cfg = config(
        root,
        work_dir,
        unreadable_pictures=dict(
            type='UnreadablePicturesHook', max_fraction=.9, interval=1))
    cfg.train_dataloader.dataset.read_sizes = False
    cfg.val_dataloader = cfg.val_evaluator = cfg.val_cfg = None
    cfg.train_cfg.max_epochs = 3
    cfg.resume = True
    Runner.from_cfg(cfg).train()
    after = json.loads((work_dir / 'unreadable_pictures.json').read_text())
    assert after['asked'] - after['unreadable'] == 12
    assert after['unreadable'] >= found['unreadable'] + 2
    assert len(after['pictures']) == 3


def says_it_at_the_end(root, work_dir, val):
    """tools/test.py as a user calls it, but in this process."""
    out = root / 'out'
    argv = sys.argv
    sys.argv = [
        'test.py',
        str(root / 'tiny.py'),
        str(work_dir / 'epoch_2.pth'), '--work-dir',
        str(root / 'test'), '--fddb-out',
        str(out), '--show-dir', 'drawn'
    ]
    sys.path.insert(0, str(ROOT / 'tools'))
    try:
        text = (ROOT / 'tools/test.py').read_text()
        exec(compile(text, 'test.py', 'exec'), {'__name__': '__main__'})
    finally:
        sys.argv = argv
        sys.path.remove(str(ROOT / 'tools'))
    name = val[3].relative_to(root / 'originalPics').with_suffix('')
    result = json.loads((out / 'results.json').read_text())
    assert result['unreadable'] == {
        str(name): 'is cut off: a JPEG without its end'
    }
    lines = (out / 'fold-02-out.txt').read_text().splitlines()
    assert lines[lines.index(str(name)) + 1] == '0'
    # Three pictures have detections, four have faces.
    assert result['detectors']['detector']['num_images'] == 4
    sizes = (out / 'image_sizes.txt').read_text().splitlines()
    assert f'{name} 64 48' in sizes
    last = logged(root / 'test').strip().splitlines()[-2:]
    assert 'WARNING: 1 pictures could not be read in this test' in last[0]
    assert str(val[3]) in last[1]
    drawn = {p.name for p in (root / 'test').rglob('drawn/*.jpg')}
    assert drawn == {p.name for p in val} - {val[3].name}
