"""A test that goes on: what it keeps, and what it looks at again."""
import errno
import io
import json
import os
import re
import uuid
from types import SimpleNamespace

import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.registry import DATASETS, METRICS, MODELS
from mmengine.runner import Runner
from mmengine.structures import BaseDataElement, InstanceData
from torch.utils.data import Dataset

from tinyfaces.engine import parts
from tinyfaces.engine.parts_of_test import PartsOfTest, from_plain, to_line


class Stopped(Exception):
    """Stands for whatever may stop a test."""


@DATASETS.register_module()
class CountedPictures(Dataset):
    """Pictures of one number each, which is also their name."""

    def __init__(self, count=5):
        self.count = count

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        sample = DetDataSample(metainfo=dict(img_id=f'{index}', size=(3, 4)))
        return dict(inputs=torch.tensor([float(index)]), data_samples=sample)

    def get_data_info(self, index):
        return dict(img_id=f'{index}')


@MODELS.register_module()
class CountingDetector(BaseModel):
    """Gives numbers that depend on the other pictures of a batch."""
    looks = 99
    unreadable = ()
    losses = False
    seen = []

    def __init__(self, factor=1., data_preprocessor=None):
        super().__init__(data_preprocessor)
        self.weight = torch.nn.Parameter(torch.tensor([factor]))

    def test_step(self, data):
        names = [sample.img_id for sample in data['data_samples']]
        CountingDetector.seen.append(names)
        if len(self.seen) > self.looks:
            raise Stopped
        total = torch.stack(list(data['inputs'])).sum() / 3 * self.weight
        for sample in data['data_samples']:
            if sample.img_id in self.unreadable:
                sample.set_metainfo(dict(unreadable=[('x.jpg', 'broken')]))
            instances = InstanceData(scores=total.detach())
            sample.pred_instances = instances
            sample.group_pred_instances = dict(small=instances)
        if self.losses:
            loss = BaseDataElement(loss=dict(loss_cls=total.detach()))
            return [*data['data_samples'], loss]
        return data['data_samples']

    def forward(self, *args, **kwargs):
        return self.test_step(*args, **kwargs)


@METRICS.register_module()
class WholeTest(BaseMetric):
    """Its metric is all that it was given."""
    default_prefix = 'whole'

    def process(self, data_batch, data_samples):
        self.results += [(sample['img_id'], sample['size'],
                          sample['pred_instances']['scores'].tolist(),
                          sample['group_pred_instances']['small']['scores'],
                          sample.get('unreadable')) for sample in data_samples]

    def compute_metrics(self, results):
        return dict(everything=results)


class Counter(Hook):
    """Counts what hooks are told of; may fail at the end."""

    def __init__(self, fails=False):
        self.calls = []
        self.fails = fails

    def before_test_epoch(self, runner):
        self.calls.append('before')

    def after_test_iter(self,
                        runner,
                        batch_idx,
                        data_batch=None,
                        outputs=None):
        self.calls.append(len(outputs))

    def after_test_epoch(self, runner, metrics=None):
        self.calls.append(sorted(metrics))

    def after_test(self, runner):
        if self.fails:
            raise Stopped


def test(work_dir,
         loop='ResumableTestLoop',
         looks=99,
         unreadable=(),
         batch_size=2,
         factor=1.,
         hook_fails=False,
         times=1,
         data_preprocessor=None,
         **options):
    """Run a test; what the metric saw, and what the detector did."""
    CountingDetector.looks = looks
    CountingDetector.unreadable = unreadable
    CountingDetector.seen = []
    counter = Counter(hook_fails)
    loader = dict(
        dict(
            batch_size=batch_size,
            num_workers=0,
            sampler=dict(type='DefaultSampler', shuffle=False),
            dataset=dict(type='CountedPictures'),
            collate_fn=dict(type=pseudo_collate.__name__)), **options)
    cfg = dict(
        model=dict(type='CountingDetector', factor=factor),
        data_preprocessor=data_preprocessor,
        work_dir=str(work_dir),
        test_dataloader=loader,
        test_cfg=dict(type=loop),
        test_evaluator=dict(type='WholeTest'),
        log_level='WARNING',
        default_scope='mmdet',
        # Several within a second would have the same.
        experiment_name=uuid.uuid4().hex)
    runner = Runner.from_cfg(Config(cfg))
    runner.register_hook(counter)
    for _ in range(times):
        found = runner.test()['whole/everything']
    return found, CountingDetector.seen, counter.calls


test.__test__ = False


