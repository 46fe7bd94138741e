"""Templates and faces for the tests of their assignment."""
import torch

from tinyfaces.models.task_modules import TemplatePriorGenerator


def generator_of(*sizes, stride=8, offset=.5):
    return TemplatePriorGenerator(
        [dict(width=width, height=height) for width, height in sizes],
        stride=stride,
        offset=offset)


def random_boxes(generator, count, span, low=5, high=25, part=4):
    """Boxes with corners at multiples of 1 / part, so that none of their
    overlaps suffers from rounding, and many are equal."""
    size = torch.randint(
        low * part, high * part, (count, 2), generator=generator)
    corner = torch.randint(-20, span * part, (count, 2), generator=generator)
    return torch.cat([corner, corner + size], dim=1) / part


def crowd(count, span=500, seed=0):
    """Faces of 8 to 160 pixels, most of them small."""
    generator = torch.Generator().manual_seed(seed)
    height = 8 * 20**(torch.rand(count, 1, generator=generator)**2)
    ratio = .6 + .4 * torch.rand(count, 1, generator=generator)
    corner = torch.rand(count, 2, generator=generator) * (span - 20)
    size = torch.cat([height * ratio, height], dim=1)
    return torch.cat([corner, (corner + size).clamp(max=span)], dim=1)
