import json

import numpy as np
import pandas as pd
import pytest

from analysis.compare import Comparison
from analysis.errors import FitError
from analysis.logit import MultinomialLogit
from feat_pipeline.errors import InputError, OutputError, UsageError
from feat_pipeline.output.predictions_read import read_prediction_files, same_faces
from feat_pipeline.runs.compare import compare_files
from tests.feat_pipeline.conftest import au_rows

CLASSES = ["angry", "happy", "neutral"]


def answers(labels, skill, seed, **columns):
    rng = np.random.default_rng(seed)
    raw = rng.gamma(1.0, size=(len(labels), 3)) + skill * np.eye(3)[np.searchsorted(CLASSES, labels)]
    table = pd.DataFrame(raw / raw.sum(axis=1, keepdims=True), columns=[f"p_{c}" for c in CLASSES])
    return table.assign(input=[f"photo{i}.jpg" for i in range(len(labels))], **columns)


@pytest.fixture
def files(tmp_path):
    """The answers of three models in two files, and labels that name the person."""
    _, labels = au_rows()
    two = [
        answers(labels, skill, i, model=name, face=0) for i, (name, skill) in enumerate([("a", 1), ("b", 2)])
    ]
    pd.concat(two).to_csv(tmp_path / "predictions.csv", index=False)
    answers(labels, 0.3, 7).to_csv(tmp_path / "cnn.csv", index=False)
    stated = pd.DataFrame({"image": [f"photo{i}" for i in range(60)], "emotion": labels})
    stated.assign(who=[f"{i // 3:03d}" for i in range(60)]).to_csv(tmp_path / "labels.csv", index=False)
    return tmp_path


def test_files_of_one_and_of_several_models_are_compared(files, run):
    arguments = [files, files / "cnn.csv", "--labels", files / "labels.csv", "--groups", "who", "--draws", 50]
    code, _, err = run("compare", *arguments, "--out", files / "out")
    assert code == 0
    assert "60 of 60 rows found their label by file name without ending" in err
    result = Comparison.load(files / "out")
    assert result.facts["models"] == ["a", "b", "cnn"]
    assert (result.facts["n"], result.facts["n_groups"], result.facts["grouped"]) == (60, 20, True)
    scores = pd.read_csv(files / "out" / "scores.csv")
    assert scores["value"].to_numpy() == pytest.approx(result.scores["value"].to_numpy(), rel=1e-5)
    for name in ("per_class.csv", "disagreements.csv", "report.html"):
        assert (files / "out" / name).stat().st_size > 200
    record = json.loads((files / "out" / "run.json").read_text())
    assert record["parameters"]["groups"] == "who"
    assert record["notes"] == result.facts["notes"]


def test_persons_come_from_the_predictions_too(files):
    options = {"labels": files / "labels.csv", "draws": 5}
    result = compare_files(files / "cnn.csv", out=files / "x", groups=r"input:(photo\d)", **options)
    assert result.facts["n_groups"] == 10
    assert result.facts["models"] == ["cnn"]
    with pytest.raises(FitError, match="groups: no column 'nobody'"):
        compare_files(files / "cnn.csv", out=files / "y", groups="nobody", **options)


def test_faces_that_lack_an_answer_or_a_label_are_left_out_and_counted(files):
    _, labels = au_rows()
    some = answers(labels, 1, 3)
    some.loc[[2, 4, 5], ["p_angry", "p_happy", "p_neutral"]] = np.nan
    some.iloc[:50].to_csv(files / "some.csv", index=False)
    stated = pd.read_csv(files / "labels.csv").iloc[1:]
    stated.to_csv(files / "fewer.csv", index=False)
    result = compare_files(
        [files / "cnn.csv", files / "some.csv"], labels=files / "fewer.csv", out=files / "o", draws=5
    )
    assert result.facts["n"] == 46
    assert result.facts["notes"] == [
        "some: 3 of 50 faces have no answer and are left out",
        "cnn: 13 of 60 faces have no counterpart and are left out",
        "46 of 47 rows found their label by file name without ending",
        "1 of 47 faces have no label and are left out, such as photo0.jpg",
    ]


def test_emotions_that_a_model_does_not_know_are_empty_columns(files):
    labels = np.array(["angry", "happy"] * 10)
    few = answers(labels, 1, 1, model="few").assign(p_neutral=np.nan)
    total = few["p_angry"] + few["p_happy"]
    few = few.assign(p_angry=few["p_angry"] / total, p_happy=few["p_happy"] / total)
    pd.concat([few, answers(labels, 1, 2, model="all")]).to_csv(files / "both.csv", index=False)
    frames, _ = same_faces(read_prediction_files([files / "both.csv"]))
    assert "p_neutral" not in frames["few"]
    assert "p_neutral" in frames["all"]


def test_models_of_one_name_are_told_apart_by_their_folder(files):
    for name in ("one", "two"):
        (files / name).mkdir()
        (files / name / "predictions.csv").write_bytes((files / "predictions.csv").read_bytes())
    assert list(read_prediction_files([files / "one", files / "two"])) == ["one/a", "one/b", "two/a", "two/b"]
    with pytest.raises(InputError, match=r"stands in .* too"):
        read_prediction_files([files / "one", files / "one"])


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (
            "a,0,0,much,0.5",
            "column p_happy: expected probabilities, 0 to 1, or empty cells, got 'much' in row 1",
        ),
        ("a,0,0,7,0.5", "got '7.0'|got '7'"),
        ("a,0,0,-0.5,0.5", "got '-0.5'"),
        ("a,0,0,1e999,0.5", "got 'inf'"),
        ("a,0.5,0,1,0", "column frame: expected whole numbers"),
        ("a,1e300,0,1,0", "column frame: expected whole numbers"),
        ("a,0,x,1,0", "column face: expected whole numbers"),
        ("", "holds no row"),
    ],
)
def test_predictions_that_are_no_probabilities_are_refused(tmp_path, row, said):
    (tmp_path / "bad.csv").write_text(f"input,frame,face,p_happy,p_sad\n{row}\n")
    with pytest.raises(InputError, match=rf"bad\.csv: .*({said})"):
        read_prediction_files([tmp_path / "bad.csv"])


