import cv2
import numpy as np
import pytest

from feat_pipeline.errors import InputError, UsageError
from feat_pipeline.faces.appearance import FrameLooks
from feat_pipeline.faces.track import FaceTracker, gap_bound
from feat_pipeline.sources.videos import read_video

SIZE = 90.0


def box(x, y, size=SIZE):
    return [x - size / 2, y - size / 2, x + size / 2, y + size / 2]


def shapes_of(people, rng):
    """Landmarks of each person about the middle, in face sizes; people differ as much as faces do."""
    common = rng.normal(0, 0.3, (68, 2))
    points = [common + rng.normal(0, 0.03, (68, 2)) for _ in range(people)]
    for face in points:
        face[36:42], face[42:48] = (-0.2, -0.1), (0.2, -0.1)
    return points


def crossing(t, size):
    """Two pass one another; the rear one is hidden meanwhile."""
    left, right = 100 + 80 * t, 600 - 80 * t
    both = [(0, left, 200), (1, right, 200 + 0.25 * size)]
    return both[:1] if abs(left - right) < 0.5 * size else both


def gaps(t, size):
    """Two sway, and are lost for half a second by turns."""
    both = [(0, 200 + 20 * np.sin(t), 200), (1, 450 + 20 * np.cos(2 * t), 220)]
    return [face for face in both if int(t * 2) % 3 != face[0]]


def touching(t, size):
    """Two come together, stop side by side and part again."""
    apart = 100 * abs(t - 3) + 0.8 * size
    return [(0, 300 - apart / 2, 200), (1, 300 + apart / 2, 200)]


def swinging(t, size):
    """Two swing to and fro against one another at up to three face sizes a second."""
    way = 120 * np.sin(2 * np.pi * t / 2.5)
    return [(0, 300 + way, 200), (1, 300 - way, 200 + 1.1 * size)]


def leaving(t, size):
    """One leaves; another comes elsewhere a moment later; a third stays."""
    stays = [(2, 80, 150)]
    return stays + ([(0, 300, 200)] if t < 3 else [(1, 600, 220)] if t > 3.3 else [])


def follow(scene, seed, rate, landmarks=True):
    """Track a simulated scene of 6 s, a twentieth of whose faces are not found: who each was, and its id."""
    rng = np.random.default_rng(seed)
    people = shapes_of(3, rng)
    size = rng.uniform(60, 120)
    tracker = FaceTracker()
    truth, ids = [], []
    for t in np.arange(0, 6, 1 / rate):
        faces = []
        for person, x, y in scene(t, size):
            if rng.random() < 0.05:
                continue
            own = size * (1 + 0.15 * person) * np.exp(rng.normal(0, 0.04))
            x, y = rng.normal((x, y), 0.04 * size)
            points = (x, y) + own * (people[person] + rng.normal(0, 0.02, (68, 2)))
            faces.append((x, person, box(x, y, own), points))
        faces.sort(key=lambda face: face[0])  # as a detector gives them, left to right
        points = np.array([face[3] for face in faces]).reshape(-1, 68, 2) if landmarks else None
        ids += tracker.update(t, np.array([face[2] for face in faces]), points)
        truth += [face[1] for face in faces]
    return np.array(truth), np.array(ids)


def switches(truth, ids):
    """How often a person's id changes, the ID switches of CLEAR MOT."""
    return sum(int((np.diff(ids[truth == person]) != 0).sum()) for person in np.unique(truth))


@pytest.mark.parametrize("landmarks", [True, False])
@pytest.mark.parametrize("scene", [crossing, gaps, touching, swinging, leaving])
def test_ids_stay_in_simulated_scenes_of_thirty_frames_a_second(scene, landmarks):
    for seed in range(4):
        truth, ids = follow(scene, seed, 30, landmarks)
        assert switches(truth, ids) == 0
        assert len(np.unique(ids)) == len(np.unique(truth))  # nobody shares an id
        assert len(ids) > 150


@pytest.mark.parametrize(("rate", "most"), [(10, 0), (5, 3)])
def test_ids_nearly_stay_at_few_frames_a_second(rate, most):
    found = [
        follow(scene, seed, rate) for scene in (crossing, gaps, touching, swinging) for seed in range(10)
    ]
    assert sum(switches(*one) for one in found) <= most


def test_faces_elsewhere_after_a_cut_are_new():
    tracker = FaceTracker()
    for i in range(30):
        assert tracker.update(i / 30, [box(200, 200), box(420, 210)]) == [0, 1]
    assert tracker.update(1.0, [box(310, 330, 160)]) == [2]
    assert tracker.update(1.0 + 1 / 30, [box(312, 331, 160)]) == [2]


def test_a_face_that_was_away_for_long_is_new():
    tracker = FaceTracker(max_gap_s=0.5)
    assert [tracker.update(t, [box(200, 200)]) for t in (0.0, 0.1, 0.6, 1.2)] == [[0], [0], [0], [1]]
    assert FaceTracker(max_gap_s=2).update(5.0, np.zeros((0, 4))) == []


def test_the_shape_of_the_landmarks_tells_faces_that_stand_on_one_another():
    rng = np.random.default_rng(3)
    one, other = shapes_of(2, rng)
    other = other + rng.normal(0, 0.1, (68, 2))
    tracker = FaceTracker()
    tracker.update(0.0, [box(200, 200), box(204, 200)], np.array([one, other]) * SIZE + 200)
    swapped = np.array([other, one]) * SIZE + 200
    assert tracker.update(0.04, [box(200, 200), box(204, 200)], swapped) == [1, 0]


