import json
import subprocess
import sys

import numpy as np
import pytest

from analysis.errors import ModelError
from analysis.logit import MultinomialLogit
from feat_pipeline import models, predict
from feat_pipeline.errors import InputError, UsageError
from feat_pipeline.predict import Predictor
from feat_pipeline.runs.predict import predict_files, slug
from feat_pipeline.sources.frame import Frame
from feat_pipeline.sources.photos import read_photo
from tests.feat_pipeline.conftest import au_rows

HEAVY = {
    "torch",
    "sklearn",
    "statsmodels",
    "scipy",
    "pandera",
    "matplotlib",
    "seaborn",
    "jinja2",
    "tqdm",
    "feat",
}


def test_a_smile_is_happy_because_of_au12(predictor, photos):
    (face,) = predictor.predict(photos / "sub" / "one.png")
    assert face.label() == "happy"
    explanation = face.explanations["tiny"]
    assert explanation.target == "happy" and explanation.table["au"].iloc[0] == "AU12_r"
    assert sum(face.probabilities["tiny"].values()) == pytest.approx(1)


def test_faces_come_left_to_right_with_box_and_crop(predictor, photos):
    first, second = predictor.predict(photos / "two.png")
    assert [first.label(), second.label()] == ["happy", "angry"]
    assert [first.face, second.face] == [0, 1]
    assert second.box_xyxy.tolist() == [110, 30, 158, 78]
    assert first.crop_rgb.shape == (160, 160, 3) and first.crop_rgb[80, 80].tolist() == [200, 200, 0]


def test_path_array_and_frame_give_the_same_numbers(predictor, photos):
    path = photos / "two.png"
    rgb = read_photo(path)
    answers = [predictor.predict(source) for source in (path, rgb, Frame(rgb, "x"))]
    assert [[f.probabilities for f in faces] for faces in answers] == [
        [f.probabilities for f in answers[0]] for _ in range(3)
    ]


def test_no_face_is_an_empty_answer(predictor, photos):
    assert predictor.predict(photos / "empty.png") == []


def test_an_unreadable_photo_raises(predictor, tmp_path):
    (tmp_path / "text.jpg").write_text("no picture")
    with pytest.raises(InputError, match=r"text\.jpg: is no JPEG"):
        predictor.predict(tmp_path / "text.jpg")


def test_a_face_that_cannot_be_measured_has_no_answer(predictor):
    picture = np.zeros((60, 60, 3), np.uint8)
    picture[10:40, 10:40] = (200, 255, 0)
    (face,) = predictor.predict(picture)
    assert face.label() == "" and face.probabilities == {} and face.explanations == {}


def test_several_models_answer_for_the_same_face(fakes, model_dir, photos, tmp_path):
    aus, labels = au_rows(seed=9)
    MultinomialLogit(terms="hinges").fit(aus, labels).save(tmp_path / "second")
    predictor = Predictor(models=[model_dir, tmp_path / "second"], backend="fake")
    (face,) = predictor.predict(photos / "sub" / "one.png")
    assert list(face.probabilities) == ["tiny", "second"] == list(face.explanations)


def test_a_model_on_pixels_sees_the_crops_and_gives_no_reasons(fakes, photos, monkeypatch):
    class Redness:
        consumes = "pixels"
        explains = False
        classes_ = np.array(["happy", "sad"])

        def predict_proba(self, X):
            X = np.asarray(X)
            assert X.dtype == np.uint8 and X.shape == (2, 160, 160, 3)
            return np.tile([0.25, 0.75], (len(X), 1))

    monkeypatch.setattr(predict, "load_model", lambda spec: Redness())
    monkeypatch.setattr(predict, "model_name", lambda spec: "red")
    faces = Predictor(models=["red"]).predict(photos / "two.png")
    assert [face.label() for face in faces] == ["sad", "sad"] and faces[0].explanations == {}


def test_the_model_fixes_the_backend(fakes, model_dir):
    assert Predictor(models=[model_dir]).extractor.name == "fake"


def test_a_model_for_other_aus_is_refused_before_any_photo_is_read(fakes, tmp_path):
    aus, labels = au_rows()
    MultinomialLogit().fit(aus.rename(columns={"AU25_r": "AU26_r"}), labels).save(tmp_path / "other")
    with pytest.raises(ModelError, match="AU26_r"):
        Predictor(models=[tmp_path / "other"])


def test_a_model_on_another_scale_is_refused(fakes, tmp_path):
    aus, labels = au_rows()
    aus = aus.rename(columns=lambda name: name.replace("_r", "_p"))
    MultinomialLogit().fit(aus, labels).save(tmp_path / "scaled")
    with pytest.raises(ModelError, match="_p"):
        Predictor(models=[tmp_path / "scaled"])


