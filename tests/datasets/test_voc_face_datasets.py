"""``AFWDataset`` and ``PASCALFaceDataset`` on made pictures."""
import logging

import pytest
from mat_writers import write_anno, write_voc_face
from mmdet.registry import DATASETS
from mmengine.logging import MMLogger
from PIL import Image

from tinyfaces.datasets import AFWDataset, PASCALFaceDataset

IMAGES = {
    'a.jpg': [[1, 2, 30, 40, 0], [5, 6, 9, 90, 1]],
    'b.jpg': [],
    'c.jpg': [[-1, 3, 50, 60, 0]],
}
SIZES = {'a.jpg': (64, 100), 'b.jpg': (32, 30), 'c.jpg': (80, 70)}


@pytest.fixture
def root(tmp_path):
    write_voc_face(tmp_path / 'gt.mat', IMAGES)
    (tmp_path / 'testimages').mkdir()
    for name, size in SIZES.items():
        Image.new('RGB', size,
                  (9, 99, 199)).save(tmp_path / 'testimages' / name)
    return tmp_path


def build(root, kind=AFWDataset, **options):
    settings = dict(
        serialize_data=False,
        test_mode=True,
        data_root=str(root),
        ann_file='gt.mat',
        data_prefix=dict(img='testimages'))
    return kind(**{**settings, **options})


@pytest.mark.parametrize('kind, name', [(AFWDataset, 'afw'),
                                        (PASCALFaceDataset, 'pascal_face')])
def test_data_list(root, kind, name):
    dataset = build(root, kind)
    assert dataset.metainfo['dataset_name'] == name
    assert dataset.metainfo['classes'] == ('face', )
    assert DATASETS.get(kind.__name__) is kind
    a, b, c = (dataset.get_data_info(i) for i in range(3))
    assert [x['img_id'] for x in (a, b, c)] == ['a', 'b', 'c']
    assert a['img_path'] == str(root / 'testimages/a.jpg')
    assert (a['width'], a['height']) == (64, 100)
    assert a['instances'] == [
        dict(bbox=[1., 2., 30., 40.], bbox_label=0, ignore_flag=0),
        dict(bbox=[5., 6., 9., 90.], bbox_label=0, ignore_flag=1)
    ]
    assert b['instances'] == []
    assert c['instances'][0]['bbox'] == [-1., 3., 50., 60.], 'as annotated'


@pytest.mark.parametrize('min_size, flags', [(0, [0, 1]), (29, [0, 1]),
                                             (30, [1, 1])])
def test_min_size(root, min_size, flags):
    info = build(root, min_size=min_size).get_data_info(0)
    assert [face['ignore_flag'] for face in info['instances']] == flags


def test_original_annotations(root):
    write_anno(
        root / 'gt.mat', {
            name: [face[:4] for face in faces]
            for name, faces in IMAGES.items() if faces
        })
    info = build(root).get_data_info(0)
    assert [face['ignore_flag'] for face in info['instances']] == [0, 0]


def test_without_sizes(root):
    info = build(root, read_sizes=False).get_data_info(0)
    assert 'width' not in info and len(info['instances']) == 2


def test_missing_pictures_are_all_named(root):
    (root / 'testimages/a.jpg').unlink()
    (root / 'testimages/c.jpg').unlink()
    with pytest.raises(FileNotFoundError) as raised:
        build(root)
    text = str(raised.value)
    assert '2 of 3 pictures are missing' in text
    assert str(root / 'testimages/a.jpg') in text
    assert str(root / 'testimages/c.jpg') in text
    assert 'Unpack AFW.zip' in text and "missing='skip'" in text
    with pytest.raises(FileNotFoundError, match='PASCAL VOC 2012'):
        build(root, PASCALFaceDataset)


def test_missing_pictures_are_skipped_on_demand(root, caplog):
    (root / 'testimages/a.jpg').unlink()
    logger = MMLogger.get_instance('test_missing', log_level='INFO')
    logger.addHandler(caplog.handler)
    with caplog.at_level(logging.INFO):
        dataset = build(root, missing='skip')
    assert [dataset.get_data_info(i)['img_id'] for i in range(2)] == ['b', 'c']
    assert len(dataset) == 2
    assert '1 of 3 pictures are missing' in caplog.text
    assert '2 are left' in caplog.text
    for name in ('b.jpg', 'c.jpg'):
        (root / 'testimages' / name).unlink()
    with pytest.raises(FileNotFoundError, match='none of the 3 pictures'):
        build(root, missing='skip')


def test_nothing_is_logged_when_all_pictures_are_there(root, caplog):
    logger = MMLogger.get_instance('test_complete', log_level='INFO')
    logger.addHandler(caplog.handler)
    with caplog.at_level(logging.INFO):
        build(root, missing='skip')
    assert 'missing' not in caplog.text


def test_unknown_settings(root):
    with pytest.raises(ValueError, match="'raise' or 'skip'"):
        build(root, missing='ignore')
    with pytest.raises(FileNotFoundError, match='none.mat: no such annot'):
        build(root, ann_file='none.mat')


@pytest.mark.real_data
@pytest.mark.parametrize('kind, name, ignored', [
    (AFWDataset, 'new_annotations_AFW.mat', 71),
    (PASCALFaceDataset, 'Annotations_Face_PASCALLayout_large_fixed.mat', 55),
])
def test_real_annotations(real_data, tmp_path, kind, name, ignored):
    """Without the pictures, which are not part of the research data."""
    names = {'afw': 'afw', 'pascal_face': 'pascal'}
    listed = real_data / (
        'afw_pascal/' + names[kind.METAINFO['dataset_name']] + '_img_list.txt')
    stems = [line.split('.')[0] for line in listed.read_text().split()]
    for stem in stems:
        (tmp_path / f'{stem}.jpg').touch()
    dataset = build(
        '',
        kind,
        ann_file=str(real_data / 'afw_pascal' / name),
        data_prefix=dict(img=str(tmp_path)),
        read_sizes=False)
    assert len(dataset) == len(stems)
    flags = [
        face['ignore_flag'] for i in range(len(dataset))
        for face in dataset.get_data_info(i)['instances']
    ]
    assert sum(flags) == ignored
