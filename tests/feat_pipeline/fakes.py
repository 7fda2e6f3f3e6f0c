"""A detector and an AU extractor that need no network: what they say follows from the pixels."""

from dataclasses import replace

import numpy as np

from feat_pipeline.detect import Detection
from feat_pipeline.extract import FaceAUs

FACE_RED = 200


def draw_face(picture_rgb, x, y, side, smile, frown=0):
    """Paint a face that the fakes see: a red square whose green says the smile and whose blue the frown."""
    picture_rgb[y : y + side, x : x + side] = (FACE_RED, round(50 * smile), round(50 * frown))
    return picture_rgb


def draw_smile(i):
    """A picture, 160 px wide and 120 high, of a smiling face that moves to the right with `i`."""
    return draw_face(np.full((120, 160, 3), 30, np.uint8), 20 + i, 30, 60, smile=4)


class FakeDetector:
    """Finds red squares, left to right; fails on a picture whose first pixel is pure blue."""

    name = "fake"

    def detect(self, frame_rgb):
        if tuple(frame_rgb[0, 0]) == (0, 0, 255):
            raise RuntimeError("this picture is cursed")
        import cv2

        red = np.abs(frame_rgb[..., 0].astype(int) - FACE_RED) < 20
        boxes = cv2.connectedComponentsWithStats(red.astype(np.uint8))[2][1:, :4]
        return [
            Detection(np.array([x, y, x + w, y + h], np.float32), 0.9)
            for x, y, w, h in sorted(map(tuple, boxes.tolist()))
            if w >= 8 and h >= 8
        ]


class FakeExtractor:
    """AU12 is the green and AU04 the blue of a face's middle; a face of green 255 cannot be measured."""

    name = "fake"
    version = "7"
    scale = "r"
    au_columns = ("AU04_r", "AU12_r", "AU25_r")
    extra_columns = ()

    def extract(self, frames, detections):
        return [
            [self._measure(frame, detection) for detection in found]
            for frame, found in zip(frames, detections, strict=True)
        ]

    def _measure(self, frame_rgb, detection):
        x0, y0, x1, y1 = detection.box_xyxy
        _, green, blue = (float(v) for v in frame_rgb[int((y0 + y1) / 2), int((x0 + x1) / 2)])
        if green == 254:
            raise RuntimeError("extraction broke")
        aus = {"AU04_r": blue / 50, "AU12_r": min(5.0, green / 50), "AU25_r": green / 100}
        if green == 255:
            aus = dict.fromkeys(aus, float("nan"))
        points = np.linspace((x0, y0), (x1, y1), 68).astype(np.float32)
        pose = np.array([0.1, 0.2, 0.3], np.float32)
        return FaceAUs(detection.box_xyxy, detection.confidence, points, pose, aus)


class FakeExtractorWithMore(FakeExtractor):
    """Gives two more numbers of each face: a gaze, by OpenFace's name, and a blendshape, by MediaPipe's."""

    extra_columns = ("gaze_angle_x", "jawOpen")

    def _measure(self, frame_rgb, detection):
        face = super()._measure(frame_rgb, detection)
        x0, y0, x1, _ = (float(v) for v in detection.box_xyxy)
        return replace(face, extra={"gaze_angle_x": (x1 - x0) / 100, "jawOpen": y0 / 100 + x0 / 1000})
