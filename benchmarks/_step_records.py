"""The losses of every step of a training, and how two trainings differ."""
import json
from pathlib import Path

import numpy as np
import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from torch.nn.modules.batchnorm import _BatchNorm

from tinyfaces.utils.checkpoint_files import read_checkpoint


@HOOKS.register_module()
class RecordSteps(Hook):
    """Writes the losses of every step to ``<prefix>.<rank>.json``.

    Args:
        prefix: Path and beginning of the name of the file.
        frozen: Raise if a batch norm would use its batch, by which two
            processes differ from one.
        stock: Let heads divide by their process's own numbers.
    """

    priority = 'LOWEST'

    def __init__(self,
                 prefix: str,
                 frozen: bool = True,
                 stock: bool = False) -> None:
        self.prefix = prefix
        self.frozen = frozen
        self.stock = stock
        self.steps: list[dict] = []

    def before_train(self, runner) -> None:
        """Change the heads, if asked to."""
        for module in runner.model.modules():
            if self.stock and hasattr(module, 'sync_avg_factor'):
                module.sync_avg_factor = False

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        """Look at the norms, which ``train()`` has set."""
        if not self.frozen or self.steps:
            return
        live = [
            name for name, module in runner.model.named_modules()
            if isinstance(module, _BatchNorm) and module.training
        ]
        if live:
            raise ValueError(
                f'{live[0]} and {len(live) - 1} more batch norms use their '
                'batch; set norm_eval=True in the backbone')

    def after_train_iter(self,
                         runner,
                         batch_idx,
                         data_batch=None,
                         outputs=None) -> None:
        """Note losses, norm of the gradients and pictures."""
        losses = {k: float(v) for k, v in outputs.items() if 'loss' in k}
        norms = runner.message_hub.log_scalars.get('train/grad_norm')
        self.steps.append(
            dict(
                losses=losses,
                grad_norm=None if norms is None else float(norms.current()),
                pictures=[str(s.img_id) for s in data_batch['data_samples']]))

    def after_train(self, runner) -> None:
        """Write the file."""
        Path(f'{self.prefix}.{runner.rank}.json').write_text(
            json.dumps(self.steps))


def compare(two: Path, one: Path) -> dict:
    """Differences of two runs.

    Args:
        two: Work folder of the run on several processes.
        one: Of that on one; its steps have the same pictures.

    Returns:
        dict: ``losses``, per step and loss of both, ``worst`` (difference
        over 1 + the loss, step, name), ``grad_norm`` (relative; None if
        gradients are not clipped) and ``weights``, the largest difference of
        a weight.

    Raises:
        ValueError: A step has other pictures.
    """
    ranks = [
        json.loads(path.read_text()) for path in sorted(two.glob('steps.*'))
    ]
    ours = json.loads((one / 'steps.0.json').read_text())
    # Batches of a step, of which there are several where gradients are
    # accumulated; their norm is known after the last one.
    share = len(ranks[0]) // len(ours)
    losses, gaps, norms = [], [], []
    for number, step in enumerate(ours):
        batches = [rank[number * share:(number + 1) * share] for rank in ranks]
        parts = [part for rank in batches for part in rank]
        theirs = sorted(name for part in parts for name in part['pictures'])
        if theirs != sorted(step['pictures']):
            raise ValueError(f'step {number + 1} has the pictures {theirs} in '
                             f'{two}, {step["pictures"]} in {one}')
        row = _means([part['losses'] for part in parts], step['losses'])
        losses.append(row)
        gaps += [(_gap(*pair), number + 1, name) for name, pair in row.items()]
        if step['grad_norm'] is not None:
            mean = np.mean([rank[-1]['grad_norm'] for rank in batches])
            norms.append(float(abs(mean / step['grad_norm'] - 1)))
    return dict(
        worst=max(gaps),
        grad_norm=max(norms, default=None),
        weights=_largest_difference(_weights(two), _weights(one)),
        losses=losses)


def _means(parts: list[dict], alone: dict) -> dict[str, list[float]]:
    """Mean of each loss over parts of a batch, and of all of it.

    A loss that a part has nothing for adds nothing.
    """
    names = sorted({name for losses in (alone, *parts) for name in losses})
    return {
        name: [
            sum(losses.get(name, 0.) for losses in parts) / len(parts),
            alone.get(name, 0.)
        ]
        for name in names
    }


def _gap(mean: float, alone: float) -> float:
    """Relative to 1 + the loss; infinite where one is no number."""
    gap = abs(mean - alone) / (1 + abs(alone))
    return gap if np.isfinite(gap) else np.inf


def _weights(folder: Path) -> dict[str, torch.Tensor]:
    """What a training ended with."""
    path = (folder / 'last_checkpoint').read_text().strip()
    return read_checkpoint(path, 'cpu')['state_dict']


def _largest_difference(one: dict, two: dict) -> float:
    if one.keys() != two.keys():
        raise ValueError('two trainings of one model have other weights: '
                         f'{sorted(one.keys() ^ two.keys())}')
    return max(
        float((one[key].double() - two[key].double()).abs().max())
        for key in one if one[key].numel())
