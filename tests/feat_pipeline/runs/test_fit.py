import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from analysis.inference import Inference
from analysis.logit import MultinomialLogit
from analysis.results import save_result
from feat_pipeline.errors import UsageError
from feat_pipeline.runs.fit import fit

AUS = ["AU01_r", "AU04_r", "AU06_r", "AU12_r"]


@pytest.fixture
def table(tmp_path):
    rng = np.random.default_rng(7)
    X = np.clip(rng.gamma(0.8, 1.1, (420, 4)), 0, 5)
    scores = X @ rng.normal(0, 0.7, (4, 3)) + rng.gumbel(size=(420, 3))
    frame = pd.DataFrame(X, columns=AUS).assign(frame=0, face=0)
    frame["mood"] = np.array(["happy", "neutral", "sad"])[scores.argmax(axis=1)]
    frame["person"] = [f"p{i % 35}" for i in range(420)]
    frame["input"] = [f"p{i % 35}_{i:03d}.jpg" for i in range(420)]
    frame.to_csv(tmp_path / "aus.csv", index=False)
    return tmp_path / "aus.csv"


@pytest.fixture
def separated(table):
    frame = pd.read_csv(table)
    frame["AU12_r"] = frame["AU12_r"].where((frame["mood"] != "sad") & (frame["AU12_r"] > 2.5), 0.0)
    frame.to_csv(table, index=False)
    return table


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_without_inference_the_fit_is_a_ridge_of_strength_one(table, tmp_path):
    found = fit(table, out=tmp_path / "out", label_column="mood")
    model = found.model
    assert found.inference is None and not found.fallback
    assert model.alpha_ == 1.0
    assert names(tmp_path / "out") == ["coefficients.csv", "model.json", "run.json"]


def test_inference_writes_its_tables(table, tmp_path):
    out = tmp_path / "out"
    result = fit(table, out=out, label_column="mood", groups="person", inference=True, reference="sad")
    model = result.model
    assert result.inference.valid and not result.fallback
    assert model.alpha_ == 0.0 and model.notes_ == [] and model.scores_["grouped"]
    assert names(out) == [
        "coefficients.csv", "inference.json", "joint.csv", "log_odds.csv", "marginal_effects.csv",
        "model.json", "prototypes.csv", "run.json",
    ]  # fmt: skip
    coefficients = pd.read_csv(out / "coefficients.csv")
    assert coefficients.columns.tolist()[:4] == ["emotion", "au", "term", "coef"] and len(coefficients) == 15
    assert coefficients["p_holm"].notna().sum() == 12
    found = Inference.load(out)
    assert found.valid and found.facts["reference"] == "sad" and found.facts["n_groups"] == 35
    assert set(pd.read_csv(out / "log_odds.csv")["versus"]) == {"sad"}
    theory = pd.read_csv(out / "prototypes.csv")
    measurable = theory.loc[theory["verdict"] != "not measurable", "au"]
    assert set(theory["emotion"]) == {"happy", "sad"} and set(measurable) <= set(AUS)


def test_where_inference_is_not_valid_the_ridge_is_saved_and_the_reason_told(separated, tmp_path):
    out = tmp_path / "out"
    found = fit(separated, out=out, label_column="mood", groups="person", inference=True)
    model = found.model
    assert found.fallback and not found.inference.valid
    (note,) = model.notes_
    assert note.startswith(
        "no p-values, because quasi-complete separation: no finite estimate exists of AU12_r"
    )
    assert "ridge, bootstrap over people" in note and model.alpha_ > 0
    assert "joint.csv" not in names(out)
    for name in ("coefficients.csv", "log_odds.csv", "marginal_effects.csv"):
        assert not {"z", "p", "p_holm", "p_bh"} & set(pd.read_csv(out / name).columns)
    saved = MultinomialLogit.load(out)
    table = pd.read_csv(out / "coefficients.csv").query("au == au")
    np.testing.assert_allclose(table["coef"], saved.coef_.ravel(), rtol=1e-8)
    assert json.loads((out / "run.json").read_text())["notes"] == [note]


def test_a_ridge_that_was_asked_for_is_no_fallback_where_inference_is_not_valid(separated, tmp_path):
    found = fit(separated, out=tmp_path / "out", label_column="mood", inference=True, alpha=2.0)
    assert not found.fallback and not found.inference.valid
    assert found.model.alpha_ == 2.0 and found.model.notes_[-1].startswith("no p-values, because")


def test_a_fit_without_inference_leaves_none_of_an_earlier_one(table, tmp_path):
    out = tmp_path / "out"
    fit(table, out=out, label_column="mood", inference=True)
    fit(table, out=out, label_column="mood", overwrite=True)
    assert names(out) == ["coefficients.csv", "model.json", "run.json"]


