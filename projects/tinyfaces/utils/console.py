"""What command line tools say, and the exit code they leave."""
import os
import signal
import sys
from collections.abc import Callable


def run_and_print(work: Callable[[], str]) -> int:
    """Do what a tool is for, then print its report.

    The report comes last: a reader that has gone (``| head -1``) must not
    cost the files.

    Args:
        work: Reads, computes and writes all files; returns the report.

    Returns:
        int: Exit code: 0; 1 after one line that says what is wrong, for an
        OSError or ValueError; 141 without a word when the reader has gone, as
        a shell has it for any other Unix tool.
    """
    try:
        report = work()
    except (OSError, ValueError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    try:
        print(report, flush=True)
    except BrokenPipeError:
        _discard_output()
        return 128 + signal.SIGPIPE
    except (OSError, ValueError) as error:  # Also letters it cannot hold.
        _discard_output()
        print(f'error: the report cannot be printed: {error}', file=sys.stderr)
        return 1
    return 0


def _discard_output() -> None:
    """Python flushes once more when it ends, and would complain then."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
