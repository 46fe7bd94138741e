"""Known answers: S3FD's published detections on AFW and PASCAL Face."""
import pytest
import voc_face_transcription as slow

from tinyfaces.datasets import parse_voc_face_annotations
from tinyfaces.evaluation.functional import (evaluate_voc_face,
                                             load_voc_face_gt,
                                             read_voc_face_detections)

pytestmark = pytest.mark.real_data

AFW = 'afw_pascal/new_annotations_AFW.mat'
PASCAL = 'afw_pascal/Annotations_Face_PASCALLayout_large_fixed.mat'


@pytest.mark.parametrize('name, images, objects, marked, faces', [
    (AFW, 205, 545, 71, 473),
    ('afw_pascal/anno2.mat', 205, 468, 0, 468),
    (PASCAL, 851, 1635, 55, 1341),
    (PASCAL.replace('_fixed', ''), 851, 1335, 0, 1331),
])
def test_counts(real_data, name, images, objects, marked, faces):
    truth = load_voc_face_gt(real_data / name)
    assert (len(truth.keys), len(truth.boxes)) == (images, objects)
    assert (~truth.counted['all']).sum() == marked
    detections = read_voc_face_detections(
        real_data / ('afw_pascal/SFD_AFW_detections.txt' if images == 205 else
                     'afw_pascal/SFD_PASCAL_detections.txt'), truth.index)
    result = evaluate_voc_face(detections, truth)
    assert result.curves['all'].num_faces == faces
    assert result.missing == ()


@pytest.mark.parametrize('name, found, published',
                         [(AFW, 'SFD_AFW_detections.txt', '99.85'),
                          (PASCAL, 'SFD_PASCAL_detections.txt', '98.49')])
def test_published_numbers(real_data, name, found, published):
    path = real_data / 'afw_pascal' / found
    result = evaluate_voc_face(
        read_voc_face_detections(path), load_voc_face_gt(real_data / name))
    assert f'{100 * result.ap():.2f}' == published
    # The same files through slow loops.
    images = {
        entry.key: list(zip(entry.boxes.tolist(), entry.ignore.tolist()))
        for entry in parse_voc_face_annotations(real_data / name)
    }
    rows = []
    for line in path.read_text().splitlines():
        image, score, *box = line.split()
        rows.append((image.split('.')[0], float(score), list(map(float, box))))
    assert result.ap() == pytest.approx(
        slow.evaluate_face_eval(rows, images), abs=1e-12)


def test_without_refinement(real_data):
    """How much the five passes give S3FD on PASCAL Face."""
    truth = load_voc_face_gt(real_data / PASCAL)
    detections = read_voc_face_detections(
        real_data / 'afw_pascal/SFD_PASCAL_detections.txt')
    result = evaluate_voc_face(detections, truth, passes=1)
    assert 100 * result.ap() == pytest.approx(97.666, abs=1e-3)


def test_lists_of_the_pictures(real_data):
    for annotations, name in ((AFW, 'afw'), (PASCAL, 'pascal')):
        listed = (real_data / f'afw_pascal/{name}_img_list.txt').read_text()
        assert {line.split('.')[0]
                for line in listed.split()
                } == load_voc_face_gt(real_data / annotations).index.keys()
