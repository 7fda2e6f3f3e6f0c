import json

import numpy as np
import pandas as pd
import pytest

from analysis.autable import AUTable
from analysis.errors import FitError, ModelError
from analysis.explain import explain
from analysis.logit import MultinomialLogit
from feat_pipeline.errors import OutputError, UsageError
from feat_pipeline.models.flexible import AuBoosting
from feat_pipeline.runs import explain as module
from feat_pipeline.runs.explain import explain_table
from tests.feat_pipeline.conftest import au_rows


@pytest.fixture
def aus(tmp_path):
    """A table of 40 faces of four people, one of which could not be measured."""
    frame, labels = au_rows(40, seed=9)
    frame = frame.assign(face=1, who=np.array(["a", "b", "c", "d"])[np.arange(40) % 4], emotion=labels)
    frame.loc[6, "AU12_r"] = np.nan
    path = tmp_path / "aus.csv"
    AUTable(frame, backend="fake", backend_version="7", scale="r").write(path)
    return path


def records(out):
    return [json.loads(line) for line in (out / "explanations.jsonl").read_text("utf-8").splitlines()]


def test_every_face_of_a_table_is_named_and_explained(aus, model_dir, tmp_path):
    out = tmp_path / "out"
    notes = explain_table(aus, model=model_dir, out=out)
    assert notes == ["1 of 40 faces have no explanation: see skipped.csv"]
    predictions = pd.read_csv(out / "predictions.csv")
    assert list(predictions.columns) == [
        *("input", "frame", "time_s", "face", "x", "y", "w", "h", "confidence", "model", "label"),
        *("p_angry", "p_happy", "p_neutral", "picture"),
    ]
    assert len(predictions) == 40
    assert pd.isna(predictions["label"][6])
    model, table = MultinomialLogit.load(model_dir), AUTable.read(aus)
    expected = model.predict(table)
    assert (predictions["label"].drop(6) == np.delete(expected, 6)).all()
    lines = records(out)
    assert [line["input"] for line in lines] == [f"photo{i}.jpg" for i in range(40) if i != 6]
    assert {(line["model"], line["face"], line["frame"]) for line in lines} == {("tiny", 1, 0)}
    ours = explain(model, table.aus.iloc[11], draws=500)
    line = lines[10]
    assert line["rationale"] == ours.rationale
    assert line["certainty"] == ours.certainty
    assert line["counterfactual"] == ours.counterfactual().to_dict()
    assert MultinomialLogit.load(out / "models" / "tiny").coef_.tolist() == model.coef_.tolist()


def test_contributions_and_counterfactuals_are_tidy_tables(aus, model_dir, tmp_path):
    explain_table(aus, model=model_dir, out=tmp_path / "out")
    cells = pd.read_csv(tmp_path / "out" / "contributions.csv")
    assert len(cells) == 39 * 3
    line = records(tmp_path / "out")[4]
    own = cells[cells["input"] == line["input"]]
    assert own["contribution"].sum() == pytest.approx(line["logit"] - line["baseline_logit"], rel=1e-4)
    assert {"low", "high", "contrast_se", "validity"} <= set(cells.columns)
    changes = pd.read_csv(tmp_path / "out" / "counterfactuals.csv")
    assert set(changes["kind"]) == {"least squares", "fewest AUs", "one AU"}
    assert changes.groupby("input")["target"].nunique().max() == 1
    skipped = pd.read_csv(tmp_path / "out" / "skipped.csv")
    assert skipped.to_numpy().tolist() == [["photo6.jpg", 0, "face 1: its AUs could not be measured"]]


def test_the_run_is_described(aus, model_dir, tmp_path):
    explain_table(aus, model=model_dir, out=tmp_path / "out", target="happy", baseline="neutral")
    run = json.loads((tmp_path / "out" / "run.json").read_text("utf-8"))
    assert run["command"] == "explain"
    assert run["parameters"]["target"] == "happy"
    assert run["backend"] == {"name": "fake", "version": "7", "scale": "r"}
    assert run["counts"] == {"inputs": 40, "faces": 40, "skipped": {"not measured": 1}}
    assert {line["target"] for line in records(tmp_path / "out")} == {"happy"}
    assert {line["baseline"] for line in records(tmp_path / "out")} == {"neutral"}


