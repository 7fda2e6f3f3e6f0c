import json
import os
import subprocess
import sys
from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from analysis.errors import ModelError
from analysis.explain import explain
from analysis.explain.counterfactual import KINDS, counterfactual
from analysis.logit import MultinomialLogit
from tests import ROOT
from tests.analysis.conftest import simulated


@pytest.fixture(scope="module")
def paired(faces):
    pairs = [("AU06_r", "AU12_r"), ("AU01_r", "AU25_r"), ("AU04_r", "AU12_r")]
    return MultinomialLogit(terms="pairs", pairs=pairs).fit(*faces)


def after(x, way):
    changed = x.copy()
    for au, (before, value) in way.changes.items():
        assert changed[au] == before
        changed[au] = value
    return changed


def checked(model, x, found):
    """Put every way to the model again: it reaches the emotion by the margin, within the AUs' range."""
    for way in found.ways:
        if not way.exists:
            assert (way.changes, way.probabilities) == ({}, {})
            continue
        changed = after(x, way)
        chances = pd.Series(model.predict_proba(changed.to_frame().T)[0], index=model.classes_)
        others = chances.drop(found.target)
        assert np.log(chances[found.target] / others.max()) >= 0.99 * found.margin
        assert way.probabilities == pytest.approx(chances.to_dict(), abs=1e-9)
        low, high = model.feature_range_
        assert (changed >= np.minimum(low, x) - 1e-12).all()
        assert (changed <= np.maximum(high, x) + 1e-12).all()
    return found


def size(way):
    return sum((b - a) ** 2 for a, b in way.changes.values())


@pytest.mark.parametrize("to", ["happy", "neutral", "sad", "surprise"])
def test_every_change_reaches_its_target_within_the_range_of_the_aus(model, faces, to):
    for i in (0, 5, 9, 30, 44):
        x = faces[0].iloc[i]
        if explain(model, x, draws=0).target == to:
            continue
        found = checked(model, x, counterfactual(model, x, to=to))
        least, fewest, one = (found[kind] for kind in KINDS)
        assert all(way.exact for way in found.ways)
        if fewest.exists:
            assert size(least) <= size(fewest) * 1.01 + 1e-6
        if one.exists:
            assert len(one.changes) == len(fewest.changes) == 1


def test_changes_of_a_model_with_pairs_reach_their_target_too(paired, faces):
    reached = 0
    for i in (0, 5, 9, 30, 44, 60):
        x = faces[0].iloc[i]
        found = checked(paired, x, counterfactual(paired, x))
        reached += found["least squares"].exists
        assert found["one AU"].exact
        if not found["least squares"].exists:
            assert found["least squares"].reason == "none found"
        elif found["one AU"].exists:
            assert len(found["fewest AUs"].changes) == 1
    assert reached >= 5


def test_one_au_is_the_smallest_that_a_fine_grid_finds(model, paired, faces):
    for fitted in (model, paired):
        for i in (2, 9, 44):
            x = faces[0].iloc[i]
            found = counterfactual(fitted, x, kinds=["one AU"])
            low, high = fitted.feature_range_
            best = np.inf
            for j, au in enumerate(x.index):
                grid = np.linspace(low[j], high[j], 4001)
                rows = np.tile(x.to_numpy(), (len(grid), 1))
                rows[:, j] = grid
                chances = pd.DataFrame(fitted.predict_proba(rows), columns=fitted.classes_)
                won = np.log(chances[found.target] / chances.drop(columns=found.target).max(axis=1)) >= 0.05
                if won.any():
                    best = min(best, np.abs(grid[won] - x[au]).min())
            way = found["one AU"]
            assert way.exists == np.isfinite(best)
            if way.exists:
                ((before, value),) = way.changes.values()
                assert abs(value - before) <= best + 1e-9
                assert abs(value - before) >= best - 0.005


