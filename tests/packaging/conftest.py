"""The wheel, built once and installed into an environment of its own."""
import os
import sys

import pytest
from packaging_helpers import copy_sources, make_environment, pip_install, run


@pytest.fixture(scope='session')
def plain_environ():
    """This process's variables without those that add packages."""
    hidden = ('PYTHONPATH', 'TINYFACES_REGISTER', 'VIRTUAL_ENV')
    return {k: v for k, v in os.environ.items() if k not in hidden}


@pytest.fixture(scope='session')
def source_tree(tmp_path_factory):
    """A clean copy of the repository."""
    return copy_sources(tmp_path_factory.mktemp('sources') / 'repository')


@pytest.fixture(scope='session')
def wheel(source_tree, tmp_path_factory):
    """The wheel built from :func:`source_tree`."""
    folder = tmp_path_factory.mktemp('wheel')
    run(sys.executable,
        '-m',
        'pip',
        'wheel',
        '.',
        '-qq',
        '--no-deps',
        '--no-build-isolation',
        '--no-index',
        '-w',
        folder,
        cwd=source_tree)
    return next(folder.glob('*.whl'))


@pytest.fixture(scope='session')
def wheel_python(wheel, tmp_path_factory):
    """Python of an environment with the wheel installed."""
    python = make_environment(tmp_path_factory.mktemp('wheel_env') / 'env')
    pip_install(python, wheel)
    return python