def test_a_fit_over_a_surrogate_is_not_taken_for_one(table, tmp_path):
    out = tmp_path / "out"
    save_result(out, "surrogate", {}, {})
    fit(table, out=out, label_column="mood", overwrite=True)
    assert names(out) == ["coefficients.csv", "model.json", "run.json"]


def test_people_may_be_a_pattern_in_a_column(table, tmp_path):
    whole = fit(table, out=tmp_path / "a", label_column="mood", groups="person")
    part = fit(table, out=tmp_path / "b", label_column="mood", groups="input:^(p[0-9]+)_")
    assert whole.model.scores_ == part.model.scores_


def test_a_reference_without_inference_is_wrong_usage(table, tmp_path):
    with pytest.raises(UsageError, match="add --inference"):
        fit(table, out=tmp_path / "out", label_column="mood", reference="sad")


def test_an_unknown_reference_names_the_emotions(table, tmp_path):
    with pytest.raises(ValueError, match="reference: expected one of happy, neutral, sad, got bored"):
        fit(table, out=tmp_path / "out", label_column="mood", inference=True, reference="bored")
    assert not (tmp_path / "out").exists()


def test_the_command_succeeds_where_inference_is_not_valid(separated, tmp_path):
    call = [sys.executable, "-m", "feat_pipeline.cli", "fit", str(separated), "--label-column", "mood"]
    call += ["--inference", "--out", str(tmp_path / "out")]
    done = subprocess.run(call, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("no p-values, because") == 1


def test_a_table_whose_rows_stand_twice_gives_the_model_of_those_that_stand_once(table, tmp_path):
    rows = pd.read_csv(table)
    twice = tmp_path / "twice.csv"
    pd.concat([rows, rows]).to_csv(twice, index=False)
    options = {"label_column": "mood", "inference": True}
    once = fit(table, out=tmp_path / "once", **options).model
    repeated = fit(twice, out=tmp_path / "again", **options)
    again = repeated.model
    np.testing.assert_allclose(again.coef_, once.coef_)
    n = len(rows)
    assert f"{n} of {2 * n} rows are copies: inference and model count each face once" in again.notes_
    assert repeated.inference.facts["n"] == n
    assert any(f"such as row {n + 1} those of row 1" in note for note in again.notes_)


def test_near_copies_without_persons_are_taken_together_in_inference(table, tmp_path):
    rng = np.random.default_rng(5)
    further = {
        f"AU{number}_r": rng.uniform(0.1, 4.9, 420) for number in (10, 14, 15, 17, 20, 23, 24, 25, 26, 27)
    }
    rows = pd.read_csv(table).assign(**further)
    aus = [name for name in rows if name.startswith("AU")]
    near = rows.assign(**{name: (rows[name] * 0.999).round(6) for name in aus})
    pd.concat([rows, near]).to_csv(tmp_path / "near.csv", index=False)
    found = fit(tmp_path / "near.csv", out=tmp_path / "o", label_column="mood", inference=True)
    assert found.inference.facts["n_groups"] == len(rows)
    assert any("clustered by them" in note for note in found.model.notes_)


def test_persons_may_stand_in_the_file_of_labels(table, tmp_path):
    rows = pd.read_csv(table)
    rows = rows.assign(input=[f"{i}.png" for i in range(len(rows))])
    rows.drop(columns=["mood", "person"]).to_csv(tmp_path / "aus.csv", index=False)
    people = ["NA" if i % 9 == 0 else f"{i % 9:03d}" for i in range(len(rows))]
    rows[["input", "mood"]].rename(columns={"mood": "label"}).assign(person=people).to_csv(
        tmp_path / "labels.csv", index=False
    )
    model = fit(
        tmp_path / "aus.csv", out=tmp_path / "o", labels=tmp_path / "labels.csv", groups="person"
    ).model
    assert model.scores_["grouped"]


def test_a_table_that_lost_its_metadata_is_told_at_once_and_the_backend_can_be_named(table, tmp_path):
    bare = tmp_path / "bare.csv"
    pd.read_csv(table).to_csv(bare, index=False)
    told = fit(bare, out=tmp_path / "a", label_column="mood")
    assert told.model.backend_ == "unknown" and "name it with --backend" in told.unknown[0]
    assert told.unknown == json.loads((tmp_path / "a" / "run.json").read_text())["unknown"]
    named = fit(bare, out=tmp_path / "b", label_column="mood", backend="embedded")
    assert named.model.backend_ == "embedded" and not named.unknown
