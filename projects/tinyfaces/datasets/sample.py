"""The built-in sample: a two-person toy in WIDER FACE's official layout.

It is no face detection benchmark, and a model trained on it is no face
detector: every face in it is one of two public-domain portraits that come
inside matplotlib and scikit-image. It shows on any machine, without a
download, that training, testing and detection work from end to end.

The faces (8 to 300 pixels tall, at least half under 32) are pasted, turned
and lit at random, into scenes made of CC0 and public-domain textures, between
distractors behind the very same masks. Train and val share the two persons,
their clothes and a cat, but no background. The same seed gives the same bytes
(with the same releases of NumPy, OpenCV and Pillow).

Needs scikit-image for its pictures; nothing here needs torch.
"""
import hashlib
import json
import logging
import os
import tempfile
from pathlib import Path

import numpy as np
from tqdm import tqdm

from .sample_parts.layout import write_ground_truth, write_picture, write_text
from .sample_parts.scenes import MAX_FACES, compose
from .sample_parts.sources import BACKGROUNDS, CAT, PORTRAITS, all_sources

__all__ = ['make_sample']

MANIFEST = 'sample.json'
FORMAT = 'tinyfaces-sample'
# Raise it whenever the same seed would give other pictures than before.
VERSION = 1
# Event folder -> least and greatest number of faces. As in WIDER FACE,
# 10 comes before 2: events are ordered as text.
EVENTS = {
    '0--Sample_Crowd': (6, MAX_FACES),
    '10--Sample_Portrait': (1, 3),
    '2--Sample_Group': (3, 7),
}
_SPLITS = ('train', 'val')
_log = logging.getLogger(__name__)


def make_sample(root: str | os.PathLike,
                seed: int = 0,
                num_train: int = 160,
                num_val: int = 60,
                progress: bool = True) -> Path:
    """Write the sample data set, unless it is there already.

    It is built in a temporary folder beside ``root``, which then takes the
    name ``root``: a killed run leaves no half of a data set. A sample that
    was damaged, or made by another version of this module, is built anew.

    Args:
        root: The data set's folder: missing, empty, or made by this function.
        seed: Seed of everything random, 0 or more.
        num_train: Number of training pictures, 1 or more.
        num_val: Number of validation pictures, 1 or more.
        progress: Show a progress bar.

    Returns:
        Path: ``root``, absolute.

    Raises:
        ValueError: A number is out of range.
        FileExistsError: ``root`` holds something else, or a sample made with
            other parameters.
        ModuleNotFoundError: scikit-image is not installed.
        FileNotFoundError: A package lacks its picture.
    """
    if seed < 0 or num_train < 1 or num_val < 1:
        raise ValueError(
            f'seed {seed} must be 0 or more; num_train {num_train} and '
            f'num_val {num_val} must be 1 or more')
    root = Path(root).resolve()
    parameters = {'seed': seed, 'num_train': num_train, 'num_val': num_val}
    if _is_complete(root, parameters):
        return root
    root.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(
            dir=root.parent, prefix=f'.{root.name}-') as temporary:
        # mkdtemp makes a private folder; one below it has the usual rights.
        made = Path(temporary) / 'made'
        made.mkdir()
        _build(made, parameters, progress)
        if root.exists():
            os.replace(root, Path(temporary) / 'old')
        os.replace(made, root)
    return root


def _is_complete(root: Path, parameters: dict[str, int]) -> bool:
    """Whether the wanted sample is there; raises when something else is."""
    if not root.exists() or (root.is_dir() and not any(root.iterdir())):
        return False
    manifest = _read_manifest(root)
    if manifest is None:
        raise FileExistsError(
            f'{root} is there and was not made by make_sample. Remedy: name '
            'another folder')
    if manifest['parameters'] != parameters:
        raise FileExistsError(
            f'{root} holds a sample made with {manifest["parameters"]}, now '
            f'{parameters} is asked for. Remedy: name another folder or '
            'remove this one')
    reason = _damage(root, manifest)
    if reason is None:
        return True
    strangers = sorted(
        name for name in _files(root)
        if name not in manifest['files'] and name != MANIFEST)
    if strangers:
        raise FileExistsError(
            f'{root} must be built anew ({reason}), but it holds files that '
            f'make_sample did not write, such as {strangers[0]}. Remedy: '
            'move them away')
    _log.warning('building %s anew: %s', root, reason)
    return False