def test_models_of_one_name_or_different_backends_are_refused(fakes, model_dir, tmp_path):
    with pytest.raises(UsageError, match="another model is named tiny too"):
        Predictor(models=[model_dir, model_dir])
    other = MultinomialLogit.load(model_dir)
    other.backend_ = "elsewhere"
    other.save(tmp_path / "far")
    with pytest.raises(UsageError, match="different AU backends"):
        Predictor(models=[model_dir, tmp_path / "far"])


def test_predict_files_writes_rows_reasons_faces_and_copies(fakes, model_dir, photos, tmp_path):
    out = tmp_path / "out"
    result = predict_files(photos, out=out, models=[model_dir], annotate=True)
    assert list(result.predictions.columns) == [
        *("input", "frame", "time_s", "face", "x", "y", "w", "h", "confidence", "model", "label"),
        *("p_angry", "p_happy", "p_neutral", "picture"),
    ]
    assert sorted(result.predictions["label"]) == ["angry", "happy", "happy"]
    reasons = [json.loads(line) for line in (out / "explanations.jsonl").read_text().splitlines()]
    assert len(reasons) == 3
    for reason in reasons:
        assert (out / reason["picture"]).is_file() and (out / reason["annotated"]).is_file()
        assert reason["model"] == "tiny" and reason["aus"][0]["au"].startswith("AU")
    assert len(list((out / "annotated").iterdir())) == 2
    assert MultinomialLogit.load(out / "models" / "tiny").classes_.tolist() == ["angry", "happy", "neutral"]


def test_overwriting_removes_the_pictures_of_the_run_before(fakes, model_dir, photos, tmp_path):
    out = tmp_path / "out"
    predict_files(photos, out=out, models=[model_dir], annotate=True)
    (out / "faces" / "holiday.jpg").write_bytes(b"mine")
    predict_files(photos / "sub", out=out, models=[model_dir], overwrite=True)
    assert sorted(p.name for p in (out / "faces").iterdir()) == ["000000.jpg", "holiday.jpg"]
    assert list((out / "annotated").iterdir()) == []


def test_overwriting_removes_the_models_of_the_run_before_and_no_others(fakes, model_dir, photos, tmp_path):
    out = tmp_path / "out"
    other = MultinomialLogit.load(model_dir).save(tmp_path / "other").parent
    predict_files(photos / "two.png", out=out, models=[model_dir, other])
    (out / "models" / "mine").mkdir()
    (out / "models" / "mine" / "model.json").touch()
    predict_files(photos / "two.png", out=out, models=[model_dir], overwrite=True)
    assert sorted(path.name for path in (out / "models").iterdir()) == ["mine", "tiny"]


def test_results_among_the_photos_are_not_taken_for_photos(fakes, model_dir, photos):
    predict_files(photos, out=photos, models=[model_dir], annotate=True)
    result = predict_files(photos, out=photos, models=[model_dir], annotate=True, overwrite=True)
    assert result.run["counts"]["inputs"] == 3


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("../../etc/passwd.jpg", "passwd"),
        ("..", "photo"),
        ("a/" + "x" * 250 + ".jpg", "x" * 40),
        ("Zoë größer 笑顔.png", "Zoë_größer_笑顔"),
        ("a b<c>:d.jpg", "a_b_c_d"),
    ],
)
def test_names_of_copies_are_safe(path, expected):
    assert slug(path) == expected


def test_load_model_names_what_is_missing(tmp_path):
    with pytest.raises(InputError, match=r"model nowhere: no such shipped model, folder or file"):
        models.load_model("nowhere")
    with pytest.raises(InputError, match=r"holds no model\.json"):
        models.load_model(tmp_path)
    (tmp_path / "model.json").write_text('{"format": "pickle"}')
    with pytest.raises(InputError, match=r"expected one of multinomial-logit, cnn, .*, got 'pickle'"):
        models.load_model(tmp_path)


def test_predicting_loads_no_training_library(model_dir, photos):
    command = ["predict", str(photos), "--model", str(model_dir), "--out", str(photos / "out"), "--annotate"]
    code = f"""
import sys
import tests.feat_pipeline.fakes
from feat_pipeline import detect, extract
detect.DETECTORS["mtcnn"] = "tests.feat_pipeline.fakes:FakeDetector"
extract.BACKENDS["fake"] = "tests.feat_pipeline.fakes:FakeExtractor"
from feat_pipeline.cli import main
main({command})
print(sorted({HEAVY} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
