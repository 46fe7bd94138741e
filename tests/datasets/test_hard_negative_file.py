"""Files of hard negatives: read back exactly, and every kind of damage."""
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyfaces.datasets.hard_negative_file import (HardNegatives,
                                                   read_hard_negatives,
                                                   read_header,
                                                   write_hard_negatives)

HEADER = dict(score_thr=.5, iou_thr=.5, max_per_img=100)


def negatives(boxes, scores, width=640, height=480):
    return HardNegatives(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.array(scores, np.float32), width, height)


def test_by_hand(tmp_path):
    """Pictures by name, boxes by score and then by coordinates."""
    path = tmp_path / 'new/hard.jsonl'
    write_hard_negatives(
        path, {
            'b.jpg':
            negatives([], []),
            'c.jpg':
            negatives([[.1, 2, 3, 4], [0, 2, 3, 4.5], [0, 0, 9, 9]],
                      [.5, .5, .75]),
            'a.jpg':
            negatives([[0, 0, 1.25, 1]], [1], 2, 1),
        }, HEADER)
    assert path.read_text() == (
        '{"format": "tinyfaces hard negatives", "version": 1, '
        '"score_thr": 0.5, "iou_thr": 0.5, "max_per_img": 100, '
        '"images": 2, "boxes": 4}\n'
        '{"img_id": "a.jpg", "width": 2, "height": 1, '
        '"boxes": [[0.0, 0.0, 1.25, 1.0]], "scores": [1.0]}\n'
        '{"img_id": "c.jpg", "width": 640, "height": 480, '
        '"boxes": [[0.0, 0.0, 9.0, 9.0], [0.0, 2.0, 3.0, 4.5], '
        '[0.1, 2.0, 3.0, 4.0]], "scores": [0.75, 0.5, 0.5]}\n')
    assert read_header(path) == dict(
        HEADER,
        format='tinyfaces hard negatives',
        version=1,
        images=2,
        boxes=4)
    entries = read_hard_negatives(path)
    assert list(entries) == ['a.jpg', 'c.jpg']
    assert entries['a.jpg'][2:] == (2, 1)
    assert entries['c.jpg'].boxes.dtype == np.float32
    assert entries['c.jpg'].boxes.tolist()[2] == [np.float32(.1), 2, 3, 4]


floats = st.floats(-1e5, 1e5, width=32)
rows = st.tuples(floats, floats, floats, floats).map(
    lambda row: [min(row[0], row[2]), min(row[1], row[3]),
                 max(row[0], row[2]), max(row[1], row[3])])  # yapf: disable
pictures = st.dictionaries(
    st.text(max_size=8) | st.integers(),
    st.lists(st.tuples(rows, st.floats(0, 1, width=32)), max_size=4),
    max_size=4)


@settings(max_examples=60, deadline=None)
@given(pictures, st.randoms())
def test_read_back_exactly_in_any_order(tmp_path_factory, pictures, random):
    """float32 as written; and the same bytes whatever came first."""
    folder = tmp_path_factory.mktemp('files')
    texts = []
    for number in range(2):
        keys = list(pictures)
        random.shuffle(keys)
        entries = {}
        for key in keys:
            boxes = list(pictures[key])
            random.shuffle(boxes)
            entries[key] = negatives(*zip(*boxes)) if boxes else \
                negatives([], [])
        path = folder / f'{number}.jsonl'
        write_hard_negatives(path, entries, HEADER)
        texts.append(path.read_bytes())
        found = read_hard_negatives(path)
        assert set(found) == {key for key, boxes in pictures.items() if boxes}
        for key, entry in found.items():
            expected = sorted(
                pictures[key], key=lambda item: (-item[1], item[0]))
            assert [row for row, _ in expected] == entry.boxes.tolist()
            assert [score for _, score in expected] == entry.scores.tolist()
            assert entry[2:] == (640, 480)
    assert texts[0] == texts[1]


def test_every_float32_of_a_kind(tmp_path):
    """Few digits are written, but enough ones: some 100,000 neighbours."""
    values = np.arange(100_000, dtype=np.uint32) + np.uint32(0x3D000000)
    boxes = values.view(np.float32).reshape(-1, 4)
    write_hard_negatives(tmp_path / 'a',
                         {0: negatives(boxes, np.ones(len(boxes)))}, {})
    assert (read_hard_negatives(tmp_path / 'a')[0].boxes == boxes).all()
    assert '0.03125,' in (tmp_path / 'a').read_text()


