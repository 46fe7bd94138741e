"""What a folder of unfinished work says of itself, as JSON."""
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .files import atomic_write

# Differences that a message shows.
_SHOWN = 8


def as_json(content: Any) -> Any:
    """A value as JSON gives it back; what JSON does not know, as text."""
    return json.loads(json.dumps(content, default=str))


def write_json(path: Path, content: dict) -> None:
    """Write a JSON file as a whole."""
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + '\n')


def differences(before: Any, now: Any, key: str = '') -> list[str]:
    """Every place where two JSON values differ, as ``key: old -> new``."""
    if isinstance(before, dict) and isinstance(now, dict):
        pairs = [(name, before.get(name), now.get(name))
                 for name in dict.fromkeys([*before, *now])]
    elif isinstance(before, list) and isinstance(
            now, list) and len(before) == len(now):
        pairs = list(zip(range(len(now)), before, now))
    else:
        return [] if before == now else [f'{key}: {before} -> {now}']
    return [
        line for name, old, new in pairs for line in differences(
            old, new, f'{key}.{name}' if key else str(name))
    ]


def differences_in_words(changed: Sequence[str]) -> str:
    """The first of many differences, a line each, and how many more."""
    shown = ''.join(f'  {line}\n' for line in changed[:_SHOWN])
    more = len(changed) - _SHOWN
    return shown + (f'  and {more} more\n' if more > 0 else '')
