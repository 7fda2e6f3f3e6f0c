import numpy as np

from feat_pipeline.film.follow import Follower
from feat_pipeline.film.lost_faces import Cover
from feat_pipeline.sources.frame import Frame
from tests.feat_pipeline.render.made import made_face

BOX = (20, 30, 60, 90)


def cover_frames(seen, rate=10, before_s=0.5):
    """Frames at `rate` a second, the face being found in those that are true in `seen`."""
    cover, follower = Cover(before_s), Follower({})
    out = []
    for i, found in enumerate(seen):
        faces = follower.update(i / rate, [made_face(BOX, {12: 1})] if found else [])
        out += cover.add(Frame(np.zeros((4, 5, 3), np.uint8), "film", i, i / rate), faces)
    return [*out, *cover.rest()]


def test_a_face_is_covered_half_a_second_before_and_a_second_after_it_is_seen():
    covered = cover_frames([False] * 10 + [True] + [False] * 15)
    assert [item.frame.index for item in covered] == list(range(26))
    assert [item.frame.index for item in covered if item.lost] == [*range(5, 10), *range(11, 21)]
    assert [item.frame.index for item in covered if item.faces] == [10]


def test_a_face_that_is_lost_is_covered_by_more_than_its_box():
    (lost,) = cover_frames([True, False])[1].lost.values()
    assert np.allclose(lost.box_xyxy, (14, 21, 66, 99))


def test_a_gap_is_covered_once():
    covered = cover_frames([True, True, False, False, True])
    assert [len(item.lost) + len(item.faces) for item in covered] == [1] * 5


def test_a_camera_waits_for_nothing():
    cover, follower = Cover(0.0), Follower({})
    frame = Frame(np.zeros((4, 5, 3), np.uint8), "camera 0", 0, 0.0)
    assert [item.frame for item in cover.add(frame, follower.update(0.0, []))] == [frame]


def test_few_frames_wait_whatever_their_rate():
    cover, waiting, most = Cover(), 0, 0
    for i in range(200):
        out = list(cover.add(Frame(np.zeros((4, 5, 3), np.uint8), "film", i, i / 1000), []))
        waiting += 1 - len(out)
        most = max(most, waiting)
    assert most == 30
