"""A picture that breaks after the start never ends a run, nor hides."""
import copy
import re

import cv2
import numpy as np
import pytest
from mmcv.transforms import BaseTransform
from mmdet.registry import DATASETS, TRANSFORMS
from picture_kinds import FAULTS, encoded, noise, odd_pictures, put_fault

from tinyfaces.apis.image_io import UnreadableImageError, load_image
from tinyfaces.datasets.picture_faults import picture_fault
from tinyfaces.utils.draws import Draw

LOAD = dict(type='LoadImageFromFile', color_type='color_ignore_orientation')
PIPELINE = [
    LOAD,
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='Resize', scale=(64, 64), keep_ratio=True),
    dict(type='PackDetInputs', meta_keys=('img_path', 'img_id', 'ori_shape'))
]


@TRANSFORMS.register_module()
class FailsOn(BaseTransform):
    """Fails on pictures with a name, or on all; or not on flat ones."""

    def __init__(self, name='', flat=True):
        self.name = name
        self.flat = flat

    def transform(self, results):
        if (results['img_path'].endswith(self.name)
                and (self.flat or results['img'].std())):
            raise ZeroDivisionError('a bug')
        return results


def dataset(root, **options):
    config = dict(
        type='FDDBDataset', data_root=f'{root}/', folds=[1], pipeline=PIPELINE)
    return DATASETS.build(copy.deepcopy({**config, **options}))


@pytest.mark.parametrize('fault', FAULTS)
def test_training_takes_another_picture(fddb, fault):
    root, (paths, *_) = fddb
    data = dataset(root)
    put_fault(paths[1], fault)
    # Drawn for the picture, so the same in any process.
    substitutes = set()
    for seed in range(4):
        sample = data[Draw(1, seed=seed, epoch=0)]['data_samples']
        again = data[Draw(1, seed=seed, epoch=0)]['data_samples']
        assert sample.img_path == again.img_path != str(paths[1])
        assert sample.unreadable == again.unreadable
        assert {path for path, _ in sample.unreadable} == {str(paths[1])}
        for _, reason in sample.unreadable:
            assert re.match(FAULTS[fault], reason), reason
        assert len(sample.gt_instances) > 0
        substitutes.add(sample.img_path)
    assert len(substitutes) > 1
    assert 'unreadable' not in data[0]['data_samples']


@pytest.mark.parametrize('fault', FAULTS)
def test_a_test_gets_a_grey_picture(fddb, fault):
    root, (paths, *_) = fddb
    data = dataset(root, test_mode=True)
    put_fault(paths[2], fault)
    item = data[2]
    sample = item['data_samples']
    assert (item['inputs']
            == 128).all() and item['inputs'].shape == (3, 64, 64)
    assert sample.img_path == str(paths[2])
    assert sample.ori_shape == (64, 64) and sample.unreadable_size == (64, 48)
    (path, reason), = sample.unreadable
    assert path == str(paths[2])
    assert re.match(FAULTS[fault], reason), reason


def test_at_the_start(fddb):
    """Headers are read then: the default is to stop."""
    root, (paths, *_) = fddb
    put_fault(paths[0], 'empty')
    put_fault(paths[3], 'text')
    with pytest.raises(ValueError, match='(?s)2 of 4 pictures.*skip') as error:
        dataset(root)
    assert all(str(paths[at]) in str(error.value) for at in (0, 3))
    data = dataset(root, unreadable='skip')
    assert [data[at]['data_samples'].img_path
            for at in (0, 1)] == [str(paths[1]), str(paths[2])]
    assert len(data) == 2
    assert [path
            for path, _ in data.left_out] == [str(paths[0]),
                                              str(paths[3])]
    # Nothing is left out of a test: that would be another test.
    data = dataset(root, unreadable='skip', test_mode=True)
    assert len(data) == 4
    sample = data[3]['data_samples']
    assert sample.unreadable[0][0] == str(paths[3])
    assert 'unreadable_size' not in sample
    for path in paths:
        path.write_bytes(b'')
    with pytest.raises(ValueError, match='4 of 4 pictures cannot be read'):
        dataset(root, unreadable='skip')
    with pytest.raises(ValueError, match="'raise' or 'skip', not 'drop'"):
        dataset(root, unreadable='drop')


def test_loaded_in_another_size_than_listed(fddb):
    """An EXIF orientation that the pipeline applies would shift all faces."""
    root, (paths, *_) = fddb
    turned = odd_pictures()['turned']
    paths[0].write_bytes(turned)
    sample = dataset(root)[0]['data_samples']
    assert 'unreadable' not in sample and sample.ori_shape == (48, 64)
    pipeline = [dict(LOAD, color_type='color'), *PIPELINE[1:]]
    sample = dataset(root, pipeline=pipeline)[0]['data_samples']
    assert 'color_ignore_orientation' in sample.unreadable[0][1]
    assert sample.img_path != str(paths[0])
    item = dataset(root, pipeline=pipeline, test_mode=True)[0]
    assert (item['inputs'] == 128).all()
    assert item['data_samples'].unreadable == sample.unreadable[:1]