def test_faces_can_be_compared_with_their_own_person(aus, model_dir, tmp_path):
    notes = explain_table(aus, model=model_dir, out=tmp_path / "out", baseline="person", person="who")
    lines = records(tmp_path / "out")
    # 'c' has the face that failed, hence nine measured ones: too few for a neutral face
    assert len(lines) == 30
    assert {line["baseline"] for line in lines} == {"person"}
    assert notes == ["10 of 40 faces have no explanation: see skipped.csv"]
    reasons = pd.read_csv(tmp_path / "out" / "skipped.csv")["reason"].value_counts()
    assert reasons["face 1: its person has too few measured faces for a neutral one"] == 9
    same = {au["au"]: au["baseline"] for au in lines[0]["aus"]}
    assert same == {au["au"]: au["baseline"] for au in lines[4 - 1]["aus"]}


def test_large_tables_get_no_least_squares_and_the_notes_say_so(aus, model_dir, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MANY_FACES", 39)
    notes = explain_table(aus, model=model_dir, out=tmp_path / "out")
    assert any("no changes by least squares: 40 faces" in note for note in notes)
    kinds = {way["kind"] for way in records(tmp_path / "out")[0]["counterfactual"]["ways"]}
    assert kinds == {"fewest AUs", "one AU"}


def test_counterfactuals_can_be_left_out(aus, model_dir, tmp_path):
    explain_table(aus, model=model_dir, out=tmp_path / "out", counterfactuals=False)
    assert "counterfactual" not in records(tmp_path / "out")[0]
    assert not (tmp_path / "out" / "counterfactuals.csv").exists()


def test_a_table_without_pictures_still_gives_a_report(aus, model_dir, tmp_path):
    explain_table(aus, model=model_dir, out=tmp_path / "out", report=True, counterfactuals=False)
    page = (tmp_path / "out" / "report.html").read_text("utf-8")
    assert "photo11.jpg" in page


def test_overwriting_removes_the_model_of_the_run_before(aus, model_dir, tmp_path):
    out = tmp_path / "out"
    other = MultinomialLogit.load(model_dir).save(tmp_path / "other").parent
    explain_table(aus, model=other, out=out, counterfactuals=False)
    explain_table(aus, model=model_dir, out=out, counterfactuals=False, overwrite=True)
    assert [path.name for path in (out / "models").iterdir()] == ["tiny"]


def test_earlier_results_are_kept_unless_told_otherwise(aus, model_dir, tmp_path):
    explain_table(aus, model=model_dir, out=tmp_path / "out", counterfactuals=True)
    with pytest.raises(OutputError, match="already holds"):
        explain_table(aus, model=model_dir, out=tmp_path / "out")
    explain_table(aus, model=model_dir, out=tmp_path / "out", counterfactuals=False, overwrite=True)
    assert not (tmp_path / "out" / "counterfactuals.csv").exists()


@pytest.mark.parametrize(
    ("options", "error", "part"),
    [
        ({"baseline": "person"}, UsageError, "person: expected with baseline 'person'"),
        ({"person": "who"}, UsageError, "person: expected with baseline 'person'"),
        ({"baseline": "person", "person": "name"}, FitError, "no column 'name'"),
        ({"target": "bored"}, ModelError, "target: the model knows"),
    ],
)
def test_options_that_do_not_fit_leave_nothing_behind(aus, model_dir, tmp_path, options, error, part):
    with pytest.raises(error, match=part):
        explain_table(aus, model=model_dir, out=tmp_path / "out", **options)
    assert list((tmp_path / "out").glob("*")) == []


def test_the_backend_s_card_or_the_table_says_how_valid_each_au_is():
    def validity(backend, extra=None):
        frame = pd.DataFrame({"input": ["a.jpg"], "AU12_r": [1.0]})
        return module._validity(AUTable(frame, backend=backend, backend_version="1", scale="r", extra=extra))

    assert (validity("embedded")["AU10_r"], validity("embedded")["AU12_r"]) == ("low", "good")
    assert validity("openface") == {}
    assert validity("openface", {"low_validity": ["AU12_r"]}) == {"AU12_r": "low"}


def test_a_model_without_coefficients_is_sent_to_the_surrogate(aus, tmp_path):
    faces, labels = au_rows()
    table = AUTable(faces, backend="fake", backend_version="1", scale="r")
    AuBoosting().fit(table, labels).save(tmp_path / "boosting")
    with pytest.raises(UsageError, match=r"no coefficients.*feat-pipeline surrogate"):
        explain_table(aus, model=tmp_path / "boosting", out=tmp_path / "out")
