"""``MAFADataset`` on pictures and annotations made here."""
import pytest
from mat_writers import mafa_test_row as row
from mat_writers import mafa_train_row as train_row
from mat_writers import write_mafa
from PIL import Image

from tinyfaces.datasets import MAFADataset

TEST = {
    'test_1.jpg': [
        row([10, 20, 30, 40], 1),
        row([5, 5, 20, 20], 2, -1, -1),
        row([5, 5, 9, 9], 3),
        row([5, 5, 0, 9], 1),
        row([70, 5, 9, 9], 1),
        row([60, 5, 9, 9], 1),
    ],
    'test_2.png': [],
}


def build(root, **options):
    settings = dict(
        serialize_data=False,
        test_mode=True,
        data_root=str(root),
        ann_file='LabelTestAll.mat',
        data_prefix=dict(img='images'))
    return MAFADataset(**{**settings, **options})


@pytest.fixture
def root(tmp_path):
    write_mafa(tmp_path / 'LabelTestAll.mat', TEST)
    write_mafa(
        tmp_path / 'LabelTrainAll.mat', {
            'test_1.jpg': [train_row([10, 20, 30, 40], -1, -1)],
            'test_2.png': []
        },
        train=True)
    (tmp_path / 'images').mkdir()
    for name in TEST:
        Image.new('RGB', (65, 80)).save(tmp_path / 'images' / name)
    return tmp_path


def test_data_list(root):
    dataset = build(root)
    info = dataset.get_data_info(0)
    assert info['img_id'] == 'test_1'
    assert (info['width'], info['height']) == (65, 80)
    # Without size, or wholly outside: dropped. Over the border: kept.
    assert [face['bbox']
            for face in info['instances']] == [[10., 20., 40., 60.],
                                               [5., 5., 25., 25.],
                                               [5., 5., 14., 14.],
                                               [60., 5., 69., 14.]]
    assert [face['ignore_flag'] for face in info['instances']] == [0, 0, 1, 0]
    assert info['instances'][1] == dict(
        bbox=[5., 5., 25., 25.],
        bbox_label=0,
        ignore_flag=0,
        face_type=2,
        occluder=[3, 4, 20, 21],
        occ_type=-1,
        occ_degree=-1,
        gender=1,
        race=2,
        orientation=3,
        glasses=[-1] * 4)
    second = dataset.get_data_info(1)
    assert second['img_id'] == 'test_2' and second['instances'] == []
    assert second['img_path'].endswith('test_2.png')


@pytest.mark.parametrize('options, flags', [
    (dict(invalid='keep'), [0, 0, 0, 0]),
    (dict(invalid='drop'), [0, 0, 0]),
    (dict(degenerate='keep'), [0, 0, 1, 0, 0, 0]),
    (dict(degenerate='ignore'), [0, 0, 1, 1, 1, 0]),
    (dict(read_sizes=False), [0, 0, 1, 0, 0]),
    (dict(min_size=21), [0, 1, 1, 1]),
])
def test_options(root, options, flags):
    faces = build(root, **options).get_data_info(0)['instances']
    assert [face['ignore_flag'] for face in faces] == flags


def test_train(root):
    dataset = build(
        root,
        ann_file='LabelTrainAll.mat',
        test_mode=False,
        filter_cfg=dict(filter_empty_gt=True))
    assert len(dataset) == 1, 'pictures without faces are left out'
    face, = dataset.get_data_info(0)['instances']
    assert face['face_type'] == 1 and face['occ_type'] == -1
    assert face['eyes'] == [11, 12, 13, 14]


def test_bad_settings_and_missing_pictures(root):
    with pytest.raises(ValueError, match='invalid must be one of'):
        build(root, invalid='skip')
    with pytest.raises(ValueError, match='degenerate must be one of'):
        build(root, degenerate='clip')
    (root / 'images/test_2.png').unlink()
    with pytest.raises(FileNotFoundError, match=r'(?s)test_2.png.*test-image'):
        build(root)
    assert len(build(root, missing='skip')) == 1
