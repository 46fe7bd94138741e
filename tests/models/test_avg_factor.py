"""What losses are divided by: the rule, and MMDetection's heads with it."""
import pytest
import torch
from group_sampling_models import (bbox_head_config, group_head, noisy_outputs,
                                   random_sampler)
from hypothesis import given, settings
from hypothesis import strategies as st
from mmdet.registry import MODELS
from mmengine.structures import InstanceData

from tinyfaces.models import avg_factor
from tinyfaces.models.avg_factor import StepCounts, mean_avg_factor

FACES = torch.tensor([[9., 7, 26, 22], [11, 21, 43, 52]])
STOCK = ('RPNHead', 'RetinaHead')


@pytest.fixture
def ranks(monkeypatch):
    """Pretend that there are several, with a mean of their numbers."""

    def pretend(world, reduce_mean):
        monkeypatch.setattr(avg_factor, 'get_world_size', lambda: world)
        monkeypatch.setattr(avg_factor, 'reduce_mean', reduce_mean)

    return pretend


@pytest.mark.parametrize('sync', [True, False])
def test_one_process_has_its_own_numbers(sync):
    for dtype in (torch.int64, torch.float16, torch.float32):
        found = mean_avg_factor(torch.tensor([0, 1, 7]).to(dtype), sync)
        assert found.dtype == torch.float32
        assert found.tolist() == [1, 1, 7]
    assert mean_avg_factor(torch.tensor(.5).double()).dtype == torch.float64


def test_many_samples_are_counted_exactly():
    """Half precision ends at 65,504."""
    count = torch.full((), 1_398_101)
    assert mean_avg_factor(count).item() == 1_398_101


@given(st.integers(1, 3), st.integers(1, 4), st.data())
@settings(max_examples=40, deadline=None)
def test_the_parts_add_up_to_the_whole(world, batches, data):
    """Of all ranks and micro-batches, the mean of what each divides is the
    sum over everything divided by the number of everything."""
    number = st.integers(0, 3)
    counts = torch.tensor([[[data.draw(number),
                             data.draw(number)] for _ in range(batches)]
                           for _ in range(world)])
    sums = 10. * counts + 1
    parts = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(avg_factor, 'get_world_size', lambda: world)
        for own, values in zip(counts, sums):
            own_means = own.float().mean(0)

            def reduce_mean(mean):
                assert torch.equal(mean, own_means)
                return counts.float().mean((0, 1))

            patch.setattr(avg_factor, 'reduce_mean', reduce_mean)
            step = StepCounts()
            for count in own:
                with step.recorded():
                    mean_avg_factor(count)
            for at, (count, value) in enumerate(zip(own, values)):
                with step.replayed(at):
                    parts.append(value / mean_avg_factor(count))
            assert not step.differ()
    whole = sums.sum((0, 1)) / counts.sum((0, 1)).clamp(min=1)
    torch.testing.assert_close(torch.stack(parts).mean(0), whole)


def test_one_reduction_for_all_numbers_of_a_step(monkeypatch):
    """Which are given back one by one, in their shapes."""
    asked = []
    monkeypatch.setattr(avg_factor, 'reduce_mean',
                        lambda mean: asked.append(mean.tolist()) or mean)
    ones = torch.tensor(3), torch.tensor([1, 5]), torch.tensor([[2.]]).double()
    twos = torch.tensor(6), torch.tensor([3, 5]), torch.tensor([[9.]]).double()
    step = StepCounts()
    for counts in (ones, twos):
        with step.recorded():
            for count in counts:
                mean_avg_factor(count)
                assert mean_avg_factor(count, sync=False).shape == count.shape
    assert asked == []
    for number, counts in enumerate((ones, twos)):
        with step.replayed(number):
            means = [mean_avg_factor(count) for count in counts]
            assert mean_avg_factor(torch.tensor(4), sync=False) == 4
        assert [mean.tolist() for mean in means] == [4.5, [2, 5], [[5.5]]]
        assert means[2].dtype == torch.float64
    assert asked == [[4.5, 2, 5, 5.5]]
    assert mean_avg_factor(torch.tensor(7)) == 7  # and then as before


def test_heads_that_ask_for_nothing():
    step = StepCounts()
    for _ in range(2):
        with step.recorded():
            mean_avg_factor(torch.tensor(3), sync=False)
    with step.replayed(0):
        pass
    assert not step.differ()


def record(*counts):
    step = StepCounts()
    for count in counts:
        with step.recorded():
            for each in count:
                mean_avg_factor(torch.tensor(each))
    return step


@pytest.mark.parametrize('later', [[], [1, 2, 3], [[1, 2], 3]])
def test_numbers_that_were_not_recorded(later):
    step = record([1, 2], [3, 4])
    with pytest.raises(RuntimeError, match='must call mean_avg_factor alike'):
        with step.replayed(0):
            for each in later:
                mean_avg_factor(torch.tensor(each))


def test_micro_batches_must_ask_alike():
    step = record([1], [1, 2])
    with pytest.raises(RuntimeError, match='also for one without faces'):
        with step.replayed(0):
            mean_avg_factor(torch.tensor(1))


def test_an_error_of_the_model_is_not_hidden():
    step = record([1], [2])
    with pytest.raises(ZeroDivisionError):
        with step.replayed(0):
            raise ZeroDivisionError
    assert mean_avg_factor(torch.tensor(9)) == 9
    with pytest.raises(RuntimeError, match='nested'):
        with step.recorded(), step.recorded():
            raise AssertionError('should not come here')


