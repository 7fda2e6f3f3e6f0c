"""Small made weights in the cache layout that py-feat reads: its own loading code runs without a hub.

Networks whose size py-feat fixes are saved as views of one number, or as a file with a hole in it; the mesh
and the landmarks are those of a canonical face, moved a little by the pixels.
"""

import json
import struct
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from feat_pipeline.weights import pyfeat as pyfeat_weights
from feat_pipeline.weights.pyfeat import NEEDED, RETINAFACE, Weights

REVISION = "0123456789abcdef0123456789abcdef01234567"


def place(resources: Path, weights: Weights) -> Path:
    """Return where a file stands in the cache, with the reference to its revision written."""
    folder = resources / f"models--py-feat--{weights.repo}"
    (folder / "refs").mkdir(parents=True, exist_ok=True)
    (folder / "refs" / "main").write_text(REVISION)
    file = folder / "snapshots" / REVISION / weights.file
    file.parent.mkdir(parents=True, exist_ok=True)
    return file


def place_empty(resources: Path, backend: str) -> None:
    """Put empty files of every weight of a backend into the cache."""
    for weights in NEEDED[backend]:
        place(resources, weights).touch()


@contextmanager
def made_resources(folder: Path):
    """Let py-feat and this project read ``folder/resources`` instead of the installed package's."""
    import feat

    real = Path(feat.__file__).parent / "resources"
    made = folder / "resources"
    made.mkdir(parents=True, exist_ok=True)
    for file in real.iterdir():
        if file.is_file() and not (made / file.name).exists():
            (made / file.name).symlink_to(file)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(feat, "__path__", [str(folder), *feat.__path__])
        patch.setattr(pyfeat_weights, "resources", lambda: made)
        yield made


def make_weights(resources: Path, backend: str, seed: int = 5) -> None:
    """Write every file that a backend needs, except those that are there."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for weights in NEEDED[backend]:
            file = place(resources, weights)
            if not file.exists():
                MAKERS[weights.repo](file)


def canonical_mesh() -> np.ndarray:
    """MediaPipe's canonical face from the front, (478, 3): x and y within .1 to .9, y down, z inwards."""
    from feat.utils.face_pose import load_canonical_face_model

    mesh = load_canonical_face_model().numpy() * (1, -1, -1)
    mesh -= (mesh.max(0) + mesh.min(0)) / 2
    mesh = 0.5 + 0.8 * mesh / np.ptp(mesh[:, 1])
    eyes = np.repeat(mesh[[33, 263]], 5, axis=0)
    return np.concatenate([mesh, eyes]).astype(np.float32)


def _multitask(file):
    import torch
    from feat.multitask.model_v2 import MEGraphAUv2, ModelV2Config
    from safetensors.torch import save_file

    config = {
        "backbone": "convnextv2_atto",
        "n_au": 20,
        "n_emotion": 7,
        "n_blendshape": 52,
        "mesh_normalized": True,
        "afg_channels": 24,
        "mefl_channels": 24,
        "unified_lmk_dim": 16,
        "use_head_v3": True,
        "drop_mefl": True,
        "emotion_use_au_prob": True,
    }
    model = MEGraphAUv2(ModelV2Config(**config, pretrained=False))
    with torch.no_grad():
        model.lmk.mlp[-1].weight.mul_(0.3)
        model.lmk.mlp[-1].bias.copy_(torch.from_numpy(canonical_mesh().ravel()))
    save_file(model.state_dict(), file, metadata={"config": json.dumps(config)})


def _retinaface(file):
    """Zeros in a file that takes no room on the disk; a network of zeros finds no face."""
    from feat.face_detectors.Retinaface.Retinaface_model import RETINAFACE_R34_CFG, RetinaFace

    dtypes = {"torch.float32": ("F32", 4), "torch.int64": ("I64", 8)}
    header, at = {}, 0
    for name, tensor in RetinaFace(RETINAFACE_R34_CFG).state_dict().items():
        dtype, size = dtypes[str(tensor.dtype)]
        end = at + size * tensor.numel()
        header[name] = {"dtype": dtype, "shape": list(tensor.shape), "data_offsets": [at, end]}
        at = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with file.open("wb") as out:
        out.write(struct.pack("<Q", len(text)) + text)
        out.truncate(8 + len(text) + at)


def _mobilefacenet(file):
    import torch
    from feat.landmark_detectors.mobilefacenet_test import MobileFaceNet
    from feat.utils.blendshape_to_au import DLIB68_FROM_MP478

    model = MobileFaceNet([112, 112], 136)
    with torch.no_grad():
        model.output_layer.bn.weight.fill_(0.01)
        points = canonical_mesh()[DLIB68_FROM_MP478, :2]
        model.output_layer.bn.bias.copy_(torch.from_numpy(points.ravel()))
    torch.save({"state_dict": model.state_dict()}, file)


