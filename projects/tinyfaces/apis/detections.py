"""What a detector found in one picture."""
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Detections:
    """Faces of one picture, best first.

    Attributes:
        boxes: float32 of shape (n, 4), xyxy in pixels of the upright
            picture, within it.
        scores: float32 of shape (n,), descending.
        width: Width of the upright picture in pixels.
        height: Height of the upright picture in pixels.
    """

    boxes: np.ndarray
    scores: np.ndarray
    width: int
    height: int

    def __len__(self) -> int:
        """Number of faces."""
        return len(self.scores)

    def to_dict(self) -> dict:
        """Plain numbers, ready for JSON.

        Returns:
            dict: ``width``, ``height`` and ``faces``, a list of
            ``{'box': [x1, y1, x2, y2], 'score': s}``; pixels are rounded to
            two decimals, scores to six.
        """
        boxes = np.round(self.boxes.astype(np.float64), 2).tolist()
        scores = np.round(self.scores.astype(np.float64), 6).tolist()
        return {
            'width':
            self.width,
            'height':
            self.height,
            'faces': [{
                'box': box,
                'score': score
            } for box, score in zip(boxes, scores)],
        }
