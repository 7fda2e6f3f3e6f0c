import numpy as np
import pytest

from analysis.compare.scores import cross_validate, score
from analysis.errors import FitError
from analysis.logit import MultinomialLogit
from analysis.splits import grouped_folds


def test_folds_hold_out_each_row_once_and_never_split_a_group(faces):
    y = faces[1]
    groups = np.arange(len(y)) // 4
    for given in (None, groups):
        folds = grouped_folds(y, given, folds=4, seed=3)
        assert sorted(np.concatenate([test for _, test in folds])) == list(range(len(y)))
        assert all(not set(train) & set(test) for train, test in folds)
    assert all(not set(groups[train]) & set(groups[test]) for train, test in folds)


def test_folds_follow_their_seed(faces):
    first, again, other = (grouped_folds(faces[1], folds=3, seed=seed)[0][1] for seed in (1, 1, 2))
    assert first.tolist() == again.tolist() != other.tolist()


def test_too_few_rows_or_groups_of_a_class_are_refused():
    with pytest.raises(FitError, match="5 need 5 rows of each class, but sad has 2"):
        grouped_folds(["happy"] * 9 + ["sad"] * 2)
    with pytest.raises(FitError, match="3 need 3 groups of each class, but sad has 1"):
        grouped_folds(["happy"] * 9 + ["sad"] * 3, list(range(9)) + [10] * 3, folds=3)
    with pytest.raises(FitError, match="folds: expected 2 or more"):
        grouped_folds(["happy", "sad"], folds=1)


def test_scores_are_what_they_are_called():
    classes = np.array(["a", "b", "c"])
    p = np.array([[0.7, 0.2, 0.1], [0.6, 0.3, 0.1], [0.1, 0.8, 0.1], [0.2, 0.2, 0.6]])
    found = score(classes, p, ["a", "b", "b", "b"])
    assert found["accuracy"] == 0.5
    assert found["balanced_accuracy"] == pytest.approx((1 + 1 / 3) / 2)
    assert found["macro_f1"] == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert found["log_loss"] == pytest.approx(-np.log([0.7, 0.3, 0.8, 0.2]).mean())
    assert (found["majority"], found["n"]) == (0.75, 4)


def test_cross_validation_equals_scikit_learns_on_the_same_folds(faces, table):
    from sklearn.model_selection import cross_val_predict

    folds = grouped_folds(faces[1], folds=5, seed=7)
    p = cross_val_predict(MultinomialLogit(), *faces, cv=folds, method="predict_proba")
    expected = score(np.unique(faces[1]), p, faces[1])
    for X in (faces[0], faces[0].to_numpy(), table):
        found = cross_validate(MultinomialLogit(), X, faces[1], seed=7)
        assert {name: found[name] for name in expected} == pytest.approx(expected)
        assert (found["folds"], found["seed"], found["grouped"]) == (5, 7, False)


def test_cross_validation_leaves_the_model_alone_and_out_what_is_incomplete(faces):
    X, y = faces[0].assign(AU45_r=np.nan), faces[1]
    X.iloc[:7, 0] = np.nan
    model = MultinomialLogit()
    found = cross_validate(model, X, y, groups=np.arange(len(y)) // 3)
    assert (found["n"], found["grouped"]) == (300, True)
    assert not hasattr(model, "coef_")


def test_rare_classes_lower_the_number_of_folds(faces):
    X, y = faces[0].head(50), np.array(["happy"] * 47 + ["sad"] * 3)
    assert cross_validate(MultinomialLogit(), X, y)["folds"] == 3
    with pytest.raises(FitError, match="sad has only one row"):
        cross_validate(MultinomialLogit(), X.head(48), y[:48])
    with pytest.raises(FitError, match="only one class in 47"):
        cross_validate(MultinomialLogit(), X.head(47), y[:47])


def test_groups_are_kept_together_inside_the_training_part_too(faces):
    seen = []

    class Recording(MultinomialLogit):
        def fit(self, X, y, **more):
            seen.append(more["groups"])
            return super().fit(X, y, **more)

    groups = np.arange(len(faces[1])) // 3
    cross_validate(Recording(), *faces, groups=groups, folds=2)
    assert sorted(np.concatenate(seen)) == groups.tolist()
