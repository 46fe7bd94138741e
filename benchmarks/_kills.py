"""Kills at chosen moments, and what a killed process was doing.

A witness in the process notes what happens, in memory that outlives it: the
steps of the runner, and every file below a folder that is opened for writing,
renamed or removed, which Python's audit events tell of. It kills the process
at the event that a :class:`Moment` names, or has the kernel kill it at a
chosen byte of the file that is written next (a limit on the size of files).
"""
import mmap
import os
import re
import resource
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

from mmengine.hooks import Hook
from mmengine.registry import HOOKS

_SLOT = 512
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_MOMENT = re.compile(r'(?P<what>.+?)(?:#(?P<nth>\d+))?(?:@(?P<byte>\d+))?')


@dataclass(frozen=True)
class Moment:
    """When to kill.

    Attributes:
        seconds: After the start; None for at an event.
        what: Regular expression, searched for in the events of
            :class:`Witness`; what happens to a file has the runner's last
            event and a colon in front of it.
        nth: Its how manieth occurrence, from 1.
        byte: None for at the event; or the byte of a file written after it.
    """
    seconds: float | None = None
    what: str = ''
    nth: int = 1
    byte: int | None = None

    @classmethod
    def parse(cls, text: str) -> 'Moment':
        """``WHAT[#NTH][@BYTE]``, such as ``open .*epoch_2#1@4096``.

        Raises:
            ValueError: It is not of that form.
        """
        found = _MOMENT.fullmatch(text)
        if found is None or found['nth'] == '0':
            raise ValueError(f'{text!r} is no moment; give WHAT[#NTH][@BYTE]')
        return cls(
            what=found['what'],
            nth=int(found['nth'] or 1),
            byte=None if found['byte'] is None else int(found['byte']))

    def __str__(self) -> str:
        if self.seconds is not None:
            return f'after {self.seconds:.2f} s'
        text = f'{self.what or "any event"} #{self.nth}'
        return text if self.byte is None else f'{text}, byte {self.byte}'


class Witness:
    """What a process does, and its end at a moment.

    Events are ``start``, ``epoch 2, step 7``, ``validation 2, picture 1``,
    ``test, picture 1``, ``end``, and ``open FILE``, ``rename FILE`` (the new
    name) and ``remove FILE``, paths relative to the folder.

    Args:
        folder: Only files below it count.
        moment: When to kill; None for never. ``seconds`` is for the parent.
    """

    def __init__(self, folder: Path, moment: Moment | None = None) -> None:
        self.folder = os.path.realpath(folder) + os.sep
        self.moment = moment
        self._memory = mmap.mmap(-1, 3 * _SLOT)
        self._count = self._left = 0
        self._where = ''
        if moment is not None and moment.seconds is None:
            self._left = moment.nth

    @property
    def where(self) -> str:
        """The last event of the runner."""
        return self._read(0)

    @property
    def file(self) -> str:
        """The last event of a file since then, or ''."""
        return self._read(1)

    @property
    def count(self) -> int:
        """Number of events so far."""
        return int(self._read(2) or 0)

    def install(self, rank: int) -> None:
        """Begin, in the process; only the first of several is watched."""
        if rank == 0:
            global _witness
            _witness = self
            sys.addaudithook(self._audit)
            self.note('start')

    def note(self, event: str, of_file: bool = False) -> None:
        """Keep an event, and die of it if its moment has come."""
        if of_file:
            self._write(1, event)
            event = f'{self._where}: {event}'
        else:
            self._where = event
            self._write(0, event)
            self._write(1, '')
        self._count += 1
        self._write(2, str(self._count))
        if self._left and re.search(self.moment.what, event):
            self._left -= 1
            if not self._left:
                self._die()

    def _die(self) -> None:
        if self.moment.byte is None:
            os.kill(os.getpid(), signal.SIGKILL)
        # Python ignores the signal and would raise an OSError.
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (self.moment.byte, hard))

    def _audit(self, event: str, args: tuple) -> None:
        if event == 'open':
            path, _, flags = args
            if flags & _WRITES:
                self._note_file('open', path)
        elif event == 'os.rename':
            self._note_file('rename', args[1])
        elif event == 'os.remove':
            self._note_file('remove', args[0])

    def _note_file(self, what: str, path: str | bytes | int) -> None:
        if isinstance(path, int):
            return
        path = os.path.abspath(os.fsdecode(path))
        if path.startswith(self.folder):
            self.note(f'{what} {path[len(self.folder):]}', of_file=True)

    def _write(self, slot: int, text: str) -> None:
        data = text.encode(errors='replace')[:_SLOT].ljust(_SLOT, b'\0')
        self._memory[slot * _SLOT:(slot + 1) * _SLOT] = data

    def _read(self, slot: int) -> str:
        data = self._memory[slot * _SLOT:(slot + 1) * _SLOT]
        return data.rstrip(b'\0').decode(errors='replace')


_witness: Witness | None = None


@HOOKS.register_module()
class TellWitness(Hook):
    """Tells the process's witness of the steps of the runner."""

    priority = 'VERY_HIGH'

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        """A step of training begins; both counted from 1."""
        self._note(f'epoch {runner.epoch + 1}, step {batch_idx + 1}')

    def before_val_iter(self, runner, batch_idx, data_batch=None) -> None:
        """A picture of a validation, which follows that epoch."""
        self._note(f'validation {runner.epoch}, picture {batch_idx + 1}')

    def before_test_iter(self, runner, batch_idx, data_batch=None) -> None:
        """A picture of a test."""
        self._note(f'test, picture {batch_idx + 1}')

    def after_run(self, runner) -> None:
        """All is done."""
        self._note('end')

    def _note(self, event: str) -> None:
        if _witness is not None:
            _witness.note(event)
