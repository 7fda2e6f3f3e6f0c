"""What the functions of this package are given: one face, one emotion."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from analysis.aumatrix import AURows, FaceAUs, is_measured
from analysis.errors import ModelError
from analysis.text import label_key

if TYPE_CHECKING:
    from analysis.logit import MultinomialLogit


def class_number(model: MultinomialLogit, name: str, parameter: str) -> int:
    """Find a class by any spelling of its name; ModelError, naming the parameter, where there is none."""
    classes = [str(label) for label in model.classes_]
    if str(name) in classes:
        return classes.index(str(name))
    keys = [label_key(label) for label in classes]
    if label_key(name) in keys:
        return keys.index(label_key(name))
    raise ModelError(f"{parameter}: the model knows {', '.join(classes)}, not {name!r}")


def one_row(x: FaceAUs) -> AURows:
    """Make one row of a mapping, a Series or a flat array; leave tables as they are."""
    import pandas as pd

    if isinstance(x, Mapping | pd.Series):
        return pd.DataFrame([dict(x)])
    return x if isinstance(x, pd.DataFrame) or is_measured(x) else np.atleast_2d(x)
