import json
from dataclasses import replace

import numpy as np
import pytest

from tinyfaces.ellipses import (FeatureSampling, box_features, decode_ellipses,
                                fit_ellipse_regressor, load_detection_features,
                                load_ellipse_regressor,
                                save_detection_features,
                                save_ellipse_regressor)

SIZE = (450, 300)


def planted(n=60, seed=0):
    """Boxes, features and the ellipses of a linear map, and the map."""
    rng = np.random.default_rng(seed)
    corner = rng.uniform(0, 200, (n, 2))
    # Upright, so that no decoded ellipse has its axes exchanged.
    sides = rng.uniform(20, 60, (n, 1)) * [1, 0] + [0, 90]
    boxes = np.hstack((corner, corner + sides + rng.uniform(0, 9, (n, 2))))
    features = box_features(boxes, SIZE)
    weights = rng.normal(0, .05, (2, 5))
    bias = np.array([.02, -.1, .3, .1, .05])

    def ellipses(boxes):
        targets = box_features(boxes, SIZE) @ weights + bias
        return decode_ellipses(boxes, targets)

    return boxes, features, ellipses


def test_recovers_a_planted_map():
    boxes, features, truth = planted()
    regressor = fit_ellipse_regressor(features, boxes, truth(boxes), alpha=0.)
    inside = boxes[:5] + [3, 3, 3, 3]
    np.testing.assert_allclose(
        regressor.predict(box_features(inside, SIZE), inside),
        truth(inside),
        atol=1e-6)
    assert regressor.num_features == 2 and regressor.num_pairs == 60
    assert regressor.num_images == 60 and regressor.num_clamped == 0
    # Without noise the smallest penalty is chosen.
    assert fit_ellipse_regressor(features, boxes, truth(boxes)).alpha == 1e-6


def test_targets_stay_in_the_range_of_the_fit():
    boxes, features, truth = planted()
    regressor = fit_ellipse_regressor(features, boxes, truth(boxes), alpha=0.)
    far = np.array([[0., 0., 4., 4000.]])
    found = regressor.predict(box_features(far, SIZE) * 50, far)
    low = decode_ellipses(far, regressor.lowest[None])[0]
    high = decode_ellipses(far, regressor.highest[None])[0]
    assert low[0] - 1e-9 <= found[0, 0] <= high[0] + 1e-9
    assert low[1] - 1e-9 <= found[0, 1] <= high[1] + 1e-9


def test_box_features_stay_in_the_range_of_the_fit():
    boxes, features, truth = planted()
    # Columns before the box features are those of a detector.
    own = np.random.default_rng(1).normal(size=(len(boxes), 1))
    features = np.hstack((own, features))
    ellipses = truth(boxes) + own * [0, 0, 0, 2, 0]
    regressor = fit_ellipse_regressor(features, boxes, ellipses, alpha=0.)
    np.testing.assert_array_equal(regressor.box_lowest,
                                  features[:, 1:].min(axis=0))
    # No target reaches its limit, so that only the features are clipped.
    regressor = replace(
        regressor, lowest=np.full(5, -9.), highest=np.full(5, 9.))
    for edge, step in ((features.min(axis=0), -1), (features.max(axis=0), 1)):
        inside, beyond = edge[None], edge[None] + [0, step, 2 * step]
        np.testing.assert_array_equal(
            regressor.predict(beyond, boxes[:1]),
            regressor.predict(inside, boxes[:1]))
        assert not np.allclose(
            regressor.predict(edge[None] + [step, 0, 0], boxes[:1]),
            regressor.predict(inside, boxes[:1]))


def test_lying_faces_are_counted_and_do_not_spoil_the_fit():
    boxes, features, truth = planted(200)
    ellipses = truth(boxes)
    lying = ellipses.copy()
    lying[0, 2] = 1e-9  # cot = 1e9
    clean = fit_ellipse_regressor(features, boxes, ellipses, alpha=1e-3)
    regressor = fit_ellipse_regressor(features, boxes, lying, alpha=1e-3)
    assert (clean.num_clamped, regressor.num_clamped) == (0, 1)
    before = clean.predict(features[1:], boxes[1:])
    after = regressor.predict(features[1:], boxes[1:])
    turned = (after[:, 2] - before[:, 2] + np.pi / 2) % np.pi - np.pi / 2
    assert np.abs(turned).max() < np.radians(8)
    np.testing.assert_allclose(after[:, :2], before[:, :2])


@pytest.mark.parametrize('change, message', [
    (dict(alpha=-1), 'alpha is -1'),
    (dict(alpha=np.nan), 'alpha is nan'),
    (dict(alpha=np.inf), 'alpha is inf'),
    (dict(features=np.zeros((60, 1))), 'features of shape'),
    (dict(features=np.zeros((3, 2))), 'features of shape'),
    (dict(features=np.full((60, 2), np.nan)), 'not a finite number'),
    (dict(groups=np.zeros(3)), 'groups of shape'),
    (dict(groups=np.zeros(60, int)), 'too few pictures'),
    (dict(boxes=np.zeros((60, 4))), 'box 0 '),
    (dict(ellipses=np.ones((59, 5))), '60 boxes but 59 ellipses'),
])
def test_bad_input(change, message):
    boxes, features, truth = planted()
    given = dict(features=features, boxes=boxes, ellipses=truth(boxes))
    with pytest.raises(ValueError, match=message):
        fit_ellipse_regressor(**{**given, **change})


def test_too_few_pairs():
    boxes, features, truth = planted(1)
    with pytest.raises(ValueError, match='1 pairs .* too few'):
        fit_ellipse_regressor(features, boxes, truth(boxes))


