"""The built-in sample: what is in the files, and when they are written."""
import io
import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import loadmat

pytest.importorskip('skimage')

from tinyfaces.datasets import sample  # noqa: E402
from tinyfaces.datasets.sample import make_sample  # noqa: E402
from tinyfaces.datasets.sample_parts import layout, sources  # noqa: E402

TRAIN, VAL = 9, 6
REPO = Path(__file__).resolve().parents[2]


@pytest.fixture(scope='module')
def root(tmp_path_factory) -> Path:
    return make_sample(
        tmp_path_factory.mktemp('data') / 'sample',
        3,
        TRAIN,
        VAL,
        progress=False)


def read_text(root: Path, split: str) -> dict[str, np.ndarray]:
    """File name -> (n, 10) rows, read line by line."""
    path = root / 'wider_face_split' / f'wider_face_{split}_bbx_gt.txt'
    lines = iter(path.read_text().splitlines())
    entries = {}
    for name in lines:
        rows = [next(lines).split() for _ in range(int(next(lines)))]
        assert name not in entries
        entries[name] = np.array(rows, int)
    return entries


def contents(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob('*') if path.is_file()
    }


def test_layout(root):
    for split, count in (('train', TRAIN), ('val', VAL)):
        listed = read_text(root, split)
        folder = root / f'WIDER_{split}' / 'images'
        found = {
            path.relative_to(folder).as_posix()
            for path in folder.rglob('*') if path.is_file()
        }
        assert set(listed) == found
        assert len(listed) == count
        assert list(listed) == sorted(listed)
        assert {name.split('/')[0] for name in listed} == set(sample.EVENTS)
    readme = (root / 'README.txt').read_text(encoding='utf-8')
    assert 'two-person toy' in readme
    for source in sources.all_sources():
        assert source.file in readme
    assert not list(root.parent.glob('.sample-*'))


def test_faces(root):
    for split in ('train', 'val'):
        heights = []
        for name, rows in read_text(root, split).items():
            with Image.open(root / f'WIDER_{split}/images/{name}') as image:
                size = image.size
            x, y, w, h = rows[:, :4].T
            assert 1 <= len(rows) <= 12
            assert (x >= 0).all() and (y >= 0).all() and (w > 0).all()
            assert (x + w <= size[0]).all() and (y + h <= size[1]).all()
            assert (h / w > 0.85).all() and (h / w < 1.4).all()
            # blur, expression, illumination, invalid, occlusion, pose
            assert (rows[:, 4:] >= 0).all()
            assert (rows[:, 4:].max(axis=0) <= [2, 0, 1, 0, 0, 0]).all()
            for i in range(len(rows)):
                for j in range(i):
                    wide = min(x[i] + w[i], x[j] + w[j]) - max(x[i], x[j])
                    tall = min(y[i] + h[i], y[j] + h[j]) - max(y[i], y[j])
                    # Not more than what rounding to pixels can bring about.
                    assert min(wide, tall) <= 1
            heights += h.tolist()
        assert min(heights) >= 8 and max(heights) <= 300
        assert np.mean(np.array(heights) < 32) >= 0.5


def test_same_seed_same_bytes(root, tmp_path):
    again = make_sample(tmp_path / 'again', 3, TRAIN, VAL, progress=False)
    assert contents(again) == contents(root)


def test_other_seed_other_pictures(root, tmp_path):
    other = contents(make_sample(tmp_path / 'b', 4, 2, 1, progress=False))
    mine = contents(root)
    pictures = [name for name in other if name.endswith('.jpg')]
    assert len(pictures) == 3
    assert all(other[name] != mine[name] for name in pictures)


def test_picture_does_not_depend_on_count(root, tmp_path):
    few = contents(make_sample(tmp_path / 'few', 3, 2, 1, progress=False))
    many = contents(root)
    pictures = [name for name in few if name.endswith('.jpg')]
    assert len(pictures) == 3
    assert all(few[name] == many[name] for name in pictures)


