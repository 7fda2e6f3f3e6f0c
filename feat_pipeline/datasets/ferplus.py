"""FER+: FER2013's faces by the votes of ten annotators, as labels and as shares.

Barsoum et al. (2016), *Training deep networks for facial expression recognition with crowd-sourced label
distribution*; words with one single vote count as slips, as in the authors' own program.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from analysis.facs import canonical_emotion, in_order
from feat_pipeline.datasets.faces import LabelledFaces, merged, with_classes
from feat_pipeline.datasets.fer2013 import VOTES
from feat_pipeline.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

#: Emotions in the order of the votes' columns; 'unknown' and 'NF' (not a face) follow them.
VOTED = tuple(map(canonical_emotion, VOTES[:-2]))


def by_votes(
    faces: LabelledFaces, classes: Sequence[str] | None = None, merge: Mapping[str, str] | None = None
) -> LabelledFaces:
    """Label faces as their annotators did.

    Parameters
    ----------
    faces : LabelledFaces
        As `feat_pipeline.datasets.fer2013.read_fer2013` reads them, with votes.
    classes, merge
        See `with_classes`; by default the eight emotions of FER+, with contempt. Votes of merged emotions
        are added up.

    Returns
    -------
    LabelledFaces
        Labels are the emotions with most votes. Faces with most votes for 'unknown' or 'not a face' are left
        out; of the parts to judge by also those that no more than half of the votes agree on. `votes` has a
        column a class.

    Raises
    ------
    InputError
        The faces have no votes.
    UsageError
        See `with_classes`.
    """
    if faces.votes is None or faces.votes.shape[1] != len(VOTES):
        raise InputError(
            "votes: expected FER2013's faces with FER+ votes; read them with votes=fer2013new.csv"
        )
    counted = np.where(faces.votes > 1, faces.votes, 0)
    names = np.array(merged(VOTED, merge))
    every = tuple(in_order(names.tolist()))
    votes = np.stack([counted[:, :-2][:, names == name].sum(1) for name in every], 1)
    words = np.hstack([votes, counted[:, -2:]])
    most = words.argmax(1)
    agreed = 2 * words.max(1) > words.sum(1)
    usable = (most < len(every)) & (words.max(1) > 0) & (agreed | (faces.usage == "Training"))
    labelled = replace(
        faces, labels=np.minimum(most, len(every) - 1), classes=every, votes=votes.astype(np.uint8),
        notes=(*faces.notes, *_notes(faces.usage, usable)),
    ).select(usable)  # fmt: skip
    kept = with_classes(labelled, classes)
    return replace(kept, votes=kept.votes[:, [every.index(name) for name in kept.classes]])  # type: ignore[index]


def vote_shares(faces: LabelledFaces) -> pd.DataFrame:
    """Return the shares of the votes, float, shape (n, K), for faces of `by_votes`; columns as `classes`."""
    import pandas as pd

    votes = np.asarray(faces.votes, np.float64)
    return pd.DataFrame(votes / votes.sum(1, keepdims=True), columns=list(faces.classes))


def _notes(usage: np.ndarray, usable: np.ndarray) -> list[str]:
    counts = [(part, int((~usable & (usage == part)).sum())) for part in dict.fromkeys(usage.tolist())]
    told = ", ".join(f"{number:,} of {part}" for part, number in counts if number)
    return [f"FER+: faces left out, as its annotators did not agree on an emotion: {told}"] if told else []
