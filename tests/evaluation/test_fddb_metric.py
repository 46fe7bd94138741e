"""``FDDBMetric``: files, curves, partial sets, ellipses, several ranks."""
import json

import numpy as np
import pytest
import torch
from mmdet.registry import METRICS
from mmdet.structures import DetDataSample
from mmengine.evaluator import Evaluator
from mmengine.structures import InstanceData
from tiny_fddb import random_folds, write_fddb

from tinyfaces.datasets.fddb_annotations import ellipses_to_boxes
from tinyfaces.evaluation.functional import (evaluate_fddb,
                                             read_fddb_detections,
                                             read_image_sizes_file, read_roc)
from tinyfaces.evaluation.metrics import FDDBMetric

SIZE = (64, 48)
FOLDS = random_folds(size=SIZE)
TRUTH = {
    name: np.array(faces)
    for pictures in FOLDS.values()
    for name, faces in pictures.items()
}
SIZES = dict.fromkeys(TRUTH, SIZE)


@pytest.fixture(scope='module')
def folds_dir(tmp_path_factory):
    root = tmp_path_factory.mktemp('fddb')
    write_fddb(root, FOLDS, SIZE)
    return str(root / 'FDDB-folds')


def sample(name, boxes, scores, ellipses=None, **meta):
    """A data sample with boxes xyxy."""
    result = DetDataSample(
        metainfo=dict(
            img_id=name,
            ori_shape=SIZE[::-1],
            scale_factor=(1., 1.),
            batch_input_shape=(128, 128),
            **meta))
    result.pred_instances = InstanceData(
        bboxes=torch.tensor(np.asarray(boxes),
                            dtype=torch.float32).reshape(-1, 4),
        scores=torch.tensor(np.asarray(scores), dtype=torch.float32),
        labels=torch.zeros(len(boxes), dtype=torch.long))
    if ellipses is not None:
        result.pred_instances.ellipses = torch.tensor(
            np.asarray(ellipses), dtype=torch.float32).reshape(-1, 5)
    return result


def noisy_samples(names=None, ellipses=False):
    """Every face, moved a little, and one wrong box per picture."""
    rng = np.random.default_rng(0)
    samples = []
    for name, faces in TRUTH.items():
        found = np.vstack([faces, [5, 4, 0, 58, 40]])
        found = found + rng.normal(0, .8, found.shape) * [1, 1, .1, 1, 1]
        scores = np.append(rng.uniform(.3, 1, len(faces)), rng.uniform(0, .5))
        if names is None or name in names:
            samples.append(
                sample(name, ellipses_to_boxes(found), scores,
                       found if ellipses else None))
    return samples


def run(metric, samples):
    evaluator = Evaluator(metric)
    for item in samples:
        evaluator.process([item])
    return evaluator.evaluate(len(samples))


def test_perfect_detections(folds_dir):
    samples = [
        sample(name, ellipses_to_boxes(faces), [.9] * len(faces), faces)
        for name, faces in TRUTH.items()
    ]
    metrics = run(FDDBMetric(folds_dir), samples)
    assert set(metrics) == {
        f'fddb/{kind}_{name}'
        for kind in ('disc', 'cont')
        for name in ('final', *(f'tpr@{fps}'
                                for fps in (50, 100, 200, 500, 1000, 2000)))
    }
    # Float32 may move a border pixel, so "nearly": no curve reaches even 50
    # false positives, and each counts with its last rate.
    for name, value in metrics.items():
        assert value == pytest.approx(1, abs=.02 if 'cont' in name else 0)
    # An ellipse is pi/4 of its box, less what is cut off.
    boxes = run(FDDBMetric(folds_dir, shape='rectangle'), samples)
    assert .6 < boxes['fddb/cont_final'] < .8
    assert boxes['fddb/disc_final'] == 1


