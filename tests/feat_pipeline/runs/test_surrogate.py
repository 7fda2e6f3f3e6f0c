import json

import numpy as np
import pandas as pd
import pytest

from analysis.autable import AUTable
from analysis.likelihood.maximum import softmax
from analysis.logit import MultinomialLogit
from analysis.surrogate import Surrogate
from feat_pipeline.errors import InputError, OutputError, UsageError
from feat_pipeline.runs.surrogate import surrogate_files
from tests.feat_pipeline.conftest import au_rows

FEW = {"draws": 10, "alpha": 1.0}


@pytest.fixture
def files(tmp_path):
    """160 faces' AUs, a model's answers for them in another order, and their true labels."""
    aus, labels = au_rows(160)
    table = AUTable(aus.assign(frame=0, face=0), backend="fake", backend_version="7", scale="r")
    table.write(tmp_path / "aus.csv")
    x = aus[["AU04_r", "AU12_r", "AU25_r"]].to_numpy()
    p = softmax(np.column_stack([x[:, 0], x[:, 1], 1 + 0.3 * x[:, 2]]))
    answers = pd.DataFrame(p, columns=["p_angry", "p_happy", "p_neutral"]).assign(input=aus["input"])
    answers = answers.sample(frac=1, random_state=2)
    answers.to_csv(tmp_path / "net.csv", index=False)
    both = [answers.assign(model=name) for name in ("net", "other")]
    pd.concat(both).to_csv(tmp_path / "predictions.csv", index=False)
    stated = pd.DataFrame({"input": aus["input"], "label": labels, "who": np.arange(160) // 2})
    stated.to_csv(tmp_path / "labels.csv", index=False)
    return tmp_path


def test_a_models_answers_are_explained_from_files(files, run):
    arguments = [
        "--aus",
        files / "aus.csv",
        "--predictions",
        files / "net.csv",
        "--labels",
        files / "labels.csv",
    ]
    code, _, err = run("surrogate", *arguments, "--groups", "who", "--draws", 20, "--out", files / "out")
    assert code == 0
    assert "Usable: R² of the centred logits" in err
    result = Surrogate.load(files / "out")
    assert result.facts["explains"] == "net"
    assert (result.facts["n_train"], result.facts["n_test"], result.facts["n_groups"]) == (120, 40, 80)
    assert set(result.fidelity["who"]) == {
        *("surrogate", "majority"),
        *("logit on true labels", "flexible AU model"),
    }
    value = result.fidelity.set_index(["who", "metric"]).loc[("surrogate", "logit_r2"), "value"]
    assert value > 0.98
    model = MultinomialLogit.load(files / "out")
    assert (model.backend_, model.classes_.tolist()) == ("fake", ["angry", "happy", "neutral"])
    for name in ("fidelity.csv", "stability.csv", "faces.csv", "report.html"):
        assert (files / "out" / name).stat().st_size > 200
    assert json.loads((files / "out" / "run.json").read_text())["backend"]["name"] == "fake"


def test_reasons_are_those_of_the_held_out_faces_and_tell_the_distance(files):
    result = surrogate_files(files / "aus.csv", files / "net.csv", out=files / "out", **FEW)
    records = [json.loads(line) for line in (files / "out" / "explanations.jsonl").read_text().splitlines()]
    held_out = result.tables["faces"].query("held_out").set_index("input")
    assert sorted(record["input"] for record in records) == sorted(held_out.index)
    answers = pd.read_csv(files / "net.csv").set_index("input")
    for record in records:
        said = record["classifier"]
        row = answers.loc[record["input"]]
        assert said["probability"] == pytest.approx(row.max())
        assert record["target"] == said["answer"] == row.idxmax().removeprefix("p_")
        assert said["kl"] == pytest.approx(held_out.loc[record["input"], "kl"])
        assert record["rationale"].startswith(f"net says {said['answer']}")
        assert record["model"] == "net"


def test_a_surrogate_that_is_not_to_be_used_gives_no_reasons(files):
    table = pd.read_csv(files / "net.csv")
    surrogate_files(files / "aus.csv", files / "net.csv", out=files / "out", **FEW)
    table[["p_angry", "p_happy", "p_neutral"]] = np.random.default_rng(0).dirichlet(np.ones(3), 160)
    table.to_csv(files / "noise.csv", index=False)
    result = surrogate_files(files / "aus.csv", files / "noise.csv", out=files / "out", overwrite=True, **FEW)
    assert not result.usable
    assert result.facts["notes"] == ["no face's reasons are written, since the surrogate is not to be used"]
    assert not (files / "out" / "explanations.jsonl").exists()
    assert (files / "out" / "report.html").exists()


def test_one_model_of_several_has_to_be_named(files):
    paths = (files / "aus.csv", files / "predictions.csv")
    with pytest.raises(UsageError, match="the file holds net, other; name one with --model"):
        surrogate_files(*paths, out=files / "out", **FEW)
    with pytest.raises(UsageError, match="not 'cnn'"):
        surrogate_files(*paths, out=files / "out", model="cnn", **FEW)
    assert surrogate_files(*paths, out=files / "out", model="other", **FEW).facts["explains"] == "other"


def test_faces_on_one_side_only_are_left_out_and_counted(files):
    pd.read_csv(files / "net.csv").head(150).to_csv(files / "net.csv", index=False)
    result = surrogate_files(files / "aus.csv", files / "net.csv", out=files / "out", **FEW)
    assert result.facts["notes"] == [
        "the AU table: 10 of 160 faces have no counterpart and are left out",
    ]
    assert len(result.tables["faces"]) == 150


def test_persons_may_be_a_column_of_the_au_table(files):
    table = AUTable.read(files / "aus.csv")
    table.frame["subject"] = np.arange(160) // 4
    table.write(files / "aus.parquet")
    result = surrogate_files(
        files / "aus.parquet", files / "net.csv", out=files / "o", groups="subject", **FEW
    )
    assert (result.facts["n_groups"], result.facts["grouped"]) == (40, True)


def test_mistakes_are_refused(files):
    with pytest.raises(UsageError, match="draws"):
        surrogate_files(files / "aus.csv", files / "net.csv", out=files / "out", draws=0)
    pd.read_csv(files / "net.csv").assign(face=3).to_csv(files / "third.csv", index=False)
    with pytest.raises(InputError, match=r"third\.csv: no face was answered by all models: the AU table has"):
        surrogate_files(files / "aus.csv", files / "third.csv", out=files / "out", **FEW)
    surrogate_files(files / "aus.csv", files / "net.csv", out=files / "out", **FEW)
    with pytest.raises(OutputError, match="already holds"):
        surrogate_files(files / "aus.csv", files / "net.csv", out=files / "out", **FEW)
