"""``template_assignment.py``: not the times."""
import importlib
import sys
from pathlib import Path

import pytest
import torch

FOLDER = Path(__file__).parents[2] / 'benchmarks'


@pytest.fixture
def benchmark(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    monkeypatch.delenv('TINYFACES_DATA', raising=False)
    return importlib.import_module('template_assignment')


def run(benchmark, monkeypatch, *options):
    monkeypatch.setattr(sys, 'argv', ['template_assignment.py', *options])
    threads = torch.get_num_threads()
    try:
        benchmark.main()
    finally:
        torch.set_num_threads(threads)


def test_made_up_faces(benchmark, monkeypatch, capsys):
    run(benchmark, monkeypatch, '--faces', '40', '--rounds', '1')
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith('40 faces made up, seed 0')
    assert lines[0].endswith('both programs agree')
    assert [line.split()[0]
            for line in lines[3:]] == ['plain', 'TemplateAssigner', 'ratio']


def test_faces_of_annotations(benchmark, tmp_path):
    """Clipped to the crop, with three scales among them, as often as seeded.
    """
    path = tmp_path / 'ann.txt'
    path.write_text('1--A/a.jpg\n3\n'
                    '100 100 20 30 0 0 0 0 0 0\n'
                    '500 300 40 60 0 0 0 0 0 0\n'
                    '600 300 0 60 0 0 0 0 0 0\n')
    faces = benchmark.real_faces(path, 50, 3)
    assert faces.shape == (50, 4)
    assert faces.min() >= 0 and faces.max() <= 500
    heights = set((faces[:, 3] - faces[:, 1]).tolist())
    assert {15, 30, 60, 120} <= heights
    assert torch.equal(faces, benchmark.real_faces(path, 50, 3))


def test_disagreement_is_an_error(benchmark, monkeypatch):
    right = benchmark.plain_assignment

    def wrong(*args):
        targets = right(*args)
        targets.labels[3, 4, 5] = 7
        return targets

    monkeypatch.setattr(benchmark, 'plain_assignment', wrong)
    with pytest.raises(SystemExit, match='labels differ at 1 windows'):
        run(benchmark, monkeypatch, '--faces', '10', '--rounds', '1')
