"""A test that goes on after it was killed."""
import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path

from mmdet.registry import LOOPS
from mmengine.dataset import DefaultSampler
from mmengine.device import get_device
from mmengine.dist import (all_gather_object, barrier, get_dist_info,
                           is_main_process)
from mmengine.evaluator import Evaluator
from mmengine.logging import print_log
from mmengine.runner import Runner, TestLoop
from mmengine.structures import BaseDataElement
from torch.utils.data import BatchSampler, DataLoader, Dataset

from ...datasets.picture_faults import UNREADABLE
from ...utils.config_parts import complete_model
from ...utils.descriptions import as_json
from ..harvest import on_main_process, weights_digest
from ..parts import PartFile
from ..parts_of_test import PartsOfTest, to_line

# What the numbers of a test may depend on, bit for bit.
_PACKAGES = ('tinyfaces', 'mmdet', 'mmcv', 'mmengine', 'torch', 'numpy', 'cv2')


@LOOPS.register_module()
class ResumableTestLoop(TestLoop):
    """Test loop that keeps each picture's data sample as soon as it is done.

    A test that was killed goes on with the pictures that are missing, with
    whatever number of processes; metrics, files and their bytes are those of
    a test that nothing has stopped, and of MMEngine's ``TestLoop`` in one
    process. Batches are those of one process, too: pictures that are padded
    together stay together.

    The metrics see the data samples at the end, in the order of the data set,
    and no ``data_batch``; hooks see those of the pictures that were missing.

    Args:
        runner: The runner.
        dataloader: Data loader or its config; one that gives every picture of
            the data set in order.
        evaluator: The metrics.
        fp16: Test with half precision.
        parts: Folder of the pictures that are done, which all processes must
            see. It is removed when all is done, hooks included, but stays
            if pictures could not be read: the next test looks at these
            again. Defaults to None: ``test.parts`` in the work folder.

    Raises:
        ValueError: The data loader has a sampler of another kind, shuffles,
            or drops the last pictures.
    """

    def __init__(self,
                 runner: Runner,
                 dataloader: DataLoader | dict,
                 evaluator: Evaluator | dict | list,
                 fp16: bool = False,
                 parts: str | None = None) -> None:
        super().__init__(runner, dataloader, evaluator, fp16)
        loader = self.dataloader
        if not isinstance(loader.sampler,
                          DefaultSampler) or loader.sampler.shuffle or (type(
                              loader.batch_sampler) is not BatchSampler):
            raise ValueError(
                'a test that goes on gives the pictures out itself; set '
                "test_dataloader.sampler=dict(type='DefaultSampler', "
                'shuffle=False) and no batch_sampler')
        if loader.drop_last:
            raise ValueError(
                'a test that goes on tests all pictures, and test_dataloader.'
                'drop_last=True leaves the last ones out; set it to False')
        self.parts = PartsOfTest(
            Path(runner.work_dir, 'test.parts') if parts is
            None else Path(parts))

    def run(self) -> dict:
        """Test the pictures that are missing, then evaluate all.

        Returns:
            dict: The metrics.

        Raises:
            ValueError: The folder holds parts of another test, a line of them
                is broken, another machine's are missing, or the model gives
                losses, which are not kept.
            BlockingIOError: Another run is at this test.
            OSError: The disk is full.
        """
        self.runner.call_hook('before_test')
        self.runner.call_hook('before_test_epoch')
        self.runner.model.eval()
        size = len(self.dataloader.dataset)
        with ExitStack() as stack:

            def begin() -> set[int]:
                stack.enter_context(self.parts.locked())
                self.parts.begin(self._description())
                return self.parts.done()

            self._test(on_main_process(begin))
            barrier()
            unreadable = self._collect(size)
            metrics = self.evaluator.evaluate(size)
            self.runner.call_hook('after_test_epoch', metrics=metrics)
            self.runner.call_hook('after_test')
            # What fails up to here is not paid for by another test.
            self._leave(unreadable)
        return metrics

    def _test(self, done: set[int]) -> None:
        """Do this process's share of what is missing."""
        loader = self.dataloader
        order = range(len(loader.dataset))
        per_batch = loader.batch_sampler.batch_size
        batches = [
            order[at:at + per_batch] for at in order[::per_batch]
            if not done.issuperset(order[at:at + per_batch])
        ]
        if done and is_main_process():
            left = sum(map(len, batches))
            print_log(
                f'{self.parts.folder}: {len(order) - left:,} of '
                f'{len(order):,} pictures are done, {left:,} are left',
                'current')
        rank, world_size = get_dist_info()
        batches = batches[rank::world_size]
        evaluator = self.evaluator
        # Older versions of MMEngine know no losses of a test.
        losses = getattr(self, 'test_loss', {})
        losses.clear()
        try:
            with self.parts.new_file(rank) as file:
                # What the loop of MMEngine gives to the metrics is kept.
                self.evaluator = _Keeper(batches, file, losses)
                self.dataloader = _loader_of(loader, batches)
                for number, data_batch in enumerate(self.dataloader):
                    self.run_iter(number, data_batch)
        finally:
            self.evaluator = evaluator
            self.dataloader = loader

    def _collect(self, size: int) -> int:
        """Give the metrics of this process its share of all pictures.

        The shares are those that MMEngine puts together again in the order of
        the data set.

        Returns:
            int: How many could not be read, in all processes.
        """
        rank, world_size = get_dist_info()
        mine = range(rank, size, world_size)
        waiting = {}
        at = unreadable = 0
        for index, sample in self.parts.samples(mine):
            unreadable += bool(sample.get(UNREADABLE))
            waiting[index] = sample
            while at < len(mine) and mine[at] in waiting:
                self.evaluator.process([waiting.pop(mine[at])])
                at += 1
        if at < len(mine):
            raise ValueError(
                f'{self.parts.folder} lacks picture {mine[at]} that was '
                'tested; on several machines the folder must be shared: give '
                'a --work-dir that all can see, and start again')
        return sum(all_gather_object(unreadable))

    def _leave(self, unreadable: int) -> None:
        """Remove the parts, or say why they stay."""
        if not unreadable:
            on_main_process(self.parts.remove)
        elif is_main_process():
            print_log(
                f'{unreadable:,} pictures could not be read; so that a test '
                'with --resume looks at them again, and at little else, '
                f'{self.parts.folder} stays', 'current', logging.WARNING)

    def _description(self) -> dict:
        """What a test must have in common with one that it goes on with."""
        cfg, dataset = self.runner.cfg, self.dataloader.dataset
        return as_json(
            dict(
                model=complete_model(cfg),
                weights=weights_digest(self.runner.model),
                dataset=cfg.test_dataloader.dataset,
                batch_size=self.dataloader.batch_sampler.batch_size,
                fp16=self.fp16,
                device=get_device(),
                pictures=len(dataset),
                data=_digest(dataset),
                versions={
                    name: import_module(name).__version__
                    for name in _PACKAGES
                }))


