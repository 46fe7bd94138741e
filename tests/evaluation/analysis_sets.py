"""Tiny sets for the tests of the error analysis."""
import numpy as np

from tinyfaces.evaluation.analysis import Kind
from tinyfaces.evaluation.functional import WiderGroundTruth


def make_truth(images, **settings):
    """Ground truth of key -> boxes; settings are lists of bool, all faces."""
    boxes = [b for faces in images.values() for b in faces]
    sizes = [len(faces) for faces in images.values()]
    keep = {name: np.array(flags, bool) for name, flags in settings.items()}
    return WiderGroundTruth(
        tuple(images),
        np.array(boxes, float).reshape(-1, 4),
        np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64), keep
        or {'all': np.ones(len(boxes), bool)}, len(images))


#: Four faces of 10 x 10 pixels, the last one not counted in "some".
FACES = {
    'a/1': [[0, 0, 9, 9], [100, 0, 9, 9]],
    'a/2': [[0, 0, 9, 9], [100, 0, 9, 9]],
}
#: By score: true, background, true, duplicate, localisation, ignored.
FOUND = {
    'a/1':
    np.array([
        [0, 0, 9, 9, .9],
        [50, 50, 9, 9, .8],
        [0, 0, 9, 8, .6],
        [105, 0, 9, 9, .5],
    ]),
    'a/2':
    np.array([
        [100, 0, 9, 9, .4],
        [1, 0, 8, 9, .7],
    ]),
}


def small_set():
    """Ground truth of the settings "all" and "some", and the detections."""
    truth = make_truth(FACES, all=[True] * 4, some=[True, True, True, False])
    return truth, FOUND


def scores_of(found):
    """Scores of all images: the protocol's range includes faceless ones."""
    return np.concatenate([np.zeros(0)] +
                          [rows[:, 4] for rows in found.values()])


def check_curve(matched, labels, curve, scores):
    """True and false positives at the 1,000 thresholds, counted plainly."""
    if not len(scores) or scores.min() == scores.max():
        return
    normal = (matched.scores - scores.min()) / (scores.max() - scores.min())
    for at in range(0, 1000, 37):
        above = normal >= 1 - (at + 1) / 1000
        right = np.count_nonzero(above & (labels.kind == Kind.TRUE))
        false = np.count_nonzero(above & labels.is_false)
        if right + false:
            assert curve.precision[at] == right / (right + false)
        else:
            assert np.isnan(curve.precision[at])
        if curve.num_faces:
            assert curve.recall[at] == right / curve.num_faces
