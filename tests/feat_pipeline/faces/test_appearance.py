import cv2
import numpy as np
import pytest

from feat_pipeline.faces.appearance import (
    FRAME_SHAPE,
    LOOK_BYTES,
    CutDetector,
    FaceLook,
    FrameLooks,
    face_look,
    thumbnail,
)

SIZE = (240, 320)  # height, width
BOX = np.array([120.0, 60.0, 220.0, 180.0])
UNKNOWN = np.full((68, 2), np.nan)


def scene(seed, size=SIZE):
    """Blots of many sizes: as much structure as a room has."""
    noise = np.random.default_rng(seed).normal(0, 1, (*size, 3))
    blots = sum(cv2.GaussianBlur(noise, (0, 0), sigma) * sigma for sigma in (4, 9, 20))
    return np.clip(128 + 60 * blots / blots.std(), 0, 255).astype(np.uint8)


def moved(rgb, across, down=0, zoom=1.0):
    matrix = np.array([[zoom, 0, across], [0, zoom, down]])
    return cv2.warpAffine(rgb, matrix, rgb.shape[1::-1], borderMode=cv2.BORDER_REFLECT_101)


def cuts_of(frames):
    detector = CutDetector()
    return [i for i, rgb in enumerate(frames) if detector.update(thumbnail(rgb))]


def test_each_hard_cut_is_found_at_its_frame():
    shots = [[moved(scene(seed), 2 * i) for i in range(10)] for seed in (1, 2, 3)]
    assert cuts_of([rgb for shot in shots for rgb in shot]) == [10, 20]


def test_a_cut_back_after_two_frames_is_found_too():
    assert cuts_of([scene(1)] * 6 + [scene(2)] * 2 + [scene(1)] * 6) == [6, 8]


STILL = scene(5)
UNCUT = {
    "white flash": [STILL] * 5 + [np.full_like(STILL, 255)] * 2 + [STILL] * 5,
    "bright flash": [STILL] * 5 + [cv2.convertScaleAbs(STILL, alpha=1.5, beta=40)] + [STILL] * 5,
    "fade to black and back": [cv2.convertScaleAbs(STILL, alpha=abs(i) / 10) for i in range(-10, 11)],
    "fade to white": [cv2.convertScaleAbs(STILL, alpha=1 - i / 10, beta=25.5 * i) for i in range(11)],
    "lamp that flickers": [cv2.convertScaleAbs(STILL, alpha=0.5 + 0.5 * (i % 2)) for i in range(10)],
    "fast pan": [moved(STILL, 30 * i) for i in range(10)],
    "shake": [moved(STILL, 20 * np.sin(2 * i), 14 * np.cos(3 * i)) for i in range(20)],
    "zoom": [moved(STILL, 0, 0, 1.05**i) for i in range(12)],
}


@pytest.mark.parametrize("what", UNCUT)
def test_flashes_fades_and_fast_motion_are_no_cuts(what):
    assert cuts_of(UNCUT[what]) == []


def test_another_scene_after_black_is_a_cut():
    black = np.zeros((*SIZE, 3), np.uint8)
    assert cuts_of([scene(1)] * 5 + [black] * 5 + [scene(2)] * 5) == [10]


def test_a_face_is_like_itself_in_other_light_and_place_and_unlike_another():
    one = FaceLook(face_look(scene(1), BOX, UNKNOWN))
    lit = FaceLook(
        face_look(
            cv2.convertScaleAbs(moved(scene(1), 40, 7), alpha=0.7), np.add(BOX, (40, 7, 40, 7)), UNKNOWN
        )
    )
    other = FaceLook(face_look(scene(2), BOX, UNKNOWN))
    assert one.likeness(lit) > 0.95 and one.is_same(lit) and not one.is_same(other)


def test_a_face_without_detail_says_nothing():
    assert FaceLook(face_look(np.full((*SIZE, 3), 90, np.uint8), BOX, UNKNOWN)).is_flat


def test_looks_are_packed_and_unpacked_unchanged():
    looks = FrameLooks.of(scene(1), np.stack([BOX, BOX + 20]), np.stack([UNKNOWN, UNKNOWN]))
    again = FrameLooks.from_bytes(looks.to_bytes())
    assert again.thumbnail.shape == FRAME_SHAPE and again.faces.shape == (2, LOOK_BYTES)
    assert (again.thumbnail == looks.thumbnail).all() and (again.faces == looks.faces).all()
    assert FrameLooks.of(scene(1), np.empty((0, 4)), np.empty((0, 68, 2))).to_bytes() == []