class _Keeper:
    """Stands for the metrics, and keeps what they would be given.

    Args:
        batches: Indices of the pictures of each batch, in order.
        file: File of parts.
        losses: Where the loop puts losses of a batch before it is kept.
    """

    def __init__(self, batches: Sequence[Sequence[int]], file: PartFile,
                 losses: Mapping) -> None:
        self._batches = iter(batches)
        self._file = file
        self._losses = losses

    def process(self,
                data_samples: Sequence[BaseDataElement],
                data_batch: object = None) -> None:
        """Keep a batch."""
        if self._losses:
            raise ValueError('the model gives losses in a test '
                             f'({", ".join(self._losses)}), which are not '
                             'kept; test without --resume')
        indices = next(self._batches)
        if len(indices) != len(data_samples):
            raise ValueError(f'the model gives {len(data_samples)} data '
                             f'samples of {len(indices)} pictures; test '
                             'without --resume')
        unreadable = any(sample.get(UNREADABLE) for sample in data_samples)
        self._file.append([
            to_line(index, sample, bool(unreadable))
            for index, sample in zip(indices, data_samples)
        ])


def _loader_of(loader: DataLoader, batches: list[Sequence[int]]) -> DataLoader:
    """A data loader for some batches of another one's data set."""
    workers = min(loader.num_workers, len(batches))
    options = {}
    if workers:
        options = dict(
            prefetch_factor=loader.prefetch_factor,
            multiprocessing_context=loader.multiprocessing_context)
    return DataLoader(
        loader.dataset,
        batch_sampler=batches,
        num_workers=workers,
        collate_fn=loader.collate_fn,
        pin_memory=loader.pin_memory,
        timeout=loader.timeout if workers else 0,
        worker_init_fn=loader.worker_init_fn,
        **options)


def _digest(dataset: Dataset) -> str | None:
    """SHA-256 of what a data set knows of its pictures, if it can tell."""
    if not hasattr(dataset, 'get_data_info'):
        return None
    digest = hashlib.sha256()
    for index in range(len(dataset)):
        info = json.dumps(dataset.get_data_info(index), default=str)
        digest.update(info.encode())
    return digest.hexdigest()