def test_the_same_frames_give_the_same_ids():
    first, second = (follow(crossing, 7, 30)[1].tolist() for _ in range(2))
    assert first == second


@pytest.mark.parametrize(
    ("boxes", "landmarks", "time_s", "reason"),
    [
        ([[0, 0, np.nan, 5]], None, 1.0, "finite"),
        ([[5, 0, 0, 5]], None, 1.0, "left, top, right, bottom"),
        ([box(5, 5)], np.zeros((2, 68, 2)), 1.0, r"shape \(1, 68, 2\), got \(2, 68, 2\)"),
        ([box(5, 5)], None, 0.2, r"expected 0\.5 or later, got 0\.2"),
        ([box(5, 5)], None, np.nan, "or later, got nan"),
    ],
)
def test_what_cannot_be_followed_is_refused(boxes, landmarks, time_s, reason):
    tracker = FaceTracker()
    tracker.update(0.5, [box(5, 5)])
    with pytest.raises(InputError, match=reason):
        tracker.update(time_s, boxes, landmarks)


@pytest.mark.parametrize("gap", [0, -1, np.nan])
def test_a_gap_must_be_positive(gap):
    with pytest.raises(UsageError, match="max_gap_s: expected seconds above 0"):
        FaceTracker(gap)


def test_the_one_face_of_a_real_video_keeps_its_id(feat_photos):
    from feat_pipeline.detect import make_detector

    detector, tracker = make_detector("haar"), FaceTracker()
    ids = []
    for frame in read_video(feat_photos / "single_face.mp4", every_frames=4):
        found = detector.detect(frame.rgb)
        ids += tracker.update(frame.time_s, np.array([face.box_xyxy for face in found]).reshape(-1, 4))
    assert len(ids) >= 16 and ids.count(0) >= 16


def test_a_gap_of_a_video_that_is_looked_at_seldom_may_be_longer():
    assert gap_bound(np.arange(90) / 30) == 2.0
    assert gap_bound(np.array([0.0, 4.0, 8.0, 8.0, 12.0])) == 10.0
    assert gap_bound(np.array([7.0])) == gap_bound(np.empty(0)) == 2.0


def textured(seed, size=(136, 136)):
    """A head's pixels: blots by which it is known."""
    noise = np.random.default_rng(seed).normal(0, 1, (*size, 3))
    blots = cv2.GaussianBlur(noise, (0, 0), 8)
    return np.clip(128 + 50 * blots / blots.std(), 0, 255).astype(np.uint8)


def picture(background, faces):
    """A frame of blots with faces at (x, y), and their boxes."""
    rgb = textured(100 + background, (240, 400))
    boxes = []
    for seed, x, y in faces:
        rgb[y - 20 : y + 116, x - 20 : x + 116] = textured(seed)
        boxes.append([x, y, x + 96, y + 96])
    return rgb, np.array(boxes, float)


def ids_of(shots, step_s=0.04, frames=10):
    """Ids in the last frame of each shot; every shot lasts for some frames."""
    tracker, last, i = FaceTracker(), [], 0
    for shot in shots:
        rgb, boxes = picture(*shot)
        for _ in range(frames):
            unknown = np.full((len(boxes), 68, 2), np.nan)
            ids = tracker.update(i * step_s, boxes, None, FrameLooks.of(rgb, boxes, unknown))
            i += 1
        last.append(ids)
    return last


A, B = 1, 2


def test_another_person_at_the_same_place_after_a_cut_is_another():
    assert ids_of([(0, [(A, 150, 70)]), (1, [(B, 150, 70)])]) == [[0], [1]]


def test_two_who_change_sides_at_a_cut_keep_their_ids():
    sides, changed = [(A, 50, 70), (B, 250, 70)], [(B, 50, 70), (A, 250, 70)]
    assert ids_of([(0, sides), (1, changed)]) == [[0, 1], [1, 0]]


def test_two_who_change_sides_in_the_same_room_keep_their_ids():
    sides, changed = [(A, 50, 70), (B, 250, 70)], [(B, 50, 70), (A, 250, 70)]
    assert ids_of([(0, sides), (0, changed)]) == [[0, 1], [1, 0]]


def test_a_person_who_comes_back_after_the_reverse_shot_has_the_id_of_before():
    assert ids_of([(0, [(A, 150, 70)]), (1, [(B, 90, 60)]), (0, [(A, 152, 71)])]) == [[0], [1], [0]]


def test_nobody_is_taken_for_who_stood_there_before_the_cut_but_one():
    assert ids_of([(0, [(A, 150, 70)]), (1, []), (2, [(B, 150, 70)])], frames=5) == [[0], [], [1]]


def test_a_flash_changes_no_id():
    rgb, boxes = picture(0, [(A, 150, 70)])
    unknown, white = np.full((1, 68, 2), np.nan), np.full_like(rgb, 255)
    tracker = FaceTracker()
    frames = [rgb] * 5 + [white] * 2 + [rgb] * 5
    ids = [
        tracker.update(i / 25, boxes, None, FrameLooks.of(seen, boxes, unknown))
        for i, seen in enumerate(frames)
    ]
    assert ids == [[0]] * 12 and tracker.cuts == 0
