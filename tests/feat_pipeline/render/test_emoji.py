import itertools

import numpy as np
import pytest

from feat_pipeline.errors import UsageError
from feat_pipeline.render import draw_emoji
from feat_pipeline.render.expression import expression, intensities

REST = {"AU12_r": 0.0}
TYPICAL = {  # after Ekman and Friesen's prototypes
    "angry": {4: 5, 5: 2, 7: 3.5, 23: 4, 17: 1.5},
    "disgust": {9: 4.5, 10: 4, 4: 2, 7: 2, 17: 2},
    "fear": {1: 4.5, 2: 3.5, 4: 3, 5: 4.5, 20: 4, 25: 3, 26: 2},
    "happy": {6: 4, 12: 5, 25: 4},
    "sad": {1: 4.5, 4: 2.5, 15: 4.5, 17: 3},
    "surprise": {1: 5, 2: 5, 5: 4.5, 25: 4, 26: 4.5},
    "neutral": {12: 0.0},
}
DRAWN = (1, 2, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 20, 22, 23, 24, 25, 26, 27, 28)
DRAWN += (32, 33, 34, 41, 42, 43, 44, 45, 61, 62, 63, 64)


def emoji(aus, size_px=120, share=1.0, **more):
    return draw_emoji({f"AU{n:02d}_r": share * v for n, v in aus.items()}, size_px, **more).astype(int)


def difference(a, b):
    return float(np.abs(a - b).mean())


@pytest.mark.parametrize("number", DRAWN)
def test_every_au_shows_and_more_of_it_shows_more(number):
    rest, *steps = [emoji({number: v, 12: 0.0} if number != 12 else {12: v}) for v in (0, 1, 2.5, 4, 5)]
    seen = [difference(rest, step) for step in steps]
    assert seen[0] > 0 and seen == sorted(seen) and seen[-1] > 0.15


@pytest.mark.parametrize("number", [1, 4, 12, 26, 43])
def test_a_little_more_of_an_au_moves_the_face_a_little(number):
    frames = [emoji({number: v}) for v in np.linspace(0.1, 5, 50)]
    steps = [difference(a, b) for a, b in itertools.pairwise(frames)]
    assert min(steps) > 0 and max(steps) < 0.2 * difference(frames[0], frames[-1])


def test_a_trace_of_a_smile_and_a_broad_one_differ():
    faint, broad = (expression({"AU12_r": v}).mouth for v in (1, 4))
    assert broad.corner < faint.corner - 0.08 and broad.half_width > faint.half_width + 0.08
    assert difference(emoji({12: 1}), emoji({12: 4})) > 1


def test_the_parts_move_as_facs_says():
    rest = expression(REST)
    assert expression({"AU01_r": 5}).brow.inner[1] < rest.brow.inner[1] - 0.1
    assert expression({"AU02_r": 5}).brow.outer[1] < rest.brow.outer[1] - 0.1
    assert expression({"AU04_r": 5}).brow.inner[1] > rest.brow.inner[1] + 0.1
    oblique = expression({"AU01_r": 5, "AU04_r": 4}).brow
    assert oblique.inner[1] < oblique.outer[1] < rest.brow.outer[1] + 0.1  # up at the nose
    height = {name: e.eye.lower - e.eye.upper for name, e in {
        "rest": rest, "raised": expression({"AU05_r": 5}), "tight": expression({"AU07_r": 5}),
        "shut": expression({"AU43_r": 5}),
    }.items()}  # fmt: skip
    assert height["shut"] < 0.02 < height["tight"] < height["rest"] < height["raised"]
    assert expression({"AU15_r": 5}).mouth.corner > rest.mouth.corner + 0.1
    gap = [e.mouth.lower - e.mouth.upper for e in (rest, *(expression({n: 5}) for n in ("AU25_r", "AU27_r")))]
    assert gap[0] == 0 < gap[1] < gap[2]
    assert expression({"AU20_r": 5}).mouth.half_width > rest.mouth.half_width + 0.1
    assert expression({"AU18_r": 5}).mouth.half_width < rest.mouth.half_width - 0.1


def test_the_seven_emotions_look_unlike_each_other_and_stronger_ones_more_so():
    for share, least in ((0.3, 0.5), (1.0, 2.0)):
        drawn = [emoji(aus, share=share) for aus in TYPICAL.values()]
        apart = [difference(a, b) for i, a in enumerate(drawn) for b in drawn[:i]]
        assert min(apart) > least


def test_it_turns_with_the_head():
    upright, turned = emoji(TYPICAL["happy"], 200), emoji(TYPICAL["happy"], 200, roll_deg=90)
    # clockwise: what was on the left is on top
    dark = lambda picture: np.argwhere((picture[..., :3].sum(-1) < 250) & (picture[..., 3] > 250)).mean(0)  # noqa: E731
    (y, x), (y_turned, x_turned) = dark(upright) - 99.5, dark(turned) - 99.5
    assert (x_turned, y_turned) == pytest.approx((-y, x), abs=1.5)


def test_the_disc_is_opaque_its_edge_smooth_and_its_corners_clear():
    alpha = emoji({12: 0}, 101)[..., 3]
    assert alpha[50, 5:96].min() == 255 and alpha[0, 0] == alpha[-1, -1] == 0
    assert len(np.unique(alpha)) > 20
    assert (alpha == alpha.T).all() and (alpha == alpha[::-1]).all()


def test_a_face_without_any_value_is_grey_and_at_rest():
    picture = draw_emoji({"AU12_r": float("nan"), "AU04_r": float("nan")}, 80).astype(int)
    skin = picture[30, 40, :3]
    assert np.ptp(skin) < 20
    measured = draw_emoji({"AU12_r": float("nan"), "AU04_r": 0.0}, 80).astype(int)
    assert np.ptp(measured[30, 40, :3]) > 80


def test_scales_mean_the_same_at_their_ends_and_strangers_are_passed_over():
    assert (draw_emoji({"AU12_p": 1.0}, 64) == draw_emoji({"AU12_r": 5.0}, 64)).all()
    assert (draw_emoji({"AU12_c": 1.0, "pose_Rx": 9.0, "AU99_r": 5.0}, 64) == emoji({12: 5}, 64)).all()
    assert intensities({"AU12_r": 7.0, "AU12_p": 0.1, "AU04_r": -1.0}) == {12: 1.0, 4: 0.0}


def test_sizes_from_a_pixel_on_and_no_others():
    for size in (1, 2, 7, 33, 700):
        assert draw_emoji({"AU12_r": 3}, size).shape == (size, size, 4)
    for size in (0, -3, 5000):
        with pytest.raises(UsageError, match=f"size_px: expected 1 to 2048, got {size}"):
            draw_emoji({}, size)
