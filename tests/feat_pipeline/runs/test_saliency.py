import json
import re
import shutil

import numpy as np
import pandas as pd
import pytest
import torch

from analysis.autable import AUTable
from analysis.explain import FaceExplanation
from analysis.explain import contributions as contributions_module
from analysis.explain import faces as explain_module
from analysis.explain.contributions import share_out
from analysis.logit import MultinomialLogit
from analysis.results import save_result
from feat_pipeline.detect import DETECTORS
from feat_pipeline.extract import BACKENDS, FaceAUs
from feat_pipeline.models.cnn import CnnClassifier
from feat_pipeline.models.texture import TextureClassifier
from feat_pipeline.saliency import PIXEL_REGIONS, RegionCorrelation, logit_regions
from tests.feat_pipeline.conftest import save
from tests.feat_pipeline.fakes import FakeExtractor, draw_face
from tests.feat_pipeline.saliency.test_saliency import RECIPE, SMALL, landmarks

torch.set_num_threads(1)

AUS = ("AU04_r", "AU06_r", "AU09_r", "AU12_r")
EMOTIONS = ["happy", "angry", "neutral"]


class Extractor(FakeExtractor):
    """The fakes' AUs and two more, with the landmarks of a plain face inside the box."""

    au_columns = AUS
    away_px = 0.0

    def _measure(self, frame_rgb, detection):
        found = super()._measure(frame_rgb, detection)
        smile, frown = found.aus["AU12_r"], found.aus["AU04_r"]
        aus = {"AU04_r": frown, "AU06_r": smile / 3, "AU09_r": (frown + 1) % 2, "AU12_r": smile}
        box = detection.box_xyxy
        points = (landmarks(box[2] - box[0]) + box[:2] + self.away_px).astype(np.float32)
        return FaceAUs(box, found.confidence, points, found.pose_rad, aus)


class AwayExtractor(Extractor):
    away_px = 500.0


@pytest.fixture
def fakes(monkeypatch):
    for name in ("mtcnn", "fake"):
        monkeypatch.setitem(DETECTORS, name, "tests.feat_pipeline.fakes:FakeDetector")
    for name in ("embedded", "fake"):
        monkeypatch.setitem(BACKENDS, name, "tests.feat_pipeline.runs.test_saliency:Extractor")


@pytest.fixture(scope="module")
def logit(tmp_path_factory):
    rng = np.random.default_rng(3)
    labels = np.array(EMOTIONS)[np.arange(60) % 3]
    aus = pd.DataFrame(rng.uniform(0, 2, (60, 4)), columns=list(AUS))
    aus["AU12_r"] += 2 * (labels == "happy")
    aus["AU04_r"] += 2 * (labels == "angry")
    aus.insert(0, "input", [f"photo{i}.jpg" for i in range(60)])
    table = AUTable(aus, backend="fake", backend_version="7", scale="r")
    folder = tmp_path_factory.mktemp("models") / "logit"
    MultinomialLogit().fit(table, labels).save(folder)
    return folder


