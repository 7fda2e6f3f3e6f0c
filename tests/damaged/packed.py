"""Damaged Parquet tables, metadata beside CSVs, and packed CSVs of FER2013."""

from __future__ import annotations

import gzip
import io
import json
import lzma
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from tests.damaged.csvs import au_frame, au_text, fer2013_text
from tests.damaged.damage import ANY, REFUSED, TOLD, USED, Damaged, blanked, flipped, one


def damaged_packed() -> Iterator[Damaged]:
    """Yield the damaged files, the same at each call."""
    yield from _metadata()
    yield from _parquets()
    yield from _packed_faces()


def _metadata() -> Iterator[Damaged]:
    meta = {
        "format": "autable",
        "version": 1,
        "backend": "b",
        "backend_version": "1",
        "scale": "r",
        "rows": 6,
    }
    meta["extra"] = {"detector": "none"}

    def made(what: str, data: Any, expected: str = REFUSED, table: str = "") -> Damaged:
        packed = data if isinstance(data, bytes) else json.dumps(data).encode()
        files = {"aus.csv": (table or au_text()).encode(), "aus.meta.json": packed}
        return Damaged(f"metadata_{what}", f"metadata {what}", files, expected)

    yield made("sound", meta, USED)
    yield made("bom", b"\xef\xbb\xbf" + json.dumps(meta).encode(), USED)
    yield made("cut", json.dumps(meta).encode()[:-20])
    for what, value in {
        "list": [meta],
        "null": None,
        "text": "autable",
        "number": 7,
        "scale_list": meta | {"scale": ["r"]},
        "scale_null": meta | {"scale": None},
        "scale_z": meta | {"scale": "z"},
        "scale_p": meta | {"scale": "p"},
        "backend_number": meta | {"backend": 4},
        "extra_text": meta | {"extra": "mtcnn"},
        "extra_list": meta | {"extra": [[1]]},
        "rows_text": meta | {"rows": "six"},
        "surrogate": meta | {"backend": "\ud800"},
        "extra_surrogate": meta | {"extra": {"a": "\udfff"}},
    }.items():
        yield made(what, value)
    for what, data in {
        "empty": b"",
        "zeros": bytes(300),
        "utf16": json.dumps(meta).encode("utf-16"),
        "noise": b"\xff\xfe\xfd",
        "deep": b"[" * 100_000,
    }.items():
        yield made(what, data)
    text = au_text()
    yield made("row_lost", meta, TOLD, "".join(text.splitlines(keepends=True)[:-1]))
    yield made("row_cut", meta, TOLD, text[: text.rindex(",")])
    yield made("rows_of_another", meta | {"rows": 9}, TOLD)


