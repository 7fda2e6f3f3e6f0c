"""What the embedded network sees of a face, as named numbers that an AU's formula can add up.

Four kinds, each from one region of the face:

- ``<name>``: a blendshape of the network, 0 to 1, mean of left and right; ``<name>_max`` the larger side
  and ``<name>_uneven`` the difference of both, for actions that are shown on one side;
- ``g_<name>``: a distance between landmarks of the face turned to the front, in units of the distance
  between the outer corners of the eyes;
- ``t_<name>``: how much the grey values change within a patch of the crop, relative to the whole face;
- ``h_<name>``: how far the head is turned, degrees, the sides being the person's own.
"""

from __future__ import annotations

import numpy as np

from feat_pipeline.faces.align import TEMPLATE_5

#: Where the jaw's drop (AU26) becomes the mouth's stretch (AU27), which FACS codes instead, in jawOpen.
_WIDE_OPEN = 0.35
_ONE_SIDED = ("mouthSmile", "mouthDimple", "mouthFrown", "mouthStretch")
#: Patch centre and half size (x, y) in eye distances from the middle between the eyes; y down.
_PATCHES = {
    "glabella": [(0.0, -0.18, 0.16, 0.16)],
    "nose_root": [(0.0, 0.12, 0.15, 0.12)],
    "crows_feet": [(-0.86, 0.06, 0.13, 0.18), (0.86, 0.06, 0.13, 0.18)],
    "under_eye": [(-0.5, 0.24, 0.24, 0.10), (0.5, 0.24, 0.24, 0.10)],
    "cheek_fold": [(-0.36, 0.66, 0.15, 0.18), (0.36, 0.66, 0.15, 0.18)],
    "lip_corner": [(-0.58, 1.08, 0.13, 0.15), (0.58, 1.08, 0.13, 0.15)],
    "forehead": [(0.0, -0.62, 0.42, 0.16)],
    "chin": [(0.0, 1.6, 0.25, 0.14)],
}


def measure_evidence(
    points: np.ndarray,
    blendshapes: np.ndarray,
    rotations: np.ndarray,
    crops: np.ndarray,
    names: tuple[str, ...],
) -> dict[str, np.ndarray]:
    """Name everything that a formula may use.

    Parameters
    ----------
    points : ndarray of float, shape (n, 68, 3)
        Landmarks in one unit for x, y and depth, of a crop.
    blendshapes : ndarray of float, shape (n, b)
    rotations : ndarray of float, shape (n, 3, 3)
        The head's rotation in the crop.
    crops : ndarray of uint8, shape (n, size, size)
        Aligned crops (see `feat_pipeline.faces.align.landmark_matrix`).
    names : tuple of str, length b
        Names of the blendshapes, ending in Left or Right where there are two.

    Returns
    -------
    dict of str to ndarray of float64, shape (n,)
    """
    return {
        **_sides(np.asarray(blendshapes, np.float64), names),
        **_distances(turn_to_front(points, rotations)),
        **_textures(crops),
    }


def head_evidence(poses_rad: np.ndarray) -> dict[str, np.ndarray]:
    """Name the head's position by its six FACS descriptors.

    Parameters
    ----------
    poses_rad : ndarray of float, shape (n, 3)
        Rotations about x, y and z in radians, with OpenFace's signs.

    Returns
    -------
    dict of str to ndarray of float64, shape (n,)
        Degrees, 0 where the head is turned the other way.
    """
    down, right, tilt_left = np.degrees(np.asarray(poses_rad, np.float64)).T
    angles = {"down": down, "up": -down, "turn_right": right, "turn_left": -right}
    angles |= {"tilt_left": tilt_left, "tilt_right": -tilt_left}
    return {f"h_{name}": np.maximum(0.0, angle) for name, angle in angles.items()}


def turn_to_front(points: np.ndarray, rotations: np.ndarray) -> np.ndarray:
    """Undo the head's rotation and size.

    Parameters
    ----------
    points : ndarray of float, shape (n, 68, 3)
    rotations : ndarray of float, shape (n, 3, 3)

    Returns
    -------
    ndarray of float64, shape (n, 68, 3)
        Around the middle between the outer corners of the eyes, in units of their distance; y points down.
    """
    points = np.asarray(points, np.float64)
    corners = points[:, [36, 45]]
    centred = points - corners.mean(1, keepdims=True)
    front = np.einsum("nji,npj->npi", rotations, centred)
    unit = np.linalg.norm(corners[:, 0] - corners[:, 1], axis=-1)
    return front / np.maximum(unit, 1e-6)[:, None, None]


