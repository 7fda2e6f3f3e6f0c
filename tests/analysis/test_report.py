import csv
import json
import math
from html.parser import HTMLParser
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from analysis.errors import AnalysisError
from analysis.explain import explain_many
from analysis.facs import short_name
from analysis.logit import MultinomialLogit
from analysis.report import build_report
from analysis.rounding import percent

COLUMNS = ["AU04_r", "AU06_r", "AU12_r", "AU15_r", "AU25_r"]
EMOTIONS = ["angry", "happy", "neutral"]
HOSTILE = "photos/<script>alert(1)</script>\"&'.jpg"


class Page(HTMLParser):
    """The parts of a report that the tests ask about."""

    VOID = frozenset({"meta", "img", "br", "hr", "input", "link"})

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.tags, self.open, self.text, self.cells, self.rows = [], [], [], [], []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th") and self.rows:
            self.rows[-1].append("")
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> closes another element"

    def handle_data(self, data):
        if "style" in self.open:
            return
        self.text.append(data)
        if {"td", "th"} & set(self.open) and self.rows and self.rows[-1]:
            self.rows[-1][-1] += data

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def words(self):
        return " ".join(" ".join(self.text).split())


@pytest.fixture(scope="module")
def model():
    rng = np.random.default_rng(7)
    X = pd.DataFrame(rng.uniform(0, 4, (240, 5)), columns=COLUMNS)
    score = np.column_stack([2 * X["AU04_r"], X["AU06_r"] + 2 * X["AU12_r"], 5 - X["AU25_r"]])
    y = np.array(EMOTIONS)[(score + rng.gumbel(0, 2, score.shape)).argmax(axis=1)]
    fitted = MultinomialLogit(alpha=1.0).fit(X, y)
    fitted.low_validity_ = ["AU15_r"]
    return fitted


def records(model, n, inputs=None, name="logit-test"):
    values = pd.DataFrame(np.random.default_rng(11).uniform(0, 4, (n, 5)), columns=COLUMNS)
    for i, explanation in enumerate(explain_many(model, values)):
        yield {
            "input": inputs[i] if inputs else f"photos/{i:04d}.jpg",
            "frame": 0,
            "face": 0,
            "model": name,
            "picture": f"faces/{i:06d}.jpg",
            **explanation.to_dict(),
        }


