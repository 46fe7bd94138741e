"""``WiderFaceDataset`` on made and on official data."""
import logging
import shutil

import numpy as np
import pytest
from mmdet.registry import DATASETS
from mmengine.logging import MMLogger
from PIL import Image

from tinyfaces.datasets.wider_face import WiderFaceDataset

PIPELINE = [
    dict(type='LoadImageFromFile', color_type='color_ignore_orientation'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(
        type='PackDetInputs',
        meta_keys=('img_id', 'img_path', 'ori_shape', 'instances'))
]


def build(root, split='train', **options):
    name = f'wider_face_{split}_bbx_gt.txt'
    if split == 'test':
        name = 'wider_face_test_filelist.txt'
    settings = dict(
        serialize_data=False,  # it collects garbage: half a second each
        data_root=str(root),
        ann_file=f'wider_face_split/{name}',
        data_prefix=dict(img=f'WIDER_{split}/images'))
    return WiderFaceDataset(**{**settings, **options})


def test_data_list(write_wider):
    root = write_wider()
    dataset = build(root)
    assert [dataset.get_data_info(i)['img_id'] for i in range(5)] == [
        '0--Parade/a', '0--Parade/zeros_after_one',
        '1--Handshaking/zeros_after_none', '1--Handshaking/none',
        '10--People/degenerate'
    ]
    info = dataset.get_data_info(0)
    assert info['img_path'] == str(root / 'WIDER_train/images/0--Parade/a.jpg')
    assert (info['width'], info['height']) == (64, 80)
    first, second, third = info['instances']
    assert first == dict(
        bbox=[10., 20., 40., 60.],  # x2 = x + w
        bbox_label=0,
        ignore_flag=0,
        blur=1,
        expression=1,
        illumination=0,
        invalid=0,
        occlusion=2,
        pose=1)
    assert second['invalid'] == 1 and second['ignore_flag'] == 1
    assert third['bbox'] == [0., 0., 3., 4.]
    assert third['ignore_flag'] == 0, 'small faces are for training'
    # no face, or only degenerate ones
    assert [len(dataset.get_data_info(i)['instances'])
            for i in range(5)] == [3, 0, 0, 0, 1]
    # reaches over the border: kept as annotated
    assert dataset.get_data_info(4)['instances'][0]['bbox'] == [
        90., 70., 110., 90.
    ]


@pytest.mark.parametrize('options, flags', [
    (dict(), [0, 1, 0]),
    (dict(invalid='keep'), [0, 0, 0]),
    (dict(invalid='drop'), [0, 0]),
    (dict(min_size=4), [0, 1, 1]),
    (dict(min_size=3), [0, 1, 0]),
    (dict(min_size=31, invalid='drop'), [1, 1]),
])
def test_invalid_and_min_size(write_wider, options, flags):
    info = build(write_wider(), **options).get_data_info(0)
    assert [face['ignore_flag'] for face in info['instances']] == flags


@pytest.mark.parametrize(
    'options, flags',
    [
        (dict(), [0]),
        (dict(degenerate='keep'), [0, 0, 0, 0, 0]),
        (dict(degenerate='ignore'), [1, 1, 1, 1, 0]),
        # outside is known only with sizes
        (dict(read_sizes=False), [0, 0]),
    ])
def test_degenerate(write_wider, options, flags):
    dataset = build(write_wider(), **options)
    faces = dataset.get_data_info(4)['instances']
    assert [face['ignore_flag'] for face in faces] == flags
    # a line of zeros never is a face
    assert dataset.get_data_info(1)['instances'] == []


def test_without_sizes(write_wider):
    dataset = build(write_wider(), read_sizes=False)
    assert 'width' not in dataset.get_data_info(0)
    with pytest.raises(ValueError, match='needs read_sizes'):
        build(write_wider(), read_sizes=False, filter_cfg=dict(min_size=1))


@pytest.mark.parametrize('filter_cfg, left', [
    (None, 5),
    (dict(filter_empty_gt=True), 2),
    (dict(min_size=30), 3),
    (dict(min_size=31, filter_empty_gt=True), 2),
    (dict(min_size=65), 1),
])
def test_filter_cfg(write_wider, filter_cfg, left):
    root = write_wider()
    assert len(build(root, filter_cfg=filter_cfg)) == left
    assert len(build(root, filter_cfg=filter_cfg, test_mode=True)) == 5


def test_nothing_left_to_train_on(write_wider):
    with pytest.raises(ValueError, match='no face is left to train on'):
        build(write_wider(), filter_cfg=dict(min_size=1000))


def test_unknown_settings(write_wider):
    root = write_wider()
    with pytest.raises(ValueError, match='bbox_min_size.*min_size here'):
        build(root, filter_cfg=dict(bbox_min_size=17))
    with pytest.raises(ValueError, match="invalid must be .* not 'skip'"):
        build(root, invalid='skip')
    with pytest.raises(ValueError, match='degenerate must be'):
        build(root, degenerate=None)
    with pytest.raises(ValueError, match='local folders only'):
        build(root, backend_args=dict(backend='petrel'))
    with pytest.raises(ValueError, match="has the class 'face'"):
        build(root, metainfo=dict(classes=('person', )))
    assert len(build(root, backend_args=dict(backend='local'))) == 5


def test_missing_files(write_wider):
    root = write_wider()
    with pytest.raises(FileNotFoundError, match='official wider_face_split'):
        build(root, ann_file='wider_face_split/absent.txt')
    for name in ('0--Parade/a.jpg', '1--Handshaking/none.jpg'):
        (root / 'WIDER_train' / 'images' / name).unlink()
    with pytest.raises(FileNotFoundError) as error:
        build(root)
    assert '2 of 5 pictures are missing' in str(error.value)
    assert 'images/0--Parade/a.jpg' in str(error.value)
    assert 'images/1--Handshaking/none.jpg' in str(error.value)


def test_missing_pictures_are_skipped_on_demand(write_wider, caplog):
    """Annotations stay with their pictures, and the log says how many."""
    root = write_wider()
    whole = build(root)
    for name in ('0--Parade/a.jpg', '1--Handshaking/none.jpg'):
        (root / 'WIDER_train/images' / name).unlink()
    with pytest.raises(FileNotFoundError, match="missing='skip' leaves out"):
        build(root)
    logger = MMLogger.get_current_instance()
    logger.addHandler(caplog.handler)
    try:
        with caplog.at_level(logging.INFO, logger.name):
            dataset = build(root, missing='skip')
    finally:
        logger.removeHandler(caplog.handler)
    assert '2 of 5 pictures are missing' in caplog.text
    assert len(dataset) == 3
    for new, old in enumerate((1, 2, 4)):
        expected = dict(whole.get_data_info(old), sample_idx=new)
        assert dataset.get_data_info(new) == expected
    shutil.rmtree(root / 'WIDER_train')
    with pytest.raises(FileNotFoundError, match='none of the 5 pictures is'):
        build(root, missing='skip')
    with pytest.raises(ValueError, match="missing must be .* not 'ignore'"):
        build(root, missing='ignore')


def test_broken_annotation_and_picture(write_wider):
    root = write_wider()
    (root / 'WIDER_train/images/0--Parade/a.jpg').write_text('no picture')
    with pytest.raises(ValueError, match='1 of 5 pictures cannot be read'):
        build(root)
    write_wider('0--Parade/a.jpg\n1\n1 2 3 x\n')
    with pytest.raises(ValueError, match=r'train_bbx_gt\.txt, line 3'):
        build(root)


def test_test_split_has_no_boxes(write_wider):
    root = write_wider(
        '0--Parade/a.jpg\n1--Handshaking/none.jpg\n', split='test')
    dataset = build(root, 'test', test_mode=True, pipeline=PIPELINE)
    assert len(dataset) == 2
    assert len(dataset[0]['data_samples'].gt_instances) == 0
    with pytest.raises(ValueError, match='no face is left to train on'):
        build(root, 'test')


def test_pipeline_keeps_ids_flags_and_attributes(write_wider):
    sample = build(write_wider(), pipeline=PIPELINE)[0]['data_samples']
    assert sample.img_id == '0--Parade/a'
    assert sample.ori_shape == (80, 64)
    assert sample.gt_instances.bboxes.tensor.tolist() == [[10, 20, 40, 60],
                                                          [0, 0, 3, 4]]
    assert sample.ignored_instances.bboxes.tensor.tolist() == [[5, 6, 12, 14]]
    assert [face['blur'] for face in sample.instances] == [1, 2, 0]


def test_size_agrees_with_a_turned_picture(write_wider):
    root = write_wider()
    turned = Image.Exif()
    turned[0x0112] = 6  # orientation: a quarter turn
    Image.new('RGB', (64, 80)).save(
        root / 'WIDER_train/images/0--Parade/a.jpg', exif=turned)
    dataset = build(root, pipeline=PIPELINE)
    info = dataset.get_data_info(0)
    assert dataset[0]['inputs'].shape == (3, info['height'], info['width'])


def test_what_base_dataset_offers(write_wider):
    root = write_wider()
    lazy = build(root, lazy_init=True)
    assert not lazy._fully_initialized
    assert lazy.metainfo == dict(
        dataset_name='wider_face', classes=('face', ), palette=[(0, 255, 0)])
    lazy.full_init()
    assert len(lazy) == 5
    serialized = build(root, serialize_data=True)
    assert serialized.get_data_info(0) == lazy.get_data_info(0)
    assert serialized.get_cat_ids(0) == [0, 0, 0]
    assert [
        build(root, indices=[4, 0]).get_data_info(i)['img_id']
        for i in range(2)
    ] == ['10--People/degenerate', '0--Parade/a']
    assert len(build(root, indices=2)) == 2
    two = build(root, metainfo=dict(classes=('person', 'face')))
    assert two.get_cat_ids(0) == [1, 1, 1]
    assert DATASETS.get('WiderFaceDataset') is WiderFaceDataset


@pytest.mark.real_data
@pytest.mark.parametrize(
    'split, pictures, boxes, ignored',
    [
        ('train', 508, 12946 - 2, 109),  # two degenerate
        ('val', 408, 6967 - 2, 279),  # one degenerate, one line of zeros
    ])
def test_pictures_at_hand(real_data, split, pictures, boxes, ignored):
    dataset = build(
        real_data / 'wider_face',
        split,
        ann_file=f'wider_face_split/wider_face_{split}_subset_bbx_gt.txt')
    infos = [dataset.get_data_info(i) for i in range(len(dataset))]
    faces = [face for info in infos for face in info['instances']]
    assert len(infos) == pictures
    assert (len(faces), sum(f['ignore_flag']
                            for f in faces)) == (boxes, ignored)
    ends = np.concatenate([[f['bbox'][2:] for f in info['instances']] -
                           np.array([info['width'], info['height']])
                           for info in infos if info['instances']])
    assert ends.max() <= 0, 'sizes or boxes are wrong: none reaches outside'


@pytest.mark.real_data
def test_pictures_missing_from_the_full_train_set(real_data):
    with pytest.raises(FileNotFoundError) as error:
        build(real_data / 'wider_face')
    message = str(error.value)
    assert '12372 of 12880 pictures are missing' in message
    assert message.count('.jpg') == 12372
