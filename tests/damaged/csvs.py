"""Damaged CSVs: AU tables, labels, FER2013's faces and predictions.

What a name begins with, up to the first underscore, says what the file is read as.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from tests.damaged.damage import ANY, REFUSED, TOLD, USED, WHOLE, Damaged, blanked, flipped, one

MANY = 20_000


def damaged_csvs() -> Iterator[Damaged]:
    """Yield the damaged CSVs, the same at each call."""
    yield from _any_csv("aus", au_text(), values=True)
    yield from _any_csv("aus_openface", _openface(), values=True)
    yield from _any_csv("labels", LABELS)
    yield from _any_csv("answers", _answers(), values=True)
    yield from _any_csv("faces", fer2013_text())
    yield from _au_values()
    yield from _label_values()
    yield from _answer_values()
    yield from _face_values()


# ---- sound ones

NAMES = ["größe.jpg", "b.jpg", "c d.jpg", "e/f.png", "e/g.png", "h.png"]
LABELS = "input,label,subject\n" + "".join(
    f"{name},{label},S{row}\n"
    for row, (name, label) in enumerate(
        zip(NAMES, ["happy", "Sadness", "sad", "angry", "joy", "fear"], strict=True)
    )
)


def _numbers(columns: list[str], most: float = 1.0, seed: int = 4) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(rng.uniform(0, most, (len(NAMES), len(columns))).round(3), columns=columns)


def au_frame() -> pd.DataFrame:
    place = pd.DataFrame({"input": NAMES, "frame": 0, "time_s": 0.0, "face": [0, 0, 0, 0, 0, 1]})
    return pd.concat([place, _numbers(["x", "y", "w", "h", "AU04_r", "AU12_r"], 5)], axis=1)


def au_text(**changed: Any) -> str:
    return au_frame().assign(**changed).to_csv(index=False)


def _openface() -> str:
    aus = [f"AU{n:02d}_r" for n in (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26, 45)]
    place = {"frame": range(1, 7), "face_id": 0, "timestamp": 0.04, "confidence": 0.98, "success": 1}
    frame = _numbers(["gaze_0_x", "pose_Rx", "x_0", "y_0", *aus], 5).assign(remark="größer", **place)
    return ", ".join(frame.columns) + "\n" + frame.to_csv(index=False, header=False)


def _answers(**changed: Any) -> str:
    happy = _numbers(["p_happy"])["p_happy"]
    place = {"input": NAMES, "frame": 0, "face": 0, "model": ["m"] * 3 + ["n"] * 3, "label": "happy"}
    return pd.DataFrame(place | {"p_happy": happy, "p_sad": 1 - happy} | changed).to_csv(index=False)


def fer2013_text(rows: int = 4) -> str:
    rng = np.random.default_rng(6)
    usage = ["Training", "Training", "PublicTest", "PrivateTest"]
    lines = [f"{row},{' '.join(map(str, rng.integers(0, 256, 48 * 48)))},{usage[row]}" for row in range(rows)]
    return "\n".join(["emotion,pixels,Usage", *lines]) + "\n"


# ---- what befalls any CSV


def _any_csv(kind: str, text: str, *, values: bool = False) -> Iterator[Damaged]:
    """Yield what may befall a CSV; `values`: whether its numbers are checked, so that text is seen."""

    def made(what: str, damage: str, data: bytes | str, expected: str = REFUSED) -> Damaged:
        packed = data.encode() if isinstance(data, str) else data
        return one(f"{kind}_{what}.csv", f"{kind} {damage}", packed, expected, sound)

    sound = text.encode()
    header, *rows = text.splitlines()
    head, size = len(header.encode()) + 1, len(sound)
    by_row = TOLD if kind == "faces" else REFUSED  # there each row is read for itself
    checked = by_row if values or kind == "faces" else ANY
    for where, place in {"in_head": head // 2, "head": head - 1}.items():
        yield made(f"cut_{where}", "cut", sound[:place], ANY if kind.startswith("aus") else REFUSED)
    for where, place in {"40": size * 2 // 5, "70": size * 7 // 10, "last_bytes": size - 3}.items():
        yield made(f"cut_{where}", "cut", sound[:place], ANY)
    for number in range(6):
        name = f"{kind}_flips_{number}.csv"
        yield one(name, f"{kind} flips", flipped(sound, name, 0, size, 1 + 3 * number), ANY, sound)
    yield made("flips_in_head", "flips", flipped(sound, kind, 0, head, 3), ANY)
    yield made("zeros_in_front", "zeros", blanked(sound, 0, 16))
    yield made("zeros_from_half", "zeros", blanked(sound, size // 2, size), by_row)

    for what, mark in {"utf8": "utf-8-sig", "utf16": "utf-16", "utf32": "utf-32"}.items():
        yield made(f"bom_{what}", f"BOM {what}", text.encode(mark), USED if what == "utf8" else REFUSED)
    yield made("utf16_without_bom", "encoding", text.encode("utf-16-le"))
    if "ö" in text:
        yield made("latin_1", "encoding", text.encode("latin-1"))
    yield made("bom_twice", "BOM twice", b"\xef\xbb\xbf" + text.encode("utf-8-sig"), ANY)
    yield made("crlf", "line ends", text.replace("\n", "\r\n"), USED)
    yield made("cr", "line ends", text.replace("\n", "\r"), USED)
    yield made(
        "line_ends_mixed", "line ends", "\r\n".join([header, *rows[:2]]) + "\n" + "\n".join(rows[2:]), USED
    )
    yield made("blank_lines", "blank lines", "\n\n".join([header, *rows]) + "\n\n\n", USED)
    yield made("no_last_line_end", "line ends", text.rstrip("\n"), USED)

    for what, sign in {"semicolons": ";", "tabs": "\t"}.items():
        yield made(what, f"separator {what}", text.replace(",", sign), WHOLE)
    yield made("pipes", "separator pipes", text.replace(",", "|"))
    yield made(
        "separators_mixed", "mixed separators", "\n".join([header, *(row.replace(",", ";") for row in rows)])
    )
    every_second = [row.replace(",", ";") if number % 2 else row for number, row in enumerate(rows)]
    told = TOLD if values or kind == "faces" else ANY
    yield made("separators_in_turn", "mixed separators", "\n".join([header, *every_second]), told)
    yield made("separators_other_head", "mixed separators", "\n".join([header.replace(",", ";"), *rows]))

    yield made("quote_unclosed", "quotes", "\n".join([header, '"' + rows[0], *rows[1:]]))
    yield made("quote_in_head", "quotes", text.replace(",", ',"', 1))
    yield made("quote_at_end", "quotes", text.rstrip("\n") + '"', ANY)
    yield made("quotes_everywhere", "quotes", "\n".join(_quoted(line) for line in [header, *rows]), USED)
    yield made("row_longer", "row length", "\n".join([header, rows[0] + ",1,2,3", *rows[1:]]), ANY)
    yield made("row_shorter", "row length", "\n".join([header, rows[0].partition(",")[0], *rows[1:]]), told)
    yield made("all_rows_longer", "row length", "\n".join([header, *(row + ",1,2" for row in rows)]), ANY)

    first = header.partition(",")[0]
    yield made(
        "column_twice", "columns", "\n".join([f"{header},{first}", *(row + ",1" for row in rows)]), ANY
    )
    yield made("header_again", "header again", text + text, checked)
    yield made("header_missing", "no header", "\n".join(rows))
    if kind.startswith("aus"):
        yield one(f"{kind}_only_header.csv", f"{kind} zero rows", f"{header}\n".encode(), USED)
    else:
        yield made("only_header", "zero rows", header + "\n")
    wide = ",".join(f"c{n}" for n in range(MANY))
    filled = ",".join("0" for _ in range(MANY))
    yield made(
        "absurdly_wide",
        "absurd size",
        "\n".join([f"{header},{wide}", *(f"{row},{filled}" for row in rows)]),
        USED if kind == "faces" else REFUSED,
    )
    yield made("long_name", "absurd size", text.replace("\n", "\n" + "x" * 3_000_000, 1), ANY)
    yield made("one_long_line", "absurd size", "7" * 3_000_000)
    for what, data in {
        "empty": b"",
        "blank": b"  \n\n \n",
        "only_bom": b"\xef\xbb\xbf",
        "noise": np.random.default_rng(2).bytes(4000),
        "page": b"<!DOCTYPE html>\n<html><body>404, not found</body></html>\n",
        "json": b'{"rows": [1, 2]}\n',
        "picture": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(50),
        "packed": gzip.compress(sound),
        "zeros": bytes(5000),
    }.items():
        yield made(what, f"no table {what}", data)


def _quoted(line: str) -> str:
    return ",".join(f'"{cell.strip()}"' for cell in line.split(","))


# ---- values


def _au_values() -> Iterator[Damaged]:
    sound = au_text().encode()

    def made(what: str, data: str, expected: str = REFUSED) -> Damaged:
        return one(
            f"aus_{what}.csv",
            f"aus value {what}",
            data.encode(),
            expected,
            None if expected == USED else sound,
        )

    def first(value: Any, name: str = "AU12_r") -> str:
        column = au_frame()[name].astype(object)
        column[0] = value
        return au_text(**{name: column})

    for what, value in {
        "text": "much",
        "inf": "inf",
        "minus_inf": "-inf",
        "1e999": "1e999",
        "negative": -0.1,
        "above_5": 5.01,
        "400": 400,
        "hex": "0x10",
        "underscore": "1_000",
        "percent": "50%",
        "decimal_comma": "2,5",
        "yes": "yes",
        "degrees": "12°",
    }.items():
        yield made(f"au_{what}", first(value))
    for what, value in {
        "nan": "NaN",
        "empty": "",
        "c_nan": "-nan(ind)",
        "small": 1e-320,
        "none": "None",
    }.items():
        yield made(f"au_{what}", first(value), USED)
    for name, values in {
        "frame": (0.5, 1e300, "x", "", "inf"),
        "face": ("NaN", 2**70, -0.5),
        "time_s": ("inf", "00:01", "soon"),
        "x": ("inf", "left"),
        "h": ("1e999", "1,5"),
    }.items():
        for number, value in enumerate(values):
            yield made(f"{name}_{number}", first(value, name))
    yield made("au_all_nan", au_text(AU12_r="nan", AU04_r=""), USED)
    yield made("scale_of_p", au_text().replace("_r", "_p"))
    yield made("scale_of_c", au_text().replace("_r", "_c"))
    yield made("two_scales", au_text(AU12_p=0.5), TOLD)
    yield made("scaled_and_bare", au_text(AU6=0.5))
    yield made("no_au", au_text().replace("AU", "UA"))
    yield made("landmark_text", au_text(x_0="nose", y_0=1.0))
    yield made("without_input", "AU12_r\n1\n2\n", USED)
    yield made("unknown_au", au_text(AU99_r=1.0), USED)
    yield made("success_text", _openface().replace(", success", ", x_1", 1), ANY)
    bare = "input,AU1,AU12\na.jpg,{},1\nb.jpg,0.5,0\n"
    yield made("bare_text", bare.format("much"))
    yield made("bare_negative", bare.format("-1"))
    yield made("bare_empty", "input,AU1\na.jpg,\n")
    yield made("bare_twice", "input,AU1,AU01\na.jpg,1,1\n")
    shapes = "input,mouthSmileLeft,mouthSmileRight\na.jpg,{},0.5\n"
    yield made("blendshape_text", shapes.format("much"))
    yield made("blendshape_inf", shapes.format("inf"))


def _label_values() -> Iterator[Damaged]:
    for what, text, expected in (
        ("without_input", "photo,label\na,happy\n", REFUSED),
        ("without_label", "input,mood\na,happy\n", REFUSED),
        ("all_empty", "input,label\na,\nb,\n", REFUSED),
        ("no_names", "input,label\n,happy\n ,sad\n", REFUSED),
        ("contradictory", "input,label\na,happy\na,sad\n", REFUSED),
        ("twice_alike", "input,label\na,happy\na,happy\nb,sad\n", USED),
        ("numbers", "input,label\n1,3\n2,4\n", USED),
        ("short_row_of_label_first", "label,input\nhappy\nsad,b\n", ANY),
        ("short_row", "input,label\na\nb,sad\n", ANY),
        ("NA", "input,label\nNA,NaN\nnan,null\n", USED),
        ("control_signs", "input,label\n\x01a\x1b[31m,happy\nb,\x07sad\n", USED),
        ("line_in_value", 'input,label\n"a\nb",happy\nc,"sad\n"\n', USED),
        ("direction_marks", "input,label\n\u202ea\u2028b,happy\nc,sad\n", USED),
    ):
        yield one(f"labels_{what}.csv", f"labels value {what}", text.encode(), expected)


def _answer_values() -> Iterator[Damaged]:
    def made(what: str, text: str, expected: str = REFUSED) -> Damaged:
        return one(f"answers_{what}.csv", f"answers value {what}", text.encode(), expected)

    for what, value in {"text": "much", "7": 7, "negative": -0.5, "inf": "inf", "1e999": "1e999"}.items():
        yield made(f"p_{what}", _answers(p_happy=value))
    yield made("p_all_empty", _answers(p_happy="", p_sad="nan"))
    yield made("p_some_empty", _answers(p_happy=[""] + [0.5] * 5, p_sad=[""] + [0.5] * 5), TOLD)
    yield made("p_half_empty", _answers(p_happy=["", *[0.5] * 5], p_sad=[0.2] + [0.5] * 5), TOLD)
    yield made("p_sums", _answers(p_happy=0.9, p_sad=0.9), TOLD)
    for number, value in enumerate((0.5, "x", 1e300, "")):
        yield made(f"frame_{number}", _answers(frame=value))
    yield made("face_twice", _answers(input="a.jpg"))
    yield made("model_empty", _answers(model=""), USED)
    yield made("no_p", _answers().replace("p_", "q_"))
    yield made("no_input", _answers().replace("input", "photo"))
    yield made("no_model", _answers().replace("model", "remark"), USED)


def _face_values() -> Iterator[Damaged]:
    text = fer2013_text()
    header, first, *rest = text.splitlines()
    emotion, pixels, usage = first.split(",")

    def made(what: str, row: str, expected: str = TOLD) -> Damaged:
        data = "\n".join([header, row, *rest]) + "\n"
        return one(f"faces_{what}.csv", f"faces value {what}", data.encode(), expected, text.encode())

    for number, value in enumerate(("7", "-1", "1.0", "happy", "", "NaN")):
        yield made(f"emotion_{number}", f"{value},{pixels},{usage}")
    for number, value in enumerate(("256", "-1", "1e3", "x", "nan", "9" * 30, "0x10", "1.5", "")):
        cells = pixels.split()
        yield made(f"pixel_{number}", f"{emotion},{' '.join([value, *cells[1:]])},{usage}")
    yield made("pixels_fewer", f"{emotion},{pixels.rpartition(' ')[0]},{usage}")
    yield made("pixels_more", f"{emotion},{pixels} 7,{usage}")
    yield made("pixels_none", f"{emotion},,{usage}")
    yield made("usage_unknown", f"{emotion},{pixels},Testing")
    yield made("columns_swapped", f"{usage},{pixels},{emotion}")
    none = "\n".join([header, *(row.replace(" ", ";") for row in [first, *rest])])
    yield one("faces_all_bad.csv", "faces value all bad", none.encode())