def test_the_fewest_aus_are_fewest(faces):
    """No smaller set of AUs reaches the target, wherever in their range they are put."""
    fitted = MultinomialLogit().fit(*faces)
    coefficients = fitted.coef_
    low, high = fitted.feature_range_
    seen = set()
    for i in range(40):
        x = faces[0].iloc[i]
        to = min(
            fitted.classes_,
            key=lambda name: fitted.predict_proba(x.to_frame().T)[0][list(fitted.classes_).index(name)],
        )
        found = counterfactual(fitted, x, to=to, kinds=["fewest AUs"])
        k = fitted.classes_.tolist().index(to)
        count = len(found.ways[0].changes) if found.ways[0].exists else len(x) + 1
        seen.add(count)
        for smaller in combinations(range(5), count - 1):
            rival = np.delete(coefficients, k, axis=0)
            lead = fitted.logits(x.to_frame().T)[0]
            base = lead[k] - np.delete(lead, k)
            gain = sum(
                np.maximum(
                    (coefficients[k, j] - rival[:, j]) * (low[j] - x.iloc[j]),
                    (coefficients[k, j] - rival[:, j]) * (high[j] - x.iloc[j]),
                )
                for j in smaller
            )
            # even if every rival could be met by its own best change, one of them stays ahead
            if (base + gain < found.margin).any():
                continue
            assert _infeasible(fitted, x, k, smaller, found.margin)
    assert len(seen) > 1


def _infeasible(fitted, x, k, free, margin):
    from scipy.optimize import linprog

    lead = fitted.logits(x.to_frame().T)[0]
    base = lead[k] - np.delete(lead, k)
    gain = fitted.coef_[k] - np.delete(fitted.coef_, k, axis=0)
    low, high = fitted.feature_range_
    bounds = [(low[j] - x.iloc[j], high[j] - x.iloc[j]) for j in free]
    answer = linprog(np.zeros(len(free)), A_ub=-gain[:, list(free)], b_ub=base - margin, bounds=bounds)
    return answer.status == 2


def test_least_squares_of_a_linear_model_solves_its_quadratic_programme(faces):
    """Against an independent solver on the same programme."""
    from scipy.optimize import minimize

    fitted = MultinomialLogit().fit(*faces)
    for i in (3, 12, 31):
        x = faces[0].iloc[i]
        found = counterfactual(fitted, x, kinds=["least squares"])
        k = fitted.classes_.tolist().index(found.target)
        lead = fitted.logits(x.to_frame().T)[0]
        base, gain = lead[k] - np.delete(lead, k), fitted.coef_[k] - np.delete(fitted.coef_, k, axis=0)
        low, high = fitted.feature_range_
        theirs = minimize(
            lambda d: d @ d,
            np.zeros(5),
            method="trust-constr",
            bounds=list(zip(low - x, high - x, strict=True)),
            constraints={"type": "ineq", "fun": lambda d, b=base, g=gain: b + g @ d - 0.05},
            options={"gtol": 1e-9, "xtol": 1e-10, "maxiter": 3000},
        )
        assert 0.99 * theirs.fun <= size(found.ways[0]) <= 1.001 * theirs.fun


def test_where_nothing_reaches_the_target_that_is_proved(faces):
    X, y = faces
    fitted = MultinomialLogit(alpha=1e6).fit(X, np.where(y == "surprise", "happy", y))
    x = X.iloc[0]
    rare = fitted.classes_[np.argmin(fitted.predict_proba(X).mean(axis=0))]
    found = counterfactual(fitted, x, to=str(rare))
    assert [(way.exists, way.reason, way.exact) for way in found.ways] == [(False, "none exists", True)] * 3
    assert found["one AU"].text == "no change of a single AU does it"
    assert found.text == f"{rare} instead of {found.answer}: none exists"
    assert found.to_frame()["reason"].tolist() == ["none exists"] * 3


def test_fixed_aus_stay(model, faces):
    x = faces[0].iloc[9]
    free = counterfactual(model, x)
    used = next(iter(free["one AU"].changes))
    held = checked(model, x, counterfactual(model, x, fixed=[used]))
    assert all(used not in way.changes for way in held.ways)
    with pytest.raises(ModelError, match="fixed: no AU is left that could change"):
        counterfactual(model, x, fixed=list(x.index))


