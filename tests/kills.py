"""Kills at an exact moment."""
import os
import signal


def kill_at(module, name, call):
    """Let a call of a function kill this process, before it does anything.

    Args:
        module: The module, or class, that has the function.
        name: Name of the function.
        call: Number of the call, from 1.
    """
    function, calls = getattr(module, name), 0

    def deadly(*args, **kwargs):
        nonlocal calls
        calls += 1
        if calls == call:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args, **kwargs)

    setattr(module, name, deadly)
