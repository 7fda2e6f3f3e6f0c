"""The head of a report: its title, its summary in one sentence, its tiles and the counts of answers."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from analysis.display import sample_words
from analysis.html.bars import NO_ANSWER
from analysis.report.collect import Face, Results, counted


def kind_of(results: Results) -> str:
    """Tell what a directory is of: the most that it holds decides."""
    if results.surrogate:
        return "surrogate"
    if results.agreement:
        return "saliency"
    if results.comparison:
        return "compare"
    if any(face.answers for face in results.faces):
        return "predict"
    return "extract" if results.faces else "fit"


def title_of(kind: str, directory: Path) -> str:
    """Write the heading."""
    words = {
        "predict": "Emotions and their reasons",
        "extract": "Facial Action Units",
        "fit": "Emotion model",
        "compare": "Models compared",
        "surrogate": "A classifier explained by Action Units",
        "saliency": "Where a model looks",
    }
    return f"{words[kind]}: {directory.resolve().name}"


def summary_of(kind: str, results: Results, models: list[dict[str, Any]]) -> str:
    """Say in one sentence what was found."""
    if kind == "surrogate" and results.surrogate:
        facts = results.surrogate.facts
        return f"{facts['explains']}, explained by a regression on Action Units: {facts['verdict']}"
    if kind == "saliency" and results.agreement:
        facts = results.agreement.facts
        found = f"{counted(facts['faces'], 'face')} as {facts['model']} looks at them"
        return f"{found}, beside the Action Units that {facts['against']} counts."
    if kind == "compare" and results.comparison:
        facts = results.comparison.facts
        return f"{counted(len(facts['models']), 'model')} on the same faces: {sample_words(facts)}."
    if kind == "fit" and models:
        emotions, rows = len(models[0]["emotions"]), counted(len(models[0]["rows"]), "Action Unit")
        rows_used = getattr(next(iter(results.models.values())), "n_", None)
        fitted = f", fitted on {counted(rows_used, 'face')}" if rows_used else ""
        return f"A regression that tells {emotions} emotions apart by {rows}{fitted}."
    if not results.faces and results.inference:
        return f"Inference for a regression on Action Units: {sample_words(results.inference.facts)}."
    files = len({face.input for face in results.faces})
    skipped = len({row["input"] for row in results.skipped})
    text = f"{counted(len(results.faces), 'face')} in {counted(files, 'file')}"
    calls = call_counts(results.faces)
    if calls:
        first = calls[0]
        named = ", ".join(f"{count} {label}" for label, count, _ in first["rows"])
        text += f", called by {first['model']}: {named}"
    elif results.faces:
        text += f", measured on {len(results.faces[0].aus)} Action Units"
    return f"{text}; {counted(skipped, 'input')} without a result." if skipped else f"{text}."


def tiles_of(results: Results) -> list[tuple[str, str]]:
    """List what stands large under the heading."""
    if results.agreement:
        facts = results.agreement.facts
        tiles = [("faces", f"{facts['faces']:,}"), ("model", str(facts["model"]))]
        return [*tiles, ("against", str(facts["against"])), ("method", str(facts["method"]))]
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
    if isinstance(backend, Mapping):
        tiles.append(("AU backend", str(backend.get("name"))))
    return tiles


def call_counts(faces: list[Face]) -> list[dict[str, Any]]:
    """Count every model's answers, the most frequent first, with their share in per cent."""
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


def au_means(faces: list[Face]) -> dict[str, float]:
    """Average every AU over the faces that have a value."""
    columns = dict.fromkeys(column for face in faces for column in face.aus)
    means = {}
    for column in columns:
        values = [face.aus[column] for face in faces if not math.isnan(face.aus.get(column, math.nan))]
        means[column] = sum(values) / len(values) if values else math.nan
    return means
