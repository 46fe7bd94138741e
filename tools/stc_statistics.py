"""Positives to negatives before and after STC: Fig. 4(b) of RefineFace.

    python tools/stc_statistics.py CONFIG [--checkpoint W] [--out stc.json]
        [--plot stc.png] [--cfg-options KEY=VALUE ...]

Runs the config's own training pictures and pipeline once, and counts what
anchors are matched as positive and as negative on each level. Before STC this
needs no network, so that without ``--checkpoint`` none is run; after STC it
is the trained network that drops anchors (in evaluation mode, so that batch
normalisation has its running statistics).

The paper does not say which matching its 1:15441 and 1:404 are of. Both are
reported: that of the first step (.7/.3 in our configs) and that of the second
(.5/.4), whose samples STC selects. A ratio is that of sums over all pictures;
the mean of the ratios of single pictures is in the JSON file too.

``--annotations-only`` counts, before STC, pictures that are not at hand. The
pipeline then runs on black pictures, without photometric distortion, and what
it does to boxes is the same. The sizes of missing pictures are not in the
annotations: 1,024 pixels wide, as all of WIDER FACE, and as high as a random
one of the pictures at hand that is high enough for all faces.
"""
import argparse
import json
import sys
from pathlib import Path

import _annotations_only
import numpy as np
import torch
from _runner import check_file, load_config
from _stc_counts import (KINDS, MATCHINGS, STAGES, blank_maps, count_samples,
                         summary)
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from mmdet.registry import MODELS
from mmengine.config import Config, DictAction
from mmengine.registry import init_default_scope
from mmengine.runner import Runner, load_checkpoint, set_random_seed
from tqdm import tqdm

from tinyfaces.models.dense_heads import SelectiveRefineHead
from tinyfaces.utils.console import run_and_print
from tinyfaces.utils.files import atomic_write, check_writable
from tinyfaces.visualization.palette import COLOURS

# Negatives per positive, section 3.2.
PAPER = dict(before=15441, after=404)


class Counter:
    """Counts batches, with a network or with a head that is never run.

    Args:
        model: ``model`` of a config.
        checkpoint: Weights; None to count before STC alone.
        device: Such as ``'cpu'``.

    Raises:
        ValueError: The head has no two-step classification.
    """

    def __init__(self, model: Config, checkpoint: str | None,
                 device: str) -> None:
        self.network = None
        if checkpoint is None:
            self.preprocess = MODELS.build(model.data_preprocessor).to(device)
            self.head = MODELS.build(
                dict(
                    model.bbox_head,
                    train_cfg=model.train_cfg,
                    test_cfg=model.test_cfg))
        else:
            self.network = MODELS.build(model)
            load_checkpoint(self.network, checkpoint, 'cpu', strict=True)
            self.network.to(device).eval()
            self.preprocess = self.network.data_preprocessor
            self.head = self.network.bbox_head
        if not (isinstance(self.head, SelectiveRefineHead)
                and self.head.stc_levels):
            raise ValueError(
                'the config has no two-step classification: give one whose '
                'bbox_head is a SelectiveRefineHead with stc_levels')

    @torch.no_grad()
    def __call__(self, data: dict) -> np.ndarray:
        """Count a batch of a data loader, see :func:`count_samples`."""
        data = self.preprocess(data, True)
        inputs, samples = data['inputs'], data['data_samples']
        if self.network is None:
            maps = blank_maps(self.head, *inputs.shape[-2:])
            maps = [level_map.to(inputs.device) for level_map in maps]
            return count_samples(self.head, samples, maps)
        maps, _, *first = self.head(self.network.extract_feat(inputs))
        return count_samples(self.head, samples, maps, tuple(first))


def statistics(cfg: Config, args: argparse.Namespace) -> dict:
    """Count the training pictures of a config.

    Returns:
        dict: What was counted, and :func:`summary` under ``samples``.

    Raises:
        ValueError: The config is not one for this.
    """
    init_default_scope(cfg.get('default_scope', 'mmdet'))
    set_random_seed(args.seed)
    loading = cfg.train_dataloader
    if args.annotations_only:
        loading.dataset = _annotations_only.without_pictures(loading.dataset)
    if args.workers is not None:
        loading.num_workers = args.workers
        loading.persistent_workers = args.workers > 0
    counter = Counter(cfg.model, args.checkpoint, args.device)
    loader = Runner.build_dataloader(loading, seed=args.seed)
    counts = []
    for epoch in range(args.epochs):
        loader.sampler.set_epoch(epoch)
        counts += [counter(data) for data in tqdm(loader, 'Counting')]
    counts = np.concatenate(counts)
    head = counter.head
    return dict(
        config=Path(args.config).stem,
        checkpoint=args.checkpoint and Path(args.checkpoint).name,
        pictures=len(loader.dataset),
        assumed_sizes=getattr(loader.dataset, 'num_assumed', 0),
        crops=len(counts),
        epochs=args.epochs,
        seed=args.seed,
        stc_levels=list(head.stc_levels),
        str_levels=list(head.str_levels),
        stc_score_thr=head.stc_score_thr,
        thresholds={
            name: [assigner.pos_iou_thr, assigner.neg_iou_thr]
            for name, assigner in zip(MATCHINGS, (head.first_assigner,
                                                  head.assigner))
        },
        samples=summary(counts, head.stc_levels, counter.network is not None),
        paper=PAPER)


