"""tools/setup_env.sh and _setup_env.py, with stand-ins for Python and pip."""
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# A Python that logs what it is asked and makes "environments" of itself.
FAKE_PYTHON = """#!/usr/bin/env bash
echo "$(basename "$0") $*" >>"$FAKE_LOG"
case "$*" in
    --version) echo 'Python 3.11.7' ;;
    *version_info*) exit "${FAKE_VERSION_CODE:-0}" ;;
    *find_spec*) exit "${FAKE_TORCH_CODE:-1}" ;;
    *'-m venv'*)
        mkdir -p "${@: -1}/bin"
        cp "$0" "${@: -1}/bin/python" ;;
    *_setup_env.py) exit "${FAKE_SETUP_CODE:-0}" ;;
esac
"""


@pytest.fixture
def checkout(tmp_path):
    """A checkout with spaces in its path and a PATH of fake Pythons."""
    tools = tmp_path / 'my checkout' / 'tools'
    tools.mkdir(parents=True)
    shutil.copy(ROOT / 'tools' / 'setup_env.sh', tools)
    programs = tmp_path / 'programs'
    programs.mkdir()
    for name in ('python3', 'python3.11', 'python3.12', 'python3.10', 'mine'):
        (programs / name).write_text(FAKE_PYTHON)
        (programs / name).chmod(0o755)
    return tools.parent


@pytest.fixture
def setup(checkout, tmp_path):
    """Run setup_env.sh; returns the result, with the log of the Pythons."""
    log = tmp_path / 'log'

    def call(*command, **variables):
        log.write_text('')
        environ = {
            'PATH': f'{tmp_path / "programs"}:/usr/bin:/bin',
            'FAKE_LOG': str(log),
            **variables
        }
        command = command or ('bash', checkout / 'tools' / 'setup_env.sh')
        result = subprocess.run(
            command,
            cwd=tmp_path,
            env=environ,
            text=True,
            capture_output=True,
            check=False)
        result.log = log.read_text()
        return result

    return call


def test_makes_venv_once(setup, checkout):
    venv = checkout / '.venv'
    first = setup()
    assert first.returncode == 0, first.stderr
    assert first.stdout == f'{venv}/bin/python\n'
    assert f'-m venv {venv}' in first.log
    assert not (venv / 'tinyfaces-unfinished').exists()
    second = setup()
    assert second.stdout == first.stdout
    assert '-m venv' not in second.log
    assert second.log.endswith('_setup_env.py\n')


def test_an_interrupted_setup_starts_again(setup, checkout):
    leftover = checkout / '.venv' / 'half a package'
    first = setup(FAKE_SETUP_CODE='1')
    assert first.returncode == 1 and first.stdout == ''
    leftover.touch()
    second = setup()
    assert second.returncode == 0
    assert '-m venv' in second.log
    assert not leftover.exists()


def test_a_venv_that_the_user_made_is_kept(setup, checkout, tmp_path):
    mine = checkout / '.venv' / 'bin'
    mine.mkdir(parents=True)
    shutil.copy(tmp_path / 'programs' / 'mine', mine / 'python')
    assert setup(FAKE_SETUP_CODE='1').returncode == 1
    assert setup().returncode == 0
    assert (mine / 'python').exists()


@pytest.mark.parametrize('variable', ['VIRTUAL_ENV', 'CONDA_PREFIX'])
def test_an_active_environment_is_used(setup, checkout, tmp_path, variable):
    active = tmp_path / 'active'
    failed = setup(**{variable: str(active)})
    assert failed.returncode == 1 and 'has no' in failed.stderr
    (active / 'bin').mkdir(parents=True)
    shutil.copy(tmp_path / 'programs' / 'mine', active / 'bin' / 'python')
    result = setup(**{variable: str(active)})
    assert result.stdout == f'{active}/bin/python\n'
    assert not (checkout / '.venv').exists()


def test_finds_a_python(setup, checkout):
    assert 'mine -m venv' in setup(TINYFACES_PYTHON='mine').log
    shutil.rmtree(checkout / '.venv')
    none = setup(FAKE_VERSION_CODE='1')
    assert none.returncode == 1
    assert 'found no Python 3.10, 3.11 or 3.12' in none.stderr
    assert none.log.count('version_info') == 4
    wrong = setup(TINYFACES_PYTHON='mine', FAKE_VERSION_CODE='1')
    assert wrong.returncode == 1
    assert 'TINYFACES_PYTHON=mine is not' in wrong.stderr
    assert not (checkout / '.venv').exists()


def test_torch_beside_the_python_is_seen_from_venv(setup):
    assert '--system-site-packages' in setup(FAKE_TORCH_CODE='0').log


def test_sourcing_puts_python_first_and_keeps_options(setup, checkout):
    script = (f'cd /; source "{checkout}/tools/setup_env.sh"; '
              'command -v python; echo "$PYTHON $-"')
    result = setup('bash', '-c', script)
    python = f'{checkout}/.venv/bin/python'
    assert result.stdout.splitlines()[0] == python
    assert result.stdout.splitlines()[1].startswith(python)
    assert 'e' not in result.stdout.split()[-1]
    failed = setup(
        'bash',
        '-c',
        f'{script.replace("; ", " || exit 7; ", 2)}',
        FAKE_SETUP_CODE='1')
    assert failed.returncode == 7


