"""The FDDB protocol as an mmengine metric."""
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from mmdet.registry import METRICS
from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger

from tinyfaces.datasets.fddb_annotations import ellipses_by_name, load_fddb
from tinyfaces.utils.files import remove_leftovers_of
from tinyfaces.visualization.roc_curve import plot_roc_curves
from ..functional import evaluate_fddb, write_fddb_folds, write_roc
from ..functional.fddb_detections import check_fddb_detections
from ..functional.fddb_io import read_published_rocs, write_image_sizes_file
from ..functional.fddb_output import (SIZES_FILE, check_fddb_output,
                                      writing_fddb_output)
from ..functional.fddb_report import (FALSE_POSITIVES, format_fddb_table,
                                      write_fddb_json)
from ..functional.fddb_result import FDDBResult
from .canonical_order import in_canonical_order
from .instance_rows import to_rows, xywh_rows
from .resolution import stated_resolution
from .unreadable import (picture_size, unreadable_facts, unreadable_reason,
                         unreadable_remark, without_unreadable)

_SHAPES = ('auto', 'rectangle', 'ellipse')


@METRICS.register_module()
class FDDBMetric(BaseMetric):
    """ROC curves of FDDB's own protocol, and its detection files.

    Takes the predictions ``pred_instances`` of every data sample by its
    ``img_id`` (the name in the fold's list): ``scores``, ``bboxes`` (xyxy in
    pixels of the original image) and, from a detector with an ellipse
    regressor, ``ellipses`` ((n, 5): half-axes in pixels, angle in radians,
    centre). The pictures that the dataloader gives are the ones scored: when
    these are not all 2,845, log and files say so.

    Metrics: ``fddb/disc_tpr@<fp>`` and ``fddb/cont_tpr@<fp>``, the largest
    true positive rate of the discrete and the continuous curve with at most
    so many false positives (a curve that ends before counts with its largest
    rate), ``fddb/disc_final`` and ``fddb/cont_final``, the rates with all
    detections.

    A box is written as x, y, w, h with w = x2 - x1. The official program, and
    so this metric, draws (w + 1) x (h + 1) pixels for it. Pixels are rounded
    to 0.001 and angles to 1e-6 before scoring, so that the files give the
    same curves.

    Args:
        folds_dir: ``FDDB-folds`` of the official download.
        ann_file: Annotations to use instead of those in ``folds_dir``: the
            "new annotations" of S3FD's authors. A path of its own, not
            relative to ``folds_dir``.
        shape: ``'rectangle'``, ``'ellipse'``, or ``'auto'`` for ellipses
            where the detector gives them. Defaults to ``'auto'``.
        false_positives: Numbers at which rates are reported.
        out_dir: Write here: ``fold-<XX>-out.txt`` in the official layout for
            every fold of which pictures were given, ``image_sizes.txt``
            (name, width and height, for scoring without the pictures),
            ``DiscROC.txt`` and ``ContROC.txt`` in the official layout,
            ``results.json`` and ``roc.png``. Files of these names from an
            earlier test are removed when all of the new ones are written; a
            folder of anything else is refused.
        roc_curve: Draw both curves into this PNG.
        published: Files ``<name>DiscROC.txt`` and ``<name>ContROC.txt``, or
            folders of such, to draw and list beside the detector's.
        format_only: Only write detection files and picture sizes. Needs
            ``out_dir``.
        name: Name of the detector in the report and the legend.
        test_resolution: What to state as test resolution; needed for
            multi-scale tests, whose data samples tell of one scale only.
            None: read from the data samples.
        collect_device: Device for gathering over ranks.
        prefix: Prefix of the metric names.

    Raises:
        FileNotFoundError: A fold list, an annotation file or a published
            curve is missing.
        NotADirectoryError: ``out_dir`` is a file.
        FileExistsError: ``out_dir`` holds something, but not the files of an
            earlier test.
        ValueError: An argument has an unknown value, or a file is broken.
    """

    default_prefix = 'fddb'

    def __init__(self,
                 folds_dir: str,
                 ann_file: str | None = None,
                 shape: str = 'auto',
                 false_positives: Sequence[int] = FALSE_POSITIVES,
                 out_dir: str | None = None,
                 roc_curve: str | None = None,
                 published: Sequence[str] = (),
                 format_only: bool = False,
                 name: str = 'detector',
                 test_resolution: str | None = None,
                 collect_device: str = 'cpu',
                 prefix: str | None = None) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        if shape not in _SHAPES:
            raise ValueError(f'shape must be one of {_SHAPES}, not {shape!r}')
        if format_only and out_dir is None:
            raise ValueError('format_only=True needs out_dir: there is '
                             'nothing else to do')
        self.folds_dir = folds_dir
        self.ann_file = ann_file
        self.shape = shape
        self.false_positives = tuple(false_positives)
        self.out_dir = None if out_dir is None else Path(out_dir)
        self.roc_curve = roc_curve
        self.format_only = format_only
        self.name = name
        self.test_resolution = test_resolution
        # What is wrong with a path shows before training, not after it.
        if self.out_dir is not None:
            check_fddb_output(self.out_dir)
        self._folds = load_fddb(folds_dir, ann_file=ann_file)
        self._published = read_published_rocs(published)

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Keep the predictions of one batch.

        Args:
            data_batch: Not read.
            data_samples: One dict per image.

        Raises:
            ValueError: ``shape='ellipse'``, and there are no ellipses.
        """
        for sample in without_unreadable(data_samples):
            found = sample['pred_instances']
            ellipses = None
            if self.shape != 'rectangle' and 'ellipses' in found:
                ellipses = _ellipse_rows(found)
            elif self.shape == 'ellipse':
                raise ValueError(
                    f'{sample["img_id"]}: the detector gives no '
                    "pred_instances.ellipses; use shape='auto', or add an "
                    'ellipse regressor to the config')
            self.results.append(
                dict(
                    key=sample['img_id'],
                    unreadable=unreadable_reason(sample),
                    boxes=xywh_rows(found),
                    ellipses=ellipses,
                    size=picture_size(sample),
                    scale=sample.get('scale_factor'),
                    shape=sample.get('batch_input_shape')))

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Score and write; called on the main process only.

        What cannot be scored is not written: files of an earlier test stay.

        Args:
            results: One entry per image of all ranks. Images that came twice,
                as a distributed sampler's padding does, count once.

        Returns:
            dict[str, float]: Empty with ``format_only``; NaN if there is no
            face in the images.

        Raises:
            ValueError: An image is not in the fold lists, a detection is not
                finite or has a negative size, or only some images have
                ellipses.
        """
        logger = MMLogger.get_current_instance()
        unique = in_canonical_order(results, ellipses_by_name(self._folds))
        results = list(unique.values())
        folds = self._given_folds(unique)
        shape = self._shape_of(unique)
        names = [name for fold in folds.values() for name in fold]
        detections = {name: unique[name][shape] for name in names}
        truth = ellipses_by_name(self._folds)
        sizes = {
            name: unique[name]['size'] or _smallest_size(truth[name])
            for name in names
        }
        check_fddb_detections(detections)
        facts = unreadable_facts(results)
        scored = not self.format_only and any(len(truth[n]) for n in names)
        if scored:
            result = evaluate_fddb(detections, truth, sizes, only_given=True)
            options = dict(
                fps=self.false_positives,
                annotations=self._conditions(results, folds, shape),
                published=self._published)
            logger.info('\n' + unreadable_remark(facts) +
                        format_fddb_table({self.name: result}, **options))
        elif facts:
            logger.warning('\n' + unreadable_remark(facts))
        if self.out_dir is not None:
            with writing_fddb_output(self.out_dir) as out:
                write_image_sizes_file(sizes, out / SIZES_FILE)
                write_fddb_folds(detections, folds, out)
                if scored:
                    write_roc(result, f'{out}/')
                    write_fddb_json(out / 'results.json', {self.name: result},
                                    **options, **facts)
                    self._plot(result, out / 'roc.png')
            logger.info(f'detections of {len(names):,} pictures, '
                        f'{len(folds)} folds: {self.out_dir}')
        if scored and self.roc_curve is not None:
            remove_leftovers_of(self.roc_curve)
            self._plot(result, self.roc_curve)
        if self.format_only:
            return {}
        if not scored:
            logger.warning('the pictures that were given have no face: all '
                           'rates are NaN, and no curve is written')
            return self._no_rates()
        metrics = {}
        for kind in ('disc', 'cont'):
            for fps, rate in result.tpr_at(self.false_positives, kind).items():
                metrics[f'{kind}_tpr@{fps}'] = rate
            metrics[f'{kind}_final'] = result.final(kind)
        return metrics

    def _no_rates(self) -> dict[str, float]:
        """The metrics of pictures without any face."""
        points = [f'tpr@{fps}' for fps in self.false_positives] + ['final']
        return {
            f'{kind}_{point}': math.nan
            for kind in ('disc', 'cont')
            for point in points
        }

    def _given_folds(self, given: Mapping[str, dict]) -> dict[int, list[str]]:
        """Fold -> names of its images that were given, in list order."""
        folds = {
            fold: [entry.name for entry in entries if entry.name in given]
            for fold, entries in self._folds.items()
        }
        known = {name for names in folds.values() for name in names}
        unknown = [name for name in given if name not in known]
        if unknown:
            raise ValueError(
                f'{len(unknown):,} of {len(given):,} images are not in the '
                f'fold lists of {self.folds_dir}, the first is '
                f'{unknown[0]!r}; test on FDDBDataset, or correct folds_dir')
        return {fold: names for fold, names in folds.items() if names}

    def _shape_of(self, given: Mapping[str, dict]) -> str:
        """The entry of the results to score: ``boxes`` or ``ellipses``."""
        without = [
            name for name, result in given.items()
            if result['ellipses'] is None
        ]
        if 0 < len(without) < len(given):
            raise ValueError(
                f'{len(without):,} of {len(given):,} images have no ellipses, '
                f'the first is {without[0]!r}, and the others have; use '
                "shape='rectangle'")
        return 'boxes' if without else 'ellipses'

    def _conditions(self, results: list[dict], folds: Mapping[int, list[str]],
                    shape: str) -> str:
        """What must stand beside the numbers."""
        given = sum(map(len, folds.values()))
        total = sum(map(len, self._folds.values()))
        pictures = f'{given:,} of {total:,} pictures'
        parts = [
            f'annotations {self.ann_file or self.folds_dir}',
            f'detections as {"rectangles" if shape == "boxes" else shape}',
            f'{"all" if given == total else "subset:"} {pictures}, folds '
            f'{" ".join(map(str, folds))}', 'test resolution: ' +
            (self.test_resolution or stated_resolution(results))
        ]
        if self._published and given < total:
            parts.append('published curves are of all pictures: numbers of '
                         'false positives do not compare')
        return '; '.join(parts)

    def _plot(self, result: FDDBResult, path: str | os.PathLike) -> None:
        """Draw the curves."""
        plot_roc_curves({self.name: result}, path, published=self._published)


def _smallest_size(ellipses: Sequence[Sequence[float]]) -> tuple[int, int]:
    """Width and height that hold the centres of faces, for a picture of
    which no size is known, nor needed, as nothing is detected in it."""
    centres = np.array(ellipses, np.float64).reshape(-1, 5)[:, 3:]
    width, height = np.ceil(centres.max(axis=0, initial=1)).astype(int)
    return int(width), int(height)


def _ellipse_rows(instances: dict) -> np.ndarray:
    """(n, 6) float64 ra rb theta cx cy score of instances."""
    ellipses = to_rows(instances['ellipses'], 5)
    angles = ellipses[:, 2].round(6)
    ellipses = ellipses.round(3)
    ellipses[:, 2] = angles
    return np.hstack([ellipses, to_rows(instances['scores'], 1)])
