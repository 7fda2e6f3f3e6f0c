"""The small detector that ships with the package: one pass over the picture, and a second opinion.

Anchor-free, as FCOS (Tian et al. 2019, doi:10.1109/ICCV.2019.00972): every cell of three maps says whether a
face lies around it, where its box ends and where its five points are. Trained by `tools/train_detector.py`
on the answers of MTCNN, whose last and smallest part looks again at the faces that it doubts.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from analysis.boxes import box_iou
from feat_pipeline.detect import Detection, check_frame, check_range, shrink, to_detections
from feat_pipeline.detect.mtcnn import onet_scores
from feat_pipeline.detect.mtcnn_nets import build_onet
from feat_pipeline.errors import UnavailableError
from feat_pipeline.weights.onnx_session import open_session
from feat_pipeline.weights.shipped import models_dir

#: Pixels from one cell to the next, per map.
STRIDES_PX = (8, 16, 32)
#: A longer side than this is searched a second time on a copy of a quarter of its size, for large faces.
_LARGE_PX, _LARGE_SHRINK = 192, 4
_SAME_FACE_IOU, _WITHIN = 0.4, 0.7


class FastDetector:
    """A network of three maps in `models/detector`. One object serves any number of threads.

    Parameters
    ----------
    min_confidence : float
        Least score of a face.
    sure_confidence : float
        A face with a lower score must convince MTCNN's O-Net too, whose score it then gets; 0 asks never.
    max_side_px : int
        A picture with a longer side is searched on a copy shrunk to this, where most faces of 12 px and more
        are found.
    threads : int
        Threads of the network; 0 takes one per core.
    directory : path, optional
        Folder of ``network.onnx``; by default the one that ships.

    Raises
    ------
    UsageError
        An option lies outside of its range.
    UnavailableError
        The network's file is missing or damaged, or the package `mtcnn` is missing.
    """

    name = "fast"

    def __init__(
        self,
        *,
        min_confidence: float = 0.3,
        sure_confidence: float = 0.8,
        max_side_px: int = 960,
        threads: int = 1,
        directory: str | Path | None = None,
    ) -> None:
        check_range(self.name, "min_confidence", min_confidence, 0, 1)
        check_range(self.name, "max_side_px", max_side_px, 32, 100_000)
        check_range(self.name, "sure_confidence", sure_confidence, 0, 1)
        self.min_confidence = min_confidence
        self.sure_confidence = sure_confidence
        self.max_side_px = max_side_px
        self._onet = open_session(build_onet().SerializeToString(), threads)
        path = (Path(directory) if directory is not None else models_dir() / "detector") / "network.onnx"
        try:
            self._session = open_session(path, threads)
        except Exception as error:
            raise UnavailableError(
                f"detector fast: {path} is missing or damaged ({error}); install the package again"
            ) from error

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
        grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
        rows = self._search(grey)
        if max(grey.shape) > _LARGE_PX:
            smaller, shrunk = shrink(grey, max(grey.shape) // _LARGE_SHRINK)
            large = self._search(smaller)
            large[:, 1:] /= np.tile(shrunk, 7)
            rows = np.concatenate([rows, large])
        rows = self._convinced(small, one_per_face(rows))
        rows[:, 1:] /= np.tile(scale, 7)
        points = rows[:, 5:].reshape(-1, 5, 2)
        return to_detections(rows[:, 1:5], rows[:, 0], points, frame_rgb.shape)

    def _convinced(self, rgb: np.ndarray, rows: np.ndarray) -> np.ndarray:
        doubted = rows[:, 0] < self.sure_confidence
        if doubted.any():
            planes = cv2.dnn.blobFromImage(rgb, 1 / 128, mean=(127.5, 127.5, 127.5))
            rows[doubted, 0] = onet_scores(self._onet, planes, rows[doubted, 1:5])
            rows = rows[rows[:, 0] >= self.sure_confidence]
        return rows

    def _search(self, grey: np.ndarray) -> np.ndarray:
        bottom, right = (-side % STRIDES_PX[-1] for side in grey.shape)
        padded = cv2.copyMakeBorder(grey, 0, bottom, 0, right, cv2.BORDER_CONSTANT)
        return decode(self._session.run(None, {"picture": padded[None, None]}), self.min_confidence)


def decode(maps: list[np.ndarray], min_confidence: float) -> np.ndarray:
    """Turn the network's maps of one picture into rows of score, box and points.

    Parameters
    ----------
    maps : list of ndarray of float32, shape (1, 15, h, w)
        One per stride: logit, centre of the box, log of half its width and height, and five points, in
        strides from the cell's middle.
    min_confidence : float
        Least score.

    Returns
    -------
    ndarray of float64, shape (n, 15)
        Score, left, top, right, bottom, five points in px.
    """
    least = np.log(max(min_confidence, 1e-6) / max(1 - min_confidence, 1e-6))
    parts = []
    for (values,), stride in zip(maps, STRIDES_PX, strict=True):
        y, x = np.nonzero(values[0] >= least)
        found = values[:, y, x].T.astype(np.float64)
        cells = (np.column_stack([x, y]) + 0.5) * stride
        middle = cells + found[:, 1:3] * stride
        half = np.exp(found[:, 3:5].clip(-5, 5)) * stride
        points = np.tile(cells, 5) + found[:, 5:] * stride
        parts.append(np.column_stack([1 / (1 + np.exp(-found[:, 0])), middle - half, middle + half, points]))
    return np.concatenate(parts)


def one_per_face(rows: np.ndarray) -> np.ndarray:
    """Keep the best of rows that overlap, its box and points averaged with theirs by score.

    Of two boxes of which one lies mostly within the other, the better one is kept as it is.

    Parameters
    ----------
    rows : ndarray of float, shape (n, 15)
        As `decode` gives them.

    Returns
    -------
    ndarray of float, shape (m, 15)
        Best first.
    """
    rest, kept = rows[np.argsort(-rows[:, 0], kind="stable")], []
    while len(rest):
        overlap = box_iou(rest[:1, 1:5], rest[:, 1:5])[0]
        areas = np.prod(rest[:, 3:5] - rest[:, 1:3], axis=1)
        shared = overlap / (1 + overlap) * (areas + areas[0])
        same = overlap >= _SAME_FACE_IOU
        same[0] = True
        face = np.average(rest[same], axis=0, weights=rest[same, 0] ** 2)
        kept.append(np.concatenate([rest[0, :1], face[1:]]))
        rest = rest[~same & (shared < _WITHIN * np.minimum(areas, areas[0]))]
    return np.array(kept).reshape(-1, 15)
