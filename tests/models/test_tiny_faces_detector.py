"""TinyFaces: training, prediction, and the tools around a detector."""
import pytest
import torch
from face_samples import sample
from mmdet.models.detectors import SingleStageDetector
from mmengine.optim import build_optim_wrapper
from refine_models import build, total, without_gradient
from tiny_faces_models import detector_config, lively

FACES = [[9, 7, 26, 30], [40, 30, 60, 56]]


def batch(faces=FACES, size=96, number=2, **meta):
    generator = torch.Generator().manual_seed(5)
    image = torch.randint(
        256, (3, size, size), generator=generator, dtype=torch.uint8)
    samples = [sample(faces, size=size) for _ in range(number)]
    for one in samples:
        one.set_metainfo(meta)
    return dict(inputs=[image] * number, data_samples=samples)


def with_maps(*stages):
    """The config, with these stages of the backbone (1 is res2)."""
    channels = [8 * 2**(stage - 1) for stage in stages]
    config = detector_config(
        in_channels=channels, in_strides=[2**(stage + 1) for stage in stages])
    config.backbone.update(
        num_stages=max(stages),
        strides=(1, 2, 2, 2)[:max(stages)],
        dilations=(1, ) * max(stages),
        out_indices=[stage - 1 for stage in stages])
    return config


@pytest.mark.parametrize('stages', [(2, 3), (1, 2, 3), (3, ), (4, ), (1, ),
                                    (2, 3, 4)])
@pytest.mark.parametrize('faces', [FACES, []])
def test_trains(stages, faces):
    """On any maps of a backbone; every parameter gets a gradient, also
    without faces and from predictors that start at zero."""
    model = build(with_maps(*stages)).train()
    losses = model(
        **model.data_preprocessor(batch(faces, 90), True), mode='loss')
    assert losses.keys() == {'loss_cls', 'loss_bbox'}
    assert (losses['loss_bbox'] > 0) == bool(faces)
    total(losses).backward()
    assert not without_gradient(model)
    assert all(p.grad.isfinite().all() for p in model.parameters())


def test_learns():
    """A few steps lower the loss, and move the backbone too."""
    torch.manual_seed(0)
    model = build(
        detector_config(
            sampler=dict(type='BalancedHardSampler', balanced=False))).train()
    first = model.backbone.conv1.weight.clone()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4)
    data = model.data_preprocessor(batch(), True)
    history = []
    for _ in range(4):
        loss = total(model(**data, mode='loss'))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        history.append(loss.item())
    assert history == sorted(history, reverse=True)
    assert history[-1] < .95 * history[0]
    assert not torch.equal(model.backbone.conv1.weight, first)


