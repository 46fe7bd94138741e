"""Ten-fold cross-validation: ``python tools/cross_validate_fddb.py CONFIG``.

FDDB's protocol for methods that are trained on it: for each fold, train on
the nine others and test on it; then score the ten sets of detections as one.

Every fold trains by ``tools/train.py`` and is tested by ``tools/test.py`` in
``<work-dir>/fold-<XX>``; with the variable ``GPUS`` set, through
``dist_train.sh`` and ``dist_test.sh``. The same command goes on where a run
stopped: folds that are done are left alone, an interrupted training resumes
from its last checkpoint. Several machines may do some folds each (``--folds``)
in one folder; whoever ends last pools. A fold is locked while a run does it,
and the config of a folder may change until a fold is started. There is no
validation, because the fold held out must not choose the checkpoint: the last
one is tested.

``<work-dir>/pooled`` gets the detections in one file, picture sizes, both ROC
curves in the official layout and as a picture, and the rates as JSON.
"""
import argparse
import json
import os
import sys
import time
from pathlib import Path

from _cross_validation import Fold, pool
from _runner import check_file, config_remedy
from _stages import check_unchanged, describe, run_logged, tool_command
from _test_config import only_metric
from mmengine.config import Config, DictAction

from tinyfaces.datasets.fddb_annotations import NUM_FOLDS
from tinyfaces.evaluation.functional.fddb_output import remove_fddb_output
from tinyfaces.utils.config_parts import (class_name, innermost_datasets,
                                          transform_names)

ALL_FOLDS = range(1, NUM_FOLDS + 1)
_LOOP_CONFIG = ('configs/hard_negative_mining/'
                'faster-rcnn_r50-c4_hnm-loop_1xb1-27e_fddb.py')


class KeepText(DictAction):
    """``DictAction`` that also keeps the words, to hand them on."""

    def __call__(self, parser, namespace, values, option_string=None) -> None:
        """Store both."""
        super().__call__(parser, namespace, values, option_string)
        namespace.option_words = [*namespace.option_words, *values]


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description='Ten-fold cross-validation on FDDB.')
    parser.add_argument(
        'config', help='config file that trains and tests on FDDBDataset')
    parser.add_argument(
        '--work-dir',
        metavar='DIR',
        help='where all folds go (default: work_dirs/<config name>_10-fold)')
    parser.add_argument(
        '--folds',
        nargs='+',
        type=int,
        choices=ALL_FOLDS,
        default=list(ALL_FOLDS),
        metavar='N',
        help='folds to hold out in this run (default: all); the ten are '
        'pooled once all are done')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=KeepText,
        default={},
        metavar='KEY=VALUE',
        help='config entries to override, in training and test, such as '
        'load_from=wider_face.pth')
    parser.set_defaults(option_words=[])
    args = parser.parse_args(argv)
    gpus = os.environ.get('GPUS') or '0'
    if not gpus.isdecimal():
        parser.error(f'the variable GPUS must be a number, got "{gpus}"')
    args.gpus = int(gpus)
    return args


