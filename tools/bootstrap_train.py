"""Train, harvest false positives, train again with them:

    python tools/bootstrap_train.py CONFIG [--rounds 2] [--gpus 1]

Hard negative mining of "Bootstrapping Face Detection with Hard Negative
Examples". Round one is a training by CONFIG, as ``tools/train.py`` does it.
Its last checkpoint harvests the training pictures
(``tools/harvest_hard_negatives.py``), and the next round trains by CONFIG
with the hard negatives of all rounds so far, which
``tinyfaces.engine.with_hard_negatives`` puts into pipeline and samplers. Each
round starts as CONFIG says, that is usually from ImageNet, or with
``--from-previous`` from the weights of the round before; the paper does not
say which it does.

All is in ``<work-dir>/round_<N>``: the complete config, ``train/`` with the
checkpoints, ``harvested.jsonl``, and ``hard_negatives.jsonl`` with the union
of all rounds so far, and logs. The same command goes on where a run stopped,
also within a training or a harvest; with more ``--rounds`` it goes on after
the last one.
"""
import argparse
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path

from _rounds import Round, check_first_round
from _runner import check_file, config_remedy
from _stages import (check_unchanged, describe, file_digest, run_logged,
                     tool_command)
from harvest_hard_negatives import add_harvest_arguments, harvest_options
from mmengine.config import Config, DictAction

from tinyfaces.datasets.hard_negative_file import read_header
from tinyfaces.engine import with_hard_negatives
from tinyfaces.engine.harvest import merge_hard_negatives, training_datasets
from tinyfaces.utils.descriptions import (as_json, differences,
                                          differences_in_words, write_json)
from tinyfaces.utils.files import atomic_write
from tinyfaces.utils.locks import exclusive_lock


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description='Train in rounds, with the hard negatives of the rounds '
        'before.')
    parser.add_argument('config', help='config file of round one')
    parser.add_argument(
        '--rounds',
        type=int,
        default=2,
        metavar='N',
        help='trainings in all (default: %(default)s)')
    parser.add_argument(
        '--gpus',
        type=int,
        default=1,
        metavar='N',
        help='processes of each training and harvest (default: %(default)s)')
    parser.add_argument(
        '--work-dir',
        metavar='DIR',
        help='where all rounds go (default: work_dirs/<config '
        'name>_bootstrap)')
    parser.add_argument(
        '--from-previous',
        action='store_true',
        help='start each round from the last checkpoint of the one before')
    parser.add_argument(
        '--no-rpn',
        dest='rpn',
        action='store_false',
        help='leave the RPN of a two-stage detector as it is')
    add_harvest_arguments(parser)
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        default={},
        metavar='KEY=VALUE',
        help='config entries to override, in all rounds')
    args = parser.parse_args(argv)
    for name in ('rounds', 'gpus'):
        if getattr(args, name) < 1:
            parser.error(f'--{name} must be at least 1')
    return args


