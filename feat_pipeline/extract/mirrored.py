"""Faces measured twice, as they are and mirrored: the mean of both is less shaken by noise."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from analysis.facs import column, parse_column

if TYPE_CHECKING:
    from feat_pipeline.detect import Detection
    from feat_pipeline.extract import AUExtractor, FaceAUs

#: AUs that have a side: in the mirror, the one is the other.
_OTHER_SIDE = {51: 52, 52: 51, 55: 56, 56: 55, 61: 62, 62: 61}
#: The detector's five points, in the mirror.
_MIRROR_5 = [1, 0, 2, 4, 3]


class MirroredExtractor:
    """Measures every face and its mirror image by one backend, and gives the mean of the AUs.

    Box, landmarks, head pose and what else the backend gives are those of the face itself. A face of which
    one of the two cannot be measured has NaN, as none of its numbers would mean the same.

    Parameters
    ----------
    extractor : AUExtractor
        The backend; name, version, scale and columns are its own.
    """

    def __init__(self, extractor: AUExtractor) -> None:
        self.extractor = extractor
        self.name, self.version, self.scale = extractor.name, extractor.version, extractor.scale
        self.au_columns, self.extra_columns = extractor.au_columns, extractor.extra_columns

    def extract(self, frames: list[np.ndarray], detections: list[list[Detection]]) -> list[list[FaceAUs]]:
        """Measure every detected face of uint8 RGB pictures, in the order of the detections."""
        faces = self.extractor.extract(frames, detections)
        turned = self.extractor.extract(
            [np.ascontiguousarray(frame[:, ::-1]) for frame in frames],
            [
                [_mirrored(found, frame.shape[1]) for found in of_frame]
                for frame, of_frame in zip(frames, detections, strict=True)
            ],
        )
        return [
            [replace(face, aus=_mean(face.aus, other.aus)) for face, other in zip(here, there, strict=True)]
            for here, there in zip(faces, turned, strict=True)
        ]


def _mirrored(found: Detection, width: int) -> Detection:
    x0, y0, x1, y1 = found.box_xyxy
    points = found.points
    if points is not None:
        points = np.asarray(points)[_MIRROR_5] * (-1, 1) + (width, 0)
        points = points.astype(np.float32)
    return replace(found, box_xyxy=np.array([width - x1, y0, width - x0, y1], np.float32), points=points)


def _mean(aus: dict[str, float], in_mirror: dict[str, float]) -> dict[str, float]:
    return {name: (value + in_mirror[_other_side(name, in_mirror)]) / 2 for name, value in aus.items()}


def _other_side(name: str, columns: dict[str, float]) -> str:
    parsed = parse_column(name)
    if parsed is None or parsed[0] not in _OTHER_SIDE:
        return name
    other = column(_OTHER_SIDE[parsed[0]], parsed[1])
    return other if other in columns else name
