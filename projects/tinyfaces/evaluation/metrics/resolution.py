"""At which resolution was a test made?"""
from collections.abc import Sequence

import numpy as np


def stated_resolution(results: Sequence[dict]) -> str:
    """Say it from the scale factors and padded input shapes.

    Args:
        results: One dict per picture: ``scale``, the ``scale_factor`` of its
            data sample or None; ``shape``, its ``batch_input_shape`` (height,
            width) in pixels or None.

    Returns:
        str: For a report.
    """
    scales = [
        s for r in results if r['scale'] is not None
        for s in np.atleast_1d(r['scale'])
    ]
    shapes = [r['shape'] for r in results if r['shape'] is not None]
    if not scales:
        return 'not stated by the data samples'
    low, high = min(scales), max(scales)
    text = ('original size' if low == high == 1 else
            f'original size times {low:.3g} to {high:.3g}')
    if shapes:
        heights, widths = zip(*shapes)
        text += (f', padded inputs {min(widths)}x{min(heights)} to '
                 f'{max(widths)}x{max(heights)} (width x height)')
    return text
