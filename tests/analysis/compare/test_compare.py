import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

from analysis.compare.comparison import Comparison, compare, divergence
from analysis.compare.paired import paired_tests, turned_round
from analysis.compare.probabilities import read_predictions
from analysis.errors import AnalysisError, FitError
from analysis.logit import MultinomialLogit

CLASSES = ["angry", "happy", "sad"]


def answers(p, **columns):
    return pd.DataFrame(p, columns=[f"p_{name}" for name in CLASSES]).assign(**columns)


def random_answers(labels, skill, seed):
    rng = np.random.default_rng(seed)
    raw = rng.gamma(1.0, size=(len(labels), 3)) + skill * np.eye(3)[np.searchsorted(CLASSES, labels)]
    return answers(raw / raw.sum(axis=1, keepdims=True))


@pytest.fixture(scope="module")
def labels():
    return np.random.default_rng(2).choice(CLASSES, 240, p=[0.2, 0.5, 0.3])


@pytest.fixture(scope="module")
def three(labels):
    return {name: random_answers(labels, skill, i) for i, (name, skill) in enumerate(SKILLS.items())}


SKILLS = {"weak": 0.2, "good": 1.5, "fair": 1.3}


@pytest.fixture(scope="module")
def found(three, labels):
    return compare(three, labels, groups=np.arange(240) // 3, draws=200)


def test_four_faces_by_hand():
    p = [[0.8, 0.1, 0.1], [0.5, 0.3, 0.2], [0.2, 0.3, 0.5], [0.1, 0.8, 0.1]]
    q = [[0.6, 0.2, 0.2], [0.2, 0.6, 0.2], [0.2, 0.2, 0.6], [0.2, 0.2, 0.6]]
    y = ["angry", "happy", "sad", "happy"]
    both = {"a": answers(p, input=list("wxyz"), frame=0, face=1), "b": answers(q)}
    result = compare(both, y, draws=50)
    values = result.scores.set_index(["model", "metric"])["value"]
    assert values["a", "accuracy"] == values["b", "accuracy"] == 0.75
    assert values["a", "balanced_accuracy"] == pytest.approx((1 + 0.5 + 1) / 3)
    assert values["a", "log_loss"] == pytest.approx(-np.log([0.8, 0.3, 0.5, 0.8]).mean())
    pair = result.pairs.iloc[0]
    assert (pair["difference"], pair["only_a_right"], pair["only_b_right"], pair["p"]) == (0, 1, 1, 1)
    table = result.disagreements
    assert table["input"].tolist() == ["z", "x"]  # .8 happy against .6 sad is the further apart
    assert table[["a", "b"]].to_numpy().tolist() == [["happy", "sad"], ["angry", "happy"]]
    assert table["confidence_a"].tolist() == [0.8, 0.5]
    assert table["face"].tolist() == [1, 1]
    counts = result.tables["confusion"].set_index(["model", "actual", "predicted"])
    assert counts.loc[("a", "happy", "angry"), ["n", "share"]].tolist() == [1, 0.5]


def test_values_lie_in_their_intervals_and_the_pairs_follow_the_scores(found):
    scores = found.scores
    assert len(scores) == 3 * 6
    assert scores["value"].between(scores["low"], scores["high"]).all()
    accuracy = scores[scores["metric"] == "accuracy"].set_index("model")["value"]
    differences = accuracy[found.pairs["model_a"]].to_numpy() - accuracy[found.pairs["model_b"]].to_numpy()
    assert found.pairs["difference"].to_numpy() == pytest.approx(differences)
    assert found.pairs["difference"].between(found.pairs["low"], found.pairs["high"]).all()


def test_tests_of_pairs_are_statsmodels(found, three, labels):
    right = {name: (np.array(CLASSES)[p.to_numpy().argmax(axis=1)] == labels) for name, p in three.items()}
    expected = []
    for a, b in [("weak", "good"), ("weak", "fair"), ("good", "fair")]:
        counts = pd.crosstab(right[a], right[b]).to_numpy()
        expected.append(mcnemar(counts, exact=True).pvalue)
    assert found.pairs["p"].to_numpy() == pytest.approx(expected)
    assert found.pairs["p_holm"].to_numpy() == pytest.approx(multipletests(expected, method="holm")[1])


def test_turning_persons_round_is_mcnemar_for_one_face_each_and_exact_otherwise():
    assert turned_round([1] * 9 + [-1] * 3 + [0] * 8) == pytest.approx(mcnemar([[0, 9], [3, 0]]).pvalue)
    # 3 + 1: of the four signs of (3, 1), |sum| >= 4 for two
    assert turned_round([3, 1]) == 0.5
    assert turned_round([2, -2]) == turned_round([]) == 1.0


def test_many_faces_of_few_persons_are_weaker_evidence_than_as_many_persons():
    right = {"a": np.repeat([True, True, True, False], 10), "b": np.repeat([False, False, False, True], 10)}
    table = paired_tests(right, np.repeat(np.arange(4), 10))
    assert table["p"][0] < 0.01
    assert table["p_people"][0] == 0.625


def test_intervals_over_persons_are_wider_where_persons_are_alike():
    persons = np.repeat(np.arange(40), 8)
    y = np.array(CLASSES)[np.random.default_rng(0).integers(0, 3, 40)][persons]
    p = random_answers(y[::8], 0.8, 1).iloc[persons].reset_index(drop=True)
    widths = []
    for groups in (None, persons):
        scores = compare({"m": p}, y, groups=groups, draws=300).scores.set_index("metric")
        widths.append(scores["high"] - scores["low"])
    assert (widths[1] > 1.8 * widths[0])[["accuracy", "log_loss", "brier", "macro_f1"]].all()


def test_tables_per_class_calibration_and_roc_fit_together(found, three, labels):
    from sklearn.metrics import auc

    per_class = found.tables["per_class"].set_index(["model", "emotion"])
    assert per_class.loc["weak", "n"].to_dict() == pd.Series(labels).value_counts().to_dict()
    assert per_class["recall"].between(per_class["recall_low"], per_class["recall_high"]).all()
    for (model, emotion), curve in found.tables["roc"].groupby(["model", "emotion"]):
        assert auc(curve["fpr"], curve["tpr"]) == pytest.approx(
            per_class.loc[(model, emotion), "auc"], abs=0.02
        )
        assert curve.iloc[[0, -1]][["fpr", "tpr"]].to_numpy().tolist() == [[0, 0], [1, 1]]
    bins = found.tables["calibration"]
    assert bins.groupby("model")["n"].sum().tolist() == [240] * 3
    weak = bins[bins["model"] == "weak"]
    ece = (weak["n"] * (weak["predicted"] - weak["observed"]).abs()).sum() / 240
    assert found.scores.set_index(["model", "metric"])["value"]["weak", "ece"] == pytest.approx(ece)


def test_models_with_other_classes_meet_on_the_common_ones():
    y = np.array(["angry", "happy", "sad", "happy"])
    p = answers([[0.5, 0.1, 0.4], [0.2, 0.4, 0.4], [0.1, 0.1, 0.8], [0.6, 0.2, 0.2]])
    q = pd.DataFrame({"angry": [0.9, 0.2, 0.5, 0.1], "happiness": [0.1, 0.8, 0.5, 0.9]})
    result = compare({"three": p, "two": q}, y, draws=20)
    assert (result.facts["classes"], result.facts["n"]) == (["angry", "happy"], 3)
    assert result.facts["notes"] == [
        "not every model knows sad: 1 faces so labelled are left out, and all probabilities are scaled to "
        "the other classes"
    ]
    assert result.scores.set_index(["model", "metric"])["value"]["three", "log_loss"] == pytest.approx(
        -np.log([5 / 6, 4 / 6, 2 / 8]).mean()
    )


def test_one_model_alone_is_scored_and_perfect_answers_have_no_interval():
    result = compare({"m": answers(np.eye(3)[[0, 1, 2, 0]])}, ["angry", "happy", "sad", "angry"], draws=20)
    accuracy = result.scores.iloc[0]
    assert accuracy["value"] == 1
    assert np.isnan(accuracy["low"])
    assert result.pairs.empty
    assert result.disagreements.empty
    assert "p_holm" in result.pairs


def test_the_same_seed_gives_the_same_result_and_it_comes_back_from_its_file(found, three, labels, tmp_path):
    again = compare(three, labels, groups=np.arange(240) // 3, draws=200)
    pd.testing.assert_frame_equal(again.scores, found.scores)
    found.save(tmp_path)
    loaded = Comparison.load(tmp_path)
    assert loaded.facts == found.facts
    for name, table in found.tables.items():
        pd.testing.assert_frame_equal(loaded.tables[name], table, check_dtype=False)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: p * 0.9, "m: 4 of 4 rows have probabilities that do not sum to 1"),
        (lambda p: p.replace(0.1, np.nan), r"m: 2 of 4 rows have a probability missing.*first: row 0"),
        (lambda p: p.assign(p_angry=[-0.1, 1, 1, 1]), "m: 1 of 4 rows have a negative probability"),
        (lambda p: p.assign(p_angry="much"), "m: expected probabilities"),
        (lambda p: p[["p_angry"]], "m: expected columns such as p_happy"),
        (lambda p: p.assign(p_happiness=0.0), "m: two columns stand for one emotion"),
        (
            lambda p: p.drop(columns="p_happy").assign(p_angry=1 - p["p_sad"]),
            "no model knows happy",
        ),
    ],
)
def test_what_is_no_prediction_is_refused(change, message):
    p = answers([[0.8, 0.1, 0.1], [0.3, 0.5, 0.2], [0.2, 0.3, 0.5], [0.1, 0.8, 0.1]])
    with pytest.raises(FitError, match=message):
        compare({"m": change(p)}, ["angry", "happy", "sad", "happy"], draws=10)


