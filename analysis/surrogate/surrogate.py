"""A regression on Action Units in place of any classifier: its reasons, and whether AUs can give them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from analysis.aumatrix import AURows, FaceAUs, aligned
from analysis.compare.probabilities import Predictions, read_predictions
from analysis.errors import FitError
from analysis.explain import explain, explain_many
from analysis.files import JsonObject
from analysis.logit import MultinomialLogit
from analysis.results import load_result, save_result
from analysis.surrogate.answer import AnswerExplanation
from analysis.surrogate.fidelity import FIDELITY, FLOOR
from analysis.surrogate.stability import stability
from analysis.surrogate.tables import answered_faces, judge, measure_references, per_class, read_faces

if TYPE_CHECKING:
    import pandas as pd

KIND = "surrogate"

MINIMUM = {"logit_r2": 0.5, "kappa": 0.4}
"""The fidelity below which a surrogate is not to be used.

Contributions are shares of the centred logits, so R^2 of those counts: below one half, more of what
moves the classifier's logits lies outside the reasons given than in them. A high R^2 may still come
from faces far from any decision, so the answers have to agree too: a kappa of .4 and less is 'fair'
at best (Landis & Koch 1977, Biometrics 33:159).
"""


@dataclass(frozen=True)
class Surrogate:
    """A regression on AUs that answers in a classifier's place, and how faithful it is.

    Attributes
    ----------
    facts : dict
        `explains`, `classes`, `n_train`, `n_test`, `n_groups`, `grouped`, `usable`, `verdict`,
        `minimum`, `floor`, `alpha`, `terms`, `rank_correlation` (mean over the draws of Spearman's
        between a draw's coefficients and the estimate's, per standard deviation), `draws`, `seed`,
        `level`, `notes`.
    tables : dict of str to DataFrame
        `fidelity` [who, metric, value, low, high], on held-out rows; see `analysis.surrogate.fidelity`.
        `per_class` [emotion, n, agreement, kappa, r2, accounted]: n faces that the classifier calls
        so; `accounted` where R^2 and kappa reach the minimum.
        `stability` [emotion, au, term, coef, low, high, sign_consistency]; see `stability.py`.
        `faces` [input, frame, face, answer, surrogate, kl, distance, held_out]: each face's answers,
        KL(classifier || surrogate) in nats and the total variation distance, 0 to 1.
    model : MultinomialLogit
        The regression, fitted to the classifier's probabilities on the training rows.
    """

    facts: JsonObject
    tables: dict[str, pd.DataFrame]
    model: MultinomialLogit

    @property
    def fidelity(self) -> pd.DataFrame:
        """Fidelity on held-out people, beside its references."""
        return self.tables["fidelity"]

    @property
    def usable(self) -> bool:
        """Whether the fidelity reaches the stated minimum."""
        return bool(self.facts["usable"])

    def explain(self, x: FaceAUs, probabilities: Mapping[str, float], **options: Any) -> AnswerExplanation:
        """Explain the classifier's answer for one face by its AUs.

        Parameters
        ----------
        x : mapping, Series, or (p,) array
            The face's AUs, as `analysis.explain.explain` takes them.
        probabilities : mapping of str to float
            What the classifier answered, by emotion.
        **options
            As for `analysis.explain.explain`. The target is the classifier's answer unless told otherwise.

        Raises
        ------
        FitError
            For probabilities that do not sum to 1 or are of other emotions.
        ModelError
            As `analysis.explain.explain`.
        """
        import pandas as pd

        given = read_predictions(pd.DataFrame([dict(probabilities)]), "probabilities")
        self._check_classes(given)
        target = options.pop("target", str(given.answers[0]))
        explanation = explain(self.model, x, target=target, **options)
        return AnswerExplanation.of(self.facts, given.probabilities[0], explanation)

    def explain_many(
        self, X: AURows, probabilities: Predictions | pd.DataFrame, **options: Any
    ) -> list[AnswerExplanation | None]:
        """Explain the classifier's answers for many faces; None where an AU has no value.

        Parameters
        ----------
        X : AUTable, DataFrame or (n, p) array
            The faces' AUs.
        probabilities : DataFrame or Predictions
            What the classifier answered, n rows; see `read_predictions`.
        **options
            As for `analysis.explain.explain_many`; the targets are the classifier's answers.
        """
        import pandas as pd

        given = read_predictions(probabilities, "probabilities")
        self._check_classes(given)
        values = aligned(X, self.model)
        if len(values) != len(given.probabilities):
            raise FitError(f"probabilities: expected {len(values)} rows, got {len(given.probabilities)}")
        faces = pd.DataFrame(values, columns=self.model.feature_names_in_)
        found: list[AnswerExplanation | None] = [None] * len(faces)
        for answer in np.unique(given.answers):
            rows = np.flatnonzero(given.answers == answer)
            explained = explain_many(self.model, faces.iloc[rows], target=str(answer), **options)
            for row, one in zip(rows, explained, strict=True):
                if one is not None:
                    found[row] = AnswerExplanation.of(self.facts, given.probabilities[row], one)
        return found

    def save(self, folder: str | Path) -> Path:
        """Write `surrogate.json` and `model.json` into a folder; OSError where that cannot be done."""
        self.model.save(folder)
        return save_result(folder, KIND, self.facts, self.tables)

    @classmethod
    def load(cls, folder: str | Path) -> Surrogate:
        """Read what `save` wrote; AnalysisError where there is no such result."""
        return cls(*load_result(folder, KIND), MultinomialLogit.load(folder))

    def _check_classes(self, given: Predictions) -> None:
        if given.classes.tolist() != self.facts["classes"]:
            raise FitError(
                f"probabilities: expected those of {', '.join(self.facts['classes'])}, "
                f"got {', '.join(given.classes)}"
            )


def fit_surrogate(
    X: AURows,
    probabilities: Predictions | pd.DataFrame,
    *,
    name: str = "classifier",
    groups: ArrayLike | None = None,
    y: ArrayLike | None = None,
    alpha: float | str = "cv",
    terms: str = "linear",
    test: float | np.ndarray | None = None,
    minimum: Mapping[str, float] = MINIMUM,
    level: float = 0.95,
    draws: int = 200,
    seed: int = 0,
) -> Surrogate:
    """Fit a regression on AUs to a classifier's probabilities, and measure how faithful it is.

    Parameters
    ----------
    X : AUTable, DataFrame or (n, p) array
        AUs of the faces. Columns `input`, `frame` and `face` name them where they are there. Faces
        with an AU missing are left out.
    probabilities : DataFrame or Predictions
        The classifier's answers for the same faces; see `read_predictions`. Faces that it was trained
        on show it surer than it is: give others.
    name : str
        The classifier's name.
    groups : (n,) array-like, optional
        The person on each face, who is then either trained on or held out.
    y : (n,) array-like, optional
        True labels, for the reference 'logit on true labels'.
    alpha, terms
        See `MultinomialLogit`; 'cv' chooses the ridge strength on the training rows.
    test : float or (n,) bool array, optional
        The share of persons held out, or which rows are; a quarter unless told otherwise.
    minimum : mapping of str to float
        The fidelity that is asked for, by measure. The lower end of the interval has to reach it.
    level : float
        Of the intervals.
    draws : int
        Bootstrap draws of held-out persons for the fidelity, and of training persons, refitted, for
        the stability.
    seed : int
        Of the split and of all draws.

    Returns
    -------
    Surrogate

    Raises
    ------
    FitError
        For probabilities that are none, other lengths, too few rows, a person on both sides of
        `test`, or an unknown measure in `minimum`.

    Notes
    -----
    The references say what a number is worth. 'majority' always answers with the mean probabilities.
    'logit on true labels' never saw the classifier: what it shares with it is that both know emotions.
    'flexible AU model' is gradient boosting on the AUs, fitted to the classifier's centred logits
    (floored at `FLOOR`): about the most that any model of these AUs could do. Its squared error on
    centred logits is what `logit_r2` counts; boosting the probabilities or their likelihood instead
    came out at about the same `kl_r2` and a lower `logit_r2`.
    """
    unknown = sorted(set(minimum) - set(FIDELITY))
    if unknown:
        raise FitError(f"minimum: expected measures of {', '.join(FIDELITY)}, got {', '.join(unknown)}")
    faces = read_faces(X, probabilities, name, groups, y)
    train, held_out = faces.split(test, seed)
    model = MultinomialLogit(alpha=alpha, terms=terms)
    model.fit_soft(train.aus, train.given.probabilities, train.given.classes, groups=train.persons)
    model.backend_ = faces.backend
    fidelity = measure_references(model, train, held_out, level=level, draws=draws, seed=seed)
    steady, correlation = stability(
        *(model, train.aus, train.given.probabilities),
        groups=train.persons,
        level=level,
        draws=draws,
        seed=seed,
    )
    by_emotion = per_class(model, train, held_out, minimum)
    usable, verdict = judge(fidelity, by_emotion, minimum)
    facts = {
        **{"explains": name, "classes": faces.given.classes.tolist(), "usable": usable, "verdict": verdict},
        **{"minimum": dict(minimum), "floor": FLOOR, "n_train": len(train.aus), "n_test": len(held_out.aus)},
        **{"n_groups": faces.people, "grouped": faces.persons is not None},
        **{"alpha": model.alpha_, "terms": terms, "rank_correlation": correlation},
        **{"draws": draws, "seed": seed, "level": level, "notes": [*faces.notes, *model.notes_]},
    }
    tables = {"fidelity": fidelity, "per_class": by_emotion, "stability": steady}
    tables["faces"] = answered_faces(model, faces, held_out)
    return Surrogate(facts, tables, model)
