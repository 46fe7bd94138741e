"""Unusual pictures go through the pipelines of all configs."""
import copy
import warnings
from pathlib import Path

import numpy as np
import pytest
from mmdet.registry import DATASETS
from mmengine.config import Config
from picture_kinds import flat_png, odd_pictures
from PIL import Image

from tinyfaces.apis.image_io import load_image
from tinyfaces.utils.draws import Draw

DATA = Path(__file__).parents[2] / 'configs/_base_/datasets'
PIPELINES = ('wider_face', 'wider_face_tiny_faces',
             'wider_face_group_sampling', 'wider_face_600')


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    """All odd pictures in WIDER FACE's layout, with a face in each."""
    folder = tmp_path_factory.mktemp('wider')
    pictures = folder / 'WIDER_train/images/0--a'
    pictures.mkdir(parents=True)
    lines = []
    for kind, content in odd_pictures().items():
        path = pictures / f'{kind}.jpg'
        path.write_bytes(content)
        with Image.open(path) as image:
            width, height = image.size
        lines += [f'0--a/{path.name}', '1']
        lines.append(f'0 0 {min(width, 30)} {min(height, 30)} 0 0 0 0 0 0')
    split = folder / 'wider_face_split'
    split.mkdir()
    for part in ('train', 'val'):
        (split / f'wider_face_{part}_bbx_gt.txt').write_text('\n'.join(lines))
    (folder / 'WIDER_val').symlink_to(folder / 'WIDER_train')
    return folder


def build(root, name, loader):
    config = copy.deepcopy(
        Config.fromfile(DATA / f'{name}.py')[loader].dataset)
    config.data_root = f'{root}/'
    return DATASETS.build(config)


@pytest.mark.parametrize('name', PIPELINES)
def test_training(root, name):
    """With its face, or replaced and named; never an error."""
    data = build(root, name, 'train_dataloader')
    replaced = set()
    for at, kind in enumerate(odd_pictures()):
        item = data[Draw(at, seed=1, epoch=0)]
        sample = item['data_samples']
        assert item['inputs'].isfinite().all()
        assert item['inputs'].shape[0] == 3
        faults = sample.metainfo.get('unreadable', [])
        assert {Path(path).stem for path, _ in faults} <= {kind}
        replaced |= {kind for _ in faults}
        if not faults and sample.img_id == f'0--a/{kind}':
            assert sample.gt_instances.bboxes.tensor.isfinite().all()
    # Scaled down, one column of pixels becomes none.
    shrinks = name == 'wider_face_group_sampling'
    assert replaced == ({'one_column'} if shrinks else set())


def test_tests(root):
    """Loaded as stored, with three channels."""
    data = build(root, 'wider_face', 'val_dataloader')
    for at, kind in enumerate(odd_pictures()):
        item = data[at]
        sample = item['data_samples']
        assert 'unreadable' not in sample, kind
        assert item['inputs'].shape == (3, *sample.ori_shape)
    pixels = {
        kind: data[at]['inputs'].numpy().transpose(1, 2, 0).astype(int)
        for at, kind in enumerate(odd_pictures()) if kind != 'long'
    }
    grey = pixels['grey']
    assert (grey == grey[..., :1]).all()
    assert np.abs(pixels['sixteen_bit'] - grey).mean() < 3
    assert np.abs(pixels['cmyk'] - pixels['png_named_jpg']).mean() < 12
    # Transparency is ignored: the colours that are stored.
    assert (pixels['alpha'] == pixels['png_named_jpg']).all()
    assert (pixels['appended'] == pixels['turned']).all()


def test_a_picture_that_no_resize_can_make_smaller(root, tmp_path):
    """1,000 x 0.05 pixels: replaced and named instead of ending the run."""
    path = tmp_path / 'WIDER_train/images/0--a/thin.jpg'
    path.parent.mkdir(parents=True)
    path.write_bytes(flat_png(20000, 1))
    (path.parent / 'good.jpg').write_bytes(odd_pictures()['grey'])
    split = tmp_path / 'wider_face_split'
    split.mkdir()
    (split / 'wider_face_train_bbx_gt.txt').write_text(''.join(
        f'0--a/{name}.jpg\n1\n0 0 20 20 0 0 0 0 0 0\n'
        for name in ('thin', 'good')))
    data = build(tmp_path, 'wider_face_600', 'train_dataloader')
    sample = data[Draw(0, seed=0, epoch=0)]['data_samples']
    assert sample.img_id == '0--a/good'
    assert sample.unreadable[0][0] == str(path)
    assert sample.unreadable[0][1].startswith('makes the pipeline fail: ')


@pytest.mark.parametrize('kind', odd_pictures())
def test_detect(tmp_path, kind):
    """What tools/detect.py reads: upright, 8 bits, three channels."""
    path = tmp_path / 'a.jpg'
    path.write_bytes(odd_pictures()[kind])
    with Image.open(path) as image:
        width, height = image.size
    if kind == 'turned':
        width, height = height, width
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        pixels = load_image(path)
    assert pixels.shape == (height, width, 3) and pixels.dtype == np.uint8
