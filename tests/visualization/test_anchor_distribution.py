"""The picture of anchors over scales."""
import pytest
from PIL import Image

from tinyfaces.visualization import plot_anchor_distribution

COLOURS = (0, 114, 178), (213, 94, 0)


def detector(positives, negatives, name='d'):
    shares = dict(
        shares=dict(positives=positives, negatives=negatives))
    return dict(
        name=name,
        sampling='Sampler, 4 in all',
        tiling=['16/4', '32/4'],
        before=shares,
        after=shares)


def pixels(path):
    """How many pixels have the colour of positives and of negatives."""
    with Image.open(path) as picture:
        counts = {
            colour: number
            for number, colour in picture.convert('RGB').getcolors(1 << 24)
        }
    return [counts.get(colour, 0) for colour in COLOURS]


def test_bars(tmp_path):
    """On a logarithmic axis, 100 times as much is no 100 times as high."""
    path = tmp_path / 'out.png'
    plot_anchor_distribution([detector([.001, .01], [.489, .5])], 'of', path)
    positives, negatives = pixels(path)
    assert 0 < positives < negatives < 5 * positives


def test_panels_and_shares_of_zero(tmp_path):
    path = tmp_path / 'out.png'
    plot_anchor_distribution(
        [detector([0, 0], [0, 1], '_$x_{$'),
         detector([0, 0], [1, 0])], 'of $ two', path)
    positives, negatives = pixels(path)
    # Nothing but the legend
    assert 0 < positives < 1000 < negatives


def test_nothing_to_draw(tmp_path):
    for detectors in ([], [detector([0, 0], [0, 0])]):
        with pytest.raises(ValueError, match='no samples'):
            plot_anchor_distribution(detectors, '', tmp_path / 'out.png')
    assert not (tmp_path / 'out.png').exists()