def test_ground_truth_matches_text(root):
    text = read_text(root, 'val')
    kept = {}
    for name in ('face', 'easy', 'medium', 'hard'):
        mat = loadmat(root / 'ground_truth' / f'wider_{name}_val.mat')
        events = [cell[0] for cell in mat['event_list'][:, 0]]
        assert events == sorted(sample.EVENTS)
        seen = 0
        for e, event in enumerate(events):
            files = mat['file_list'][e, 0]
            for i in range(len(files)):
                stem = str(files[i, 0][0])
                rows = text[f'{event}/{stem}.jpg']
                boxes = mat['face_bbx_list'][e, 0][i, 0]
                assert boxes.dtype == np.int32
                np.testing.assert_array_equal(boxes, rows[:, :4])
                blur = mat['blur_label_list'][e, 0][i, 0]
                np.testing.assert_array_equal(blur[:, 0], rows[:, 4])
                seen += 1
                if name != 'face':
                    keep = mat['gt_list'][e, 0][i, 0]
                    assert keep.dtype.kind == 'u' and keep.shape[1] == 1
                    least = {'easy': 50, 'medium': 30, 'hard': 10}[name]
                    assert keep[:, 0].tolist() == [
                        k + 1 for k in range(len(rows)) if rows[k, 3] > least
                    ]
                    kept[name] = kept.get(name, 0) + len(keep)
        assert seen == VAL
    assert 0 < kept['easy'] <= kept['medium'] < kept['hard']


def test_keep_list_limits():
    boxes = np.array([[0, 0, 9, h] for h in (10, 11, 30, 31, 50, 51)])
    entry = layout.Entry('0--E', 's', boxes, np.zeros((6, 6), int))
    lists = {
        name: layout._keep(entry, least)[:, 0].tolist()
        for name, least in layout.SETTINGS.items()
    }
    assert lists == {'hard': [2, 3, 4, 5, 6], 'medium': [4, 5, 6], 'easy': [6]}


@pytest.mark.real_data
@pytest.mark.parametrize('name', ['face', 'easy', 'medium', 'hard'])
def test_ground_truth_like_official(root, real_data, name):
    file = f'ground_truth/wider_{name}_val.mat'
    mine, theirs = (
        loadmat(folder / file) for folder in (root, real_data / 'wider_face'))
    assert set(mine) == set(theirs)
    for key in theirs:
        if key.startswith('__'):
            continue
        assert mine[key].dtype == theirs[key].dtype == object
        assert mine[key].shape[1] == theirs[key].shape[1] == 1
        inner, official = mine[key][0, 0], theirs[key][0, 0]
        assert inner.dtype.kind == official.dtype.kind
        assert inner.ndim == official.ndim
        if key != 'event_list':
            assert inner.shape[1] == official.shape[1] == 1
            inner, official = inner[0, 0], official[0, 0]
            assert inner.ndim == official.ndim
            assert inner.dtype.kind == official.dtype.kind
            if official.dtype.kind != 'U':
                assert inner.dtype == official.dtype
                assert inner.shape[1] == official.shape[1]


def test_second_call_writes_nothing(root):
    before = {path: path.stat().st_mtime_ns for path in root.rglob('*')}
    assert make_sample(root, 3, TRAIN, VAL) == root
    assert before == {
        path: path.stat().st_mtime_ns
        for path in root.rglob('*')
    }


def test_other_parameters_are_refused(root):
    with pytest.raises(FileExistsError, match='remove this one'):
        make_sample(root, 4, TRAIN, VAL)


def test_foreign_folder_is_refused(tmp_path):
    (tmp_path / 'thesis.txt').write_text('years of work')
    with pytest.raises(FileExistsError, match='was not made by'):
        make_sample(tmp_path, 0, 1, 1)
    (tmp_path / 'sample.json').write_text('{"version": 1}')
    with pytest.raises(FileExistsError, match='was not made by'):
        make_sample(tmp_path, 0, 1, 1)
    with pytest.raises(FileExistsError, match='was not made by'):
        make_sample(tmp_path / 'thesis.txt', 0, 1, 1)
    assert (tmp_path / 'thesis.txt').read_text() == 'years of work'


def test_empty_folder_is_used(tmp_path):
    made = make_sample(tmp_path, 0, 1, 1, progress=False)
    assert made == tmp_path and (tmp_path / 'README.txt').is_file()


