import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tinyfaces.apis import (DetectionJob, Detections, InputNotFoundError,
                            Picture, find_pictures)


def make(folder, *names):
    for i, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new('RGB', (20 + i, 10), (i, 0, 0)).save(path)


def files(pictures):
    return [p.file.as_posix() for p in pictures]


def drawings(pictures):
    return [p.drawing.as_posix() for p in pictures]


def test_files_folders_and_patterns(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make(tmp_path, 'b.jpg', 'p/a.PNG', 'p/q/b.jpg', 'p/q/.hidden.jpg',
         'p/.git/c.jpg', 'r/x1.jpg', 'r/x2.jpg')
    (tmp_path / 'p/notes.txt').write_text('no picture')
    found = find_pictures(['r/x?.jpg', 'p', 'b.jpg'])
    assert files(found) == [
        'r/x1.jpg', 'r/x2.jpg', 'p/a.PNG', 'p/q/b.jpg', 'b.jpg'
    ]
    assert drawings(found) == ['x1', 'x2', 'a', 'q/b', 'b']
    # A pattern may match folders, and names the files that it matches.
    assert files(find_pictures(['[p]'])) == ['p/a.PNG', 'p/q/b.jpg']
    assert files(find_pictures(['p/*.txt'])) == ['p/notes.txt']
    assert files(find_pictures(['**/x1.jpg'])) == ['r/x1.jpg']


def test_equal_names_are_drawn_apart(tmp_path):
    make(tmp_path, 'a/x.jpg', 'b/x.jpg', 'b/x.png', 'b/X.bmp', 'c/x-2.jpg')
    found = find_pictures([str(tmp_path / d) for d in 'abc'])
    assert drawings(found) == ['x', 'X-2', 'x-3', 'x-4', 'x-2-2']


def test_listed_once(tmp_path):
    make(tmp_path, 'a/x.jpg')
    (tmp_path / 'link.jpg').symlink_to(tmp_path / 'a/x.jpg')
    found = find_pictures([
        str(tmp_path / 'a'),
        str(tmp_path / 'a/x.jpg'),
        str(tmp_path / 'link.jpg')
    ])
    assert files(found) == [(tmp_path / 'a/x.jpg').as_posix()]


def test_brackets_in_a_name(tmp_path):
    make(tmp_path, 'x[1].jpg', 'x1.jpg')
    found = find_pictures([str(tmp_path / 'x[1].jpg')])
    assert [p.file.name for p in found] == ['x[1].jpg']


def test_results_inside_the_input_are_left_out(tmp_path):
    make(tmp_path, 'x.jpg', 'out/images/x.jpg')
    found = find_pictures([str(tmp_path)], leave_out=tmp_path / 'out')
    assert [p.file for p in found] == [tmp_path / 'x.jpg']


def test_nothing_found(tmp_path):
    make(tmp_path, 'x.jpg')
    (tmp_path / 'empty').mkdir()
    with pytest.raises(InputNotFoundError) as error:
        find_pictures([
            str(tmp_path / name)
            for name in ('y.jpg', 'x.jpg', 'empty', '*.gif')
        ])
    for name in ('y.jpg', 'empty', '*.gif'):
        assert str(tmp_path / name) in str(error.value)
    assert str(tmp_path / 'x.jpg') not in str(error.value)


class OneFace:
    """Finds one face per picture; stops the run at a given number."""

    def __init__(self, stop_at=None):
        self.looked, self.stop_at = 0, stop_at

    def __call__(self, image):
        if self.looked == self.stop_at:
            raise KeyboardInterrupt
        self.looked += 1
        height, width = image.shape[:2]
        return Detections(
            np.array([[1, 2, 5, 8]], np.float32), np.array([.5], np.float32),
            width, height)


def read(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture
def pictures(tmp_path):
    make(tmp_path / 'in', 'a.png', 'q/a.png', 'z.png')
    (tmp_path / 'in/broken.jpg').write_bytes(b'\xff\xd8')
    return find_pictures([str(tmp_path / 'in')])


def test_lines_and_drawings(tmp_path, pictures, capsys):
    job = DetectionJob(OneFace(), tmp_path / 'out')
    assert job.run(pictures) == 1
    folder = tmp_path / 'in'
    face = {'box': [1, 2, 5, 8], 'score': .5}
    lines = read(tmp_path / 'out/detections.jsonl')
    assert lines[0] == {
        'file': str(folder / 'a.png'),
        'width': 20,
        'height': 10,
        'faces': [face],
        'drawing': 'images/a.jpg'
    }
    assert set(lines[1]) == {'file', 'error'}
    assert lines[1]['file'] == str(folder / 'broken.jpg')
    assert lines[2]['file'] == str(folder / 'z.png')
    assert lines[3]['drawing'] == 'images/q/a.jpg'
    for line in lines[:1] + lines[2:]:
        with Image.open(tmp_path / 'out' / line['drawing']) as drawn:
            assert drawn.size == (line['width'], line['height'])
    assert 'broken.jpg' in capsys.readouterr().err


def test_without_drawings(tmp_path, pictures):
    DetectionJob(OneFace(), tmp_path / 'out', draw=False).run(pictures)
    assert [p.name
            for p in (tmp_path / 'out').iterdir()] == ['detections.jsonl']
    assert 'drawing' not in read(tmp_path / 'out/detections.jsonl')[0]


def test_resuming(tmp_path, pictures):
    out = tmp_path / 'out'
    with pytest.raises(KeyboardInterrupt):
        DetectionJob(OneFace(stop_at=1), out).run(pictures)
    lines = read(out / 'detections.jsonl')
    assert ['error' in line for line in lines] == [False, True]
    # A killed run may leave half of a line.
    with open(out / 'detections.jsonl', 'a') as stream:
        stream.write('{"file": "half')
    detector = OneFace()
    assert DetectionJob(detector, out, resume=True).run(pictures) == 1
    assert detector.looked == 2
    lines = read(out / 'detections.jsonl')
    assert sorted(line['file']
                  for line in lines) == sorted(str(p.file) for p in pictures)
    # Without resuming everything is done again.
    detector = OneFace()
    DetectionJob(detector, out).run(pictures)
    assert detector.looked == 3
    assert len(read(out / 'detections.jsonl')) == 4


@pytest.mark.parametrize('line', ['{"file": 1', '[1]', '{"x": 2}'])
def test_damaged_results(tmp_path, line):
    path = tmp_path / 'detections.jsonl'
    path.write_text(f'{{"file": "a.jpg"}}\n{line}\n')
    with pytest.raises(ValueError, match=r'detections.jsonl:2: expected'):
        DetectionJob(OneFace(), tmp_path, resume=True)


def test_full_disk_is_no_unreadable_picture(tmp_path, pictures):
    (tmp_path / 'out').mkdir()
    (tmp_path / 'out/images').write_text('a file where a folder should be')
    with pytest.raises(OSError):
        DetectionJob(OneFace(), tmp_path / 'out').run(pictures)


def test_strange_file_names(tmp_path):
    make(tmp_path, 'gruß "1"\n.png')
    (picture, ) = find_pictures([str(tmp_path)])
    DetectionJob(OneFace(), tmp_path / 'out').run([picture])
    (line, ) = read(tmp_path / 'out/detections.jsonl')
    assert line['file'] == str(picture.file)
    assert (tmp_path / 'out' / line['drawing']).is_file()
    assert isinstance(picture, Picture) and isinstance(picture.file, Path)


def test_nothing_is_drawn_behind_a_link(tmp_path, pictures):
    """One that lies where the drawings of a folder go."""
    outside = tmp_path / 'outside'
    outside.mkdir()
    (tmp_path / 'out/images').mkdir(parents=True)
    (tmp_path / 'out/images/q').symlink_to(outside)
    with pytest.raises(PermissionError, match='outside of .*remove the symb'):
        DetectionJob(OneFace(), tmp_path / 'out').run(pictures)
    assert list(outside.iterdir()) == []
