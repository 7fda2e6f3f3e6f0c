"""MTCNN: three small networks propose, refine and check faces, and find five points in each.

Zhang et al. 2016, doi:10.1109/LSP.2016.2603342. Answers equal those of the PyPI package `mtcnn`, whose
weights it reads, within rounding (`tools/golden_mtcnn.py`); the networks run on onnxruntime.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from feat_pipeline.detect import Detection, check_frame, check_range, shrink, to_detections
from feat_pipeline.detect.mtcnn_nets import PATCH_PX, build_onet, build_pnet, build_rnet
from feat_pipeline.weights.onnx_session import open_session

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

_CELL_PX, _STRIDE_PX = 12, 2
_PYRAMID_STEP = 0.709


class MtcnnDetector:
    """Multi-task cascaded convolutional networks.

    Parameters
    ----------
    min_face_px : int
        Smallest face looked for, at least 12; larger is faster.
    max_side_px : int
        A picture with a longer side is searched on a copy shrunk to this, so that the smallest face grows in
        proportion.
    thresholds : tuple of three floats
        Least score that a proposal, a refined box and a face must exceed.
    threads : int
        Threads of one detector; 0 takes one per core.

    Raises
    ------
    UsageError
        An option lies outside of its range.
    UnavailableError
        The package `mtcnn`, which holds the weights, is missing.
    """

    name = "mtcnn"

    def __init__(
        self,
        *,
        min_face_px: int = 20,
        max_side_px: int = 1300,
        thresholds: tuple[float, float, float] = (0.6, 0.7, 0.8),
        threads: int = 1,
    ) -> None:
        check_range(self.name, "min_face_px", min_face_px, 12, 10_000)
        check_range(self.name, "max_side_px", max_side_px, 48, 100_000)
        for threshold in thresholds:
            check_range(self.name, "thresholds", threshold, 0, 1)
        self.min_face_px = min_face_px
        self.max_side_px = max_side_px
        self.thresholds = thresholds
        self.threads = threads
        self._pnet, self._rnet, self._onet = (
            open_session(build().SerializeToString(), threads)
            for build in (build_pnet, build_rnet, build_onet)
        )

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
        rows, points = self.find(small)
        # The networks speak of pixels, first to last, by number; a pixel's middle lies half a px further on.
        boxes = rows[:, :4] + [0, 0, 1, 1]
        return to_detections(boxes / np.tile(scale, 2), rows[:, 4], (points + 0.5) / scale, frame_rgb.shape)

    def find(self, frame_rgb: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Run the cascade on a picture as large as it is.

        Parameters
        ----------
        frame_rgb : ndarray of uint8, shape (height, width, 3)
            RGB picture.

        Returns
        -------
        rows : ndarray of float64, shape (n, 5)
            Left, top, right, bottom as numbers of pixels, not clipped to the picture, and score; best first.
        points : ndarray of float64, shape (n, 5, 2)
            Eyes, nose tip and mouth corners in the same coordinates.
        """
        picture = (frame_rgb.astype(np.float32) - 127.5) / 128
        rows = self._propose(picture)
        planes = np.ascontiguousarray(picture.transpose(2, 0, 1))[None]
        if len(rows):
            rows = self._refine(planes, rows)
        if len(rows):
            return self._check(planes, rows)
        return np.zeros((0, 5)), np.zeros((0, 5, 2))

    def _propose(self, picture: np.ndarray) -> np.ndarray:
        height, width = picture.shape[:2]
        found = [np.zeros((0, 5))]
        scale = _CELL_PX / self.min_face_px
        while int(min(height, width) * scale) >= _CELL_PX:
            size = (int(width * scale), int(height * scale))
            smaller = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
            offsets, scores = self._pnet.run(None, {"picture": smaller[None]})
            rows = _proposals(offsets[0], scores[0, 1], self.thresholds[0])
            rows[:, :4] /= scale
            found.append(_suppress(rows, 0.5))
            scale *= _PYRAMID_STEP
        return _square(_suppress(np.concatenate(found), 0.7))

    def _refine(self, planes: np.ndarray, rows: np.ndarray) -> np.ndarray:
        offsets, scores = self._rnet.run(None, _patches(planes, rows, PATCH_PX["rnet"]))
        rows = np.column_stack([_moved(rows, offsets), scores[:, 1]])
        return _square(_suppress(rows[rows[:, 4] > self.thresholds[1]], 0.7))

    def _check(self, planes: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        offsets, points, scores = self._onet.run(None, _patches(planes, rows, PATCH_PX["onet"]))
        sizes = rows[:, 2:4] - rows[:, :2] + 1
        points = points.reshape(-1, 2, 5).transpose(0, 2, 1) * sizes[:, None] + rows[:, None, :2] - 1
        rows = np.column_stack([_moved(rows, offsets), scores[:, 1], points.reshape(-1, 10)])
        rows = _suppress(rows[rows[:, 4] > self.thresholds[2]], 0.7, of_smaller=True)
        return rows[:, :5], rows[:, 5:].reshape(-1, 5, 2)


def onet_scores(onet: InferenceSession, planes: np.ndarray, boxes_xyxy: np.ndarray) -> np.ndarray:
    """Let the cascade's last network say how sure it is of faces that something else proposed.

    Parameters
    ----------
    onet : InferenceSession
        Of `feat_pipeline.detect.mtcnn_nets.build_onet`.
    planes : ndarray of float32, shape (1, 3, height, width)
        RGB picture, (value - 127.5) / 128.
    boxes_xyxy : ndarray of float, shape (n, 4)
        Boxes in px.

    Returns
    -------
    ndarray of float32, shape (n,)
        0 to 1.
    """
    rows = _square(boxes_xyxy - np.array([0, 0, 1, 1]))
    return onet.run(["scores"], _patches(planes, rows, PATCH_PX["onet"]))[0][:, 1]


def _proposals(offsets: np.ndarray, scores: np.ndarray, threshold: float) -> np.ndarray:
    """Turn P-Net's maps (4, h, w) and (h, w) into rows of box and score, in px of the scaled picture."""
    y, x = np.nonzero(scores > threshold)
    first = _STRIDE_PX * np.column_stack([x, y]) + 1
    corners = np.concatenate([first, first + _CELL_PX - 1], axis=1)
    return np.column_stack([corners + offsets[:, y, x].T * (_CELL_PX - 1), scores[y, x]])


def _suppress(rows: np.ndarray, limit: float, of_smaller: bool = False) -> np.ndarray:
    """Sort rows by score and drop each that overlaps a better one by more than `limit`.

    The better one counts even when dropped itself. Overlap is the shared area relative to the union, or to
    the smaller box.
    """
    rows = rows[np.argsort(rows[:, 4])[::-1]]
    left, top, right, bottom = rows[:, :4].T
    area = (right - left) * (bottom - top)
    kept = np.ones(len(rows), bool)
    block = 256  # bounds the memory of the pairs
    for start in range(0, len(rows), block):
        these, better = slice(start, start + block), slice(0, start + block)
        wide = np.minimum(right[these, None], right[better]) - np.maximum(left[these, None], left[better])
        high = np.minimum(bottom[these, None], bottom[better]) - np.maximum(top[these, None], top[better])
        shared = np.maximum(wide, 0) * np.maximum(high, 0)
        if of_smaller:
            whole = np.minimum(area[these, None], area[better])
        else:
            whole = area[these, None] + area[better] - shared
        kept[these] = ~np.tril(shared > limit * whole, start - 1).any(axis=1)
    return rows[kept]


def _square(rows: np.ndarray) -> np.ndarray:
    """Widen the shorter side of each box about its middle."""
    sizes = rows[:, 2:4] - rows[:, :2]
    longest = sizes.max(axis=1, keepdims=True)
    first = rows[:, :2] + sizes / 2 - longest / 2
    return np.column_stack([first, first + longest, rows[:, 4:]])


def _moved(rows: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Move the edges of each box by offsets relative to its size."""
    sizes = rows[:, 2:4] - rows[:, :2] + 1
    return rows[:, :4] + offsets * np.tile(sizes, 2)


def _patches(planes: np.ndarray, rows: np.ndarray, size: int) -> dict[str, np.ndarray]:
    """Describe size x size samples of each box, the outermost upon its edges, as the networks take them."""
    last = np.array([planes.shape[3], planes.shape[2]]) - 1
    first, end = (rows[:, columns] * last / (last + 1) for columns in (slice(0, 2), slice(2, 4)))
    step = (end - first) / (size - 1)
    samples = first[:, None] + step[:, None] * np.arange(size)[:, None]
    inside = ((samples >= 0) & (samples <= last)).astype(np.float32)
    return {
        "picture": planes,
        "rois": np.column_stack([first - step / 2, end + step / 2]).astype(np.float32) + np.float32(0.5),
        "inside_x": inside[:, :, 0],
        "inside_y": inside[:, :, 1],
    }
