"""Damaged models: a regression, a network on AUs, and an ensemble of both."""

from __future__ import annotations

import hashlib
import json
import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from analysis.logit import MultinomialLogit
from feat_pipeline.models.ensemble import Ensemble
from feat_pipeline.models.flexible import AuBoosting, AuNetwork
from tests.damaged.damage import ANY, REFUSED, USED, Damaged, flipped

JSON, WEIGHTS = "model.json", "weights.safetensors"


def damaged_models() -> Iterator[Damaged]:
    """Yield the damaged models, the same at each call."""
    rng = np.random.default_rng(0)
    y = np.array(["angry", "happy", "neutral"])[np.arange(60) % 3]
    X = pd.DataFrame(rng.uniform(0, 2, (60, 2)), columns=["AU04_r", "AU12_r"])
    X.loc[y == "angry", "AU04_r"] += 2
    X.loc[y == "happy", "AU12_r"] += 2
    logit = MultinomialLogit().fit(X, y)
    trees = AuBoosting(max_iter=2, min_samples_leaf=8).fit(X, y)
    net = AuNetwork(hidden=(4,), max_iter=20).fit(X, y)
    for kind, model in {"logit": logit, "net": net, "trees": trees}.items():
        yield from _any_model(kind, _saved(model))
    yield from _logits(_saved(logit)[JSON])
    yield from _weights("net", _saved(net))
    yield from _trees(_saved(trees))
    yield from _ensembles(_saved(Ensemble({"logit": logit, "trees": trees})))


def _saved(model: Any) -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as name:
        model.save(Path(name))
        return {p.relative_to(name).as_posix(): p.read_bytes() for p in sorted(Path(name).rglob("*.*"))}


def _changed(files: dict[str, bytes], **values: Any) -> dict[str, bytes]:
    """Put other values into the JSON, and the digest of the weights that are there."""
    content = json.loads(files[JSON]) | values
    if WEIGHTS in files:
        content["weights"] = hashlib.sha256(files[WEIGHTS]).hexdigest()
    return files | {JSON: json.dumps(content).encode()}


