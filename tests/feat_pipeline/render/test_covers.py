"""A covered face shows neither who it is nor what it does."""

import numpy as np
import pytest
from PIL import Image

from feat_pipeline.errors import InputError, UsageError
from feat_pipeline.render import HIDINGS, annotate, hide_faces, read_emoji_set
from feat_pipeline.render.outline import outline_of
from tests.feat_pipeline.render.made import made_face

SMILE = {6: 3, 12: 4, 25: 3}
FACES = {
    "upright": {"box": (120, 90, 220, 215)},
    "turned": {"box": (120, 90, 220, 215), "turned_deg": 35},
    "not measured": {"box": (120, 90, 220, 215), "measured": False},
    "over the corner": {"box": (-30, -40, 70, 85)},
    "over the right border": {"box": (280, 60, 420, 235)},
    "small": {"box": (150, 140, 162, 155)},
    "larger than the picture": {"box": (-100, -150, 500, 600)},
}
WIDTH, HEIGHT = 360, 300


def noise(seed=1):
    return np.random.default_rng(seed).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)


def inside(face, share=0.95):
    """Pixels within the face's box, as an ellipse."""
    x0, y0, x1, y1 = face.box_xyxy
    y, x = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    away = ((x - (x0 + x1) / 2) / (x1 - x0)) ** 2 + ((y - (y0 + y1) / 2) / (y1 - y0)) ** 2
    return away < (share / 2) ** 2


@pytest.mark.parametrize("how", HIDINGS)
@pytest.mark.parametrize("case", FACES)
def test_nothing_of_the_face_is_left_and_the_rest_is_untouched(case, how):
    face = made_face(aus=SMILE, **FACES[case])
    picture = noise()
    hidden = hide_faces(picture, [face], how)
    mask = inside(face)
    assert mask.any() and hidden.shape == picture.shape and hidden.dtype == np.uint8
    rows, columns = np.nonzero(mask)
    if len(rows) > 300:
        one, other = (np.corrcoef(p[rows, columns].ravel(), picture[rows, columns].ravel())[0, 1] for p in
                      (hidden, noise(2)))  # fmt: skip
        assert abs(one) < abs(other) + 0.12
    far = np.hypot(*(np.mgrid[:HEIGHT, :WIDTH] - np.array(outline_of(face).centre)[::-1, None, None]))
    outside = far > outline_of(face).radius + 2
    assert (hidden[outside] == picture[outside]).all()


@pytest.mark.parametrize("how", ["blur", "pixelate"])
def test_only_mean_colours_of_large_cells_are_left(how):
    face = made_face((80, 60, 200, 210), SMILE)
    flat = np.full((HEIGHT, WIDTH, 3), 128, np.uint8)
    drawn = flat.copy()
    drawn[::2, ::2], drawn[1::2, 1::2] = 28, 28  # a pattern of the same mean in every cell
    drawn[::2, 1::2], drawn[1::2, ::2] = 228, 228
    a, b = (hide_faces(picture, [face], how).astype(int) for picture in (flat, drawn))
    assert np.abs(a - b)[inside(face, 0.9)].max() <= 3


@pytest.mark.parametrize("how", HIDINGS)
def test_the_region_reaches_from_the_hair_line_to_below_the_chin(how):
    face = made_face((120, 90, 220, 215), SMILE)
    hidden = hide_faces(noise(), [face], how)
    changed = (hidden != noise()).any(axis=-1)
    middle = np.flatnonzero(changed[:, 170])
    brows, chin = face.landmarks[17:27, 1].min(), face.landmarks[:, 1].max()
    assert middle[0] < brows - 0.4 * (chin - brows) and middle[-1] > chin + 2
    across = np.flatnonzero(changed[int((brows + chin) / 2)])
    assert across[0] < face.landmarks[:, 0].min() and across[-1] > face.landmarks[:, 0].max()


def test_the_region_of_a_turned_head_is_turned():
    upright, turned = (outline_of(made_face((120, 90, 220, 215), SMILE, turned_deg=d)) for d in (0, 30))
    assert upright.roll_rad == pytest.approx(0, abs=1e-6)
    assert turned.roll_rad == pytest.approx(np.deg2rad(30), abs=0.02)
    assert upright.half[1] > upright.half[0]


