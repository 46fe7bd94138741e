"""Harvesting with a detector of one line, in one process."""
import json
import sys

import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.structures import InstanceData
from tiny_faster_rcnn import write_config
from tiny_fddb import random_folds, write_fddb

from tinyfaces.datasets.hard_negative_file import (HardNegatives,
                                                   read_hard_negatives,
                                                   read_header,
                                                   write_hard_negatives)
from tinyfaces.engine import parts as engine_parts
from tinyfaces.engine.harvest import (HarvestOptions, TrainingPictures,
                                      harvest, merge_hard_negatives,
                                      on_main_process, training_datasets)
from tinyfaces.engine.harvest.parts import HarvestParts

SIZE = (64, 48)
FOLDS = random_folds(num_folds=2, pictures=5)
# The last picture has no face, and training leaves it out.
NAMES = list(FOLDS[1])
FOLDS[1][NAMES[4]] = []
OPTIONS = HarvestOptions(score_thr=.3, max_per_img=3)


class Stopped(Exception):
    """Stands for whatever may stop a harvest."""


class Detector(torch.nn.Module):
    """Finds boxes that depend on the picture's name alone.

    Args:
        pictures: How many to look at until it stops.
    """

    def __init__(self, pictures=99):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.left = pictures
        self.seen = []

    def test_step(self, batch):
        assert not self.training and not torch.is_grad_enabled()
        sample, = batch['data_samples']
        name = sample.img_id
        if self.left == 0:
            raise Stopped
        self.left -= 1
        self.seen.append(name)
        rng = np.random.default_rng(NAMES.index(name))
        corners = rng.uniform(0, SIZE, (2, 6, 2))
        boxes = np.hstack([corners.min(0), corners.max(0)])
        sample.pred_instances = InstanceData(
            bboxes=torch.tensor(boxes, dtype=torch.float32),
            scores=torch.tensor(rng.uniform(size=6), dtype=torch.float32),
            labels=torch.tensor([0, 0, 0, 0, 0, 1]))
        return [sample]


@pytest.fixture(scope='module')
def cfg(tmp_path_factory):
    root = tmp_path_factory.mktemp('fddb')
    write_fddb(root, FOLDS, SIZE)
    return Config.fromfile(write_config(root))


@pytest.fixture(scope='module')
def whole(cfg, tmp_path_factory):
    """The bytes of a harvest that nothing stopped."""
    out = tmp_path_factory.mktemp('whole') / 'out.jsonl'
    harvest(cfg, Detector(), out, OPTIONS)
    return out.read_bytes()


def test_what_is_written(cfg, tmp_path):
    out = tmp_path / 'new/out.jsonl'
    detector = Detector().train()
    summary = harvest(cfg, detector, out, OPTIONS)
    assert detector.training
    assert detector.seen == NAMES
    entries = read_hard_negatives(out)
    assert list(entries) == sorted(entries)
    boxes = sum(len(entry.boxes) for entry in entries.values())
    assert summary == (5, len(entries), boxes)
    assert str(summary) == (
        f'{boxes} hard negatives in {len(entries)} of 5 pictures')
    header = read_header(out)
    assert (header['score_thr'], header['iou_thr'],
            header['max_per_img']) == (.3, .5, 3)
    # The picture without faces: all detections above .3, of both classes, at
    # most 3.
    sample = DetDataSample(metainfo=dict(img_id=NAMES[4]))
    with torch.no_grad():
        found = Detector().eval().test_step(
            dict(data_samples=[sample]))[0].pred_instances
    scores = np.sort(found.scores[found.scores > .3].numpy())[::-1][:3]
    assert entries[NAMES[4]].scores.tolist() == scores.tolist()
    assert (entries[NAMES[4]].width, entries[NAMES[4]].height) == SIZE
    assert not (tmp_path / 'new/out.jsonl.parts').exists()


def test_a_harvest_goes_on_where_it_stopped(cfg, tmp_path, whole):
    out = tmp_path / 'out.jsonl'
    parts = tmp_path / 'out.jsonl.parts'
    with pytest.raises(Stopped):
        harvest(cfg, Detector(3), out, OPTIONS)
    assert not out.exists()
    file, = parts.glob('rank-0-*.jsonl')
    lines = file.read_text().splitlines(keepends=True)
    assert len(lines) == 3
    # Two lines of another process; the second was being written. The end of
    # a third file never reached the disk.
    file.write_text(''.join(lines[:1]))
    (parts / 'rank-1-a.jsonl').write_text(lines[1] + lines[2][:20])
    (parts / 'rank-1-b.jsonl').write_text(lines[0] + '\0' * 30)
    (parts / '.harvest-x.json').touch()
    detector = Detector()
    assert harvest(cfg, detector, out, OPTIONS).pictures == 5
    assert detector.seen == NAMES[2:]
    assert out.read_bytes() == whole
    assert not parts.exists()


