"""Headers, README and metafile of Finding Tiny Faces' configs."""
import re

import pytest
from config_folder import ROOT, check_metafile, check_readme_has_every_config
from mmdet.registry import MODELS
from tiny_faces_rows import (FIXED, FOLDER, PREFIXES, SUFFIX, TABLES,
                             paper_figures, points, three_scales)

from tinyfaces.models.layers.receptive_field import receptive_fields

LINES = [(number, prefix) for number in TABLES for prefix in TABLES[number]]


def header(prefix):
    path = f'configs/tiny_faces/{prefix}{SUFFIX}.py'
    text = (ROOT / path).read_text().split('_base_ =')[0]
    return path, ' '.join(text.replace('#', ' ').split())


@pytest.mark.parametrize('prefix', PREFIXES)
def test_header(prefix):
    """The paper's figures, the paper, the place and the commands."""
    path, text = header(prefix)
    assert re.search(r'Finding Tiny Faces"(, | \()(section \d|appendix B)',
                     text)
    stated, = re.findall(
        r'The paper\'s AP (?:at this size )?on WIDER FACE val: (.*?) '
        r'(?:[A-Z]\w+ |CONFIG)', text + ' ')
    if prefix in FIXED:
        number = re.findall(r'\.\d\d\b', stated)
        assert number == ([FIXED[prefix].paper] if FIXED[prefix].paper else [])
    elif paper_figures(prefix):
        assert stated == f'{paper_figures(prefix)}.'
    else:
        assert not re.search(r'\.\d\d\d', stated)
    for number in TABLES:
        if prefix in TABLES[number]:
            assert places(text) & {('Table', number)}, number
    if prefix in FIXED:
        first, last = FIXED[prefix].maps
        figures = {4} if FIXED[prefix].scale == 1 else {7}
        if FIXED[prefix].paper:
            figures.add(7)
        if (first, last) in ((4, 4), (5, 5), (2, 4),
                             (2, 5)) and (FIXED[prefix].scale == 1):
            figures.add(5)
        assert places(text) == {('Fig', number) for number in figures}
    test = f'CONFIG={path} '
    if prefix not in ('tiny-faces_r101_full', 'tiny-faces_r101_no-regression'):
        test += 'bash tools/dist_train.sh $CONFIG 4'
    assert test in text
    pyramid = ' --tta' if three_scales(prefix) else ''
    assert f'python tools/test.py $CONFIG CHECKPOINT{pyramid}' in text
    assert ('--tta' in text) == bool(pyramid)


def places(text):
    """Tables and figures that a header names in its first sentence."""
    found = set()
    for kind, numbers in re.findall(
            r'(Table|Fig)s?\.? ((?:\d+(?:, | and | to |))+)',
            text.split('The paper\'s AP')[0]):
        listed = [int(n) for n in re.findall(r'\d+', numbers)]
        if ' to ' in numbers:
            listed = list(range(listed[0], listed[1] + 1))
        found |= {(kind, n) for n in listed}
    return found


def test_metafile_has_every_config():

    def figures(name):
        prefix = name.removesuffix(SUFFIX)
        return paper_figures(prefix) or None if prefix in PREFIXES else None

    check_metafile(FOLDER, 'Finding Tiny Faces', figures)


@pytest.fixture(scope='module')
def readme():
    return (FOLDER / 'README.md').read_text()


def test_readme_has_every_config():
    check_readme_has_every_config(FOLDER, SUFFIX)


@pytest.mark.parametrize('number, prefix', LINES)
def test_readme_has_the_figures_of_the_paper(readme, number, prefix):
    table = re.search(rf'\*\*Table {number}\*\*.*?\n\n(.*?)\n\n', readme,
                      re.DOTALL)[1]
    row, = re.findall(rf'\| `{prefix}` \| ([^|]*) \|', table)
    assert re.findall(r'\.\d{3}', row) == points(number, prefix)
    assert table.count('`') == 2 * len(TABLES[number])


@pytest.mark.parametrize('prefix', FIXED)
def test_readme_has_the_figures_of_the_studies(readme, prefix):
    found = re.findall(rf'\| `{prefix}` \| ([^|]*)\|', readme)
    # those of Fig. 7 in Figs. 4 and 5, too
    assert len(found) == 2 if prefix.endswith(
        ('t25x20_res2-4', 't250x200_res2-4')) else 1
    wanted = [FIXED[prefix].paper] if FIXED[prefix].paper else []
    for row in found:
        assert re.findall(r'(?<!\d)\.\d+', row) == wanted


def test_readme_says_what_nobody_trained(readme):
    """No figure of ours, and each row of the paper has its place for one."""
    rows = len(LINES) + 2 * 7 + 4 + 4
    assert readme.count('not trained here') >= rows, (
        'tables, Figs. 4 and 5, 7, 15 to 18')


def test_readme_has_the_receptive_fields_of_the_maps(readme):
    fields = receptive_fields(
        MODELS.build(dict(type='ResNet', depth=50, out_indices=(0, 1, 2, 3))))
    for name, field in zip(('res2', 'res3', 'res4', 'res5'), fields):
        assert re.search(rf'\| {name} \| \d* ?\| {field.size} \|', readme)
    old = receptive_fields(
        MODELS.build(
            dict(
                type='ResNet', depth=50, out_indices=(1, 2, 3),
                style='caffe')))
    sizes = [field.size for field in old]
    assert sizes[1] == 291  # the paper's number
    assert '({}, {} and {} pixels)'.format(*sizes) in readme