@pytest.mark.parametrize('batch_size, first, second', [
    (1, [['0'], ['1']], [['1'], ['2'], ['3'], ['4']]),
    (2, [['0', '1'], ['2', '3']], [['2', '3'], ['4']]),
])
def test_it_goes_on(tmp_path, batch_size, first, second):
    """Batches stay together, and all is as in mmengine's own loop."""
    whole, seen, calls = test(
        tmp_path / 'a', loop='TestLoop', batch_size=batch_size)
    with pytest.raises(Stopped):
        test(tmp_path / 'b', looks=1, batch_size=batch_size)
    assert CountingDetector.seen == first
    found, seen, calls = test(tmp_path / 'b', batch_size=batch_size)
    assert found == whole
    assert seen == second
    assert calls == ['before', *map(len, second), ['whole/everything']]
    assert not (tmp_path / 'b/test.parts').exists()
    # Without parts a test begins anew.
    found, seen, _ = test(tmp_path / 'b', batch_size=batch_size)
    assert found == whole and len(sum(seen, [])) == 5


def test_killed_after_the_last_picture(tmp_path, monkeypatch):
    whole = test(tmp_path / 'a', loop='TestLoop')[0]
    with monkeypatch.context() as patch:
        patch.setattr(WholeTest, 'compute_metrics', lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            test(tmp_path / 'b')
    found, seen, calls = test(tmp_path / 'b', num_workers=1)
    assert (found, seen) == (whole, [])
    assert calls == ['before', ['whole/everything']]


def test_with_workers(tmp_path):
    whole = test(tmp_path / 'a', loop='TestLoop')[0]
    assert test(tmp_path / 'b', num_workers=1)[0] == whole


def test_what_could_not_be_read_is_tried_again(tmp_path):
    """And counts as unreadable if it still cannot be."""
    whole = test(tmp_path / 'a', loop='TestLoop', unreadable='1')[0]
    with pytest.raises(Stopped):
        test(tmp_path / 'b', looks=2, unreadable='1', batch_size=1)
    found, seen, _ = test(tmp_path / 'b', unreadable='1', batch_size=1)
    assert seen == [['1'], ['2'], ['3'], ['4']]
    assert found[1][-1] == whole[1][-1] == [('x.jpg', 'broken')]
    with pytest.raises(Stopped):
        test(tmp_path / 'c', looks=2, unreadable='1', batch_size=1)
    found, seen, _ = test(tmp_path / 'c', batch_size=1)
    assert found == test(tmp_path / 'd', loop='TestLoop', batch_size=1)[0]


def test_what_could_not_be_read_is_tried_again_after_the_end(tmp_path):
    """The batch as a whole: the others in it were padded with a grey one."""
    whole = test(tmp_path / 'a', loop='TestLoop')[0]
    first = test(tmp_path / 'b', unreadable='2')[0]
    assert first == test(tmp_path / 'c', loop='TestLoop', unreadable='2')[0]
    assert (tmp_path / 'b/test.parts').is_dir()
    log, = (tmp_path / 'b').glob('*/*.log')
    assert '1 pictures could not be read; so that' in log.read_text()
    for _ in range(2):
        found, seen, _ = test(tmp_path / 'b', unreadable='2')
        assert (found, seen) == (first, [['2', '3']])
    # What is kept of looks in batches with a grey picture has another value.
    for file in (tmp_path / 'b/test.parts').glob('rank-*'):
        lines = map(json.loads, file.read_text().splitlines())
        file.write_text(''.join(
            to_line(line['index'], dict(
                from_plain(line['sample']), size=(
                    9, 9)), True) if line['unreadable'] else json.dumps(line) +
            '\n' for line in lines))
    found, seen, _ = test(tmp_path / 'b')
    assert (found, seen) == (whole, [['2', '3']])
    assert not (tmp_path / 'b/test.parts').exists()
    # Each of the two could be read once.
    test(tmp_path / 'd', unreadable='2')
    assert test(tmp_path / 'd', unreadable='3')[0] == whole


def test_a_hook_that_fails_at_the_end_costs_no_test(tmp_path):
    whole = test(tmp_path / 'a', loop='TestLoop')[0]
    with pytest.raises(Stopped):
        test(tmp_path / 'b', hook_fails=True)
    assert len(CountingDetector.seen) == 3
    assert test(tmp_path / 'b')[:2] == (whole, [])
    assert not (tmp_path / 'b/test.parts').exists()


def test_a_runner_may_test_twice(tmp_path):
    whole = test(tmp_path / 'a', loop='TestLoop', times=2)[:2]
    assert test(tmp_path / 'b', times=2)[:2] == whole
    assert len(whole[1]) == 6


def test_losses_are_refused(tmp_path, monkeypatch):
    """MMEngine's loop puts their means into the metrics."""
    monkeypatch.setattr(CountingDetector, 'losses', True)
    for _ in range(2):
        with pytest.raises(
                ValueError, match=r'gives losses in a test \(loss_cls\)'):
            test(tmp_path, dataset=dict(type='CountedPictures', count=1))


@pytest.fixture
def full_disk(monkeypatch):
    """Files of parts have room for some bytes; gives how many."""
    room = SimpleNamespace(left=0)

    class File(io.FileIO):

        def write(self, data):
            if not room.left:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            written = super().write(data[:room.left])
            room.left -= written
            return written

    def open_file(path, mode='r', **options):
        if mode == 'xb':
            return File(path, mode)
        return open(path, mode, **options)

    monkeypatch.setattr(parts, 'open', open_file, raising=False)
    return room


def test_a_full_disk(tmp_path, full_disk):
    """The message names the file; what was kept is gone on with."""
    whole = test(tmp_path / 'a', loop='TestLoop')[0]
    work_dir = tmp_path / 'b'
    full_disk.left = 0
    with pytest.raises(
            OSError,
            match=r'b/test.parts/rank-0-\w+.jsonl cannot be written: No space '
            r'left.* MiB free .*make room there') as error:
        test(work_dir)
    assert error.value.errno == errno.ENOSPC
    # Room for one batch and half a line.
    full_disk.left = 10**6
    with pytest.raises(Stopped):
        test(tmp_path / 'c', looks=1)
    full_disk.left = 10**6 - full_disk.left + 40
    with pytest.raises(OSError, match='cannot be written'):
        test(work_dir)
    assert full_disk.left == 0
    kept = ''.join(file.read_text()
                   for file in (work_dir / 'test.parts').glob('rank-*'))
    assert kept.endswith('\n')
    assert [json.loads(line)['index'] for line in kept.splitlines()] == [0, 1]
    full_disk.left = 10**6
    found, seen, _ = test(work_dir)
    assert (found, seen) == (whole, [['2', '3'], ['4']])


@pytest.mark.parametrize('changes, message', [
    (dict(batch_size=1), 'batch_size: 2 -> 1'),
    (dict(factor=2.), 'weights: '),
    (dict(dataset=dict(type='CountedPictures', count=4)), 'pictures: 5 -> 4'),
    (dict(data_preprocessor=dict(type='BaseDataPreprocessor')),
     'model.data_preprocessor.*None -> '),
])
def test_parts_of_another_test(tmp_path, changes, message):
    with pytest.raises(Stopped):
        test(tmp_path, looks=1)
    with pytest.raises(
            ValueError,
            match=f'(?s)test.parts holds what is done of a test with.*'
            f'{message}.*remove the folder'):
        test(tmp_path, **changes)


def test_other_versions(tmp_path, monkeypatch):
    with pytest.raises(Stopped):
        test(tmp_path, looks=1)
    before = torch.__version__
    monkeypatch.setattr(torch, '__version__', '9.9')
    with pytest.raises(
            ValueError, match=f'versions.torch: {re.escape(before)} -> 9.9'):
        test(tmp_path)


def test_loaders_that_do_not_give_all_in_order(tmp_path):
    for sampler in (dict(type='DefaultSampler', shuffle=True),
                    dict(type='InfiniteSampler', shuffle=False)):
        with pytest.raises(ValueError, match='gives the pictures out itself'):
            test(tmp_path, sampler=sampler)
    with pytest.raises(ValueError, match='drop_last=True leaves the last'):
        test(tmp_path, drop_last=True)


def test_broken_parts(tmp_path):
    with pytest.raises(Stopped):
        test(tmp_path, looks=2)
    file, = (tmp_path / 'test.parts').glob('rank-*')
    lines = file.read_text().splitlines(keepends=True)
    assert len(lines) == 4
    for broken in ('{"index": 0}\n', '{"index": 0, "sa\n', '[1]\n', '\0\0\n'):
        file.write_text(lines[0] + broken + lines[2])
        with pytest.raises(
                ValueError, match=r'rank-0-\w+.jsonl, line 2: .*remove .*ran'):
            test(tmp_path)
    sample = json.loads(lines[1])
    sample['sample'] = dict(tensor=['float32', [3], 'AAA'])
    file.write_text(lines[0] + json.dumps(sample) + '\n' + lines[2])
    with pytest.raises(ValueError, match='line 2: .*remove .*rank-0-'):
        test(tmp_path)
    # The last line was being written.
    file.write_text(''.join(lines[:3]) + lines[3][:30])
    assert len(test(tmp_path)[0]) == 5


def test_another_run(tmp_path):
    with PartsOfTest(tmp_path / 'test.parts').locked():
        with pytest.raises(BlockingIOError, match='is being done by another'):
            test(tmp_path)
