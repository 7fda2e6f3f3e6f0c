"""Fuzz the readers of tables and models, guided by coverage: only the project's own errors may come out.

    .venv/bin/uv pip install --python .venv/bin/python atheris    # it is none of the project's requirements
    python tools/fuzz_readers.py csv --seconds 600
    python tools/fuzz_readers.py model --seconds 600

It begins with small sound files, changes them, and keeps what reaches new lines of the two packages. A
finding ends it: the traceback is shown, and the input is kept in the folder --keep. What was read without an
error is used too: a table is written and read again, a model is asked about two faces.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import hashlib
import importlib
import json
import random
import struct
import sys
import tempfile
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

try:
    import atheris
except ImportError:
    sys.exit("fuzz_readers: needs atheris: uv pip install atheris")

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
with atheris.instrument_imports(include=["analysis", "feat_pipeline"]):
    import numpy as np
    import pandas as pd

    from analysis.autable import AUTable
    from analysis.facs import BACKEND_AUS, BLENDSHAPE_PROXIES
    from analysis.labels import group_column, join_labels, read_labels
    from analysis.logit import MultinomialLogit
    from analysis.report.collect import collect
    from feat_pipeline.datasets.fer2013 import VOTES, read_fer2013
    from feat_pipeline.errors import FeatPipelineError
    from feat_pipeline.models import load_model
    from feat_pipeline.models.cnn import CnnClassifier
    from feat_pipeline.models.ensemble import Ensemble
    from feat_pipeline.models.flexible import AuBoosting, AuNetwork
    from feat_pipeline.models.texture import TextureClassifier
    from feat_pipeline.output.predictions_read import read_prediction_files, same_faces

    for late in ("analysis.autable.schema", "analysis.logit.modelfile", "feat_pipeline.models.network_file"):
        importlib.import_module(late)

META = b"\n%META%\n"  # what stands behind it becomes the table's <stem>.meta.json
WEIGHTS = b"\n%WEIGHTS%\n"  # likewise a model's weights
VALUES = [
    *("", " 7 ", "\t", "\r", '"', '""', "'", "a\nb", "\x00", "\ufeff", "\u2028", "ö", "." * 300, "../../x"),
    *("nan", "NaN", "inf", "-inf", "1e999", "1e-320", "-1", "0", "1", "7.0", "5.0001", "9" * 21, "0x10"),
    *("2,5", "1;2", "1_000", "1:30", "::", "True", "None", "happy", "Anger", "Training", "PrivateTest"),
]
NAMES = [
    *("input", "frame", "time_s", "face", "x", "y", "w", "h", "confidence", "pose_Rx", "x_0", "x_67", "x_68"),
    *("AU12_r", "AU12_c", "AU12_p", "AU12", "AU1", "AU999_r", "AU012_r", "valence", "arousal", "gaze_0_x"),
    *("success", "timestamp", "face_id", "FaceRectX", "FaceScore", "approx_time", "Unnamed: 0", ""),
    *("emotion", "pixels", "Usage", "label", "image", "subject", "reason"),
    *("model", "picture", "p_happy", "p_sad", "p_"),
    *(name for proxy in BLENDSHAPE_PROXIES.values() for name in proxy.blendshapes),
]
JSON_VALUES: list[Any] = [
    *(None, True, False, 0, -1, 1, 2, 0.5, 10**30, -(2**63), 1e308, float("nan"), float("inf")),
    *([], {}, [None], [[]], [0], [1, 2, 3], [[1.0, 2.0]], ["a", "b"], {"a": 1}),
    *("", "happy", "r", "p", "\ud800", "é", "x" * 1000, "AU12_r", "linear", "hinges", "pairs", "cv"),
    *("residual", "vgg19", "multinomial-logit", "ensemble"),
]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["csv", "model"])
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, default=Path(tempfile.gettempdir(), "fuzz-findings"))
    parser.add_argument(
        "--again", type=Path, metavar="FILE", help="read one finding once more, and nothing else"
    )
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    target, seeds, mutate = {
        "csv": (read_a_table, _sound_tables, mutated_table),
        "model": (read_a_model, _sound_models, mutated_model),
    }[arguments.what]
    if arguments.again:
        target(arguments.again.read_bytes())
        return
    arguments.keep.mkdir(parents=True, exist_ok=True)
    corpus = Path(tempfile.mkdtemp(prefix="fuzz-corpus-"))
    for number, data in enumerate(seeds()):
        (corpus / f"seed{number}").write_bytes(data)
    options = [
        f"-max_total_time={arguments.seconds}", f"-seed={arguments.seed}",
        f"-artifact_prefix={arguments.keep}/",
        "-max_len=200000", "-timeout=60", "-rss_limit_mb=6000", "-print_final_stats=1", "-len_control=0",
    ]  # fmt: skip
    atheris.Setup([sys.argv[0], *options, str(corpus)], target, custom_mutator=mutate)
    atheris.Fuzz()


def refused(read: Callable[[], Any]) -> Any:
    """Return what is read, or None where the project refuses it in one line that names something."""
    try:
        return read()
    except FeatPipelineError as error:
        if not str(error).strip() or "\n" in str(error):
            raise RuntimeError(f"not one clear line: {error!r}") from error
        return None


# ---- tables


def read_a_table(data: bytes) -> None:
    """Read bytes as one of the tables; the first byte says which."""
    with tempfile.TemporaryDirectory(dir=_fast()) as name:
        folder = Path(name)
        _TABLES[data[0] % len(_TABLES) if data else 0](data[1:], folder)


def _au_table(data: bytes, folder: Path) -> None:
    table, _, meta = data.partition(META)
    (folder / "t.csv").write_bytes(table)
    if meta:
        (folder / "t.meta.json").write_bytes(meta)
    read = refused(lambda: AUTable.read(folder / "t.csv"))
    if read is None:
        return
    values = read.aus.to_numpy()
    if np.isinf(values).any():
        raise RuntimeError("an infinite AU was let through")
    read.write(folder / "again.csv")
    again = AUTable.read(folder / "again.csv")
    if len(again) != len(read) or again.au_columns != read.au_columns:
        raise RuntimeError(f"it comes back as {again!r} instead of {read!r}")


def _folder_of_tables(data: bytes, folder: Path) -> None:
    for number, part in enumerate(data.split(META)[:3]):
        (folder / f"{number}.csv").write_bytes(part)
    refused(lambda: AUTable.read(folder))


def _labels(data: bytes, folder: Path) -> None:
    (folder / "labels.csv").write_bytes(data)
    labels = refused(lambda: read_labels(folder / "labels.csv", "subject"))
    if labels is not None:
        rows = pd.DataFrame({"input": ["a/b.jpg", "c.png", "d"], "AU12_r": 1.0})
        refused(lambda: join_labels(AUTable(rows, backend="b", backend_version="", scale="r"), labels))
        refused(lambda: group_column(labels, "subject"))


def _fer2013(data: bytes, folder: Path) -> None:
    faces, _, votes = data.partition(META)
    (folder / "fer2013.csv").write_bytes(faces)
    (folder / "votes.csv").write_bytes(votes)
    refused(lambda: read_fer2013(folder / "fer2013.csv"))
    if votes:
        refused(lambda: read_fer2013(folder / "fer2013.csv", votes=folder / "votes.csv"))


def _answers(data: bytes, folder: Path) -> None:
    (folder / "predictions.csv").write_bytes(data)
    answers = refused(lambda: read_prediction_files([folder / "predictions.csv"]))
    if answers:
        refused(lambda: same_faces(answers))


def _results(data: bytes, folder: Path) -> None:
    predictions, _, skipped = data.partition(META)
    (folder / "predictions.csv").write_bytes(predictions)
    (folder / "skipped.csv").write_bytes(skipped)
    collect(folder)  # damage becomes a warning there


_TABLES = (_au_table, _folder_of_tables, _labels, _fer2013, _answers, _results)


def table_seeds() -> list[bytes]:
    """Small sound tables of every kind."""
    rng = np.random.default_rng(0)
    place = {"input": ["a.jpg", "b,c.jpg", 'd".jpg'], "frame": 0, "time_s": 0.0, "face": [0, 0, 1]}

    def text(*columns: str, **more: Any) -> bytes:
        values = pd.DataFrame(rng.uniform(0, 1, (3, len(columns))).round(3), columns=[*columns])
        return values.assign(**more)[[*more, *columns]].to_csv(index=False).encode()

    own = text("x", "y", "w", "h", "confidence", "AU04_r", "AU12_r", **place)
    meta = {"format": "autable", "version": 1, "backend": "embedded", "scale": "r", "rows": 3, "extra": {}}
    openface = text(
        *(f" AU{n:02d}_r" for n in BACKEND_AUS["openface"][:17]), frame=[1, 2, 3], face_id=0, success=1
    )
    fex = text(*(f"AU{n:02d}" for n in BACKEND_AUS["pyfeat"]), approx_time="00:01", FaceScore=0.9)
    shapes = text(*dict.fromkeys(name for proxy in BLENDSHAPE_PROXIES.values() for name in proxy.blendshapes))
    codes = text("AU1", "AU4", "AU12", input=["a", "b", "c"], subject=1)
    tables = [
        own,
        own + META + json.dumps(meta).encode(),
        openface,
        fex,
        shapes,
        codes,
        own.replace(b"\n", b"\r\n"),
    ]
    labels = b"input,label,subject\na/b.jpg,happy,S1\nc.png,Sadness,S2\nd,,S3\n"
    pixels = " ".join(["7"] * 48 * 48)
    faces = f'emotion,pixels,Usage\n3,{pixels},Training\n0,"{pixels}",PublicTest\n'.encode()
    votes = ",".join(["Usage", "Image name", *VOTES]) + "\n"
    votes += "".join(f"{part},a.png,1,9,0,0,0,0,0,0,0,0\n" for part in ("Training", "PublicTest"))
    answers = b"input,frame,face,model,label,p_happy,p_sad\na.jpg,0,0,m,happy,0.7,0.3\na.jpg,0,0,n,sad,,1\n"
    skipped = b"input,frame,reason\nb.jpg,0,no face found\n"
    return [
        *(b"\0" + table for table in tables),
        *(b"\1" + table + META + table for table in (own, openface)),
        b"\2" + labels,
        b"\3" + faces,
        b"\3" + faces + META + votes.encode(),
        b"\4" + answers,
        b"\5" + answers + META + skipped,
    ]  # fmt: skip


@cache
def _sound_tables() -> list[bytes]:
    return table_seeds()


def mutated_table(data: bytes, max_size: int, seed: int) -> bytes:
    """Change cells, columns and rows of a table, or any bytes."""
    rng = random.Random(seed)
    if rng.random() < 0.2:
        data = rng.choice(_sound_tables())
    if len(data) < 8 or rng.random() < 0.3:
        return atheris.Mutate(data, max_size)
    parts = data[1:].split(META)
    number = rng.randrange(len(parts))
    if parts[number][:1] == b"{":
        parts[number] = _mutated_json(parts[number], rng)
    else:
        rows = [row.split(",") for row in parts[number].decode("utf-8", "surrogateescape").split("\n")]
        for _ in range(rng.choice([1, 1, 2, 5])):
            _change_cells(rows, rng)
        parts[number] = "\n".join(map(",".join, rows)).encode("utf-8", "surrogateescape")
    kind = data[:1] if rng.random() < 0.97 else bytes([rng.randrange(len(_TABLES))])
    return (kind + META.join(parts))[:max_size]


def _change_cells(rows: list[list[str]], rng: random.Random) -> None:
    row = rng.randrange(len(rows))
    cell = rng.randrange(len(rows[row]))
    match rng.randrange(8):
        case 0:
            rows[row].insert(cell, rng.choice(VALUES))
        case 1:
            rows[row].pop(cell)
            rows[row] = rows[row] or [""]
        case 2:
            rows[0][min(cell, len(rows[0]) - 1)] = rng.choice(NAMES)
        case 3:
            rows.insert(row, list(rng.choice(rows)))
        case 4 if len(rows) > 1:
            rows.pop(row)
        case 5:
            for line in rows:  # a column goes, comes twice or gets another value
                if cell < len(line):
                    line.insert(cell, line[cell])
        case 6:
            value = rng.choice(VALUES)
            for line in rows[1:]:
                if cell < len(line):
                    line[cell] = value
        case _:
            rows[row][cell] = rng.choice(VALUES)


# ---- models


def read_a_model(data: bytes) -> None:
    """Read bytes as a model's JSON and weights; the digest that joins them is made to fit."""
    head, _, weights = data.partition(WEIGHTS)
    with tempfile.TemporaryDirectory(dir=_fast()) as name:
        folder = Path(name)
        if weights:
            (folder / "weights.safetensors").write_bytes(weights)
            with contextlib.suppress(ValueError, RecursionError):
                content = json.loads(head)
                if isinstance(content, dict):
                    content["weights"] = hashlib.sha256(weights).hexdigest()
                    head = json.dumps(content).encode()
        (folder / "model.json").write_bytes(head)
        _member(folder)
        model = refused(lambda: load_model(folder))
        if model is not None:
            _asked(model)


