"""Training anchors of each scale: Fig. 2 of Group Sampling.

    python tools/analyze_anchors.py [CONFIG ...] [--out anchors.json]
        [--plot anchors.png] [--no-augmentation]
        [--cfg-options KEY=VALUE ...]

Counts, for each config, the anchors of each scale that are matched as
positive and as negative in the training set, and those that its sampler
draws. Without CONFIG: the five detectors of the paper's Table 1. A config
has an anchor head or an RPN with a TwoPassAssigner, and trains on WIDER FACE.

Neither a network nor pictures are needed: every picture's boxes go through
the config's own training pipeline once (pictures without faces do not, if
filter_cfg leaves them out). Pictures that are at hand have their own sizes.
The sizes of others are not in the annotations and are estimated: 1,024 pixels
wide, as all of WIDER FACE, and as high as a random one of the pictures at
hand that is high enough for all faces. The result says of how many. Padding
counts as one picture per GPU has it, as in the paper.

The numbers of samples are expected ones, which follow exactly from the
sampler's rule and the counts of every picture.
"""
import argparse
import json
import sys
from pathlib import Path

import numpy as np
from _runner import load_config
from _sample_numbers import expected_samples
from _scale_detectors import Detector, read_detector
from _tiled_anchors import count_anchors
from _training_crops import Crop, read_crops
from mmdet.models.task_modules.samplers import BaseSampler, PseudoSampler
from mmengine.config import ConfigDict, DictAction
from tqdm import tqdm

from tinyfaces.models.task_modules import ScaleGroupSampler
from tinyfaces.utils.console import run_and_print
from tinyfaces.utils.files import atomic_write, check_writable
from tinyfaces.visualization import plot_anchor_distribution

CONFIGS = Path(__file__).resolve().parents[1] / 'configs' / 'group_sampling'
# Table 1 and Fig. 2.
DETECTORS = {
    'RPN': 'rpn_r50_8xb1-100e_wider-face.py',
    'FPN': 'fpn_r50_8xb1-100e_wider-face.py',
    'FPN-finest-stride': 'fpn-finest-stride_r50_8xb1-100e_wider-face.py',
    'FPN-finest': 'fpn-finest_r50_8xb1-100e_wider-face.py',
    'FPN-finest-sampling': 'fpn-finest-sampling_r50_8xb1-100e_wider-face.py',
}
KINDS = ('positives', 'negatives')
STAGES = ('before', 'after')
# Of the columns of the table.
_WIDTHS = dict(positives=11, negatives=15)