def write(directory, lines, *, skipped=(), run=None, model=None, name="logit-test", side=48):
    (directory / "faces").mkdir(parents=True)
    rng = np.random.default_rng(3)
    rows = []
    for line in lines:
        noise = rng.integers(0, 256, (side, side, 3), dtype=np.uint8)
        Image.fromarray(noise).save(directory / line["picture"], quality=90)
        chances = {f"p_{emotion}": p for emotion, p in line["probabilities"].items()}
        answer = {"model": line["model"], "label": line["target"], **chances}
        rows.append({"input": line["input"], "frame": 0, "time_s": 0.0, "face": line["face"], **answer})
    pd.DataFrame(rows).to_csv(directory / "predictions.csv", index=False)
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (directory / "explanations.jsonl").write_text(text, encoding="utf-8")
    with (directory / "skipped.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("input", "frame", "reason"), *skipped])
    if run is not None:
        (directory / "run.json").write_text(json.dumps(run), encoding="utf-8")
    if model is not None:
        model.save(directory / "models" / name)
    return directory


def read(path):
    html = path.read_text(encoding="utf-8")
    return html, Page(html)


@pytest.fixture(scope="module")
def built(model, tmp_path_factory):
    inputs = ["photos/a.jpg", HOSTILE, "photos/größe.jpg", "photos/a.jpg"]
    lines = list(records(model, 4, inputs))
    lines[3]["face"] = 1
    skipped = [("photos/mountain.jpg", 0, "no face"), ("<b>bad</b>.jpg", 0, "unreadable: <i>text</i>")]
    run = {
        "command": "predict",
        "started": "2026-11-20T10:12:03+00:00",
        "parameters": {"detector": "mtcnn", "annotate": True, "models": ["logit-test"]},
        "versions": {"feat-pipeline": "0.1.0", "numpy": "2.4.6"},
        "counts": {"skipped": {"error": 1, "no face": 1}},
        "backend": {"name": "embedded", "version": "1", "scale": "r"},
        "models": [{"name": "logit-test", "path": "logit-test"}],
        "warnings": ["the detector was slow"],
    }
    directory = write(tmp_path_factory.mktemp("built"), lines, skipped=skipped, run=run, model=model)
    (directory / "annotated").mkdir()
    Image.new("RGB", (1600, 900), "teal").save(directory / "annotated" / "000000_a.jpg")
    html, page = read(build_report(directory))
    return html, page, lines


def test_every_face_has_a_card_with_its_picture_and_its_answer(built):
    _, page, lines = built
    cards = page.all("article")
    assert [card["id"] for card in cards] == ["face-1", "face-2", "face-3", "face-4"]
    pictures = [img for img in page.all("img") if img["alt"].startswith("Face ")]
    assert len(pictures) == 4
    for number, (line, picture) in enumerate(zip(lines, pictures, strict=True), start=1):
        assert picture["alt"].startswith(f"Face {number}, ")
        assert picture["alt"].endswith(f"of {line['input']}, called {line['target']}")
        assert line["rationale"] in page.words
    assert "face 1 of 2" in pictures[0]["alt"]
    assert "face 2 of 2" in pictures[3]["alt"]


def test_the_probabilities_of_a_card_are_those_of_the_record(built):
    _, page, lines = built
    rows = [row for row in page.rows if row and row[0] in EMOTIONS and len(row) == 3 and "%" in row[2]]
    for i, line in enumerate(lines):
        for k, emotion in enumerate(EMOTIONS):
            p = line["probabilities"][emotion]
            expected = "< 1 %" if p < 0.005 else "> 99 %" if p >= 0.995 else f"{100 * p:.0f} %"
            assert rows[3 * i + k] == [emotion, "", expected]


def test_the_waterfall_holds_every_contribution_with_its_sign_and_adds_up(built):
    _, page, lines = built
    starts = [i for i, row in enumerate(page.rows) if row and row[0].startswith("baseline:")]
    assert len(starts) == len(lines)
    for start, line in zip(starts, lines, strict=True):
        shown = page.rows[start : start + 7]
        numbers = [float(row[3].split()[0].replace("−", "-")) for row in shown]
        expected = [line["baseline_logit"], *(item["contribution"] for item in line["aus"]), line["logit"]]
        assert numbers == pytest.approx(expected, abs=0.0051)
        assert sum(numbers[:-1]) == pytest.approx(numbers[-1], abs=0.05)
        assert [row[0].split()[0] for row in shown[1:-1]] == [
            f"AU{int(item['au'][2:4])}" for item in line["aus"]
        ]


def test_the_bars_of_the_waterfall_stand_where_the_numbers_say(built):
    html, _, lines = built
    first = html[html.index('<table class="fall"') :]
    first = first[: first.index("</table>")]
    bars = [
        [float(part.split(":")[1].rstrip("%")) for part in piece.split('"')[0].split(";")]
        for piece in first.split('<i style="')[1:]
    ]
    line = lines[0]
    ends = line["baseline_logit"] + np.cumsum([0.0, *(item["contribution"] for item in line["aus"])])
    reaches = [
        start + item[end] for start, item in zip(ends, line["aus"], strict=False) for end in ("low", "high")
    ]
    low, high = min(0.0, *ends, *reaches), max(0.0, *ends, *reaches)
    edges = [(0.0, ends[0]), *pairwise(ends), (0.0, line["logit"])]
    for (left, width), (a, b) in zip(bars, edges, strict=True):
        assert left == pytest.approx(100 * (min(a, b) - low) / (high - low), abs=0.06)
        assert width == pytest.approx(100 * abs(b - a) / (high - low), abs=0.11)


def test_the_au_bars_are_the_share_of_the_full_scale(built):
    html, _, lines = built
    card = html[html.index('<section class="measured">') :]
    card = card[: card.index("</section>")]
    values = {item["au"]: item["value"] for item in lines[0]["aus"]}
    shown = [float(piece.split("%")[0]) for piece in card.split('<i style="width:')[1:]]
    assert shown == pytest.approx([20 * values[c] for c in COLUMNS], abs=0.06)


def test_the_heatmap_equals_the_coefficients(built, model):
    _, page, _ = built
    (start,) = [i for i, row in enumerate(page.rows) if row[:2] == ["Action Unit", "angry"]]
    assert page.rows[start] == ["Action Unit", *EMOTIONS]
    table = model.coefficients().pivot(index="au", columns="emotion", values="coef")
    for row, column in zip(page.rows[start + 1 : start + 6], COLUMNS, strict=True):
        shown = [float(text.replace("−", "-")) for text in row[1:]]
        assert shown == pytest.approx([table.at[column, emotion] for emotion in EMOTIONS], abs=0.0051)


def test_aus_of_low_validity_are_marked_in_words(built):
    _, page, _ = built
    marked = {row[0] for row in page.rows if row and "low validity" in row[0]}
    assert marked == {"AU15 lip corner depressor low validity"}
    assert page.words.count("AU15 lip corner depressor low validity") == 4 + 4 + 1


def test_file_names_are_escaped_everywhere(built):
    html, page, _ = built
    assert "<script" not in html.lower()
    assert not page.all("script")
    assert HOSTILE in page.words
    assert ["<b>bad</b>.jpg", "0", "unreadable: <i>text</i>"] in page.rows


def test_nothing_is_loaded_from_outside_the_file(built):
    html, page, _ = built
    for tag, attributes in page.tags:
        assert tag not in ("script", "link", "iframe", "object", "embed", "base")
        for name in ("src", "srcset", "href", "data", "poster", "background", "action"):
            value = attributes.get(name)
            assert value is None or value.startswith(("data:image/jpeg;base64,", "#")), (tag, name)
        assert "url(" not in attributes.get("style", "")
    style = html[html.index("<style>") : html.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style
    assert "http" not in style


def test_skipped_inputs_warnings_parameters_versions_and_date_are_shown(built):
    _, page, _ = built
    assert ["photos/mountain.jpg", "0", "no face"] in page.rows
    assert "the detector was slow" in page.words
    assert ["detector", "mtcnn"] in page.rows
    assert ["annotate", "yes"] in page.rows
    assert ["feat-pipeline", "0.1.0"] in page.rows
    assert ["skipped / no face", "1"] in page.rows
    assert "Run: 2026-11-20 10:12 UTC" in page.words
    assert "AU backend embedded" in page.words


def test_the_page_can_be_read_by_ear_and_by_keyboard(built):
    _, page, _ = built
    assert page.all("html") == [{"lang": "en"}]
    assert not page.open
    assert all(img.get("alt") for img in page.all("img"))
    assert all("scope" in th for th in page.all("th"))
    assert [tag for tag, _ in page.tags].count("h1") == 1
    assert len(page.all("caption")) == len(page.all("table"))
    levels = [int(tag[1]) for tag, _ in page.tags if tag in ("h1", "h2", "h3", "h4", "h5", "h6")]
    assert all(after - before <= 1 for before, after in pairwise(levels))
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    targets = [a["href"].removeprefix("#") for a in page.all("a")]
    assert set(targets) <= set(ids)
    assert {part for _, a in page.tags for part in a.get("aria-labelledby", "").split()} <= set(ids)


def test_the_annotated_photo_is_shrunk_and_named(built):
    _, page, _ = built
    (photo,) = [img for img in page.all("img") if img["alt"].startswith("000000_a.jpg")]
    assert photo["src"].startswith("data:image/jpeg;base64,")
    assert len(photo["src"]) < 250_000


def test_two_hundred_faces_stay_below_ten_megabytes(model, tmp_path):
    skipped = [(f"photos/skipped_{i}.jpg", 0, "no face") for i in range(60)]
    lines = list(records(model, 200))
    directory = write(tmp_path / "many", lines, skipped=skipped, run={}, model=model, side=256)
    (directory / "annotated").mkdir()
    noise = np.random.default_rng(1).integers(0, 256, (600, 800, 3), dtype=np.uint8)
    for i in range(20):
        Image.fromarray(noise).save(directory / "annotated" / f"{i}.jpg", quality=95)
    path = build_report(directory)
    html, page = read(path)
    assert path.stat().st_size < 10_000_000
    assert len(page.all("article")) == 200
    assert len(page.all("img")) == 220
    sizes = {True: 0, False: 0}
    for img in page.all("img"):
        sizes[img["alt"].startswith("Face ")] += len(img["src"])
    assert sizes[True] <= 4_000_000
    assert sizes[False] <= 3_000_000
    assert all(line["input"] in html for line in lines)
    assert all([name, "0", reason] in page.rows for name, _, reason in skipped)


def test_more_faces_than_cards_is_said(model, tmp_path):
    directory = write(tmp_path / "d", list(records(model, 5)), run={}, model=model)
    _, page = read(build_report(directory, max_faces=3))
    assert len(page.all("article")) == 3
    assert "Cards are shown for the first 3 of 5 faces" in page.words


def test_damaged_lines_are_left_out_with_a_warning_and_the_rest_is_shown(model, tmp_path):
    directory = write(tmp_path / "d", list(records(model, 3)), run={}, model=model)
    (directory / "predictions.csv").unlink()
    file = directory / "explanations.jsonl"
    good = file.read_text().splitlines()
    broken = json.loads(good[1]) | {"probabilities": [1, 2]}
    without = {k: v for k, v in json.loads(good[1]).items() if k != "aus"}
    text = [good[0], '{"input": "x', json.dumps(broken), "[]", json.dumps(without), "\x00\xff", good[2]]
    file.write_text("\n".join(text), encoding="utf-8")
    _, page = read(build_report(directory))
    assert len(page.all("article")) == 2
    assert "explanations.jsonl: 5 lines left out as damaged: line 2 (" in page.words
    assert "line 5 (without aus)" in page.words


def test_pictures_outside_the_directory_and_damaged_ones_are_not_shown(model, tmp_path):
    Image.new("RGB", (40, 40)).save(tmp_path / "secret.jpg")
    lines = list(records(model, 3))
    directory = write(tmp_path / "d", lines, run={}, model=model)
    (directory / lines[1]["picture"]).write_text("no picture")
    lines[0]["picture"] = "../secret.jpg"
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (directory / "explanations.jsonl").write_text(text, encoding="utf-8")
    _, page = read(build_report(directory))
    assert len(page.all("img")) == 1
    assert page.words.count("no picture") == 2
    assert "2 faces without a picture" in page.words


def test_contributions_that_do_not_add_up_are_said(model, tmp_path):
    lines = list(records(model, 1))
    lines[0] |= {"residual": 0.75, "logit": lines[0]["logit"] + 0.75}
    directory = write(tmp_path / "d", lines, run={}, model=model)
    _, page = read(build_report(directory))
    assert any(
        row[0] == "not explained (residual)" and row[3] == "+0.75" for row in page.rows if len(row) == 4
    )
    assert "In 1 explanation the contributions do not add up" in page.words
    assert "The bars add up" not in page.words


def test_a_face_without_an_explanation_is_shown_with_its_picture(model, tmp_path):
    directory = write(tmp_path / "d", list(records(model, 1)), run={}, model=model)
    table = pd.read_csv(directory / "predictions.csv").assign(picture="faces/000000.jpg")
    (directory / "explanations.jsonl").unlink()
    without = read(build_report(directory))[1]
    assert "no picture" in without.words
    table.to_csv(directory / "predictions.csv", index=False)
    assert "no picture" not in read(build_report(directory))[1].words


def test_several_models_stand_side_by_side(model, tmp_path):
    lines = list(records(model, 2))
    directory = write(tmp_path / "d", lines, run={}, model=model)
    table = pd.read_csv(directory / "predictions.csv")
    other = table.assign(model="cnn", label="angry", p_angry=0.5, p_happy=0.25, p_neutral=0.25)
    pd.concat([table, other]).to_csv(directory / "predictions.csv", index=False)
    _, page = read(build_report(directory))
    assert ["Emotion", "logit-test", "cnn"] in page.rows
    p = [line["probabilities"]["angry"] for line in lines]
    shown = [row for row in page.rows if row[0] == "angry" and row[-1] == "50 %"]
    assert [row[1] for row in shown] == [f"{100 * value:.0f} %" for value in p]
    assert page.words.count("cnn: angry 50 %") == 2
    assert "Answers of cnn" in page.words


def test_models_can_be_given_and_their_absence_is_said(model, tmp_path):
    directory = write(tmp_path / "d", list(records(model, 1)), run={})
    _, page = read(build_report(directory))
    assert "The coefficients of model logit-test are not in this directory" in page.words
    _, page = read(build_report(directory, models={"logit-test": model.coefficients()}))
    assert "The coefficients of model" not in page.words
    assert "logit-test: change of the centred logit per unit" in page.words


def test_a_hinge_model_is_shown_by_what_a_marked_au_adds(model, tmp_path):
    rng = np.random.default_rng(2)
    X = pd.DataFrame(rng.uniform(0, 4, (300, 2)), columns=["AU04_r", "AU12_r"])
    y = np.where(X["AU12_r"] + rng.normal(0, 1, 300) > X["AU04_r"], "happy", "angry")
    bent = MultinomialLogit(terms="hinges").fit(X, y)
    bent.scale_ = "r"
    bent.save(tmp_path / "model.json")
    _, page = read(build_report(tmp_path))
    ends = bent.logits(pd.DataFrame({"AU04_r": [0.0, 0.0], "AU12_r": [0.0, 3.0]}))
    scores = np.column_stack([-ends, ends]) / 2 if ends.ndim == 1 else ends
    (row,) = [row for row in page.rows if row and row[0] == "AU12 lip corner puller"]
    shown = [float(text.replace("−", "-")) for text in row[1:]]
    assert shown == pytest.approx(list(scores[1] - scores[0]), abs=0.0051)
    assert "when the Action Unit alone rises from 0 to 3" in page.words


def test_an_extract_directory_shows_aus_and_says_what_was_not_measured(tmp_path):
    rows = [
        {"input": "a.jpg", "frame": 0, "time_s": 0.0, "face": 0, "AU04_r": 0.0, "AU12_r": 4.0},
        {"input": "b.jpg", "frame": 0, "time_s": 0.0, "face": 0, "AU04_r": math.nan, "AU12_r": math.nan},
    ]
    boxes = {"x": 1.0, "y": 2.0, "w": 30.0, "h": 40.0, "confidence": 0.9}
    pd.DataFrame([{**row, **boxes} for row in rows]).to_csv(tmp_path / "aus.csv", index=False)
    _, page = read(build_report(tmp_path))
    assert len(page.all("article")) == 2
    assert "2 faces in 2 files, measured on 2 Action Units" in page.words
    assert page.words.count("not measured") >= 2
    assert "The Action Units of this face could not be measured." in page.words
    assert "Probabilities" not in page.words


def test_a_fit_directory_shows_the_model(model, tmp_path):
    model.save(tmp_path)
    model.coefficients().to_csv(tmp_path / "coefficients.csv", index=False)
    _, page = read(build_report(tmp_path))
    assert "tells 3 emotions apart by 5 Action Units, fitted on 240 faces" in page.words
    assert ["Action Unit", *EMOTIONS] in page.rows


def test_a_missing_directory_a_file_and_an_empty_one_are_refused_in_one_line(tmp_path):
    (tmp_path / "file.txt").write_text("x")
    (tmp_path / "empty").mkdir()
    for name, said in [("none", "does not exist"), ("file.txt", "is a file"), ("empty", "holds no results")]:
        with pytest.raises(AnalysisError, match=said) as caught:
            build_report(tmp_path / name)
        assert name in str(caught.value)
        assert "\n" not in str(caught.value)


def test_an_output_that_cannot_be_written_is_refused_in_one_line(model, tmp_path):
    model.save(tmp_path)
    (tmp_path / "file").write_text("x")
    with pytest.raises(AnalysisError, match="cannot write"):
        build_report(tmp_path, tmp_path / "file" / "report.html")
    assert not list(tmp_path.glob("*.html"))


def test_damaged_tables_are_warnings(model, tmp_path):
    directory = write(tmp_path / "d", list(records(model, 2)), model=model)
    (directory / "run.json").write_text("{")
    (directory / "skipped.csv").write_text("nothing,here\n1,2\n")
    (directory / "predictions.csv").write_text(
        "input,frame,face,model,label,p_happy\na.jpg,0,0,m,happy,lots\n"
    )
    (directory / "models" / "logit-test" / "model.json").write_text("{}")
    _, page = read(build_report(directory))
    assert len(page.all("article")) == 2
    assert "run.json cannot be read" in page.words
    assert "skipped.csv was left out: it has no column input, reason." in page.words
    assert "predictions.csv: 1 row left out as damaged." in page.words
    assert "Model logit-test could not be read" in page.words


def test_numbers_that_look_like_something_else_stay_as_written(model, tmp_path):
    lines = list(records(model, 1, ["007"]))
    directory = write(tmp_path / "d", lines, skipped=[("NA", 0, "no face")], run={}, model=model)
    _, page = read(build_report(directory))
    assert len(page.all("article")) == 1
    assert ["NA", "0", "no face"] in page.rows


def test_a_card_tells_how_sure_it_is_and_what_would_change_the_answer(model, tmp_path):
    values = pd.DataFrame([[0.2, 2.5, 3.0, 1.0, 2.0]], columns=COLUMNS)
    (explanation,) = explain_many(model, values, draws=200)
    lines = list(records(model, 1))
    change = explanation.counterfactual(to="angry")
    lines[0] |= explanation.to_dict() | {"counterfactual": change.to_dict()}
    _, page = read(build_report(write(tmp_path / "d", lines, run={}, model=model)))
    low, high = explanation.probability_interval
    assert f"happy: {percent(low)} to {percent(high)} (95 % interval)" in page.words
    top = explanation.certainty["top_au"]
    assert f"{short_name(top)} stays the strongest reason in" in page.words
    assert "of 200 draws of the coefficients" in page.words
    assert "By region of the face: " in page.words
    assert "What would make it angry" in page.words
    assert all(way.text in page.words for way in change.ways)


def test_ways_that_are_the_same_are_told_once(model, tmp_path):
    lines = list(records(model, 1))
    way = {"exists": True, "text": "brow lowerer AU4 0.2 to 3.0", "probabilities": {"angry": 0.5}}
    none = {"kind": "least squares", "exists": False, "text": "none found", "probabilities": {}}
    ways = [none, {"kind": "fewest AUs", **way}, {"kind": "one AU", **way}]
    lines[0]["counterfactual"] = {"answer": "happy", "target": "angry", "ways": ways}
    _, page = read(build_report(write(tmp_path / "d", lines, run={}, model=model)))
    assert "The smallest change in all: none found" in page.words
    assert "The fewest AUs; one AU alone: brow lowerer AU4 0.2 to 3.0 then angry 50 %" in page.words


def test_a_card_of_a_surrogate_tells_how_far_it_is_from_the_classifier(model, tmp_path):
    lines = list(records(model, 3))
    said = {"name": "cnn", "answer": "sad", "probability": 0.6, "surrogate_answer": "happy", "distance": 0.31}
    for line, agrees, usable in zip(lines, (True, False, True), (True, True, False), strict=True):
        line["classifier"] = {**said, "agrees": agrees, "usable": usable}
    _, page = read(build_report(write(tmp_path / "d", lines, run={}, model=model)))
    assert "cnn and its surrogate both say sad; their probabilities differ by 0.31 of 1." in page.words
    assert "cnn says sad (60 %), by its AUs it would be happy (distance 0.31 of 1)." in page.words
    assert "The surrogate is not faithful enough to give reasons for cnn." in page.words


def test_a_frame_without_a_time_is_named_by_its_number(model, tmp_path):
    lines = list(records(model, 1))
    lines[0]["frame"] = 7
    directory = write(tmp_path / "d", lines, run={}, model=model)
    table = pd.read_csv(directory / "predictions.csv").assign(frame=7, time_s=math.nan)
    table.to_csv(directory / "predictions.csv", index=False)
    _, page = read(build_report(directory))
    assert "the only face, frame 7" in page.words
    assert "nan" not in page.words
