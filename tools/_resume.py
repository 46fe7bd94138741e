"""Where a training goes on from, in all of its processes."""
import os
import os.path as osp
import platform
import re
from collections.abc import Callable
from pathlib import Path

from mmengine.config import Config
from mmengine.dist import all_gather_object, get_rank


def last_checkpoint(cfg: Config) -> str | None:
    """The checkpoint that a training goes on from.

    Args:
        cfg: Its config; ``last_checkpoint`` in its ``work_dir`` names the
            file. If work folder or checkpoints were moved or copied since,
            it is the file of that name in the folder of the checkpoints.

    Returns:
        str | None: Its path, or None before the first one is written.

    Raises:
        SystemExit: The file is gone.
    """
    pointer = Path(cfg.work_dir, 'last_checkpoint')
    if not pointer.is_file():
        return None
    named = Path(pointer.read_text().strip())
    folder, work_dir = _checkpoint_folder(cfg), Path(cfg.work_dir)
    paths = [folder / named.name, named, work_dir / named.name]
    # A file of that name in the work folder can be one of an earlier run,
    # with the checkpoints elsewhere (CheckpointHook's out_dir).
    if named.parent.resolve() in (folder.resolve(), work_dir.resolve()):
        paths.insert(0, named)
    for path in paths:
        if path.is_file():
            return str(path)
    raise SystemExit(f'error: {pointer} names "{named}", which is not there; '
                     f'{other_checkpoints(cfg, named)}')


def other_checkpoints(cfg: Config, bad: str | os.PathLike) -> str:
    """What can be resumed from in place of a checkpoint, for messages."""
    found = [
        path for path in _checkpoint_folder(cfg).glob('*.pth')
        if re.fullmatch(r'(epoch|iter)_\d+', path.stem) and path != Path(bad)
    ]
    if not found:
        return ('there is no other one in the folder: remove last_checkpoint '
                'to begin anew')
    newest = max(found, key=lambda path: int(path.stem.split('_')[1]))
    return f'to go on from the newest other one: --resume {newest}'


def _checkpoint_folder(cfg: Config) -> Path:
    """Where ``CheckpointHook`` writes, by its own rule."""
    hook = (cfg.get('default_hooks') or {}).get('checkpoint') or {}
    out_dir, work_dir = hook.get('out_dir'), osp.abspath(cfg.work_dir)
    if out_dir is None or str(out_dir) == work_dir:
        return Path(cfg.work_dir)
    return Path(out_dir, osp.basename(work_dir))


def together(step: Callable[[], str]) -> None:
    """Do a step in all processes, and go on if it was the same in all.

    Args:
        step: What is to be done; says what it did.

    Raises:
        SystemExit: It failed in another process, or was not the same.
        Exception: What it failed with in this one.
    """
    said = failure = None
    try:
        said = step()
    except (Exception, SystemExit) as error:
        failure = error
    reason = failure and (str(failure) or type(failure).__name__)
    answers = all_gather_object((get_rank(), platform.node(), said, reason))
    if failure is not None:
        raise failure
    failed = [
        f'  process {rank} on {host}: {error}'
        for rank, host, _, error in answers if error
    ]
    if failed:
        raise SystemExit('\n'.join(
            ['error: other processes could not begin:', *failed]))
    if any(answer[2] != said for answer in answers):
        lines = [
            f'  process {rank} on {host}: {one}'
            for rank, host, one, _ in answers
        ]
        raise SystemExit('\n'.join([
            'error: the processes do not begin alike:', *lines,
            'Several machines need a work folder that all of them share: give '
            'one by --work-dir, or the same file on all of them by --resume '
            'CHECKPOINT'
        ]))
