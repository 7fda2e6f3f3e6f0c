import numpy as np
import pandas as pd
import pytest

from analysis.autable import AUTable
from analysis.backends import COLUMNS, compare_all, compare_tables
from analysis.errors import TableError
from analysis.plots import agreement_map


def table(scale="r", inputs=None, backend="made", **aus):
    columns = {f"{au}_{scale}": values for au, values in aus.items()}
    n = len(next(iter(aus.values())))
    frame = pd.DataFrame({"input": inputs or [f"{i}.jpg" for i in range(n)], **columns})
    return AUTable(frame, backend=backend, backend_version="1", scale=scale)


@pytest.fixture
def noisy():
    rng = np.random.default_rng(3)
    x = rng.uniform(0, 4, 70)
    return x, np.clip(0.5 * x + 1.2 + rng.normal(0, 0.4, 70), 0, 5)


def test_the_iccs_are_those_of_an_analysis_of_variance(noisy):
    import statsmodels.api as sm
    from statsmodels.formula.api import ols

    x, y = noisy
    long = pd.DataFrame(
        {"v": np.concatenate([x, y]) / 5, "face": [*range(70)] * 2, "who": np.repeat(["a", "b"], 70)}
    )
    squares = sm.stats.anova_lm(ols("v ~ C(face) + C(who)", long).fit())["mean_sq"]
    rows, who, rest = squares["C(face)"], squares["C(who)"], squares["Residual"]
    found = compare_tables(table(AU12=x), table(AU12=y)).frame.iloc[0]
    assert found["icc"] == pytest.approx((rows - rest) / (rows + rest + 2 * (who - rest) / 70))
    assert found["icc_consistency"] == pytest.approx((rows - rest) / (rows + rest))
    assert found["pearson"] == pytest.approx(np.corrcoef(x, y)[0, 1])
    assert found["n"] == 70 and list(found.index) == list(COLUMNS)


def test_scales_are_brought_to_shares_and_pearson_heeds_none(noisy):
    x, _ = noisy
    same = compare_tables(table(AU04=x), table("p", AU04=x / 5)).frame.iloc[0]
    assert (same["pearson"], same["icc"], same["icc_consistency"]) == pytest.approx((1, 1, 1))
    shifted = compare_tables(table(AU04=x), table("p", AU04=x / 5 + 0.2)).frame.iloc[0]
    assert shifted[["pearson", "icc_consistency"]].tolist() == pytest.approx([1, 1])
    assert shifted["icc"] < 0.75
    assert shifted["mean_second"] - shifted["mean_first"] == pytest.approx(0.2)
    assert shifted["sd_first"] == pytest.approx(x.std() / 5)


def test_only_common_aus_and_faces_that_both_measured_count(noisy):
    x, y = noisy
    x, y = x.copy(), y.copy()
    x[:3], y[2:7] = np.nan, np.nan
    found = compare_tables(table(AU01=x, AU12=x), table("r", AU12=y, AU25=y), names=("ours", "theirs"))
    assert found.frame[["first", "second", "au", "n"]].values.tolist() == [["ours", "theirs", "AU12", 63]]
    assert found.pairs[["rows", "rows_first", "rows_second", "aus"]].values.tolist() == [[63, 70, 70, 1]]


@pytest.mark.parametrize("value", [0.0, 0.3])
def test_a_backend_that_gives_one_value_has_no_agreement(noisy, value):
    found = compare_tables(table(AU12=noisy[0]), table("p", AU12=np.full(70, value))).frame.iloc[0]
    assert found["n"] == 70 and found[["pearson", "icc", "icc_consistency"]].isna().all()


def test_scores_of_tiny_range_still_order_the_faces(noisy):
    found = compare_tables(table(AU06=noisy[0]), table("p", AU06=noisy[0] * 1e-7)).frame.iloc[0]
    assert found["pearson"] == pytest.approx(1) and found["pearson_low"] == pytest.approx(1)


def test_the_interval_holds_the_value_and_narrows_with_the_faces(noisy):
    x, y = noisy
    few = compare_tables(table(AU12=x[:15]), table(AU12=y[:15])).frame.iloc[0]
    many = compare_tables(table(AU12=x), table(AU12=y)).frame.iloc[0]
    for found in (few, many):
        assert found["pearson_low"] < found["pearson"] < found["pearson_high"]
        assert found["icc_low"] < found["icc"] < found["icc_high"]
    assert many["pearson_high"] - many["pearson_low"] < few["pearson_high"] - few["pearson_low"]
    again = compare_tables(table(AU12=x), table(AU12=y)).frame
    pd.testing.assert_frame_equal(again, compare_tables(table(AU12=x), table(AU12=y)).frame)


def test_frames_of_a_video_are_drawn_in_runs_so_that_its_interval_is_wider():
    rng = np.random.default_rng(1)
    slow = np.repeat(rng.uniform(0, 4, 12), 25)
    other = np.clip(slow + np.repeat(rng.normal(0, 1, 12), 25), 0, 5)
    photos = compare_tables(table(AU12=slow), table(AU12=other)).frame.iloc[0]
    video = [["clip.mp4"] * 300] * 2
    frames = np.arange(300)
    tables = [table(inputs=names, AU12=of) for names, of in zip(video, (slow, other), strict=True)]
    for one in tables:
        one.frame["frame"] = frames
    found = compare_tables(*tables).frame.iloc[0]
    assert found["pearson"] == pytest.approx(photos["pearson"])
    width, of_photos = (row["pearson_high"] - row["pearson_low"] for row in (found, photos))
    assert width > 2 * of_photos


def test_too_few_photos_have_no_interval():
    found = compare_tables(table(AU12=[1.0, 2, 3, 4]), table(AU12=[1.1, 2, 2.9, 4])).frame.iloc[0]
    assert found["pearson"] > 0.99 and np.isnan(found["pearson_low"]) and np.isnan(found["icc_high"])


def test_all_pairs_are_compared_and_drawn(noisy):
    x, y = noisy
    tables = {"a": table(AU01=x, AU12=y), "b": table("p", AU12=x / 5), "c": table(AU01=y, AU12=np.zeros(70))}
    found = compare_all(tables)
    assert found.pairs[["first", "second", "aus"]].values.tolist() == [
        ["a", "b", 1], ["a", "c", 2], ["b", "c", 1]
    ]  # fmt: skip
    figure = agreement_map(found.frame)
    left, right = figure.axes
    texts = [text.get_text() for text in left.texts]
    assert len(texts) == 4 and texts.count("–") == 2 and len(right.texts) == 4
    assert [label.get_text() for label in left.get_yticklabels()] == [
        "Inner brow raiser  AU01", "Lip corner puller  AU12"
    ]  # fmt: skip


def test_tables_that_cannot_be_compared_are_refused(noisy):
    x, _ = noisy
    with pytest.raises(TableError, match="no AU in common"):
        compare_tables(table(AU01=x), table(AU12=x))
    with pytest.raises(TableError, match="two or more to compare, got 1"):
        compare_all({"a": table(AU01=x)})
