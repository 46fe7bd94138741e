"""Kill runs at random moments, resume them, and compare the ends.

    python benchmarks/kill_and_resume.py [CONFIG] [--kills 20 --seed 0]

Trains a small config on part of the built-in sample, with a validation after
each epoch, on one process and on two, and tests it with ``--resume``. Each run
is killed (SIGKILL of all its processes and their workers) and started again
with ``--resume``, five times or until it ends, and then runs to its end. It
must end with what an uninterrupted run ends with, bit for bit: weights,
optimizer and schedules of a training, prediction files and scores of a test.

A third of the kills is at a random time; a third at a random event (a step
begins, a file is opened for writing, renamed or removed); a third in the
middle of writing a file, at a random byte, by the kernel. After each kill
every file that a resumed run may read must be whole.

Prints what was killed, when, and how it ended. Exit status 1 if an end is
another one. ``--at`` gives moments rather than ``--kills``, see
``_kills.py``: ``--at 'open .*epoch_2#1@4096' 'rename last_checkpoint'``
kills one training in the first write of ``epoch_2.pth``, and again right
before ``last_checkpoint`` takes its name.
"""
import argparse
import json
import random
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import _cpu_only  # noqa: F401
import torch
from _forked import ROOT, Job, prepare
from _kills import Moment, Witness
from _runs_to_kill import Test, Training, Work, fresh
from _sample_runs import make_data, use_sample
from mmengine.config import Config
from tqdm import tqdm

CONFIG = (
    ROOT / 'configs/hard_negative_mining/'
    'faster-rcnn_mbv2_1xb8-16e_wider-face-256.py')
PICTURES, VAL_PICTURES = 8, 7
KILLS_PER_RUN = 5


@dataclass
class Kill:
    """A process that was killed.

    Attributes:
        run: Number of the run, from 1.
        kind: What it was, such as ``trainx2``.
        moment: When it was to be killed.
        where: Step of the runner at its death.
        file: File that it had opened, renamed or removed last in this step.
        goes_on: What there was to go on with.
    """
    run: int
    kind: str
    moment: str
    where: str
    file: str
    goes_on: str


def killed_run(work: Work, number: int, moments: Iterator[Moment],
               limit: int) -> Iterator[Kill]:
    """Kill a run at one moment after the other, and let it end.

    Args:
        work: What to run.
        number: Of the run.
        moments: When.
        limit: Number of kills at most.

    Yields:
        Kill: Each, when the next start can follow.

    Raises:
        RuntimeError: A start failed by itself.
    """
    folder = work.folder / f'run_{number}'
    fresh(folder)
    for _ in range(limit):
        moment = next(moments, None)
        if moment is None:
            break
        witness = Witness(folder, moment)
        job = work.start(folder, witness)
        end = time.monotonic() + (600 if moment.seconds is None else
                                  moment.seconds)
        while job.running and time.monotonic() < end:
            time.sleep(.001)
        time_is_up = job.running and moment.seconds is not None
        if time_is_up or ended_by_signal(job):
            job.kill()
        if not ended_by_signal(job):
            job.wait()
            return  # it came to its end before
        yield Kill(number, work.kind, str(moment), witness.where, witness.file,
                   work.check_killed(folder))
    work.start(folder, Witness(folder)).wait()


def ended_by_signal(job: Job) -> bool:
    """Whether the process that is watched was killed."""
    return job.processes[0].exitcode in (-signal.SIGKILL, -signal.SIGXFSZ)


