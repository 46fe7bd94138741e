"""Tools of this repository in forks of a process that has imported all.

Python with MMDetection takes seconds to start, a fork none. A job runs one of
``tools/`` as the command line would, in one process or, with the variables
that ``torch.distributed.run`` sets, in several. Every process leads a group of
its own, so that it is killed with its workers.

The process that forks must not have used autograd or several threads.
"""
import gc
import importlib
import multiprocessing
import os
import runpy
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TOOLS = ROOT / 'tools'
# What the tools would import later, most of it in every fork.
MODULES = ('tinyfaces', '_runner', 'mmdet.datasets', 'mmdet.engine',
           'mmdet.evaluation', 'mmdet.models', 'mmdet.visualization',
           'mmengine.runner', 'mmengine.visualization', 'torch.distributed',
           'torch.nn.parallel', 'torch._dynamo', 'setuptools.dist')
_context = multiprocessing.get_context('fork')


def prepare() -> None:
    """Import what the tools need; once, before the first :class:`Job`."""
    sys.path.insert(0, str(TOOLS))
    for name in MODULES:
        importlib.import_module(name)
    # A run formats its config for the log, the dump, and each checkpoint.
    # Releases of MMEngine import the function in one place or the other.
    for name in ('yapf.yapflib.yapf_api', 'mmengine.config.config'):
        module = importlib.import_module(name)
        if hasattr(module, 'FormatCode'):
            module.FormatCode = _remembering(module.FormatCode)
    # What is here now is never garbage, and stays shared with the forks.
    gc.collect()
    gc.freeze()


def _remembering(format_code: Callable) -> Callable:
    """A function of a text that works each one out once."""
    known = {}

    def remembered(text: str, **options) -> object:
        if text not in known:
            known[text] = format_code(text, **options)
        return known[text]

    return remembered


class Job:
    """A tool that runs, or has run.

    Args:
        tool: Name of the script in ``tools/``.
        arguments: Its command line.
        log: File for all that it prints; appended to.
        ranks: Number of processes; 1 runs without a process group.
        before: Called with the rank in each process, before the tool.
    """

    def __init__(self,
                 tool: str,
                 arguments: Sequence[str | Path],
                 log: Path,
                 ranks: int = 1,
                 before: Callable[[int], None] | None = None) -> None:
        self.log = log
        port = _free_port()
        arguments = [str(argument) for argument in arguments]
        if ranks > 1:
            arguments += ['--launcher', 'pytorch']
        self.processes = [
            _context.Process(
                target=_run,
                args=(TOOLS / tool, arguments, log, rank, ranks, port, before))
            for rank in range(ranks)
        ]
        for process in self.processes:
            process.start()

    @property
    def running(self) -> bool:
        """Whether all processes still run."""
        return all(process.is_alive() for process in self.processes)

    def wait(self, seconds: float = 600) -> None:
        """Wait for the end, which must be a good one.

        Args:
            seconds: After which all processes are killed.

        Raises:
            RuntimeError: A process failed, or did not end; has the end of
                what was printed.
        """
        end = time.monotonic() + seconds
        while any(process.is_alive() for process in self.processes):
            if self.failed or time.monotonic() > end:
                # As the launcher does: the others might wait for ever.
                break
            time.sleep(.01)
        codes = [process.exitcode for process in self.processes]
        self.kill()
        if any(codes):
            text = self.log.read_text(errors='replace')[-3000:]
            raise RuntimeError(f'exit codes {codes} (None: not ended after '
                               f'{seconds:g} s); the end of {self.log}:\n'
                               f'{text}')

    @property
    def failed(self) -> bool:
        """Whether a process has ended in an error."""
        return any(process.exitcode for process in self.processes)

    def kill(self) -> None:
        """SIGKILL all processes that still run, and their workers."""
        for process in self.processes:
            if process.is_alive():
                _kill_group(process.pid)
        for process in self.processes:
            process.join()


def _kill_group(pid: int) -> None:
    """Kill a process and, once it leads a group, the group."""
    os.kill(pid, signal.SIGKILL)
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:  # it has had no time to make one
        return


def _free_port() -> int:
    """A port that nobody uses now."""
    with socket.socket() as sock:
        sock.bind(('127.0.0.1', 0))
        return sock.getsockname()[1]


def _run(script: Path, arguments: list[str], log: Path, rank: int, ranks: int,
         port: int, before: Callable[[int], None] | None) -> None:
    """What a process does: the script, its output in a file."""
    os.setpgid(0, 0)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(output, stream)
    variables = dict(
        RANK=rank,
        LOCAL_RANK=rank,
        WORLD_SIZE=ranks,
        LOCAL_WORLD_SIZE=ranks,
        MASTER_ADDR='127.0.0.1',
        MASTER_PORT=port)
    if ranks > 1:
        os.environ.update({k: str(v) for k, v in variables.items()})
        if sys.platform == 'linux':
            # Rather than by the host's name, which need not have an address.
            os.environ.setdefault('GLOO_SOCKET_IFNAME', 'lo')
    else:
        for name in variables:
            os.environ.pop(name, None)
    if before is not None:
        before(rank)
    sys.argv = [str(script), *arguments]
    runpy.run_path(str(script), run_name='__main__')
