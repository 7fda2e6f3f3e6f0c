"""What train_detector.py learns from: photos of one face, put together into pictures of many.

A canvas is one photo, a mosaic, or faces of many sizes strewn over a background; light, sharpness, noise
and JPEG quality vary. Beside faces it shows what is none: faces whose parts are shuffled, parts of a face
grown large, and scenes that ship with scikit-image and scikit-learn. Canvases depend on seed and step alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from embedded_data import person_fold

from feat_pipeline.detect.fast import STRIDES_PX
from feat_pipeline.faces.align import transform_points

SIDE = 320
SURE, VISIBLE, HIDDEN = 0.9, 0.65, 0.2
#: Sizes of faces, px, that each map answers for; where two ranges meet, both do.
RANGES_PX = ((0, 44), (32, 104), (78, 1e9))
SCENES = (
    "coffee", "chelsea", "rocket", "coins", "brick", "grass", "gravel", "hubble_deep_field",
    "immunohistochemistry", "page", "text", "moon", "retina", "horse", "cell", "checkerboard",
)  # fmt: skip


@dataclass
class Photo:
    """A grey picture with the teacher's faces, rows of box, score and points."""

    grey: np.ndarray
    faces: np.ndarray


@dataclass
class Canvas:
    """A made grey picture, its faces as rows of box and points, and boxes that are neither face nor none."""

    grey: np.ndarray
    faces: list[np.ndarray]
    doubtful: list[np.ndarray]


def load_photos(detections: Path, legend: Path) -> dict[str, list[Photo]]:
    """Photos with a sure face, split by person: .85 training, .05 validation, .10 test."""
    with np.load(detections, allow_pickle=True) as file:
        names, images, faces = (file[key] for key in ("names", "images", "faces"))
    fold = person_fold(np.array([Path(name).stem for name in names]), legend)
    parts = np.where(fold >= 0.15, "training", np.where(fold >= 0.10, "validation", "test"))
    split: dict[str, list[Photo]] = {"training": [], "validation": [], "test": []}
    for part, grey, rows in zip(parts, images, faces, strict=True):
        if len(rows) and rows[:, 4].max() >= SURE:
            split[part].append(Photo(grey, rows))
    return split


def load_scenes() -> list[np.ndarray]:
    """Pictures without a face from installed packages, grey."""
    from skimage import data
    from sklearn.datasets import load_sample_images

    scenes = [np.asarray(getattr(data, name)()) for name in SCENES]
    scenes = [(255 * s).astype(np.uint8) if s.dtype == bool else s for s in scenes]
    scenes += [*data.stereo_motorcycle()[:2], *load_sample_images().images]
    return [
        s if s.ndim == 2 else cv2.cvtColor(np.ascontiguousarray(s[..., :3]), cv2.COLOR_RGB2GRAY)
        for s in scenes
    ]


def size_of(row: np.ndarray) -> float:
    """Side of the square as large as a box."""
    return math.sqrt(max(row[2] - row[0], 1e-3) * max(row[3] - row[1], 1e-3))


