"""Run a detector over its training pictures for false positives."""
import hashlib
import logging
import pickle
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import get_box_tensor
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.dist import (barrier, broadcast, broadcast_object_list,
                           get_dist_info, is_main_process)
from mmengine.logging import print_log
from mmengine.model import is_model_wrapper
from torch import nn
from torch.utils.data import DataLoader
from tqdm import tqdm

from ...datasets.hard_negative_file import HardNegatives, write_hard_negatives
from ...datasets.picture_faults import UNREADABLE, UNREADABLE_SIZE
from ...utils.config_parts import complete_model
from ...utils.descriptions import as_json
from ...utils.files import check_writable
from .parts import HarvestParts, to_line
from .selection import HarvestOptions, select_hard_negatives
from .training_pictures import TrainingPictures, training_datasets


class HarvestSummary(NamedTuple):
    """What was harvested.

    Attributes:
        pictures: Looked at.
        images: With at least one hard negative.
        boxes: Hard negatives.
    """
    pictures: int
    images: int
    boxes: int

    def __str__(self) -> str:
        return (f'{self.boxes:,} hard negatives in {self.images:,} of '
                f'{self.pictures:,} pictures')


def harvest(cfg: Config,
            model: nn.Module,
            out: str | Path,
            options: HarvestOptions = HarvestOptions(),
            leftovers: str = 'resume') -> HarvestSummary:
    """Write the false positives of a detector on its training pictures.

    "Bootstrapping Face Detection with Hard Negative Examples", section 3.2:
    the model is "applied to all negatives to harvest false positives". The
    pipeline, the thresholds and the NMS are those of the config's test; see
    :func:`~.training_pictures.training_datasets` for the pictures and
    :func:`~.selection.select_hard_negatives` for what counts. A test that
    keeps fewer detections, or only higher scores, than ``options`` ask for
    limits what can be found.

    To be called by every process of a distributed job, which share the
    pictures, with the buffers of the main process; the file is the same
    however many there are. Each looks at one
    picture at a time. Finished pictures are kept in ``<out>.parts`` until
    ``out`` is written as a whole; a call after a run was killed goes on with
    what is missing. On several machines ``out`` must be in a shared folder.

    Args:
        cfg: Config with ``model``, ``train_dataloader``, ``test_dataloader``.
        model: The detector, wrapped for distributed training or not; put into
            evaluation mode meanwhile.
        out: File to write; an existing one is replaced.
        options: What to harvest.
        leftovers: What to do with the parts of a run that was killed:
            ``'resume'`` goes on with them, and raises if they are of other
            weights or settings; ``'replace'`` drops them then; ``'discard'``
            drops them in any case.

    Returns:
        HarvestSummary: The same in every process.

    Raises:
        ValueError: The config has no such pictures, the parts are of another
            harvest, or one is broken.
        OSError: ``out`` cannot be written, or another run is at it.
    """
    if leftovers not in ('resume', 'replace', 'discard'):
        raise ValueError("leftovers must be 'resume', 'replace' or 'discard', "
                         f'not {leftovers!r}')
    datasets = training_datasets(cfg)
    pictures = TrainingPictures(datasets)
    parts = HarvestParts(Path(out))
    # In training each process has statistics of its own.
    for buffer in model.buffers():
        broadcast(buffer)
    header = harvest_header(model, options)
    with ExitStack() as stack:

        def begin() -> set:
            check_writable(out)
            stack.enter_context(parts.locked())
            parts.begin(
                as_json(
                    dict(
                        header,
                        model=complete_model(cfg),
                        datasets=datasets,
                        annotations=pictures.digest())), leftovers)
            return set(parts.read())

        done = on_main_process(begin)
        left = [at for at, key in enumerate(pictures.keys) if key not in done]
        workers = cfg.test_dataloader.get('num_workers') or 0
        _look_at(left, pictures, model, parts, options, workers)
        barrier()
        return on_main_process(lambda: _finish(parts, pictures.keys, header))


