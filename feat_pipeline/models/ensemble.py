"""Soft voting: the weighted mean of several models' probabilities."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from analysis.files import atomic_path
from feat_pipeline.errors import InputError, UsageError
from feat_pipeline.files import named_errors
from feat_pipeline.models import MODEL_FILE, load_model
from feat_pipeline.models.base import DAMAGED, WEIGHTS_FILE, check_fitted, is_fitted
from feat_pipeline.models.network_file import NETWORK_FILE
from feat_pipeline.models.protocol import AuModel, EmotionModel, can_be_trained, looks_at_aus
from feat_pipeline.sources.frame import PathLike

FORMAT, VERSION = "ensemble", 1
_MOST_STEPS, _SMALL_STEP = 10_000, 1e-7
_NAME = re.compile(r"\w[\w.-]*")


class Ensemble:
    """Models that vote with their probabilities.

    Parameters
    ----------
    members : mapping of str to EmotionModel
        Models by name; names become folders when the ensemble is saved.
    weights : sequence of float, optional
        One for each member, in their order; by default all vote alike.
    common : bool
        Where the members tell different emotions apart, vote on those that all of them know, each member's
        probabilities scaled to sum to 1 over these. Without it such members are refused.

    Attributes
    ----------
    classes_ : ndarray of str, shape (K,)
        In the order of the first member.
    consumes : {'aus', 'pixels', 'both'}
        'both' where AU models and pixel models vote together.

    Raises
    ------
    UsageError
        No member, weights that do not fit, or members with other emotions.
    """

    explains = False

    def __init__(
        self,
        members: Mapping[str, EmotionModel],
        *,
        weights: Sequence[float] | None = None,
        common: bool = False,
    ) -> None:
        if not members:
            raise UsageError("members: expected at least one model, got none")
        wrong = [name for name in members if not _NAME.fullmatch(name)]
        if wrong:
            raise UsageError(f"members: a name must do as a folder's name, got {wrong[0]!r}")
        self.members = dict(members)
        self.weights = weights
        self.common = common
        self._shares()
        if all(map(is_fitted, self.members.values())):
            self.classes_ = self._classes()

    @property
    def consumes(self) -> str:
        """What the members look at."""
        kinds = {member.consumes for member in self.members.values()}
        return kinds.pop() if len(kinds) == 1 else "both"

    @property
    def backend_(self) -> str:
        """What measured the AUs that the members were fitted on; 'unknown' where none says so."""
        known = {member.backend_ for member in self._on_aus()} - {"unknown"}
        if len(known) > 1:
            raise UsageError(f"members: expected AUs of one backend, got {', '.join(sorted(known))}")
        return known.pop() if known else "unknown"

    @property
    def scale_(self) -> str:
        """Scale of the AUs that the members were fitted on; '' where none says so."""
        known = {member.scale_ for member in self._on_aus()} - {""}
        if len(known) > 1:
            raise UsageError(f"members: expected AUs of one scale, got {', '.join(sorted(known))}")
        return known.pop() if known else ""

    @property
    def feature_names_in_(self) -> np.ndarray:
        """AU columns that any member needs, str, shape (p,)."""
        return np.array(list(dict.fromkeys(str(au) for m in self._on_aus() for au in m.feature_names_in_)))

    def _on_aus(self) -> list[AuModel]:
        return [member for member in self.members.values() if looks_at_aus(member)]

    def fit(self, X: Any, y: Sequence[str]) -> Ensemble:
        """Fit every member to the same faces.

        Parameters
        ----------
        X, y
            Faces as for `predict_proba`, and their emotions.

        Returns
        -------
        Ensemble
            Itself.

        Raises
        ------
        UsageError
            A member cannot be trained.
        """
        learners = [m for m in self.members.values() if isinstance(m, Ensemble) or can_be_trained(m)]
        if len(learners) < len(self.members):
            fixed = next(name for name, member in self.members.items() if member not in learners)
            raise UsageError(f"members: {fixed} cannot be trained here; vote with it as it is, without fit")
        for member in learners:
            member.fit(self._part(X, member.consumes), y)
        self.classes_ = self._classes()
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the weighted mean of the members' probabilities.

        Parameters
        ----------
        X : AUTable, ndarray, mapping or object
            What the members consume. Where they consume both, a mapping with the keys 'aus' and 'pixels', or
            an object with such attributes: an AU table and crops of the same faces in the same order.

        Returns
        -------
        ndarray of float64, shape (n, K)
            Columns as `classes_`; rows sum to 1; NaN for a face of which a member can say nothing.

        Raises
        ------
        InputError
            One of the two is missing, or they hold different numbers of faces.
        """
        check_fitted(self)
        answers = [self._answers(name, X) for name in self.members]
        lengths = {len(answer) for answer in answers}
        if len(lengths) > 1:
            raise InputError(
                f"X: expected AUs and pixels of the same faces, "
                f"got {' and '.join(map(str, sorted(lengths)))} rows"
            )
        return np.tensordot(self._shares(), np.stack(answers), axes=1)

    def save(self, path: str | Path) -> Path:
        """Write every member into a folder of its name, and ``model.json``, last, beside them.

        Returns
        -------
        Path
            ``model.json``; it holds the digests of the members' own.

        Raises
        ------
        OutputError
            The folder cannot be written.
        """
        folder = Path(path)
        with named_errors(folder):
            digests = {name: _digest(member.save(folder / name)) for name, member in self.members.items()}
            content = {
                "format": FORMAT,
                "version": VERSION,
                "classes": self.classes_.tolist(),
                "members": digests,
                "weights": self._shares().tolist(),
                "common": self.common,
            }
            with atomic_path(folder / MODEL_FILE) as temporary:
                temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        return folder / MODEL_FILE

    @classmethod
    def load(cls, path: str | Path) -> Ensemble:
        """Read an ensemble that `save` wrote, from its folder or its ``model.json``.

        Raises
        ------
        InputError
            A file is missing or damaged, or a member is another than was saved.
        """
        given = Path(path)
        file = given / MODEL_FILE if given.is_dir() else given
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
            if (content["format"], content["version"]) != (FORMAT, VERSION):
                raise ValueError(f"format {content['format']!r}, version {content['version']!r}")
            for name, digest in content["members"].items():
                if not _NAME.fullmatch(name) or _digest(file.parent / name / MODEL_FILE) != digest:
                    raise ValueError(f"member {name} is another than was saved")
            members = {name: load_model(file.parent / name) for name in content["members"]}
            model = cls(members, weights=content["weights"], common=content["common"])
            if model.classes_.tolist() != content["classes"]:
                raise ValueError(f"its members know {', '.join(model.classes_.tolist())}")
            return model
        except OSError as error:
            raise InputError(f"{error.filename}: cannot be read ({error.strerror})") from None
        except DAMAGED as error:
            raise InputError(f"{file}: is no usable model ({error}); save or copy it again") from None

    def files(self) -> list[str]:
        """Name the files that `save` writes for the members, by their paths below the ensemble's folder."""
        names = []
        for name, member in self.members.items():
            nested = member.files() if isinstance(member, Ensemble) else []
            names += [f"{name}/{file}" for file in (MODEL_FILE, WEIGHTS_FILE, NETWORK_FILE, *nested)]
        return names

    @property
    def shares(self) -> dict[str, float]:
        """Each member's share of the vote; they sum to 1."""
        return dict(zip(self.members, self._shares().tolist(), strict=True))

    def _shares(self) -> np.ndarray:
        """Return the weights, shape (members,), so that they sum to 1."""
        weights = np.ones(len(self.members)) if self.weights is None else np.asarray(self.weights, float)
        if weights.shape != (len(self.members),) or not ((weights >= 0).all() and 0 < weights.sum() < np.inf):
            raise UsageError(
                f"weights: expected {len(self.members)} numbers >= 0, not all 0, got {self.weights}"
            )
        return weights / weights.sum()

    def _classes(self) -> np.ndarray:
        known = {name: [str(c) for c in member.classes_] for name, member in self.members.items()}
        first, *others = known.values()
        differing = [name for name, classes in known.items() if set(classes) != set(first)]
        if differing and not self.common:
            told = "; ".join(f"{name}: {', '.join(classes)}" for name, classes in known.items())
            raise UsageError(
                f"members: expected the same emotions, got {told}; common=True votes on those all know"
            )
        shared = [name for name in first if all(name in classes for classes in others)]
        if len(shared) < 2:
            raise UsageError(
                f"members: expected two emotions or more that all know, got {', '.join(shared) or 'none'}"
            )
        return np.array(shared)

    def _part(self, X: Any, kind: str) -> Any:
        if isinstance(X, Mapping):
            part = X.get(kind)
        else:
            part = getattr(X, kind, None) if self.consumes == "both" else X
        if part is None:
            raise InputError(
                f"X: the members need {kind}; expected a mapping or an object that offers it, "
                f"got {type(X).__name__}"
            )
        return part

    def _answers(self, name: str, X: Any) -> np.ndarray:
        member = self.members[name]
        classes = [str(c) for c in member.classes_]
        answers = member.predict_proba(self._part(X, member.consumes))
        answers = answers[:, [classes.index(c) for c in self.classes_.tolist()]]
        return answers / answers.sum(axis=1, keepdims=True) if len(classes) > len(self.classes_) else answers