def test_header_of_another_file_is_corrected(tmp_path):
    """Counts and places of its keys are this file's."""
    entries = {'a': negatives([[0, 0, 1, 1]], [1])}
    write_hard_negatives(tmp_path / 'a', entries, HEADER)
    header = dict(reversed(read_header(tmp_path / 'a').items()), images=99)
    write_hard_negatives(tmp_path / 'b', {}, header)
    assert read_hard_negatives(tmp_path / 'b') == {}
    assert list(read_header(tmp_path / 'b'))[:2] == ['format', 'version']
    assert read_header(tmp_path / 'b')['images'] == 0


@pytest.mark.parametrize('entry, message', [
    (negatives([[0, 0, 1, np.nan]], [1]), 'all finite'),
    (negatives([[0, 0, 1, 1]], [1, 2]), 'as many scores'),
    (negatives([[2, 0, 1, 1]], [1]), 'x1 <= x2'),
    (negatives([[0, 0, 1, 1]], [1], width=0), 'whole numbers over 0'),
    (negatives([[0, 0, 1, 1]], [1], height=1.5), 'whole numbers over 0'),
])
def test_nothing_wrong_is_written(tmp_path, entry, message):
    with pytest.raises(ValueError, match=f"picture 'a': .*{message}"):
        write_hard_negatives(tmp_path / 'a.jsonl', {'a': entry}, HEADER)
    assert not list(tmp_path.iterdir())


LINE = dict(img_id='x', width=9, height=9, boxes=[[0, 0, 1, 1]], scores=[1])


@pytest.mark.parametrize('change, message', [
    (dict(width='9'), 'whole numbers over 0'),
    (dict(height=True), 'whole numbers over 0'),
    (dict(boxes=[[0, 0, 1]]), 'boxes'),
    (dict(boxes=[[0, 0, 1, 1], [0]]), 'boxes'),
    (dict(boxes=[[0, 0, 1, 'a']]), 'boxes'),
    (dict(boxes=[[0, 0, 1, 1e39]]), 'all finite'),
    (dict(boxes=[[0, 2, 1, 1]]), 'y1 <= y2'),
    (dict(scores=[]), 'as many scores'),
    (dict(scores=1), 'as many scores'),
    (dict(scores=[float('inf')]), 'all finite'),
    (dict(img_id=1.5), 'a text or a whole number'),
    (dict(img_id='a'), 'not listed before'),
])
def test_damaged_line(tmp_path, change, message):
    path = write_lines(tmp_path, dict(LINE, img_id='a'), dict(LINE, **change))
    with pytest.raises(ValueError, match='hard.jsonl, line 3: expected '
                       f'.*{message}.*Remedy: harvest again'):  # yapf: disable
        read_hard_negatives(path)


def write_lines(folder, *lines, **header):
    first = dict(
        format='tinyfaces hard negatives',
        version=1,
        images=len(lines),
        boxes=len(lines))
    path = folder / 'hard.jsonl'
    path.write_text('\n'.join(
        map(json.dumps, [dict(first, **header), *lines])))
    return path


def test_by_other_hands(tmp_path):
    """Other keys, no last newline, a picture without boxes: all well."""
    path = write_lines(
        tmp_path,
        dict(LINE, of='me'),
        dict(LINE, img_id=3, boxes=[], scores=[]),
        boxes=1)
    entries = read_hard_negatives(path)
    assert entries['x'].boxes.tolist() == [[0, 0, 1, 1]]
    assert entries[3].boxes.shape == (0, 4)


def test_cut_off(tmp_path):
    path = write_lines(tmp_path, LINE, images=2, boxes=5)
    with pytest.raises(ValueError, match="line 1: expected 1 images and 1 .*"
                       "found '2 and 5'.*cut off"):  # yapf: disable
        read_hard_negatives(path)
    path.write_text(path.read_text()[:-5])
    with pytest.raises(ValueError, match='line 2: expected a JSON object'):
        read_hard_negatives(path)


@pytest.mark.parametrize('text, message', [
    ('', 'found the end of the file'),
    ('# 0 0 1\n', 'expected {"format": "tinyfaces hard negatives"'),
    ('[]', 'expected {"format"'),
    ('{"format": "tinyfaces hard negatives", "version": 2}',
     'expected version 1;'),
    ('{"format": "tinyfaces hard negatives", "version": 1, "images": 3}',
     'the numbers "images" and "boxes"'),
    (b'\xff\xd8\xff\xe0', 'give a file of hard negatives'),
])
def test_other_files(tmp_path, text, message):
    path = tmp_path / 'other'
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ValueError, match=f'other, line 1: .*{message}'):
        read_hard_negatives(path)


def test_no_file(tmp_path):
    with pytest.raises(FileNotFoundError, match='harvest_hard_negatives.py'):
        read_hard_negatives(tmp_path / 'none.jsonl')
