"""MMEngine loads every checkpoint, wherever it is from, as data only.

MMEngine's own loaders fall back to unpickling without restrictions when a
file wants it. Importing this module puts others in their place, for
everything that loads through it: ``Runner``, ``init_cfg``,
``mmdet.apis.init_detector``, MMDetection's own scripts. An inferencer without
a config would run the one in the checkpoint, which is Python code: it is
refused too.
"""
import functools
import io
import logging
import os
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import torch
from mmengine.dist import barrier, get_dist_info
from mmengine.fileio import get_file_backend
from mmengine.infer import BaseInferencer
from mmengine.logging import print_log
from mmengine.runner import checkpoint as mmengine_checkpoint
from mmengine.runner.checkpoint import CheckpointLoader

from ..utils.checkpoint_files import TRUST, CheckpointError, read_checkpoint

# MMEngine logs what follows "load_from_" in the names of these functions.


@CheckpointLoader.register_scheme('', force=True)
def load_from_local(filename: str, map_location: Any = None) -> dict:
    """Load a file of this computer.

    Raises:
        FileNotFoundError: There is none.
        CheckpointError: See :func:`read_checkpoint`, for the others too.
    """
    return read_checkpoint(filename, map_location)


@CheckpointLoader.register_scheme(('http://', 'https://'), force=True)
def load_from_http(filename: str, map_location: Any = None) -> dict:
    """Download a file once, into torch.hub's folder, and load it."""
    name = os.path.basename(urlparse(filename).path)
    path = Path(torch.hub.get_dir(), 'checkpoints', name)
    rank, _ = get_dist_info()
    try:
        if rank == 0:
            _download(filename, path)
    finally:
        barrier()
    _download(filename, path)  # where the disk is not that of rank 0
    return read_checkpoint(path, map_location, f'{path} (from {filename})')


@CheckpointLoader.register_scheme(('torchvision://', 'modelzoo://'),
                                  force=True)
def load_from_torchvision(filename: str, map_location: Any = None) -> dict:
    """Load weights by torchvision's name of them."""
    models = mmengine_checkpoint.get_torchvision_models()
    return load_from_http(_address(filename, models), map_location)


@CheckpointLoader.register_scheme(('open-mmlab://', 'openmmlab://'),
                                  force=True)
def load_from_openmmlab(filename: str, map_location: Any = None) -> dict:
    """Load weights by OpenMMLab's name of them."""
    scheme, _, name = filename.partition('://')
    current = mmengine_checkpoint.get_deprecated_model_names().get(name)
    if current is not None:
        print_log(
            f'{filename} is deprecated in favor of {scheme}://{current}',
            logger='current',
            level=logging.WARNING)
        filename = f'{scheme}://{current}'
    address = _address(filename, mmengine_checkpoint.get_external_models())
    if address.startswith(('http://', 'https://')):
        return load_from_http(address, map_location)
    home = mmengine_checkpoint._get_mmengine_home()
    return read_checkpoint(os.path.join(home, address), map_location)


@CheckpointLoader.register_scheme('mmcls://', force=True)
def load_from_mmcls(filename: str, map_location: Any = None) -> dict:
    """Load a backbone by the name of a classifier of OpenMMLab."""
    address = _address(filename, mmengine_checkpoint.get_mmcls_models())
    checkpoint = load_from_http(address, map_location)
    return mmengine_checkpoint._process_mmcls_checkpoint(checkpoint)


@CheckpointLoader.register_scheme((r'(\S+\:)?s3://', r'(\S+\:)?petrel://'),
                                  force=True)
def load_from_ceph(filename: str, map_location: Any = None) -> dict:
    """Load an object of a Ceph store."""
    backend = get_file_backend(filename, backend_args=dict(backend='petrel'))
    content = io.BytesIO(backend.get(filename))
    return read_checkpoint(content, map_location, filename)


@CheckpointLoader.register_scheme('pavi://', force=True)
def load_from_pavi(filename: str, map_location: Any = None) -> dict:
    """Refuse an address that only MMEngine's own loader reads.

    Raises:
        CheckpointError: Always.
    """
    raise CheckpointError(
        f'{filename}: addresses of this kind would be loaded without '
        'restrictions, and are not; download the file and give its path')


_init_model = BaseInferencer._init_model


@functools.wraps(_init_model)
def _init_model_of_given_config(self: BaseInferencer, cfg: Any, weights: Any,
                                *args, **kwargs) -> torch.nn.Module:
    if not cfg and os.environ.get(TRUST) != '1':
        raise CheckpointError(
            f'{weights} is refused: {type(self).__name__} has no config, and '
            'would run the one in the checkpoint, which is Python code. Give '
            'it as model=, a file or a Config. Only if you trust everybody '
            'who could have changed the checkpoint, set the environment '
            f'variable {TRUST}=1.')
    return _init_model(self, cfg, weights, *args, **kwargs)


BaseInferencer._init_model = _init_model_of_given_config


def _address(filename: str, models: dict[str, str]) -> str:
    """Where a model with a name lies."""
    scheme, _, name = filename.partition('://')
    if name not in models:
        raise CheckpointError(f'{filename}: {scheme}:// knows no "{name}"')
    return models[name]


def _download(url: str, path: Path) -> None:
    """Download a file, unless it is there."""
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        print_log(f'downloading {url} to {path}', logger='current')
        # Writes to another name, and renames it.
        torch.hub.download_url_to_file(url, str(path), progress=os.isatty(0))
