"""The WIDER FACE protocol as an mmengine metric."""
from collections.abc import Sequence

import numpy as np
from mmdet.registry import METRICS
from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger

from tinyfaces.utils.files import remove_leftovers_of
from tinyfaces.visualization.pr_curve import plot_pr_curves
from ..analysis.report import finite
from ..analysis.target_sizes import (check_target_sizes, size_name,
                                     target_size_ap)
from ..functional import (COCO_IOU_THRS, WiderGroundTruth, WiderResult,
                          evaluate_wider, evaluate_wider_groups, format_table,
                          load_wider_annotations, load_wider_gt, write_json,
                          write_wider_predictions)
from ..functional.wider import check_wider_array
from .canonical_order import in_canonical_order
from .instance_rows import xywh_rows
from .resolution import stated_resolution
from .unreadable import (unreadable_facts, unreadable_reason,
                         unreadable_remark, without_unreadable)


@METRICS.register_module()
class WiderFaceMetric(BaseMetric):
    """AP of WIDER FACE's own protocol, and its prediction files.

    Takes the predictions ``pred_instances`` (``bboxes`` xyxy in pixels of the
    original image, ``scores``) of every data sample by its ``img_id``
    (``<event>/<stem>``). The images that the dataloader gives are the ones
    scored: when these are not all of the ground truth, log and files say so.

    A detector of anchor-scale groups (Group Sampling) may add
    ``group_pred_instances`` to its data samples: a dict, name of the group ->
    instances after that group's own NMS. Each is scored on setting ``all``.

    Metrics: ``wider/<setting>_ap`` at IoU 0.5, ``wider/<setting>_ap60`` at
    0.6 and so on, ``wider/<setting>_ap50_95`` when ``iou_thrs`` are COCO's
    ten, ``wider/<setting>_fp@r<recall>`` (NaN when not reached) at the first
    IoU threshold, ``wider/all_ap@<group>``, ``wider/ap_target_25x20`` and so
    on for ``target_sizes``.

    AP at one target size is the measure of the fixed-size studies of "Finding
    Tiny Faces" (Figs. 4, 5, 7 and 8): of the faces that the last of
    ``settings`` counts, those with more than 0.5 Jaccard distance (1 - IoU on
    a common centre) to the target are ignored. A detection on one of these is
    neither right nor wrong; one on the background is a false positive
    whatever its size. Always at a true IoU of 0.5.

    Boxes are rounded to 0.001 pixels, so that the files give the same AP.

    Args:
        gt_dir: Folder of the four official ``.mat`` files.
        ann_file: In place of ``gt_dir``, an official ``*_bbx_gt.txt``; only
            for ``settings=('all',)``.
        settings: Any of ``easy``, ``medium``, ``hard``, ``all``.
        iou_thrs: IoU thresholds, or ``'coco'`` for .5:.05:.95.
        matlab_int32: IoU in int32 as in the official MATLAB code.
        fp_at_recall: Recalls at which false positives are counted.
        target_sizes: Height and width in pixels of each target size to score,
            such as ``((25, 20), (250, 200))``.
        outfile_prefix: Write ``<prefix>.zip`` (or the folder ``<prefix>``)
            in the official layout, ``<prefix>.<group>.zip`` for each group,
            and the results as ``<prefix>.json``.
        as_folder: Write folders instead of zip files.
        pr_curve: Write the precision-recall curves to this PNG.
        format_only: Only write the files: for the test split, whose ground
            truth is not public. Needs ``outfile_prefix``.
        name: Name of the detector in the report and the legend.
        test_resolution: What to state as test resolution; needed for
            multi-scale tests, whose data samples tell of one scale only.
            None: read from the data samples.
        collect_device: Device for gathering over ranks.
        prefix: Prefix of the metric names.
    """

    default_prefix = 'wider'

    def __init__(self,
                 gt_dir: str | None = None,
                 ann_file: str | None = None,
                 settings: Sequence[str] = ('easy', 'medium', 'hard'),
                 iou_thrs: Sequence[float] | str = (0.5, ),
                 matlab_int32: bool = False,
                 fp_at_recall: Sequence[float] = (),
                 target_sizes: Sequence[tuple[float, float]] = (),
                 outfile_prefix: str | None = None,
                 as_folder: bool = False,
                 pr_curve: str | None = None,
                 format_only: bool = False,
                 name: str = 'detector',
                 test_resolution: str | None = None,
                 collect_device: str = 'cpu',
                 prefix: str | None = None) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        if format_only:
            if outfile_prefix is None:
                raise ValueError('format_only=True needs outfile_prefix: '
                                 'there is nothing else to do')
        elif (gt_dir is None) == (ann_file is None):
            raise ValueError('give gt_dir or ann_file, and only one of them')
        if isinstance(iou_thrs, str) and iou_thrs != 'coco':
            raise ValueError(f"iou_thrs is a list or 'coco', not {iou_thrs!r}")
        self.gt_dir = gt_dir
        self.ann_file = ann_file
        self.settings = tuple(settings)
        self.iou_thrs = COCO_IOU_THRS if iou_thrs == 'coco' else iou_thrs
        self.options = dict(
            iou_thrs=tuple(self.iou_thrs),
            matlab_int32=matlab_int32,
            fp_recalls=tuple(fp_at_recall))
        if target_sizes:
            check_target_sizes(target_sizes)
        self.target_sizes = target_sizes
        self.outfile_prefix = outfile_prefix
        self.suffix = '' if as_folder else '.zip'
        self.pr_curve = pr_curve
        self.format_only = format_only
        self.name = name
        self.test_resolution = test_resolution
        # A wrong path shows before training, not after the first epoch.
        self._truth = None if format_only else self._load()

    def _load(self) -> WiderGroundTruth:
        """Ground truth; the setting ``all`` is there for the groups."""
        if self.ann_file is not None:
            return load_wider_annotations(self.ann_file, self.settings)
        return load_wider_gt(self.gt_dir,
                             tuple(dict.fromkeys((*self.settings, 'all'))))

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Keep the predictions of one batch.

        Args:
            data_batch: Not read.
            data_samples: One dict per image.
        """
        for sample in without_unreadable(data_samples):
            groups = sample.get('group_pred_instances', {})
            self.results.append(
                dict(
                    key=sample['img_id'],
                    unreadable=unreadable_reason(sample),
                    found=xywh_rows(sample['pred_instances']),
                    groups={
                        str(name): xywh_rows(instances)
                        for name, instances in groups.items()
                    },
                    scale=sample.get('scale_factor'),
                    shape=sample.get('batch_input_shape')))

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Write and score; called on the main process only.

        Args:
            results: One entry per image of all ranks. Images that came twice,
                as a distributed sampler's padding does, count once.

        Returns:
            dict[str, float]: Empty with ``format_only``.

        Raises:
            ValueError: An image is not in the ground truth, or a detection
                is not finite or has a negative size.
        """
        logger = MMLogger.get_current_instance()
        unique = in_canonical_order(
            results, () if self._truth is None else self._truth.keys)
        results = list(unique.values())
        predictions = {key: r['found'] for key, r in unique.items()}
        names = dict.fromkeys(n for r in results for n in r['groups'])
        groups = {
            name: {
                key: r['groups'].get(name, np.zeros((0, 5)))
                for key, r in unique.items()
            }
            for name in names
        }
        # Nothing of an earlier test is replaced by what cannot be scored.
        truth = None if self._truth is None else self._truth.subset(unique)
        for content in (predictions, *groups.values()):
            for key, found in content.items():
                check_wider_array(key, found)
        if self.outfile_prefix is not None:
            scores = f'{self.outfile_prefix}.json'
            remove_leftovers_of(scores)
            for suffix, content in [('', predictions)] + [
                (f'.{name}', groups[name]) for name in groups
            ]:
                path = f'{self.outfile_prefix}{suffix}{self.suffix}'
                # Scores of an earlier test are not those of these files.
                write_wider_predictions(content, path, outdated=[scores])
                logger.info(f'{len(content):,} prediction files: {path}')
        if self.format_only:
            remark = unreadable_remark(unreadable_facts(results))
            if remark:
                logger.warning('\n' + remark)
            return {}
        result = evaluate_wider(predictions, truth, self.settings,
                                **self.options)
        group_results = evaluate_wider_groups(groups, truth, **self.options)
        targets = {}
        if self.target_sizes:
            setting = self.settings[-1]
            targets = dict(
                setting=setting,
                **target_size_ap(predictions, truth, setting,
                                 self.target_sizes))
        self._report(logger, result, group_results, targets, results)
        return self._metrics(result, group_results, targets)

    def _report(self, logger: MMLogger, result: WiderResult,
                groups: dict[str, WiderResult], targets: dict,
                results: list[dict]) -> None:
        """Log the tables and write JSON and picture."""
        resolution = self.test_resolution or stated_resolution(results)
        unreadable = unreadable_facts(results)
        logger.info('\n' + unreadable_remark(unreadable) +
                    format_table({self.name: result}) +
                    f'\ntest resolution: {resolution}')
        if groups:
            table = format_table({f'@{k}': v for k, v in groups.items()})
            logger.info('\ndetections of one anchor-scale group only:\n' +
                        table)
        facts = dict(test_resolution=resolution, **unreadable)
        if targets:
            facts['target_sizes'] = finite(targets)
            rows = zip(self.target_sizes, targets['num_faces'], targets['ap'])
            lines = [
                f'{size_name(*size):>11} {faces:10,} {ap:9.5f}'
                for size, faces, ap in rows
            ]
            logger.info('\nAP at one target size (faces of setting '
                        f'{targets["setting"]} beyond 0.5 Jaccard distance '
                        'ignored)\n     target      faces        AP\n' +
                        '\n'.join(lines))
        if self.outfile_prefix is not None:
            write_json(f'{self.outfile_prefix}.json', {self.name: result},
                       groups, **facts)
        if self.pr_curve is not None:
            remove_leftovers_of(self.pr_curve)
            plot_pr_curves({self.name: result}, self.pr_curve)

    def _metrics(self, result: WiderResult, groups: dict[str, WiderResult],
                 targets: dict) -> dict[str, float]:
        """Flat names and numbers for logger and checkpoint hook."""
        metrics = {}
        for setting in result.settings:
            for thr in result.iou_thrs:
                metrics[f'{setting}_ap{_tag(thr)}'] = result.ap(setting, thr)
            if result.iou_thrs == COCO_IOU_THRS:
                metrics[f'{setting}_ap50_95'] = result.mean_ap(setting)
            curve = result.curves[setting, result.iou_thrs[0]]
            for recall, count in curve.fp_at_recall.items():
                metrics[f'{setting}_fp@r{recall:g}'] = (
                    float('nan') if count is None else count)
        for name, scored in groups.items():
            for thr in scored.iou_thrs:
                metrics[f'all_ap{_tag(thr)}@{name}'] = scored.ap('all', thr)
        for size, ap in zip(self.target_sizes, targets.get('ap', ())):
            metrics[f'ap_target_{size_name(*size)}'] = ap
        return metrics


def _tag(iou_thr: float) -> str:
    """Nothing for the benchmark's own threshold, else e.g. ``75``."""
    return '' if iou_thr == 0.5 else f'{iou_thr * 100:g}'
