"""Small heads, maps, proposals and pictures for feature supervision."""
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData

SCALES, RATIO, STRIDES, SIDE = [2., 2. * 2**.5], 1.25, [4, 8, 16], 64


def make_head(channels=6, seed=0, **options):
    """Three levels, few channels, initialised, in double precision."""
    torch.manual_seed(seed)
    head = MODELS.build(
        dict(
            dict(
                type='FeatureSupervisionHead',
                anchor_generator=dict(
                    type='AnchorGenerator',
                    scales=SCALES,
                    ratios=[RATIO],
                    strides=STRIDES,
                    center_offset=.5),
                in_channels=channels,
                feat_channels=(5, 4, 3)), **options))
    head.init_weights()
    return head.double()


def make_feats(pictures=1, channels=6, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return tuple(
        torch.randn(
            pictures,
            channels,
            SIDE // stride,
            SIDE // stride,
            generator=generator,
            dtype=torch.float64,
            requires_grad=True) for stride in STRIDES)


def as_boxes(boxes):
    return torch.as_tensor(boxes, dtype=torch.float64).reshape(-1, 4)


def make_proposals(rows):
    """From (score, box, level)."""
    return InstanceData(
        bboxes=as_boxes([box for _, box, _ in rows]),
        scores=torch.tensor([score for score, _, _ in rows]).double(),
        levels=torch.tensor([level for _, _, level in rows]).long())


def make_picture(faces=(), ignored=None):
    picture = DetDataSample()
    picture.gt_instances = InstanceData(
        bboxes=as_boxes(faces), labels=torch.zeros(len(faces)).long())
    if ignored is not None:
        picture.ignored_instances = InstanceData(bboxes=as_boxes(ignored))
    return picture


def random_case(seed):
    """Faces, jittered copies of them and other boxes, as plain lists."""
    generator = torch.Generator().manual_seed(seed)

    def boxes(count, largest):
        corner = 40 * torch.rand(count, 2, generator=generator).double()
        size = 4 + largest * torch.rand(count, 2, generator=generator)
        return torch.cat([corner, corner + size], dim=1)

    faces = boxes(3, 20)
    jitter = torch.randn(12, 4, generator=generator)
    candidates = torch.cat([faces.repeat(4, 1) + jitter, boxes(15, 20)])
    scores = torch.rand(len(candidates), generator=generator).tolist()
    levels = torch.randint(0, 3, (len(candidates), ), generator=generator)
    proposals = list(zip(scores, candidates.tolist(), levels.tolist()))
    return proposals, faces.tolist(), boxes(1, 30).tolist()