def _any_model(kind: str, files: dict[str, bytes]) -> Iterator[Damaged]:
    data = files[JSON]
    size = len(data)
    yield Damaged(f"model_{kind}_sound", "sound model", files, USED)
    for what, packed in {
        "empty": b"",
        "half": data[: size // 2],
        "last": data[:-3],
        "zeros": bytes(200),
        "deep": b"[" * 100_000,
        "noise": np.random.default_rng(1).bytes(200),
        "utf16": data.decode().encode("utf-16"),
        "pickle": b"\x80\x04K\x07.",
        "list": b"[1, 2]",
        "null": b"null",
        "other_format": data.replace(b'"format": "', b'"format": "x', 1),
    }.items():
        yield Damaged(f"model_{kind}_{what}", f"model json {what}", files | {JSON: packed})
    for number in range(6):
        name = f"model_{kind}_flips_{number}"
        yield Damaged(name, "model json flips", files | {JSON: flipped(data, name, 0, size, 1 + number)}, ANY)
    for what, value in {"version": 99, "version_text": "2", "version_list": [1]}.items():
        yield Damaged(f"model_{kind}_{what}", f"model {what}", _changed(files, version=value))
    for what, classes in {
        "none": [],
        "one": ["happy"],
        "null": None,
        "text": "happy",
        "number": 7,
        "nested": [["a"], ["b"], ["c"]],
        "alike": ["happy", "happy", "sad"],
        "fewer": ["angry", "happy"],
        "half_a_pair": ["angry", "happy", "\ud800"],
        "more": ["a", "b", "c", "d"],
    }.items():
        yield Damaged(
            f"model_{kind}_classes_{what}", f"model classes {what}", _changed(files, classes=classes)
        )
    for key in json.loads(data):
        if key not in ("notes", "scores", "alpha_path", "parameters"):
            content = json.loads(data)
            del content[key]
            yield Damaged(
                f"model_{kind}_without_{key}",
                "model key missing",
                files | {JSON: json.dumps(content).encode()},
            )


def _logits(data: bytes) -> Iterator[Damaged]:
    content = json.loads(data)
    for what, value in {
        "coef": [[1.0]],
        "intercept": [0, 0],
        "term_feature": [0, 9],
        "feature_mean": "much",
        "input_names": ["AU04_r"],
        "feature_names_in": ["AU04_r", "AU04_r"],
        "backend": ["b"],
        "scale": {"r": 1},
        "parameters": {"terms": "cubes"},
        "term_knot": [[None, None]],
        "class_count": [1, 2, "x"],
        "term_names": [],
        "covariance_lower_triangle": [1, 2],
    }.items():
        changed = json.dumps(content | {what: value}).encode()
        expected = ANY if what == "parameters" else REFUSED  # fitting alone needs these
        yield Damaged(f"model_logit_{what}_wrong", f"logit {what}", {JSON: changed}, expected)


def _weights(kind: str, files: dict[str, bytes]) -> Iterator[Damaged]:
    """Damage the weights; once so that the digest tells, and once with a digest that fits."""
    data = files[WEIGHTS]
    size = len(data)
    (length,) = struct.unpack("<Q", data[:8])
    head = json.loads(data[8 : 8 + length])
    no_file = {name: packed for name, packed in files.items() if name != WEIGHTS}
    yield Damaged(f"model_{kind}_no_weights", "weights missing", no_file)

    def packed(changed: Any) -> bytes:
        text = json.dumps(changed).encode()
        return struct.pack("<Q", len(text)) + text + data[8 + length :]

    name = next(iter(head))
    shape = head[name]["shape"]
    for what, weights in {
        "empty": b"",
        "half": data[: size // 2],
        "last": data[:-4],
        "noise": np.random.default_rng(1).bytes(400),
        "flips": flipped(data, "weights", 8 + length, size),
        "flips_in_head": flipped(data, "head", 8, 8 + length),
        "head_most": b"\xff" * 8 + data[8:],
        "head_2_62": struct.pack("<Q", 2**62) + data[8:],
        "head_0": bytes(8) + data[8:],
        "no_names": packed({}),
        "one_name_less": packed({key: value for key, value in head.items() if key != name}),
        "shape_huge": packed(head | {name: head[name] | {"shape": [2**40, 2**40]}}),
        "shape_negative": packed(head | {name: head[name] | {"shape": [-1]}}),
        "shape_other": packed(head | {name: head[name] | {"shape": [*shape, 1, 1]}}),
        "type_unknown": packed(head | {name: head[name] | {"dtype": "F7"}}),
        "type_other": packed(head | {name: head[name] | {"dtype": "U64"}}),
        "places_beyond": packed(head | {name: head[name] | {"data_offsets": [0, 2**50]}}),
        "places_turned": packed(head | {name: head[name] | {"data_offsets": [8, 0]}}),
        "not_finite": data[: 8 + length] + b"\xff" * (size - 8 - length),
        "joined": data + data,
    }.items():
        yield Damaged(f"model_{kind}_weights_{what}", f"weights {what}", files | {WEIGHTS: weights})
        expected = ANY if what in ("flips", "flips_in_head", "type_other") else REFUSED
        mended = _changed(files | {WEIGHTS: weights})
        yield Damaged(f"model_{kind}_fitting_weights_{what}", f"fitting weights {what}", mended, expected)
    yield Damaged(f"model_{kind}_aus_fewer", "model aus", _changed(files, aus=["AU04_r"]))
    yield Damaged(f"model_{kind}_aus_text", "model aus", _changed(files, aus="AU04_r"))
    yield Damaged(f"model_{kind}_aus_twice", "model aus", _changed(files, aus=["AU04_r", "AU04_r"]))


def _trees(files: dict[str, bytes]) -> Iterator[Damaged]:
    from safetensors.numpy import load, save

    arrays = load(files[WEIGHTS])
    nodes = len(arrays["left"])
    for what, changed in {
        "loop": {"left": np.zeros(nodes, np.int32), "right": np.zeros(nodes, np.int32)},
        "two_in_turn": {
            "left": np.arange(nodes, dtype=np.int32) ^ 1,
            "right": np.arange(nodes, dtype=np.int32) ^ 1,
        },
        "beyond": {"left": np.full(nodes, 2**31 - 1, np.int32)},
        "negative": {"right": np.full(nodes, -1, np.int32)},
        "feature_beyond": {"feature": np.full(nodes, 99, np.int32)},
        "feature_negative": {"feature": np.full(nodes, -1, np.int32)},
        "no_root": {"root": np.zeros(0, np.int32)},
        "values_nan": {"value": np.full(nodes, np.nan)},
        "halves": {"left": np.full(nodes, 0.5)},
    }.items():
        weights = save({**arrays, **changed})
        mended = _changed(files | {WEIGHTS: weights})
        yield Damaged(f"model_trees_{what}", f"trees {what}", mended)


def _ensembles(files: dict[str, bytes]) -> Iterator[Damaged]:
    yield Damaged("model_vote_sound", "sound ensemble", files, USED)
    for name in files:
        rest = {other: packed for other, packed in files.items() if other != name}
        yield Damaged(f"model_vote_without_{name.replace('/', '_')}", "member missing", rest)
        if name != JSON:
            cut = files | {name: files[name][:-9]}
            yield Damaged(f"model_vote_cut_{name.replace('/', '_')}", "member cut", cut)
    members = json.loads(files[JSON])["members"]
    digest = members["logit"]
    for what, values in {
        "members_none": {"members": {}},
        "members_list": {"members": ["logit"]},
        "members_null": {"members": None},
        "member_beyond": {"members": {"../../logit": digest}},
        "member_absolute": {"members": {"/etc/passwd": digest}},
        "member_itself": {"members": {".": digest}},
        "digest_number": {"members": {"logit": 7}},
        "weights_text": {"weights": "much"},
        "weights_negative": {"weights": [1, -1]},
        "weights_nan": {"weights": [1, float("nan")]},
        "weights_more": {"weights": [1, 1, 1]},
        "weights_zero": {"weights": [0, 0]},
        "common_missing": {"common": []},
    }.items():
        content = json.loads(files[JSON]) | values
        expected = USED if what == "common_missing" else REFUSED
        yield Damaged(
            f"model_vote_{what}", f"ensemble {what}", files | {JSON: json.dumps(content).encode()}, expected
        )
