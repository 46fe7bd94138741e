"""AP against IoU, and precision against recall (RefineFace, Fig. 2)."""
from collections.abc import Mapping

from matplotlib.figure import Figure

from ..text import plain
from .style import legend_below, line_look, new_figure, numbers


def plot_localisation(detectors: Mapping[str, dict], about: str) -> Figure:
    """AP over IoU threshold; then the curves of each detector.

    Args:
        detectors: Name -> analyses of one setting.
        about: Setting and images, for the title.

    Returns:
        Figure: One panel for AP and one for each detector.
    """
    figure, axes = new_figure(
        1 + len(detectors),
        f'How well faces are localised (WIDER FACE protocol)\n{about}',
        height=4.2)
    for number, (name, analyses) in enumerate(detectors.items()):
        part = analyses['localisation']
        axes[0].plot(
            part['iou'],
            numbers(part['ap']),
            label=plain(f'{name} (mean {_text(part["mean_ap"])})'),
            **line_look(number))
        axis = axes[1 + number]
        for line, (iou, curve) in enumerate(part['curves'].items()):
            ap = part['ap'][part['iou'].index(float(iou))]
            look = line_look(line)
            look.pop('marker')
            axis.plot(
                curve['recall'],
                curve['precision'],
                label=f'IoU ≥ {iou}: AP {_text(ap)}',
                linewidth=1.7,
                **look)
        axis.set_title(plain(f'{name}: precision against recall'), fontsize=10)
        axis.set(
            xlabel='recall', ylabel='precision', xlim=(0, 1), ylim=(0, 1.02))
        legend_below(axis, 2)
    axes[0].set_title('AP against IoU threshold', fontsize=10)
    axes[0].set(xlabel='IoU threshold', ylabel='AP', ylim=(0, 1.02))
    legend_below(axes[0])
    return figure


def _text(value: float | None) -> str:
    """AP with three decimals."""
    return 'no faces' if value is None else f'{value:.3f}'
