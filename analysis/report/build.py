"""Build the report: collect, lay out, shrink the pictures, render, write at once."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.display import RESIDUAL_SHOWN
from analysis.errors import AnalysisError
from analysis.files import atomic_path
from analysis.report.cards import NO_ANSWER, au_groups, card_view
from analysis.report.collect import Face, Results, collect, counted
from analysis.report.models import find_models, low_validity, model_view
from analysis.report.pictures import face_uris, photo_uris

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
    page = _render(_page(results, title, max_faces))
    out = Path(out) if out is not None else results.directory / "report.html"
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
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    here = Path(__file__).parent / "templates"
    environment = Environment(
        loader=FileSystemLoader(here),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["pct"] = lambda value: f"{value:.1f}".removesuffix(".0")
    css = Markup((here / "style.css").read_text(encoding="utf-8"))
    return environment.get_template("report.html").render(page, css=css)


def _page(results: Results, title: str | None, max_faces: int) -> dict[str, Any]:
    shown = results.faces[:max_faces]
    low = low_validity(results.models)
    cards = _cards(results, shown, low)
    kind = "predict" if any(f.answers for f in results.faces) else "extract" if results.faces else "fit"
    model_views = [model_view(name, model, low) for name, model in results.models.items()]
    photos = _gallery(results)
    _say_what_is_left_out(results, shown)
    return {
        "title": title or _title(kind, results.directory),
        "summary": _summary(kind, results, model_views),
        "kind": kind,
        "tiles": _tiles(results),
        "cards": cards,
        "answering": list(dict.fromkeys(name for card in cards for name in card["models"])),
        "calls": _call_counts(results.faces),
        "means": [] if kind != "extract" else au_groups(_means(results.faces), {}, low),
        "photos": photos,
        "models": model_views,
        "skipped": results.skipped[:_SKIPPED],
        "reasons": Counter(row["reason"] for row in results.skipped).most_common(),
        "run": _run_groups(results.run),
        "warnings": list(dict.fromkeys(results.warnings)),
        "any_low": bool(low) or any(row["low"] for c in cards for g in c["aus"] for row in g["rows"]),
        "written": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "ran": _ran(results.run),
    }


def _cards(results: Results, shown: list[Face], low: set[str]) -> list[dict[str, Any]]:
    in_photo = Counter((face.input, face.frame) for face in results.faces)
    seen: Counter[tuple[str, int]] = Counter()
    cards = []
    for number, face in enumerate(shown, start=1):
        seen[face.input, face.frame] += 1
        place = (seen[face.input, face.frame], in_photo[face.input, face.frame])
        cards.append(card_view(face, number, place, low))
    uris = face_uris([_inside(results, face.picture) for face in shown])
    for card, uri in zip(cards, uris, strict=True):
        card["picture"] = uri
    lost = sum(uri is None and face.picture is not None for uri, face in zip(uris, shown, strict=True))
    if lost:
        results.warnings.append(
            f"{counted(lost, 'face')} without a picture: the file is missing or unreadable."
        )
    return cards


def _inside(results: Results, picture: str | None) -> Path | None:
    """Return the picture's path, unless it is missing or lies outside the directory."""
    if not picture:
        return None
    base = results.directory.resolve()
    try:
        path = (base / str(picture)).resolve()
        return path if path.is_relative_to(base) and path.is_file() else None
    except (OSError, ValueError):
        return None


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


def _title(kind: str, directory: Path) -> str:
    words = {
        "predict": "Emotions and their reasons",
        "extract": "Facial Action Units",
        "fit": "Emotion model",
    }
    return f"{words[kind]}: {directory.resolve().name}"


def _summary(kind: str, results: Results, models: list[dict[str, Any]]) -> str:
    if kind == "fit" and models:
        emotions, rows = len(models[0]["emotions"]), counted(len(models[0]["rows"]), "Action Unit")
        rows_used = getattr(next(iter(results.models.values())), "n_", None)
        fitted = f", fitted on {counted(rows_used, 'face')}" if rows_used else ""
        return f"A regression that tells {emotions} emotions apart by {rows}{fitted}."
    files = len({face.input for face in results.faces})
    skipped = len({row["input"] for row in results.skipped})
    text = f"{counted(len(results.faces), 'face')} in {counted(files, 'file')}"
    calls = _call_counts(results.faces)
    if calls:
        first = calls[0]
        named = ", ".join(f"{count} {label}" for label, count, _ in first["rows"])
        text += f", called by {first['model']}: {named}"
    elif results.faces:
        text += f", measured on {len(results.faces[0].aus)} Action Units"
    return f"{text}; {counted(skipped, 'input')} without a result." if skipped else f"{text}."


def _tiles(results: Results) -> list[tuple[str, str]]:
    inputs = {face.input for face in results.faces} | {row["input"] for row in results.skipped}
    models = list(dict.fromkeys(name for face in results.faces for name in face.answers)) or list(
        results.models
    )
    tiles = [("inputs", f"{len(inputs):,}"), ("faces", f"{len(results.faces):,}")] if inputs else []
    if inputs:
        tiles.append(("skipped", f"{len(results.skipped):,}"))
    if models:
        tiles.append(("model" if len(models) == 1 else "models", ", ".join(models)))
    backend = results.run.get("backend")
    if backend:
        name = backend.get("name") if isinstance(backend, Mapping) else backend
        tiles.append(("AU backend", str(name)))
    return tiles


def _call_counts(faces: list[Face]) -> list[dict[str, Any]]:
    counts: dict[str, Counter[str]] = {}
    for face in faces:
        for model, answer in face.answers.items():
            counts.setdefault(model, Counter())[answer["label"] or NO_ANSWER] += 1
    return [
        {
            "model": model,
            "rows": [(label, n, 100 * n / counter.total()) for label, n in counter.most_common()],
        }
        for model, counter in counts.items()
    ]


def _means(faces: list[Face]) -> dict[str, float]:
    columns = dict.fromkeys(column for face in faces for column in face.aus)
    means = {}
    for column in columns:
        values = [face.aus[column] for face in faces if not math.isnan(face.aus.get(column, math.nan))]
        means[column] = sum(values) / len(values) if values else math.nan
    return means


def _ran(run: Mapping[str, Any]) -> str:
    keys = ("date", "finished", "started", "time", "created")
    text = next((run[key] for key in keys if isinstance(run.get(key), str)), "")
    try:
        return datetime.fromisoformat(text).strftime("%Y-%m-%d %H:%M %Z").strip()
    except ValueError:
        return text


def _run_groups(run: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Lay run.json out as groups of name and value; plain entries come first."""
    plain = {k: v for k, v in run.items() if k != "warnings" and not isinstance(v, Mapping)}
    groups = [("run", plain), *((k, v) for k, v in run.items() if isinstance(v, Mapping))]
    return [{"name": _words(name), "rows": _flat(group)} for name, group in groups if group]


def _flat(group: Mapping[str, Any], before: str = "") -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for key, value in group.items():
        if isinstance(value, Mapping) and value:
            rows += _flat(value, f"{before}{_words(key)} / ")
        else:
            rows.append((before + _words(key), _value(value)))
    return rows


def _value(value: Any) -> str:
    if isinstance(value, list):
        more = f" … and {len(value) - 8} more" if len(value) > 8 else ""
        return ", ".join(_value(part) for part in value[:8]) + more
    if isinstance(value, Mapping):
        return " · ".join(f"{_words(key)} {_value(part)}" for key, part in value.items())
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    return "none" if value is None else str(value)


def _words(key: Any) -> str:
    return str(key).replace("_", " ")