def shuffled(grey: np.ndarray, box: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Shuffle the ninths or sixteenths of a box, so that no face is left there."""
    out, n = grey.copy(), int(rng.integers(3, 5))
    x0, y0 = (int(max(0, v)) for v in box[:2])
    side_x, side_y = (
        int((min(e, m) - s) // n) for s, e, m in zip((x0, y0), box[2:], grey.shape[::-1], strict=True)
    )
    if min(side_x, side_y) < 2:
        return out
    order = rng.permutation(n * n)
    for target, source in enumerate(order):
        (ty, tx), (sy, sx) = divmod(target, n), divmod(int(source), n)
        out[y0 + ty * side_y : y0 + (ty + 1) * side_y, x0 + tx * side_x : x0 + (tx + 1) * side_x] = grey[
            y0 + sy * side_y : y0 + (sy + 1) * side_y, x0 + sx * side_x : x0 + (sx + 1) * side_x
        ]
    return out


def view(
    photo: Photo,
    size: float,
    middle: tuple[float, float],
    width: int,
    height: int,
    rng: np.random.Generator,
) -> Canvas:
    """Show a photo so that its largest face has a size, px, and lies at a place of a picture."""
    main = max(range(len(photo.faces)), key=lambda i: size_of(photo.faces[i]) * (photo.faces[i, 4] >= SURE))
    row = photo.faces[main]
    scale = size / size_of(row)
    shrunk = min(1.0, scale)
    grey = photo.grey
    if shrunk < 1:
        sides = [max(1, round(s * shrunk)) for s in grey.shape[::-1]]
        grey = cv2.resize(grey, sides, interpolation=cv2.INTER_AREA)
    fit = np.array(grey.shape[::-1]) / photo.grey.shape[::-1]
    angle = math.radians(rng.normal(0, 8) if rng.random() < 0.8 else rng.uniform(-50, 50))
    mirror = rng.random() < 0.5
    linear = scale * np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    if mirror:
        linear = linear @ np.diag([-1.0, 1.0])
    centre = (row[:2] + row[2:4]) / 2
    matrix = np.column_stack([linear, np.array(middle) - linear @ centre])
    from_shrunk = np.column_stack([matrix[:, :2] / fit, matrix[:, 2]])
    # OpenCV counts from the middle of the first pixel.
    from_shrunk[:, 2] += from_shrunk[:, :2].sum(1) / 2 - 0.5
    border = (cv2.BORDER_CONSTANT, cv2.BORDER_REPLICATE)[int(rng.random() < 0.5)]
    shade = int(rng.integers(256))
    shown = cv2.warpAffine(
        grey, from_shrunk, (width, height), flags=cv2.INTER_LINEAR, borderMode=border, borderValue=shade
    )
    canvas = Canvas(shown, [], [])
    for face in photo.faces:
        half = scale * (face[2:4] - face[:2]) / 2
        place = transform_points(matrix, (face[:2] + face[2:4]) / 2)
        box = np.concatenate([place - half, place + half])
        points = transform_points(matrix, face[5:].reshape(5, 2))
        if mirror:
            points = points[[1, 0, 2, 4, 3]]
        add(canvas, np.concatenate([box, points.ravel()]), face[4] >= SURE, np.array([0, 0, width, height]))
    return canvas


def add(canvas: Canvas, row: np.ndarray, sure: bool, window: np.ndarray) -> None:
    """Note a face as such, as doubtful or not at all, by how much of it a window shows."""
    seen = np.concatenate([np.maximum(row[:2], window[:2]), np.minimum(row[2:4], window[2:])])
    area = np.prod(np.maximum(seen[2:] - seen[:2], 0)) / max(np.prod(row[2:4] - row[:2]), 1e-6)
    if area >= VISIBLE and sure and size_of(row) >= 8:
        canvas.faces.append(row)
    elif area >= HIDDEN:
        canvas.doubtful.append(seen)


def nothing(
    photos: list[Photo], scenes: list[np.ndarray], width: int, height: int, rng: np.random.Generator
) -> Canvas:
    """Show a scene, a face in pieces, or a part of a face grown large."""
    kind = rng.random()
    if kind < 0.4:
        scene = np.rot90(scenes[int(rng.integers(len(scenes)))], int(rng.integers(4)))
        side = math.exp(rng.uniform(math.log(24), math.log(min(scene.shape[:2]))))
        wide, high = (
            max(8, min(int(side * s / max(width, height)), m))
            for s, m in zip((width, height), scene.shape[::-1], strict=True)
        )
        x, y = int(rng.integers(scene.shape[1] - wide + 1)), int(rng.integers(scene.shape[0] - high + 1))
        part = cv2.resize(scene[y : y + high, x : x + wide], (width, height), interpolation=cv2.INTER_AREA)
        return Canvas(255 - part if rng.random() < 0.2 else part, [], [])
    photo = photos[int(rng.integers(len(photos)))]
    if kind < 0.8:
        grey = photo.grey
        for face in photo.faces:
            grey = shuffled(grey, face[:4], rng)
        pieces = Photo(grey, photo.faces)
        size = max(width, height) * rng.uniform(0.25, 1.0)
        shown = view(
            pieces, size, (width * rng.uniform(0.1, 0.9), height * rng.uniform(0.1, 0.9)), width, height, rng
        )
        return Canvas(shown.grey, [], [])
    size = max(width, height) * rng.uniform(2.5, 5)
    middle = (width / 2 + size * rng.uniform(-0.5, 0.5), height / 2 + size * rng.uniform(-0.5, 0.5))
    return view(photo, size, middle, width, height, rng)


def put(canvas: Canvas, part: Canvas, left: int, top: int, mask: np.ndarray | None = None) -> None:
    """Lay a picture upon a canvas, with its faces."""
    height, width = part.grey.shape[:2]
    here = canvas.grey[top : top + height, left : left + width]
    if mask is None:
        here[:] = part.grey
    else:
        here[:] = (part.grey * mask + here * (1 - mask)).astype(np.uint8)
    corner = np.array([left, top], float)
    canvas.faces += [row + np.tile(corner, 7) for row in part.faces]
    canvas.doubtful += [box + np.tile(corner, 2) for box in part.doubtful]


def single(photos: list[Photo], rng: np.random.Generator) -> Canvas:
    """One photo; in every third the canvas beyond it is black, as a picture is padded."""
    photo = photos[int(rng.integers(len(photos)))]
    size = math.exp(rng.uniform(math.log(36), math.log(270)))
    if rng.random() < 0.35:
        width, height = (int(v) for v in rng.integers(int(0.8 * min(size, 200)), SIDE + 1, 2))
    else:
        width = height = SIDE
    middle = (width * rng.uniform(0.3, 0.7), height * rng.uniform(0.3, 0.7))
    canvas = Canvas(np.zeros((SIDE, SIDE), np.uint8), [], [])
    put(canvas, view(photo, size, middle, width, height, rng), 0, 0)
    return canvas


def mosaic(photos: list[Photo], scenes: list[np.ndarray], rng: np.random.Generator) -> Canvas:
    """Squares of 2 x 2 to 8 x 8 photos."""
    n = int(rng.integers(2, 9))
    canvas, edges = Canvas(np.zeros((SIDE, SIDE), np.uint8), [], []), np.linspace(0, SIDE, n + 1).astype(int)
    for top, bottom in pairwise(edges):
        for left, right in pairwise(edges):
            width, height = int(right - left), int(bottom - top)
            if rng.random() < 0.7:
                size = max(9.0, width * rng.uniform(0.3, 0.95))
                middle = (width * rng.uniform(0.35, 0.65), height * rng.uniform(0.35, 0.65))
                part = view(photos[int(rng.integers(len(photos)))], size, middle, width, height, rng)
            else:
                part = nothing(photos, scenes, width, height, rng)
            put(canvas, part, int(left), int(top))
    return canvas


def strewn(photos: list[Photo], scenes: list[np.ndarray], rng: np.random.Generator) -> Canvas:
    """Faces of all sizes, with what is around them, over a background."""
    canvas = nothing(photos, scenes, SIDE, SIDE, rng)
    canvas.grey = np.ascontiguousarray(canvas.grey)
    taken: list[np.ndarray] = []
    for _ in range(int(rng.integers(1, 24))):
        size = math.exp(rng.uniform(math.log(9), math.log(110)))
        width, height = (max(8, int(size * rng.uniform(1.25, 2.6))) for _ in range(2))
        if max(width, height) >= SIDE:
            continue
        left, top = int(rng.integers(SIDE - width)), int(rng.integers(SIDE - height))
        spot = np.array([left, top, left + width, top + height], float)
        painted = spot + np.array([-0.5 * width, -0.3 * height, 0.5 * width, 0.5 * height])
        if _meets(spot, taken):
            continue
        if rng.random() < 0.65:
            middle = (width * rng.uniform(0.4, 0.6), height * rng.uniform(0.4, 0.6))
            part = view(photos[int(rng.integers(len(photos)))], size, middle, width, height, rng)
        else:
            part = nothing(photos, scenes, width, height, rng)
        if rng.random() < 0.6 and not _meets(painted, taken):
            _person(canvas, spot, rng)
        taken.append(spot)
        put(canvas, part, left, top, _mask(part, rng))
    return canvas


def _meets(box: np.ndarray, others: list[np.ndarray]) -> bool:
    return any((np.minimum(box[2:], o[2:]) > np.maximum(box[:2], o[:2])).all() for o in others)


def _mask(part: Canvas, rng: np.random.Generator) -> np.ndarray | None:
    """All of the part, an oval in it, or the oval of the face alone."""
    height, width = part.grey.shape
    kind = rng.random()
    if kind < 0.3:
        return None
    middle, axes = np.array([width, height]) / 2, 0.56 * np.array([width, height])
    if kind < 0.7 and part.faces:
        box = part.faces[0]
        middle, axes = (box[:2] + box[2:4]) / 2, rng.uniform(0.52, 0.66, 2) * (box[2:4] - box[:2])
    y, x = np.mgrid[:height, :width]
    away = np.hypot((x + 0.5 - middle[0]) / axes[0], (y + 0.5 - middle[1]) / axes[1])
    return np.clip((1 - away) / rng.uniform(0.02, 0.2), 0, 1).astype(np.float32)


def _person(canvas: Canvas, spot: np.ndarray, rng: np.random.Generator) -> None:
    """Paint hair or a hat, and shoulders, of one shade each, where a head is going to be laid."""
    middle, size = (spot[:2] + spot[2:]) / 2, (spot[2:] - spot[:2])
    shades = [int(v) for v in rng.integers(256, size=2)]
    wide, high = rng.uniform([0.6, 0.3], [1, 0.6]) * size
    _ellipse(canvas.grey, middle + np.array([0, 0.75 * size[1]]), wide, high, 180, shades[0])
    wide, high = rng.uniform(0.3, 0.5, 2) * size
    _ellipse(canvas.grey, middle - np.array([0, rng.uniform(0, 0.2) * size[1]]), wide, high, 0, shades[1])


def _ellipse(grey: np.ndarray, middle: np.ndarray, wide: float, high: float, start: int, shade: int) -> None:
    x, y = (int(v) for v in middle)
    cv2.ellipse(grey, (x, y), (int(wide), int(high)), 0, start, 360, shade, -1)


def weathered(grey: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Change light, sharpness, noise and JPEG quality."""
    steps = np.arange(256) / 255
    gamma, gain, lift = math.exp(rng.normal(0, 0.3)), math.exp(rng.normal(0, 0.25)), rng.normal(0, 0.08)
    shade = gain * (steps**gamma - 0.5) + 0.5 + lift
    grey = cv2.LUT(grey, np.clip(255 * shade, 0, 255).astype(np.uint8))
    chance = rng.random(4)
    if chance[0] < 0.15:
        grey = cv2.GaussianBlur(grey, (0, 0), rng.uniform(0.4, 1.6))
    if chance[1] < 0.15:
        small = cv2.resize(grey, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        grey = cv2.resize(small, grey.shape[::-1], interpolation=cv2.INTER_LINEAR)
    if chance[2] < 0.3:
        grey = np.clip(grey + rng.normal(0, rng.uniform(2, 14), grey.shape), 0, 255).astype(np.uint8)
    if chance[3] < 0.3:
        _, code = cv2.imencode(".jpg", grey, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 90))])
        grey = cv2.imdecode(code, cv2.IMREAD_GRAYSCALE)
    return grey


