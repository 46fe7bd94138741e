"""README, metafile and headers of the configs of hard negative mining."""
import re

import pytest
from config_folder import ROOT, check_readme_has_every_config, metafile_models
from hard_negative_rows import (CONFIGS, FALSE_POSITIVES, FOLDER, PUBLISHED,
                                ROUND_TWO, config, curve_of, round_one)
from mmengine.config import Config

from tinyfaces.evaluation.functional.fddb_io import read_published_rocs
from tinyfaces.evaluation.functional.fddb_result import tpr_at

VGG16_FDDB = 'faster-rcnn_vgg16_1xb1-70k_fddb'
# What the README's rows of the table begin with
ROWS = {
    'FRCNN_VGG16': 'frcn',
    'FRCNN_R50_HNM': 'resnet50-hnm',
    'others\' ResNet-50': 'mxnet-face-fr50',
    '"Face R-CNN"': 'facercnn',
    '"HR" ': 'HR',
    '"HR-ER"': 'HR-ER',
}


def test_metafile_has_every_config():
    for name, model in metafile_models(FOLDER).items():
        data = model.metadata.data
        number, unit = re.search(r'-(\d+)([ek])_', name).groups()
        assert data.get('Epochs') == (int(number) if unit == 'e' else None)
        assert data.get('Iterations') == (1000 *
                                          int(number) if unit == 'k' else None)
        # The rates of FRCNN_VGG16 are of a training on WIDER FACE.
        curve = None if name == VGG16_FDDB else curve_of(name)
        rates = curve and ', '.join(
            f'{rate} at {number}' for rate, number in zip(
                PUBLISHED[curve][0].split(), FALSE_POSITIVES))
        assert data.get('Published Rates on FDDB') == rates


def test_readme_has_every_config():
    check_readme_has_every_config(FOLDER, '_1xb1-70k_wider-face')


@pytest.mark.parametrize('start, curve', ROWS.items())
def test_readme_has_the_published_rates(start, curve):
    table = (FOLDER / 'README.md').read_text().split('\n\nThe paper says')[0]
    row, = re.findall(rf'\n\| {re.escape(start)}[^|]*\|(.*)\|(?=\n|$)', table)
    _, published, end, continuous, *_ = map(str.strip, row.split('|'))
    rates, (last, number), last_continuous = PUBLISHED[curve]
    assert published == ' / '.join([*rates.split(), '-'][:4])
    assert end == f'{last} at {number:,}'
    assert continuous == last_continuous


@pytest.mark.real_data
@pytest.mark.parametrize('curve', ['frcn', 'resnet50-hnm', 'HR', 'HR-ER'])
def test_published_rates_are_those_of_the_curves(real_data, curve):
    curves = read_published_rocs([real_data / 'fddb' / 'published_roc'])
    discrete, continuous = curves[curve]
    rates, (last, number), last_continuous = PUBLISHED[curve]

    def text(value):
        return f'{value:.4f}'.removeprefix('0')

    counts = [count for count in FALSE_POSITIVES if count <= number]
    found = tpr_at(discrete[:, 1], discrete[:, 0], counts)
    assert rates.split() == [text(found[count]) for count in counts]
    assert (last, number) == (text(discrete[:, 0].max()), discrete[:, 1].max())
    assert last_continuous == text(continuous[:, 0].max())


@pytest.mark.parametrize('name', CONFIGS)
def test_header(name):
    """The paper, the published rates and the commands."""
    path = f'configs/hard_negative_mining/{name}.py'
    text = (ROOT / path).read_text()
    header = ' '.join(text.split('_base_ =')[0].replace('#', ' ').split())
    if name != 'retinanet_r50_sampling_8xb4-130e_wider-face':
        assert 'Bootstrapping Face Detection with Hard Negative' in header
    curve = curve_of(name)
    assert ('Published, on FDDB' in header) == (curve is not None)
    if curve:
        for rate in PUBLISHED[curve][0].split():
            assert rate in header
    assert f'CONFIG={path}' in header and ' $CONFIG' in header
    for other in re.findall(r'configs/\S+\.py', header.replace('$ONE.py', '')):
        assert (ROOT / other).is_file(), other


@pytest.mark.parametrize('name', ROUND_TWO)
def test_header_of_a_second_round(name):
    """It makes the file that the config reads, by a checkpoint that is."""
    text = (FOLDER / f'{name}.py').read_text()
    first = round_one(name)
    one = re.search(r'# +ONE=(\S+)', text)[1]
    folder = re.search(r'configs/(\w+)/\$ONE\.py', text)[1]
    assert first == FOLDER.parent / folder / f'{one}.py'
    load = config(name).train_dataloader.dataset.pipeline[2]
    assert load.ann_file == f'work_dirs/{one}/hard_negatives.jsonl'
    assert '--out work_dirs/$ONE/hard_negatives.jsonl' in text
    train_cfg = Config.fromfile(first).train_cfg
    last = (f'iter_{train_cfg.max_iters}'
            if 'max_iters' in train_cfg else f'epoch_{train_cfg.max_epochs}')
    assert f'work_dirs/$ONE/{last}.pth' in text
