"""Losses of a training that was killed and resumed."""
import json

import pytest
from PIL import Image

from tinyfaces.visualization import plot_losses
from tinyfaces.visualization.loss_curve import read_scalars


def write(folder, run, lines):
    path = folder / run / 'vis_data' / 'scalars.json'
    path.parent.mkdir(parents=True)
    path.write_text('\n'.join(map(json.dumps, lines)) + '\n')
    return path


def step(iteration, loss):
    return dict(loss=loss, loss_cls=loss / 2, iter=iteration, step=iteration)


def test_later_run_replaces_the_steps_it_repeats(tmp_path):
    write(
        tmp_path, '20260101_000000',
        [step(10, 3.), step(20, 2.), step(30, 9.)])
    write(tmp_path, '20260102_000000',
          [dict(ap=.5, step=20),
           step(30, 1.5), step(40, 1.)])
    entries = read_scalars(tmp_path)
    assert [e['iter'] for e in entries] == [10, 20, 30, 40]
    assert [e['loss'] for e in entries] == [3, 2, 1.5, 1]


def test_picture(tmp_path):
    write(tmp_path, '20260101_000000', [step(10, 3.), step(20, 2.)])
    plot_losses(tmp_path, tmp_path / 'out.png')
    with Image.open(tmp_path / 'out.png') as picture:
        assert picture.size == (1050, 600)
        assert len(picture.convert('RGB').getcolors(1 << 20)) > 10


def test_trainings_side_by_side(tmp_path):
    for name, losses in dict(one=(3., 2.), two=(9., 4.)).items():
        write(tmp_path / name, '20260101_000000',
              [step(10 * n, loss) for n, loss in enumerate(losses, 1)])
    sizes = []
    for names in (['one'], ['one', 'two']):
        plot_losses([tmp_path / name for name in names], tmp_path / 'out.png')
        with Image.open(tmp_path / 'out.png') as picture:
            sizes.append(picture.size)
    assert sizes == [(1050, 600), (1500, 600)]
    with pytest.raises(FileNotFoundError, match='three'):
        plot_losses([tmp_path / 'one', tmp_path / 'three'], tmp_path / 'o.png')


def test_names_are_no_formulas(tmp_path):
    line = {**step(10, 3.), 'loss_$x_{$': 1.}
    write(tmp_path, '20260101_000000', [line])
    plot_losses(tmp_path, tmp_path / 'out.png')
    assert (tmp_path / 'out.png').exists()


def test_bad_input(tmp_path):
    with pytest.raises(FileNotFoundError, match='work folder'):
        read_scalars(tmp_path)
    path = write(tmp_path, '20260101_000000', [step(10, 3.)])
    path.write_text(path.read_text() + '{"loss": 1')
    assert len(read_scalars(tmp_path)) == 1  # cut off: left out
    path.write_text(path.read_text() + '\n')
    with pytest.raises(ValueError, match='scalars.json:2'):
        read_scalars(tmp_path)