def test_probabilities_that_do_not_sum_to_1_are_told(tmp_path):
    (tmp_path / "cut.csv").write_text("input,p_happy,p_sad\na,0.7,0.301\nb,0.2\nc,0.5,0.9\n")
    assert read_prediction_files([tmp_path / "cut.csv"])["cut"].notes == [
        "cut.csv: probabilities of 1 of 3 faces were rounded and sum to 1.001 to 1.001: scaled to 1",
        "cut: the probabilities of 2 of 3 faces do not sum to 1",
    ]


def test_regressions_beside_the_predictions_are_held_against_theory(files):
    aus, labels = au_rows()
    MultinomialLogit().fit(aus, labels).save(files / "models" / "a")
    result = compare_files(files, labels=files / "labels.csv", out=files / "out", draws=5)
    table = result.tables["prototypes"]
    assert table["model"].unique().tolist() == ["a"]
    smile = table[(table["emotion"] == "happy") & (table["au"] == "AU12_r")]
    assert set(smile["verdict"]) == {"agree"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: p.drop(columns="input"), "expected the columns input and p_<emotion>"),
        (lambda p: p[["input"]], "expected the columns input and p_<emotion>"),
        (lambda p: pd.concat([p, p.head(2)]), "answers 2 faces twice, such as input, frame, face"),
        (lambda p: p.assign(frame="first"), "column frame: expected whole numbers"),
        (lambda p: p.assign(p_angry=np.nan, p_happy=np.nan, p_neutral=np.nan), "answered no face"),
        (lambda p: p.assign(input="other" + p["input"]), "no face was answered by all models"),
    ],
)
def test_files_that_are_no_predictions_are_refused(files, change, message):
    change(pd.read_csv(files / "cnn.csv")).to_csv(files / "bad.csv", index=False)
    paths = [files / "cnn.csv", files / "bad.csv"]
    with pytest.raises(InputError, match=message):
        compare_files(paths, labels=files / "labels.csv", out=files / "out", draws=5)


def test_other_mistakes_are_refused(files):
    options = {"labels": files / "labels.csv", "out": files / "out", "draws": 5}
    with pytest.raises(InputError, match=r"none\.csv: no such file"):
        compare_files(files / "none.csv", **options)
    with pytest.raises(UsageError, match="draws: expected 2 or more"):
        compare_files(files, **(options | {"draws": 1}))
    with pytest.raises(UsageError, match="seed"):
        compare_files(files, **options, seed=-1)
    compare_files(files, **options)
    with pytest.raises(OutputError, match=r"already holds comparison\.json"):
        compare_files(files, **options)
    compare_files(files, **options, overwrite=True)


@pytest.mark.parametrize(
    ("decimals", "factor"), [(2, 1), (3, 1), (1, 100)], ids=["two", "three", "percentages"]
)
def test_probabilities_that_another_tool_rounded_are_scaled_to_1_and_said(files, decimals, factor):
    given = pd.read_csv(files / "cnn.csv")
    names = [name for name in given if name.startswith("p_")]
    given.assign(**{name: (given[name] * factor).round(decimals) for name in names}).to_csv(
        files / "rounded.csv", index=False
    )
    options = {"labels": files / "labels.csv", "draws": 5}
    result = compare_files([files / "rounded.csv", files / "cnn.csv"], out=files / "o", **options)
    scores = result.scores.query("metric == 'log_loss'").set_index("model")["value"]
    assert scores["rounded"] == pytest.approx(scores["cnn"], abs=0.03)
    assert any("scaled to 1" in note or "divided by 100" in note for note in result.facts["notes"])


def test_probabilities_that_are_really_off_are_refused_with_the_tolerance_and_the_mend(files):
    given = pd.read_csv(files / "cnn.csv")
    given.assign(p_happy=given["p_happy"] * 0.7).to_csv(files / "off.csv", index=False)
    with pytest.raises(FitError, match=r"do not sum to 1 within 0\.001, .*divide each row by its sum"):
        compare_files(files / "off.csv", labels=files / "labels.csv", out=files / "o", draws=5)


def test_labels_of_another_case_than_the_predictions_are_the_same(files):
    given = pd.read_csv(files / "cnn.csv").rename(columns={"p_happy": "p_Freude"})
    given.to_csv(files / "german.csv", index=False)
    stated = pd.read_csv(files / "labels.csv").replace({"emotion": {"happy": "freude"}})
    stated.to_csv(files / "deutsch.csv", index=False)
    result = compare_files(files / "german.csv", labels=files / "deutsch.csv", out=files / "o", draws=5)
    assert result.facts["classes"] == ["Freude", "angry", "neutral"]


def test_labels_of_less_than_half_of_the_faces_stop_the_comparison_unless_told_to_go_on(files, run):
    pd.read_csv(files / "labels.csv").iloc[:20].to_csv(files / "few.csv", index=False)
    arguments = [files / "cnn.csv", "--labels", files / "few.csv", "--draws", 5, "--out", files / "o"]
    code, _, err = run("compare", *arguments)
    assert code == 2 and "40 of 60 faces have none" in err and "photo20.jpg" in err
    code, _, err = run("compare", *arguments, "--allow-unlabelled")
    assert code == 0 and "40 of 60 faces have no label and are left out, such as photo20.jpg" in err
