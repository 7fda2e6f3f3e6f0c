import re

import numpy as np
import pandas as pd
import pytest

from analysis.autable import AUTable
from tests.analysis.notebook.page import Page

HOSTILE = "photos/<script>alert(1)</script>\"&'.jpg"


def table(rows=7, scale="r", **options):
    frame = pd.DataFrame(
        {
            "input": [f"photos/{i}.jpg" for i in range(rows)],
            f"AU06_{scale}": np.linspace(0, 1, rows),
            f"AU12_{scale}": np.linspace(1, 0, rows),
        }
    )
    return AUTable(frame, backend="embedded", backend_version="1.2", scale=scale, **options)


def test_a_table_tells_backend_scale_counts_and_its_action_units():
    page = Page(table()._repr_html_())
    assert "AU table 7 faces, 7 files, 2 AUs" in page.words
    assert "Measured by embedded 1.2; scale: intensity 0-5." in page.words
    assert "cheek: AU6 cheek raiser" in page.words
    assert "mouth: AU12 lip corner puller" in page.words
    assert "2 more rows." in page.words


def test_a_table_shows_its_first_five_rows():
    assert Page(table()._repr_html_()).rows == [
        ["input", "AU6", "AU12"],
        ["photos/0.jpg", "0.0", "1.0"],
        ["photos/1.jpg", "0.2", "0.8"],
        ["photos/2.jpg", "0.3", "0.7"],
        ["photos/3.jpg", "0.5", "0.5"],
        ["photos/4.jpg", "0.7", "0.3"],
    ]


def test_an_empty_table_says_that_it_holds_no_face():
    page = Page(table(rows=0)._repr_html_())
    assert "0 faces, 0 files, 2 AUs" in page.words
    assert "No face." in page.words
    assert page.rows == []


def test_a_face_that_failed_is_a_dash_and_is_counted():
    made = table()
    made.frame.loc[0, ["AU06_r", "AU12_r"]] = np.nan
    made.frame.loc[1, "AU12_r"] = np.nan
    page = Page(made._repr_html_())
    assert page.rows[1] == ["photos/0.jpg", "–", "–"]
    assert page.rows[2] == ["photos/1.jpg", "0.2", "–"]
    assert "1 face without a measurement, 1 face with an AU missing" in page.words


def test_every_text_is_escaped():
    made = table(rows=1)
    made.frame["input"] = HOSTILE
    made.frame["<b>label</b>"] = "<img src=x>"
    made.notes.append("<i>note</i>")
    made.backend = "<u>backend</u>"
    page = Page(made._repr_html_())
    assert {tag for tag, _ in page.tags} & {"script", "img", "i", "u"} == set()
    assert "<b>label</b>" in page.words
    assert "<img src=x>" in page.words


def test_a_video_shows_times_and_people_and_names_what_it_leaves_out():
    made = table(rows=3)
    frame = made.frame.assign(
        frame=[0, 1, 2], time_s=[0.0, 0.04, 0.08], face=0, face_id=1, x=1.0, pose_Rx=0.1
    )
    video = AUTable(
        frame.assign(input="talk.mp4"), backend="embedded", backend_version="", scale="r", extra={}
    )
    page = Page(video._repr_html_())
    assert page.rows[2] == ["talk.mp4", "1", "0.04", "0", "1", "0.5", "0.5"]
    assert "3 faces, 1 file, 1 face_id, 2 AUs" in page.words
    assert "not shown: box and confidence, head pose." in page.words


@pytest.mark.parametrize(("scale", "text"), [("r", "0.5"), ("p", "0.50"), ("c", "0")])
def test_the_digits_are_those_of_the_scale(scale, text):
    made = table(rows=1, scale=scale)
    made.frame[f"AU06_{scale}"] = 0.5 if scale != "c" else 0.0
    assert Page(made._repr_html_()).rows[1][1] == text


def test_an_au_of_low_validity_is_marked():
    page = Page(table(extra={"low_validity": ["AU12_r"]})._repr_html_())
    assert page.rows[0] == ["input", "AU6", "AU12*"]
    assert "AU12 lip corner puller low validity" in page.words


def test_a_name_that_is_no_unicode_can_be_saved():
    made = table(rows=1)
    made.notes.append("photos/\udcff.jpg was left out")
    assert "photos/?.jpg was left out" in made._repr_html_().encode("utf-8").decode("utf-8")


def test_many_action_units_and_long_names_stay_small_and_self_contained():
    numbers = [1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 24, 25, 26, 27, 28, 43]
    frame = pd.DataFrame({f"AU{n:02d}_r": np.full(4000, 1.0) for n in numbers})
    frame.insert(0, "input", "a/" * 300 + "photo.jpg")
    html = AUTable(frame, backend="embedded", backend_version="1", scale="r")._repr_html_()
    assert len(html) < 20_000
    assert not re.search(r"https?:|url\(|<script|@import", html)