def in_words(result: dict) -> str:
    """The statistics as a table."""
    lines = [
        f'{result["config"]}: {result["crops"]:,} crops of '
        f'{result["pictures"]:,} training pictures, '
        f'{result["assumed_sizes"]:,} of assumed sizes', f'{"matching":22}'
        f'{"STC":8}{"positives":>11}{"negatives":>15}{"on STC levels":>16}'
        f'{"on all":>11}'
    ]
    stc = result['stc_levels']
    for matching, stages in result['samples'].items():
        thresholds = '/'.join(f'{t:g}' for t in result['thresholds'][matching])
        for stage, values in stages.items():
            sums = [sum(values[kind][n] for n in stc) for kind in KINDS]
            lines.append(f'{f"{matching} step, {thresholds}":22}{stage:8}'
                         f'{sums[0]:11,}{sums[1]:15,}'
                         f'{_one_to(values["ratio_stc_levels"]):>16}'
                         f'{_one_to(values["ratio_all_levels"]):>11}')
    lines += [
        f'{"the paper":22}{stage:8}{"":26}{_one_to(value):>16}'
        for stage, value in PAPER.items()
    ]
    return '\n'.join(lines)


def _one_to(value: float | None) -> str:
    return 'no positive' if value is None else f'1:{value:.0f}'


def plot(result: dict, path: str) -> None:
    """Draw negatives per positive on the STC levels beside the paper's."""
    groups = {
        f'{matching} step\'s matching': {
            stage: values['ratio_stc_levels']
            for stage, values in stages.items()
        }
        for matching, stages in result['samples'].items()
    }
    groups['the paper'] = PAPER
    figure = Figure(figsize=(6, 3.2), dpi=150, layout='constrained')
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for column, stage in enumerate(STAGES):
        known = [(place + .38 * (column - .5), group[stage])
                 for place, group in enumerate(groups.values())
                 if group.get(stage)]
        bars = axes.bar(
            *zip(*known),
            width=.36,
            color=COLOURS[column],
            label=f'{stage} STC')
        axes.bar_label(bars, [_one_to(height) for _, height in known])
    axes.set(yscale='log', ylabel='negatives per positive')
    axes.set_xticks(range(len(groups)), groups)
    axes.margins(y=.15)
    axes.set_title(
        f'levels with STC, {result["crops"]:,} training crops', fontsize=10)
    axes.legend(frameon=False)
    with atomic_write(path) as temporary:
        figure.savefig(temporary, format='png')


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='with two-step classification')
    parser.add_argument('--checkpoint', help='weights: count after STC too')
    parser.add_argument('--annotations-only', action='store_true')
    parser.add_argument('--out', default='stc_statistics.json', help='JSON')
    parser.add_argument('--plot', help='PNG')
    parser.add_argument('--epochs', type=int, default=1)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--workers', type=int, help="default: the config's")
    parser.add_argument('--device', default='cpu')
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE')
    args = parser.parse_args(argv)
    if args.checkpoint and args.annotations_only:
        parser.error('--checkpoint needs pictures: leave out '
                     '--annotations-only')
    if args.epochs < 1:
        parser.error('--epochs must be at least 1')
    # What load_config asks of tools that train.
    args.launcher, args.local_rank, args.work_dir = 'none', 0, None
    return args


def main(argv: list[str] | None = None) -> int:
    """Exit code: 0; 1 after one line that says what is wrong."""
    args = parse_args(argv)
    cfg = load_config(args)
    if args.checkpoint:
        check_file(args.checkpoint, 'checkpoint', 'give one of a training')

    def work() -> str:
        for path in filter(None, (args.out, args.plot)):
            check_writable(path)
        result = statistics(cfg, args)
        with atomic_write(args.out) as temporary:
            temporary.write_text(json.dumps(result, indent=1) + '\n')
        if args.plot:
            plot(result, args.plot)
        return in_words(result)

    return run_and_print(work)


if __name__ == '__main__':
    sys.exit(main())