def _resmasknet(file):
    import torch
    from feat.emo_detectors.ResMaskNet.resmasknet_test import resmasking_dropout1

    if file.suffix == ".json":
        file.write_text(json.dumps({"in_channels": 3, "num_classes": 7}))
        return
    with torch.device("meta"):
        state = resmasking_dropout1(3, 7).state_dict()
    net = {name: torch.zeros((), dtype=value.dtype).expand(value.shape) for name, value in state.items()}
    net["fc.1.bias"] = torch.randn(7)
    torch.save({"net": net}, file)


def _pose(file):
    import torch
    from feat.utils.face_pose_mlp import PoseMLP
    from safetensors.torch import save_file

    if file.suffix == ".json":
        normal = {"mean": [0.1, -0.2, 0.3, 0, 0, 5], "std": [0.05] * 6}
        architecture = {"hidden": [9], "dropout": 0.1, "output_normalization": normal}
        file.write_text(json.dumps({"architecture": architecture}))
    else:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(2)
            save_file(PoseMLP(hidden=(9,)).state_dict(), file)


def _gaze(file):
    import torch
    from safetensors.torch import save_file

    save_file({"fc_yaw_gaze.bias": torch.randn(90)}, file)  # py-feat lets the rest be missing


def _classifiers(kind):
    def make(file):
        import skops.io
        import torch
        from feat.au_detectors.StatLearning import SL_test
        from feat.utils.blendshape_to_au import DLIB68_FROM_MP478
        from feat.utils.face_mask import extract_hog_features_batched
        from sklearn.decomposition import PCA
        from sklearn.preprocessing import StandardScaler
        from sklearn.svm import LinearSVC
        from xgboost import XGBClassifier

        rng = np.random.default_rng(8)
        points = torch.from_numpy(canonical_mesh()[DLIB68_FROM_MP478, :2].reshape(1, 136))
        hog, _ = extract_hog_features_batched(torch.rand(1, 3, 112, 112), points)
        features = rng.normal(0.1, 0.05, (12, hog.shape[1]))
        present = np.arange(12) % 2
        wrapper = SL_test.XGBClassifier() if kind == "xgb" else SL_test.SVMClassifier()
        parts = {}
        for region in ("upper", "lower", "full"):
            parts[f"scaler_{region}"] = StandardScaler().fit(features)
            parts[f"pca_model_{region}"] = PCA(3, random_state=0).fit(features)
        inputs = rng.normal(50, 20, (12, 3 + 136))
        classifiers = {}
        for au in SL_test.XGBClassifier().au_keys:
            if kind == "xgb":
                model = XGBClassifier(n_estimators=3, max_depth=2, n_jobs=1)
            else:
                model = LinearSVC(max_iter=50_000)
            classifiers[au] = model.fit(inputs, rng.permutation(present))
        wrapper.load_weights(classifiers=classifiers, **parts)
        skops.io.dump(wrapper, file)

    return make


def _facemesh(file):
    import torch

    class Mesh(torch.nn.Module):
        def __init__(self, mean: torch.Tensor) -> None:
            super().__init__()
            self.register_buffer("mean", mean)
            self.moved = torch.nn.Linear(12, 1434)

        def forward(self, faces: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            pooled = torch.nn.functional.adaptive_avg_pool2d(faces, 2).flatten(1)
            return self.mean + 4 * self.moved(pooled), pooled

    mesh = torch.from_numpy(256 * canonical_mesh().ravel())
    torch.jit.script(Mesh(mesh)).save(str(file))


def _blendshapes(file):
    import torch
    from feat.au_detectors.MP_Blendshapes.MP_Blendshapes_test import MediaPipeBlendshapesMLPMixer

    torch.save(MediaPipeBlendshapesMLPMixer().state_dict(), file)


def _blendshapes_to_aus(file):
    from feat.pretrained import AU_LANDMARK_MAP
    from feat.utils import MP_BLENDSHAPE_NAMES

    rng = np.random.default_rng(4)
    np.savez(
        file,
        coef=rng.normal(0, 0.2, (52, 20)),
        intercept=np.full(20, 0.3),
        bs_columns=np.array(MP_BLENDSHAPE_NAMES),
        au_columns=np.array(AU_LANDMARK_MAP["Feat"]),
    )


MAKERS = {
    RETINAFACE.repo: _retinaface,
    "face_multitask_v2": _multitask,
    "mobilefacenet": _mobilefacenet,
    "pose_mlp_v2": _pose,
    "resmasknet": _resmasknet,
    "l2cs": _gaze,
    "xgb_au": _classifiers("xgb"),
    "svm_au": _classifiers("svm"),
    "mp_facemesh_v2": _facemesh,
    "mp_blendshapes": _blendshapes,
    "bs_to_au": _blendshapes_to_aus,
}
