import json

import numpy as np
import pytest
from scipy.io import loadmat
from wider_files import IMAGES, write_gt

from tinyfaces.evaluation.functional import (COCO_IOU_THRS, evaluate_wider,
                                             format_table, load_wider_gt,
                                             result_to_dict, write_json,
                                             write_mat)


@pytest.fixture
def truth(tmp_path):
    write_gt(tmp_path)
    return load_wider_gt(tmp_path, ['medium', 'all'])


@pytest.fixture
def predictions():
    """Everything found, and one wrong detection with the lowest score."""
    found = {
        key: np.array([[*box, 1.] for box in boxes])
        for key, (boxes, _) in IMAGES.items()
    }
    found['10--March/10_a'] = np.concatenate(
        [found['10--March/10_a'], [[900, 900, 9, 9, 0]]])
    return found


def test_table_states_protocol_faces_and_ap(truth, predictions):
    del predictions['0--Parade/0_b.c']
    predictions['z/unknown'] = np.zeros((0, 5))
    text = format_table(
        {'mine': evaluate_wider(predictions, truth, fp_recalls=[.1, 1.])})
    lines = text.splitlines()
    assert lines[0].startswith('WIDER FACE protocol, all 3 images, true IoU')
    assert lines[1] == 'faces: medium 3, all 6'
    assert lines[3].split() == 'AP by detector IoU medium all'.split()
    assert lines[4].split() == ['mine', '0.5', '1.00000', '0.83333']
    assert 'mine medium 0.5 0 0' in [' '.join(x.split()) for x in lines]
    assert 'mine all 0.5 0 -' in [' '.join(x.split()) for x in lines]
    assert 'mine: 6 detections, 2 of 3 images have predictions' in lines
    assert '    0--Parade/0_b.c' in lines
    assert '1 prediction file(s) for images that are not scored' in text


def test_table_has_a_row_per_threshold_and_detector(truth, predictions):
    result = evaluate_wider(predictions, truth, iou_thrs=COCO_IOU_THRS)
    lines = format_table({'a': result, 'longer name': result}).splitlines()
    rows = [line for line in lines if line.endswith('1.00000  1.00000')]
    assert len(rows) == 22
    assert rows[10].split()[:2] == ['a', '.5:.95']


def test_long_lists_of_missing_images_are_cut(truth):
    many = {f'a/{i:03}': ([[0, 0, 9, 9]], [True]) for i in range(50)}
    big = type(truth)(tuple(many), np.zeros((50, 4)), np.arange(51),
                      dict(hard=np.ones(50, bool)), 50)
    result = evaluate_wider({'a/000': np.array([[0, 0, 9, 9, .5]])}, big)
    text = format_table({'a': result})
    assert 'a/020\n' in text and 'a/021' not in text
    assert 'and 29 more' in text
    assert len(result_to_dict(result)['missing']) == 49


def test_json(truth, predictions, tmp_path):
    result = evaluate_wider(
        predictions,
        truth.subset(['10--March/10_a']),
        iou_thrs=(.5, .75),
        fp_recalls=[.5])
    write_json(
        tmp_path / 'o.json', {'mine': result}, {'@16': result},
        test_resolution='original size')
    content = json.loads((tmp_path / 'o.json').read_text())
    assert content['test_resolution'] == 'original size'
    assert content['groups']['@16'] == content['detectors']['mine']
    mine = content['detectors']['mine']
    assert mine['images'] == 'subset: 1 of 3 images' and mine['is_subset']
    assert mine['settings']['medium'] == dict(
        num_faces=1,
        ap={
            '0.5': 1.0,
            '0.75': 1.0
        },
        fp_at_recall={
            '0.5': {
                '0.5': 0
            },
            '0.75': {
                '0.5': 0
            }
        })


def test_json_has_no_nan(truth, predictions):
    result = evaluate_wider(predictions, truth.subset(['0--Parade/0_b.c']))
    text = json.dumps(result_to_dict(result), allow_nan=False)
    assert json.loads(text)['settings']['medium']['ap'] == {'0.5': None}


def test_mat_in_official_form(truth, predictions, tmp_path):
    result = evaluate_wider(predictions, truth)
    paths = write_mat(tmp_path / 'mat', 'mine', result)
    assert [p.name for p in paths] == [
        'wider_pr_info_mine_medium_val.mat', 'wider_pr_info_mine_all_val.mat'
    ]
    content = loadmat(paths[0])
    assert content['pr_cruve'].shape == (1000, 2)
    curve = result.curves['medium', .5]
    np.testing.assert_array_equal(content['pr_cruve'][:, 0], curve.precision)
    np.testing.assert_array_equal(content['pr_cruve'][:, 1], curve.recall)
    assert content['legend_name'].tolist() == ['mine']
    with pytest.raises(ValueError, match='0.6'):
        write_mat(tmp_path, 'mine', result, iou_thr=.6)