@pytest.mark.parametrize('ellipses', [False, True])
def test_files_give_the_same_curves(folds_dir, tmp_path, ellipses):
    """Read back, they hold exactly what was scored."""
    metric = METRICS.build(
        dict(
            type='FDDBMetric',
            folds_dir=folds_dir,
            out_dir=str(tmp_path / 'out'),
            false_positives=(3, 1000)))
    metrics = run(metric, noisy_samples(ellipses=ellipses))
    found = read_fddb_detections(tmp_path / 'out')
    assert list(found) == list(TRUTH)
    assert {x.shape[1] for x in found.values()} == {6 if ellipses else 5}
    sizes = read_image_sizes_file(tmp_path / 'out/image_sizes.txt')
    assert sizes == SIZES
    result = evaluate_fddb(found, TRUTH, sizes)
    for kind in ('disc', 'cont'):
        assert 0 < metrics[f'fddb/{kind}_final'] == result.final(kind)
        for fps, rate in result.tpr_at((3, 1000), kind).items():
            assert metrics[f'fddb/{kind}_tpr@{fps}'] == rate
    assert metrics['fddb/disc_tpr@3'] < metrics['fddb/disc_tpr@1000']
    rows = read_roc(tmp_path / 'out/DiscROC.txt')
    assert rows[:, 0] == pytest.approx(result.tpr('disc'), rel=1e-5)
    assert read_roc(tmp_path / 'out/ContROC.txt').shape == (len(rows), 2)
    assert (tmp_path / 'out/roc.png').read_bytes().startswith(b'\x89PNG')
    content = json.loads((tmp_path / 'out/results.json').read_text())
    assert content['detectors']['detector']['disc']['final'] == (
        metrics['fddb/disc_final'])
    for text in ('all 20 of 20 pictures', f'annotations {folds_dir}',
                 'as ellipses' if ellipses else 'as rectangles',
                 'test resolution: original size, padded inputs 128x128'):
        assert text in content['protocol']


def test_box_convention(folds_dir, tmp_path):
    """w = x2 - x1; (w + 1) x (h + 1) pixels are drawn."""
    name = next(iter(TRUTH))
    metric = FDDBMetric(folds_dir, out_dir=str(tmp_path), format_only=True)
    samples = [sample(name, [[1, 2, 4.00049, 6.0006]], [.5])]
    assert run(metric, samples) == {}
    text = (tmp_path / 'fold-01-out.txt').read_text()
    assert text == f'{name}\n1\n1.0 2.0 3.0 4.001 0.5\n'
    # Only the files of the detections.
    assert {x.name
            for x in tmp_path.iterdir()
            } == {'fold-01-out.txt', 'image_sizes.txt'}


def test_part_of_the_pictures(folds_dir, tmp_path):
    """Only those are scored; what an earlier test left is removed."""
    run(FDDBMetric(folds_dir, out_dir=str(tmp_path)), noisy_samples())
    (tmp_path / 'notes.txt').write_text('mine')
    names = [*FOLDS[3], list(FOLDS[7])[1]]
    metrics = run(
        FDDBMetric(folds_dir, out_dir=str(tmp_path)), noisy_samples(names))
    assert sorted(x.name for x in tmp_path.glob('fold-*')) == [
        'fold-03-out.txt', 'fold-07-out.txt'
    ]
    assert (tmp_path / 'notes.txt').is_file()
    found = read_fddb_detections(tmp_path)
    assert list(found) == names
    result = evaluate_fddb(found, {name: TRUTH[name] for name in names}, SIZES)
    assert metrics['fddb/cont_final'] == result.final('cont')
    protocol = json.loads((tmp_path / 'results.json').read_text())['protocol']
    assert 'subset: 3 of 20 pictures' in protocol
    assert 'folds 3 7' in protocol
    # Curves do not outlive their detections either.
    run(
        FDDBMetric(folds_dir, out_dir=str(tmp_path), format_only=True),
        noisy_samples(FOLDS[5]))
    assert sorted(x.name for x in tmp_path.iterdir()) == [
        'fold-05-out.txt', 'image_sizes.txt', 'notes.txt'
    ]


@pytest.mark.parametrize('format_only', [False, True])
@pytest.mark.parametrize('box', [[1, 2, np.nan, 9], [9, 9, 5, 12]])
def test_bad_detections_leave_the_folder_as_it_was(folds_dir, tmp_path, box,
                                                   format_only):
    run(FDDBMetric(folds_dir, out_dir=str(tmp_path)), noisy_samples())
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    assert len(before) == 15
    last = list(TRUTH)[-1]
    samples = [*noisy_samples(list(TRUTH)[:-1]), sample(last, [box], [.5])]
    metric = FDDBMetric(
        folds_dir, out_dir=str(tmp_path), format_only=format_only)
    with pytest.raises(ValueError, match=f'detections of {last}: (NaN|nega)'):
        run(metric, samples)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_taken_name_leaves_the_folder_as_it_was(folds_dir, tmp_path):
    """The last that can be wrong: a published curve of the same name."""
    run(FDDBMetric(folds_dir, out_dir=str(tmp_path / 'out')), noisy_samples())
    before = {x: x.read_bytes() for x in (tmp_path / 'out').iterdir()}
    (tmp_path / 'detectorDiscROC.txt').write_text('0.9 120 0.5\n')
    metric = FDDBMetric(
        folds_dir, published=[str(tmp_path)], out_dir=str(tmp_path / 'out'))
    with pytest.raises(ValueError, match='of a detector and of a published'):
        run(metric, noisy_samples(FOLDS[1]))
    assert {x: x.read_bytes() for x in (tmp_path / 'out').iterdir()} == before


