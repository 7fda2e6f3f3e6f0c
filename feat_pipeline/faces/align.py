"""Boxes and landmarks to canonical face crops: the only geometry of the package.

Points are in px from the picture's left upper corner, so that the centre of the first pixel is (.5, .5).
A matrix is 2x3, float64, and maps picture points to crop points.
"""

from __future__ import annotations

import numpy as np

#: Left to right in the picture: eye, eye, nose tip, mouth corner, mouth corner; in units of the crop's side.
#: Median positions over upright teacher landmarks (tools/label_faces.py), eyes .28 of the side apart.
TEMPLATE_5 = np.array([[0.36, 0.37], [0.64, 0.37], [0.50, 0.52], [0.38, 0.675], [0.62, 0.675]])
#: A detector's box is as wide as the cheeks; the crop shows chin and forehead too.
BOX_SCALE, BOX_SHIFT_DOWN = 1.29, 0.067
#: dlib's 68 points, mirrored.
MIRROR_68 = np.array(
    [*range(16, -1, -1), *range(26, 16, -1), *range(27, 31), *range(35, 30, -1), 45, 44, 43, 42, 47, 46,
     39, 38, 37, 36, 41, 40, *range(54, 47, -1), *range(59, 54, -1), *range(64, 59, -1), 67, 66, 65]
)  # fmt: skip
#: Vertex of MediaPipe's mesh of 478 for each of dlib's 68 points: the vertex (pair) nearest to dlib's own
#: annotations of 43 faces, left and right kept symmetric.
MESH_68 = [
    127, 137, 177, 215, 172, 136, 149, 148, 152, 377, 378, 365, 397, 435, 401, 366, 356, 46, 63, 105, 66,
    107, 336, 296, 334, 293, 276, 168, 197, 5, 4, 240, 97, 164, 326, 460, 7, 160, 158, 155, 153, 144, 382,
    385, 387, 249, 373, 380, 61, 74, 72, 11, 302, 304, 291, 405, 314, 17, 84, 181, 78, 82, 13, 312, 308,
    317, 14, 87,
]  # fmt: skip