def test_transforms_that_fail_on_one_picture(fddb):
    """As a resize of 20,000 x 1 pixels to 600 x 0 does."""
    root, (paths, *_) = fddb
    pipeline = [LOAD, dict(type='FailsOn', name=paths[1].name), *PIPELINE[1:]]
    sample = dataset(root, pipeline=pipeline)[1]['data_samples']
    assert sample.unreadable[0] == (str(
        paths[1]), 'makes the pipeline fail: ZeroDivisionError: a bug')
    # In a test, grey; unless that fails too.
    data = dataset(root, pipeline=pipeline, test_mode=True)
    with pytest.raises(ZeroDivisionError, match='a bug'):
        data[1]
    pipeline[1]['flat'] = False
    item = dataset(root, pipeline=pipeline, test_mode=True)[1]
    assert (item['inputs'] == 128).all()
    assert item['data_samples'].unreadable == sample.unreadable[:1]
    # All pictures: the pipeline's own error, and soon.
    for options in (dict(), dict(test_mode=True)):
        data = dataset(root, pipeline=[LOAD, dict(type='FailsOn')], **options)
        with pytest.raises(ZeroDivisionError, match='a bug'):
            data[0]


def test_no_picture_left(fddb):
    root, (paths, *_) = fddb
    data = dataset(root, max_refetch=20)
    for path in paths:
        put_fault(path, 'cut')
    with pytest.raises(RuntimeError, match='21 pictures in a row.*, 21 of'):
        data[0]
    data.test_mode = True
    assert all((item['inputs'] == 128).all()
               and item['data_samples'].unreadable[0][0] == str(path)
               for item, path in zip(data, paths, strict=True))


def test_several_views_are_all_marked(fddb):
    root, (paths, *_) = fddb
    pipeline = [
        LOAD,
        dict(
            type='TestTimeAug',
            transforms=[[dict(type='RandomFlip', prob=p) for p in (0., 1.)],
                        [dict(type='PackDetInputs', meta_keys=('img_id', ))]])
    ]
    data = dataset(root, test_mode=True, pipeline=pipeline)
    put_fault(paths[0], 'cut')
    views = data[0]['data_samples']
    assert len(views) == 2 and all(view.unreadable for view in views)
    assert all(view.unreadable_size == (64, 48) for view in views)


def test_without_a_loader_nothing_is_read(fddb):
    root, (paths, *_) = fddb
    data = dataset(root, pipeline=[])
    put_fault(paths[0], 'gone')
    assert data[0]['img_path'] == str(paths[0])


@pytest.mark.parametrize('options', [dict(), dict(progressive=True)])
def test_the_end_of_a_jpeg(tmp_path, options):
    """Cut anywhere behind the header, it is found."""
    path = tmp_path / 'a.jpg'
    whole = encoded(noise(), **options)
    header = whole.index(b'\xff\xda')
    for length in np.linspace(header + 12, len(whole) - 3, 40).astype(int):
        path.write_bytes(whole[:length])
        assert picture_fault(str(path)) is not None, length
    assert picture_fault(str(path)) == FAULTS['cut']
    path.write_bytes(whole)
    assert picture_fault(str(path), (64, 48)) is None
    assert cv2.imread(str(path)) is not None


@pytest.mark.parametrize('fill', [b'', b'\xff' * 3])
@pytest.mark.parametrize('between', [b'', b'junk\xff\0'])
@pytest.mark.parametrize('appended', [b'', b'\0', b'camera\xff\xda'])
def test_what_may_stand_between_segments(tmp_path, fill, between, appended):
    """All of it is what decoders skip; the thumbnail has an end too."""
    path = tmp_path / 'a.jpg'
    whole = encoded(noise())
    segment = between + fill + b'\xff\xe1\x00\x06\xff\xd8\xff\xd9' + fill
    start = 2 + 18  # the first segment
    whole = whole[:start] + segment + whole[start:]
    path.write_bytes(whole + appended)
    assert picture_fault(str(path), (64, 48)) is None
    assert cv2.imread(str(path)) is not None
    for length in (start + len(segment), len(whole) // 2, len(whole) - 30):
        path.write_bytes(whole[:length] + appended)
        assert picture_fault(str(path)) is not None


@pytest.mark.parametrize('options', [
    dict(),
    dict(quality=95, subsampling=0),
    dict(restart_marker_blocks=2),
    dict(progressive=True)
])
def test_a_jpeg_that_lacks_nothing_but_its_end(tmp_path, options):
    """Nothing else is taken for one, whatever stands in its place."""
    path = tmp_path / 'a.jpg'
    whole = encoded(noise((70, 51)), **options)
    pixels = cv2.imdecode(np.frombuffer(whole, np.uint8), cv2.IMREAD_COLOR)
    last = whole.rindex(b'\xff\xda') + 14
    missing = {*range(1, 30), *range(30, len(whole) - last, 23)}
    accepted = set()
    for count in missing:
        for tail in (b'', b'\xff', bytes(1000)):
            path.write_bytes(whole[:-count] + tail)
            if picture_fault(str(path)) is None:
                accepted.add((count, tail))
                assert (cv2.imread(str(path)) == pixels).all()
    in_parts = {'restart_marker_blocks', 'progressive'} & set(options)
    assert ({(1, b''), (2, b''), (2, b'\xff')} <= accepted) == (not in_parts)
    # What tools/detect.py reads with has none of this.
    path.write_bytes(whole[:-2])
    with pytest.raises(UnreadableImageError, match='cut off'):
        load_image(path)
    # Blocks that are wholly outside of the picture may be missing too.
    assert not accepted or max(count for count, _ in accepted) < 30


def test_old_opencv_gives_a_picture_for_a_part(fddb, monkeypatch):
    """Before 4.12 the rest was grey: nothing but the check would tell."""
    root, (paths, *_) = fddb
    data = dataset(root)
    monkeypatch.setattr(cv2, 'imdecode', lambda *args: np.full(
        (48, 64, 3), 128, np.uint8))
    put_fault(paths[0], 'cut')
    assert data[0]['data_samples'].unreadable[0][1] == FAULTS['cut']