def test_other_features_are_refused():
    boxes, features, truth = planted()
    regressor = fit_ellipse_regressor(features, boxes, truth(boxes), alpha=0.)
    with pytest.raises(ValueError, match=r'2 features .*\(60, 3\)'):
        regressor.predict(np.ones((60, 3)), boxes)


@pytest.fixture
def regressor():
    boxes, features, truth = planted()
    return fit_ellipse_regressor(features, boxes, truth(boxes))


def test_files_keep_everything(regressor, tmp_path):
    boxes, features, _ = planted()
    for sampling in (None, FeatureSampling('neck', 2.5),
                     FeatureSampling('backbone', 4., all_levels=True)):
        regressor = replace(regressor, sampling=sampling, iou_thr=.4)
        save_ellipse_regressor(regressor, tmp_path / 'r.npz')
        loaded = load_ellipse_regressor(tmp_path / 'r.npz')
        np.testing.assert_array_equal(
            loaded.predict(features, boxes),
            regressor.predict(features, boxes))
        for name in ('alpha', 'num_images', 'num_pairs', 'num_clamped',
                     'sampling', 'num_features', 'iou_thr'):
            assert getattr(loaded, name) == getattr(regressor, name)
    assert [p.name for p in tmp_path.iterdir()] == ['r.npz']
    assert str(tmp_path).encode() not in (tmp_path / 'r.npz').read_bytes()


def rewrite(path, **changes):
    with np.load(path) as archive:
        content = dict(archive)
    content.update(changes)
    np.savez(path, **{k: v for k, v in content.items() if v is not None})


def test_files_of_another_kind(regressor, tmp_path):
    path = tmp_path / 'r.npz'
    for content in (b'', b'text', np.zeros(3)):
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            with open(path, 'wb') as stream:
                np.save(stream, content)
        with pytest.raises(ValueError, match='r.npz is no ellipse regr.*fit_'):
            load_ellipse_regressor(path)
    np.savez(path, about=json.dumps([1]), mean=1)
    with pytest.raises(ValueError, match='no ellipse regressor'):
        load_ellipse_regressor(path)
    with pytest.raises(FileNotFoundError, match='none.npz does not exist'):
        load_ellipse_regressor(tmp_path / 'none.npz')
    (tmp_path / 'folder.npz').mkdir()
    with pytest.raises(IsADirectoryError, match='folder.npz is a folder; giv'):
        load_ellipse_regressor(tmp_path / 'folder.npz')
    with pytest.raises(ValueError, match='must end in .npz'):
        save_ellipse_regressor(regressor, tmp_path / 'r.pth')


def test_damaged_files(regressor, tmp_path):
    path = tmp_path / 'r.npz'
    save_ellipse_regressor(regressor, path)
    whole = path.read_bytes()
    about = json.loads(str(np.load(path)['about']))
    for changes, message in (
        (dict(weights=np.zeros((3, 5))), r'"weights" must be \(2, 5\)'),
        (dict(weights=np.zeros((2, 4))), r'"weights" must be \(2, 5\)'),
        (dict(bias=np.full(5, np.nan)), '"bias" must be'),
        (dict(bias=np.zeros(5, int)), '"bias" must be'),
        (dict(box_lowest=np.zeros(3)), r'"box_lowest" must be \(2,\)'),
        (dict(lowest=None), 'no ellipse regressor'),
        (dict(scale=np.array(['x', 'y'], dtype=object)), 'no ellipse'),
        (dict(about=json.dumps({
            **about, 'version': 9
        })), 'version 9'),
        (dict(about=json.dumps({
            **about, 'format': 'x'
        })), 'no ellipse'),
        (dict(about=json.dumps({
            **about, 'sampling': {
                'a': 1
            }
        })), 'damaged'),
    ):
        path.write_bytes(whole)
        rewrite(path, **changes)
        with pytest.raises(ValueError, match=message):
            load_ellipse_regressor(path)


def test_feature_files(tmp_path):
    path = tmp_path / 'f.npz'
    detections = {
        'a': np.arange(10.).reshape(2, 5),
        'b/c': np.zeros((0, 5)),
        'd': np.ones((1, 5))
    }
    features = {
        'a': np.arange(6.).reshape(2, 3),
        'b/c': np.zeros((0, 3)),
        'd': np.full((1, 3), 7.)
    }
    sampling = FeatureSampling('backbone', 3.)
    save_detection_features(detections, features, sampling, path)
    loaded = load_detection_features(path)
    assert loaded.sampling == sampling
    for ours, theirs in ((detections, loaded.detections), (features,
                                                           loaded.features)):
        assert list(ours) == list(theirs)
        for name in ours:
            np.testing.assert_array_equal(ours[name], theirs[name])
    save_detection_features(detections, features,
                            FeatureSampling('neck', 2., True), path)
    assert load_detection_features(path).sampling.all_levels
    # As written before there was a choice.
    rewrite(path, all_levels=None)
    assert load_detection_features(path).sampling == FeatureSampling(
        'neck', 2.)
    for changes in (dict(counts=np.array([2, 0, 2])), dict(format='x'),
                    dict(features=None),
                    dict(detections=np.array([[1, 2, -3, 4, 5.]] * 3)),
                    dict(detections=np.array([[1e7, 2, 3, 4, 5.]] * 3)),
                    dict(detections=np.array([[1, 2, 3, 4, np.nan]] * 3)),
                    dict(features=np.full((3, 3), np.inf))):
        save_detection_features(detections, features, sampling, path)
        rewrite(path, **changes)
        with pytest.raises(ValueError, match='no file of detections with'):
            load_detection_features(path)
    with pytest.raises(ValueError, match='must end in .npz'):
        save_detection_features(detections, features, sampling, 'f.txt')
    with pytest.raises(FileNotFoundError, match='does not exist'):
        load_detection_features(tmp_path / 'none.npz')
