"""On the reference tables: separated human codes, and OpenFace's intensities."""

import re

import numpy as np
import pandas as pd
import pytest

from analysis.facs import canonical_emotion
from analysis.inference import Inference, infer
from analysis.logit import MultinomialLogit

pytestmark = pytest.mark.shared


@pytest.fixture(scope="module")
def human_codes(shared) -> pd.DataFrame:
    """CK+'s FACS codes: 'AU1' is AU 1 present or not, which our tables call AU01_c."""
    raw = pd.read_csv(shared / "data" / "au_tables" / "ckplus_facs_codes.csv")
    names = {name: f"AU{int(name[2:]):02d}_c" for name in raw if re.fullmatch(r"AU\d+", name)}
    return raw.rename(columns=names).assign(emotion=raw["emotion"].map(canonical_emotion))


@pytest.fixture(scope="module")
def coded(human_codes) -> Inference:
    model = MultinomialLogit(alpha=0).fit(human_codes, human_codes["emotion"])
    return infer(model, human_codes, human_codes["emotion"], groups=human_codes["subject"], draws=40)


def test_separation_of_human_codes_is_found_and_said(coded):
    assert not coded.valid and coded.facts["separation"] == "quasi-complete"
    assert any("quasi-complete separation: no finite estimate" in line for line in coded.facts["why"])
    assert coded.facts["method"] == "ridge, bootstrap over people" and coded.facts["n_groups"] == 118
    assert not any({"z", "p", "p_holm", "p_bh"} & set(table.columns) for table in coded.tables.values())


def test_the_ridges_strongest_aus_are_those_that_define_the_emotions(coded):
    top = coded.coefficients.sort_values("coef").groupby("emotion")["au"].last()
    assert top["disgust"] == "AU09_c" and top["fear"] == "AU20_c" and top["surprise"] in ("AU27_c", "AU10_c")
    table = coded.coefficients.set_index(["emotion", "au"])
    for place in [("happy", "AU12_c"), ("disgust", "AU09_c"), ("surprise", "AU27_c"), ("sad", "AU15_c")]:
        assert table.loc[place, "low"] > 0, place
    assert coded.facts["effects"] == "from 0 to 1"
    assert coded.marginal_effects["effect"].abs().max() < 1


def test_intensities_of_openface_allow_inference_and_blocks_widen_it(shared):
    raw = pd.read_csv(shared / "data" / "au_tables" / "openface_stills_6emotions.csv", skipinitialspace=True)
    names = np.array(["angry", "disgust", "happy", "neutral", "sad", "surprise"])
    X, y = raw.drop(columns="emotion"), names[raw["emotion"]]
    model = MultinomialLogit(alpha=0).fit(X, y)
    alone = infer(model, X, y)
    blocked = infer(model, X, y, groups=np.arange(len(X)) // 40)
    assert alone.valid and blocked.valid and alone.facts["mcfadden"] == pytest.approx(0.563, abs=0.001)
    happy = blocked.log_odds.set_index(["emotion", "au"]).loc[("happy", "AU12_r")]
    assert happy["versus"] == "neutral" and happy["odds_ratio_low"] > 1
    widened = (blocked.coefficients["se"] / alone.coefficients["se"]).median()
    assert 1.5 < widened < 3
