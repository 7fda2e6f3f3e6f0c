"""Pixel attributions by region: complete, in the right place, and held against the regression."""

import subprocess
import sys
from itertools import permutations

import numpy as np
import pandas as pd
import pytest
import torch

from analysis.explain import explain
from analysis.logit import MultinomialLogit
from analysis.plots import saliency
from feat_pipeline.errors import InputError, UsageError
from feat_pipeline.faces.align import box_matrix, transform_points, warp
from feat_pipeline.models.base import as_seen
from feat_pipeline.models.cnn import CnnClassifier
from feat_pipeline.predict import FacePrediction
from feat_pipeline.saliency import (
    METHODS,
    PIXEL_REGIONS,
    RegionCorrelation,
    attribute,
    by_region,
    landmarks_seen,
    logit_regions,
    randomisation_check,
    region_correlation,
    region_masks,
)
from feat_pipeline.training.augment import Augment
from feat_pipeline.training.recipe import Recipe
from tests.feat_pipeline.conftest import au_rows

torch.set_num_threads(1)

SIDE = 24
STILL = Augment(rotation_deg=0, scale=0, shift=0, erase=0)
RECIPE = Recipe(epochs=12, batch=20, rate=0.05, sizes=((0, SIDE),), average=0.7, bf16=False, augment=STILL)
SMALL = {"stem": 4, "widths": [6, 8], "blocks": [1, 1], "dropout": 0.0}


def landmarks(side=SIDE):
    """The 68 points of a plain upright face that fills the crop."""

    def ellipse(centre, radii, degrees):
        angles = np.deg2rad(degrees)
        return np.column_stack([centre[0] + radii[0] * np.cos(angles), centre[1] + radii[1] * np.sin(angles)])

    points = [
        ellipse((0.5, 0.45), (0.42, 0.5), np.linspace(180, 0, 17)),
        np.column_stack([np.linspace(0.2, 0.42, 5), [0.3, 0.27, 0.26, 0.27, 0.29]]),
        np.column_stack([np.linspace(0.58, 0.8, 5), [0.29, 0.27, 0.26, 0.27, 0.3]]),
        np.column_stack([np.full(4, 0.5), np.linspace(0.38, 0.54, 4)]),
        np.column_stack([np.linspace(0.43, 0.57, 5), np.full(5, 0.6)]),
        ellipse((0.33, 0.38), (0.08, 0.03), [180, 240, 300, 0, 60, 120]),
        ellipse((0.67, 0.38), (0.08, 0.03), [180, 240, 300, 0, 60, 120]),
        ellipse((0.5, 0.73), (0.14, 0.06), 180 + 30 * np.arange(12)),
        ellipse((0.5, 0.73), (0.1, 0.03), 180 + 45 * np.arange(8)),
    ]
    return side * np.vstack(points)


MASK = region_masks(landmarks(), SIDE)


