"""What several tests of tools need."""
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import tinyfaces

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / 'tools'


@pytest.fixture(scope='module')
def scripts():
    """The modules ``train`` and ``test``, imported as scripts import them."""
    sys.path.insert(0, str(TOOLS))
    try:
        import _runner
        namespaces = {}
        for name in ('train', 'test'):
            text = (TOOLS / f'{name}.py').read_text()
            namespaces[name] = {'__name__': f'tools_{name}'}
            exec(compile(text, f'{name}.py', 'exec'), namespaces[name])
        yield namespaces['train'], namespaces['test'], _runner
    finally:
        sys.path.remove(str(TOOLS))


@pytest.fixture
def call(tmp_path: Path) -> Callable[..., str]:
    """Runs a command in ``tmp_path``, which must succeed; what it printed."""
    environ = {**os.environ, 'OMP_NUM_THREADS': '1'}
    environ['PYTHONPATH'] = os.pathsep.join(
        [str(tmp_path), str(ROOT / 'projects')])
    environ['PYTHON'] = sys.executable
    environ.pop('TINYFACES_REGISTER', None)

    def run(*command: str | Path) -> str:
        result = subprocess.run([str(x) for x in command],
                                cwd=tmp_path,
                                env=environ,
                                capture_output=True,
                                text=True,
                                check=False)
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout + result.stderr

    return run


@pytest.fixture
def run_without_reader(tmp_path: Path) -> Callable[..., None]:
    """Runs a tool in ``tmp_path``, with nobody to read what it prints."""

    def run(tool: Path, *args: str) -> None:
        reader, writer = os.pipe()
        os.close(reader)
        try:
            done = subprocess.run(
                [sys.executable, str(tool), *args],
                stdout=writer,
                stderr=subprocess.PIPE,
                text=True,
                cwd=tmp_path,
                env={
                    **os.environ, 'PYTHONPATH':
                    str(Path(tinyfaces.__file__).parents[1])
                })
        finally:
            os.close(writer)
        # As a shell says of a program that SIGPIPE has ended.
        assert (done.returncode, done.stderr) == (141, '')

    return run