def test_landmarks_far_from_the_box_are_not_believed():
    face = made_face((120, 90, 220, 215), SMILE)
    face.landmarks[:] += 400
    region = outline_of(face)
    assert abs(region.centre[0] - 170) < 5 and abs(region.centre[1] - 150) < 20


def test_every_face_of_several_is_covered_and_the_picture_given_stays():
    faces = [made_face((40 + 100 * i, 80, 110 + 100 * i, 170), SMILE, number=i) for i in range(3)]
    picture = noise()
    for how in HIDINGS:
        hidden = hide_faces(picture, faces, how)
        assert all((hidden != picture)[inside(face, 0.8)].any(-1).mean() > 0.9 for face in faces)
    assert (picture == noise()).all()
    assert (hide_faces(picture, [], "blur") == picture).all()


def test_an_unknown_way_is_refused():
    with pytest.raises(UsageError, match="hide: expected one of blur, pixelate, emoji, got 'mask'"):
        hide_faces(noise(), [], "mask")


def test_labels_stand_beside_an_emoji_that_has_no_frame():
    face = made_face((250, 180, 350, 305), SMILE, happy={"happy": 0.9, "sad": 0.1})
    drawn = annotate(np.zeros((480, 640, 3), np.uint8), [face], hide="emoji")
    assert (drawn[181:270, 250, 0] > drawn[181:270, 250, 2]).all()  # the disc, where else the box would be
    assert (drawn == (240, 228, 66)).all(-1).any()


def test_ones_own_emoji_hides_the_face_even_where_it_is_clear():
    face = made_face((120, 90, 220, 215), SMILE, tiny={"happy": 0.9, "sad": 0.1})
    ring = np.zeros((40, 60, 4), np.uint8)
    ring[:10] = (10, 20, 250, 255)
    hidden = hide_faces(noise(), [face], "emoji", emoji_set={"happy": ring})
    assert (hidden == (10, 20, 250)).all(-1).sum() > 500
    mask = inside(face, 0.9)
    assert abs(np.corrcoef(hidden[mask].ravel(), noise()[mask].ravel())[0, 1]) < 0.15
    other = hide_faces(noise(), [face], "emoji", emoji_set={"sad": ring})
    assert (other == hide_faces(noise(), [face], "emoji")).all()  # none for happy: it is drawn


PNGS = {
    "with alpha": Image.new("RGBA", (30, 20), (9, 8, 7, 128)),
    "without alpha": Image.new("RGB", (5, 7), (9, 8, 7)),
    "grey": Image.new("L", (12, 12), 200),
    "palette": Image.new("RGB", (12, 9), (250, 0, 0)).quantize(4),
    "16 bits": Image.fromarray(np.full((9, 8), 51400, np.uint16)),
    "large": Image.new("RGB", (4100, 50), (9, 8, 7)),
}


@pytest.mark.parametrize("kind", PNGS)
def test_pngs_of_any_kind_are_read(kind, tmp_path):
    PNGS[kind].save(tmp_path / "Happy.PNG", "PNG")
    (picture,) = read_emoji_set(tmp_path, ["happy"]).values()
    assert picture.dtype == np.uint8 and picture.shape[2] == 4 and max(picture.shape) <= 2048
    expected = {"with alpha": [9, 8, 7, 128], "grey": [200] * 3 + [255], "palette": [250, 0, 0, 255]}
    expected["16 bits"] = [200] * 3 + [255]
    assert picture[-1, -1].tolist() == expected.get(kind, [9, 8, 7, 255])


def test_missing_emoji_are_named_beside_what_was_expected(tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "happy.png")
    with pytest.raises(
        InputError, match=r"angry\.png, sad\.png are missing; expected are angry\.png, happy\.png, s"
    ):
        read_emoji_set(tmp_path, ["angry", "happy", "sad"])
    with pytest.raises(InputError, match=r"gone: cannot be read .*; name a folder that holds happy\.png"):
        read_emoji_set(tmp_path / "gone", ["happy"])
    (tmp_path / "sad.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"sad\.png: is no readable PNG .*; save it again as PNG"):
        read_emoji_set(tmp_path, ["sad"])
