"""All figures of the error analysis, drawn from the numbers of its JSON."""
import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from tqdm import tqdm

from tinyfaces.evaluation.functional import SETTINGS
from .characteristic_plots import plot_normalized_ap, plot_sensitivity
from .false_positive_plots import (plot_error_modes,
                                   plot_false_positives_by_height)
from .localisation_plots import plot_localisation
from .montage import check_pictures, plot_top_false_positives
from .score_plots import plot_score_by_scale
from .size_plots import plot_recall_by_height, plot_target_sizes
from .style import render


class Picture(NamedTuple):
    """A figure as a file.

    Attributes:
        setting: What it is drawn for.
        topic: Key of the figure, e.g. ``error_modes``.
        file_name: Unique name of the file.
        data: Its bytes, PNG or JPEG.
    """

    setting: str
    topic: str
    file_name: str
    data: bytes


#: Topic -> what draws it; in the order of the page.
PLOTS: dict[str, Callable[[Mapping[str, dict], str], Figure]] = {
    'localisation': plot_localisation,
    'error_modes': plot_error_modes,
    'false_positives_by_height': plot_false_positives_by_height,
    'target_sizes': plot_target_sizes,
    'recall_by_height': plot_recall_by_height,
    'score_by_scale': plot_score_by_scale,
    'normalized_ap': plot_normalized_ap,
    'sensitivity': plot_sensitivity,
}
TOP = 'top_false_positives'
_FILE_NAME = re.compile(
    rf'(?:{"|".join(SETTINGS)})-(?:(?:{"|".join(PLOTS)})\.png'
    rf'|{TOP}-[1-9]\d*\.jpg)')


def draw_pictures(content: Mapping, paths: Mapping[str, str],
                  faces: Mapping[str, np.ndarray]) -> list[Picture]:
    """Draw everything, in memory.

    Args:
        content: What ``analysis.json`` holds.
        paths: Image key -> picture, for the images of the top false positives
            that are drawn.
        faces: Image key -> (n, 4) x y w h of its annotated faces, for the
            same images.

    Returns:
        list[Picture]: Setting after setting.

    Raises:
        ValueError: A picture cannot be read.
    """
    # Drawing all figures takes long: not before the pictures are known good.
    check_pictures(paths.values())
    jobs = [(setting, part, topic)
            for setting, part in content['settings'].items()
            for topic in (*PLOTS, TOP)]
    pictures = []
    for setting, part, topic in tqdm(
            jobs, 'drawing', delay=2, leave=False, disable=None):
        about = describe(content, setting)
        if topic in PLOTS:
            data = render(PLOTS[topic](part['detectors'], about))
            pictures.append(
                Picture(setting, topic, f'{setting}-{topic}.png', data))
            continue
        for number, (name, analyses) in enumerate(part['detectors'].items(),
                                                  1):
            rows = analyses[TOP]['drawn']
            if rows:
                figure = plot_top_false_positives(
                    rows, paths, faces,
                    f'{name}: {top_note(analyses[TOP])}\n{about}\nyellow: '
                    'detection; dashed blue: annotated faces, thick: the one '
                    'compared with')
                pictures.append(
                    Picture(setting, topic, f'{setting}-{topic}-{number}.jpg',
                            render(figure, 'jpg')))
    return pictures


def is_picture_name(name: str) -> bool:
    """Whether :func:`draw_pictures` gives files such a name."""
    return _FILE_NAME.fullmatch(name) is not None


def describe(content: Mapping, setting: str) -> str:
    """Setting, faces and images: must stand beside every number."""
    faces = content['settings'][setting]['num_faces']
    return f'setting {setting}, {faces:,} faces; {content["images"]}'


def top_note(part: Mapping) -> str:
    """Which of the top false positives are drawn."""
    drawn, ranked = len(part['drawn']), len(part['ranked'])
    missing = part['without_picture']
    if not missing:
        return f'the {drawn} highest-scoring false positives'
    if not drawn:
        return (f'the {ranked} highest-scoring false positives, none drawn: '
                'no pictures at hand')
    return (f'the {drawn} highest-scoring false positives of the images whose '
            f'pictures are at hand ({missing} of the top {ranked} of all '
            'images have no picture here)')