def test_killed_before_the_file_is_written(cfg, tmp_path, whole, monkeypatch):
    """All pictures are done then."""
    out = tmp_path / 'out.jsonl'
    module = sys.modules['tinyfaces.engine.harvest.harvesting']
    with monkeypatch.context() as patch:
        patch.setattr(module, 'write_hard_negatives', lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            harvest(cfg, Detector(), out, OPTIONS)
    harvest(cfg, Detector(0), out, OPTIONS)
    assert out.read_bytes() == whole


def test_parts_of_another_harvest(cfg, tmp_path):
    out = tmp_path / 'out.jsonl'
    with pytest.raises(Stopped):
        harvest(cfg, Detector(2), out, OPTIONS)
    other = Detector()
    torch.nn.init.ones_(other.weight)
    with pytest.raises(
            ValueError,
            match=r'(?s)out.jsonl.parts holds.*weights:'
            '.* remove the folder or set --no-resume'):
        harvest(cfg, other, out, OPTIONS)
    with pytest.raises(ValueError, match=r'score_thr: 0\.3 -> 0\.5'):
        harvest(cfg, Detector(), out, HarvestOptions(max_per_img=3))
    changed = Config(dict(cfg.to_dict()))
    changed.model.test_cfg.rcnn.score_thr = .02
    with pytest.raises(ValueError, match=r'score_thr: 0\.01 -> 0\.02'):
        harvest(changed, Detector(), out, OPTIONS)
    # What was done is still there, until it is to be replaced.
    detector = Detector(1)
    with pytest.raises(Stopped):
        harvest(cfg, detector, out, OPTIONS)
    assert detector.seen == NAMES[2:3]
    with pytest.raises(Stopped):
        harvest(cfg, Detector(1), out, OPTIONS, 'replace')
    assert harvest(cfg, other, out, OPTIONS, 'replace').pictures == 5
    assert other.seen == NAMES
    with pytest.raises(Stopped):
        harvest(cfg, Detector(2), out, OPTIONS)
    detector = Detector()
    harvest(cfg, detector, out, OPTIONS, 'discard')
    assert detector.seen == NAMES
    with pytest.raises(ValueError, match="leftovers must be 'resume'"):
        harvest(cfg, detector, out, OPTIONS, 'keep')


def test_broken_parts_and_a_second_run(cfg, tmp_path):
    out = tmp_path / 'out.jsonl'

    class Second(Detector):

        def test_step(self, batch):
            with pytest.raises(
                    BlockingIOError,
                    match='the harvest of .*out.jsonl is being done by'):
                harvest(cfg, Detector(), out, OPTIONS)
            raise Stopped

    with pytest.raises(Stopped):
        harvest(cfg, Second(), out, OPTIONS)
    with pytest.raises(Stopped):
        harvest(cfg, Detector(2), out, OPTIONS)
    file, = (
        path for path in out.parent.glob('out.jsonl.parts/rank-0-*.jsonl')
        if path.stat().st_size)
    lines = file.read_text().splitlines()
    file.write_text('\n'.join([lines[0], '{"img_id": 3}', '']))
    with pytest.raises(
            ValueError,
            match=r'rank-0-\w+.jsonl, line 2: .*Remedy: remove .*rank-0-'):
        harvest(cfg, Detector(), out, OPTIONS)
    with pytest.raises(IsADirectoryError):
        harvest(cfg, Detector(), tmp_path, OPTIONS)


def test_another_run_may_still_be_at_its_part(tmp_path):
    """No two processes have the same file."""
    parts = HarvestParts(tmp_path / 'out.jsonl')
    parts.begin({}, 'resume')
    with parts.new_file(1) as first, parts.new_file(1) as second:
        assert first.path != second.path


def test_a_full_disk(cfg, tmp_path, whole, monkeypatch):
    """The message names the file of parts; later the harvest goes on."""
    out = tmp_path / 'out.jsonl'
    with monkeypatch.context() as patch:
        patch.setattr(
            engine_parts,
            'open',
            lambda path, mode='r', **options: open(
                '/dev/full'
                if mode == 'xb' else path, mode.replace('x', 'w'), **options),
            raising=False)
        with pytest.raises(
                OSError,
                match=r'out.jsonl.parts/rank-0-\w+.jsonl cannot be written: '
                'No space left .* MiB free'):
            harvest(cfg, Detector(), out, OPTIONS)
    harvest(cfg, Detector(), out, OPTIONS)
    assert out.read_bytes() == whole


def test_another_preprocessor_beside_the_model(cfg, tmp_path):
    """MMEngine puts it into the model."""
    out = tmp_path / 'out.jsonl'
    model = {k: v for k, v in cfg.model.items() if k != 'data_preprocessor'}
    cfg = Config(dict(cfg, model=model))
    with pytest.raises(Stopped):
        harvest(cfg, Detector(2), out, OPTIONS)
    changed = Config(dict(cfg, data_preprocessor=dict(mean=[1, 2, 3])))
    with pytest.raises(ValueError, match='model.data_preprocessor'):
        harvest(changed, Detector(), out, OPTIONS)


def test_other_annotations(cfg, tmp_path):
    """Faces that were corrected in between."""
    root = tmp_path / 'fddb'
    write_fddb(root, FOLDS, SIZE)
    changed = Config.fromfile(write_config(root))
    out = tmp_path / 'out.jsonl'
    with pytest.raises(Stopped):
        harvest(changed, Detector(2), out, OPTIONS)
    write_fddb(root, {**FOLDS, 1: {name: [] for name in NAMES}}, SIZE)
    with pytest.raises(ValueError, match='annotations: '):
        harvest(changed, Detector(), out, OPTIONS)


def test_every_error_reaches_all():

    class Unusual(Exception):

        def __init__(self, first, second):
            super().__init__(f'{first} {second}')

    def fail():
        raise Unusual('a', 'b')

    with pytest.raises(RuntimeError, match='Unusual: a b'):
        on_main_process(fail)
    with pytest.raises(KeyError):
        on_main_process(lambda: {}['a'])


def test_pictures_of_several_datasets(cfg):
    first, = training_datasets(cfg)
    second = dict(first, folds=[2], min_size=200)
    pictures = TrainingPictures([first, Config(second)._cfg_dict])
    assert pictures.keys == [*NAMES, *FOLDS[2]]
    faces, ignored = pictures.faces(1)
    assert (len(faces), len(ignored)) == (len(FOLDS[1][NAMES[1]]), 0)
    faces, ignored = pictures.faces(6)
    assert (len(faces), len(ignored)) == (0, 2)
    assert [len(part) for part in pictures.faces(4)] == [0, 0]
    assert pictures[6]['data_samples'].img_id == list(FOLDS[2])[1]
    with pytest.raises(
            ValueError, match=f"picture '{NAMES[0]}' is in .*twice"):
        TrainingPictures([first, first])


def test_union_of_rounds(tmp_path):

    def write(name, header=(), **entries):
        write_hard_negatives(
            tmp_path / name, {
                key:
                HardNegatives(
                    np.array(boxes, np.float32), np.array(scores, np.float32),
                    *SIZE)
                for key, (boxes, scores) in entries.items()
            }, dict(score_thr=.5, weights=name, **dict(header)))
        return tmp_path / name

    box, other = [1, 2, 3.25, 4], [1, 2, 3.5, 4]
    first = write('1', a=([box, other], [.5, .75]), b=([box], [.5]))
    second = write('2', a=([box], [.625]), c=([other], [.5]))
    out = tmp_path / 'union'
    merge_hard_negatives([first, second], out)
    union = read_hard_negatives(out)
    assert list(union) == ['a', 'b', 'c']
    assert union['a'].boxes.tolist() == [other, box]
    assert union['a'].scores.tolist() == [.75, .625]
    assert json.loads(out.read_text().splitlines()[0]).keys() == {
        'format', 'version', 'score_thr', 'images', 'boxes'
    }
    # One harvest, or the same twice: nothing changes.
    merge_hard_negatives([first, first], out)
    assert out.read_text().splitlines()[1:] == first.read_text().splitlines(
    )[1:]
    third = write('3', header=dict(iou_thr=.4))
    with pytest.raises(ValueError, match='3 was harvested with .*iou_thr'):
        merge_hard_negatives([first, third], out)