def _damage(root: Path, manifest: dict) -> str | None:
    """Why a sample cannot be used as it is; None when it can."""
    if manifest['version'] != VERSION:
        return f'it is of version {manifest["version"]}, now {VERSION}'
    for name, digest in manifest['files'].items():
        path = root / name
        if not path.is_file():
            return f'{name} is missing'
        if _digest(path) != digest:
            return f'{name} was changed'
    return None


def _files(root: Path) -> list[str]:
    """Every file below a folder, by its path in it."""
    return sorted(
        path.relative_to(root).as_posix() for path in root.rglob('*')
        if path.is_file())


def _read_manifest(root: Path) -> dict | None:
    path = root / MANIFEST
    if not path.is_file():
        return None
    try:
        manifest = json.loads(path.read_text(encoding='utf-8'))
    except ValueError:
        return None
    needed = {'format', 'version', 'parameters', 'files'}
    if not isinstance(manifest, dict) or not needed <= manifest.keys():
        return None
    return manifest if manifest['format'] == FORMAT else None


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _build(root: Path, parameters: dict[str, int], progress: bool) -> None:
    counts = {split: parameters[f'num_{split}'] for split in _SPLITS}
    statistics = {}
    with tqdm(
            total=sum(counts.values()),
            desc='sample',
            unit='picture',
            disable=not progress) as bar:
        for split_number, split in enumerate(_SPLITS):
            entries = []
            for index in range(counts[split]):
                event = list(EVENTS)[index % len(EVENTS)]
                number, _, name = event.partition('--')
                stem = f'{number}_{name}_{split}_{number}_{index}'
                # Own chance for each picture: it does not depend on how many
                # come before it.
                rng = np.random.default_rng(
                    [parameters['seed'], split_number, index])
                scene = compose(rng, split, EVENTS[event])
                entries.append(write_picture(root, split, event, stem, scene))
                bar.update()
            entries.sort(key=lambda entry: (entry.event, entry.stem))
            write_text(root, split, entries)
            heights = np.concatenate([entry.boxes[:, 3] for entry in entries])
            statistics[split] = {
                'pictures': len(entries),
                'faces': len(heights),
                'faces_under_32_pixels': int((heights < 32).sum()),
                'backgrounds': [source.file for source in BACKGROUNDS[split]],
            }
            if split == 'val':
                write_ground_truth(root, entries)
    (root / 'README.txt').write_text(
        _readme(parameters), encoding='utf-8', newline='\n')
    files = {name: _digest(root / name) for name in _files(root)}
    manifest = {
        'format': FORMAT,
        'version': VERSION,
        'parameters': parameters,
        'statistics': statistics,
        'files': files
    }
    (root / MANIFEST).write_text(
        json.dumps(manifest, indent=1) + '\n', encoding='utf-8', newline='\n')


def _readme(parameters: dict[str, int]) -> str:
    portraits = {portrait.source for portrait in PORTRAITS}
    uses = {
        source: f'background, {split}'
        for split in _SPLITS
        for source in BACKGROUNDS[split]
    }
    uses[CAT] = 'distractor'
    rows = '\n'.join(f'  {source.file} ({source.package}): {source.licence}; '
                     f'{source.origin}; '
                     f'{"face" if source in portraits else uses[source]}'
                     for source in all_sources())
    return f"""The built-in sample of tinyfaces
================================

This is a two-person toy. It is not a face detection benchmark, and a model
trained on it is not a face detector: every face is one of two portraits,
pasted into composed scenes. It shows that training, testing and detection
work from end to end. Scores on it say nothing about WIDER FACE.

The folder has the layout of the WIDER FACE download, but none of its data.
Made by tinyfaces.datasets.sample, version {VERSION}, with {parameters}.
Train and val share the two persons, their clothes and a cat (a distractor),
but no background.

Sources, all inside the installed packages:
{rows}
"""