@pytest.fixture
def module(monkeypatch, tmp_path):
    """The module ``_setup_env``; its pip only writes down what is asked."""
    monkeypatch.syspath_prepend(str(ROOT / 'tools'))
    import _setup_env as module
    asked = []
    monkeypatch.setattr(module, 'pip',
                        lambda *args, remedy: asked.append(list(args)))
    monkeypatch.setattr(module, 'STAMP', tmp_path / 'stamp')
    module.asked = asked
    return module


def pretend(monkeypatch, module, importable, **distributions):
    """Let these modules and distributions be the installed ones."""
    monkeypatch.setattr(module.util, 'find_spec',
                        lambda name: name in importable or None)
    monkeypatch.setattr(module, 'version',
                        lambda name: distributions.get(name.replace('-', '_')))


def test_torch_comes_first_and_by_exact_pin(monkeypatch, module):
    pretend(monkeypatch, module, ['pip'], torch='2.13.0+cpu')
    module.install()
    first, second, third = module.asked
    assert first == ['install', 'torch==2.13.0']
    assert '-c' in second and any(x.startswith('onedl-mm') for x in second)
    assert not any(x.startswith('torch') for x in second)
    assert third == [
        'install', '--no-deps', '--no-build-isolation', '-e',
        str(ROOT)
    ]


def test_an_installed_torch_is_a_constraint(monkeypatch, module):
    pretend(monkeypatch, module, ['pip', 'torch'], torch='2.4.1+cu118')
    constraints = []
    monkeypatch.setattr(
        module, 'pip', lambda *args, remedy: constraints.extend(
            Path(args[i + 1]).read_text() for i, x in enumerate(args)
            if x == '-c'))
    module.install()
    assert constraints == ['torch==2.4.1+cu118\n']


def test_upstream_mmdetection_is_not_overwritten(monkeypatch, module):
    upstream = ['pip', 'torch', 'mmcv', 'mmdet', 'mmengine']
    pretend(
        monkeypatch,
        module,
        upstream,
        torch='2.1.0',
        mmdet='3.3.0',
        mmcv='2.1.0',
        mmengine='0.10.7')
    module.install()
    assert not any('onedl' in x for call in module.asked for x in call)
    assert 'pytest' in module.asked[0]


def test_half_of_upstream_is_an_error(monkeypatch, module):
    pretend(
        monkeypatch,
        module, ['mmcv', 'mmengine'],
        mmcv='2.1.0',
        mmengine='0.10.7')
    with pytest.raises(module.SetupError, match='mmcv, mmengine .* mmdet'):
        module.choose_extras()


def test_half_of_onedl_is_completed(monkeypatch, module):
    pretend(monkeypatch, module, ['mmcv'], onedl_mmcv='2.3.6')
    assert module.choose_extras() == ['onedl', 'test']


def test_stamp_follows_the_set_up_files(monkeypatch, module):
    pretend(monkeypatch, module,
            ['tinyfaces', 'torch', 'pytest', 'mmcv', 'mmdet', 'mmengine'])
    assert not module.is_done()
    module.STAMP.write_text(module.fingerprint())
    assert module.is_done()
    module.STAMP.write_text('of another setup.cfg')
    assert not module.is_done()
    module.STAMP.write_text(module.fingerprint())
    pretend(monkeypatch, module, ['tinyfaces', 'torch'])
    assert not module.is_done()


def test_requirements_leave_torch_out(module):
    found = module.requirements(ROOT, ['onedl', 'test'])
    names = [x.partition('>')[0] for x in found]
    assert {'numpy', 'onedl-mmcv', 'onedl-mim', 'pytest'} <= set(names)
    assert 'torch' not in names


def fake_cv2(monkeypatch, tmp_path, body):
    (tmp_path / 'cv2.py').write_text(body)
    monkeypatch.setenv('PYTHONPATH', str(tmp_path))


def test_missing_libgl_is_mended_by_the_headless_build(monkeypatch, module,
                                                       tmp_path):
    broken = "raise ImportError('libGL.so.1: cannot open shared object file')"
    fake_cv2(monkeypatch, tmp_path, broken)
    pretend(monkeypatch, module, [], opencv_python_headless='4.12.0.88')
    with pytest.raises(module.SetupError, match='libGL.*apt-get install'):
        module.check_opencv()
    assert module.asked[0][-1] == 'opencv-python-headless==4.12.0.88'
    # The same, with a pip that mends it.
    monkeypatch.setattr(
        module, 'pip', lambda *args, remedy:
        (tmp_path / 'cv2.py').write_text(''))
    module.check_opencv()


def test_a_working_opencv_is_left_alone(monkeypatch, module, tmp_path):
    fake_cv2(monkeypatch, tmp_path,
             "import sys; print('warning: cv2.so', file=sys.stderr)")
    pretend(monkeypatch, module, [], opencv_python_headless='4.12.0.88')
    module.check_opencv()
    assert module.asked == []


def test_a_second_run_asks_nothing_of_pip(tmp_path):
    """The real script, in this environment, with its stamp in place."""
    script = ROOT / 'tools' / '_setup_env.py'
    code = (f'import runpy, sys; sys.path.insert(0, {str(script.parent)!r})\n'
            'import _setup_env as m\n'
            f'm.STAMP = m.Path({str(tmp_path)!r}, "stamp")\n'
            'm.STAMP.write_text(m.fingerprint())\n'
            'm.pip = None\n'
            'm.main()\n')
    environ = {**os.environ, 'PYTHONPATH': str(ROOT / 'projects')}
    result = subprocess.run([sys.executable, '-c', code],
                            env=environ,
                            capture_output=True,
                            text=True,
                            check=False)
    assert (result.returncode, result.stdout) == (0, ''), result.stderr
