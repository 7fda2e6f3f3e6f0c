"""Build the report: collect, lay out, shrink the pictures, render, write at once."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis import filenames
from analysis.errors import AnalysisError
from analysis.files import atomic_path
from analysis.html.bars import au_groups
from analysis.html.environment import environment
from analysis.html.pictures import face_uris, inside, photo_uris
from analysis.records import RESIDUAL_SHOWN
from analysis.report.cards import card_view
from analysis.report.collect import Face, Results, collect, counted
from analysis.report.comparison import comparison_view
from analysis.report.inference import inference_view
from analysis.report.models import find_models, low_validity, model_view
from analysis.report.overview import au_means, call_counts, kind_of, summary_of, tiles_of, title_of
from analysis.report.run import run_groups, started
from analysis.report.saliency import saliency_view
from analysis.report.surrogate import surrogate_view

if TYPE_CHECKING:
    import pandas as pd

_GALLERY = 40
_SKIPPED = 5000


def build_report(
    directory: str | Path,
    out: str | Path | None = None,
    *,
    models: Mapping[str, pd.DataFrame | Any] | None = None,
    title: str | None = None,
    max_faces: int = 200,
    pictures: str | Path | None = None,
) -> Path:
    """Write what a directory of results holds as one self-contained HTML file.

    Parameters
    ----------
    directory : str or Path
        The ``--out`` directory of `extract`, `fit` or `predict`.
    out : str or Path, optional
        The file to write; ``directory/report.html`` by default. An older report is replaced.
    models : mapping of str to MultinomialLogit or pandas.DataFrame, optional
        Models, or their tidy ``coefficients()`` tables, by the name that the explanations give them. Without
        it they are looked for in the paths that ``run.json`` names, in ``models/NAME`` and in `directory`.
    title : str, optional
        Heading of the report.
    max_faces : int, default 200
        How many faces get a card; the warnings of the report say where there are more.

    pictures : str or Path, optional
        Folder that the paths of the faces' pictures begin at, where they lie elsewhere: that of the
        predictions which a comparison was made from. None outside it is ever shown.

    Returns
    -------
    Path
        The file written: no script, no outside resource, below 10 MB for 200 faces.

    Raises
    ------
    AnalysisError
        If the directory is missing or holds no results, or the report cannot be written. Damaged parts do
        not raise: the warnings of the report name them.
    """
    results = collect(directory)
    results.models = find_models(results, models)
    if pictures is not None:
        results.pictures = Path(pictures)
    page = _render(_page(results, title, max_faces))
    out = Path(out) if out is not None else results.directory / filenames.REPORT
    try:
        with atomic_path(out) as temporary:
            # A file name that is no valid UTF-8 reaches here as lone surrogates.
            temporary.write_bytes(page.encode("utf-8", "backslashreplace"))
    except OSError as error:
        raise AnalysisError(
            f"out: cannot write {out} ({error.strerror or error}); choose another file"
        ) from error
    return out


def _render(page: Mapping[str, Any]) -> str:
    from markupsafe import Markup

    here = Path(__file__).parent / "templates"
    css = Markup((here / "style.css").read_text(encoding="utf-8"))
    return environment(here).get_template("report.html").render(page, css=css)


def _page(results: Results, title: str | None, max_faces: int) -> dict[str, Any]:
    shown = results.faces[:max_faces]
    low = low_validity(results.models)
    cards = _cards(results, shown, low)
    model_views = [model_view(name, model, low) for name, model in results.models.items()]
    photos = _gallery(results)
    sections = _sections(results)
    kind = kind_of(results)
    _say_what_is_left_out(results, shown)
    return {
        "title": title or title_of(kind, results.directory),
        "summary": summary_of(kind, results, model_views),
        "kind": kind,
        "tiles": tiles_of(results),
        "cards": cards,
        "answering": list(dict.fromkeys(name for card in cards for name in card["models"])),
        "calls": call_counts(results.faces),
        "means": [] if kind != "extract" else au_groups(au_means(results.faces), {}, low),
        "photos": photos,
        **sections,
        "models": model_views,
        "skipped": results.skipped[:_SKIPPED],
        "reasons": Counter(row["reason"] for row in results.skipped).most_common(),
        "run": run_groups(results.run),
        "warnings": list(dict.fromkeys(results.warnings)),
        "any_low": bool(low) or any(row["low"] for c in cards for g in c["aus"] for row in g["rows"]),
        "written": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "ran": started(results.run),
    }


def _sections(results: Results) -> dict[str, dict[str, Any] | None]:
    """Lay out each result that the directory holds; a damaged one becomes a warning."""
    views: dict[str, Callable[[Any], dict[str, Any]]] = {
        "inference": inference_view,
        "comparison": partial(comparison_view, pictures=results.pictures),
        "surrogate": surrogate_view,
        "saliency": partial(saliency_view, pictures=results.directory),
    }
    files = {"saliency": "agreement"}
    sections: dict[str, dict[str, Any] | None] = dict.fromkeys(views)
    for section, view in views.items():
        kind = files.get(section, section)
        result = getattr(results, kind)
        if result is None:
            continue
        try:
            sections[section] = view(result)
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            setattr(results, kind, None)
            results.warnings.append(
                f"{kind}.json was left out, since it is damaged or of another version: "
                f"{type(error).__name__} {error}"
            )
    return sections


def _cards(results: Results, shown: list[Face], low: set[str]) -> list[dict[str, Any]]:
    in_photo = Counter((face.input, face.frame) for face in results.faces)
    seen: Counter[tuple[str, int]] = Counter()
    cards = []
    for number, face in enumerate(shown, start=1):
        seen[face.input, face.frame] += 1
        place = (seen[face.input, face.frame], in_photo[face.input, face.frame])
        cards.append(card_view(face, number, place, low))
    uris = face_uris([inside(results.pictures, face.picture) for face in shown])
    for card, uri in zip(cards, uris, strict=True):
        card["picture"] = uri
    lost = sum(uri is None and face.picture is not None for uri, face in zip(uris, shown, strict=True))
    if lost:
        results.warnings.append(
            f"{counted(lost, 'face')} without a picture: the file is missing or unreadable."
        )
    return cards


def _gallery(results: Results) -> list[dict[str, str]]:
    paths = results.annotated[:_GALLERY]
    photo_of = {face.annotated: face.input for face in results.faces if face.annotated}
    names = [path.relative_to(results.directory).as_posix() for path in paths]
    pairs = zip(names, photo_uris(list(paths)), strict=True)
    return [
        {"name": photo_of.get(name, name.removeprefix("annotated/")), "uri": uri}
        for name, uri in pairs
        if uri
    ]


def _say_what_is_left_out(results: Results, shown: list[Face]) -> None:
    if len(shown) < len(results.faces):
        results.warnings.append(
            f"Cards are shown for the first {len(shown)} of {len(results.faces):,} faces; "
            "the tables in the directory hold them all."
        )
    if len(results.annotated) > _GALLERY:
        results.warnings.append(
            f"The first {_GALLERY} of {len(results.annotated):,} annotated photos are shown; "
            "the folder annotated/ holds them all."
        )
    if len(results.skipped) > _SKIPPED:
        results.warnings.append(
            f"The first {_SKIPPED:,} of {len(results.skipped):,} skipped inputs are shown; see skipped.csv."
        )
    gaps = sum(abs(r["residual"]) > RESIDUAL_SHOWN for f in results.faces for r in f.explanations)
    if gaps:
        results.warnings.append(
            f"In {counted(gaps, 'explanation')} the contributions do not add up to the answer; "
            "the bar 'not explained' shows by how much."
        )
    blank = sum(bool(f.aus) and all(math.isnan(v) for v in f.aus.values()) for f in results.faces)
    if blank:
        results.warnings.append(f"{counted(blank, 'face')} found whose Action Units could not be measured.")
