"""tools/make_offline_bundle.sh, on a toy repository and on the real one."""
import json
import os
import shutil
import subprocess
import sys
from importlib import metadata

import pytest
from packaging_helpers import ROOT, copy_sources, make_environment, run
from toy_distributions import write_sdist, write_wheel

TARGET = '{}.{}'.format(*sys.version_info[:2])
TAG = 'cp{}{}'.format(*sys.version_info[:2])
TORCH = metadata.version('torch')
# No index can be reached: the discard port of this machine.
NO_INDEX = {
    'PIP_INDEX_URL': 'http://127.0.0.1:9/simple',
    'http_proxy': 'http://127.0.0.1:9',
    'https_proxy': 'http://127.0.0.1:9',
}


@pytest.fixture(scope='module')
def index(tmp_path_factory):
    """A folder of wheels that stands for the package index."""
    folder = tmp_path_factory.mktemp('index')
    machine = f'manylinux_2_17_{os.uname().machine}'
    write_wheel(folder, 'setuptools', '80.0.0')
    write_wheel(folder, 'purelib', '1.5', requires=['deeper>=2', 'sourceonly'])
    write_sdist(folder, 'sourceonly', '3.0')
    write_wheel(folder, 'deeper', '2.1', tag=f'{TAG}-{TAG}-{machine}')
    write_wheel(folder, 'deeper', '2.0', tag=f'cp399-cp399-{machine}')
    write_wheel(folder, 'needs_torch', '1.0', requires=['torch'])
    write_wheel(folder, 'torch', '2.13.0')
    return folder


@pytest.fixture
def repository(tmp_path):
    """A git repository with our tools and two requirements of its own."""
    root = tmp_path / 'checkout'
    (root / 'projects' / 'tinyfaces' / 'models').mkdir(parents=True)
    (root / 'projects' / 'tinyfaces' / '__init__.py').touch()
    (root / 'projects' / 'tinyfaces' / 'models' / '__init__.py').touch()
    shutil.copytree(
        ROOT / 'tools',
        root / 'tools',
        ignore=shutil.ignore_patterns('__pycache__'))
    (root / 'setup.cfg').write_text("""
[metadata]
name = tinyfaces
version = 0.1.0
[options]
package_dir =
    = projects
packages = find:
install_requires =
    torch>=2.0
    purelib>=1
[options.packages.find]
where = projects
[options.extras_require]
onedl =
    deeper
sample =
""")
    (root / 'pyproject.toml').write_text(
        '[build-system]\nrequires = ["setuptools"]\n'
        'build-backend = "setuptools.build_meta"\n')
    commit(root)
    return root


def commit(root):
    git = ['git', '-C', root, '-c', 'user.name=t', '-c', 'user.email=t@t.t']
    for command in (['init', '-q'], ['add', '-A'], ['commit', '-qm', 'all']):
        run(*git, *command)


