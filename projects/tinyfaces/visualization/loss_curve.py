"""Losses of a training as a picture."""
import json
import os
from collections.abc import Sequence
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ..utils.files import atomic_write
from .text import plain


def read_scalars(work_dir: str | os.PathLike) -> list[dict]:
    """What MMEngine's local backend logged, over all runs of a work folder.

    A resumed training repeats the steps since its last checkpoint: the later
    run's lines replace the earlier one's.

    Args:
        work_dir: With ``<time>/vis_data/scalars.json`` of each run.

    Returns:
        list[dict]: One entry per logged training step, by rising ``step``.

    Raises:
        FileNotFoundError: There is no such file with a training step.
        ValueError: A line is no JSON; the message names file and line.
    """
    steps = {}
    # Folders are named after their time, so that later ones come later.
    for path in sorted(Path(work_dir).glob('*/vis_data/scalars.json')):
        for number, line in enumerate(path.read_text().splitlines(True), 1):
            # A killed run may have cut off its last line.
            if not line.endswith('\n'):
                break
            try:
                entry = json.loads(line)
            except ValueError as error:
                raise ValueError(
                    f'{path}:{number}: expected a JSON object; remove the '
                    'line') from error
            if 'loss' in entry:
                steps[entry.get('iter', entry['step'])] = entry
    if not steps:
        raise FileNotFoundError(
            f'{work_dir} has no */vis_data/scalars.json with a loss: name '
            'the work folder of a training')
    return [steps[step] for step in sorted(steps)]


def plot_losses(work_dirs: str | os.PathLike | Sequence[str | os.PathLike],
                path: str | os.PathLike) -> None:
    """Draw every loss of one or more trainings over their iterations.

    Args:
        work_dirs: See :func:`read_scalars`. Several are drawn side by side
            with the same axes, under the names of the folders.
        path: PNG to write.
    """
    if isinstance(work_dirs, (str, os.PathLike)):
        work_dirs = [work_dirs]
    trainings = [read_scalars(work_dir) for work_dir in work_dirs]
    count = len(trainings)
    figure = Figure(
        figsize=(7 if count == 1 else 5 * count, 4),
        dpi=150,
        layout='constrained')
    FigureCanvasAgg(figure)
    panels = figure.subplots(
        1, count, sharex=True, sharey=True, squeeze=False)[0]
    for axes, work_dir, entries in zip(panels, work_dirs, trainings):
        iterations = [entry.get('iter', entry['step']) for entry in entries]
        for name in entries[-1]:
            if name.startswith('loss'):
                values = [entry.get(name) for entry in entries]
                label = plain(f'{name}, last {values[-1]:.3f}')
                axes.plot(iterations, values, label=label)
        axes.set(xlabel='iteration')
        axes.grid(alpha=.3)
        axes.legend()
        if count > 1:
            axes.set_title(plain(Path(work_dir).resolve().name))
    panels[0].set(ylabel='loss', ylim=(0, None))
    with atomic_write(path) as temporary:
        figure.savefig(temporary, format='png')
