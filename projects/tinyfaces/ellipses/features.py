"""What an ellipse regressor sees of a detection."""
import numpy as np

BOX_FEATURES = ('log_aspect', 'log_size')
"""Names of the columns of :func:`box_features`."""


def box_features(boxes: np.ndarray, size: tuple[float, float]) -> np.ndarray:
    """Describe boxes by their shape and their share of the picture.

    ``log_aspect`` is log(h / w); ``log_size`` is log(sqrt(w h / (W H))). Both
    stay the same when the picture is scaled or mirrored. Measured on FDDB
    with MTCNN's detections: position, score and distance to the border add
    less than .001 to the continuous score.

    Args:
        boxes: Shape (n, 4), xyxy in pixels.
        size: Width W and height H of the picture in pixels.

    Returns:
        np.ndarray: float64 of shape (n, 2).

    Raises:
        ValueError: A box or the picture has no width or height.
    """
    boxes = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
    sides = boxes[:, 2:] - boxes[:, :2]
    if not (sides > 0).all():
        row = int(np.flatnonzero(~(sides > 0).all(axis=1))[0])
        raise ValueError(
            f'box {row} is {boxes[row].tolist()} (x1, y1, x2, y2): its width '
            'and height must be above 0; leave it out')
    if min(size) <= 0:
        raise ValueError(f'the picture has {size[0]} x {size[1]} pixels')
    width, height = np.log(sides).T
    share = (width + height - np.log(float(size[0]) * float(size[1]))) / 2
    return np.column_stack((height - width, share))


def join_features(boxes: np.ndarray,
                  size: tuple[float, float],
                  detector_features: np.ndarray | None = None) -> np.ndarray:
    """Box features, behind the detector's own ones where there are any.

    Args:
        boxes: Shape (n, 4), xyxy in pixels.
        size: Width and height of the picture in pixels.
        detector_features: Shape (n, c). ``None`` for box features only.

    Returns:
        np.ndarray: float64 of shape (n, c + 2), or (n, 2).

    Raises:
        ValueError: A box or the picture has no width or height, or the
            numbers of boxes and features differ.
    """
    described = box_features(boxes, size)
    if detector_features is None:
        return described
    detector_features = np.asarray(detector_features, dtype=np.float64)
    if detector_features.ndim != 2 or \
            len(detector_features) != len(described):
        raise ValueError(f'{len(described)} boxes but detector features of '
                         f'shape {detector_features.shape}')
    return np.hstack((detector_features, described))
