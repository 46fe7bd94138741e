"""TemplatePriorGenerator by hand and against MMDetection's generator."""
import math

import pytest
import torch
from mmdet.registry import TASK_UTILS
from mmengine.config import ConfigDict

from tinyfaces.models.task_modules import TemplatePriorGenerator
from tinyfaces.templates import load_templates, save_templates

TEMPLATES = [
    dict(width=10, height=20),
    dict(width=6, height=4, scale=2, role='B')
]


def test_published_templates_by_default():
    generator = TASK_UTILS.build(dict(type='TemplatePriorGenerator'))
    assert generator.templates == tuple(load_templates())
    assert generator.num_templates == 25
    assert generator.num_base_priors == [25]
    assert generator.num_levels == 1
    assert generator.strides == [(8, 8)]
    assert generator.sizes.shape == (25, 2)
    assert generator.sizes[0].tolist() == pytest.approx([173.676, 227.888],
                                                        abs=1e-3)
    assert 'TemplatePriorGenerator(25 templates, stride=8' in repr(generator)


def test_priors_by_hand():
    """Row by row, cell by cell, template by template."""
    generator = TemplatePriorGenerator(TEMPLATES, stride=16, offset=.5)
    priors, = generator.grid_priors([(2, 3)], device='cpu')
    assert priors.tolist() == [
        box for y in (.5, 16.5) for x in (.5, 16.5, 32.5)
        for box in ([x - 5, y - 10, x + 5, y + 10],
                    [x - 3, y - 2, x + 3, y + 2])
    ]
    assert priors.dtype == torch.float32


def test_offset_of_the_released_models():
    """-1 where the first pixel has the number 1, its centre being at .5."""
    generator = TemplatePriorGenerator(TEMPLATES, offset=-1.5)
    priors, = generator.grid_priors([(1, 2)], device='cpu')
    centers = (priors[:, :2] + priors[:, 2:]) / 2
    assert centers.tolist() == [[-1.5, -1.5]] * 2 + [[6.5, -1.5]] * 2


def test_what_mmdetections_heads_call():
    generator = TemplatePriorGenerator(TEMPLATES)
    priors, = generator.grid_priors([(4, 5)], device='cpu')
    indices = torch.tensor([0, 7, 22, 39])
    assert torch.equal(
        generator.sparse_priors(indices, (4, 5), 0, device='cpu'),
        priors[indices])
    flags, = generator.valid_flags([(4, 5)], (32, 24), device='cpu')
    # 3 of 5 columns.
    assert flags.tolist() == ([True] * 6 + [False] * 4) * 4


def test_templates_of_configs_and_files(tmp_path):
    generator = TemplatePriorGenerator(TEMPLATES)
    assert generator.sizes.tolist() == [[10, 20], [6, 4]]
    assert [each.scale for each in generator.templates] == [1, 2]
    assert [each.role for each in generator.templates] == [None, 'B']
    save_templates(tmp_path / 'mine.json', generator.templates, 'here')
    cfg = ConfigDict(templates=[ConfigDict(each)
                                for each in TEMPLATES]).templates
    for templates in (cfg, tmp_path / 'mine.json',
                      str(tmp_path / 'mine.json')):
        other = TemplatePriorGenerator(templates)
        assert other.templates == generator.templates
    assert TemplatePriorGenerator('unscaled').num_templates == 25


@pytest.mark.parametrize('options, match', [
    (dict(stride=0), 'stride'),
    (dict(offset=math.nan), 'offset'),
    (dict(templates=[]), 'at least one template'),
    (dict(templates=[dict(width=5)]), '"height"'),
    (dict(templates=[dict(width=5, height=0)]), 'above 0'),
    (dict(templates=[dict(width=5, height=5, role='C')]), "'C'"),
])
def test_bad_arguments(options, match):
    with pytest.raises(ValueError, match=match):
        TemplatePriorGenerator(**options)


def test_missing_file():
    with pytest.raises(FileNotFoundError, match='nowhere.json'):
        TemplatePriorGenerator('nowhere.json')
