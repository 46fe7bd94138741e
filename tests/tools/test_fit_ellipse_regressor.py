import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tiny_detector import RETINANET, save_random_model
from tiny_fddb import write_fddb

from tinyfaces.datasets.fddb_annotations import ellipses_to_boxes, load_fddb
from tinyfaces.ellipses import (FeatureSampling, load_detection_features,
                                load_ellipse_regressor,
                                save_detection_features)
from tinyfaces.evaluation.functional import (evaluate_fddb,
                                             read_fddb_detections,
                                             write_fddb_folds)
from tinyfaces.models import EllipseRegressor

TOOLS = Path(__file__).parents[2] / 'tools'
SIZE = (96, 64)


def load_tool(name, monkeypatch):
    # What a tool does to the environment is undone.
    monkeypatch.setenv('TINYFACES_REGISTER', '0')
    monkeypatch.syspath_prepend(str(TOOLS))
    spec = importlib.util.spec_from_file_location(name, TOOLS / f'{name}.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return lambda *args: module.main([str(arg) for arg in args])


@pytest.fixture
def main(monkeypatch):
    return load_tool('fit_ellipse_regressor', monkeypatch)


@pytest.fixture
def data(tmp_path):
    """FDDB in small, and boxes that begin a fifth below the face's top."""
    write_fddb(tmp_path, size=SIZE)
    folds = load_fddb(tmp_path / 'FDDB-folds')
    rng = np.random.default_rng(0)
    found = {}
    for entries in folds.values():
        for name, ellipses in entries:
            boxes = ellipses_to_boxes(ellipses)
            boxes += rng.normal(0, .3, boxes.shape)
            boxes[:, 1] += .2 * (boxes[:, 3] - boxes[:, 1])
            scores = rng.uniform(.5, 1, (len(boxes), 1))
            found[name] = np.hstack(
                (boxes[:, :2], boxes[:, 2:] - boxes[:, :2], scores))
    lists = {fold: [e.name for e in part] for fold, part in folds.items()}
    write_fddb_folds(found, lists, tmp_path / 'found')
    sizes = ''.join(f'{name} {SIZE[0]} {SIZE[1]}\n' for name in found)
    (tmp_path / 'sizes.txt').write_text(sizes)
    return tmp_path


def test_everything_at_once(data, main, capsys):
    out = data / 'out'
    assert main(data / 'found', '--gt', data / 'FDDB-folds', '--images',
                data / 'originalPics', '--out', out / 'r.npz',
                '--detections-out', out / 'ellipses', '--json', out / 'r.json',
                '--plot', out / 'roc.png', '--draw', out / 'fit.png',
                '--num-drawn', 5) == 0
    printed = capsys.readouterr().out
    for text in ('box features, held out: ', 'pairs with a clamped cot(theta)',
                 "S3FD's map", 'continuous ROC', '5 pictures drawn',
                 '10 folds held out in turn, annotations: original'):
        assert text in printed
    content = json.loads((out / 'r.json').read_text())
    results = content['results']
    assert list(results) == ['boxes', 'box features, held out', "S3FD's map"]
    fit = content['fits']['box features, held out']
    assert fit['num_features'] == 2 and len(fit['alpha_of_folds']) == 10
    assert fit['iou_thr'] == load_ellipse_regressor(
        out / 'r.npz').iou_thr == .5
    assert fit['num_pairs'] == load_ellipse_regressor(out / 'r.npz').num_pairs
    # The files hold what was scored.
    truth = {
        e.name: e.ellipses
        for part in load_fddb(data / 'FDDB-folds').values()
        for e in part
    }
    sizes = dict.fromkeys(truth, SIZE)
    written = read_fddb_detections(out / 'ellipses')
    for row, found in (('boxes', read_fddb_detections(data / 'found')),
                       ('box features, held out', written)):
        result = evaluate_fddb(found, truth, sizes)
        for kind in ('disc', 'cont'):
            assert results[row][kind]['final'] == pytest.approx(
                result.final(kind))
    # Boxes are off in a way that a linear map can mend.
    assert results['box features, held out']['cont']['final'] > \
        results['boxes']['cont']['final'] + .05
    for name in ('roc.png', 'fit.png'):
        assert (out / name).read_bytes().startswith(b'\x89PNG')
    EllipseRegressor(out / 'r.npz')


def test_features_in_a_file(data, main, capsys):
    found = read_fddb_detections(data / 'found')
    truth = {
        e.name: e.ellipses
        for part in load_fddb(data / 'FDDB-folds').values()
        for e in part
    }
    # What no box tells: the angle.
    features = {
        name:
        np.column_stack(
            (np.cos(2 * truth[name][:, 2]), np.sin(2 * truth[name][:, 2])))
        for name in found
    }
    file = data / 'features.npz'
    save_detection_features(found, features, FeatureSampling('neck', 3.), file)
    common = (file, '--gt', data / 'FDDB-folds', '--sizes', data / 'sizes.txt')
    assert main(*common, '--out', data / 'r.npz', '--json',
                data / 'r.json') == 0
    results = json.loads((data / 'r.json').read_text())['results']
    assert list(results) == [
        'boxes', 'box features, held out', 'neck features, held out',
        "S3FD's map"
    ]
    assert results['neck features, held out']['cont']['final'] > \
        results['box features, held out']['cont']['final']
    regressor = load_ellipse_regressor(data / 'r.npz')
    assert regressor.sampling == FeatureSampling('neck', 3.)
    assert regressor.num_features == 4
    assert main(*common, '--box-only', '--out', data / 'r.npz', '--alpha',
                .5) == 0
    regressor = load_ellipse_regressor(data / 'r.npz')
    assert regressor.sampling is None and regressor.alpha == .5
    assert 'neck' not in capsys.readouterr().out.split('box features')[-1]


def test_part_of_the_pictures(data, main, capsys):
    (data / 'found/fold-03-out.txt').unlink()
    out = data / 'out'
    out.mkdir()
    (out / 'fold-03-out.txt').write_text('of an earlier run')
    common = (data / 'found', '--gt', data / 'FDDB-folds', '--sizes',
              data / 'sizes.txt')
    assert main(*common) == 1
    assert 'no detections for 2 of 20 pictures' in capsys.readouterr().err
    assert main(*common, '--only-given', '--detections-out', out) == 0
    assert '9 folds held out in turn' in capsys.readouterr().out
    assert len(list(out.iterdir())) == 9
    assert not (out / 'fold-03-out.txt').exists()


def test_nothing_to_draw(data, main, capsys):
    (data / 'empty').mkdir()
    assert main(data / 'found', '--gt', data / 'FDDB-folds', '--images',
                data / 'empty', '--sizes', data / 'sizes.txt', '--draw',
                data / 'fit.png') == 0
    assert 'nothing drawn' in capsys.readouterr().out
    assert not (data / 'fit.png').exists()


def test_bad_input(data, main, capsys):
    common = ('--gt', data / 'FDDB-folds', '--sizes', data / 'sizes.txt')
    ellipses = {
        e.name: np.column_stack((e.ellipses, np.ones(len(e.ellipses))))
        for part in load_fddb(data / 'FDDB-folds').values()
        for e in part
    }
    write_fddb_folds(ellipses, {1: list(ellipses)}, data / 'ellipses')
    (data / 'ellipses/fold-01-out.txt').rename(data / 'all.txt')
    (data / 'x.npz').write_text('nothing')
    (data / 'folder.npz').mkdir()
    (data / 'turned.txt').write_text(''.join(f'{name} {SIZE[1]} {SIZE[0]}\n'
                                             for name in ellipses))
    for args, message in (
        ((data / 'none', *common), 'no such file'),
        ((data / 'all.txt', *common), 'holds ellipses already'),
        ((data / 'x.npz', *common), 'no file of detections with features'),
        ((data / 'folder.npz', *common), 'folder.npz is a folder; give a fil'),
        ((data / 'found', '--gt', data / 'FDDB-folds', '--sizes',
          data / 'turned.txt'), 'centre outside the picture'),
        ((data / 'found', *common, '--s3fd-fit', data / 'none'), 'none'),
        ((data / 'found', '--gt', data / 'FDDB-folds', '--images', data),
         'originalPics of the official download'),
    ):
        assert main(*args) == 1
        printed = capsys.readouterr().err
        assert printed.startswith('error: ') and message in printed
    for args in (('--gt', 'x'), ('--gt', 'x', '--sizes', 'y', '--draw',
                                 'z'), ('--gt', 'x', '--sizes', 'y', '--out',
                                        'r.pth'), (*common, '--num-drawn', 0),
                 (*common, '--detections-out', 'found'),
                 (*common, '--iou-thr', 'nan'), (*common, '--iou-thr', -1),
                 (*common, '--iou-thr', 1), (*common, '--alpha',
                                             -1), (*common, '--alpha', 'inf')):
        with pytest.raises(SystemExit, match='2'):
            main('found', *args)


def test_without_torch(data):
    code = ('import sys, runpy; sys.argv = sys.argv[1:]\n'
            'try: runpy.run_path(sys.argv[0], run_name="__main__")\n'
            'except SystemExit as end: assert not end.code\n'
            'assert "torch" not in sys.modules, "torch was imported"\n')
    run = subprocess.run([
        sys.executable, '-c', f'import sys; sys.path.insert(0, {str(TOOLS)!r})'
        f'\n{code}', TOOLS / 'fit_ellipse_regressor.py', data / 'found',
        '--gt', data / 'FDDB-folds', '--sizes', data / 'sizes.txt', '--out',
        data / 'r.npz', '--draw', data / 'fit.png', '--images',
        data / 'originalPics', '--plot', data / 'roc.png'
    ],
                         capture_output=True,
                         text=True)
    assert run.returncode == 0, run.stderr
    assert (data / 'fit.png').exists() and (data / 'r.npz').exists()


def test_extracting_features(data, monkeypatch, capsys):
    main = load_tool('extract_fddb_features', monkeypatch)
    save_random_model(RETINANET, data)
    pipeline = [
        dict(type='LoadImageFromFile'),
        dict(type='Resize', scale_factor=2., keep_ratio=True),
        dict(
            type='PackDetInputs',
            meta_keys=('ori_shape', 'img_shape', 'scale_factor'))
    ]
    with open(data / 'config.py', 'a') as stream:
        stream.write(
            f'\ntest_dataloader = dict(dataset=dict(pipeline={pipeline}))\n')
    args = (data / 'config.py', data / 'weights.pth', '--gt',
            data / 'FDDB-folds', '--images', data / 'originalPics', '--out',
            data / 'f.npz', '--device', 'cpu')
    names = [
        e.name for part in load_fddb(data / 'FDDB-folds').values()
        for e in part
    ]
    (data / f'originalPics/{names[3]}.jpg').unlink()
    assert main(*args) == 1
    assert 'originalPics of the official' in capsys.readouterr().err
    assert not (data / 'f.npz').exists()
    assert main(*args, '--only-given') == 0
    assert '19 of 20 pictures' in capsys.readouterr().out
    found = load_detection_features(data / 'f.npz')
    assert list(found.detections) == names[:3] + names[4:]
    assert found.sampling.source == 'neck'
    np.testing.assert_allclose(found.sampling.level_scale, 2 * 2**.25)
    total = 0
    for name, rows in found.detections.items():
        assert found.features[name].shape == (len(rows), 64)
        assert (rows[:, :2] + rows[:, 2:4] <= np.add(SIZE, 1e-3)).all()
        total += len(rows)
    assert total > 100
    assert main(*args, '--only-given', '--source', 'backbone') == 1
    assert 'channels' in capsys.readouterr().err
    with pytest.raises(SystemExit, match='2'):
        main(*args[:-4], '--out', 'f.txt')


def test_features_of_all_levels_and_views(data, monkeypatch, capsys):
    """From a multi-scale test, through a fit, to ellipses of such a test."""
    main = load_tool('extract_fddb_features', monkeypatch)
    save_random_model(RETINANET, data)
    with open(data / 'config.py', 'a') as stream:
        stream.write('\ntest_dataloader = dict(dataset=dict(pipeline=[]))\n')
    (data / 'tta.py').write_text(
        "tta_model = dict(type='MultiScaleTestModel', plan=dict("
        "type='ScalePlan', scales=[dict(scale=1.), dict(scale=2.)]), "
        "tta_cfg=dict(nms=dict(type='nms', iou_threshold=.4), max_per_img=50)"
        ")\n"
        "tta_pipeline = [dict(type='LoadImageFromFile'), dict("
        "type='PackDetInputs', meta_keys=('ori_shape', 'img_shape'))]\n")
    common = ('--gt', data / 'FDDB-folds', '--images', data / 'originalPics')
    assert main(data / 'config.py', data / 'weights.pth', *common, '--out',
                data / 'f.npz', '--device', 'cpu', '--source', 'backbone',
                '--all-levels', '--tta', data / 'tta.py') == 0
    found = load_detection_features(data / 'f.npz')
    assert found.sampling == FeatureSampling(
        'backbone', found.sampling.level_scale, all_levels=True)
    np.testing.assert_allclose(found.sampling.level_scale, 2 * 2**.25)
    # Channels of the four maps of the backbone.
    assert {part.shape[1] for part in found.features.values()} == {472}
    assert sum(map(len, found.features.values())) > 100
    fit = load_tool('fit_ellipse_regressor', monkeypatch)
    assert fit(data / 'f.npz', *common, '--iou-thr', 0, '--alpha', 1, '--out',
               data / 'r.npz') == 0
    assert 'backbone features, held out' in capsys.readouterr().out
    assert load_ellipse_regressor(data / 'r.npz').sampling == found.sampling
    step = EllipseRegressor(data / 'r.npz')
    assert step.feature_source == 'backbone' and step.sampler.all_levels
