"""What a cross-validation keeps on disk."""
import json
from collections.abc import Sequence
from pathlib import Path

from _stages import TrainingFolder
from mmengine.config import ConfigDict

from tinyfaces.datasets.fddb_annotations import ellipses_by_name, load_fddb
from tinyfaces.evaluation.functional import (evaluate_fddb,
                                             read_fddb_detections,
                                             read_image_sizes_file,
                                             write_fddb_detections, write_roc)
from tinyfaces.evaluation.functional.fddb_io import (read_published_rocs,
                                                     write_image_sizes_file)
from tinyfaces.evaluation.functional.fddb_output import SIZES_FILE
from tinyfaces.evaluation.functional.fddb_report import (FALSE_POSITIVES,
                                                         format_fddb_table,
                                                         write_fddb_json)
from tinyfaces.utils.descriptions import write_json
from tinyfaces.visualization.roc_curve import plot_roc_curves


class Fold(TrainingFolder):
    """The folder of one fold.

    Args:
        folder (Path): Holds also ``test/``, ``detections/``, the log of the
            test and a marker.
        number (int): The fold held out, 1 to 10.
    """

    def __init__(self, folder: Path, number: int) -> None:
        super().__init__(folder, f'fold {number}')
        self.number = number
        self.test_dir = folder / 'test'
        self.detections_dir = folder / 'detections'
        self.test_log = folder / 'test.log'
        self._done = folder / 'done.json'

    @property
    def detections(self) -> Path:
        """The official detection file of the fold."""
        return self.detections_dir / f'fold-{self.number:02d}-out.txt'

    @property
    def image_sizes(self) -> Path:
        """Sizes of the pictures, which pooling needs too."""
        return self.detections_dir / SIZES_FILE

    def is_started(self) -> bool:
        """Whether anything was trained, or a run is at it."""
        return self._done.is_file() or super().is_started()

    def is_done(self) -> bool:
        """Whether there are detections of the whole fold."""
        return all(path.is_file()
                   for path in (self._done, self.detections, self.image_sizes))

    def mark_done(self, seconds: float) -> None:
        """Note that the test has ended; ``seconds`` are its own."""
        write_json(self._done, dict(seconds=round(seconds, 1)))

    def summary(self) -> str:
        """Times and the rates of this fold by itself."""
        times = [
            json.loads(path.read_text())['seconds']
            for path in (self._trained, self._done)
        ]
        text = f'trained in {times[0]:.0f} s, tested in {times[1]:.0f} s'
        path = self.detections_dir / 'results.json'
        if not path.is_file():  # the metric is told to write files only
            return text
        detector, = json.loads(path.read_text())['detectors'].values()
        return (f'{text}; by itself {detector["num_images"]} pictures, at the '
                f'end of the curves {detector["disc"]["final"]:.4f} discrete, '
                f'{detector["cont"]["final"]:.4f} continuous')


def pool(folds: Sequence[Fold], metric: ConfigDict, folder: Path) -> str:
    """Score the detections of all folds as one set.

    Args:
        folds (Sequence[Fold]): Folds that are done.
        metric (ConfigDict): Config of the ``FDDBMetric`` that tested them:
            annotations, false positives to report at, published curves.
        folder (Path): Where to write.

    Returns:
        str: Table of the rates.
    """
    detections, sizes = {}, {}
    for fold in folds:
        detections.update(read_fddb_detections(fold.detections))
        sizes.update(read_image_sizes_file(fold.image_sizes))
    ann_file = metric.get('ann_file')
    truth = ellipses_by_name(load_fddb(metric.folds_dir, ann_file=ann_file))
    results = {
        metric.get('name', 'detector'):
        evaluate_fddb(detections, truth, sizes, only_given=True)
    }
    published = read_published_rocs(metric.get('published') or ())
    options = dict(
        fps=metric.get('false_positives', FALSE_POSITIVES),
        annotations=f'annotations {ann_file or metric.folds_dir}; ten-fold '
        f'cross-validation on {len(detections):,} of {len(truth):,} pictures',
        published=published)
    write_fddb_detections(detections, folder / 'detections.txt')
    write_image_sizes_file(sizes, folder / SIZES_FILE)
    for name, result in results.items():
        write_roc(result, f'{folder}/')
    plot_roc_curves(results, folder / 'roc.png', published=published)
    write_fddb_json(folder / 'results.json', results, **options)
    return format_fddb_table(results, **options)