def test_order_is_that_of_the_lists(folds_dir, tmp_path):
    run(FDDBMetric(folds_dir, out_dir=str(tmp_path)), noisy_samples()[::-1])
    assert list(read_fddb_detections(tmp_path)) == list(TRUTH)


def test_nothing_found(folds_dir, tmp_path):
    samples = [sample(name, [], []) for name in TRUTH]
    metrics = run(FDDBMetric(folds_dir, out_dir=str(tmp_path)), samples)
    assert set(metrics.values()) == {0}
    assert len(read_fddb_detections(tmp_path)) == 20


def test_annotations_in_one_file(folds_dir, tmp_path):
    """One face instead of all: another number of faces divides."""
    path = tmp_path / 'new.txt'
    path.write_text(''.join(f'{name}\n1\n' + ' '.join(map(str, faces[0])) +
                            ' 1\n' for name, faces in TRUTH.items()))
    samples = [
        sample(name, ellipses_to_boxes(faces), [.9] * len(faces), faces)
        for name, faces in TRUTH.items()
    ]
    metric = FDDBMetric(
        folds_dir, ann_file=str(path), out_dir=str(tmp_path / 'out'))
    assert run(metric, samples)['fddb/disc_final'] == 1
    content = json.loads((tmp_path / 'out/results.json').read_text())
    assert content['detectors']['detector']['num_faces'] == 20
    assert str(path) in content['protocol']


def test_published_curves_and_picture(folds_dir, tmp_path):
    (tmp_path / 'HR-DiscROC.txt').write_text('0.9 120 0.5\n0.5 3 0.9\n')
    run(
        FDDBMetric(
            folds_dir,
            published=[str(tmp_path)],
            roc_curve=str(tmp_path / 'curve.png'),
            out_dir=str(tmp_path / 'out')), noisy_samples(FOLDS[1]))
    assert (tmp_path / 'curve.png').read_bytes().startswith(b'\x89PNG')
    content = json.loads((tmp_path / 'out/results.json').read_text())
    assert content['published']['HR']['disc']['tpr_at']['100'] == .5
    assert 'published curves are of all pictures' in content['protocol']


def test_ellipses_must_be_there_for_all_or_none(folds_dir):
    mixed = noisy_samples()[:2] + noisy_samples(ellipses=True)[2:]
    with pytest.raises(ValueError, match='2 of 20 images have no ellipses'):
        run(FDDBMetric(folds_dir), mixed)
    run(FDDBMetric(folds_dir, shape='rectangle'), mixed)
    with pytest.raises(ValueError, match='gives no pred_instances.ellipses'):
        run(FDDBMetric(folds_dir, shape='ellipse'), mixed)


def test_mistakes_show_before_training(folds_dir, tmp_path):
    with pytest.raises(FileNotFoundError, match='FDDB-fold-01.txt'):
        FDDBMetric(str(tmp_path))
    with pytest.raises(FileNotFoundError):
        FDDBMetric(folds_dir, published=[str(tmp_path / 'noneDiscROC.txt')])
    with pytest.raises(ValueError, match='needs out_dir'):
        FDDBMetric(folds_dir, format_only=True)
    with pytest.raises(ValueError, match="shape must be .* not 'box'"):
        FDDBMetric(folds_dir, shape='box')
    (tmp_path / 'file').touch()
    with pytest.raises(NotADirectoryError, match='is a file'):
        FDDBMetric(folds_dir, out_dir=str(tmp_path / 'file'))
    with pytest.raises(FileExistsError, match='holds file, and no image_s'):
        FDDBMetric(folds_dir, out_dir=str(tmp_path))


def test_image_that_is_not_in_the_lists(folds_dir):
    samples = [*noisy_samples(), sample('0--Parade/0_a', [], [])]
    with pytest.raises(ValueError, match="1 of 21 images .*'0--Parade/0_a'"):
        run(FDDBMetric(folds_dir), samples)


def test_results_in_any_order(folds_dir, tmp_path):
    """As several processes give them, one picture twice."""
    samples, written = noisy_samples(list(TRUTH)[:3]), []
    for name, order in (('one', samples), ('two', [*samples[::-1],
                                                   samples[0]])):
        metrics = run(
            FDDBMetric(folds_dir, out_dir=str(tmp_path / name)), order)
        written.append((metrics, {
            path.name: path.read_bytes()
            for path in (tmp_path / name).iterdir()
        }))
    assert written[0] == written[1]
    assert len(written[0][1]) == 7