def make_bundle(root, out, index, *options):
    """Run the tool with the wheels of ``index`` as the only source."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith('PIP_')}
    # "0" turns isolation off: the toy index has no working setuptools.
    environ.update(
        PYTHON=sys.executable,
        PIP_NO_INDEX='1',
        PIP_NO_BUILD_ISOLATION='0',
        PIP_CONFIG_FILE=os.devnull,
        PIP_FIND_LINKS=str(index))
    return subprocess.run(
        ['bash', root / 'tools' / 'make_offline_bundle.sh', out, *options],
        env=environ,
        capture_output=True,
        text=True,
        check=False)


def wheel_names(bundle):
    return {x.name.split('-')[0] for x in (bundle / 'wheels').glob('*.whl')}


def test_bundle_installs_with_no_index(repository, index, tmp_path):
    for part in ('weights', 'data'):
        (tmp_path / part).mkdir()
        (tmp_path / part / f'{part}.bin').write_bytes(b'0' * 2**20)
    (repository / 'README.md').write_text('not committed')
    bundle = tmp_path / 'my bundle'
    made = make_bundle(repository, bundle, index, '--torch-installed', TORCH,
                       '--weights', tmp_path / 'weights', '--data',
                       tmp_path / 'data')
    assert made.returncode == 0, made.stdout + made.stderr
    assert '1 changed files are not committed' in made.stdout
    assert 'weights           1.0 MiB' in made.stdout
    assert wheel_names(bundle) == {
        'setuptools', 'purelib', 'deeper', 'sourceonly'
    }
    facts = json.loads((bundle / 'bundle.json').read_text())
    assert (facts['python'], facts['torch']) == (TARGET, TORCH)
    assert facts['bytes']['data'] == 2**20

    place = tmp_path / 'new place'
    command = ['bash', bundle / 'install.sh', place]
    python = make_environment(tmp_path / 'env')
    environ = {**os.environ, **NO_INDEX, 'PYTHON': str(python)}
    environ.pop('PYTHONPATH', None)
    run(*command, env=environ, cwd=tmp_path)
    printed = run(
        python,
        '-c', 'import purelib, deeper, sourceonly, tinyfaces; print('
        'purelib.__version__, deeper.__version__, tinyfaces.__file__)',
        cwd=tmp_path,
        env=environ)
    assert printed.strip() == f'1.5 2.1 {place}/projects/tinyfaces/__init__.py'
    assert (place / 'data' / 'data.bin').stat().st_size == 2**20
    assert (place / 'weights' / 'weights.bin').exists()
    assert (place / 'tools' / 'train.py').is_file()
    assert not (place / 'README.md').exists()

    again = subprocess.run(
        command, env=environ, capture_output=True, text=True, check=False)
    assert again.returncode == 1 and 'exists already' in again.stderr


@pytest.mark.parametrize('facts, message', [
    ({
        'python': '3.99',
        'torch': None
    }, 'this bundle is for Python 3.99'),
    ({
        'python': TARGET,
        'torch': '1.0'
    }, 'this bundle is for torch 1.0'),
])
def test_install_refuses_the_wrong_machine(tmp_path, facts, message):
    shutil.copy(ROOT / 'tools' / 'bundle_parts' / 'install.sh', tmp_path)
    (tmp_path / 'bundle.json').write_text(json.dumps(facts))
    result = subprocess.run(['bash', tmp_path / 'install.sh'],
                            capture_output=True,
                            text=True,
                            env={
                                **os.environ, 'PYTHON': sys.executable
                            },
                            check=False)
    assert result.returncode == 1
    assert message in result.stderr


def test_install_needs_a_torch(tmp_path):
    shutil.copy(ROOT / 'tools' / 'bundle_parts' / 'install.sh', tmp_path)
    (tmp_path / 'bundle.json').write_text(
        json.dumps({
            'python': TARGET,
            'torch': None
        }))
    python = make_environment(tmp_path / 'env')
    next((tmp_path / 'env').rglob('parent.pth')).unlink()
    environ = {**os.environ, 'PYTHON': str(python)}
    environ.pop('PYTHONPATH', None)
    result = subprocess.run(['bash', tmp_path / 'install.sh'],
                            env=environ,
                            capture_output=True,
                            text=True,
                            check=False)
    assert result.returncode == 1
    assert 'has no torch' in result.stderr


def test_installed_packages_are_left_out(repository, index, tmp_path):
    (tmp_path / 'freeze.txt'
     ).write_text('Deeper==2.1\n-e git+somewhere#egg=x\nother @ file:///x\n')
    made = make_bundle(repository, tmp_path / 'out', index, '--installed',
                       tmp_path / 'freeze.txt')
    assert made.returncode == 0, made.stdout + made.stderr
    assert wheel_names(tmp_path /
                       'out') == {'setuptools', 'purelib', 'sourceonly'}


@pytest.mark.parametrize('options, message', [
    (['--max-mb', 'wheels=0.0001'], 'the part "wheels" has'),
    (['--max-mb', '0.0001'], 'the part "repository" has'),
    (['--weights', 'nowhere'], '--weights nowhere is not a folder'),
    (['--python', '3.98'], 'failed'),
    (['--max-mb', 'wheel=3'], '"wheel" is none of'),
    (['--python', '3'], 'give it as 3.11'),
])
def test_errors_say_what_is_wrong_and_leave_nothing(repository, index,
                                                    tmp_path, options,
                                                    message):
    made = make_bundle(repository, tmp_path / 'deep' / 'out', index, *options)
    assert made.returncode != 0
    assert message in made.stderr
    assert 'Traceback' not in made.stderr
    assert not list(tmp_path.glob('deep/*'))


def test_torch_is_never_packed(repository, index, tmp_path):
    setup = repository / 'setup.cfg'
    setup.write_text(setup.read_text().replace('deeper', 'needs_torch'))
    made = make_bundle(repository, tmp_path / 'out', index)
    assert made.returncode == 1
    assert 'torch-2.13.0' in made.stderr
    made = make_bundle(repository, tmp_path / 'out', index,
                       '--torch-installed', '2.13.0+cu128')
    assert made.returncode == 0, made.stderr
    assert 'torch' not in wheel_names(tmp_path / 'out')


def test_platform_tags_go_down_to_the_oldest(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / 'tools'))
    from _bundle_wheels import platform_tags
    assert platform_tags('manylinux_2_6_x86_64') == [
        'manylinux_2_6_x86_64', 'manylinux_2_5_x86_64', 'manylinux1_x86_64'
    ]
    tags = platform_tags('manylinux_2_28_aarch64')
    assert tags[0] == 'manylinux_2_28_aarch64'
    assert 'manylinux2014_aarch64' in tags
    assert platform_tags('macosx_11_0_arm64') == ['macosx_11_0_arm64']


needs_hundreds_of_megabytes = pytest.mark.skipif(
    'TINYFACES_TEST_BUNDLE' not in os.environ,
    reason='downloads 0.5 GB; set TINYFACES_TEST_BUNDLE=1')


@pytest.fixture(scope='module')
def real_repository(tmp_path_factory):
    """The real repository, committed as it is now."""
    root = copy_sources(tmp_path_factory.mktemp('real') / 'repository')
    commit(root)
    return root


@pytest.mark.slow
@needs_hundreds_of_megabytes
def test_real_bundle_installs_beside_torch_alone(real_repository, tmp_path):
    run('bash',
        real_repository / 'tools' / 'make_offline_bundle.sh',
        tmp_path / 'bundle',
        env={
            **os.environ, 'PYTHON': sys.executable
        })
    run(sys.executable, '-m', 'venv', tmp_path / 'env')
    python = tmp_path / 'env' / 'bin' / 'python'
    run(python, '-m', 'pip', 'install', '-qq', 'torch==2.13.0')
    before = run(python, '-m', 'pip', 'freeze')
    environ = {**os.environ, **NO_INDEX, 'PYTHON': str(python)}
    environ.pop('PYTHONPATH', None)
    run('bash', tmp_path / 'bundle' / 'install.sh', env=environ)
    after = run(python, '-m', 'pip', 'freeze')
    torch, = (x for x in before.splitlines() if x.startswith('torch=='))
    assert torch in after.splitlines()
    place = tmp_path / 'bundle' / 'tinyfaces'
    run(python,
        place / 'tools' / 'make_sample.py',
        'work_dirs/quickstart/sample',
        '--num-train=8',
        '--num-val=2',
        env=environ,
        cwd=tmp_path)
    config = 'configs/quickstart/retinanet_mbv2_1xb8-280i_sample.py'
    run(python,
        place / 'tools' / 'train.py',
        place / config,
        '--work-dir=out',
        '--cfg-options',
        'train_cfg.max_iters=2',
        'train_cfg.val_interval=2',
        env=environ,
        cwd=tmp_path)
    assert list(tmp_path.glob('out/*.pth'))


@pytest.mark.slow
@needs_hundreds_of_megabytes
def test_real_bundle_for_another_python(real_repository, tmp_path):
    other = '3.12' if TARGET != '3.12' else '3.11'
    run('bash',
        real_repository / 'tools' / 'make_offline_bundle.sh',
        tmp_path / 'bundle',
        '--python',
        other,
        env={
            **os.environ, 'PYTHON': sys.executable
        })
    wheels = [x.name for x in (tmp_path / 'bundle' / 'wheels').glob('*.whl')]
    tag = f'cp{other.replace(".", "")}'
    assert any(f'-{tag}-{tag}-' in x for x in wheels)
    assert not any(f'-{TAG}-{TAG}-' in x for x in wheels)
    assert not any(x.startswith(('torch-', 'nvidia')) for x in wheels)
