import numpy as np
import pytest

from tinyfaces.datasets.fddb_annotations import FDDBEntry, load_fddb
from tinyfaces.ellipses import (cross_validate_ellipses, decode_ellipses,
                                fit_ellipse_regressor, join_features,
                                match_detections, rectangles_to_boxes)
from tinyfaces.evaluation.functional import (evaluate_fddb,
                                             read_fddb_detections,
                                             read_image_sizes_file)

SIZE = (450, 300)


def small_set(num_folds=4, pictures=6, seed=0):
    """Folds with two faces a picture, and noisy detections of them."""
    rng = np.random.default_rng(seed)
    folds, detections, features = {}, {}, {}
    for fold in range(1, num_folds + 1):
        folds[fold] = []
        for number in range(pictures):
            name = f'{fold}/{number}'
            corner = np.array([[40., 60], [240., 60]]) + rng.uniform(
                0, 20, (2, 2))
            boxes = np.hstack((corner, corner + rng.uniform(60, 120, (2, 2))))
            own = rng.normal(size=(2, 3))
            targets = np.column_stack(
                (own * .05, rng.normal(0, .02, (2, 2)) + [.2, 0]))
            folds[fold].append(
                FDDBEntry(name,
                          decode_ellipses(boxes, targets[:, [0, 1, 3, 2, 4]])))
            # A third detection shows nothing.
            rows = np.vstack((boxes, [5, 250, 25, 280]))
            detections[name] = np.column_stack(
                (rows[:, :2], rows[:, 2:] - rows[:, :2], [.9, .8, .1]))
            features[name] = np.vstack((own, np.zeros(3)))
    sizes = {name: SIZE for name in detections}
    return detections, folds, sizes, features


def test_held_out_folds_never_see_their_own_faces():
    detections, folds, sizes, features = small_set()
    before = cross_validate_ellipses(detections, folds, sizes, features)
    changed = {
        fold: [
            FDDBEntry(e.name, e.ellipses * [1.3, .8, 1, 1, 1] +
                      [0, 0, .3, 4, 5]) if fold == 2 else e for e in entries
        ]
        for fold, entries in folds.items()
    }
    after = cross_validate_ellipses(detections, changed, sizes, features)
    for fold, entries in folds.items():
        for entry in entries:
            same = np.array_equal(before.detections[entry.name],
                                  after.detections[entry.name])
            # Fold 2's ellipses ignore fold 2's annotations, others use them.
            assert same == (fold == 2)
    assert before.regressors[2].alpha == after.regressors[2].alpha


def test_a_fold_by_hand():
    detections, folds, sizes, features = small_set()
    found = cross_validate_ellipses(
        detections, folds, sizes, features, alpha=.01)
    parts = []
    for fold in (1, 2, 4):
        for name, ellipses in folds[fold]:
            boxes = rectangles_to_boxes(detections[name])
            pairs = match_detections(boxes, ellipses)
            assert pairs.tolist() == [[0, 0], [1, 1]]
            joined = join_features(boxes, SIZE, features[name])
            parts.append((joined[:2], boxes[:2], ellipses))
    regressor = fit_ellipse_regressor(
        *map(np.concatenate, zip(*parts)), alpha=.01)
    for name, _ in folds[3]:
        boxes = rectangles_to_boxes(detections[name])
        expected = regressor.predict(
            join_features(boxes, SIZE, features[name]), boxes)
        np.testing.assert_allclose(found.detections[name][:, :5], expected)
        np.testing.assert_array_equal(found.detections[name][:, 5],
                                      detections[name][:, 4])
    assert found.regressors[3].num_pairs == 36
    assert found.regressors[3].num_images == 18
    assert found.final.num_pairs == 48 and found.final.num_images == 24


def test_own_features_help():
    detections, folds, sizes, features = small_set(pictures=12)
    truth = {e.name: e.ellipses for part in folds.values() for e in part}
    scores = []
    for extra in (None, features):
        found = cross_validate_ellipses(detections, folds, sizes, extra)
        scores.append(
            evaluate_fddb(found.detections, truth, sizes).final('cont'))
    boxes = evaluate_fddb(detections, truth, sizes).final('cont')
    assert boxes < scores[0] < scores[1]


def test_pictures_without_detections_and_thin_boxes():
    detections, folds, sizes, _ = small_set()
    detections['1/0'] = np.zeros((0, 5))
    detections['1/1'][2, 2] = 0
    found = cross_validate_ellipses(detections, folds, sizes)
    assert found.detections['1/0'].shape == (0, 6)
    assert found.detections['1/1'][2, :2].min() > 0


def test_bad_input():
    detections, folds, sizes, features = small_set()
    with pytest.raises(ValueError, match='two folds or more, not 1'):
        cross_validate_ellipses(detections, {1: folds[1]}, sizes)
    for iou_thr in (-.1, 1, np.nan):
        with pytest.raises(ValueError, match=f'iou_thr is {iou_thr}'):
            cross_validate_ellipses(detections, folds, sizes, iou_thr=iou_thr)
    with pytest.raises(ValueError, match='fold 9 has no pictures'):
        cross_validate_ellipses(detections, {**folds, 9: []}, sizes)
    for name, tables in (
        ('detections', ({}, sizes, features)),
        ('size', (detections, {}, features)),
        ('features', (detections, sizes, {
            '1/0': features['1/0']
        })),
    ):
        with pytest.raises(ValueError, match=f'no {name} for .* first is [1]'):
            cross_validate_ellipses(tables[0], folds, tables[1], tables[2])
    far = {name: rows + [9e3, 0, 0, 0, 0] for name, rows in detections.items()}
    with pytest.raises(ValueError, match='0 pairs .* too few'):
        cross_validate_ellipses(far, folds, sizes)


@pytest.mark.real_data
def test_continuous_score_of_mtcnn_rises(real_data):
    root = real_data / 'fddb'
    folds = load_fddb(root / 'FDDB-folds')
    truth = {e.name: e.ellipses for part in folds.values() for e in part}
    detections = read_fddb_detections(root / 'detections_mtcnn')
    sizes = read_image_sizes_file(root / 'image_sizes.txt')
    found = cross_validate_ellipses(detections, folds, sizes)
    before = evaluate_fddb(detections, truth, sizes)
    after = evaluate_fddb(found.detections, truth, sizes)
    assert before.final('cont') == pytest.approx(.674485, abs=2e-5)
    assert after.final('cont') >= .77
    assert after.final('disc') > before.final('disc') - .001
    assert found.final.num_pairs == 4544 and found.final.num_clamped == 0
