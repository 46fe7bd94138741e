"""Script: the validation that a training runs; the arguments of test.py.

Writes the metrics to <work-dir>/val/metrics.json.
"""
import json
import runpy
from functools import partial
from pathlib import Path

from mmengine.dist import is_main_process

TEST = Path(__file__).resolve().parents[2] / 'tools/test.py'


def main():
    """Validate on the data of the test."""
    tool = runpy.run_path(str(TEST))
    args = tool['parse_args']()
    cfg = tool['load_config'](args, partial(tool['change_config'], args=args))
    cfg.load_from = args.checkpoint
    for key in ('dataloader', 'evaluator'):
        cfg[f'val_{key}'] = cfg.pop(f'test_{key}')
    cfg.val_cfg = dict(cfg.pop('test_cfg'), type='ValLoop')
    runner = tool['build_runner'](cfg)
    # As a training has it: weights first, then the loop.
    runner.load_or_resume()
    metrics = runner.val()
    if is_main_process():
        path = Path(cfg.work_dir, 'val/metrics.json')
        path.parent.mkdir()
        path.write_text(json.dumps(metrics))


if __name__ == '__main__':
    main()