def _parquets() -> Iterator[Damaged]:
    frame = au_frame()
    data = _parquet(frame)
    size = len(data)

    def made(what: str, packed: bytes, expected: str = REFUSED) -> Damaged:
        sound = data if expected in (TOLD, ANY) else None
        return one(f"aus_{what}.parquet", f"parquet {what.rstrip('0123456789')}", packed, expected, sound)

    for where, place in {"4": 4, "half": size // 2, "95": size * 95 // 100, "last": size - 1}.items():
        yield made(f"cut_at_{where}", data[:place])
    for number in range(16):
        name = f"parquet_flips_{number}"
        yield made(f"flips_{number}", flipped(data, name, 4, size - 8, 1 + number % 4), ANY)
    foot = size - 8 - int.from_bytes(data[-8:-4], "little")
    for number in range(16):
        yield made(
            f"flips_in_foot_{number}", flipped(data, f"foot{number}", foot, size - 4, 1 + number % 3), ANY
        )
    yield made("zeros_from_half", blanked(data, size // 2, size))
    yield made("zeros_in_data", blanked(data, 4, foot), ANY)
    yield made("foot_length_most", data[:-8] + b"\xff\xff\xff\x7fPAR1")
    yield made("foot_length_0", data[:-8] + bytes(4) + b"PAR1")
    for what, packed in {
        "empty": b"",
        "only_magic": b"PAR1PAR1",
        "csv": au_text().encode(),
        "noise": b"PAR1" + bytes(range(200)) + b"PAR1",
    }.items():
        yield made(what, packed)
    for what, changed in {
        "text": frame.assign(AU12_r="much"),
        "inf": frame.assign(AU12_r=np.inf),
        "lists": frame.assign(AU12_r=[[1.0]] * 6),
        "bytes": frame.assign(AU12_r=b"\xff"),
        "frame_half": frame.assign(frame=0.5),
        "no_au": frame[["input", "x"]],
        "times": frame.assign(AU12_r=pd.Timestamp(0)),
    }.items():
        yield made(what, _parquet(changed))
    yield made("rows_0", _parquet(frame[:0]), USED)
    yield made("input_is_index", _parquet(frame.set_index("input")), USED)
    yield made("categories", _parquet(frame.assign(AU12_r=frame["AU12_r"].astype("category"))), USED)
    yield made("blanks_in_names", _parquet(frame.rename(columns={"AU12_r": " AU12_r "})), USED)
    yield made("names_twice", _parquet(frame.assign(**{" AU12_r": 1.0})))
    wide = pd.DataFrame(0, index=frame.index, columns=[f"c{n}" for n in range(3000)])
    yield made("wide", _parquet(pd.concat([frame, wide], axis=1)), USED)
    for what, meta in {
        "meta_text": b'"autable"',
        "meta_cut": b'{"scale": ',
        "meta_noise": b"\xff\xfe",
        "meta_deep": b"[" * 100_000,
        "meta_scale": b'{"scale": ["r"]}',
        "meta_extra": b'{"extra": 7}',
    }.items():
        yield made(what, _parquet(frame, meta))
    yield made("meta_rows", _parquet(frame, b'{"scale": "r", "rows": 99}'), TOLD)


def _parquet(frame: pd.DataFrame, meta: bytes | None = None) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    arrow = pa.Table.from_pandas(frame)
    if meta is not None:
        arrow = arrow.replace_schema_metadata({**(arrow.schema.metadata or {}), b"autable": meta})
    file = io.BytesIO()
    pq.write_table(arrow, file)
    return file.getvalue()


def _packed_faces() -> Iterator[Damaged]:
    text = fer2013_text().encode()
    packers: dict[str, Callable[[bytes], bytes]] = {"gz": gzip.compress, "xz": lzma.compress, "zip": _zipped}
    for suffix, pack in packers.items():
        data = pack(text)
        size = len(data)
        for where, place in {"half": size // 2, "8": 8, "last": size - 6}.items():
            yield one(f"faces_cut_at_{where}.csv.{suffix}", f"cut {suffix}", data[:place])
        for number in range(4):
            name = f"faces_flips_{number}.csv.{suffix}"
            yield one(name, f"flips {suffix}", flipped(data, name, 10, size - 60, 3), ANY, data)
        yield one(f"faces_zeros.csv.{suffix}", "zeros packed", blanked(data, size // 3, size // 2), ANY, data)
        yield one(f"faces_empty.csv.{suffix}", "empty packed", b"")
        yield one(f"faces_plain.csv.{suffix}", "another kind packed", text)
        yield one(f"faces_nothing_in.csv.{suffix}", "nothing packed", pack(b""))
        yield one(f"faces_bomb.csv.{suffix}", f"bomb {suffix}", pack(bytes(30_000_000)))
    yield one("faces_no_csv.zip", "no table in zip", _zipped(text, "fer2013.txt"))
    yield one("faces_locked.zip", "locked zip", _locked(_zipped(text)))


def _zipped(data: bytes, name: str = "fer2013.csv") -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, data)
    return file.getvalue()


def _locked(data: bytes) -> bytes:
    """Set the flag of encryption in both headers."""
    changed = bytearray(data)
    changed[6] |= 1
    changed[data.index(b"PK\x01\x02") + 8] |= 1
    return bytes(changed)
