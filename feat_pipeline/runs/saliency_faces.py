"""Faces explained a batch at a time, and what is made of them: rows, agreement, checks and figures."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.errors import AnalysisError
from feat_pipeline.errors import InputError, UsageError
from feat_pipeline.faces.crops import FaceCrops
from feat_pipeline.models.protocol import NetworkModel, hands_out_network, is_explainable
from feat_pipeline.output.runlog import RunLog
from feat_pipeline.predict import FacePrediction, Predictor
from feat_pipeline.saliency.attribution import FACES_AT_ONCE, attribute
from feat_pipeline.saliency.correlation import (
    RegionCorrelation,
    logit_regions,
    randomisation_check,
    region_correlation,
)
from feat_pipeline.saliency.regions import BACKGROUND, PIXEL_REGIONS, by_region, landmarks_seen, region_masks
from feat_pipeline.sources.frame import Skipped

if TYPE_CHECKING:
    import pandas as pd

    from feat_pipeline.saliency.attribution import Attribution

COLUMNS = (
    "input", "frame", "face", "emotion", "probability", "region", "attribution", "share", "area",
    "contribution",
)  # fmt: skip
NO_CONTRIBUTIONS = (
    "has no contributions of Action Units; name a regression, as 'feat-pipeline fit' makes, or the folder "
    "that 'feat-pipeline surrogate' wrote"
)
OUTSIDE = "its landmarks lie outside what the model sees"
#: Faces that the randomisation check is made on, and its cheaper settings: it explains each of them once for
#: every part of the network.
CHECKED = 16
CHEAPER = {"steps": 16, "samples": 5}
DPI = 130


class FaceAttributions:
    """Gathers faces, explains them a batch at a time, and keeps what figures and checks need.

    Parameters
    ----------
    predictor : Predictor
        Of two models: the one that is looked into, and the regression that it is held against.
    options : dict
        For `attribute`: ``method, baseline, seed``.
    target : str or None
        The emotion to explain; each face's answer where it is None.
    most_drawn : int
        Faces that get a figure, from the first on.
    log : RunLog
        Lists the faces that cannot be explained.
    """

    def __init__(
        self, predictor: Predictor, options: dict[str, Any], target: str | None, most_drawn: int, log: RunLog
    ) -> None:
        (self.name, self.model), (self.other, against) = predictor.models.items()
        if not is_explainable(against):
            raise UsageError(f"against {self.other}: {NO_CONTRIBUTIONS}")
        self.regression = against
        self.options, self.target, self.most_drawn, self.log = options, target, most_drawn, log
        self.size = self.model.size_ if hands_out_network(self.model) else None
        self.waiting: list[tuple[FacePrediction, np.ndarray]] = []
        self.faces: list[dict[str, Any]] = []
        self.aus: list[dict[str, float]] = []
        self.tables: list[pd.DataFrame] = []
        self.gaps: list[np.ndarray] = []
        self.drawn: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        self.checked: list[tuple[np.ndarray, np.ndarray]] = []

    def add(self, faces: list[FacePrediction], picture: np.ndarray) -> None:
        """Take the faces of a picture, RGB; those that cannot be explained are listed in the log."""
        for face in faces:
            if not np.isfinite([*face.aus.values(), *face.landmarks.ravel()]).all():
                continue  # listed by the log already
            if self._masks([face])[0, PIXEL_REGIONS.index(BACKGROUND)].all():
                where = Skipped(face.input, face.frame, f"face {face.face}: {OUTSIDE}")
                self.log.skip(where, "landmarks outside")
                continue
            self.waiting.append((face, picture))
        if len(self.waiting) >= FACES_AT_ONCE:
            self.finish()

    def finish(self) -> None:
        """Explain the faces that wait."""
        if not self.waiting:
            return
        faces, pictures = zip(*self.waiting, strict=True)
        self.waiting = []
        waiting, masks = FaceCrops(pictures, [face.box_xyxy for face in faces]), self._masks(faces)
        crops = np.asarray(waiting) if self.size is None else waiting.inside(self.size)
        found = attribute(self.model, crops, self.target, masks=masks, **self.options)
        table = by_region(found, masks)
        table["face"] += len(self.faces)
        self.tables.append(table)
        with np.errstate(divide="ignore", invalid="ignore"):
            self.gaps.append(np.abs(found.residual / (found.logit - found.baseline_logit)))
        for face, emotion in zip(faces, found.targets.tolist(), strict=True):
            place = {"input": face.input, "frame": face.frame, "face": face.face, "emotion": emotion}
            self.faces.append(place | {"probability": face.probabilities[self.name][emotion]})
            self.aus.append(face.aus)
        self._keep(found, crops, masks)

    def result(
        self, people: dict[str, str] | None, draws: int, seed: int
    ) -> tuple[pd.DataFrame, RegionCorrelation]:
        """Return the rows of ``saliency.csv`` and the agreement with its checks, when all are explained."""
        import pandas as pd

        if not self.faces:
            raise InputError(
                "photos: no face was found whose Action Units could be measured; give photos of faces, or "
                "take another --detector"
            )
        network, contributions = self._by_region
        notes = self._unknown_emotions()
        who = None if people is None else [people[face["input"]] for face in self.faces]
        try:
            found = region_correlation(network, contributions, groups=who, draws=draws, seed=seed)
        except (InputError, AnalysisError) as error:
            notes.append(f"no agreement is given: {error}")
            found = RegionCorrelation({"n": 0, "correlation": None, "level": 0.95}, {})
        rows = network.merge(contributions.drop(columns="target"), how="left", on=["face", "region"])
        tables = {"faces": self._of_faces(found), "regions": _of_regions(rows, found)}
        tables |= {"nulls": found.tables["nulls"]} if "nulls" in found.tables else {}
        if hands_out_network(self.model):
            tables["randomisation"] = self._randomised(self.model)
        else:
            notes.append("no randomisation check: the model has no network whose weights could be shuffled")
        gap = np.concatenate(self.gaps)
        facts = found.facts | {
            "model": self.name, "against": self.other, "faces": len(self.faces), "target": self.target,
            "method": self.options["method"], "baseline": self.options["baseline"],
            "gap": float(np.median(gap)), "checked": len(self.checked), "notes": notes,
        }  # fmt: skip
        faces = pd.DataFrame(self.faces)
        rows = rows.rename(columns={"target": "emotion", "face": "number"})
        rows = rows.join(faces.drop(columns="emotion"), on="number")
        return rows[[*COLUMNS]], RegionCorrelation(facts, tables)

    def figures(self) -> Iterable[tuple[str, bytes]]:
        """Draw the faces that were kept, as name and PNG."""
        from analysis.plots import saliency

        for number, (face, values, masks) in enumerate(self.drawn):
            place = self.faces[number]
            own, other = (t[t["face"] == number].set_index("region") for t in self._by_region)
            figure = saliency(
                face, values, masks, PIXEL_REGIONS,
                network=own["share"].to_dict(), regression=other["contribution"].to_dict(),
                target=place["emotion"], title=_title(place),
            )  # fmt: skip
            buffer = io.BytesIO()
            figure.savefig(buffer, format="png", dpi=DPI)
            yield _picture(number), buffer.getvalue()

    def _masks(self, faces: Sequence[FacePrediction]) -> np.ndarray:
        points = np.stack([landmarks_seen(face, self.size) for face in faces])
        return region_masks(points, self.size or faces[0].crop_rgb.shape[0])

    def _keep(self, found: Attribution, crops: np.ndarray, masks: np.ndarray) -> None:
        room = self.most_drawn - len(self.drawn)
        for face, values, parts in list(zip(found.faces, found.values, masks, strict=True))[:room]:
            grey = face if face.ndim == 2 else face.mean(2).astype(np.uint8)
            self.drawn.append((grey, values, parts))
        self.checked += list(zip(crops, masks, strict=True))[: CHECKED - len(self.checked)]

    @cached_property
    def _by_region(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """What regions add to each face's emotion: of the network's pixels, and of the regression's AUs."""
        import pandas as pd

        known = set(map(str, self.regression.classes_))
        rows = [i for i, face in enumerate(self.faces) if face["emotion"] in known]
        targets = [self.faces[row]["emotion"] for row in rows]
        found = logit_regions(self.regression, pd.DataFrame(self.aus).iloc[rows], targets)
        found["face"] = np.array(rows, np.intp)[found["face"].to_numpy(np.intp)]
        return pd.concat(self.tables, ignore_index=True), found

    def _unknown_emotions(self) -> list[str]:
        """Tell which faces the regression cannot explain, in one note or none."""
        known = set(map(str, self.regression.classes_))
        unknown = [face["emotion"] for face in self.faces if face["emotion"] not in known]
        if not unknown:
            return []
        return [
            f"{len(unknown)} faces are left out of the agreement: {self.other} does not know "
            f"{', '.join(sorted(set(unknown)))}"
        ]

    def _of_faces(self, found: RegionCorrelation) -> pd.DataFrame:
        import pandas as pd

        table = pd.DataFrame(self.faces)
        own = (
            found.tables["faces"].set_index("face")["correlation"] if found.tables else pd.Series(dtype=float)
        )
        table["correlation"] = own.reindex(table.index).to_numpy(float)
        table["picture"] = [_picture(i) if i < len(self.drawn) else None for i in table.index]
        return table

    def _randomised(self, model: NetworkModel) -> pd.DataFrame:
        crops, masks = (np.stack(part) for part in zip(*self.checked, strict=True))
        targets = [face["emotion"] for face in self.faces[: len(crops)]]
        return randomisation_check(model, crops, targets, masks, **self.options, **CHEAPER)


def _of_regions(rows: pd.DataFrame, found: RegionCorrelation) -> pd.DataFrame:
    """Average both sides over the faces, region by region."""
    means = rows.assign(size=rows["share"].abs()).groupby("region", sort=False)
    table = means[["area", "size", "share", "contribution"]].mean().reset_index()
    if "regions" in found.tables:
        return table.merge(found.tables["regions"], how="left", on="region")
    return table.assign(correlation=np.nan, p=np.nan)


def _picture(number: int) -> str:
    return f"figures/{number:06d}.png"


def _title(place: dict[str, Any]) -> str:
    which = f", face {place['face']}" if place["face"] else ""
    return f"{Path(place['input']).name}{which}: {place['emotion']}, {100 * place['probability']:.0f} %"
