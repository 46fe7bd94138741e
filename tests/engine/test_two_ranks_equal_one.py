"""Two processes train as one with twice the batch does."""
import json

import pytest
import torch
from benchmark_runs import import_from, run_benchmark, small_trainings

PAPERS = ('refine_face', 'tiny_faces', 'group_sampling', 'faster_rcnn')
STEPS = 4


@pytest.fixture(scope='module')
def found(tmp_path_factory):
    """What benchmarks/two_ranks.py finds for each paper's detector."""
    folder = tmp_path_factory.mktemp('two_ranks')
    small = small_trainings()
    configs = small.write_configs(folder)
    return run_benchmark('two_ranks.py', folder,
                         *(configs[name] for name in PAPERS), '--warm-up', 0,
                         '--batch', 2, '--pictures', small.PICTURES, '--steps',
                         STEPS)


@pytest.mark.slow
@pytest.mark.parametrize('paper', PAPERS)
def test_two_ranks_equal_one(found, paper):
    result = found[paper]['two']
    assert len(result['losses']) == STEPS
    for step in result['losses']:
        assert step['loss'][0] > 0
        for name, (two, one) in step.items():
            assert two == pytest.approx(one, rel=1e-4, abs=1e-4), name
    # What the losses of so few steps hardly show.
    assert result['grad_norm'] < 2e-3
    assert result['weights'] < 1e-4
    # They train: else the losses would be equal without a reason.
    first, *_, last = (step['loss'][1] for step in result['losses'])
    assert abs(first - last) > .01


def test_differences_are_found(tmp_path):
    """Hand-made runs: a loss, a picture and a weight that are others."""
    compare = import_from('benchmarks', '_step_records').compare

    def write(name, ranks, weight):
        folder = tmp_path / name
        folder.mkdir()
        for rank, steps in enumerate(ranks):
            (folder / f'steps.{rank}.json').write_text(
                json.dumps([
                    dict(losses=losses, grad_norm=norm, pictures=pictures)
                    for losses, norm, pictures in steps
                ]))
        torch.save(
            dict(state_dict=dict(w=torch.tensor([weight]))),
            folder / 'end.pth')
        (folder / 'last_checkpoint').write_text(str(folder / 'end.pth'))
        return folder

    one = write('one', [[(dict(loss=3.), 2., 'abcd')]], 1.)
    # A loss that a rank does not have is 0 there.
    two = write('two', [[(dict(loss=2., loss_fsm=.5), 2., 'ca')],
                        [(dict(loss=4.), 2.5, 'bd')]], 1.5)
    assert compare(two, one) == dict(
        worst=(.25, 1, 'loss_fsm'),
        grad_norm=.125,
        weights=.5,
        losses=[dict(loss=[3., 3.], loss_fsm=[.25, 0.])])
    # Two batches of a step, whose gradients are accumulated.
    two = write('accumulated', [[(dict(loss=2.), None, 'ca'),
                                 (dict(loss=4.2), 2., 'bd')]], 1.)
    found = compare(two, one)
    assert found['worst'] == (pytest.approx(.1 / 4), 1, 'loss')
    assert (found['grad_norm'], found['weights']) == (0, 0)
    other = write('other',
                  [[(dict(loss=2.), 2., 'ca')], [(dict(loss=4.), 2., 'bb')]],
                  1.)
    with pytest.raises(ValueError, match='step 1 has the pictures'):
        compare(other, one)
    nan = write('nan', [[(dict(loss=float('nan')), 2., 'abcd')]], 1.)
    assert compare(nan, one)['worst'][0] == float('inf')
