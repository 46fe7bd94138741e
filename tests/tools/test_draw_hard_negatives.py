"""tools/draw_hard_negatives.py."""
import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tinyfaces.datasets.hard_negative_file import (HardNegatives,
                                                   write_hard_negatives)

ROOT = Path(__file__).resolve().parents[2]
TOOL = ROOT / 'tools/draw_hard_negatives.py'
WIDTH, HEIGHT = 160, 120
# Picture -> boxes, scores
HARVEST = {
    '0--Parade/a': ([[10, 10, 30, 40], [100, 60, 130, 100]], [.7, .95]),
    '0--Parade/b': ([[20, 20, 40, 40]], [.9]),
    '1--Handshaking/gone': ([[0, 0, 9, 9], [9, 9, 20, 20]], [.99, .6]),
    '1--Handshaking/none_left': ([[5, 5, 60, 60]], [.51]),
}
AT_HAND = ('0--Parade/a', '0--Parade/b')


@pytest.fixture
def tool(monkeypatch):
    """The module; what it does to the environment is undone."""
    monkeypatch.setenv('TINYFACES_REGISTER', '0')
    monkeypatch.syspath_prepend(str(TOOL.parent))
    spec = importlib.util.spec_from_file_location('draw_hard_negatives', TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write_harvest(path, harvest):
    write_hard_negatives(
        path, {
            key:
            HardNegatives(
                np.array(boxes, np.float32), np.array(scores, np.float32),
                WIDTH, HEIGHT)
            for key, (boxes, scores) in harvest.items()
        }, {})


@pytest.fixture
def harvested(tmp_path):
    """A file, and pictures whose hard negatives are white."""
    write_harvest(tmp_path / 'hard.jsonl', HARVEST)
    for key in AT_HAND:
        pixels = np.full((HEIGHT, WIDTH, 3), 60, np.uint8)
        for x1, y1, x2, y2 in HARVEST[key][0]:
            pixels[y1:y2, x1:x2] = 255
        path = tmp_path / 'images' / f'{key}.jpg'
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path, quality=95)
    return tmp_path


def arguments(folder, *more):
    return [
        str(x) for x in (folder / 'hard.jsonl', '--images', folder / 'images',
                         '--out', folder / 'out/hardest.png', *more)
    ]


def test_draws_the_highest_scores_of_the_pictures_at_hand(
        harvested, tool, monkeypatch, capsys):
    from tinyfaces.visualization import analysis
    figures = []
    plot = analysis.plot_hard_negatives
    monkeypatch.setattr(
        analysis, 'plot_hard_negatives',
        lambda *args: figures.append(plot(*args)) or figures[-1])
    assert tool.main(arguments(harvested, '--num', 2)) == 0
    figure, = figures
    tiles = figure.axes
    assert [tile.get_title()
            for tile in tiles] == ['2. score 0.95', '3. score 0.9']
    assert [tile.get_xlabel()
            for tile in tiles] == ['a\n30x40 pixels', 'b\n20x20 pixels']
    # The box, which is white, lies in the middle of its tile.
    for tile in tiles:
        crop = tile.images[0].get_array()
        assert crop[120, 120].min() > 240 and crop[120, 40].max() < 70
        x, y = tile.patches[-1].get_xy()
        assert x + tile.patches[-1].get_width() / 2 == pytest.approx(120, 1e-2)
        assert y + tile.patches[-1].get_height() / 2 == pytest.approx(
            120, 1e-2)
    said = capsys.readouterr().out
    out = harvested / 'out/hardest.png'
    assert said.startswith(
        f'{out}: the 2 hardest of 6 hard negatives whose pictures are at hand '
        '(1 of the top 3 have no picture here)\npictures missing in ')
    assert said.endswith('images: 2 of 4\n')
    assert figure.get_suptitle().startswith('hard.jsonl: the 2 hardest of 6')
    with Image.open(out) as image:
        assert image.format == 'PNG'
    assert [path.name for path in out.parent.iterdir()] == ['hardest.png']


def test_fewer_than_asked_for(harvested, tool, capsys):
    for key in set(HARVEST) - set(AT_HAND):
        path = harvested / 'images' / f'{key}.png'
        path.parent.mkdir(exist_ok=True)
        Image.new('RGB', (WIDTH, HEIGHT)).save(path)
    assert tool.main(arguments(harvested)) == 0
    said = capsys.readouterr().out
    assert said.endswith('the 6 hardest of 6 hard negatives\n')


def test_ranks_are_those_of_a_plain_sort(tool):
    generator = np.random.default_rng(0)
    entries, plain = {}, []
    for key in range(7):
        scores = -np.sort(-generator.integers(0, 9, 5)).astype(np.float32)
        corners = generator.integers(0, 50, (5, 2))
        boxes = np.hstack([corners, corners + 7]).astype(np.float32)
        entries[key] = HardNegatives(boxes, scores, 99, 99)
        plain += [(-score, key, *box[:2], 7, 7)
                  for box, score in zip(boxes.tolist(), scores.tolist())]
    rows, missing = tool.hardest(entries, 99, str)
    assert missing == 0 and len(rows) == 35
    assert [row['rank'] for row in rows] == list(range(1, 36))
    found = [(-row['score'], int(row['image']), *row['box']) for row in rows]
    assert [row[:2] for row in found] == sorted(row[:2] for row in plain)
    assert sorted(found) == sorted(plain)


def change(path, text):
    lines = path.read_text().splitlines()
    record = json.loads(lines[1])
    record.update(text)
    path.write_text('\n'.join([lines[0], json.dumps(record), *lines[2:], '']))


@pytest.mark.parametrize('spoil, error', [
    (lambda x: (x / 'hard.jsonl').unlink(), 'no such file of hard negatives'),
    (lambda x: write_harvest(x / 'hard.jsonl', {}), 'no hard negatives'),
    (lambda x: write_harvest(x / 'hard.jsonl', {'c': ([[0, 0, 9, 9]], [.8])}),
     'none of its 1 pictures is in'),
    (lambda x: change(x / 'hard.jsonl', dict(width=WIDTH + 1)),
     '0--Parade/a.jpg has 160x120 pixels, and had 161x120 when'),
    (lambda x: (x / 'images/0--Parade/b.jpg').write_text('none'),
     'b.jpg: not a readable picture'),
    (lambda x: (x / 'images').rename(x / 'away'), 'no such folder'),
    (lambda x: (x / 'out/hardest.png').mkdir(parents=True), 'is a folder'),
])
def test_errors_are_one_line_and_write_nothing(harvested, tool, capsys, spoil,
                                               error):
    spoil(harvested)
    assert tool.main(arguments(harvested)) == 1
    said = capsys.readouterr()
    assert said.err.startswith('error: ') and error in said.err
    assert said.err.count('\n') == 1 and not said.out
    assert not (harvested / 'out/hardest.png').is_file()


@pytest.mark.parametrize('number', ['0', '-3', 'x'])
def test_number_must_be_positive(harvested, tool, capsys, number):
    with pytest.raises(SystemExit):
        tool.parse_args(arguments(harvested, f'--num={number}'))
    assert 'not a whole number above 0' in capsys.readouterr().err


def test_does_not_load_torch(harvested, call):
    """And nobody has to have MMDetection."""
    said = call(sys.executable, '-X', 'importtime', TOOL,
                *arguments(harvested))
    assert ' torch\n' not in said and ' mmdet\n' not in said
    assert (harvested / 'out/hardest.png').is_file()
