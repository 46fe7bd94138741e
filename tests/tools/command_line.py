"""Command lines of the scripts, parsed as they parse them."""
import sys


def parse(script, monkeypatch, *argv):
    """Parse a command line of a script, given as its namespace."""
    monkeypatch.setattr(sys, 'argv', ['script', *map(str, argv)])
    return script['parse_args']()