@pytest.mark.parametrize('size', [96, 75])
@pytest.mark.parametrize('stages', [(2, 3), (4, ), (1, )])
def test_predicts(stages, size):
    """Odd sizes too. Cells are as many as strides fit in, rounded up."""
    model = lively(build(with_maps(*stages))).eval()
    found, = model.test_step(batch(size=size, number=1))
    instances = found.pred_instances
    assert set(instances.keys()) == {'bboxes', 'scores', 'labels', 'templates'}
    assert len(instances) > 3
    assert (instances.bboxes >= 0).all() and (instances.bboxes <= size).all()
    assert set(instances.templates.tolist()) <= {1, 2}
    data = model.data_preprocessor(batch(size=size, number=1), False)
    with torch.no_grad():
        logits, deltas = model(**data, mode='tensor')
    cells = (-(-size // 8), ) * 2
    assert logits.shape == (1, 4, *cells)
    assert deltas.shape == (1, 16, *cells)


def test_predictions_are_the_heads_own():
    """As of a stock single-stage detector with this head."""
    config = detector_config(test_cfg=dict(score_thr=.4))
    model = lively(build(config)).eval()
    data = batch(scale_factor=(2., 2.), number=2)
    found = model.test_step(data)
    config.type = 'SingleStageDetector'
    del config.tiling
    stock = lively(build(config)).eval()
    assert type(stock) is SingleStageDetector
    for one, other in zip(found, stock.test_step(data)):
        assert len(one.pred_instances) > 5
        assert (one.pred_instances.bboxes <= 48).all()
        for key in ('bboxes', 'scores', 'templates'):
            assert torch.equal(one.pred_instances[key],
                               other.pred_instances[key])


@pytest.mark.parametrize('scale', [1., 2.])
def test_groups(scale):
    """Joint detections do not depend on them; B looks above 1 alone."""
    data = batch(scale_factor=(scale, scale), number=1)
    plain, = lively(build(detector_config())).eval().test_step(data)
    assert 'group_pred_instances' not in plain
    config = detector_config(test_cfg=dict(group_outputs=True))
    found, = lively(build(config)).eval().test_step(data)
    for key in ('bboxes', 'scores', 'templates'):
        assert torch.equal(found.pred_instances[key],
                           plain.pred_instances[key])
    groups = found.group_pred_instances
    assert list(groups) == ['A', 'B']
    assert set(groups['A'].templates.tolist()) == {1, 2}
    assert set(groups['B'].templates.tolist()) == ({3} if scale > 1 else set())
    # Alone, each half of the rule gives the same.
    for role in ('A', 'B'):
        config = detector_config(test_cfg=dict(templates=role))
        alone, = lively(build(config)).eval().test_step(
            batch(scale_factor=(scale, scale), number=1))
        for key in ('bboxes', 'scores', 'templates'):
            torch.testing.assert_close(alone.pred_instances[key],
                                       groups[role][key])


def test_the_network_rests_where_no_template_looks():
    model = lively(build(detector_config(test_cfg=dict(templates='B')))).eval()
    runs = []
    model.backbone.register_forward_hook(lambda *_: runs.append(1))
    found, = model.test_step(batch(number=1))
    assert not len(found.pred_instances) and not runs
    model.test_step(batch(number=1, scale_factor=(2., 2.)))
    assert runs == [1]


def test_pyramid():
    """Views tell their scale: all templates of role B come from the
    enlarged one."""
    config = dict(
        type='MultiScaleTestModel',
        module=detector_config(test_cfg=dict(nms=None, score_type='logit')),
        tta_cfg=dict(nms=dict(type='nms', iou_threshold=.3), max_per_img=500),
        plan=dict(
            type='ScalePlan', scales=[dict(scale=s) for s in (.5, 1., 2.)]))
    model = lively(build(config)).eval()
    seen = []
    choose = model.module.bbox_head.needed_templates

    def recorded(metas, *args):
        seen.append((metas[0]['scale_factor'][0], choose(metas,
                                                         *args).tolist()))
        return choose(metas, *args)

    model.module.bbox_head.needed_templates = recorded
    found, = model.test_step(batch(number=1))
    assert seen == [(2., [1, 2, 3]), (1., [1, 2]), (.5, [1, 2])]
    instances = found.pred_instances
    assert len(instances) > 10
    assert (instances.scores.diff() <= 0).all()
    assert instances.scores.min() < 0  # logits


def test_learning_rates_by_the_predictors_names():
    """Appendix B: 1 on res4, .1 on res3, .01 on res2."""
    model = build(with_maps(1, 2, 3))
    wrapper = build_optim_wrapper(
        model,
        dict(
            optimizer=dict(type='SGD', lr=1.),
            paramwise_cfg=dict(
                custom_keys={
                    'bbox_head.predictors.stride4': dict(lr_mult=.01),
                    'bbox_head.predictors.stride8': dict(lr_mult=.1)
                })))
    rates = {
        id(p): group['lr']
        for group in wrapper.param_groups
        for p in group['params']
    }
    for name, rate in (('stride4', .01), ('stride8', .1), ('stride16', 1.)):
        for parameter in model.bbox_head.predictors[name].parameters():
            assert rates[id(parameter)] == pytest.approx(rate)
