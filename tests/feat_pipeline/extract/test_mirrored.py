import cv2
import numpy as np
import pytest

from feat_pipeline.detect import Detection
from feat_pipeline.extract import FaceAUs
from feat_pipeline.extract.mirrored import MirroredExtractor
from feat_pipeline.faces.crops import FaceCrops
from feat_pipeline.models.ensemble import Ensemble
from feat_pipeline.models.views import MirroredModel, with_more_views
from feat_pipeline.sources.photos import read_photo

SIDES = {"AU51_r": "AU52_r", "AU55_r": "AU56_r", "AU61_r": "AU62_r"}


class Sided:
    """AU51 and AU52 are brightness left and right in the box, AU12 where its first point lies."""

    name, version, scale = "sided", "3", "r"
    au_columns = ("AU12_r", "AU51_r", "AU52_r")
    extra_columns = ("extra",)

    def extract(self, frames, detections):
        return [[self._measure(f, d) for d in of_f] for f, of_f in zip(frames, detections, strict=True)]

    def _measure(self, frame, found):
        assert frame.flags.c_contiguous
        x0, _, x1, _ = map(int, found.box_xyxy)
        middle = (x0 + x1) // 2
        left, right = frame[:, x0:middle].mean() / 51, frame[:, middle:x1].mean() / 51
        at = np.nan if left > 4.9 else (found.points[0][0] - x0) / 10
        aus = {"AU12_r": float(at), "AU51_r": float(left), "AU52_r": float(right)}
        points = np.full((68, 2), x0, np.float32)
        return FaceAUs(found.box_xyxy, 0.9, points, np.float32([0.1, 0.2, 0.3]), aus, {"extra": 4.0})


def picture(left, right):
    rgb = np.zeros((40, 90, 3), np.uint8)
    rgb[:, 20:40], rgb[:, 40:60] = left, right
    return rgb


FIVE = np.float32([[26, 10], [50, 11], [41, 20], [30, 30], [49, 31]])


def test_aus_are_the_mean_of_both_and_those_with_a_side_change_it():
    found = Detection(np.float32([20, 0, 60, 40]), 0.9, FIVE)
    mirrored = MirroredExtractor(Sided())
    ((face,),) = mirrored.extract([picture(102, 204)], [[found]])
    assert face.aus["AU51_r"] == pytest.approx(2) and face.aus["AU52_r"] == pytest.approx(4)
    assert face.aus["AU12_r"] == pytest.approx((0.6 + 1.0) / 2)  # in the mirror the other eye is the first
    assert face.box_xyxy.tolist() == [20, 0, 60, 40] and face.extra == {"extra": 4.0}
    assert face.pose_rad.tolist() == pytest.approx([0.1, 0.2, 0.3]) and face.landmarks[0, 0] == 20
    told = ("name", "version", "scale", "au_columns", "extra_columns")
    assert all(getattr(mirrored, name) == getattr(Sided, name) for name in told)


def test_a_face_of_which_the_mirror_image_fails_has_no_value():
    found = Detection(np.float32([20, 0, 60, 40]), 0.9, FIVE)
    ((face,),) = MirroredExtractor(Sided()).extract([picture(100, 255)], [[found]])
    assert np.isnan(face.aus["AU12_r"])


def test_a_photo_and_its_mirror_image_measure_alike(feat_photos):
    from feat_pipeline.detect import make_detector
    from feat_pipeline.extract import make_extractor

    rgb = read_photo(feat_photos / "multi_face.jpg")
    turned = np.ascontiguousarray(rgb[:, ::-1])
    found = make_detector("mtcnn").detect(rgb)
    x0, y0, x1, y1 = np.array([d.box_xyxy for d in found]).T
    boxes = np.column_stack([rgb.shape[1] - x1, y0, rgb.shape[1] - x0, y1])
    points = [d.points[[1, 0, 2, 4, 3]] * (-1, 1) + (rgb.shape[1], 0) for d in found]
    opposite = [Detection(b, 0.9, np.float32(p)) for b, p in zip(boxes, points, strict=True)]
    plain = make_extractor("embedded")
    for extractor, most in ((plain, None), (MirroredExtractor(plain), 0.02)):
        here, there = extractor.extract([rgb, turned], [found, opposite])
        swap = SIDES | {other: one for one, other in SIDES.items()}
        apart = [
            abs(a.aus[c] - b.aus[swap.get(c, c)]) for a, b in zip(here, there, strict=True) for c in a.aus
        ]
        if most is None:
            assert max(apart) > 0.3  # so there is something to average
        else:
            assert max(apart) < most


class Leftness:
    """Says 'left' as far as the left half of a crop is brighter."""

    consumes = "pixels"
    explains = False
    classes_ = np.array(["left", "right"])

    def predict_proba(self, X):
        X = np.asarray(X).astype(float)
        half = X.shape[2] // 2
        left = X[:, :, :half].mean(axis=(1, 2, 3)) / 255
        return np.column_stack([left, 1 - left])


def test_a_model_of_pixels_gives_the_mean_of_face_and_mirror_image():
    crops = np.zeros((2, 16, 16, 3), np.uint8)
    crops[0, :, :8], crops[1] = 255, 51
    model, told = with_more_views(Leftness())
    assert isinstance(model, MirroredModel) and "mirror image, averaged" in told
    assert model.classes_.tolist() == ["left", "right"] and model.consumes == "pixels"
    assert model.predict_proba(crops) == pytest.approx(np.array([[0.5, 0.5], [0.2, 0.8]]))


def test_faces_in_mirrored_pictures_are_cut_mirrored():
    rng = np.random.default_rng(3)
    rgb = cv2.GaussianBlur(rng.integers(0, 256, (70, 110, 3), dtype=np.uint8), (0, 0), 3)
    crops = FaceCrops([rgb, rgb], [(10, 12, 51, 60), (60, 8, 100, 52)])
    straight, turned = crops.around(32).astype(int), crops.mirrored().around(32).astype(int)
    assert np.abs(straight[:, :, ::-1] - turned).max() <= 2
    assert len(FaceCrops([], []).mirrored()) == 0


def test_networks_get_ten_crops_and_ensembles_pass_it_on():
    class Network(Leftness):
        views = "mirror"

    class OnAUs(Leftness):
        consumes = "aus"

    both = Ensemble({"net": Network(), "aus": OnAUs(), "other": Leftness()})
    model, told = with_more_views(both)
    assert model.members["net"].views == "ten-crop"
    assert isinstance(model.members["other"], MirroredModel)
    assert told.startswith(
        "net: views ten-crop; aus: AUs of the face and its mirror image, averaged; other: "
    )
