"""Drawn detections, except on pictures that cannot be read."""
import os.path as osp
from collections.abc import Sequence

import mmcv
from mmdet.engine.hooks import DetVisualizationHook
from mmdet.registry import HOOKS
from mmdet.structures import DetDataSample
from mmengine.fileio import get
from mmengine.runner import Runner
from mmengine.utils import mkdir_or_exist

from ...datasets.picture_faults import UNREADABLE


@HOOKS.register_module()
class FaceVisualizationHook(DetVisualizationHook):
    """MMDetection's hook, which reads each picture once more to draw on it.

    A picture that could not be read for the test cannot be drawn on either;
    it is left out instead of ending the test. Pictures are drawn as they are
    stored, as boxes are: MMDetection's hook turns them by their EXIF
    orientation.
    """

    def before_run(self, runner: Runner) -> None:
        """Draw with the visualizer of the run.

        MMDetection's hook takes the one that was made last in the process,
        which with several runs may be another one's.
        """
        if self.show:  # as MMDetection's hook has it: nothing is stored
            runner.visualizer._vis_backends = {}
        self._visualizer = runner.visualizer

    def after_val_iter(self, runner: Runner, batch_idx: int, data_batch: dict,
                       outputs: Sequence[DetDataSample]) -> None:
        """Draw one picture of the batch."""
        step = runner.iter + batch_idx
        if self.draw and step % self.interval == 0:
            for sample in _readable(outputs)[:1]:
                self._draw(sample, 'val_img', step)

    def after_test_iter(self, runner: Runner, batch_idx: int, data_batch: dict,
                        outputs: Sequence[DetDataSample]) -> None:
        """Draw all pictures of the batch."""
        if not self.draw:
            return
        folder = None
        if self.test_out_dir is not None:
            folder = osp.join(runner.work_dir, runner.timestamp,
                              self.test_out_dir)
            mkdir_or_exist(folder)
        for sample in _readable(outputs):
            self._test_index += 1
            self._draw(sample, 'test_img', self._test_index, folder)

    def _draw(self,
              sample: DetDataSample,
              name: str,
              step: int,
              folder: str | None = None) -> None:
        """Draw on one picture, for the visualizer or into a folder."""
        file_name = osp.basename(sample.img_path)
        content = get(sample.img_path, backend_args=self.backend_args)
        # With this flag mmcv has no other order of colours.
        image = mmcv.bgr2rgb(
            mmcv.imfrombytes(content, flag='color_ignore_orientation'))
        self._visualizer.add_datasample(
            file_name if self.show else name,
            image,
            data_sample=sample,
            show=self.show,
            wait_time=self.wait_time,
            pred_score_thr=self.score_thr,
            out_file=None if folder is None else osp.join(folder, file_name),
            step=step)


def _readable(outputs: Sequence[DetDataSample]) -> list[DetDataSample]:
    return [sample for sample in outputs if not sample.get(UNREADABLE)]
