"""The numbers of the official program on a real detector's detections."""
import fddb_transcription
import numpy as np
import pytest

from tinyfaces.datasets import load_fddb
from tinyfaces.evaluation.functional import (evaluate_fddb,
                                             read_fddb_detections,
                                             read_image_sizes_file,
                                             read_published_rocs, read_roc,
                                             write_roc)
from tinyfaces.evaluation.functional.fddb_report import summary

pytestmark = pytest.mark.real_data


@pytest.fixture(scope='module')
def folder(real_data):
    return real_data / 'fddb'


@pytest.fixture(scope='module')
def folds(folder):
    return load_fddb(folder / 'FDDB-folds')


@pytest.fixture(scope='module')
def sizes(folder):
    return read_image_sizes_file(folder / 'image_sizes.txt')


@pytest.fixture(scope='module')
def detections(folder, folds):
    lists = {fold: [e.name for e in part] for fold, part in folds.items()}
    return read_fddb_detections(folder / 'detections_mtcnn', lists)


def ellipses(folds):
    return {e.name: e.ellipses for part in folds.values() for e in part}


def test_every_row_is_that_of_the_official_program(folder, folds, sizes,
                                                   detections, tmp_path):
    result = evaluate_fddb(detections, ellipses(folds), sizes)
    assert (result.num_images, result.num_faces) == (2845, 5171)
    disc, cont = write_roc(result, tmp_path / 'MTCNN')
    official = folder / 'detections_mtcnn'
    assert disc.read_bytes() == (official / disc.name).read_bytes()
    ours, theirs = read_roc(cont), read_roc(official / cont.name)
    assert ours.shape == theirs.shape == (1774, 2)
    np.testing.assert_array_equal(ours[:, 1], theirs[:, 1])
    # The official assignment is not always the best one.
    np.testing.assert_allclose(ours[:, 0], theirs[:, 0], atol=2e-5, rtol=0)
    assert f'{result.final("disc"):.6f}' == '0.896345'
    assert f'{result.final("cont"):.6f}' == '0.674485'


def test_a_fold_equals_the_transcription(folds, sizes, detections):
    truth = {e.name: e.ellipses for e in folds[9][:120]}
    found = {name: detections[name] for name in truth}
    result = evaluate_fddb(found, truth, sizes)
    expected = fddb_transcription.evaluate(found, truth, sizes)
    np.testing.assert_array_equal(result.true_positives, expected[:, 1])
    np.testing.assert_allclose(result.continuous, expected[:, 2], atol=1e-10)


def test_new_annotations_count_more_faces(folder, sizes, detections):
    folds = load_fddb(folder / 'FDDB-folds', None,
                      folder / 'FDDB_annotation_ellipseList_new.txt')
    result = evaluate_fddb(detections, ellipses(folds), sizes)
    assert (result.num_images, result.num_faces) == (2845, 5409)


def test_published_curves(folder):
    curves = read_published_rocs([folder / 'published_roc'])
    assert set(curves) == {'HR', 'HR-ER', 'frcn', 'resnet50-hnm'}
    rows = {
        (name, kind): summary(curve[:, 1], curve[:, 0], [200])
        for name, pair in curves.items()
        for kind, curve in zip(('disc', 'cont'), pair)
    }
    # Group Sampling's figure: HR-ER .943 at 200 false positives.
    assert rows['HR-ER', 'disc']['tpr_at']['200'] == pytest.approx(
        .94334, abs=5e-6)
    end = rows['resnet50-hnm', 'disc']
    assert (end['last_fp'], round(end['final'], 5)) == (351, .95989)
    assert round(rows['resnet50-hnm', 'cont']['final'], 5) == .83020
