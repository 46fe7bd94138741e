"""The built wheel: its files, and what mim finds in it."""
import json
import zipfile
from pathlib import Path

import pytest
from packaging_helpers import ROOT, make_environment, pip_install, run

CONFIG = 'retinanet_mbv2_8xb4-130e_wider-face.py'

# custom_imports is not executed: it would import all of MMDetection.
RESOLVE = """
import json
import sys
from functools import cache
from pathlib import Path
from mim.utils import get_installed_path, recursively_find
from mmengine.config import Config, utils

# or it reads all of MMDetection's metafiles for each config
utils.load = cache(utils.load)

root = get_installed_path('tinyfaces')
found = [recursively_find(root, x, followlinks=True) for x in sys.argv[1:]]
models = [
    Config.fromfile(x[0], import_custom_modules=False).model.type
    for x in found]
tools = [str(Path(root, 'tools', f'{x}.py')) for x in ('train', 'test')]
print(json.dumps(dict(root=root, found=found, models=models, tools=tools)))
"""


def named_configs():
    """Names of the configs a user trains, from the repository."""
    return [x.name for x in (ROOT / 'configs').glob('[!_]*/*.py')]


def files_of(folder, *suffixes):
    """Files of the repository below a folder, relative to the root."""
    return [
        str(x.relative_to(ROOT)) for x in (ROOT / folder).rglob('*')
        if x.suffix in suffixes and '__pycache__' not in x.parts
    ]


def resolve(python, environ, cwd):
    """What onedl-mim resolves from an empty folder."""
    printed = run(
        python, '-c', RESOLVE, *named_configs(), env=environ, cwd=cwd)
    # A config that imports the package lets MMDetection print, too.
    return json.loads(printed.splitlines()[-1])


def test_every_module_is_in_the_wheel(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    modules = files_of('projects/tinyfaces', '.py', '.json')
    assert len(modules) > 5
    missing = [x for x in modules if x.removeprefix('projects/') not in names]
    assert not missing, 'a package folder without __init__.py?'


@pytest.mark.parametrize('folder', ['tinyfaces/.mim', 'tinyfaces+mim'])
def test_configs_and_tools_are_in_the_wheel(wheel, folder):
    names = set(zipfile.ZipFile(wheel).namelist())
    wanted = files_of('configs', '.py', '.yml') + files_of('tools', '.py')
    wanted += files_of('tools', '.sh') + ['model-index.yml']
    # Scripts that set up or pack a checkout make no sense without one.
    unwanted = {
        f'{folder}/tools/{x}'
        for x in ('setup_env.sh', 'run_tests.sh', 'make_offline_bundle.sh',
                  'quickstart.sh', 'bundle_parts/install.sh', '_setup_env.py',
                  '_offline_bundle.py', '_bundle_wheels.py')
    }
    assert {f'{folder}/{x}' for x in wanted} - unwanted <= names
    assert not unwanted & names


def test_wheel_holds_nothing_else(wheel):
    tops = {x.split('/')[0] for x in zipfile.ZipFile(wheel).namelist()}
    info, = (x for x in tops if x.endswith('.dist-info'))
    assert tops == {'tinyfaces', 'tinyfaces+mim', info}


def test_build_leaves_nothing_for_mim_to_find_twice(wheel, source_tree):
    assert not (source_tree / 'build').exists()
    for name in named_configs():
        assert len(list(source_tree.rglob(name))) == 1


def test_mim_resolves_the_installed_wheel(wheel_python, plain_environ,
                                          tmp_path):
    result = resolve(wheel_python, plain_environ, tmp_path)
    assert Path(result['root']).name == 'tinyfaces+mim'
    assert [len(x) for x in result['found']] == [1] * len(named_configs())
    # Relative _base_ hold in the installed place.
    assert result['models'].count('RetinaNet') >= 5
    assert all(Path(x).is_file() for x in result['tools'])


@pytest.mark.slow
def test_mim_starts_the_installed_test_script(wheel_python, plain_environ,
                                              tmp_path):
    printed = run(
        wheel_python,
        '-m',
        'mim',
        'test',
        'tinyfaces',
        CONFIG,
        '--checkpoint',
        'm.pth',
        '--',
        '--help',
        env=plain_environ,
        cwd=tmp_path)
    assert '--wider-out' in printed
    assert f'tinyfaces+mim/configs/refineface/{CONFIG}' in printed


def test_mim_resolves_an_editable_install(source_tree, plain_environ,
                                          tmp_path):
    python = make_environment(tmp_path / 'env')
    pip_install(python, '--no-build-isolation', '-e', source_tree)
    result = resolve(python, plain_environ, tmp_path)
    assert Path(result['root']) == source_tree.resolve()
    assert [len(x) for x in result['found']] == [1] * len(named_configs())
    imported = run(
        python,
        '-c',
        'import tinyfaces; print(tinyfaces.__file__)',
        env={
            **plain_environ, 'TINYFACES_REGISTER': '0'
        },
        cwd=tmp_path)
    assert imported.startswith(str(source_tree))


def test_model_index_names_files_that_exist():
    lines = (ROOT / 'model-index.yml').read_text().splitlines()
    imports = [x.strip()[2:] for x in lines if x.strip().startswith('- ')]
    assert imports
    assert not [x for x in imports if not (ROOT / x).is_file()]