def _member(folder: Path) -> None:
    """An ensemble finds a sound member beside it."""
    (folder / "logit").mkdir()
    (folder / "logit" / "model.json").write_bytes(_SOUND_MEMBER)


def _asked(model: Any) -> None:
    """Ask about two faces; a model may have no answer, which is NaN, but none that is wrong by its form."""
    first = next(iter(model.members.values())) if isinstance(model, Ensemble) else model
    if model.consumes == "aus":
        width = len(first.input_names_)
        X: Any = pd.DataFrame(np.linspace(0, 1, 2 * width).reshape(2, width), columns=first.input_names_)
    else:
        X = np.arange(2 * 160 * 160 * 3).astype(np.uint8).reshape(2, 160, 160, 3)
    answers = refused(lambda: model.predict_proba(X))
    if answers is None:
        return
    unknown = np.isnan(answers).all(axis=1)
    right = unknown | np.isclose(answers.sum(axis=1), 1, atol=1e-3)
    if answers.shape != (2, len(model.classes_)) or not right.all():
        raise RuntimeError(f"it answers {answers!r} of the classes {model.classes_!r}")


def _table(seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = np.array(["angry", "happy", "neutral"])[np.arange(60) % 3]
    X = pd.DataFrame(rng.uniform(0, 1.5, (60, 3)), columns=["AU04_r", "AU06_r", "AU12_r"])
    X.loc[y == "angry", "AU04_r"] += 2.5
    X.loc[y == "happy", ["AU06_r", "AU12_r"]] += 2.5
    return X, y


def _saved(model: Any) -> bytes:
    with tempfile.TemporaryDirectory() as name:
        file = model.save(Path(name))
        weights = Path(name, "weights.safetensors")
        return file.read_bytes() + (WEIGHTS + weights.read_bytes() if weights.is_file() else b"")


_SOUND_MEMBER = _saved(MultinomialLogit().fit(*_table()))


def model_seeds() -> list[bytes]:
    """Small sound models of every kind that needs nothing from elsewhere."""
    from feat_pipeline.models.nets import make_net

    X, y = _table()
    logits = [MultinomialLogit(terms=terms).fit(X, y) for terms in ("linear", "hinges", "pairs")]
    network = {"stem": 2, "widths": [3], "blocks": [1], "dropout": 0.0}
    cnn = CnnClassifier()
    cells = make_net("residual", network, classes=2).state_dict()
    cnn._set(["happy", "sad"], network, 12, 1.0, {name: value.numpy() for name, value in cells.items()})
    rng = np.random.default_rng(0)
    crops = rng.integers(0, 255, (12, 20, 20), dtype=np.uint8)
    texture = TextureClassifier(held_out=0.3, components=3).fit(crops, y[:12])
    ensemble = Ensemble({"logit": logits[0]})
    others = [AuNetwork(max_iter=20).fit(X, y), AuBoosting(max_iter=2, min_samples_leaf=8).fit(X, y)]
    return [_saved(model) for model in (*logits, cnn, texture, ensemble, *others)]


@cache
def _sound_models() -> list[bytes]:
    return model_seeds()


def mutated_model(data: bytes, max_size: int, seed: int) -> bytes:
    """Change values of the JSON, or the names, shapes and bytes of the weights."""
    rng = random.Random(seed)
    if rng.random() < 0.3:  # else what is refused soon would push the whole ones out
        data = rng.choice(_sound_models())
    head, mark, weights = data.partition(WEIGHTS)
    choice = rng.random()
    if choice < 0.1:
        return atheris.Mutate(data, max_size)
    if choice < 0.7 or len(weights) < 16:
        head = _mutated_json(head, rng)
    elif choice < 0.9:
        (length,) = struct.unpack("<Q", weights[:8])
        packed = _mutated_json(weights[8 : 8 + min(length, len(weights))], rng)
        weights = struct.pack("<Q", len(packed)) + packed + weights[8 + min(length, len(weights)) :]
    else:
        cells = bytearray(weights)
        for _ in range(rng.choice([1, 4, 50])):
            cells[rng.randrange(len(cells))] = rng.choice([0, 255, 127, 128, rng.randrange(256)])
        weights = bytes(cells)
    return (head + mark + weights)[:max_size]


def _mutated_json(data: bytes, rng: random.Random) -> bytes:
    try:
        content = json.loads(data)
    except (ValueError, RecursionError):
        return atheris.Mutate(data, len(data) + 100)
    for _ in range(rng.choice([1, 1, 2, 4])):
        content = _change_json(content, rng)
    return json.dumps(content).encode("utf-8", "surrogatepass")


def _change_json(value: Any, rng: random.Random) -> Any:
    """Go down to somewhere, and change what is there."""
    inside = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else []
    if inside and rng.random() < 0.85:
        key = rng.choice(inside)
        match rng.randrange(8):
            case 0:
                del value[key]
            case 1:
                value[key] = copy.deepcopy(value[rng.choice(inside)])
            case 2 if isinstance(value, list):
                value.insert(key, value[key])
            case _:
                value[key] = _change_json(value[key], rng)
        return value
    if isinstance(value, (int, float)) and rng.random() < 0.5:
        return rng.choice([value + 1, -value, value * 1000, str(value), [value]])
    return copy.deepcopy(rng.choice(JSON_VALUES))  # a list that is changed later stays as it is here


def _fast() -> str | None:
    memory = Path("/dev/shm")
    return str(memory) if memory.is_dir() else None


if __name__ == "__main__":
    main()
