import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import pytest

from benchmarks.detection import measure
from feat_pipeline.detect import make_detector, mtcnn_nets
from feat_pipeline.detect.mtcnn import _suppress
from feat_pipeline.errors import UnavailableError, UsageError
from feat_pipeline.sources.photos import read_photo

GOLDEN = json.loads(Path(__file__).with_name("mtcnn_golden.json").read_text(encoding="utf-8"))["photos"]
# Two of its proposals score 1 less one float32 step, so rounding decides which of them leads the cascade.
TIED = "15-f13-anc-ph.jpg"


@pytest.fixture(scope="module")
def detector():
    return make_detector("mtcnn")


@pytest.fixture(scope="module")
def unlimited():
    return make_detector("mtcnn", max_side_px=10_000)


@pytest.mark.parametrize("name", sorted(set(GOLDEN) - {TIED}))
def test_faces_equal_those_of_the_package(unlimited, feat_photos, name):
    rgb = read_photo(feat_photos / name)
    rows, points = unlimited.find(rgb)
    assert len(rows) == len(GOLDEN[name])
    last = np.array([rgb.shape[1], rgb.shape[0]] * 2) - 1
    for row, five, expected in zip(rows, points, GOLDEN[name], strict=True):
        assert np.clip(row[:4], 0, last) == pytest.approx(expected["box"], abs=0.1)
        assert row[4] == pytest.approx(expected["confidence"], abs=1e-3)
        assert five == pytest.approx(np.array(expected["points"]), abs=0.1)


def test_a_tied_face_lies_where_the_package_finds_it(unlimited, feat_photos):
    rows, points = unlimited.find(read_photo(feat_photos / TIED))
    (expected,) = GOLDEN[TIED]
    assert rows[:, :4] == pytest.approx(np.array([expected["box"]]), abs=15)
    assert points == pytest.approx(np.array([expected["points"]]), abs=5)


@pytest.mark.parametrize(
    ("name", "faces"), [("multi_face.jpg", 5), ("single_face.jpg", 1), ("free-mountain-vector-01.jpg", 0)]
)
def test_sample_photos_give_the_known_number_of_faces(detector, feat_photos, name, faces):
    assert len(detector.detect(read_photo(feat_photos / name))) == faces


def test_a_large_photo_gives_the_faces_of_its_shrunken_copy(detector, feat_photos):
    small = read_photo(feat_photos / "single_face.jpg")
    large = cv2.resize(small, None, fx=5, fy=5, interpolation=cv2.INTER_LINEAR)
    (face,), (same) = detector.detect(small), detector.detect(large)
    assert same[0].box_xyxy / 5 == pytest.approx(face.box_xyxy, abs=20)
    assert same[0].points / 5 == pytest.approx(face.points, abs=5)


@pytest.fixture(scope="module")
def small_face(feat_photos):
    """A wide scene with one face 24 px wide at (1022, 117)."""
    small = read_photo(feat_photos / "single_face.jpg")
    face = cv2.resize(small, None, fx=24 / 192, fy=24 / 192, interpolation=cv2.INTER_AREA)
    scene = np.full((300, 1300, 3), 120, np.uint8)
    scene[100 : 100 + face.shape[0], 1000 : 1000 + face.shape[1]] = face
    return scene


def test_a_face_of_24_px_is_found(detector, small_face):
    (found,) = detector.detect(small_face)
    assert found.box_xyxy == pytest.approx([1022, 117, 1047, 150], abs=4)


def test_a_face_far_below_the_least_size_is_passed_over(small_face):
    assert make_detector("mtcnn", min_face_px=60).detect(small_face) == []


def test_a_face_cut_by_the_border_has_its_box_inside(detector, feat_photos):
    half = np.ascontiguousarray(read_photo(feat_photos / "single_face.jpg")[:, 230:])
    (face,) = detector.detect(half)
    assert face.box_xyxy[0] == 0
    assert face.box_xyxy[2] == pytest.approx(143, abs=12)


