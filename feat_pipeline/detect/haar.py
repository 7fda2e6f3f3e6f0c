"""Haar cascade: OpenCV's own boosted detector for frontal faces, shipped inside OpenCV.

Viola and Jones 2001, 'Rapid object detection using a boosted cascade of simple features',
doi:10.1109/CVPR.2001.990517. Of OpenCV's four frontal cascades, `alt2` is the fastest and finds the most
faces for its false ones on dlib's sample photos (`benchmarks/detection.py`).
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from feat_pipeline.detect import Detection, check_frame, check_range, shrink, to_detections
from feat_pipeline.errors import UnavailableError

CASCADE = "haarcascade_frontalface_alt2.xml"
# The last stage's sum lies near 54.4 on false boxes and 56.4 on faces.
_EVEN_SUM, _SUM_UNIT = 54.8, 0.6


class HaarDetector:
    """OpenCV's cascade `haarcascade_frontalface_alt2`. One object serves one thread.

    Parameters
    ----------
    min_face_px : int
        Smallest face looked for, at least 20; larger is faster.
    max_side_px : int
        A picture with a longer side is searched on a copy shrunk to this.
    scale_factor : float
        Ratio of the sizes searched one after another.
    min_neighbors : int
        Least number of overlapping hits that make a face; more gives fewer faces and fewer false ones.

    Raises
    ------
    UsageError
        An option lies outside of its range.
    UnavailableError
        The installed OpenCV has no cascades.
    """

    name = "haar"

    def __init__(
        self,
        *,
        min_face_px: int = 30,
        max_side_px: int = 1300,
        scale_factor: float = 1.1,
        min_neighbors: int = 3,
    ) -> None:
        check_range(self.name, "min_face_px", min_face_px, 20, 10_000)
        check_range(self.name, "max_side_px", max_side_px, 20, 100_000)
        check_range(self.name, "scale_factor", scale_factor, 1.01, 2)
        check_range(self.name, "min_neighbors", min_neighbors, 1, 100)
        self.min_face_px = min_face_px
        self.max_side_px = max_side_px
        self.scale_factor = scale_factor
        self.min_neighbors = min_neighbors
        self._cascade = _load()

    def detect(self, frame_rgb: np.ndarray) -> list[Detection]:
        """Find frontal, upright faces.

        Parameters
        ----------
        frame_rgb : ndarray of uint8, shape (height, width, 3)
            RGB picture.

        Returns
        -------
        list of Detection
            Sorted left to right, without points. The confidence is the logistic function of the last stage's
            sum, scaled so that .5 lies between false boxes and faces.

        Raises
        ------
        InputError
            The picture has another type or shape.
        """
        check_frame(frame_rgb)
        small, scale = shrink(frame_rgb, self.max_side_px)
        corners_sizes, _, sums = self._cascade.detectMultiScale3(
            cv2.cvtColor(small, cv2.COLOR_RGB2GRAY),
            scaleFactor=self.scale_factor,
            minNeighbors=self.min_neighbors,
            minSize=(self.min_face_px, self.min_face_px),
            outputRejectLevels=True,
        )
        found = np.asarray(corners_sizes, np.float64).reshape(-1, 4)
        boxes = np.concatenate([found[:, :2], found[:, :2] + found[:, 2:]], axis=1) / np.tile(scale, 2)
        confidences = 1 / (1 + np.exp((_EVEN_SUM - np.ravel(sums)) / _SUM_UNIT))
        return to_detections(boxes, confidences, None, frame_rgb.shape)


def _load() -> cv2.CascadeClassifier:
    path = Path(cv2.__file__).parent / "data" / CASCADE
    cascade = cv2.CascadeClassifier(str(path)) if path.is_file() else cv2.CascadeClassifier()
    if cascade.empty():
        mend = "python -m pip install --force-reinstall opencv-python"
        raise UnavailableError(f"detector haar: {path} is missing; run: {mend}")
    return cascade