def compose(photos: list[Photo], scenes: list[np.ndarray], rng: np.random.Generator) -> Canvas:
    """Make one canvas."""
    kind = rng.random()
    if kind < 0.3:
        canvas = single(photos, rng)
    elif kind < 0.6:
        canvas = mosaic(photos, scenes, rng)
    else:
        canvas = strewn(photos, scenes, rng)
    canvas.grey = weathered(canvas.grey, rng)
    return canvas


def targets(canvas: Canvas) -> list[np.ndarray]:
    """What each map should answer, float32 (16, h, w): 1, 0 or -1 (do not care), the face, its size."""
    maps = []
    for stride, (least, most) in zip(STRIDES_PX, RANGES_PX, strict=True):
        n = SIDE // stride
        cells = (np.arange(n) + 0.5) * stride
        x, y = np.meshgrid(cells, cells)
        out = np.zeros((16, n, n), np.float32)
        for box in canvas.doubtful:
            out[0][(x > box[0]) & (x < box[2]) & (y > box[1]) & (y < box[3])] = -1
        nearest = np.full((n, n), np.inf)
        for row in canvas.faces:
            size, middle = size_of(row), (row[:2] + row[2:4]) / 2
            away = np.maximum(abs(x - middle[0]), abs(y - middle[1]))
            mine = away < np.maximum(0.3 * size, 0.75 * stride)
            out[0][mine & (out[0] < 1)] = -1
            if not least <= size < most:
                continue
            core = (away <= max(0.15 * size, 0.6 * stride)) & (away < nearest)
            nearest[core] = away[core]
            out[0][core] = 1
            out[1:15, core] = row[:, None]
            out[15, core] = size
        maps.append(out)
    return maps


def make_batch(
    photos: list[Photo], scenes: list[np.ndarray], step: int, size: int, seed: int
) -> tuple[np.ndarray, ...]:
    """Pictures uint8 (n, side, side) and the targets of each map."""
    rng = np.random.default_rng([seed, step])
    canvases = [compose(photos, scenes, rng) for _ in range(size)]
    wanted = [targets(canvas) for canvas in canvases]
    return np.stack([c.grey for c in canvases]), *(np.stack(maps) for maps in zip(*wanted, strict=True))
