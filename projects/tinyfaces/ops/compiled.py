"""mmcv's compiled ops out of a wheel that is not installed.

Tests and benchmarks compare with them in the same process.
"""
import sys
import tempfile
import zipfile
from importlib.machinery import ExtensionFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import torch  # noqa: F401  (its libraries must be loaded before the ops)


def find_wheel(folder: Path) -> Path:
    """The mmcv wheel in a folder that is made for this Python.

    Args:
        folder (Path): Folder of wheels.

    Returns:
        Path: The wheel; of several, the last by name.

    Raises:
        FileNotFoundError: There is none.
    """
    tag = f'cp{sys.version_info.major}{sys.version_info.minor}'
    wheels = sorted(Path(folder).glob(f'*mmcv-*-{tag}-*.whl'))
    if not wheels:
        raise FileNotFoundError(
            f'{folder}: no *mmcv-*-{tag}-*.whl; give a wheel of mmcv with '
            f'compiled ops for this Python and this torch')
    return wheels[-1]


def load_compiled(wheel: Path) -> ModuleType:
    """Loads ``mmcv/_ext*`` of a wheel, and leaves ``mmcv._ext`` alone.

    Args:
        wheel (Path): A wheel of mmcv with compiled ops.

    Returns:
        ModuleType: The compiled ops.

    Raises:
        FileNotFoundError: The wheel has no compiled ops.
        ImportError: They were made for another Python or torch.
    """
    with zipfile.ZipFile(wheel) as archive, tempfile.TemporaryDirectory(
            ignore_cleanup_errors=True) as folder:
        names = [
            name for name in archive.namelist()
            if name.startswith('mmcv/_ext') and name.endswith(('.so', '.pyd'))
        ]
        if not names:
            raise FileNotFoundError(f'{wheel}: has no compiled ops')
        path = archive.extract(names[0], folder)
        # The last part of the name selects the function PyInit__ext.
        loader = ExtensionFileLoader('compiled_mmcv._ext', path)
        spec = spec_from_file_location(loader.name, path, loader=loader)
        module = module_from_spec(spec)
        loader.exec_module(module)
        return module