def faces(n=210, seed=0, names=("happy", "angry", "neutral")):
    """Noise, with a bright mouth where the face is happy and bright brows where it is angry."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 120, (n, SIDE, SIDE))
    for i in range(n):
        for region in ([4], [0], [])[i % 3]:
            images[i][MASK[region]] += 110
    return images.astype(np.uint8), np.array(names)[np.arange(n) % 3]


@pytest.fixture(scope="module")
def model():
    made = CnnClassifier(recipe=RECIPE, network=SMALL, held_out=0.25).fit(*faces())
    made.temperature_ = 0.3
    return made


def masks_of(n):
    return np.broadcast_to(MASK, (n, *MASK.shape))


def part(table, name, column="share"):
    return table.loc[table["region"] == name, column].to_numpy()


def test_every_pixel_lies_in_one_region_whatever_the_face():
    rng = np.random.default_rng(4)
    turned = landmarks() @ np.array([[0.9, 0.4], [-0.4, 0.9]]) + rng.normal(0, 0.5, (5, 68, 2))
    outside = landmarks() + 3 * SIDE
    found = region_masks(np.concatenate([turned, outside[None]]), SIDE)
    assert found.shape == (6, 7, SIDE, SIDE) and found.dtype == bool
    assert (found.sum(1) == 1).all()
    assert found[5, PIXEL_REGIONS.index("background")].all()
    assert PIXEL_REGIONS == ("brow", "eye", "nose", "cheek", "mouth", "jaw", "background")


@pytest.mark.parametrize(
    ("x", "y", "region"),
    [
        (0.3, 0.28, "brow"), (0.5, 0.3, "brow"), (0.33, 0.38, "eye"), (0.67, 0.38, "eye"), (0.5, 0.5, "nose"),
        (0.22, 0.55, "cheek"), (0.78, 0.55, "cheek"), (0.5, 0.73, "mouth"), (0.5, 0.9, "jaw"),
        (0.02, 0.02, "background"), (0.5, 0.05, "background"),
    ],
)  # fmt: skip
def test_regions_lie_where_the_face_has_them(x, y, region):
    fine = region_masks(landmarks(100), 100)
    assert PIXEL_REGIONS[int(fine[:, int(100 * y), int(100 * x)].argmax())] == region


def test_regions_turn_with_the_face():
    turn = np.array([[0.0, -1.0], [1.0, 0.0]])
    turned = (landmarks() - SIDE / 2) @ turn.T + SIDE / 2
    assert (region_masks(turned, SIDE) == np.rot90(MASK, -1, axes=(1, 2))).mean() > 0.99


def test_landmarks_of_a_prediction_point_at_the_same_skin_in_what_the_network_sees():
    picture = np.zeros((200, 240, 3), np.uint8)
    picture[80:84, 100:104] = 255
    box = np.array([60, 50, 150, 160], np.float32)
    points = np.full((68, 2), (102.0, 82.0))
    crop = warp(picture, box_matrix(box, 160), 160)
    place = {"input": "a.png", "frame": 0, "time_s": 0.0, "face": 0}
    prediction = FacePrediction(box, 1.0, points, np.zeros(3), {}, **place, crop_rgb=crop)
    seen = as_seen(crop[None], 96)[0].astype(float)
    rows, columns = np.indices(seen.shape) + 0.5
    centre = [(columns * seen).sum() / seen.sum(), (rows * seen).sum() / seen.sum()]
    assert landmarks_seen(prediction, 96)[0] == pytest.approx(centre, abs=0.3)
    assert transform_points(box_matrix(box, 160), points).shape == (68, 2)


class AnswersOnly:
    """A model without a network: the brighter the mouth, the happier."""

    classes_ = np.array(["angry", "happy"])
    consumes = "pixels"

    def predict_proba(self, X):
        mouth = X[:, MASK[4]].reshape(len(X), -1).mean(1) / 255
        return np.column_stack([1 - mouth, mouth])


@pytest.mark.parametrize("colours", [False, True])
@pytest.mark.parametrize("method", ["occlusion", "shapley"])
def test_methods_that_need_answers_only_explain_any_model(method, colours):
    X = faces(3)[0]
    X[:, MASK[4]] = 250
    X = np.repeat(X[..., None], 3, 3) if colours else X
    found = attribute(AnswersOnly(), X, "happy", method=method, masks=masks_of(3))
    assert found.faces.shape == X.shape and found.values.shape == (3, SIDE, SIDE)
    shares = by_region(found, masks_of(3)).set_index(["face", "region"])["share"].unstack()
    assert (shares.idxmax(axis=1) == "mouth").all()
    p = AnswersOnly().predict_proba(X)[:, 1]
    assert found.logit == pytest.approx(np.log(p / (1 - p)) / 2, abs=1e-5)


@pytest.mark.parametrize("method", ["integrated-gradients", "grad-cam"])
def test_methods_that_need_gradients_say_so_for_a_model_without(method):
    with pytest.raises(UsageError, match="has none; take 'occlusion' or 'shapley'"):
        attribute(AnswersOnly(), faces(2)[0], method=method)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_gives_the_same_twice(model, method):
    X = faces(2, seed=7)[0]
    options = {"method": method, "masks": masks_of(2), "steps": 8, "samples": 2}
    one, two = (attribute(model, X, "happy", **options).values for _ in range(2))
    assert np.array_equal(one, two) and np.abs(one).max() > 0


@pytest.mark.parametrize("views", ["none", "mirror", "six"])
def test_what_is_explained_is_the_answer_of_all_looks(model, views, monkeypatch):
    monkeypatch.setattr(model, "views", views)
    X = faces(2, seed=8)[0]
    logs = np.log(model.predict_proba(X))
    for method in ("integrated-gradients", "grad-cam"):
        found = attribute(model, X, "happy", method=method, steps=5)
        k = model.classes_.tolist().index("happy")
        assert found.logit == pytest.approx((logs - logs.mean(1, keepdims=True))[:, k], abs=1e-4)


def test_integrated_gradients_and_their_regions_add_up_to_the_centred_log_probability(model):
    X, _ = faces(3, seed=1)
    found = attribute(model, X, "happy", steps=1500)
    logs = np.log(model.predict_proba(X))
    k = model.classes_.tolist().index("happy")
    assert found.logit == pytest.approx((logs - logs.mean(1, keepdims=True))[:, k], abs=1e-4)
    assert np.abs(found.residual).max() < 1e-3
    assert np.abs(found.logit - found.baseline_logit).max() > 0.3
    table = by_region(found, masks_of(3))
    assert table.groupby("face")["attribution"].sum().to_numpy() == pytest.approx(found.values.sum((1, 2)))
    assert table.groupby("face")["area"].sum().to_numpy() == pytest.approx(1)
    assert table["share"].abs().groupby(table["face"]).sum().to_numpy() == pytest.approx(1)


class OnlyTheMouth:
    """A network whose one feature is the brightness of the mouth."""

    classes_ = np.array(["angry", "happy"])
    size_, views, temperature_ = SIDE, "mirror", 1.0

    def to_torch(self):
        mouth = torch.from_numpy((MASK[4] | MASK[4][:, ::-1]).astype(np.float32))

        class Body(torch.nn.Module):
            def forward(self, crops):
                return torch.cat([crops * mouth, crops * (1 - mouth)], 1)

        net = torch.nn.Sequential()
        net.body, net.pool = Body(), torch.nn.AdaptiveAvgPool2d(1)
        net.flat, net.head = torch.nn.Flatten(), torch.nn.Linear(2, 2, bias=False)
        net.head.weight.data = torch.tensor([[0.0, 0.0], [1.0, 0.0]])
        return net.eval()


@pytest.mark.parametrize("method", METHODS)
def test_every_method_finds_the_one_region_that_a_network_uses(method):
    X = faces(4)[0]
    X[:, MASK[4]] = 250
    found = attribute(OnlyTheMouth(), X, "happy", method=method, masks=masks_of(4))
    shares = by_region(found, masks_of(4)).set_index(["face", "region"])["share"].unstack()
    assert (shares["mouth"] > (0.3 if method == "occlusion" else 0.85)).all()  # its patches reach beyond
    assert (shares.idxmax(axis=1) == "mouth").all()


@pytest.mark.parametrize("method", ["integrated-gradients", "shapley"])
def test_a_network_that_learned_the_mouth_is_found_looking_at_the_mouth(model, method):
    X, y = faces(12, seed=2)
    X = X[y == "happy"]
    table = by_region(attribute(model, X, "happy", method=method, masks=masks_of(4)), masks_of(4))
    mean = table.groupby("region")["share"].mean()
    area = table.groupby("region")["area"].mean()
    assert (mean / area).idxmax() == "mouth"
    assert mean["mouth"] > 0


def test_shapley_values_are_complete_and_near_those_of_all_orders(model):
    X, _ = faces(1, seed=3)
    few = np.stack([MASK[4], MASK[0], ~(MASK[4] | MASK[0])])[None]
    found = attribute(model, X, "happy", method="shapley", masks=few, samples=900)
    assert np.abs(found.residual).max() < 1e-4
    grey = np.full((SIDE, SIDE), X.mean())

    def value(players):
        shown = np.isin(few[0].argmax(0), list(players))
        net = model.to_torch()
        crop = torch.from_numpy(np.where(shown, X[0], grey)[None, None].astype(np.float32))
        with torch.inference_mode():
            logits = (net(crop) + net(crop.flip(3))).numpy()[0] / 2
        return (logits - logits.mean())[model.classes_.tolist().index("happy")] / model.temperature_

    orders = list(permutations(range(3)))
    exact = [np.mean([value(o[: o.index(j) + 1]) - value(o[: o.index(j)]) for o in orders]) for j in range(3)]
    assert (found.values[0] * few[0]).sum((1, 2)) == pytest.approx(
        np.array(exact), abs=0.1 * float(np.ptp(exact))
    )


def test_grad_cam_gives_shares_only(model):
    found = attribute(model, faces(3)[0], method="grad-cam")
    assert np.isnan(found.residual).all()
    table = by_region(found, masks_of(3))
    assert table["attribution"].isna().all() and table["share"].notna().all()
    assert (found.targets == model.classes_[model.predict_proba(found.faces).argmax(1)]).all()


def test_another_face_can_be_the_baseline(model):
    X, _ = faces(4)
    found = attribute(model, X[:2], "angry", baseline=X[2], steps=8)
    own = attribute(model, X[:2], "angry", baseline=X[:2], steps=8)
    assert found.baseline_logit[0] == pytest.approx(
        attribute(model, X[2:3], "angry", steps=2).logit[0], abs=1e-5
    )
    assert np.abs(own.values).max() == 0 and own.residual == pytest.approx(0, abs=1e-6)


def test_shuffled_weights_change_the_attributions(model, tmp_path):
    X, _ = faces(12, seed=5)
    model.save(tmp_path)
    loaded = CnnClassifier.load(tmp_path)
    before = {name: value.copy() for name, value in loaded.weights_.items()}
    check = randomisation_check(loaded, X, None, masks_of(12), steps=16)
    assert check["shuffled"].tolist() == ["head", "body", "stem"]
    assert bool(check["passed"].iloc[-1]) and check["pixels"].iloc[-1] < 0.5
    assert all(np.array_equal(before[name], loaded.weights_[name]) for name in before)


def tables(n=150, seed=0, follow=0.0):
    """Random shares and contributions of five regions; `follow` is how far the second follow the first."""
    rng = np.random.default_rng(seed)
    regions = ["brow", "eye", "nose", "cheek", "mouth"]
    shares = rng.normal(size=(n, 5))
    told = follow * shares + rng.normal(size=(n, 5))
    index = {
        "face": np.repeat(np.arange(n), 5),
        "target": np.repeat(np.array(["happy", "angry", "sad"])[np.arange(n) % 3], 5),
        "region": np.tile(regions, n),
    }
    return pd.DataFrame({**index, "share": shares.ravel()}), pd.DataFrame(
        {**index, "contribution": told.ravel()}
    )


def test_agreement_of_random_numbers_is_uniform_under_every_null():
    p = np.array(
        [
            region_correlation(*tables(40, seed), draws=99, seed=seed).tables["nulls"]["p"]
            for seed in range(60)
        ]
    )
    from scipy.stats import kstest

    assert all(kstest(column, "uniform").pvalue > 0.01 for column in p.T)


def test_agreement_is_found_where_it_is_and_tells_its_numbers(tmp_path):
    found = region_correlation(*tables(follow=1.5), draws=200, groups=np.arange(150) // 3)
    assert found.facts["correlation"] > 0.5 and found.facts["low"] > 0.4 and found.facts["n"] == 150
    assert (found.tables["nulls"]["p"] < 0.01).all() and (found.tables["regions"]["p"] < 0.01).all()
    from scipy.stats import spearmanr

    shares, told = (table.iloc[:5, 3].to_numpy() for table in tables(follow=1.5))
    assert found.tables["faces"]["correlation"][0] == pytest.approx(spearmanr(shares, told).statistic)
    found.save(tmp_path)
    assert RegionCorrelation.load(tmp_path).facts == found.facts


def test_what_all_faces_share_is_no_agreement_of_the_single_face():
    network, regression = tables(200)
    liking = network["region"].map({"brow": 0, "eye": 2, "nose": 4, "cheek": 6, "mouth": 8})
    network["share"] += liking
    regression["contribution"] += liking
    nulls = region_correlation(network, regression, draws=200).tables["nulls"].set_index("null")
    assert nulls.loc["regions shuffled", "p"] < 0.01
    assert nulls.loc["faces shuffled within emotion", "p"] > 0.05


def test_contributions_by_region_are_those_of_the_explanations():
    aus, labels = au_rows()
    logit = MultinomialLogit().fit(aus[["AU04_r", "AU12_r", "AU25_r"]], labels)
    targets = np.array(["happy", "angry", "neutral"] * 20)[::-1]
    rows = aus[["AU04_r", "AU12_r", "AU25_r"]].copy()
    rows.loc[3, "AU12_r"] = np.nan
    table = logit_regions(logit, rows, targets)
    own = table[table["face"] == 7].set_index("region")["contribution"]
    expected = explain(logit, rows.iloc[7], target=targets[7], draws=0).regions.set_index("region")
    assert own["mouth"] == pytest.approx(expected.loc["mouth", "contribution"])
    assert 3 not in set(table["face"]) and table["face"].nunique() == 59


def test_what_does_not_fit_is_named(model):
    X, _ = faces(2)
    with pytest.raises(UsageError, match="method: expected one of"):
        attribute(model, X, method="lime")
    with pytest.raises(UsageError, match="targets: the model knows"):
        attribute(model, X, "bored")
    with pytest.raises(InputError, match="targets: expected an emotion for each of 2"):
        attribute(model, X, ["happy"])
    with pytest.raises(UsageError, match="baseline: expected one of"):
        attribute(model, X, baseline="black")
    with pytest.raises(UsageError, match="masks: 'shapley' needs regions"):
        attribute(model, X, method="shapley")
    with pytest.raises(InputError, match="every pixel in one region"):
        attribute(model, X, method="shapley", masks=np.zeros((2, 7, SIDE, SIDE), bool))
    with pytest.raises(InputError, match="68 points"):
        region_masks(np.zeros((5, 2)), SIDE)
    with pytest.raises(InputError, match="masks: expected shape"):
        by_region(attribute(model, X, steps=2), masks_of(3))
    network, regression = tables(9)
    with pytest.raises(InputError, match="explain the same emotion, got happy and sad"):
        region_correlation(network, regression.assign(target="sad"))
    with pytest.raises(InputError, match="three or more"):
        region_correlation(network, regression[regression["region"] == "eye"])


def test_a_figure_shows_both_sides_and_what_one_of_them_lacks(model):
    X, _ = faces(1)
    found = attribute(model, X, "happy", steps=4)
    table = by_region(found, MASK[None]).set_index("region")
    figure = saliency(
        X[0], found.values[0], MASK, PIXEL_REGIONS, network=table["share"].to_dict(),
        regression={"mouth": 1.2, "brow": -0.4}, target="happy",
    )  # fmt: skip
    picture, network, regression = figure.axes
    assert len(picture.images) == 2 and len(network.patches) == 7 and len(regression.patches) == 2
    assert [text.get_text() for text in network.get_yticklabels()] == list(PIXEL_REGIONS)
    assert sum(text.get_text() == "no AU" for text in regression.texts) == 5
    with pytest.raises(ValueError, match="expected shapes"):
        saliency(X[0], found.values[0, 1:], MASK, PIXEL_REGIONS, network={}, regression={}, target="happy")


def test_importing_it_imports_neither_torch_nor_captum():
    code = "import sys, feat_pipeline.saliency; print({'torch', 'captum', 'matplotlib'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
