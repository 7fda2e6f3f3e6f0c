"""Who each row of a table shows, as the user tells it: a column, or a pattern within one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from feat_pipeline.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


def people_of(frame: pd.DataFrame, groups: str) -> np.ndarray:
    """Read the people of a table's rows.

    Parameters
    ----------
    frame : DataFrame
        n rows.
    groups : str
        A column, or ``COLUMN:REGEX`` whose first group, or whole match where it has none, is the person.

    Returns
    -------
    (n,) ndarray of str

    Raises
    ------
    UsageError
        No such column, a pattern that is none, or a row in which no person is named.

    Examples
    --------
    >>> import pandas as pd
    >>> people_of(pd.DataFrame({"input": ["S005_001.png", "S010_002.png"]}), "input:^(S[0-9]+)_").tolist()
    ['S005', 'S010']
    """
    column, colon, pattern = (groups, "", "") if groups in frame.columns else groups.partition(":")
    if column not in frame.columns:
        raise UsageError(f"groups: the table has no column {column!r}; name one that says who each face is")
    people = frame[column]
    if colon:
        try:
            matcher = re.compile(pattern)
        except re.error as error:
            raise UsageError(f"groups: {pattern!r} is no regular expression ({error})") from None
        found = people.astype(str).map(matcher.search)
        people = found.map(lambda match: match and match[min(1, matcher.groups)])
    unnamed = people.isna() | (people.astype(str) == "")
    if unnamed.any():
        first = frame[column][unnamed].iloc[0]
        raise UsageError(
            f"groups: {groups} names nobody in {unnamed.sum()} of {len(frame)} rows, such as {first!r}; "
            f"expected a person in every row"
        )
    return people.astype(str).to_numpy(dtype=str)