def test_other_mistakes_are_refused():
    p = answers([[0.8, 0.1, 0.1], [0.3, 0.5, 0.2]], input=["a", "b"])
    y = ["angry", "happy"]
    with pytest.raises(FitError, match=r"no model knows contempt \(1 faces\)"):
        compare({"m": p}, ["angry", "contemptuous"])
    with pytest.raises(FitError, match="labels: expected 2"):
        compare({"m": p}, ["angry"])
    with pytest.raises(FitError, match="n has 1 rows, m has 2"):
        compare({"m": p, "n": p.head(1)}, y)
    with pytest.raises(FitError, match="m and n have other faces"):
        compare({"m": p, "n": p.assign(input=["b", "a"])}, y)
    with pytest.raises(FitError, match="share 0 classes"):
        compare({"m": p, "n": pd.DataFrame({"fear": [1, 1], "neutral": [0, 0]})}, y)
    with pytest.raises(FitError, match="at least one model"):
        compare({}, y)
    with pytest.raises(AnalysisError, match="groups: expected 2"):
        compare({"m": p}, y, groups=["one"])
    with pytest.raises(AnalysisError, match="level"):
        compare({"m": p}, y, level=95)
    with pytest.raises(AnalysisError, match="cannot be read"):
        Comparison.load("nowhere")


def test_rounded_probabilities_are_taken_and_made_to_sum_to_one():
    read = read_predictions(pd.DataFrame({"p_sad": [0.3333], "p_joy": [0.6666], "time_s": [4.0]}))
    assert read.classes.tolist() == ["happy", "sad"]
    assert read.probabilities.sum(axis=1) == pytest.approx([1], abs=1e-15)


def test_divergence_is_zero_for_the_same_and_log_two_for_opposite_answers():
    p = np.array([[[0.2, 0.8], [1.0, 0.0]], [[0.2, 0.8], [0.0, 1.0]]])
    assert divergence(p) == pytest.approx([0, np.log(2)])


def test_regressions_are_held_against_theory(faces):
    model = MultinomialLogit().fit(*faces)
    p = pd.DataFrame(model.predict_proba(faces[0]), columns=model.classes_)
    result = compare({"logit": p}, faces[1], draws=10, models={"logit": model})
    table = result.tables["prototypes"]
    assert table.columns[0] == "model"
    assert set(table["verdict"]) <= {"agree", "disagree", "undecided", "not measurable"}