def noise(n, side):
    images = np.random.default_rng(5).integers(0, 255, (n, side, side), dtype=np.uint8)
    images[::3, side // 2 :] //= 2
    images[1::3, :, side // 2 :] //= 2
    return images, np.array(EMOTIONS)[np.arange(n) % 3]


@pytest.fixture(scope="module")
def cnn(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "cnn"
    from dataclasses import replace

    CnnClassifier(recipe=replace(RECIPE, epochs=1), network=SMALL).fit(*noise(45, 24)).save(folder)
    return folder


@pytest.fixture(scope="module")
def texture(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "texture"
    TextureClassifier(components=10).fit(*noise(60, 48)).save(folder)
    return folder


@pytest.fixture
def faces(tmp_path):
    """Four photos of one face and one of two, each with grain; and one without a face."""
    folder = tmp_path / "faces"
    folder.mkdir()
    rng = np.random.default_rng(1)
    for number, places in enumerate([[20], [20], [20], [20], [20, 110]]):
        picture = np.full((110, 190, 3), 30, np.uint8)
        for x in places:
            draw_face(picture, x, 30, 50, smile=rng.uniform(1, 4), frown=rng.uniform(0, 3))
            picture[30:80, x : x + 50, 0] += rng.integers(0, 18, (50, 50), dtype=np.uint8)
        save(picture, folder / f"p{number // 2}_{number}.png")
    save(np.full((60, 70, 3), 90, np.uint8), folder / "empty.png")
    return folder


def test_photos_become_rows_figures_an_agreement_and_a_report(fakes, run, faces, cnn, logit, tmp_path):
    out = tmp_path / "out"
    arguments = ["saliency", faces, "--model", cnn, "--against", logit, "--out", out, "--draws", 50]
    code, stdout, err = run(*arguments, "--faces", 2)
    assert code == 0, err
    assert "mean rank correlation" in err and "6 inputs, 6 faces, skipped: 1 no face" in err
    assert stdout.splitlines()[0] == str(out / "saliency.csv")
    table = pd.read_csv(out / "saliency.csv")
    assert len(table) == 6 * len(PIXEL_REGIONS)
    assert table["region"].tolist() == [*PIXEL_REGIONS] * 6
    assert table.groupby(["input", "face"])["area"].sum().to_numpy() == pytest.approx(1, abs=1e-4)
    found = RegionCorrelation.load(out)
    assert (found.facts["n"], found.facts["model"], found.facts["against"]) == (6, "cnn", "logit")
    assert found.facts["gap"] < 0.05
    assert found.tables["randomisation"]["shuffled"].tolist() == ["head", "body", "stem"]
    assert set(found.tables["regions"]["region"]) == set(PIXEL_REGIONS)
    assert sorted(p.name for p in (out / "figures").iterdir()) == ["000000.png", "000001.png"]
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "What cnn looked at" in page and page.count("Where cnn looks in") == 2
    assert "Is it more than chance?" in page and "It shows people" in page
    assert "damaged" not in page
    code, _, err = run(*arguments)
    assert code == 2 and "already holds" in err and "--overwrite" in err
    assert run(*arguments, "--overwrite", "--faces", 1)[0] == 0
    assert sorted(p.name for p in (out / "figures").iterdir()) == ["000000.png"]


def test_contributions_are_those_of_the_emotion_that_the_network_answers(
    fakes, run, faces, cnn, logit, tmp_path
):
    options = ["--method", "grad-cam", "--target", "angry", "--faces", 0]
    code, _, err = run(
        "saliency", faces / "p0_0.png", "--model", cnn, "--against", logit, "--out", tmp_path / "o", *options
    )
    assert code == 0 and "no agreement is given: faces: expected two or more" in err
    table = pd.read_csv(tmp_path / "o" / "saliency.csv").set_index("region")
    assert set(table["emotion"]) == {"angry"} and table["attribution"].isna().all()
    run("extract", faces / "p0_0.png", "--out", tmp_path / "aus")
    expected = logit_regions(
        MultinomialLogit.load(logit), AUTable.read(tmp_path / "aus" / "aus.csv"), ["angry"]
    )
    expected = expected.set_index("region")["contribution"]
    assert set(expected.index) == set(table.index[table["contribution"].notna()])
    assert table["contribution"].loc[expected.index].to_numpy() == pytest.approx(
        expected.to_numpy(), abs=1e-3
    )
    page = (tmp_path / "o" / "report.html").read_text(encoding="utf-8")
    assert "Too few faces." in page and "Is it more than chance?" not in page


def test_the_regression_explains_each_face_once(fakes, run, faces, cnn, logit, tmp_path, monkeypatch):
    """Before, it did so for every class, twice: 6 faces of 3 classes took 36 explanations."""
    made, passes = [], []
    monkeypatch.setattr(
        contributions_module, "share_out", lambda *given: passes.append(len(given[1])) or share_out(*given)
    )
    monkeypatch.setattr(
        explain_module, "FaceExplanation", lambda **given: made.append(1) or FaceExplanation(**given)
    )
    arguments = ["--model", cnn, "--against", logit, "--out", tmp_path / "o", "--method", "grad-cam"]
    assert run("saliency", faces, *arguments, "--draws", 20, "--faces", 2)[0] == 0
    assert len(made) == 6  # of the prediction itself
    assert passes == [6]


@pytest.mark.parametrize("explains", ["cnn", "another"])
def test_the_surrogate_of_another_model_is_told(fakes, run, faces, cnn, logit, tmp_path, explains):
    folder = tmp_path / "surrogate"
    shutil.copytree(logit, folder)
    save_result(folder, "surrogate", {"explains": explains, "usable": True, "verdict": "good"}, {})
    code, _, err = run(
        "saliency", faces, "--model", cnn, "--against", folder, "--out", tmp_path / "out", "--faces", 0,
        "--draws", 20, "--method", "grad-cam",
    )  # fmt: skip
    assert code == 0
    told = "against surrogate: is the surrogate of another, and not of cnn"
    assert (told in err) == (explains == "another")
    assert any(told in note for note in json.loads((tmp_path / "out" / "run.json").read_text())["notes"]) == (
        explains == "another"
    )


def test_a_surrogate_is_named_and_its_faults_told(fakes, run, faces, cnn, logit, tmp_path):
    folder = tmp_path / "why-cnn"
    MultinomialLogit.load(logit).save(folder)
    facts = {"explains": "mycnn", "usable": False, "verdict": "Not usable: R² is 0.1."}
    save_result(folder, "surrogate", facts, {})
    options = ["--method", "grad-cam", "--draws", 20, "--faces", 0, "--person", r"(p\d)_\d|empty"]
    photos = sorted(faces.glob("p*"))
    code, _, err = run(
        "saliency", *photos, "--model", cnn, "--against", folder, "--out", tmp_path / "o", *options
    )
    assert code == 0, err
    found = RegionCorrelation.load(tmp_path / "o").facts
    assert found["surrogate"] == facts and found["grouped"] is True
    page = (tmp_path / "o" / "report.html").read_text(encoding="utf-8")
    assert "the surrogate of mycnn" in page and "The surrogate is not faithful" in page
    assert "the interval is over people" in page


def test_a_model_without_a_network_is_explained_by_its_answers(fakes, run, faces, texture, logit, tmp_path):
    arguments = ["saliency", faces / "p2_4.png", "--model", texture, "--against", logit]
    code, _, err = run(*arguments, "--out", tmp_path / "o")
    assert code == 2 and "this model has none; take 'occlusion' or 'shapley'" in err
    assert not (tmp_path / "o").exists()
    code, _, err = run(*arguments, "--out", tmp_path / "o", "--method", "occlusion", "--draws", 20)
    assert code == 0 and "no randomisation check" in err
    table = pd.read_csv(tmp_path / "o" / "saliency.csv")
    assert len(table) == 2 * len(PIXEL_REGIONS) and table["attribution"].notna().all()
    assert "This could not be checked" in (tmp_path / "o" / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--model", "{logit}"], "model logit: looks at Action Units and not at pixels"),
        (["--model", "{cnn}", "--against", "{cnn}"], "against cnn: has no contributions of Action Units"),
        (["--model", "{cnn}", "--method", "lime"], "invalid choice: 'lime'"),
        (
            ["--model", "{cnn}", "--target", "bored"],
            "target: the model knows angry, happy, neutral, not 'bored'",
        ),
        (["--model", "{cnn}", "--draws", "0"], "expected 0, 1 and 0 or more, got 12, 0 and 0"),
        (["--model", "{cnn}", "--person", "(x"], "is no regular expression"),
        (["--model", "nowhere"], "model nowhere: no such shipped model, folder or file"),
    ],
)
def test_wrong_usage_is_refused_before_the_work(fakes, run, faces, cnn, logit, tmp_path, options, message):
    options = [text.format(cnn=cnn, logit=logit) for text in options]
    options += [] if "--against" in options else ["--against", logit]
    code, out, err = run("saliency", faces, *options, "--out", tmp_path / "o")
    assert (code, out) == (2, "") and message in err
    assert not (tmp_path / "o").exists()


def test_photos_without_a_face_are_refused_in_one_line(fakes, run, faces, cnn, logit, tmp_path):
    code, out, err = run(
        "saliency", faces / "empty.png", "--model", cnn, "--against", logit, "--out", tmp_path / "o"
    )
    assert (code, out) == (2, "") and "photos: no face was found" in err and err.count("\n") == 1


def test_faces_whose_landmarks_lie_elsewhere_are_left_out_and_listed(
    fakes, run, faces, cnn, logit, tmp_path, monkeypatch
):
    monkeypatch.setitem(BACKENDS, "fake", "tests.feat_pipeline.runs.test_saliency:AwayExtractor")
    code, _, err = run("saliency", faces, "--model", cnn, "--against", logit, "--out", tmp_path / "o")
    assert code == 2 and "no face was found whose" in err


def test_a_damaged_agreement_costs_the_report_its_section_only(fakes, run, tmp_path):
    save_result(tmp_path, "agreement", {"model": "cnn"}, {})
    code, _, err = run("report", tmp_path)
    page = (tmp_path / "report.html").read_text(encoding="utf-8") if code == 0 else err
    assert code == 0 and re.search("agreement.json was left out, since it is damaged", page)
