"""The published networks: their parameters counted, trained, saved, and run without torch."""

import numpy as np
import pytest
import torch

from feat_pipeline.errors import InputError, UsageError
from feat_pipeline.models import load_model
from feat_pipeline.models.architectures import ARCHITECTURES, Conv, Dense, published
from feat_pipeline.models.cnn import CnnClassifier
from feat_pipeline.models.nets import make_net
from feat_pipeline.training.recipe import Recipe
from tests.feat_pipeline.models.made import faces

torch.set_num_threads(1)

CLASSES = ("angry", "happy", "neutral")
BRIEF = Recipe(epochs=1, batch=3, rate=0.01, bf16=False)


def untrained(name, classes=CLASSES):
    """A model with random weights, slopes and norms, and the same network in torch."""
    torch.manual_seed(1)
    net = make_net(name, {}, classes=len(classes)).eval()
    for key, value in net.state_dict().items():
        if "running_mean" in key:
            value.copy_(torch.randn(value.shape) / 10)
        elif "running_var" in key or "slope" in key:
            value.copy_(torch.rand(value.shape) + 0.5)
    made = CnnClassifier(architecture=name, views="none")
    made._set(classes, {}, 48, 1.0, {k: v.float().numpy() for k, v in net.state_dict().items()})
    return made, net


@pytest.mark.parametrize(
    ("name", "classes", "count"),
    [
        ("patr8609", 4, 1_656_644),
        ("happy-ryan", 7, 2_137_991),
        ("luanshiyinyang", 8, 21_611_848),
        ("luanshiyinyang", 7, 21_610_823),
        ("gong-muxiang", 7, 7_461_223),
        ("face-emotion-classifier", 7, 6_912_199),
    ],
)
def test_parameters_are_as_many_as_published(name, classes, count):
    state = make_net(name, {}, classes=classes).state_dict()
    assert sum(v.numel() for k, v in state.items() if not k.endswith("num_batches_tracked")) == count
    assert published(name).parameters(classes) == count


def shapes_at(name, *kinds):
    return [shape for _, layer, shape in ARCHITECTURES[name].steps(7) if isinstance(layer, kinds)]


def test_layers_see_the_sizes_that_were_published():
    assert [s[1] for s in shapes_at("patr8609", Conv)] == [48, 46, 23, 11, 5]
    assert [s[1] for s in shapes_at("happy-ryan", Conv)] == [48, 46, 23, 23, 11, 11]
    assert [s[1] for s in shapes_at("gong-muxiang", Conv)] == [48, 24, 12, 6, 3]
    flattened = {name: shapes_at(name, Dense)[0] for name in ARCHITECTURES}
    assert flattened == {
        "patr8609": (1024,),
        "happy-ryan": (1600,),
        "luanshiyinyang": (9216,),
        "gong-muxiang": (1024,),
        "face-emotion-classifier": (2304,),
    }


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_onnx_runs_what_torch_trained_and_files_keep_it(name, tmp_path):
    made, net = untrained(name)
    X = faces(3, side=48)[0]
    with torch.inference_mode():
        expected = net(torch.from_numpy(X[:, None]).float()).numpy()
    size = float(np.abs(expected).max())
    assert size > 0.01
    assert made.decision_function(X) == pytest.approx(expected, abs=1e-4 * size)
    made.save(tmp_path)
    loaded = load_model(tmp_path)
    assert loaded.architecture_ == name and loaded.views == "none"
    assert loaded.decision_function(X) == pytest.approx(expected, abs=1e-2 * size)  # half precision
    again = loaded.to_torch().state_dict()
    assert all(
        torch.allclose(again[key], value, rtol=1e-3, atol=1e-6) for key, value in net.state_dict().items()
    )


LARGE = [pytest.param(name, marks=pytest.mark.slow) for name in ("happy-ryan", "luanshiyinyang")]


@pytest.mark.parametrize("name", ["patr8609", "gong-muxiang", "face-emotion-classifier", *LARGE])
def test_learns_from_made_faces(name):
    X, y = faces(9, side=48)
    model = CnnClassifier(architecture=name, recipe=BRIEF, held_out=0.3).fit(X, y)
    assert np.isfinite(model.history_["train_loss"]).all() and len(model.history_) == 1
    assert model.predict_proba(X).shape == (9, 3) and model.size_ == 48
    torch.manual_seed(0)
    begun = make_net(name, {}, classes=3).state_dict()
    moved = [not np.array_equal(value, begun[key].numpy()) for key, value in model.weights_.items()]
    assert np.mean(moved) > 0.9


def test_learned_slopes_pass_what_is_positive_and_scale_what_is_not():
    from feat_pipeline.models.nets import PlacedPRelu

    layer, x = PlacedPRelu((2, 3, 4)), torch.randn(5, 2, 3, 4)
    torch.nn.init.uniform_(layer.slope)
    assert torch.equal(layer(x), torch.where(x > 0, x, x * layer.slope))
    lying = x.to(memory_format=torch.channels_last)
    assert torch.equal(layer(lying), layer(x)) and layer(lying).is_contiguous(
        memory_format=torch.channels_last
    )


def test_refuses_faces_of_other_sizes_wherever_they_come_from(tmp_path):
    said = "size: expected 48 px, the one size that this architecture takes, got 40"
    X, y = faces(9, side=48)
    small = Recipe(epochs=1, batch=3, sizes=((0, 40), (0.5, 48)))
    with pytest.raises(UsageError, match=said):
        CnnClassifier(architecture="patr8609", recipe=small).fit(X, y)
    with pytest.raises(UsageError, match=said):
        make_net("patr8609", {}, classes=3)(torch.zeros(1, 1, 40, 40))
    file = untrained("face-emotion-classifier")[0].save(tmp_path)
    file.write_text(file.read_text().replace('"size": 48', '"size": 40'))
    with pytest.raises(InputError, match=rf"is no usable model \({said}"):
        load_model(tmp_path)


def test_refuses_unknown_architectures_and_settings_that_they_lack():
    X, y = faces(9, side=48)
    with pytest.raises(UsageError, match=r"expected one of residual, patr8609, .* got 'vgg'"):
        CnnClassifier(architecture="vgg").fit(X, y)
    with pytest.raises(UsageError, match="network: architecture 'patr8609' takes none"):
        CnnClassifier(architecture="patr8609", network={"stem": 4}).fit(X, y)
