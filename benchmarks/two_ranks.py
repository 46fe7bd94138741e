"""Two processes against one with twice the batch: the same training?

    python benchmarks/two_ranks.py [CONFIG ...] [--steps 20 --batch 4]

Trains each config on two processes (Gloo, on CPUs) and, with twice the batch,
on one, with ``tools/train.py`` as ``tools/dist_train.sh`` starts it, from the
same weights and on the built-in sample; and prints the largest differences of
the losses (averaged over the processes) in any step, of the norms of the
gradients, and of the weights in the end. Exit status 1 if a loss differs by
more than 1e-4 times (1 + the loss): sums of 1e5 float32 numbers in another
order differ by 1e-6, and each step adds to that.

A detector with proposals trains in float64 unless ``--precision`` says
otherwise. In float32 the last digit of two scores decides which proposals are
kept, and which RoIs train; both trainings are as good, but not alike. (The
other way round, RefineFace does not train in float64.)

Without names it takes the small config of each paper. Batch norm uses its
running statistics, which a few steps of an ordinary training make first
(``--warm-up``). A config with hard negatives gets random boxes for them.
``--stock`` shows what MMDetection's own way to average, each process by its
own numbers, comes to; ``--accumulate`` compares the two with one process
that accumulates the gradients of two batches as well.
"""
import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path

import _cpu_only  # noqa: F401
import torch
from _forked import ROOT, Job, prepare
from _sample_runs import make_data, use_sample
from _step_records import compare
from mmengine.config import Config
from tqdm import tqdm

CONFIGS = (
    'refineface/refineface_mbv2_1xb8-32e_wider-face-256.py',
    'tiny_faces/tiny-faces_mbv2_1xb8-32e_wider-face-256.py',
    'group_sampling/fpn-finest-sampling_mbv2_1xb8-32e_wider-face-256.py',
    'hard_negative_mining/faster-rcnn_mbv2_hnm_1xb8-16e_wider-face-256.py')
TOLERANCE = 1e-4


def training(config: Path, folder: Path, batch: int, epochs: int,
             **changes) -> Config:
    """The config of a run whose steps are recorded in ``folder/steps``.

    Args:
        config: The one to train.
        folder: Work folder.
        batch: Pictures of a process and step.
        epochs: How long.
        **changes: Further entries.
    """
    cfg = Config.fromfile(config)
    cfg.work_dir = str(folder)
    cfg.train_dataloader.update(
        batch_size=batch, num_workers=0, persistent_workers=False)
    cfg.update(val_dataloader=None, val_evaluator=None, val_cfg=None)
    cfg.train_cfg = dict(cfg.train_cfg, max_epochs=epochs)
    for key in ('val_interval', 'val_begin', 'dynamic_intervals'):
        cfg.train_cfg.pop(key, None)
    cfg.default_hooks.logger.interval = 1
    cfg.default_hooks.checkpoint.update(interval=epochs, save_best=None)
    cfg.randomness = dict(seed=0)
    cfg.merge_from_dict(changes)
    cfg.custom_hooks = [
        *(cfg.get('custom_hooks') or []),
        dict(
            type='RecordSteps',
            prefix=str(folder / 'steps'),
            frozen=cfg.model.backbone.get('norm_eval', True))
    ]
    return cfg


def in_double(cfg: Config, precision: str) -> bool:
    """Whether to train in float64, see the file."""
    return precision == 'float64' or (precision == 'auto'
                                      and 'roi_head' in cfg.model)


def run(cfg: Config, ranks: int, precision: str) -> Path:
    """Train in forked processes; the work folder, which is made anew."""
    before = None
    if in_double(cfg, precision):
        # Its module needs mmcv's ops, or what prepare() has put in place.
        from _double_precision import use_float64 as before
        cfg.model.data_preprocessor.type = 'DoubleDetDataPreprocessor'
    folder = Path(cfg.work_dir)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    path = folder / 'run.py'
    cfg.dump(path)
    Job('train.py', [path], folder / 'log.txt', ranks, before).wait()
    return folder


