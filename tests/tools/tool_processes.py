"""Tools in processes of their own, which import what they need only once.

A server that has imported everything forks them: a start takes a moment
rather than seconds, and each may be killed.
"""
import multiprocessing
import os
import runpy
import socket
import sys
from pathlib import Path

from kills import kill_at

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / 'tools'
_CONTEXT = multiprocessing.get_context('forkserver')
_CONTEXT.set_forkserver_preload(['tinyfaces', 'mmdet.apis'])


def run_tool(tool, *argv, cwd, ranks=1, kill=None):
    """Run a script of ``tools/`` on some ranks.

    Args:
        tool: Its name.
        argv: Its arguments.
        cwd: Where to run it; gets ``rank-<N>.log`` with what it prints.
        ranks: How many processes; one is run without a launcher.
        kill: Module, function in it, and at which call of it the last rank
            is killed, before the call does anything.

    Returns:
        list[int]: Their exit codes. When one is killed so are the others.
    """
    # Those that inherit what they import need its place.
    os.environ.setdefault('PYTHONPATH', str(ROOT / 'projects'))
    environ = {'OMP_NUM_THREADS': '1', 'GLOO_SOCKET_IFNAME': 'lo'}
    if ranks > 1:
        argv = (*argv, '--launcher', 'pytorch')
        environ.update(
            MASTER_ADDR='127.0.0.1',
            MASTER_PORT=_free_port(),
            WORLD_SIZE=str(ranks))
    processes = []
    for rank in range(ranks):
        own = dict(environ, RANK=str(rank), LOCAL_RANK=str(rank))
        process = _CONTEXT.Process(
            target=_run,
            args=(tool, [str(x) for x in argv
                         ], str(cwd), own if ranks > 1 else environ, rank,
                  kill if rank == ranks - 1 else None))
        process.start()
        processes.append(process)
    if kill is not None:
        processes[-1].join(100)
        for process in processes[:-1]:
            process.kill()
    for process in processes:
        process.join(100)
    return [process.exitcode for process in processes]


def printed(cwd, ranks=1):
    """What the ranks of the last tool have printed there."""
    return ''.join(
        Path(cwd, f'rank-{rank}.log').read_text() for rank in range(ranks))


def _run(tool, argv, cwd, environ, rank, kill):
    """In the process: be the script."""
    import torch
    torch.set_num_threads(1)
    os.chdir(cwd)
    os.environ.update(environ)
    log = os.open(f'rank-{rank}.log', os.O_CREAT | os.O_TRUNC | os.O_WRONLY)
    os.dup2(log, 1)
    os.dup2(log, 2)
    if kill is not None:
        module, name, call = kill
        kill_at(sys.modules[module], name, call)
    sys.path.insert(0, str(TOOLS))
    sys.argv = [tool, *argv]
    runpy.run_path(str(TOOLS / tool), run_name='__main__')


def _free_port():
    """A port that nobody uses now."""
    with socket.socket() as listener:
        listener.bind(('127.0.0.1', 0))
        return str(listener.getsockname()[1])
