"""Writing a runner's checkpoints as a whole or not at all."""
import os.path as osp
from typing import Any

from mmengine.dist import is_main_process
from mmengine.fileio import LocalBackend
from mmengine.runner import Runner

from ..utils.files import atomic_write


def save_atomically(runner: Runner, out_dir: str, filename: str,
                    **kwargs) -> None:
    """``runner.save_checkpoint``, as a whole or not at all.

    Args:
        runner: The runner; all processes may call this, the first one writes.
        out_dir: Folder on a local disk.
        filename: Name in it.
        **kwargs: Of ``save_checkpoint``.

    Raises:
        OSError: As :func:`~tinyfaces.utils.files.atomic_write`.
    """
    if is_main_process():
        with atomic_write(osp.join(out_dir, filename)) as temporary:
            runner.save_checkpoint(
                str(temporary.parent), temporary.name, **kwargs)


class AtomicRunner:
    """A runner whose checkpoints are written atomically.

    Args:
        runner: The runner, which has all other attributes.
        written: Gets the paths that were written.
    """

    def __init__(self, runner: Runner, written: set[str]) -> None:
        self.runner = runner
        self._written = written

    def __getattr__(self, name: str) -> Any:
        return getattr(self.runner, name)

    def save_checkpoint(self,
                        out_dir: str,
                        filename: str,
                        file_client_args: dict | None = None,
                        backend_args: dict | None = None,
                        **kwargs) -> None:
        """Of a local disk, which neither of the two arguments changes."""
        save_atomically(self.runner, out_dir, filename, **kwargs)
        self._written.add(osp.join(out_dir, filename))


class LaterRemovals:
    """A file backend that notes the files it should remove.

    Args:
        backend: The backend, which has all other attributes.
    """

    def __init__(self, backend: LocalBackend) -> None:
        self._backend = backend
        self.paths: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def remove(self, path: str) -> None:
        """Note a file."""
        self.paths.append(path)

    def isdir(self, path: str) -> bool:
        """Never: checkpoints of ``Runner`` are files, and no folder that
        one of them names is to be removed."""
        return False