def test_presence_turns_over_whole(faces):
    X, y = simulated(200, ["AU01_c", "AU04_c", "AU06_c", "AU12_c"], ["happy", "neutral", "sad"], seed=4)
    X = (X > 0.7).astype(float)
    linear = MultinomialLogit().fit(X, y)
    pairs = MultinomialLogit(terms="pairs", pairs="auto", knots=()).fit(X, y)
    for fitted in (linear, pairs):
        for i in range(6):
            x = X.iloc[i]
            found = checked(fitted, x, counterfactual(fitted, x))
            flips = next(
                (
                    count
                    for count in range(1, 5)
                    for some in combinations(X.columns, count)
                    if fitted.predict(x.where(~x.index.isin(some), 1 - x).to_frame().T)[0] == found.target
                ),
                None,
            )
            for way in found.ways[:2]:
                assert all({*ends} == {0.0, 1.0} for ends in way.changes.values())
                if way.exists:
                    assert len(way.changes) >= flips


def test_a_value_beyond_the_training_range_may_stay(model, faces):
    x = faces[0].iloc[9].copy()
    x["AU25_r"] = model.feature_range_[1][4] + 1.0
    checked(model, x, counterfactual(model, x))


def test_a_counterfactual_can_be_read(model, faces):
    x = faces[0].iloc[9]
    found = counterfactual(model, x)
    e = explain(model, x)
    assert (found.answer, found.target) == (e.target, e.rival)
    assert e.counterfactual().to_dict() == found.to_dict()
    assert explain(model, x, target=e.rival).counterfactual().target == e.rival
    record = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert [way["kind"] for way in record["ways"]] == list(KINDS)
    frame = found.to_frame()
    assert list(frame.columns)[:6] == ["answer", "target", "kind", "exists", "exact", "reason"]
    one = found["one AU"]
    if one.exists:
        assert found.text.startswith(f"{found.target} (")
        assert " to " in one.text
    with pytest.raises(KeyError):
        found["two AUs"]


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"to": "bored"}, "to: the model knows"),
        ({"kinds": ["two AUs"]}, "kinds: expected some of least squares"),
        ({"kinds": []}, "kinds: expected"),
        ({"fixed": ["AU99_r"]}, "fixed: the model has no AU99_r"),
        ({"margin": 0.0}, "margin: expected a number above 0"),
    ],
)
def test_what_cannot_be_looked_for_is_said(model, faces, options, part):
    with pytest.raises(ModelError, match=part):
        counterfactual(model, faces[0].iloc[0], **options)


def test_the_answer_itself_is_no_other_answer(model, faces):
    with pytest.raises(ModelError, match="is the answer for this face already"):
        counterfactual(model, faces[0].iloc[0], to=explain(model, faces[0].iloc[0]).target)
    with pytest.raises(ModelError, match="one face"):
        counterfactual(model, faces[0].iloc[0].where(faces[0].columns != "AU01_r"))


def test_what_the_solver_prints_does_not_reach_stdout(model, faces, capfd, monkeypatch):
    import scipy.optimize

    solve, calls = scipy.optimize.milp, []

    def loud(*arguments, **options):
        calls.append(os.write(1, b"a line for the solver's makers"))
        return solve(*arguments, **options)

    monkeypatch.setattr(scipy.optimize, "milp", loud)
    counterfactual(model, faces[0].iloc[9], kinds=["least squares"])
    assert calls
    assert capfd.readouterr().out == ""


def test_explaining_loads_numpy_only():
    code = (
        "import sys, numpy as np; from analysis.logit.model import MultinomialLogit; "
        "from analysis.explain.faces import explain_many; "
        "m = MultinomialLogit.load('models/logit-embedded'); "
        "e = explain_many(m, m.class_feature_mean_, draws=10); e[0].to_dict(); "
        "heavy = ('pandas', 'scipy', 'sklearn', 'statsmodels', 'matplotlib', 'torch'); "
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "[]\n"