def pair(config: Path, args: argparse.Namespace, folder: Path) -> dict:
    """Train both ways and compare, see the file."""
    pictures, batch = args.pictures, args.batch
    per_epoch = -(-pictures // (2 * batch))
    epochs = -(-args.steps // per_epoch)

    def prepared(name: str, size: int, number: int, **changes) -> Config:
        cfg = training(config, folder / name, size, number, **changes)
        if args.sample is not None:
            use_sample(cfg, args.sample)
        return cfg

    start = {}
    if args.warm_up:
        changes = {'model.backbone.norm_eval': False}
        cfg = prepared('start', 2 * batch, -(-args.warm_up // per_epoch),
                       **changes)
        cfg.custom_hooks[-1].frozen = False
        made = run(cfg, 1, args.precision)
        start = dict(load_from=(made / 'last_checkpoint').read_text().strip())
    start['model.backbone.norm_eval'] = True

    def finish(name: str,
               size: int,
               ranks: int,
               stock: bool = False,
               accumulate: int = 1) -> Path:
        cfg = prepared(name, size, epochs, **start)
        cfg.custom_hooks[-1].stock = stock
        if accumulate > 1:
            cfg.optim_wrapper.accumulative_counts = accumulate
            cfg.train_cfg.type = 'AccumulatingEpochBasedTrainLoop'
        return run(cfg, ranks, args.precision)

    one = finish('one', 2 * batch, 1)
    results = dict(two=compare(finish('two', batch, 2), one))
    if args.stock:
        results['stock'] = compare(
            finish('stock_two', batch, 2, stock=True),
            finish('stock_one', 2 * batch, 1, stock=True))
    if args.accumulate:
        results['accumulated'] = compare(
            finish('accumulated', batch, 1, accumulate=2), one)
    return results


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        'configs', nargs='*', help="default: each paper's small one")
    parser.add_argument('--steps', type=int, default=20)
    parser.add_argument('--batch', type=int, default=4, help='of a process')
    parser.add_argument(
        '--pictures', type=int, default=40, help='of the training data')
    parser.add_argument(
        '--own-data',
        action='store_true',
        help="the config's data, of which --pictures gives the number, "
        'rather than the built-in sample')
    parser.add_argument(
        '--warm-up',
        type=int,
        default=10,
        help='steps of one process that make weights and statistics')
    parser.add_argument('--stock', action='store_true')
    parser.add_argument('--accumulate', action='store_true')
    parser.add_argument(
        '--precision', choices=('auto', 'float32', 'float64'), default='auto')
    parser.add_argument('--threads', type=int, default=1, help='per process')
    parser.add_argument(
        '--work-dir', type=Path, help='kept; default: a temporary folder')
    parser.add_argument('--json', type=Path, help='all losses')
    args = parser.parse_args()
    if args.pictures % (2 * args.batch):
        parser.error(f'--pictures {args.pictures} must be a multiple of twice '
                     f'--batch, {2 * args.batch}: the last step of an epoch '
                     'would be another one')
    return args


def main() -> None:
    """Compare, and print a line for each config."""
    args = parse_args()
    torch.set_num_threads(args.threads)
    prepare()
    configs = [Path(name) for name in args.configs]
    configs = configs or [ROOT / 'configs' / name for name in CONFIGS]
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.work_dir or Path(temporary)
        args.sample = None
        if not args.own_data:
            args.sample = make_data(folder, args.pictures, 1)
        found = {}
        for config in tqdm(configs, 'configs', unit='config'):
            found[config.stem] = pair(config, args, folder / config.stem)
    if args.json is not None:
        args.json.write_text(json.dumps(found, indent=1))
    sys.exit(report(found, args))


def report(found: dict[str, dict[str, dict]], args) -> int:
    """Print the differences; the exit status."""
    print(f'{args.steps} steps, 2 processes x {args.batch} pictures against '
          f'1 x {2 * args.batch}; torch {torch.__version__}, {args.threads} '
          'threads each')
    failed = 0
    for config, results in found.items():
        print(config)
        for kind, result in results.items():
            gap, step, name = result['worst']
            first, last = (result['losses'][at]['loss'][1] for at in (0, -1))
            good = gap <= TOLERANCE
            # What others do may differ.
            failed |= not good and kind != 'stock'
            norm = result['grad_norm']
            print(f'  {kind:12} loss {first:.4f} to {last:.4f}; largest '
                  f'difference {gap:.1e} ({name}, step {step}), gradient '
                  f'norm {"-" if norm is None else format(norm, ".1e")}, '
                  f'weights {result["weights"]:.1e}: '
                  f'{"same" if good else "DIFFERENT"}')
    return int(failed)


if __name__ == '__main__':
    main()