@pytest.mark.parametrize('damage', ['missing', 'changed', 'version'])
def test_damaged_sample_is_rebuilt(tmp_path, caplog, damage):
    made = make_sample(tmp_path / 's', 0, 1, 1, progress=False)
    wanted = contents(made)
    picture = next(made.rglob('*.jpg'))
    if damage == 'missing':
        picture.unlink()
    elif damage == 'changed':
        picture.write_bytes(picture.read_bytes()[:-100])
    else:
        path = made / sample.MANIFEST
        manifest = json.loads(path.read_text())
        path.write_text(json.dumps({**manifest, 'version': 0}))
    assert contents(made) != wanted
    stranger = made / 'notes.txt'
    stranger.write_text('mine')
    with pytest.raises(FileExistsError, match='notes.txt'):
        make_sample(made, 0, 1, 1, progress=False)
    stranger.unlink()
    make_sample(made, 0, 1, 1, progress=False)
    assert contents(made) == wanted
    assert 'building' in caplog.text


def test_failure_leaves_nothing(tmp_path, monkeypatch):

    def fail(*_):
        raise OSError('disk full')

    monkeypatch.setattr(sample, 'write_ground_truth', fail)
    with pytest.raises(OSError, match='disk full'):
        make_sample(tmp_path / 's', 0, 1, 1, progress=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize('numbers', [(-1, 1, 1), (0, 0, 1), (0, 1, 0)])
def test_numbers_out_of_range(tmp_path, numbers):
    with pytest.raises(ValueError, match='must be'):
        make_sample(tmp_path / 's', *numbers)


def test_command_line(tmp_path):
    environment = {**os.environ, 'PYTHONPATH': str(REPO / 'projects')}
    command = [
        sys.executable,
        str(REPO / 'tools' / 'make_sample.py'),
        str(tmp_path / 's'), '--num-train', '1', '--num-val', '1'
    ]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert 'two-person toy' in done.stdout
    assert len(list((tmp_path / 's').rglob('*.jpg'))) == 2
    again = subprocess.run(
        command + ['--seed', '1'],
        env=environment,
        capture_output=True,
        text=True)
    assert again.returncode == 1
    assert 'make_sample: ' in again.stderr
    assert 'Traceback' not in again.stderr


def test_perfect_predictions_score_one(root):
    from tinyfaces.evaluation.functional.wider import evaluate_wider
    from tinyfaces.evaluation.functional.wider_gt import load_wider_gt
    predictions = {
        name[:-4]:
        np.column_stack([rows[:, :4],
                         np.linspace(0.9, 0.6, len(rows))])
        for name, rows in read_text(root, 'val').items()
    }
    names = ('easy', 'medium', 'hard', 'all')
    truth = load_wider_gt(root / 'ground_truth', names)
    result = evaluate_wider(predictions, truth)
    assert [result.ap(name) for name in names] == pytest.approx([1.0] * 4)
    # And one face less is noticed.
    key = next(iter(predictions))
    predictions[key] = predictions[key][1:]
    assert evaluate_wider(predictions, truth).ap('all') < 1


@pytest.mark.skipif(find_spec('mmdet') is None, reason='mmdet is missing')
@pytest.mark.parametrize('split', ['train', 'val'])
def test_read_by_the_dataset(root, split):
    from tinyfaces.datasets.wider_face import WiderFaceDataset
    dataset = WiderFaceDataset(
        data_root=str(root),
        ann_file=f'wider_face_split/wider_face_{split}_bbx_gt.txt',
        data_prefix=dict(img=f'WIDER_{split}/images'))
    text = read_text(root, split)
    assert len(dataset) == len(text)
    for i in range(len(dataset)):
        info = dataset.get_data_info(i)
        boxes = np.array([face['bbox'] for face in info['instances']])
        boxes[:, 2:] -= boxes[:, :2]
        np.testing.assert_array_equal(boxes,
                                      text[f'{info["img_id"]}.jpg'][:, :4])
        assert not any(face['ignore_flag'] for face in info['instances'])


def test_pictures_decode_as_written(root):
    """JPEG, RGB, and not one colour."""
    for path in root.rglob('*.jpg'):
        with Image.open(io.BytesIO(path.read_bytes())) as image:
            assert image.format == 'JPEG' and image.mode == 'RGB'
            assert np.asarray(image).std() > 5