class CrossValidation:
    """The commands of one cross-validation.

    Args:
        args (argparse.Namespace): See :func:`parse_args`.

    Raises:
        SystemExit: The config or its ``load_from`` does not exist, it does
            not train or test on FDDB alone, it trains with hard negatives of
            one file, or the work folder is one of another config.
    """

    def __init__(self, args: argparse.Namespace) -> None:
        check_file(args.config, 'config', config_remedy(args.config))
        self.args = args
        self.cfg = Config.fromfile(args.config, import_custom_modules=False)
        self.cfg.merge_from_dict(args.cfg_options)
        self.work_dir = Path(
            args.work_dir
            or Path('work_dirs', f'{Path(args.config).stem}_10-fold'))
        self.metric = only_metric(
            self.cfg, 'FDDBMetric', args.config,
            'take the datasets and evaluators of _base_/datasets/fddb.py')
        self.train_keys = self._fddb_keys('train_dataloader')
        self._check_pipelines()
        self.test_keys = self._fddb_keys('test_dataloader')
        if self.cfg.get('load_from'):
            check_file(
                str(self.cfg.load_from), 'load_from',
                'correct it in the config or in --cfg-options')
        check_unchanged(
            self.work_dir / 'cross_validation.json',
            describe(self.cfg, args.gpus), 'folds',
            lambda: any(fold.is_started() for fold in self.all_folds()))

    def _fddb_keys(self, loader: str) -> list[str]:
        """Where the ``FDDBDataset`` of a dataloader are in the config."""
        datasets = innermost_datasets(
            (self.cfg.get(loader) or {}).get('dataset') or {},
            f'{loader}.dataset')
        keys = [
            key for key, dataset in datasets.items()
            if dataset and class_name(dataset) == 'FDDBDataset'
        ]
        # Other data may be trained on too, but not be tested on.
        if not keys or (loader == 'test_dataloader'
                        and len(keys) < len(datasets)):
            raise SystemExit(
                f'error: {loader} of "{self.args.config}" is not made of '
                'FDDBDataset; put _base_/datasets/fddb.py into its _base_')
        return keys

    def _check_pipelines(self) -> None:
        """Refuse hard negatives that do not depend on the fold."""
        datasets = innermost_datasets(self.cfg.train_dataloader.dataset,
                                      'train_dataloader.dataset')
        for key, dataset in datasets.items():
            if 'LoadHardNegatives' in transform_names(dataset.get('pipeline')):
                raise SystemExit(
                    f'error: {key}.pipeline of "{self.args.config}" has '
                    'LoadHardNegatives: all folds would train with the hard '
                    'negatives of one file, found by a model that has seen '
                    'the pictures held out; take a config with '
                    f'BootstrapTrainLoop, as {_LOOP_CONFIG}, which harvests '
                    'anew in each fold')

    def fold(self, number: int) -> Fold:
        """The folder of a fold."""
        return Fold(self.work_dir / f'fold-{number:02d}', number)

    def all_folds(self) -> list[Fold]:
        """The folders of all ten."""
        return [self.fold(number) for number in ALL_FOLDS]

    def run(self) -> None:
        """Train and test the folds asked for; pool when all ten are there.

        Raises:
            SystemExit: A training or a test failed.
            BlockingIOError: Another run does one of the folds.
        """
        for number in self.args.folds:
            fold = self.fold(number)
            with fold.locked('let it end, or choose other --folds'):
                self.run_fold(fold)
        folds = self.all_folds()
        left = [fold.number for fold in folds if not fold.is_done()]
        if left:
            print(f'not pooled yet: folds {" ".join(map(str, left))} are to '
                  'be done')
            return
        print(pool(folds, self.metric, self.work_dir / 'pooled'))
        print(f'ten folds pooled: {self.work_dir / "pooled"}')

    def run_fold(self, fold: Fold) -> None:
        """Train and test one fold, or what is left of that."""
        title = f'fold {fold.number} of {NUM_FOLDS}'
        if fold.is_done():
            print(f'{title}: done before', flush=True)
            return
        if not fold.is_trained():
            doing = 'resuming' if fold.resumable else 'training'
            print(f'{title}: {doing}, log: {fold.train_log}', flush=True)
            start = time.perf_counter()
            run_logged(
                self.train_command(fold), fold.train_log,
                f'training of fold {fold.number}')
            fold.mark_trained(time.perf_counter() - start)
        # Parts of a former test would be refused as somebody else's files.
        remove_fddb_output(fold.detections_dir)
        print(f'{title}: testing, log: {fold.test_log}', flush=True)
        start = time.perf_counter()
        run_logged(
            self.test_command(fold), fold.test_log,
            f'test of fold {fold.number}')
        fold.mark_done(time.perf_counter() - start)
        print(f'{title}: {fold.summary()}', flush=True)

    def train_command(self, fold: Fold) -> list[str]:
        """The command that trains on the nine other folds."""
        others = [n for n in ALL_FOLDS if n != fold.number]
        options = [f'{key}.folds={_list(others)}' for key in self.train_keys]
        options += [
            f'{key}=None'
            for key in ('val_dataloader', 'val_evaluator', 'val_cfg')
        ]
        return self._command('train', [self.args.config],
                             fold.train_arguments(), options)

    def test_command(self, fold: Fold) -> list[str]:
        """The command that tests on the fold held out."""
        options = [
            f'{key}.folds={_list([fold.number])}' for key in self.test_keys
        ]
        return self._command(
            'test', [self.args.config, str(fold.checkpoint)], [
                '--work-dir',
                str(fold.test_dir), '--fddb-out',
                str(fold.detections_dir)
            ], options)

    def _command(self, name: str, files: list[str], arguments: list[str],
                 options: list[str]) -> list[str]:
        """``train.py`` or ``test.py``, on the GPUs asked for."""
        return tool_command(
            name, files, self.args.gpus,
            [*arguments, '--cfg-options', *self.args.option_words, *options])


def _list(numbers: list[int]) -> str:
    """A list as ``--cfg-options`` take it."""
    return json.dumps(numbers, separators=(',', ':'))


def main(argv: list[str] | None = None) -> int:
    """Exit code: 0, or 1 after one line that says what is wrong."""
    args = parse_args(argv)
    try:
        CrossValidation(args).run()
    except (OSError, ValueError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
