import numpy as np
import pandas as pd
import pytest

from analysis.compare.prototypes import against_prototypes
from analysis.errors import FitError
from analysis.logit import MultinomialLogit


def coefficients(**columns):
    table = pd.DataFrame(
        {
            "emotion": ["happy"] * 4 + ["neutral"],
            "au": ["", "AU06_r", "AU12_r", "AU04_r", "AU12_r"],
            "coef": [9.0, -0.5, 2.0, -1.0, -2.0],
            "low": [8.0, -0.9, 1.0, -2.0, -3.0],
            "high": [9.9, -0.1, 3.0, 0.1, -1.0],
        }
    )
    return table.assign(**columns)


def test_verdicts_follow_the_interval():
    found = against_prototypes(coefficients()).set_index(["source", "au"])["verdict"]
    assert found.to_dict() == {
        ("emfacs", "AU06_r"): "disagree",
        ("emfacs", "AU12_r"): "agree",
        ("facs_guide_table_11_1", "AU06_r"): "disagree",
        ("facs_guide_table_11_1", "AU12_r"): "agree",
        ("facs_guide_table_11_1", "AU25_r"): "not measurable",
        ("du_2014", "AU12_r"): "agree",
        ("du_2014", "AU25_r"): "not measurable",
    }
    wide = against_prototypes(coefficients(low=-9.0)).set_index("au")["verdict"]
    assert wide["AU12_r"].unique().tolist() == ["undecided"]


def test_standard_errors_make_the_interval_and_none_decide_nothing():
    table = coefficients(se=1.0).drop(columns=["low", "high"])
    row = against_prototypes(table).set_index(["source", "au"]).loc[("emfacs", "AU12_r")]
    assert row[["low", "high"]].tolist() == pytest.approx([2 - 1.959964, 2 + 1.959964])
    unknown = against_prototypes(table.assign(se=np.nan))
    assert set(unknown["verdict"]) == {"undecided", "not measurable"}


def test_a_linear_model_is_judged_by_its_own_coefficients(faces):
    model = MultinomialLogit().fit(*faces)
    found = against_prototypes(model)
    own = model.coefficients().set_index(["emotion", "au"])
    known = found[found["verdict"] != "not measurable"]
    index = pd.MultiIndex.from_frame(known[["emotion", "au"]])
    assert known["coef"].to_numpy() == pytest.approx(own.loc[index, "coef"].to_numpy())
    half = (known["high"] - known["low"]) / 2
    assert half.to_numpy() == pytest.approx(1.959964 * own.loc[index, "se"].to_numpy())
    assert set(found["emotion"]) == {"happy", "sad", "surprise"}  # neutral has no prototype
    X, y = faces
    happy = known[(known["emotion"] == "happy") & (known["au"] == "AU12_r")]["difference"].iloc[0]
    assert happy == pytest.approx(X["AU12_r"][y == "happy"].mean() - X["AU12_r"].mean())


def test_bent_terms_are_judged_by_their_mean_slope(faces):
    X, y = faces
    model = MultinomialLogit(terms="hinges").fit(X, y)
    row = against_prototypes(model).set_index(["emotion", "source", "au"]).loc[("happy", "emfacs", "AU12_r")]
    ends = X.mean().to_frame().T.loc[[0, 0]]
    ends["AU12_r"] = [X["AU12_r"].min(), X["AU12_r"].max()]
    scores = model.logits(ends)[:, model.classes_.tolist().index("happy")]
    assert row["coef"] == pytest.approx((scores[1] - scores[0]) / np.ptp(ends["AU12_r"]))


def test_tables_without_the_columns_are_refused():
    with pytest.raises(FitError, match="no emotion"):
        against_prototypes(coefficients().drop(columns="emotion"))
    with pytest.raises(FitError, match="low and high, or se"):
        against_prototypes(coefficients().drop(columns="low"))
    with pytest.raises(FitError, match="several terms of one AU"):
        against_prototypes(pd.concat([coefficients(), coefficients()]))
