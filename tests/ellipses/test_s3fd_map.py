import numpy as np
import pytest

from tinyfaces.datasets.fddb_annotations import load_fddb
from tinyfaces.ellipses import S3FD_MAP, S3FDEllipseMap, read_fit_mat
from tinyfaces.evaluation.functional import (evaluate_fddb,
                                             read_fddb_detections,
                                             read_image_sizes_file)
from tinyfaces.evaluation.functional.fddb_masks import draw_ellipse


def test_mean_box_by_hand():
    # The mean of the inputs gives the mean of the outputs, its angle turned.
    found = S3FD_MAP.predict([[156.139, 78.398, 84.931, 116.113]])
    np.testing.assert_allclose(
        found, [[70.912, 46.731, -.0154 + np.pi / 2, 198.482, 127.663]])


def test_one_deviation_wider_by_hand():
    found = S3FD_MAP.predict([[156.139, 78.398, 84.931 + 44.335, 116.113]])[0]
    np.testing.assert_allclose(found[0], 70.912 + .42953 * 37.423)
    np.testing.assert_allclose(found[1], 46.731 + .72043 * 24.517)
    # theta below 0 is turned forwards, above it backwards.
    np.testing.assert_allclose(found[2], -.0154 - .31514 * .1365 + np.pi / 2)
    taller = S3FD_MAP.predict([[156.139, 78.398, 84.931, 116.113 + 62.02]])[0]
    np.testing.assert_allclose(taller[2], -.0154 + .29616 * .1365 - np.pi / 2)


def test_half_axes_stay_positive_far_from_fddb():
    found = S3FD_MAP.predict([[9000, 0, 5, 5], [0, 0, 0, 0]])
    assert (found[:, :2] >= .5).all() and np.isfinite(found).all()
    assert S3FD_MAP.predict(np.zeros((0, 4))).shape == (0, 5)


def write_fit(path, **changes):
    h5py = pytest.importorskip('h5py')
    numbers = dict(
        meanX=np.arange(4.)[:, None],
        stdX=np.ones((4, 1)),
        w=np.arange(20.).reshape(5, 4),
        meanY=np.arange(5.)[:, None],
        stdY=np.ones((5, 1)))
    numbers.update(changes)
    with h5py.File(path, 'w') as file:
        for name, array in numbers.items():
            if array is not None:
                file[name] = array


def test_fit_mat_is_read_transposed(tmp_path):
    write_fit(tmp_path / 'Fit.mat')
    fit = read_fit_mat(tmp_path / 'Fit.mat')
    assert isinstance(fit, S3FDEllipseMap)
    np.testing.assert_array_equal(fit.weights[:, 1], [4, 5, 6, 7])
    found = fit.predict([[1, 1, 2, 3]])[0]  # standardised: 1, 0, 0, 0
    # The second axis is the longer one: exchanged, and the angle turned.
    np.testing.assert_allclose(found, [5, .5, 10 - 3 * np.pi, 15, 20])


def test_major_axis_comes_first_and_draws_the_same():
    wide = np.array([[100., 80, 300, 20], [30, 40, 400, 50]])
    found = S3FD_MAP.predict(wide)
    assert (found[:, 0] > found[:, 1]).all()
    assert (np.abs(found[:, 2]) < .5).all()  # Lying, as the boxes do.
    raw = (wide - S3FD_MAP.mean_in) / S3FD_MAP.std_in @ S3FD_MAP.weights
    raw = raw * S3FD_MAP.std_out + S3FD_MAP.mean_out
    assert (raw[:, 0] < raw[:, 1]).all()
    raw[:, 2] += np.pi / 2
    for one, other in zip(found, raw):
        np.testing.assert_array_equal(
            draw_ellipse(one, (450, 450)).mask,
            draw_ellipse(other, (450, 450)).mask)


def test_bad_fit_mat(tmp_path, monkeypatch):
    write_fit(tmp_path / 'shape.mat', w=np.zeros((4, 5)))
    with pytest.raises(ValueError, match=r'shape.mat is not .*w has .*\(4, 5'):
        read_fit_mat(tmp_path / 'shape.mat')
    write_fit(tmp_path / 'short.mat', stdY=None)
    with pytest.raises(ValueError, match='short.mat is not'):
        read_fit_mat(tmp_path / 'short.mat')
    (tmp_path / 'text.mat').write_text('MATLAB 5.0')
    with pytest.raises(ValueError, match='text.mat is not'):
        read_fit_mat(tmp_path / 'text.mat')
    with pytest.raises(FileNotFoundError, match='none.mat does not exist'):
        read_fit_mat(tmp_path / 'none.mat')


def test_without_h5py_the_remedy_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__('sys').modules, 'h5py', None)
    with pytest.raises(ImportError, match='pip install h5py'):
        read_fit_mat(tmp_path / 'Fit.mat')


@pytest.mark.real_data
def test_the_file_itself(real_data):
    pytest.importorskip('h5py')
    root = real_data / 'fddb'
    fit = read_fit_mat(root / 's3fd_regressor/Fit.mat')
    for name in ('mean_in', 'std_in', 'weights', 'mean_out', 'std_out'):
        np.testing.assert_allclose(
            getattr(S3FD_MAP, name), getattr(fit, name), atol=5.1e-4)
    detections = read_fddb_detections(root / 'detections_mtcnn')
    found = {
        name: np.hstack((fit.predict(rows[:, :4]), rows[:, 4:]))
        for name, rows in detections.items()
    }
    for name, rows in detections.items():
        np.testing.assert_allclose(
            S3FD_MAP.predict(rows[:, :4]), found[name][:, :5], atol=.01)
    truth = {
        entry.name: entry.ellipses
        for part in load_fddb(root / 'FDDB-folds').values()
        for entry in part
    }
    sizes = read_image_sizes_file(root / 'image_sizes.txt')
    result = evaluate_fddb(found, truth, sizes)
    assert result.final('cont') == pytest.approx(.75767, abs=1e-5)
    assert result.final('disc') == pytest.approx(.89809, abs=1e-5)
