"""Parts of a config that an argument takes from another file."""
import copy
import os.path as osp
from collections.abc import Sequence
from pathlib import Path

from _runner import check_file
from mmengine.config import Config

CONFIG_SUFFIXES = ('.py', '.json', '.yaml', '.yml')
# Beside the tools in a checkout and in both of the wheel's folders for mim.
BASE_CONFIGS = Path(__file__).resolve().parents[1] / 'configs/_base_'


def named_parts(folder: str) -> dict[str, Path]:
    """The files in ``configs/_base_/<folder>``, by their stems."""
    return {
        path.stem: path
        for path in sorted((BASE_CONFIGS / folder).glob('*.py'))
    }


def part_file(name: str, folder: str, argument: str) -> str:
    """Path of a part of a config that an argument names.

    Args:
        name (str): Its path, or the stem of a file in
            ``configs/_base_/<folder>``.
        folder (str): Folder in ``configs/_base_``, such as ``tta``.
        argument (str): Argument, such as ``--tta``, for messages.

    Raises:
        SystemExit: There is no such file, or it is none of a config.
    """
    is_config = name.endswith(CONFIG_SUFFIXES)
    if is_config and osp.isfile(name):
        return name
    known = named_parts(folder)
    if name in known:
        return str(known[name])
    remedy = f'give a file or one of {", ".join(known)}'
    if '://' in name:
        raise SystemExit(f'error: {argument}: "{name}" is not a local file; '
                         f'download it, or {remedy}')
    check_file(name, f'{argument}:', remedy)
    raise SystemExit(f'error: {argument}: "{name}" does not end in one of '
                     f'{" ".join(CONFIG_SUFFIXES)}; {remedy}')


def replace_part(cfg: Config,
                 name: str,
                 folder: str,
                 argument: str,
                 keys: Sequence[str],
                 optional: Sequence[str] = ()) -> None:
    """Take some keys of a config from another file, as a whole.

    Nothing of their former values is merged in. Modules that the file names
    in ``custom_imports`` are imported, and added to those of ``cfg``.

    Args:
        cfg (Config): Config, changed in place.
        name (str): See :func:`part_file`, as for the next two.
        folder (str): Where the files lie that have a name.
        argument (str): Argument, for messages.
        keys (Sequence[str]): Keys that the file must have.
        optional (Sequence[str]): Keys that ``cfg`` loses where the file does
            not have them.

    Raises:
        SystemExit: There is no such file, it lacks a key, or a module cannot
            be imported.
    """
    path = part_file(name, folder, argument)
    try:
        part = Config.fromfile(path)
    except ImportError as error:
        raise SystemExit(f'error: {argument}: "{path}": {error}') from None
    for key in keys:
        if part.get(key) is None:
            raise SystemExit(f'error: {argument}: "{path}" has no {key}; give '
                             'a complete file, such as those in '
                             f'{BASE_CONFIGS / folder}')
    for key in (*keys, *optional):
        cfg.pop(key, None)
        if key in part:
            cfg[key] = copy.deepcopy(part[key])
    # For the config that the run dumps.
    imports = [*_custom_imports(cfg), *_custom_imports(part)]
    if imports:
        cfg.custom_imports = dict(
            cfg.get('custom_imports') or {},
            imports=list(dict.fromkeys(imports)))


def _custom_imports(cfg: Config) -> list[str]:
    """The modules that a config imports."""
    imports = (cfg.get('custom_imports') or {}).get('imports') or []
    return [imports] if isinstance(imports, str) else list(imports)
