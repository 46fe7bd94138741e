"""What several tests of tools need."""
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import tinyfaces


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
