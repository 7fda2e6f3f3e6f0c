"""The AU models of a report: found beside the results, and laid out as a table of coefficients."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from analysis import filenames
from analysis.display import au_number, au_title, coefficient_grid, signed, term_title
from analysis.errors import AnalysisError
from analysis.facs import SCALE_RANGES, in_order
from analysis.likelihood.information import terms_block

if TYPE_CHECKING:
    import pandas as pd

    from analysis.logit import MultinomialLogit
    from analysis.report.collect import Results

AnyModel: TypeAlias = "MultinomialLogit | pd.DataFrame"
"""A model, or its table of coefficients where no more than that was saved."""

_COLUMNS = ("emotion", "au", "term", "coef")


def find_models(results: Results, given: Mapping[str, AnyModel] | None) -> dict[str, AnyModel]:
    """Find the model behind each explanation.

    Parameters
    ----------
    results : Results
        What the directory holds; warnings are added to it.
    given : mapping of str to MultinomialLogit or pandas.DataFrame, optional
        Models that the caller has at hand; they win over files.

    Returns
    -------
    dict of str to MultinomialLogit or pandas.DataFrame
        Looked for in `given`, in ``models/NAME`` and in the directory itself (``model.json``,
        else ``coefficients.csv``).
    """
    found = dict(given or {})
    wanted = list(dict.fromkeys(str(r["model"]) for face in results.faces for r in face.explanations))
    for name in wanted:
        places = [results.directory / filenames.MODEL_COPIES / name]
        if len(wanted) == 1:
            places.append(results.directory)
        if name not in found:
            _load_first(results, name, places, found)
    if not wanted and not found:
        _load_first(results, results.directory.resolve().name, [results.directory], found)
    for name in wanted:
        if name not in found:
            results.warnings.append(
                f"The coefficients of model {name} are not in this directory, so its table is not shown."
            )
    return found


def _load_first(results: Results, name: str, places: list[Path], found: dict[str, AnyModel]) -> None:
    for place in places:
        try:
            model = _load(place)
        except (AnalysisError, OSError, ValueError) as error:
            results.warnings.append(f"Model {name} could not be read: {error}")
            continue
        if model is not None:
            found[name] = model
            return


def _load(path: Path) -> AnyModel | None:
    """Load the model at a directory or file; None where there is none."""
    file = path / filenames.MODEL if path.is_dir() else path
    if file.is_file() and file.suffix == ".json":
        from analysis.logit import MultinomialLogit

        return MultinomialLogit.load(file)
    table = path / filenames.COEFFICIENTS
    if not table.is_file():
        return None
    import pandas as pd

    frame = pd.read_csv(table, keep_default_na=False, na_values=[""])
    missing = [column for column in _COLUMNS if column not in frame]
    if missing:
        raise AnalysisError(f"{table.name} has no column {', '.join(missing)}")
    for column in {"coef", "se"} & set(frame):
        frame[column] = pd.to_numeric(frame[column])
    if coefficient_grid(frame)[0].empty:
        raise AnalysisError(f"{table.name} holds no coefficient of an Action Unit")
    return frame


def coefficients_of(model: AnyModel) -> pd.DataFrame:
    """Return the tidy coefficient table of a model, or the table itself."""
    return model.coefficients() if hasattr(model, "coefficients") else model


def low_validity(models: Mapping[str, AnyModel]) -> set[str]:
    """Collect the AU columns that any of the models marks as of low validity."""
    return {
        str(column) for model in models.values() for column in getattr(model, "low_validity_", None) or ()
    }


def effect_grid(model: MultinomialLogit) -> tuple[pd.DataFrame, pd.DataFrame, float]:
    """Compute what a marked Action Unit adds to each emotion, whatever terms the model has.

    Parameters
    ----------
    model : MultinomialLogit
        A fitted model on AUs with a known scale.

    Returns
    -------
    effect, se : pandas.DataFrame
        AU column x emotion: the change of the centred logit when the AU alone rises from 0 to
        `rise`, all others at their average, and its standard error by the delta method.
    rise : float
        Three fifths of the scale: 3 of 5 for intensities.
    """
    import pandas as pd

    rise = 0.6 * SCALE_RANGES[model.scale_][1]
    columns, classes = list(model.feature_names_in_), [str(name) for name in model.classes_]
    low, high = np.tile(model.feature_mean_, (2, len(columns), 1))
    np.fill_diagonal(low, 0.0)
    np.fill_diagonal(high, rise)
    step = model.terms_of(high) - model.terms_of(low)
    spread = np.full((len(columns), len(classes)), np.nan)
    if model.covariance_ is not None:
        for k in range(len(classes)):
            block = terms_block(model.covariance_, k, step.shape[1])
            spread[:, k] = np.sqrt(np.maximum(np.einsum("jt,ts,js->j", step, block, step), 0))
    effect = pd.DataFrame(step @ model.coef_.T, index=columns, columns=classes)
    se = pd.DataFrame(spread, index=columns, columns=classes)
    rows = sorted(columns, key=au_number)
    return effect.loc[rows, in_order(classes)], se.loc[rows, in_order(classes)], rise


def model_view(name: str, model: AnyModel, low: set[str]) -> dict[str, Any]:
    """Lay one model out for the template.

    Parameters
    ----------
    name : str
        The model's name.
    model : MultinomialLogit or pandas.DataFrame
        The model or its coefficients.
    low : set of str
        AU columns of low validity.

    Returns
    -------
    dict
        ``name, caption, facts, emotions, rows``; each row has ``title, low, cells``, each cell
        ``text, se, tint, strong, clear``.
    """
    if getattr(model, "terms", "linear") != "linear" and model.scale_ in SCALE_RANGES:
        coef, se, rise = effect_grid(model)
        what = f"change of the centred logit when the Action Unit alone rises from 0 to {rise:g}"
        titles, columns = [au_title(column) for column in coef.index], list(coef.index)
    else:
        coefficients = coefficients_of(model)
        coef, se = coefficient_grid(coefficients)
        what = "change of the centred logit per unit of the Action Unit"
        titles = [term_title(term) for term in coef.index]
        columns = list(coef.index.map(dict(zip(coefficients["term"], coefficients["au"], strict=True))))
    bound = float(coef.abs().to_numpy().max()) or 1.0
    rows = [
        {
            "title": title,
            "low": column in low,
            "cells": [_cell(float(v), float(e), bound) for v, e in zip(values, errors, strict=True)],
        }
        for title, column, values, errors in zip(titles, columns, coef.to_numpy(), se.to_numpy(), strict=True)
    ]
    caption = f"{name}: {what}"
    return {"name": name, "caption": caption, "facts": _facts(model), "emotions": list(coef), "rows": rows}


def _cell(value: float, se: float, bound: float) -> dict[str, Any]:
    if not math.isfinite(value):
        return {"text": "", "se": None, "tint": "transparent", "strong": False, "clear": False}
    share = min(1.0, abs(value) / bound)
    hue = "11,92,173" if value >= 0 else "184,84,10"
    return {
        "text": signed(value),
        "se": se if math.isfinite(se) else None,
        "tint": f"rgba({hue},{share:.2f})",
        "strong": share > 0.62,
        "clear": not math.isfinite(se) or abs(value) >= 1.96 * se,
    }


def _facts(model: AnyModel) -> list[tuple[str, str]]:
    """List what the model says of itself."""
    names = (
        ("n_", "fitted on faces"),
        ("backend_", "AU backend"),
        ("scale_", "AU scale"),
        ("terms", "terms"),
        ("alpha", "ridge strength"),
    )
    facts = []
    for attribute, words in names:
        value = getattr(model, attribute, None)
        if value not in (None, ""):
            facts.append((words, f"{value:,}" if isinstance(value, int) else str(value)))
    scores = getattr(model, "scores_", None)
    for key, value in scores.items() if isinstance(scores, Mapping) else ():
        if isinstance(value, int | float):
            facts.append((str(key).replace("_", " "), f"{value:.4g}"))
    facts += [("note", str(note)) for note in getattr(model, "notes_", None) or ()]
    return facts
