"""``FDDBDataset`` on made and on official data."""
import logging
import math

import pytest
from mmdet.registry import DATASETS
from mmengine.logging import MMLogger
from tiny_fddb import write_fddb

from tinyfaces.datasets.fddb import FDDBDataset
from tinyfaces.datasets.fddb_annotations import load_fddb

PIPELINE = [
    dict(type='LoadImageFromFile', color_type='color_ignore_orientation'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(
        type='PackDetInputs',
        meta_keys=('img_id', 'img_path', 'ori_shape', 'instances'))
]
FOLDS = {
    1: {
        '2002/08/11/big/img_1': [[20., 10., 0., 30., 20.]],
        '2002/08/11/big/img_2': [],
    },
    2: {
        # upright; and a quarter of it outside of the picture
        '2003/01/02/big/img_3': [[20., 10., math.pi / 2, 30., 24.],
                                 [10., 6., 0., 60., 46.]],
    },
    **{fold: {f'2003/01/03/big/img_{fold}': [[9., 8., .5, 20., 20.]]}
       for fold in range(3, 11)},
}  # yapf: disable


@pytest.fixture
def root(tmp_path):
    write_fddb(tmp_path, FOLDS)
    return tmp_path


def build(root, **options):
    # Serialising collects garbage: half a second each.
    return FDDBDataset(**{
        'serialize_data': False,
        'data_root': str(root),
        **options
    })


def infos(dataset):
    return [dataset.get_data_info(i) for i in range(len(dataset))]


def test_data_list(root):
    dataset = build(root)
    assert len(dataset) == 11
    info = dataset.get_data_info(0)
    assert info['img_id'] == '2002/08/11/big/img_1'
    assert info['img_path'] == str(root /
                                   'originalPics/2002/08/11/big/img_1.jpg')
    assert (info['width'], info['height'], info['fold']) == (64, 48, 1)
    assert info['instances'] == [
        dict(
            bbox=[10., 10., 50., 30.],
            bbox_label=0,
            ignore_flag=0,
            ellipse=[20., 10., 0., 30., 20.])
    ]
    assert dataset.get_data_info(1)['instances'] == []


def test_boxes_are_tight_and_reach_over_the_border(root):
    info = build(root).get_data_info(2)
    upright, cut = info['instances']
    assert upright['bbox'] == pytest.approx([20, 4, 40, 44], abs=1e-4)
    assert cut['bbox'] == [50., 40., 70., 52.]


@pytest.mark.parametrize('folds, expected', [
    (None, list(range(1, 11))),
    (2, [2]),
    ([3, 1], [3, 1]),
    ((10, ), [10]),
])
def test_folds(root, folds, expected):
    dataset = build(root, folds=folds)
    found = [info['fold'] for info in infos(dataset)]
    assert list(dict.fromkeys(found)) == expected
    # one fold has two pictures
    assert len(found) == len(expected) + (1 in expected)


@pytest.mark.parametrize('folds', [0, 11, [], [1, 1], '2', [2.5]])
def test_wrong_folds(root, folds):
    with pytest.raises(ValueError, match='folds must be'):
        build(root, folds=folds)


def test_annotations_in_one_file(root):
    lines = []
    for pictures in FOLDS.values():
        for name in pictures:
            lines += [name, '1', '5 4 0.0 30 20  1']
    (root / 'new.txt').write_text('\n'.join(lines))
    dataset = build(root, ann_file='new.txt', folds=[1])
    assert [i['instances'][0]['ellipse']
            for i in infos(dataset)] == [[5., 4., 0., 30., 20.]] * 2
    assert dataset.source == str(root / 'new.txt')
    assert build(root).source == str(root / 'FDDB-folds')


@pytest.mark.parametrize('min_size, flags', [(0, [0, 0]), (12, [0, 0]),
                                             (12.1, [0, 1]), (21, [1, 1])])
def test_min_size(root, min_size, flags):
    info = build(root, folds=2, min_size=min_size).get_data_info(0)
    assert [face['ignore_flag'] for face in info['instances']] == flags


def test_filter_cfg(root):
    keep = dict(filter_empty_gt=True)
    assert len(build(root, filter_cfg=keep)) == 10
    assert len(build(root, filter_cfg=keep, test_mode=True)) == 11
    with pytest.raises(ValueError, match='FDDB-folds: no face is left'):
        build(root, filter_cfg=dict(min_size=49))
    with pytest.raises(ValueError, match='needs read_sizes'):
        build(root, filter_cfg=dict(min_size=1), read_sizes=False)


def test_missing_pictures(root, caplog):
    for name in ('2002/08/11/big/img_2', '2003/01/02/big/img_3'):
        (root / 'originalPics' / f'{name}.jpg').unlink()
    with pytest.raises(FileNotFoundError) as error:
        build(root)
    assert '2 of 11 pictures are missing' in str(error.value)
    for name in ('2002/08/11/big/img_2', '2003/01/02/big/img_3'):
        assert f'originalPics/{name}.jpg' in str(error.value)
    assert "missing='skip'" in str(error.value)

    logger = MMLogger.get_current_instance()
    logger.addHandler(caplog.handler)
    try:
        with caplog.at_level(logging.INFO, logger.name):
            dataset = build(root, missing='skip')
    finally:
        logger.removeHandler(caplog.handler)
    assert '2 of 11 pictures are missing' in caplog.text
    assert [i['fold'] for i in infos(dataset)] == [1, *range(3, 11)]
    with pytest.raises(FileNotFoundError, match='none of the 1 pictures is'):
        build(root, missing='skip', folds=2)
    with pytest.raises(ValueError, match="missing must be .* not 'ignore'"):
        build(root, missing='ignore')


def test_settings_are_checked(root):
    with pytest.raises(ValueError, match='FDDBDataset reads local folders'):
        build(root, backend_args=dict(backend='petrel'))
    with pytest.raises(ValueError, match='bbox_min_size'):
        build(root, filter_cfg=dict(bbox_min_size=3))
    with pytest.raises(ValueError, match="has the class 'face'"):
        build(root, metainfo=dict(classes=('person', )))


def test_broken_files(root):
    path = root / 'originalPics/2002/08/11/big/img_1.jpg'
    path.write_text('no picture')
    with pytest.raises(ValueError, match='1 of 2 pictures cannot be read'):
        build(root, folds=1)
    (root / 'FDDB-folds/FDDB-fold-02-ellipseList.txt'
     ).write_text('2003/01/02/big/img_3\n1\n1 2 x\n')
    with pytest.raises(
            ValueError, match=r'FDDB-fold-02-ellipseList.txt, line 3'):
        build(root, folds=2)
    with pytest.raises(FileNotFoundError, match='FDDB-folds'):
        build(root / 'elsewhere')


def test_folders_of_other_names(root):
    (root / 'FDDB-folds').rename(root / 'lists')
    (root / 'originalPics').rename(root / 'pictures')
    prefix = dict(img='pictures', folds='lists')
    assert len(build(root, data_prefix=prefix)) == 11
    (root / 'lists').rename(root / 'FDDB-folds')
    assert len(build(root, data_prefix=dict(img='pictures'))) == 11


def test_pipeline(root):
    """Grey pictures have three channels; ids and ellipses come through."""
    dataset = build(root, pipeline=PIPELINE)
    for index in range(2):  # the second one is grey
        assert dataset[index]['inputs'].shape == (3, 48, 64)
    sample = dataset[0]['data_samples']
    assert sample.img_id == '2002/08/11/big/img_1'
    assert sample.ori_shape == (48, 64)
    assert sample.gt_instances.bboxes.tensor.tolist() == [[10, 10, 50, 30]]
    assert sample.instances[0]['ellipse'] == [20., 10., 0., 30., 20.]


def test_what_base_dataset_offers(root):
    lazy = build(root, lazy_init=True)
    assert lazy.metainfo == dict(
        dataset_name='fddb', classes=('face', ), palette=[(0, 255, 0)])
    lazy.full_init()
    serialized = build(root, serialize_data=True)
    assert serialized.get_data_info(2) == lazy.get_data_info(2)
    assert DATASETS.get('FDDBDataset') is FDDBDataset
    assert 'width' not in build(root, read_sizes=False).get_data_info(0)


@pytest.mark.real_data
@pytest.mark.parametrize('ann_file, faces', [
    ('', 5171),
    ('FDDB_annotation_ellipseList_new.txt', 5409),
])
def test_pictures_at_hand(real_data, ann_file, faces):
    """357 pictures, 283 of them in the folds: the rest has no annotations."""
    root = real_data / 'fddb'
    dataset = build(root, ann_file=ann_file, missing='skip')
    assert len(dataset) == 283
    assert {i['fold'] for i in infos(dataset)} == set(range(1, 11))
    for info in infos(dataset):
        for face in info['instances']:
            left, top, right, bottom = face['bbox']
            assert right - left > 5 and bottom - top > 5
            assert left < info['width'] and top < info['height']
            assert right > 0 and bottom > 0
    folds = load_fddb(
        root / 'FDDB-folds', ann_file=ann_file and root / ann_file or None)
    assert sum(len(e.ellipses) for x in folds.values() for e in x) == faces


@pytest.mark.real_data
def test_pictures_missing_from_the_full_set(real_data):
    with pytest.raises(FileNotFoundError) as error:
        build(real_data / 'fddb')
    message = str(error.value)
    found = '2562 of 2845 pictures are missing' in message
    assert found and message.count('.jpg') == 2562
