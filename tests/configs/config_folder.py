"""What the tests of each paper's folder of configs share."""
import copy
import json
import re
from functools import cache
from pathlib import Path

from mmengine.config import Config
from modelindex.load_model_index import load

ROOT = Path(__file__).parents[2]


def config_reader(folder):
    """A function from a config's stem to the config; a file is read once."""

    @cache
    def read(stem):
        return Config.fromfile(folder / f'{stem}.py')

    return lambda stem: copy.deepcopy(read(stem))


def once_per_model(step, find_config):
    """A function from a name to ``step(find_config(name))``.

    Configs with equal models and training pipelines share what it gave.
    """
    known = {}

    def find(name):
        cfg = find_config(name)
        key = json.dumps([cfg.model, cfg.train_dataloader.dataset.pipeline],
                         sort_keys=True)
        if key not in known:
            known[key] = step(cfg)
        return known[key]

    return find


def metafile_models(folder):
    """The models of a folder, by name, as mim reads them: by model-index.yml.

    These must be the configs that are there.
    """
    index = load(str(ROOT / 'model-index.yml'))
    index.build_models_with_collections()
    path = folder.relative_to(ROOT).as_posix()
    ours = {
        model.name: model
        for model in index.models if str(model.config).startswith(f'{path}/')
    }
    assert set(ours) == {p.stem for p in folder.glob('*.py')}
    for name, model in ours.items():
        assert model.config == f'{path}/{name}.py'
    return ours


def check_metafile(folder, paper, figures):
    """It has every config, with the paper's figures.

    Args:
        folder: Of the configs.
        paper: Its name, in the key of the paper's figures.
        figures: From a config's stem to these, or to None.
    """
    for name, model in metafile_models(folder).items():
        data = model.metadata.data
        assert data['Epochs'] == int(re.search(r'-(\d+)e_', name)[1])
        assert data.get(f'AP in the {paper} Paper') == figures(name)


def check_readme_has_every_config(folder, suffix):
    """By the file's name, or by its stem without the suffix."""
    text = (folder / 'README.md').read_text()
    for path in folder.glob('*.py'):
        assert (f'`{path.name}`' in text
                or f'`{path.stem.removesuffix(suffix)}`' in text), path.name
