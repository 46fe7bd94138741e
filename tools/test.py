"""Test a detector: ``python tools/test.py CONFIG CHECKPOINT``.

Takes the arguments of MMDetection's own ``tools/test.py``; ``--dataset`` to
test on another dataset than the config's own; a name behind ``--tta`` to test
by another plan of scales and flips; ``--wider-out`` and ``--fddb-out`` for
detection files in the official layouts; ``--resume`` to go on with a test that
was killed.
"""
import argparse
import inspect
import sys
from functools import partial
from pathlib import Path
from typing import NoReturn

from _config_parts import named_parts, replace_part
from _runner import (TinyFacesTestRunner, add_common_arguments, build_runner,
                     check_file, load_config)
from _test_config import metrics_of, only_metric, replace_test_dataset
from mmdet.engine.hooks.utils import trigger_visualization_hook
from mmdet.registry import METRICS, MODELS
from mmengine.config import Config, ConfigDict
from mmengine.model import BaseTTAModel

from tinyfaces.evaluation.functional import check_replaceable
from tinyfaces.evaluation.functional.fddb_output import check_fddb_output
from tinyfaces.evaluation.metrics import DumpFaceResults
from tinyfaces.utils.config_parts import class_name, innermost_datasets

# What --tta stands for without NAME.
OWN_TTA = ''


class Parser(argparse.ArgumentParser):
    """Parser that says where ``--tta`` without NAME does not belong."""

    def error(self, message: str) -> NoReturn:
        """Exit with the message; ``--tta CONFIG CHECKPOINT`` lacks one."""
        if message.endswith('checkpoint') and '--tta' in sys.argv:
            message += ('; --tta takes what stands behind it as NAME, so '
                        'give CONFIG and CHECKPOINT first')
        super().error(message)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = Parser(description='Test a detector.')
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='checkpoint file')
    add_common_arguments(parser)
    parser.add_argument(
        '--dataset',
        metavar='FILE_OR_NAME',
        help='test on the dataset of another config: a file, or the name of '
        'one in configs/_base_/datasets, such as fddb; --cfg-options are '
        'applied after it')
    parser.add_argument(
        '--out',
        metavar='FILE.pkl',
        help='write the detections as a pickle, for offline evaluation')
    parser.add_argument(
        '--wider-out',
        metavar='PATH',
        help='write the detections in the official WIDER FACE layout: a '
        'folder, or one archive if PATH ends in .zip; and the scores beside '
        'it as .json')
    parser.add_argument(
        '--fddb-out',
        metavar='DIR',
        help='write the detections in the official FDDB layout, one file per '
        'fold, and ROC curves, scores and picture sizes beside them')
    parser.add_argument(
        '--show', action='store_true', help='show the detections in a window')
    parser.add_argument(
        '--show-dir',
        metavar='DIR',
        help='draw the detections into <work-dir>/<time>/DIR; a test that '
        'goes on (--resume) draws the pictures that were left, and the others '
        'are in the folder of the run that was killed')
    parser.add_argument(
        '--wait-time',
        type=float,
        default=2,
        metavar='SECONDS',
        help='how long --show shows each picture (default: 2)')
    parser.add_argument(
        '--tta',
        nargs='?',
        const=OWN_TTA,
        metavar='NAME',
        help="test-time augmentation: by the config's own tta_model and "
        'tta_pipeline, or by those of NAME, a file or the name of one in '
        'configs/_base_/tta, such as srn_multi_scale; --cfg-options are '
        'applied after it')
    parser.add_argument(
        '--resume',
        action='store_true',
        help='keep each picture as soon as it is done, in <work-dir>/'
        'test.parts, and go on with what a killed test of the same config, '
        'checkpoint and data has left there, with any number of processes; '
        'pictures that could not be read are tried again. Without --resume '
        'nothing is kept, even if the config has a ResumableTestLoop')
    args = parser.parse_args()
    if args.out is not None and not args.out.endswith(('.pkl', '.pickle')):
        parser.error(f'--out {args.out}: the name must end in .pkl or .pickle')
    return args


def change_config(cfg: Config, args: argparse.Namespace) -> None:
    """Take in the dataset and the test-time augmentation that were named.

    Args:
        cfg (Config): Config, changed in place.
        args (argparse.Namespace): The command line.

    Raises:
        SystemExit: There are no such files, or they lack something.
    """
    if args.dataset is not None:
        replace_test_dataset(cfg, args.dataset)
    if args.tta:
        replace_part(cfg, args.tta, 'tta', '--tta',
                     ('tta_model', 'tta_pipeline'), ('tta_resolution', ))