class Bootstrapping:
    """The commands of a training in rounds.

    Args:
        args (argparse.Namespace): See :func:`parse_args`.

    Raises:
        SystemExit: The config or its ``load_from`` does not exist, an option
            is out of range, or the config cannot train with hard negatives.
    """

    def __init__(self, args: argparse.Namespace) -> None:
        check_file(args.config, 'config', config_remedy(args.config))
        self.args = args
        self.options = harvest_options(args)
        self.cfg = Config.fromfile(args.config)
        self.cfg.merge_from_dict(args.cfg_options)
        self.work_dir = Path(
            args.work_dir
            or Path('work_dirs', f'{Path(args.config).stem}_bootstrap'))
        # Before the first training, not after it.
        try:
            check_first_round(self.cfg)
            training_datasets(self.cfg)
            self._config_with(Path('hard_negatives.jsonl'))
        except ValueError as error:
            raise SystemExit(f'error: {args.config}: {error}') from None
        if self.cfg.get('load_from'):
            check_file(
                str(self.cfg.load_from), 'load_from',
                'correct it in the config or in --cfg-options')

    def round(self, number: int) -> Round:
        """The folder of a round."""
        return Round(self.work_dir / f'round_{number}', number)

    def run(self) -> None:
        """Train all rounds, and harvest in between.

        Raises:
            SystemExit: A training or a harvest failed, or the work folder is
                one of another config.
            BlockingIOError: Another run works in the folder.
        """
        with exclusive_lock(self.work_dir / 'lock',
                            f'the training in {self.work_dir}',
                            'let it end, or give another --work-dir'):
            self._check_unchanged()
            for number in range(1, self.args.rounds + 1):
                self.train(self.round(number))
                if number < self.args.rounds:
                    self.harvest(self.round(number))
        last = self.round(self.args.rounds)
        print(f'{self.args.rounds} rounds trained: {last.checkpoint}')

    def train(self, round_: Round) -> None:
        """Train a round, or what is left of that."""
        title = f'{round_.title} of {self.args.rounds}'
        self._check_inputs(round_)
        # What was harvested with it is all that later rounds need.
        if round_.hard_negatives.is_file() or round_.is_trained():
            print(f'{title}: trained before', flush=True)
            return
        self._write_config(round_)
        doing = 'resuming' if round_.resumable else 'training'
        print(f'{title}: {doing}, log: {round_.train_log}', flush=True)
        start = time.perf_counter()
        run_logged(
            self._command('train', [str(round_.config)],
                          round_.train_arguments()), round_.train_log,
            f'training of {round_.title}')
        seconds = time.perf_counter() - start
        round_.mark_trained(seconds)
        print(f'{title}: trained in {seconds:.0f} s', flush=True)

    def harvest(self, round_: Round) -> None:
        """Harvest with the checkpoint of a round, or what is left of that."""
        if round_.hard_negatives.is_file():
            print(f'{round_.title}: harvested before', flush=True)
            return
        inputs = dict(checkpoint=file_digest(round_.checkpoint))
        if not round_.harvested.is_file() or inputs != _read(
                round_.harvest_inputs):
            # It may be of a former training of the round.
            round_.harvested.unlink(missing_ok=True)
            write_json(round_.harvest_inputs, inputs)
            print(
                f'{round_.title}: harvesting, log: {round_.harvest_log}',
                flush=True)
            run_logged(
                self._command('harvest_hard_negatives',
                              [str(round_.config),
                               str(round_.checkpoint)],
                              self._harvest_arguments(round_)),
                round_.harvest_log, f'harvest of {round_.title}')
        rounds = range(1, round_.number + 1)
        merge_hard_negatives([self.round(n).harvested for n in rounds],
                             round_.hard_negatives)
        counts = read_header(round_.hard_negatives)
        print(
            f'{round_.title}: {counts["boxes"]:,} hard negatives in '
            f'{counts["images"]:,} pictures so far: {round_.hard_negatives}',
            flush=True)

    def _write_config(self, round_: Round) -> None:
        """Write the complete config of a round."""
        cfg = self.cfg
        if round_.number > 1:
            previous = self.round(round_.number - 1)
            cfg = self._config_with(previous.hard_negatives)
            if self.args.from_previous:
                cfg.load_from = str(self._weights(previous))
            write_json(round_.train_inputs, self._inputs(round_))
        with atomic_write(round_.config) as temporary:
            cfg.dump(temporary)

    def _inputs(self, round_: Round) -> dict:
        """SHA-256 of the files that a later round is trained with."""
        previous = self.round(round_.number - 1)
        inputs = dict(hard_negatives=file_digest(previous.hard_negatives))
        if self.args.from_previous and previous.checkpoint:
            inputs['load_from'] = file_digest(previous.checkpoint)
        return inputs

    def _check_inputs(self, round_: Round) -> None:
        """Refuse a round that was trained with other files.

        Raises:
            SystemExit: The round before was trained or harvested anew.
        """
        if round_.number == 1 or not round_.is_started():
            return
        now = self._inputs(round_)
        # Weights that are gone cannot be compared.
        before = {name: _read(round_.train_inputs).get(name) for name in now}
        changed = differences(before, now)
        if changed:
            raise SystemExit(
                f'error: {round_.title} was trained with other files of '
                f'round {round_.number - 1}:\n{differences_in_words(changed)}'
                f'remove {round_.folder} to train it again')

    def _config_with(self, file: Path) -> Config:
        """The config of a later round."""
        return with_hard_negatives(self.cfg, file, self.args.rpn)

    def _weights(self, previous: Round) -> Path:
        """The checkpoint that the next round starts from."""
        if previous.checkpoint is None:
            raise SystemExit(
                f'error: --from-previous: {previous.train_dir} has no '
                'checkpoint any more; put it back, or remove '
                f'{previous.folder} to train that round again')
        return previous.checkpoint

    def _harvest_arguments(self, round_: Round) -> list[str]:
        """Arguments of ``harvest_hard_negatives.py``."""
        options = self.options
        return [
            '--out',
            str(round_.harvested), '--work-dir',
            str(round_.harvest_dir), '--score-thr',
            str(options.score_thr), '--iou-thr',
            str(options.iou_thr), '--max-per-img',
            str(options.max_per_img)
        ]

    def _command(self, name: str, files: list[str],
                 arguments: list[str]) -> list[str]:
        """A tool, on the GPUs asked for; one needs no launcher."""
        gpus = self.args.gpus if self.args.gpus > 1 else 0
        return tool_command(name, files, gpus, arguments)

    def _check_unchanged(self) -> None:
        """Refuse a work folder of another config or of other options."""
        # Also later ones, if the first was removed.
        rounds = [
            Round(path, int(path.name.split('_')[1]))
            for path in self.work_dir.glob('round_*')
            if path.name.split('_')[1].isdecimal()
        ]
        description = describe(self.cfg, self.args.gpus)
        description.update(
            rpn=self.args.rpn, from_previous=self.args.from_previous)
        check_unchanged(self.work_dir / 'bootstrap.json', description,
                        'rounds', lambda: any(map(Round.is_started, rounds)))
        check_unchanged(self.work_dir / 'harvests.json',
                        as_json(asdict(self.options)), 'harvests',
                        lambda: any(map(Round.is_harvest_started, rounds)))


def _read(path: Path) -> dict:
    """A JSON file; nothing if it is not there."""
    return json.loads(path.read_text()) if path.is_file() else {}


def main(argv: list[str] | None = None) -> int:
    """Exit code: 0, or 1 after one line that says what is wrong."""
    args = parse_args(argv)
    try:
        Bootstrapping(args).run()
    except (OSError, ValueError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
