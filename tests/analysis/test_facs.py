import subprocess
import sys

import pytest

from analysis.facs import (
    AUS,
    EMOTIONS,
    PROTOTYPES,
    REGIONS,
    canonical_emotion,
    column,
    parse_column,
    plain_name,
    region,
)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("AU12_r", (12, "r")), ("AU01_c", (1, "c")), ("AU45_p", (45, "p"))],
)
def test_an_au_column_tells_its_number_and_scale(name, expected):
    assert parse_column(name) == expected
    assert column(*expected) == name


@pytest.mark.parametrize(
    "name", ["p_rx", "AU12", "AU1_r", "au12_r", " AU12_r", "AU12_r ", "AU12_rx", "AU12_x", "x_0"]
)
def test_other_columns_are_no_aus(name):
    assert parse_column(name) is None


def test_every_au_that_a_backend_measures_is_in_the_catalogue():
    wanted = {
        1,
        2,
        4,
        5,
        6,
        7,
        9,
        10,
        11,
        12,
        14,
        15,
        16,
        17,
        18,
        20,
        22,
        23,
        24,
        25,
        26,
        27,
        28,
        29,
        30,
        34,
        43,
        45,
    }
    assert wanted <= AUS.keys()
    assert all(au.number == number and au.region in REGIONS for number, au in AUS.items())


def test_an_au_is_named_in_plain_words():
    assert plain_name("AU12_r") == "lip corner puller"
    assert AUS[6].plain == "cheek raiser"
    assert region("AU12_r") == "mouth"
    assert plain_name("AU99_r") == "AU99_r"
    assert region("x0") == ""


@pytest.mark.parametrize(
    ("alias", "emotion"),
    [
        ("anger", "angry"),
        (" Happiness", "happy"),
        ("SADNESS", "sad"),
        ("fearful", "fear"),
        ("surprised", "surprise"),
    ],
)
def test_aliases_become_the_canonical_emotion(alias, emotion):
    assert canonical_emotion(alias) == emotion


def test_an_unknown_label_stays_as_it_is():
    assert canonical_emotion(" Boredom ") == "Boredom"
    assert canonical_emotion(3) == "3"


def test_canonical_emotions_are_their_own_alias():
    assert tuple(map(canonical_emotion, EMOTIONS)) == EMOTIONS


def test_prototypes_name_known_aus_of_every_emotion_but_neutral():
    assert set(PROTOTYPES) == {*EMOTIONS, "contempt"} - {"neutral"}
    assert {au for entry in PROTOTYPES.values() for prototype in entry for au in prototype.aus} <= AUS.keys()
    assert ("emfacs", frozenset({6, 12})) in PROTOTYPES["happy"]


def test_importing_the_package_is_cheap_and_its_names_are_there():
    code = (
        "import sys, analysis; heavy = {'numpy', 'pandas', 'sklearn', 'torch', 'cv2'} & set(sys.modules); "
        "print(heavy, all(getattr(analysis, name) for name in analysis.__all__))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set() True"
