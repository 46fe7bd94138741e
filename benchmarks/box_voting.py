"""Time of box voting against a literal loop over clusters.

    python benchmarks/box_voting.py [--views 8] [--runs 3]

The detections are those of a made-up picture: each face is seen by most of
the views, a little differently, and each view adds boxes of its own. Both
programs get the same boxes and must give the same result. The loop is the
definition, vectorised only inside a cluster, as the public test programs of
S3FD and SRN have it: all boxes that are left are compared with the best one.
It has no way to stop at 750 boxes, which ours does.
"""
import argparse
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import Tensor

from tinyfaces.models.test_time import box_voting

# Side of the picture in pixels and the range of the faces' sides.
PICTURES = {
    'crowd': (1400, 8, 40),
    'mixed': (1400, 8, 400),
    'spread': (20000, 8, 400)
}


def detections(count: int, views: int, picture: tuple[int, int, int],
               seed: int) -> tuple[Tensor, Tensor]:
    """About ``count`` boxes (n, 4), three quarters of them shared by views.
    """
    rng = np.random.default_rng(seed)
    span, smallest, largest = picture

    def boxes(n: int) -> np.ndarray:
        side = np.exp(rng.uniform(np.log(smallest), np.log(largest), (n, 1)))
        corner = rng.uniform(0, span, (n, 2))
        return np.concatenate((corner, corner + side * [1, 1.25]), 1)

    faces = boxes(max(1, round(count * .75 / views)))
    seen = np.repeat(faces, views, axis=0)
    sides = seen[:, 2:3] - seen[:, :1]
    seen = seen + rng.normal(0, .04, seen.shape) * sides
    found = np.concatenate((seen, boxes(count - len(seen))))
    return (torch.from_numpy(found).float(),
            torch.from_numpy(rng.uniform(.05, 1, len(found))).float())


def literal_loop(boxes: Tensor,
                 scores: Tensor,
                 iou_threshold: float = .5) -> tuple[Tensor, Tensor]:
    """Box voting by its definition, keeping single detections; all boxes."""
    left = np.concatenate((boxes.numpy(), scores.numpy()[:, None]),
                          1).astype(np.float64)
    left = left[np.argsort(-left[:, 4], kind='stable')]
    voted = [np.zeros((0, 5))]
    while len(left):
        low = np.maximum(left[0, :2], left[:, :2])
        high = np.minimum(left[0, 2:4], left[:, 2:4])
        inter = np.maximum(high - low, 0).prod(axis=1)
        areas = (left[:, 2:4] - left[:, :2]).prod(axis=1)
        cluster = inter >= iou_threshold * (areas + areas[0] - inter)
        members, left = left[cluster], left[~cluster]
        corners = np.average(members[:, :4], axis=0, weights=members[:, 4])
        voted.append(np.append(corners, members[0, 4])[None])
    result = torch.from_numpy(np.concatenate(voted)).float()
    return result[:, :4], result[:, 4]


def best_time(run: Callable[[], object], runs: int) -> float:
    """Least seconds of several runs."""
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


def main() -> None:
    """Compare both programs and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--views', type=int, default=8)
    parser.add_argument('--runs', type=int, default=3)
    parser.add_argument('--seed', type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(1)
    print(f'{"boxes":>7} {"picture":8}{"kept":>6}{"clusters":>10}'
          f'{"loop ms":>10}{"ours ms":>10}{"speed-up":>10}')
    for count in (1000, 5000, 20000):
        for name, picture in PICTURES.items():
            boxes, scores = detections(count, args.views, picture, args.seed)
            wanted = literal_loop(boxes, scores)
            loop = best_time(partial(literal_loop, boxes, scores), args.runs)
            for limit in (750, None):
                vote = partial(box_voting, boxes, scores, max_num=limit)
                for ours, theirs in zip(vote(), wanted):
                    torch.testing.assert_close(ours, theirs[:limit])
                ours = best_time(vote, args.runs)
                print(
                    f'{len(boxes):7} {name:8}{limit or "all":>6}'
                    f'{len(wanted[0]):10}{loop * 1000:10.1f}'
                    f'{ours * 1000:10.1f}{loop / ours:10.1f}',
                    flush=True)


if __name__ == '__main__':
    main()
