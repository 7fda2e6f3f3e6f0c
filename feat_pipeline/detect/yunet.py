"""YuNet, OpenCV's small face network, from an ONNX file that the user points to.

Wu et al. 2023, 'YuNet: a tiny millisecond-level face detector', doi:10.1007/s11633-023-1423-y. The file is in
OpenCV's model zoo; this project neither ships nor downloads it.
"""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np

from feat_pipeline.detect import Detection, check_frame, check_range, shrink, to_detections
from feat_pipeline.errors import UnavailableError

VARIABLE = "FEAT_YUNET"
# OpenCV 4.14 answers with stale memory on smaller pictures.
_LEAST_SIDE_PX = 64


class YunetDetector:
    """OpenCV's `FaceDetectorYN`. One object serves one thread.

    Parameters
    ----------
    model : str or path-like, optional
        The ONNX file; without it, the environment variable FEAT_YUNET names it.
    min_confidence : float
        Least score of a face.
    max_side_px : int
        A picture with a longer side is searched on a copy shrunk to this.

    Raises
    ------
    UsageError
        An option lies outside of its range.
    UnavailableError
        No file is named, or OpenCV cannot load it.
    """

    name = "yunet"

    def __init__(
        self,
        *,
        model: str | os.PathLike[str] | None = None,
        min_confidence: float = 0.8,
        max_side_px: int = 1300,
    ) -> None:
        check_range(self.name, "min_confidence", min_confidence, 0, 1)
        check_range(self.name, "max_side_px", max_side_px, 32, 100_000)
        self.model = model
        self.min_confidence = min_confidence
        self.max_side_px = max_side_px
        self._net = _load(model or os.environ.get(VARIABLE), min_confidence)

    def detect(self, frame_rgb: np.ndarray) -> list[Detection]:
        """Find faces.

        Parameters
        ----------
        frame_rgb : ndarray of uint8, shape (height, width, 3)
            RGB picture.

        Returns
        -------
        list of Detection
            Sorted left to right, with points.

        Raises
        ------
        InputError
            The picture has another type or shape.
        """
        check_frame(frame_rgb)
        small, scale = shrink(frame_rgb, self.max_side_px)
        bottom, right = (max(0, _LEAST_SIDE_PX - side) for side in small.shape[:2])
        padded = cv2.copyMakeBorder(small, 0, bottom, 0, right, cv2.BORDER_CONSTANT)
        self._net.setInputSize((padded.shape[1], padded.shape[0]))
        _, found = self._net.detect(cv2.cvtColor(padded, cv2.COLOR_RGB2BGR))
        if found is None:
            return []
        boxes = np.concatenate([found[:, :2], found[:, :2] + found[:, 2:4]], axis=1) / np.tile(scale, 2)
        points = found[:, 4:14].reshape(-1, 5, 2) / scale
        return to_detections(boxes, found[:, 14].clip(0, 1), points, frame_rgb.shape)


def _load(model: str | os.PathLike[str] | None, min_confidence: float) -> cv2.FaceDetectorYN:
    mend = f"get face_detection_yunet_*.onnx from OpenCV's model zoo and run: export {VARIABLE}=FILE"
    if not model:
        raise UnavailableError(f"detector yunet: no ONNX file is named; {mend}")
    if not Path(model).is_file():
        raise UnavailableError(f"detector yunet: {os.fspath(model)} is no file; {mend}")
    try:
        return cv2.FaceDetectorYN.create(os.fspath(model), "", (320, 320), min_confidence, 0.3, 5000)
    except cv2.error:
        raise UnavailableError(f"detector yunet: OpenCV cannot load {os.fspath(model)}; {mend}") from None
