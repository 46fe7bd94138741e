"""Sources, heads and scenes of the built-in sample."""
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip('skimage')

from tinyfaces.datasets.sample_parts import heads, scenes, sources


@pytest.mark.parametrize('count', [1, 2, 7, 12])
def test_heights_span_the_range(count):
    rng = np.random.default_rng(0)
    drawn = [scenes.random_heights(rng, count) for _ in range(400)]
    heights = np.concatenate(drawn)
    assert heights.shape == (400 * count, )
    assert 8 <= heights.min() <= 10 and 250 <= heights.max() <= 300
    if count > 1:
        assert all((each < 32).mean() >= 0.5 for each in drawn)


def test_splits_share_no_background(monkeypatch):
    """Neither in the table nor in what composing a scene really loads."""
    names = {
        split: {source.file
                for source in listed}
        for split, listed in sources.BACKGROUNDS.items()
    }
    assert not names['train'] & names['val']
    loaded = set()

    def spy(source):
        loaded.add(source.file)
        return sources.load(source)

    monkeypatch.setattr(scenes, 'load', spy)
    for split in ('train', 'val'):
        loaded.clear()
        scenes.compose(np.random.default_rng(0), split, (1, 2))
        assert loaded == names[split]


def test_only_free_licences():
    for source in sources.all_sources():
        assert source.licence in ('CC0', 'public domain')
    # Pictures with faces, or without a stated licence.
    used = {source.file for source in sources.all_sources()}
    assert not used & {
        'coins.png', 'camera.png', 'moon.png', 'page.png', 'ihc.png',
        'motorcycle_left.png', 'lfw_subset.npy'
    }


def test_missing_package_names_remedy(monkeypatch):
    monkeypatch.setattr(sources, 'find_spec', lambda name: None)
    with pytest.raises(ModuleNotFoundError, match='pip install scikit-image'):
        sources.load.__wrapped__(sources.CAT)


def test_missing_picture_names_remedy():
    gone = sources.Source('gone.png', 'scikit-image', 'CC0', 'nobody')
    with pytest.raises(FileNotFoundError, match='gone.png.*Remedy'):
        sources.load(gone)


def test_changed_portrait_is_noticed():
    portrait = sources.PORTRAITS[0]
    changed = sources.Portrait(**{**vars(portrait), 'size': (1, 1)})
    with pytest.raises(ValueError, match='512x600.*1x1'):
        sources.load_portrait(changed)


@given(
    angle=st.floats(0, 6.3),
    stretch=st.floats(0.5, 2),
    shear=st.floats(-0.5, 0.5),
    half=st.tuples(st.floats(1, 50), st.floats(1, 50)))
@settings(max_examples=60, deadline=None)
def test_ellipse_extent_is_tight(angle, stretch, shear, half):
    """Equal to the extremes of many points on the mapped ellipse."""
    turn = np.array([[np.cos(angle), -np.sin(angle)],
                     [np.sin(angle), np.cos(angle)]])
    matrix = turn @ np.array([[stretch, shear], [0, 1]])
    around = np.linspace(0, 2 * np.pi, 4000)
    circle = np.stack([np.cos(around), np.sin(around)])
    points = matrix @ (np.array(half)[:, None] * circle)
    np.testing.assert_allclose(
        heads.ellipse_extent(matrix, np.array(half)),
        points.max(axis=1),
        rtol=1e-5)


@pytest.mark.parametrize('height', [8, 31, 120, 300])
def test_box_lies_on_the_pasted_face(height):
    """A marker in the shape of the face comes out in the annotated box."""
    rng = np.random.default_rng(height)
    for cut in heads.cuts():
        pose = heads.random_pose(rng, cut, height, np.array([60, 70]))
        assert pose.face[3] - pose.face[1] == pytest.approx(height)
        level = heads.level_for(cut, pose)
        rows, columns = cut.levels[level][1].shape
        step = 2.0**level
        x = ((np.arange(columns) + 0.5) * step - cut.centre[0]) / cut.half[0]
        y = ((np.arange(rows) + 0.5) * step - cut.centre[1]) / cut.half[1]
        marker = (x[None]**2 + y[:, None]**2 <= 1).astype(np.float32)
        canvas = np.zeros((500, 500, 3), np.float32)
        heads.paste(canvas, np.ones((rows, columns, 3), np.float32), marker,
                    level, pose)
        found = np.nonzero(canvas[..., 0] > 0.5)
        box = [
            found[1].min(), found[0].min(), found[1].max() + 1,
            found[0].max() + 1
        ]
        np.testing.assert_allclose(box, pose.face, atol=1.5)


def test_paste_outside_changes_nothing():
    cut = heads.cuts()[0]
    pose = heads.random_pose(
        np.random.default_rng(0), cut, 20, np.array([500, 10]))
    canvas = np.full((64, 64, 3), 0.5, np.float32)
    heads.paste(canvas, *cut.levels[0], 0, pose)
    assert (canvas == 0.5).all()


def test_distractors_wear_the_mask_of_a_head():
    """Outside the mask a distractor changes as little as a head does."""
    cut = heads.cuts()[0]
    rng = np.random.default_rng(0)
    pose = heads.random_pose(rng, cut, 60, np.array([60, 70]))
    level = heads.level_for(cut, pose)
    shape = cut.levels[level][0].shape
    mask = np.zeros((256, 256, 3), np.float32)
    heads.paste(mask, np.ones(shape, np.float32), cut.levels[level][1], level,
                pose)
    textures = [sources.load(s) for s in sources.BACKGROUNDS['val']]
    changed = np.zeros((256, 256), bool)
    for _ in range(20):
        canvas = np.full((256, 256, 3), 0.5, np.float32)
        scenes.draw_decoy(rng, canvas, cut, pose, textures)
        changed |= (canvas != 0.5).any(axis=2)
    assert not changed[mask[..., 0] == 0].any()
    assert changed[mask[..., 0] > 0.01].all()