def _look_at(left: list[int], pictures: TrainingPictures, model: nn.Module,
             parts: HarvestParts, options: HarvestOptions,
             workers: int) -> None:
    """Do this process's share of the pictures, (n, ) indices."""
    rank, world_size = get_dist_info()
    mine = left[rank::world_size]
    loader = DataLoader(
        pictures,
        sampler=mine,
        num_workers=min(workers, len(mine)),
        collate_fn=pseudo_collate)
    total = len(pictures)
    was_training = model.training
    model.eval()
    try:
        with parts.new_file(rank) as file, torch.no_grad(), tqdm(
                total=total,
                initial=total - len(left),
                desc='harvesting',
                unit='picture',
                # A log needs no line for each tenth of a second.
                mininterval=.1 if sys.stderr.isatty() else 10,
                disable=rank > 0) as bar:
            for at, batch in zip(mine, loader):
                sample, = model.test_step(batch)
                entry = _hard_negatives(sample, *pictures.faces(at), options)
                file.append([to_line(pictures.keys[at], entry)])
                # The others are about as far.
                bar.update(min(world_size, total - bar.n))
    finally:
        model.train(was_training)


def _hard_negatives(sample: DetDataSample, faces: np.ndarray,
                    ignored: np.ndarray,
                    options: HarvestOptions) -> HardNegatives:
    """The false positives among the predictions of a picture, of any class.

    There are none in the grey one that stands for an unreadable picture.
    """
    faults = sample.get(UNREADABLE)
    if faults:
        print_log(f'no hard negatives of unreadable pictures: {faults}',
                  'current', logging.WARNING)
        size = sample.get(UNREADABLE_SIZE, sample.ori_shape[1::-1])
        return HardNegatives(
            np.zeros((0, 4), np.float32), np.zeros(0, np.float32), *size)
    height, width = sample.ori_shape[:2]
    found = sample.pred_instances
    boxes = get_box_tensor(found.bboxes)
    return select_hard_negatives(boxes.float().cpu().numpy(),
                                 found.scores.float().cpu().numpy(), faces,
                                 ignored, (width, height), options)


def _finish(parts: HarvestParts, keys: list, header: dict) -> HarvestSummary:
    """Write the file from the parts, and remove them."""
    done = parts.read()
    absent = [key for key in keys if key not in done]
    if absent:
        raise ValueError(
            f'{parts.folder} lacks {len(absent)} pictures that were looked '
            f'at, such as {absent[0]!r}; on several machines the folder must '
            'be shared: start again, writing to a folder that all can see')
    done = {key: done[key] for key in keys}
    write_hard_negatives(parts.out, done, header)
    parts.remove()
    boxes = [len(entry.boxes) for entry in done.values()]
    return HarvestSummary(len(boxes), sum(map(bool, boxes)), sum(boxes))


def harvest_header(model: nn.Module, options: HarvestOptions) -> dict:
    """What a file says of its harvest: the options, and of which weights."""
    return dict(asdict(options), weights=weights_digest(model))


def weights_digest(model: nn.Module) -> str:
    """SHA-256 of all parameters and buffers, by their names."""
    if is_model_wrapper(model):
        model = model.module
    digest = hashlib.sha256()
    for name, tensor in model.state_dict().items():
        digest.update(name.encode())
        values = tensor.detach().cpu().contiguous().reshape(-1)
        digest.update(values.view(torch.uint8).numpy())
    return digest.hexdigest()


def on_main_process(work: Callable[[], Any]) -> Any:
    """Let the main process work; its result or error reaches all.

    Args:
        work: What to do.

    Returns:
        Any: The result, in every process.

    Raises:
        Exception: The main process raised it.
    """
    outcome = [None, None]
    if is_main_process():
        try:
            outcome = [work(), None]
        except Exception as error:  # the others wait for an answer
            outcome = [None, _that_can_be_sent(error)]
    broadcast_object_list(outcome)
    if outcome[1] is not None:
        raise outcome[1]
    return outcome[0]


def _that_can_be_sent(error: Exception) -> Exception:
    """An error that other processes can be given."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f'{type(error).__name__}: {error}')
    return error
