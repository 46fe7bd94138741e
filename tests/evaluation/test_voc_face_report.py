import json

import numpy as np

from tinyfaces.evaluation.functional import (
    VOCFaceDetections, VOCFaceGroundTruth, evaluate_voc_face,
    format_voc_face_table, voc_face_result_to_dict, write_voc_face_json)

TRUTH = VOCFaceGroundTruth.from_images(
    ['a', 'b'], [np.array([[0., 0, 99, 99]]),
                 np.array([[0., 0, 49, 49]])],
    dict(all=[np.array([True]), np.array([False])]))
FOUND = VOCFaceDetections.from_dict({
    'a': [[5, 0, 94, 99, .9], [0, 0, 9, 9, .8]],
})


def test_table():
    result = evaluate_voc_face(FOUND, TRUTH)
    nothing = evaluate_voc_face(VOCFaceDetections.from_dict({}), TRUTH)
    lines = format_voc_face_table({
        'mine': result,
        'none': nothing
    }).split('\n')
    assert lines[0] == result.protocol
    assert lines[0].startswith('face-eval protocol (AFW, PASCAL Face), all 2 '
                               'images, IoU > 0.5')
    assert lines[1] == 'faces: all 1; images: 2'
    assert lines[4].split() == ['mine', '100.000']
    assert lines[5].split() == ['none', '0.000']
    text = '\n'.join(lines)
    assert ('mine: 2 detections, 1 of them too small to be scored; 1 of 2 '
            'images have detections') in text
    assert ('refinement 1: centre moved by +0.0000 widths, +0.0000 heights; '
            'size times 1.1124, 1.0000') in text
    assert text.count('refinement 4') == 1
    assert 'warning: there is no detection at all' in text
    assert 'inferred' not in text


def test_many_images_without_detections_are_counted():
    truth = VOCFaceGroundTruth.from_images([f'i{n}' for n in range(30)],
                                           [np.zeros((0, 4))] * 30,
                                           dict(all=[np.zeros(0, bool)] * 30))
    result = evaluate_voc_face(VOCFaceDetections.from_dict({}), truth)
    text = format_voc_face_table({'x': result})
    assert 'i19 and 10 more' in text and 'i20' not in text
    assert '        nan' in text


def test_json(tmp_path):
    result = evaluate_voc_face(FOUND, TRUTH)
    path = tmp_path / 'out/r.json'
    write_voc_face_json(path, {'mine': result}, test_resolution='640')
    content = json.loads(path.read_text())
    assert content['test_resolution'] == '640'
    mine = content['detectors']['mine']
    assert mine == voc_face_result_to_dict(result)
    assert mine['subsets'] == {'all': dict(num_faces=1, ap=1.)}
    assert mine['protocol'] == result.protocol
    assert (mine['num_images'], mine['num_detections'],
            mine['num_scored']) == (2, 2, 1)
    assert mine['images_without_detections'] == ['b']
    assert len(mine['refinement']) == 4 and mine['num_annotated'] == 2


def test_json_has_no_nan(tmp_path):
    result = evaluate_voc_face(FOUND.from_dict({}), TRUTH.subset(['b']))
    write_voc_face_json(tmp_path / 'r.json', {'x': result})
    text = (tmp_path / 'r.json').read_text()
    assert 'NaN' not in text
    assert json.loads(text)['detectors']['x']['subsets']['all']['ap'] is None
