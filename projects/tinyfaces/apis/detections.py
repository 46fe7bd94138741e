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
        ellipses: float32 of shape (n, 5) where the model gives ellipses too:
            major and minor half-axis, angle of the major axis in radians
            (from the x axis towards the y axis), centre x and y; in pixels
            of the upright picture. They may reach out of it. Those that are
            made of boxes do not depend on how the picture was cut into
            tiles; those that are made of a detector's own features do, as
            the features do. Otherwise None.
    """

    boxes: np.ndarray
    scores: np.ndarray
    width: int
    height: int
    ellipses: np.ndarray | None = None

    def __len__(self) -> int:
        """Number of faces."""
        return len(self.scores)

    def to_dict(self) -> dict:
        """Plain numbers, ready for JSON.

        Returns:
            dict: ``width``, ``height`` and ``faces``, a list of
            ``{'box': [x1, y1, x2, y2], 'score': s}``, with ``'ellipse': [ra,
            rb, theta, cx, cy]`` where there are ellipses; pixels are rounded
            to two decimals, scores and angles to six.
        """
        boxes = np.round(self.boxes.astype(np.float64), 2).tolist()
        scores = np.round(self.scores.astype(np.float64), 6).tolist()
        faces = [{
            'box': box,
            'score': score
        } for box, score in zip(boxes, scores)]
        if self.ellipses is not None:
            for face, ellipse in zip(faces, self.ellipses.tolist()):
                face['ellipse'] = [
                    round(value, 6 if column == 2 else 2)
                    for column, value in enumerate(ellipse)
                ]
        return {'width': self.width, 'height': self.height, 'faces': faces}