def apply_tta(cfg: Config, config_path: str) -> None:
    """Wrap the model and replace the test pipeline for ``--tta``.

    MMDetection falls back to a wrapper that keeps 100 boxes per picture where
    the config names none. A crowd has more faces, so that is an error here.

    Args:
        cfg (Config): Config, changed in place.
        config_path (str): Its file, for the message.

    Raises:
        SystemExit: ``tta_model``, ``tta_pipeline`` or ``test_dataloader`` is
            missing, or the model is one for test-time augmentation already.
    """
    missing = [
        key for key in ('tta_model', 'tta_pipeline') if cfg.get(key) is None
    ]
    if missing:
        raise SystemExit(f'error: --tta: config "{config_path}" has no '
                         f'{" and no ".join(missing)}; write --tta NAME, with '
                         f'a file or one of {", ".join(named_parts("tta"))}')
    if cfg.get('test_dataloader') is None:
        raise SystemExit(f'error: --tta: config "{config_path}" has no '
                         'test_dataloader; add --dataset NAME')
    # The steps of a PostProcessedDetector take the merged detections: merging
    # would drop their work.
    around = class_name(cfg.model) == 'PostProcessedDetector'
    detector = cfg.model.detector if around else cfg.model
    if is_tta_model(detector):
        raise SystemExit(f'error: --tta: the model of config "{config_path}" '
                         f'is a {class_name(detector)} already, as in what a '
                         'test with --tta writes into its work folder; leave '
                         '--tta out, or give the config of the bare detector')
    augmented = ConfigDict(**cfg.tta_model, module=detector)
    if around:
        cfg.model.detector = augmented
    else:
        cfg.model = augmented
    datasets = innermost_datasets(cfg.test_dataloader.dataset, 'dataset')
    for dataset in datasets.values():
        dataset.pipeline = cfg.tta_pipeline
    # The merged data samples tell of the first view only.
    for metric in metrics_of(cfg):
        if takes_resolution(metric):
            metric.setdefault(
                'test_resolution',
                cfg.get('tta_resolution', 'that of tta_pipeline'))


def is_tta_model(model: ConfigDict) -> bool:
    """Whether a model makes or merges several views of a picture."""
    kind = model.type
    if isinstance(kind, str):
        kind = MODELS.get(kind)
    return isinstance(kind, type) and issubclass(kind, BaseTTAModel)


def takes_resolution(metric: ConfigDict) -> bool:
    """Whether a metric states a ``test_resolution`` that it is told."""
    kind = metric.type
    if isinstance(kind, str):
        kind = METRICS.get(kind)
    return kind is not None and any(
        'test_resolution' in inspect.signature(base.__init__).parameters
        for base in kind.__mro__)


def apply_wider_out(cfg: Config, path: str) -> None:
    """Let the test's ``WiderFaceMetric`` write its predictions.

    Args:
        cfg (Config): Config, changed in place.
        path (str): Folder, or archive with the ending ``.zip``.

    Raises:
        SystemExit: The test has no such metric, or several; or ``path`` is
            a folder of other things.
    """
    metric = only_metric(
        cfg, 'WiderFaceMetric', '--wider-out',
        'choose the config of a WIDER FACE test, add --dataset wider_face, or '
        'set outfile_prefix there')
    path = path.rstrip('/')
    if not path.endswith('.zip'):
        # Before the test: what cannot be written would be lost after it.
        try:
            check_replaceable(Path(path))
        except FileExistsError as error:
            raise SystemExit(f'error: --wider-out: {error}') from None
    metric.outfile_prefix = path.removesuffix('.zip')
    metric.as_folder = not path.endswith('.zip')


def apply_fddb_out(cfg: Config, path: str) -> None:
    """Let the test's ``FDDBMetric`` write its files.

    Args:
        cfg (Config): Config, changed in place.
        path (str): Folder; its parents are made.

    Raises:
        SystemExit: The test has no such metric, or several; or ``path`` is
            a file, or a folder of other things.
    """
    metric = only_metric(
        cfg, 'FDDBMetric', '--fddb-out',
        'add --dataset fddb, choose the config of an FDDB test, or set '
        'out_dir there')
    try:
        check_fddb_output(path)
    except OSError as error:
        raise SystemExit(f'error: --fddb-out: {error}') from None
    metric.out_dir = path


def apply_resume(cfg: Config) -> None:
    """Let the test keep what it has done, and go on with it.

    Args:
        cfg (Config): Config, changed in place.

    Raises:
        SystemExit: The config has a test loop of its own.
    """
    loop = cfg.get('test_cfg') or ConfigDict()
    kind = class_name(loop) if loop.get('type') else 'TestLoop'
    if kind not in ('TestLoop', 'ResumableTestLoop'):
        raise SystemExit(f'error: --resume: test_cfg is a {kind}, which keeps '
                         'nothing of a test that was killed; leave --resume '
                         'out, or set test_cfg.type=TestLoop')
    cfg.test_cfg = dict(loop, type='ResumableTestLoop')


def without_resume(cfg: Config) -> None:
    """Let the test keep nothing, whatever a test with --resume has dumped.

    Args:
        cfg (Config): Config, changed in place.
    """
    loop = cfg.get('test_cfg')
    if loop and loop.get('type') and class_name(loop) == 'ResumableTestLoop':
        print('note: nothing is kept without --resume: the ResumableTestLoop '
              'of test_cfg is left out')
        cfg.test_cfg = dict(loop, type='TestLoop')
        cfg.test_cfg.pop('parts', None)


def main() -> None:
    """Test as the command line says."""
    args = parse_args()
    cfg = load_config(args, partial(change_config, args=args))
    check_file(args.checkpoint, 'checkpoint',
               'training writes it to <work-dir>/epoch_<N>.pth')
    cfg.load_from = args.checkpoint
    # A config dumped by a resumed training says True; weights are no run.
    cfg.resume = False
    if args.show or args.show_dir:
        trigger_visualization_hook(cfg, args)
    if args.tta is not None:
        apply_tta(cfg, args.config)
    if args.wider_out:
        apply_wider_out(cfg, args.wider_out)
    if args.fddb_out:
        apply_fddb_out(cfg, args.fddb_out)
    if args.resume:
        apply_resume(cfg)
    else:
        without_resume(cfg)
    runner = build_runner(cfg, TinyFacesTestRunner)
    if args.out is not None:
        runner.test_evaluator.metrics.append(
            DumpFaceResults(out_file_path=args.out))
    runner.test()


if __name__ == '__main__':
    main()
