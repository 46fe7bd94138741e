"""Training steps of the configs of RefineFace, and what they need."""
from typing import NamedTuple

import torch
from face_samples import sample
from mmdet.registry import MODELS

BOX_LOSSES = {'loss_bbox', 'loss_bbox_first'}


def face(stride, x, y):
    """A tenth larger than the smaller anchor of a level, at a cell."""
    width, height = 2.2 * stride / 1.25**.5, 2.2 * stride * 1.25**.5
    return [x - width / 2, y - height / 2, x + width / 2, y + height / 2]


# One for each level of a picture of 64 pixels. Those of P5 to P7 reach out of
# it, as the boxes of training data do not; a picture of 362 pixels takes long.
FACES = [
    face(4, 10, 10),
    face(8, 28, 12),
    face(16, 24, 40),
    face(32, 48, 16),
    face(64, 32, 32),
    face(128, 64, 64)
]


def build(cfg):
    """The model of a config, with random weights."""
    cfg.model.backbone.init_cfg = None
    model = MODELS.build(cfg.model)
    model.init_weights()
    return model


def shallow(cfg):
    """The same with ResNet-18 in place of any ResNet."""
    if cfg.model.backbone.type == 'ResNet':
        cfg.model.backbone.depth = 18
        cfg.model.neck.in_channels = [64, 128, 256, 512]
    cfg.model.backbone.init_cfg = None
    return cfg


class Step(NamedTuple):
    """One training step.

    Attributes:
        losses: By name.
        bad: Parameters without a finite gradient.
        dead: Convolutions and linear layers outside of the backbone whose
            gradient is 0. (Residual branches have none at first.)
        reached: Indices of the neck's maps in which a loss of boxes has a
            gradient, by its name.
    """
    losses: dict[str, float]
    bad: set[str]
    dead: set[str]
    reached: dict[str, set[int]]


def steps(cfg):
    """Training steps, and detections after the last."""
    torch.manual_seed(0)
    model = build(cfg)
    images = torch.rand(1, 3, 64, 64)
    found = dict(start=train(model, images, FACES))
    # At the prior of .01 STC and the score threshold leave next to nothing.
    torch.nn.init.zeros_(model.bbox_head.retina_cls.bias)
    # So that STR refines anchors, but moves them to no other face.
    model.bbox_head.retina_reg.weight.data *= .1
    found.update(
        faces=train(model, images, FACES), empty=train(model, images, []))
    with torch.no_grad():
        result, = model.eval().predict(images, [sample()])
    return found, result.pred_instances


def train(model, images, faces):
    """Losses and gradients of one picture."""
    maps = []

    def separate(module, inputs, outputs):
        """P7 is made of P6: for the head alone they are apart."""
        maps.extend(m if m is None else m.clone() for m in outputs)
        return tuple(maps)

    model.train().zero_grad(set_to_none=True)
    with model.neck.register_forward_hook(separate):
        losses = model.loss(images, [sample(faces)])
    made = {i: m for i, m in enumerate(maps) if m is not None}
    reached = {}
    for name in BOX_LOSSES & losses.keys():
        loss = losses[name]
        gradients = torch.autograd.grad(
            sum(loss) if isinstance(loss, list) else loss, [*made.values()],
            retain_graph=True,
            allow_unused=True)
        reached[name] = {
            i
            for i, grad in zip(made, gradients)
            if grad is not None and grad.any()
        }
    total, logged = model.parse_losses(losses)
    total.backward()
    trained = {n: p for n, p in model.named_parameters() if p.requires_grad}
    bad = {
        n
        for n, p in trained.items()
        if p.grad is None or not p.grad.isfinite().all()
    }
    dead = {
        n
        for n, p in trained.items() if n not in bad
        and not n.startswith('backbone.') and p.ndim > 1 and not p.grad.any()
    }
    return Step({k: v.item() for k, v in logged.items()}, bad, dead, reached)
