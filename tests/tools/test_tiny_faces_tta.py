"""tools/test.py --tta with the pyramids of Finding Tiny Faces."""
import json
import sys
from pathlib import Path

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from tiny_fddb import random_folds, write_fddb

ROOT = Path(__file__).resolve().parents[2]
CONFIG = (
    ROOT / 'configs/tiny_faces/tiny-faces_mbv2_1xb8-32e_wider-face-256.py')


@pytest.mark.slow
@pytest.mark.parametrize('name', ['', 'tiny_faces_full'])
def test_logits_on_fddb(tmp_path, call, name):
    """From the command line to the official files, which have logits."""
    model = Config.fromfile(CONFIG).model
    model.backbone.init_cfg = None
    torch.manual_seed(0)
    network = MODELS.build(model)
    # Without pretraining, the maps have values of a few thousandths.
    for predictor in network.bbox_head.predictors.values():
        torch.nn.init.normal_(
            predictor.weight[:network.bbox_head.num_templates], std=100)
    torch.save({'state_dict': network.state_dict()}, tmp_path / 'weights.pth')
    folds = write_fddb(tmp_path / 'data/fddb', random_folds(pictures=1))
    printed = call(sys.executable,
                   ROOT / 'tools/test.py', CONFIG, 'weights.pth', '--tta',
                   *filter(None, [name]), '--dataset', 'fddb', '--fddb-out',
                   'out', '--work-dir', 'work', '--cfg-options',
                   'test_dataloader.num_workers=0',
                   'test_dataloader.persistent_workers=False',
                   'tta_model.test_cfg.score_thr=0.04',
                   'tta_model.tta_cfg.max_per_img=300')
    assert 'all 10 of 10 pictures' in printed
    assert 'batch normalisations of TinyFaces are now part of' in printed
    plan = ('original size times 0.5, 1 and'
            if name else 'original size times 0.25, 0.5, 1 and')
    assert plan in printed
    assert plan in json.dumps(
        json.loads((tmp_path / 'out/results.json').read_text()))
    scores = []
    for fold in folds:
        lines = (tmp_path / f'out/fold-{fold:02d}-out.txt').read_text()
        _, count, *rows = lines.splitlines()
        assert 0 < int(count) == len(rows) <= 300
        scores += [float(row.split()[4]) for row in rows]
    # logit(0.04) = -3.178
    assert -3.1781 < min(scores) < 0 and max(scores) > 1