def similarity(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Least-squares rotation, uniform scale and shift that takes ``source`` to ``target``.

    Parameters
    ----------
    source, target : ndarray of float, shape (n, 2), n >= 2

    Returns
    -------
    ndarray of float64, shape (2, 3)
        The matrix; not finite where the source points coincide.

    Notes
    -----
    The two-dimensional closed form of Umeyama (1991), without reflection.
    """
    source, target = np.asarray(source, np.float64), np.asarray(target, np.float64)
    source_mean, target_mean = source.mean(0), target.mean(0)
    a, b = source - source_mean, target - target_mean
    spread = (a**2).sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        cosine = (a * b).sum() / spread
        sine = (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum() / spread
    linear = np.array([[cosine, -sine], [sine, cosine]])
    return np.column_stack([linear, target_mean - linear @ source_mean])


def five_points(landmarks: np.ndarray) -> np.ndarray:
    """Eye centres, nose tip and mouth corners of 68 landmarks, shape (..., 68, 2) -> (..., 5, 2)."""
    eyes = [landmarks[..., start : start + 6, :].mean(-2) for start in (36, 42)]
    return np.stack([*eyes, *(landmarks[..., i, :] for i in (30, 48, 54))], axis=-2)


def landmark_matrix(points: np.ndarray, size: int) -> np.ndarray:
    """Matrix of the upright crop of ``size`` px for 68 landmarks or five points (see `TEMPLATE_5`).

    Parameters
    ----------
    points : ndarray of float, shape (68, 2) or (5, 2), px
    size : int, side of the crop, px

    Returns
    -------
    ndarray of float64, shape (2, 3)
    """
    five = five_points(points) if len(points) == 68 else points
    return similarity(five, TEMPLATE_5 * size)


def box_matrix(box_xyxy: np.ndarray, size: int) -> np.ndarray:
    """Matrix of the crop of ``size`` px around a detector's box, shape (4,), px, not rotated.

    Returns
    -------
    ndarray of float64, shape (2, 3)
    """
    return _square_matrix(box_xyxy, size, BOX_SCALE, BOX_SHIFT_DOWN)


def inside_matrix(box_xyxy: np.ndarray, size: int) -> np.ndarray:
    """As `box_matrix`, for the square over the box without a margin."""
    return _square_matrix(box_xyxy, size, 1.0, 0.0)


def _square_matrix(box_xyxy: np.ndarray, size: int, margin: float, down: float) -> np.ndarray:
    x0, y0, x1, y1 = (float(v) for v in box_xyxy)
    side = max(x1 - x0, y1 - y0, 1e-6)  # an empty box gives a crop that nothing can be seen in
    scale = size / (margin * side)
    centre_x, centre_y = (x0 + x1) / 2, (y0 + y1) / 2 + down * side
    return np.array([[scale, 0, size / 2 - scale * centre_x], [0, scale, size / 2 - scale * centre_y]])


def transform_points(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Map points, shape (..., 2), by a 2x3 matrix."""
    return points @ matrix[:, :2].T + matrix[:, 2]


def invert(matrix: np.ndarray) -> np.ndarray:
    """Return the 2x3 matrix that undoes ``matrix``."""
    linear = np.linalg.inv(matrix[:, :2])
    return np.column_stack([linear, -linear @ matrix[:, 2]])


def rotation_rad(matrix: np.ndarray) -> float:
    """Angle by which a matrix turns the picture, radians, from the x axis towards the y axis."""
    return float(np.arctan2(matrix[1, 0], matrix[0, 0]))


def euler_rad(rotations: np.ndarray) -> np.ndarray:
    """Return OpenFace's angles of rotations, R = Rx Ry Rz.

    Parameters
    ----------
    rotations : ndarray of float, shape (n, 3, 3)
        Of the head in the camera's axes: x to the right, y down, z away from the camera.

    Returns
    -------
    ndarray of float64, shape (n, 3)
        Radians: down, to the person's right, tilted to the person's left.
    """
    r = np.asarray(rotations, np.float64)
    return np.stack(
        [
            np.arctan2(-r[:, 1, 2], r[:, 2, 2]),
            np.arcsin(np.clip(r[:, 0, 2], -1, 1)),
            np.arctan2(-r[:, 0, 1], r[:, 0, 0]),
        ],
        axis=-1,
    )


def warp(image: np.ndarray, matrix: np.ndarray, size: int) -> np.ndarray:
    """Cut the crop out of a picture; outside the picture its edge is repeated.

    Parameters
    ----------
    image : ndarray of uint8, shape (height, width) or (height, width, 3)
    matrix : ndarray of float, shape (2, 3)
    size : int, side of the crop, px

    Returns
    -------
    ndarray of uint8, shape (size, size) or (size, size, 3)
    """
    import cv2

    matrix = np.asarray(matrix, np.float64)
    image, matrix = _shrink_first(image, matrix, size)
    # OpenCV counts from the centre of the first pixel.
    centred = matrix.copy()
    centred[:, 2] += matrix[:, :2] @ (0.5, 0.5) - 0.5
    return cv2.warpAffine(
        image, centred, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )


def _shrink_first(image: np.ndarray, matrix: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Average over pixels that a bilinear warp would jump over when a large face becomes a small crop."""
    import cv2

    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    factor = int(1 / scale) if scale > 0 else 1
    if factor < 2:
        return image, matrix
    corners = transform_points(invert(matrix), np.array([[0, 0], [size, 0], [0, size], [size, size]], float))
    height, width = image.shape[:2]
    left, top = np.clip(np.floor(corners.min(0)) - factor, 0, (width - 1, height - 1)).astype(int)
    right, bottom = np.clip(np.ceil(corners.max(0)) + factor, (left + 1, top + 1), (width, height)).astype(
        int
    )
    region = image[top:bottom, left:right]
    new_width, new_height = max(1, region.shape[1] // factor), max(1, region.shape[0] // factor)
    small = cv2.resize(region, (new_width, new_height), interpolation=cv2.INTER_AREA)
    to_region = np.array([region.shape[1] / new_width, region.shape[0] / new_height])
    shrunk = matrix.copy()
    shrunk[:, 2] = matrix[:, :2] @ (left, top) + matrix[:, 2]
    shrunk[:, :2] = matrix[:, :2] * to_region
    return small, shrunk