def random_moments(work: Work, rng: random.Random) -> Iterator[Moment]:
    """Random times, events and bytes, in turns, without end."""
    sizes = [
        path.stat().st_size for path in work.whole.rglob('*')
        if path.suffix in ('.pth', '.zip')
    ]
    while True:
        yield Moment(seconds=rng.uniform(0, work.seconds))
        # A resumed run has fewer.
        yield Moment(nth=rng.randint(1, max(1, work.events // 2)))
        # Only the large files are sure to have that byte.
        yield Moment(
            what=r'open .*\.(pth|zip)$',
            nth=rng.randint(1, 2),
            byte=rng.randrange(1, max(sizes, default=2)))


def small_config(args: argparse.Namespace, folder: Path) -> Config:
    """The config of all runs."""
    cfg = Config.fromfile(args.config)
    if not args.own_data:
        use_sample(cfg, make_data(folder, PICTURES, VAL_PICTURES))
        for transform in cfg.train_dataloader.dataset.pipeline:
            if transform.type == 'Resize':
                transform.scale = (128, 128)
        cfg.train_dataloader.update(batch_size=2)
        _shorten(cfg, args.epochs)
    cfg.train_dataloader.update(
        num_workers=args.workers, persistent_workers=args.workers > 0)
    cfg.default_hooks.logger.interval = 1
    cfg.randomness = dict(seed=args.seed, deterministic=True)
    cfg.custom_hooks = [
        *(cfg.get('custom_hooks') or []),
        dict(type='TellWitness')
    ]
    return cfg


def _shorten(cfg: Config, epochs: int) -> None:
    """Validate and save after each pass over the pictures."""
    interval = 1
    if 'max_iters' in cfg.train_cfg:
        interval = PICTURES // cfg.train_dataloader.batch_size
        cfg.train_cfg.max_iters = interval * epochs
    else:
        cfg.train_cfg.max_epochs = epochs
    cfg.train_cfg.val_interval = interval
    cfg.default_hooks.checkpoint.interval = interval


def works(args: argparse.Namespace, folder: Path) -> Iterator[Work]:
    """What is killed, after its uninterrupted run."""
    config = folder / 'small.py'
    small_config(args, folder).dump(config)
    for name in args.kinds:
        tool, _, ranks = name.partition('x')
        place = folder / name
        place.mkdir(parents=True, exist_ok=True)
        if tool == 'train':
            work = Training(name, 'train.py', [config], int(ranks), place)
        else:
            weights = folder / 'weights.pth'
            if not weights.is_file():
                _untrained(config, weights)
            work = Test(name, 'test.py', [config, weights], int(ranks), place)
        work.run_whole()
        yield work


def _untrained(config: Path, path: Path) -> None:
    """Weights that find boxes everywhere."""
    from mmdet.registry import MODELS
    from mmengine.registry import init_default_scope
    init_default_scope('mmdet')
    torch.manual_seed(0)
    model = MODELS.build(Config.fromfile(config).model)
    torch.save(dict(state_dict=model.state_dict(), meta={}), path)


def prove(args: argparse.Namespace, folder: Path) -> dict:
    """Kill all there is to kill; the table and the verdicts."""
    rng = random.Random(args.seed)
    kills, ends, number = [], [], 0
    total = len(args.at) * len(args.kinds) if args.at else args.kills
    with tqdm(total=total, desc='kills') as bar:
        for index, work in enumerate(works(args, folder)):
            share = total * (index + 1) // len(args.kinds)
            moments = iter(args.at) if args.at else random_moments(work, rng)
            while len(kills) < share:
                number += 1
                before = len(kills)
                limit = share - before
                for kill in killed_run(work, number, moments,
                                       min(limit, args.kills_per_run)):
                    kills.append(kill)
                    bar.update()
                wrong = work.differences(work.folder / f'run_{number}')
                ends.append(
                    dict(
                        run=number,
                        kind=work.kind,
                        kills=len(kills) - before,
                        differences=wrong))
                if args.at:
                    break
    return dict(kills=[asdict(kill) for kill in kills], ends=ends)


def report(found: dict) -> int:
    """Print the table; the exit status."""
    for kill in found['kills']:
        print(f'run {kill["run"]} ({kill["kind"]}), {kill["moment"]}: killed '
              f'in {kill["where"]}'
              f'{kill["file"] and ", " + kill["file"]}; goes on with '
              f'{kill["goes_on"]}')
    for end in found['ends']:
        print(f'run {end["run"]} ({end["kind"]}), {end["kills"]} kills: '
              f'{"DIFFERENT: " if end["differences"] else "the same end"}'
              f'{", ".join(end["differences"])}')
    good = not any(end['differences'] for end in found['ends'])
    print(f'{len(found["kills"])} kills, {len(found["ends"])} runs: '
          f'{"all ended" if good else "NOT ALL ENDED"} as uninterrupted ones')
    return int(not good)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', nargs='?', type=Path, default=CONFIG)
    parser.add_argument('--kills', type=int, default=20)
    parser.add_argument('--kills-per-run', type=int, default=KILLS_PER_RUN)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--epochs', type=int, default=4)
    parser.add_argument('--workers', type=int, default=0)
    parser.add_argument(
        '--kinds',
        nargs='+',
        default=['trainx1', 'trainx2', 'testx1', 'testx2'],
        help='train or test, and the number of processes')
    parser.add_argument(
        '--at',
        nargs='+',
        type=Moment.parse,
        default=[],
        metavar='MOMENT',
        help='kill one run of each kind at these, rather than at random')
    parser.add_argument(
        '--own-data',
        action='store_true',
        help="the config's data, batch and length, not the sample")
    parser.add_argument(
        '--work-dir', type=Path, help='kept; default: a temporary folder')
    parser.add_argument('--json', type=Path, help='the table')
    return parser.parse_args()


def main() -> None:
    """Kill, resume, compare."""
    args = parse_args()
    torch.set_num_threads(1)
    prepare()
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.work_dir or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        found = prove(args, folder.resolve())
    if args.json is not None:
        args.json.write_text(json.dumps(found, indent=1))
    sys.exit(report(found))


if __name__ == '__main__':
    main()