def test_the_networks_equal_the_same_layers_in_torch():
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(2)
    picture = rng.normal(0, 0.5, (1, 43, 58, 3)).astype(np.float32)
    ours = run(mtcnn_nets.build_pnet(), picture=picture)
    theirs = torch_net("pnet", torch.from_numpy(picture.transpose(0, 3, 1, 2).copy()))
    assert all(np.allclose(a, b, atol=1e-4) for a, b in zip(ours, theirs, strict=True))
    for net, build in (("rnet", mtcnn_nets.build_rnet), ("onet", mtcnn_nets.build_onet)):
        size = mtcnn_nets.PATCH_PX[net]
        patches = rng.normal(0, 0.5, (3, 3, size, size)).astype(np.float32)
        model = build()
        outputs = [run(model, **whole_picture(patch)) for patch in patches]
        ours = [np.concatenate(parts) for parts in zip(*outputs, strict=True)]
        theirs = torch_net(net, torch.from_numpy(patches))
        assert all(np.allclose(a, b, atol=1e-4) for a, b in zip(ours, theirs, strict=True))


def run(model, **feed):
    return onnxruntime.InferenceSession(model.SerializeToString()).run(None, feed)


def whole_picture(patch):
    """Feed in which every pixel of a picture of the patch's own size is one sample."""
    size = patch.shape[1]
    inside = np.ones((1, size), np.float32)
    rois = np.array([[0, 0, size, size]], np.float32)
    return {"picture": patch[None], "rois": rois, "inside_x": inside, "inside_y": inside}


def torch_net(net, x):
    """The layers of the package's own definition, in torch."""
    import torch
    from torch.nn import functional

    weights = [torch.from_numpy(array) for array in mtcnn_nets.read_weights(net)]

    def conv(x):
        return functional.conv2d(x, weights.pop(0).permute(3, 2, 0, 1), weights.pop(0))

    def dense(x):
        return x @ weights.pop(0) + weights.pop(0)

    def prelu(x):
        return functional.prelu(x, weights.pop(0).flatten())

    pools = {"pnet": (2,), "rnet": (3, 3), "onet": (3, 3, 2)}[net]
    for layer in range({"pnet": 3, "rnet": 3, "onet": 4}[net]):
        x = prelu(conv(x))
        if layer < len(pools):
            same = layer != 1  # the second pooling drops what does not fit
            x = functional.max_pool2d(x, pools[layer], 2, ceil_mode=same)
    if net == "pnet":
        return [conv(x).numpy(), conv(x).softmax(1).numpy()]
    x = prelu(dense(x.permute(0, 3, 2, 1).flatten(1)))
    heads = [dense(x) for _ in range({"rnet": 2, "onet": 3}[net])]
    return [head.numpy() for head in heads[:-1]] + [heads[-1].softmax(1).numpy()]


def pairwise(rows, limit, of_smaller):
    """Suppression written out pair by pair."""
    rows = sorted(rows.tolist(), key=lambda row: -row[4])
    kept = []
    for i, (left, top, right, bottom, _) in enumerate(rows):
        dropped = False
        for a, b, c, d, _ in rows[:i]:
            shared = max(0, min(right, c) - max(left, a)) * max(0, min(bottom, d) - max(top, b))
            areas = (right - left) * (bottom - top), (c - a) * (d - b)
            dropped |= shared / (min(areas) if of_smaller else sum(areas) - shared) > limit
        if not dropped:
            kept.append(rows[i])
    return kept


@pytest.mark.parametrize("of_smaller", [False, True])
def test_suppression_compares_each_box_with_every_better_one(of_smaller):
    rng = np.random.default_rng(7)
    first = rng.uniform(0, 150, (600, 2))
    rows = np.column_stack([first, first + rng.uniform(10, 40, (600, 2)), rng.permutation(600) / 600])
    assert _suppress(rows, 0.5, of_smaller).tolist() == pairwise(rows, 0.5, of_smaller)


def test_missing_weights_name_the_command_that_mends_it(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UnavailableError, match="python -m pip install mtcnn"):
        make_detector("mtcnn")


def test_it_loads_neither_torch_nor_tensorflow():
    code = (
        "import sys; from feat_pipeline.detect import make_detector; make_detector('mtcnn'); "
        "sys.exit(bool({'torch', 'tensorflow', 'mtcnn', 'sklearn'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    "options",
    [
        {"min_face_px": 4},
        {"max_side_px": 0},
        {"thresholds": (0.6, 0.7, 1.2)},
    ],
)
def test_an_option_out_of_range_is_named(options):
    with pytest.raises(UsageError, match=f"detector mtcnn: {next(iter(options))} must lie in"):
        make_detector("mtcnn", **options)


@pytest.mark.shared
def test_it_finds_all_43_faces_of_group_photos(shared):
    assert measure(make_detector("mtcnn"), shared / "data" / "photos", times=1)["found"] >= 43