def _sides(blendshapes: np.ndarray, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    column = dict(zip(names, blendshapes.T, strict=True))
    evidence = {}
    for name, left in column.items():
        stem = name.removesuffix("Left")
        if stem + "Right" in column and stem != name:
            right = column[stem + "Right"]
            evidence[stem] = (left + right) / 2
            if stem in _ONE_SIDED:
                evidence[stem + "_max"] = np.maximum(left, right)
                evidence[stem + "_uneven"] = np.abs(left - right)
        elif not name.endswith("Right") or name.removesuffix("Right") + "Left" not in column:
            evidence[name] = left
    evidence["jawOpen_wide"] = np.maximum(0.0, column["jawOpen"] - _WIDE_OPEN)
    evidence["eyesLeft"] = column["eyeLookOutLeft"] + column["eyeLookInRight"]
    evidence["eyesRight"] = column["eyeLookInLeft"] + column["eyeLookOutRight"]
    return evidence


def _distances(p: np.ndarray) -> dict[str, np.ndarray]:
    def y(*indices: int) -> np.ndarray:
        return p[:, list(indices), 1].mean(1)

    def apart(a: int, b: int) -> np.ndarray:
        return np.linalg.norm(p[:, a] - p[:, b], axis=-1)

    lip_line = y(62, 66)
    return {
        "g_inner_brow_height": y(39, 42) - y(21, 22),
        "g_middle_brow_height": y(39, 36, 42, 45) - y(19, 24),
        "g_outer_brow_height": y(36, 45) - y(17, 18, 25, 26),
        "g_brow_tilt": y(18, 25) - y(21, 22),
        "g_brow_gap": apart(21, 22),
        "g_eye_aperture": (apart(37, 41) + apart(38, 40) + apart(43, 47) + apart(44, 46)) / 4,
        "g_lower_lid_height": y(36, 39, 42, 45) - y(40, 41, 46, 47),
        "g_upper_lid_height": y(36, 39, 42, 45) - y(37, 38, 43, 44),
        "g_nose_wing_to_eye": y(31, 35) - y(39, 42),
        "g_nose_width": apart(31, 35),
        "g_nose_to_upper_lip": y(50, 51, 52) - y(33),
        "g_upper_lip": y(61, 62, 63) - y(50, 51, 52),
        "g_lower_lip": y(56, 57, 58) - y(65, 66, 67),
        "g_lip_gap": y(65, 66, 67) - y(61, 62, 63),
        "g_mouth_width": apart(48, 54),
        "g_corner_height": lip_line - y(48, 54),
        "g_corner_to_nose": y(48, 54) - y(33),
        "g_chin_to_lip": y(8) - y(56, 57, 58),
        "g_chin_to_nose": y(7, 8, 9) - y(33),
    }


def _textures(crops: np.ndarray) -> dict[str, np.ndarray]:
    # Halved first, so that a sharp photo and an enlarged 48-px face are looked at with the same eyes.
    size = crops.shape[-1] // 2
    grey = crops.reshape(len(crops), size, 2, size, 2).mean((2, 4))
    eyes = TEMPLATE_5[:2] * size
    middle, unit = eyes.mean(0), eyes[1, 0] - eyes[0, 0]
    across = np.abs(grey[:, 1:-1, 2:] - grey[:, 1:-1, :-2])
    down = np.abs(grey[:, 2:, 1:-1] - grey[:, :-2, 1:-1])
    inside = slice(round(size * 0.15), round(size * 0.85))
    whole = (across + down)[:, inside, inside].mean((1, 2)) + 1.0
    evidence = {}
    for name, patches in _PATCHES.items():
        sums = np.zeros((2, len(crops)))
        for dx, dy, half_width, half_height in patches:
            left, right = (round(middle[0] + unit * (dx + side * half_width)) - 1 for side in (-1, 1))
            top, bottom = (round(middle[1] + unit * (dy + side * half_height)) - 1 for side in (-1, 1))
            patch = (slice(None), slice(max(top, 0), bottom), slice(max(left, 0), right))
            sums += [across[patch].mean((1, 2)), down[patch].mean((1, 2))]
        evidence[f"t_{name}_across"], evidence[f"t_{name}_down"] = sums / len(patches) / whole
    return evidence