def test_numbers_that_differ():
    step = record([1], [3])
    with step.replayed(0):
        assert mean_avg_factor(torch.tensor(1)) == 2
    assert not step.differ()
    with step.replayed(1):
        assert mean_avg_factor(torch.tensor(5)) == 2
    assert step.differ()


def anchor_losses(kind, faces=FACES, num=10**6, **options):
    """Of a head of anchors on noisy maps of one picture."""
    torch.manual_seed(0)
    if kind.endswith('RetinaHead'):
        options.update(num_classes=1, stacked_convs=1)
    head = group_head(
        kind=kind,
        sampler=random_sampler(num),
        loss_cls=dict(type='CrossEntropyLoss', use_sigmoid=True),
        **options)
    meta = dict(img_shape=(64, 64), pad_shape=(64, 64))
    gt = InstanceData(
        bboxes=faces, labels=torch.zeros(len(faces), dtype=torch.long))
    return head.loss_by_feat(*noisy_outputs(head, pictures=1), [gt], [meta])


def total(losses):
    return {key: sum(value).item() for key, value in losses.items()}


@pytest.mark.parametrize('kind', STOCK)
@pytest.mark.parametrize('faces', [FACES, FACES[:0]])
def test_anchor_heads(kind, faces, ranks):
    """MMDetection's losses alone, and with other ranks' numbers not."""
    stock = total(anchor_losses(kind, faces))
    assert total(anchor_losses(f'Synced{kind}', faces)) == pytest.approx(stock)
    asked = []
    ranks(4, lambda number: asked.append(number) or number / 2)
    own = anchor_losses(f'Synced{kind}', faces, sync_avg_factor=False)
    assert total(own) == stock and asked == []
    mean = total(anchor_losses(f'Synced{kind}', faces))
    assert mean == pytest.approx({key: 2 * v for key, v in stock.items()})
    assert len(asked) == 1 and asked[0] > 100


def regions(positives, negatives, unused=0):
    """Arguments of a box head's ``loss``."""
    generator = torch.Generator().manual_seed(0)
    number = positives + negatives + unused
    labels = torch.ones(number, dtype=torch.long)
    labels[:positives] = 0
    weights = torch.ones(number)
    weights[positives + negatives:] = 0
    scores = torch.randn(number, 2, generator=generator, requires_grad=True)
    deltas = torch.randn(number, 4, generator=generator, requires_grad=True)
    return dict(
        cls_score=scores,
        bbox_pred=deltas,
        rois=torch.zeros(number, 5),
        labels=labels,
        label_weights=weights,
        bbox_targets=torch.zeros(number, 4),
        bbox_weights=(labels == 0).float()[:, None].expand(-1, 4))


def box_head(kind, **options):
    options = bbox_head_config(type=kind, **options)
    if kind.endswith('BBoxHead') and '2FC' not in kind:
        del options['fc_out_channels']
    return MODELS.build(options)


@pytest.mark.parametrize('kind', ['BBoxHead', 'Shared2FCBBoxHead'])
@pytest.mark.parametrize('numbers', [(3, 7, 2), (0, 5, 0), (0, 0, 4)])
def test_box_heads(kind, numbers, ranks):
    """MMDetection's losses alone; with other ranks, the classification is of
    the regions that count, and the boxes of all."""
    batch = regions(*numbers)
    stock = box_head(kind).loss(**batch)
    alone = box_head(f'Synced{kind}').loss(**batch)
    assert alone.keys() == stock.keys()
    for key, value in stock.items():
        torch.testing.assert_close(alone[key], value)
    ranks(2, lambda number: number + 8)
    own = box_head(f'Synced{kind}', sync_avg_factor=False).loss(**batch)
    mean = box_head(f'Synced{kind}').loss(**batch)
    counted, boxes = sum(numbers[:2]), sum(numbers)
    for key, factor in (('loss_cls', max(counted, 1) / (counted + 8)),
                        ('loss_bbox', boxes / (boxes + 8)), ('acc', 1)):
        torch.testing.assert_close(own[key], stock[key])
        torch.testing.assert_close(mean[key], stock[key] * factor)


def test_box_head_without_regions(ranks):
    """Takes part, and gives every output a gradient of 0."""
    asked = []
    ranks(2, lambda number: asked.append(number.tolist()) or number / 2)
    batch = regions(0, 0)
    losses = box_head('SyncedBBoxHead').loss(**batch)
    assert asked == [[0, 0]]
    assert losses['loss_cls'] == losses['loss_bbox'] == 0
    (losses['loss_cls'] + losses['loss_bbox']).backward()
    assert batch['cls_score'].grad is not None
    assert batch['bbox_pred'].grad is not None
    stock = box_head('SyncedBBoxHead', sync_avg_factor=False).loss(**batch)
    assert 'loss_cls' not in stock


def test_without_reduction_nothing_is_divided(ranks):
    """As OHEM of MMDetection asks for it."""
    ranks(2, lambda number: pytest.fail('asked for a mean'))
    call = dict(regions(3, 7), reduction_override='none')
    stock = box_head('BBoxHead').loss(**call)
    ours = box_head('SyncedBBoxHead').loss(**call)
    assert len(ours['loss_cls']) == 10
    for key, value in stock.items():
        torch.testing.assert_close(ours[key], value)


def test_only_one_of_two_outputs():
    """A head that classifies, or finds boxes, alone."""
    batch = regions(3, 7)
    for missing, key in (('cls_score', 'loss_bbox'), ('bbox_pred',
                                                      'loss_cls')):
        call = dict(batch, **{missing: None})
        losses = box_head('SyncedBBoxHead').loss(**call)
        stock = box_head('BBoxHead').loss(**call)
        assert losses.keys() == stock.keys() and key in losses
        torch.testing.assert_close(losses[key], stock[key])
