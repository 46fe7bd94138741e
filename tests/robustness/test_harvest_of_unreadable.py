"""A grey picture gives no hard negatives."""
import torch
from mmengine.config import Config
from mmengine.structures import InstanceData
from picture_kinds import put_fault
from tiny_faster_rcnn import write_config

from tinyfaces.datasets.hard_negative_file import read_hard_negatives
from tinyfaces.engine.harvest import HarvestOptions, harvest


class Detector(torch.nn.Module):
    """Finds the same wrong box everywhere."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def test_step(self, batch):
        sample, = batch['data_samples']
        sample.pred_instances = InstanceData(
            bboxes=torch.tensor([[0., 0., 4., 4.]]),
            scores=torch.tensor([.9]),
            labels=torch.tensor([0]))
        return [sample]


def test_of_one_that_breaks_and_one_that_was_broken(fddb):
    root, (paths, *_) = fddb
    cfg = Config.fromfile(write_config(root))
    cfg.train_dataloader.dataset.unreadable = 'skip'
    put_fault(paths[1], 'cut')  # its header can be read
    put_fault(paths[2], 'empty')
    out = root / 'out.jsonl'
    summary = harvest(cfg, Detector(), out, HarvestOptions(score_thr=.3))
    assert (summary.pictures, summary.images, summary.boxes) == (4, 2, 2)
    found = read_hard_negatives(out)
    names = [
        str(path.relative_to(root / 'originalPics').with_suffix(''))
        for path in paths
    ]
    assert set(found) == {names[0], names[3]}