def count(detector: Detector, crops: list[Crop]) -> np.ndarray:
    """Positives and negatives of each crop, int64 (crops, 2, groups)."""
    counts = []
    for crop in tqdm(crops, f'Matching {detector.name}'):
        padded = tuple(-(-side // detector.divisor) * detector.divisor
                       for side in crop.size)
        counts.append(
            count_anchors(detector.anchors, detector.assigner, detector.groups,
                          len(detector.scales), crop.faces, crop.ignored,
                          padded))
    return np.array(counts)


def summary(detector: Detector, counts: np.ndarray) -> dict:
    """What the counts of all crops say about a detector.

    Args:
        detector: That was counted.
        counts: See :func:`count`.

    Returns:
        dict: The settings; and for each of :data:`STAGES` sums over all crops:
        ``positives`` and ``negatives``, lists over ``scales``; ``shares``,
        both divided by all samples of all scales; and ``most_to_fewest``, of
        the scale with most and of that with fewest (None: it has none).
    """
    before = counts[:, 0], counts[:, 1]
    after = expected_samples(detector.sampler, *before)
    result = dict(
        name=detector.name,
        scales=list(detector.scales),
        tiling=detector.tiling(),
        pos_iou_thr=detector.assigner.pos_iou_thr,
        neg_iou_thr=detector.assigner.neg_iou_thr,
        all_matches=detector.assigner.all_matches,
        sampling=_sampling(detector.sampler))
    for stage, pair in zip(STAGES, (before, after)):
        sums = np.sum(pair, axis=1)
        result[stage] = dict(
            zip(KINDS, sums.tolist()),
            shares=dict(zip(KINDS, (sums / sums.sum()).tolist())),
            most_to_fewest={
                kind: float(x.max() / x.min()) if x.min() else None
                for kind, x in zip(KINDS, sums)
            })
    return result


def _sampling(sampler: BaseSampler) -> str:
    """A sampler in words, with what it draws of a picture."""
    name = type(sampler).__name__
    if isinstance(sampler, ScaleGroupSampler):
        return f'{name}, {sampler.num_per_group:,} per scale'
    if isinstance(sampler, PseudoSampler):
        return name
    return f'{name}, {sampler.num:,} in all'


def analyze(detectors: list[Detector], augment: bool, seed: int) -> dict:
    """Count the anchors of all detectors.

    Args:
        detectors: At least one.
        augment: Whether to crop as in training.
        seed: Of the crops, which are the same for equal training sets.

    Returns:
        dict: ``crops``, how many; ``estimated``, of how many of them the
        picture's height is estimated; ``augmentation``; ``seed``; and under
        ``detectors`` what :func:`summary` says of each.

    Raises:
        ValueError: Training sets have different numbers of pictures; or see
            :func:`read_crops`.
    """
    known: list[tuple[ConfigDict, list[Crop]]] = []
    results = []
    for detector in detectors:
        for dataset, crops in known:
            if dataset == detector.dataset:
                break
        else:
            crops = read_crops(detector.dataset, augment, seed)
            known.append((detector.dataset, crops))
            if len(crops) != len(known[0][1]):
                raise ValueError(
                    f'{detector.name} trains on {len(crops)} pictures and '
                    f'{detectors[0].name} on {len(known[0][1])}: give configs '
                    'of one training set together')
        results.append(summary(detector, count(detector, crops)))
    return dict(
        crops=len(crops),
        estimated=sum(crop.estimated for crop in crops),
        augmentation=augment,
        seed=seed,
        detectors=results)


def about(result: dict) -> str:
    """Of what the distribution is, in a line."""
    kind = 'training crops' if result['augmentation'] else 'whole pictures'
    text = f'{result["crops"]:,} {kind}'
    if result['estimated']:
        text += (f'; ESTIMATED: the heights of {result["estimated"]:,} '
                 'pictures are drawn from those of the others')
    return text


def in_words(result: dict) -> str:
    """The distribution as tables; shares are percentages of all samples."""
    lines = [about(result)]
    for detector in result['detectors']:
        columns = [(detector[stage][kind], detector[stage]['shares'][kind],
                    detector[stage]['most_to_fewest'][kind], width)
                   for stage in STAGES for kind, width in _WIDTHS.items()]
        lines += [
            '', f'{detector["name"]} ({detector["sampling"]})', ' ' * 13 +
            ''.join(f'{f"{stage} sampling":>{sum(_WIDTHS.values()) + 16}}'
                    for stage in STAGES), f'{"scale/stride":13}' +
            ''.join(f'{kind:>{width}}{"%":>8}' for _ in STAGES
                    for kind, width in _WIDTHS.items())
        ]
        lines += [
            f'{label:13}' + ''.join(f'{counts[n]:{width},.0f}'
                                    f'{100 * shares[n]:8.4f}'
                                    for counts, shares, _, width in columns)
            for n, label in enumerate(detector['tiling'])
        ]
        lines.append(f'{"most:fewest":13}' + ''.join(
            f'{f"{ratio:.2f}" if ratio else "-":>{width}}{"":8}'
            for _, _, ratio, width in columns))
    return '\n'.join(line.rstrip() for line in lines)


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('configs', nargs='*', metavar='CONFIG')
    parser.add_argument('--out', default='anchors.json', help='JSON')
    parser.add_argument('--plot', help='PNG')
    parser.add_argument(
        '--no-augmentation',
        action='store_true',
        help='count whole pictures in their original size')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        metavar='KEY=VALUE',
        help='of all configs, such as train_dataloader.dataset.data_root=DIR/')
    args = parser.parse_args(argv)
    # What load_config asks of tools that train.
    args.launcher, args.local_rank, args.work_dir = 'none', 0, None
    return args


def main(argv: list[str] | None = None) -> int:
    """Exit code: 0; 1 after one line that says what is wrong."""
    args = parse_args(argv)
    named = [(Path(path).stem, path) for path in args.configs] or [
        (name, str(CONFIGS / file)) for name, file in DETECTORS.items()
    ]
    configs = []
    for name, args.config in named:
        configs.append((name, load_config(args)))

    def work() -> str:
        for path in filter(None, (args.out, args.plot)):
            check_writable(path)
        detectors = [read_detector(*item) for item in configs]
        result = analyze(detectors, not args.no_augmentation, args.seed)
        with atomic_write(args.out) as temporary:
            temporary.write_text(json.dumps(result, indent=1) + '\n')
        if args.plot:
            plot_anchor_distribution(result['detectors'], about(result),
                                     args.plot)
        return in_words(result)

    return run_and_print(work)


if __name__ == '__main__':
    sys.exit(main())