def saved_files(path: PathLike) -> list[str]:
    """Name the files of the members of an ensemble that was saved, by their paths below its folder.

    Parameters
    ----------
    path : path
        Folder of the ensemble.

    Returns
    -------
    list of str
        Empty where the folder holds no ensemble; without the members that are others than were saved.
    """
    folder, names = Path(path), []
    try:
        content = json.loads((folder / MODEL_FILE).read_text(encoding="utf-8"))
        members = dict(content["members"]) if content["format"] == FORMAT else {}
        for name, digest in members.items():
            if _NAME.fullmatch(name) and _digest(folder / name / MODEL_FILE) == digest:
                nested = saved_files(folder / name)
                names += [f"{name}/{file}" for file in (MODEL_FILE, WEIGHTS_FILE, NETWORK_FILE, *nested)]
    except (OSError, *DAMAGED):
        pass  # what cannot be told to be a member's stays
    return names


def vote_weights(answers: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Find the weights by which the vote's log loss is least.

    Parameters
    ----------
    answers : ndarray of float, shape (members, n, K)
        Each member's probabilities for faces that it did not learn from; rows sum to 1.
    codes : ndarray of int, shape (n,)
        The true class of each face.

    Returns
    -------
    ndarray of float64, shape (members,)
        They sum to 1.

    Notes
    -----
    Expectation maximisation for the shares of a mixture (Dempster et al., 1977): the loss is convex in them.
    """
    said = np.maximum(answers[:, np.arange(len(codes)), codes].astype(float), np.finfo(float).tiny)
    weights = np.full(len(said), 1 / len(said))
    for _ in range(_MOST_STEPS):
        before = weights
        weights = (weights[:, None] * said / (weights @ said)).mean(axis=1)
        if np.abs(weights - before).max() < _SMALL_STEP:
            break
    return weights / weights.sum()


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
