"""Copies of the repository, and throw-away environments."""
import shutil
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ('setup.py', 'setup.cfg', 'pyproject.toml', 'MANIFEST.in', 'LICENSE',
           'README.md', 'model-index.yml', 'configs', 'projects', 'tools')


def run(*command, **kwargs):
    """Run a command and return what it prints; fail with its errors."""
    result = subprocess.run([str(x) for x in command],
                            capture_output=True,
                            text=True,
                            check=False,
                            **kwargs)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def copy_sources(target):
    """Copy what a wheel is made of."""
    target.mkdir()
    clean = shutil.ignore_patterns('__pycache__', '*.egg-info')
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, target / name, ignore=clean)
        elif (ROOT / name).exists():
            shutil.copy(ROOT / name, target)
    return target


def make_environment(folder):
    """An environment that sees this one's packages; returns its Python."""
    venv.create(folder, with_pip=False)
    site = next(folder.glob('lib/python3*/site-packages'))
    seen = [
        x for x in sys.path if x.endswith(('site-packages', 'dist-packages'))
    ]
    (site / 'parent.pth').write_text('\n'.join(seen) + '\n')
    return folder / 'bin' / 'python'


def pip_install(python, *args):
    """Install into an environment without dependencies and network."""
    run(sys.executable, '-m', 'pip', '--python', python, 'install', '-qq',
        '--no-deps', '--no-index', *args)
