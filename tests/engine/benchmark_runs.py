"""A benchmark in a process of its own, whose forks start in no time."""
import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import tinyfaces

ROOT = Path(__file__).resolve().parents[2]


def run_benchmark(name: str, folder: Path, *arguments) -> dict:
    """Run a benchmark, which must succeed.

    Args:
        name: Script in ``benchmarks/``.
        folder: Gets ``runs/`` with all that the benchmark does.
        *arguments: Of its command line.

    Returns:
        dict: What it writes for ``--json``.
    """
    result = folder / 'found.json'
    command = [
        sys.executable, ROOT / 'benchmarks' / name, *arguments, '--own-data',
        '--work-dir', folder / 'runs', '--json', result
    ]
    environ = dict(
        os.environ,
        OMP_NUM_THREADS='1',
        PYTHONPATH=str(Path(tinyfaces.__file__).parents[1]))
    done = subprocess.run([str(part) for part in command],
                          env=environ,
                          capture_output=True,
                          text=True)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    return json.loads(result.read_text())


def import_from(folder: str, name: str) -> ModuleType:
    """Import a module of a folder of the repository."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / folder))
        return importlib.import_module(name)


def small_trainings() -> ModuleType:
    """The module of that name, whose models are those of tests/models."""
    return import_from('tests/models', 'small_trainings')
