"""What of the py-feat backends needs no import of py-feat."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from analysis.autable import AUTable
from feat_pipeline.errors import UnavailableError
from feat_pipeline.extract import BACKENDS, available_backends, choose_backend, make_extractor
from feat_pipeline.extract.backends.pyfeat import LARGEST_CROP, _cut, _placement
from feat_pipeline.extract.backends.pyfeat_pose import pose_of_angles
from feat_pipeline.faces.align import euler_rad
from feat_pipeline.weights import pyfeat as pyfeat_weights
from feat_pipeline.weights.pyfeat import MULTITASK, NEEDED, RETINAFACE, installed_version
from tests.feat_pipeline.extract.backends.pyfeat_made import REVISION, place, place_empty


@pytest.fixture
def resources(tmp_path, monkeypatch):
    """An empty cache in place of the installed package's."""
    monkeypatch.setattr(pyfeat_weights, "resources", lambda: tmp_path)
    return tmp_path


@pytest.mark.parametrize("backend", NEEDED)
def test_without_weights_it_names_the_command_that_gets_them(backend, resources):
    message = rf"{backend}: {len(NEEDED[backend])} of its .* run: feat-pipeline models fetch {backend}$"
    with pytest.raises(UnavailableError, match=message):
        make_extractor(backend)


def test_with_weights_its_version_is_the_packages_and_their_revision(resources):
    place_empty(resources, "pyfeat")
    place(resources, RETINAFACE).unlink()
    with pytest.raises(UnavailableError, match="pyfeat: 1 of its 2 weight files"):
        installed_version("pyfeat")
    place_empty(resources, "pyfeat")
    package, revision = installed_version("pyfeat").split("+")
    assert package[:2] == "2." and revision == REVISION[:7]


def test_the_cache_is_read_as_the_hubs_own_client_reads_it(resources):
    from huggingface_hub import try_to_load_from_cache

    def theirs(weights):
        return try_to_load_from_cache(weights.repo_id, weights.file, cache_dir=resources)

    assert MULTITASK.found is None and theirs(MULTITASK) is None
    file = place(resources, MULTITASK)
    assert MULTITASK.found is None and theirs(MULTITASK) is None
    file.touch()
    assert Path(theirs(MULTITASK)) == file == MULTITASK.found


def test_the_files_are_those_that_the_installed_py_feat_asks_for(feat_photos):
    package = feat_photos.parents[1]
    files = [file for file in package.rglob("*.py") if "tests" not in file.relative_to(package).parts]
    source = "".join(file.read_text(encoding="utf-8") for file in files)
    for weights in {one for of in NEEDED.values() for one in of}:
        assert f'"{weights.repo_id}"' in source and f'"{weights.file}"' in source, weights


def test_the_check_opens_few_files_and_no_weights(tmp_path):
    place_empty(tmp_path, "pyfeat")
    code = f"""
import sys
from pathlib import Path
from feat_pipeline.extract.backends.pyfeat import PyfeatV2Extractor
from feat_pipeline.weights import pyfeat

pyfeat.resources = lambda: Path({str(tmp_path)!r})
opened = []
sys.addaudithook(lambda event, arguments: opened.append(str(arguments[0])) if event == "open" else None)
PyfeatV2Extractor.check()
print([name for name in opened if "snapshots" in name], len(opened) < 30)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[] True\n"


def test_auto_is_py_feat_where_its_weights_are_else_the_embedded_network(resources):
    name, why = choose_backend()
    assert name == "embedded" and "models fetch pyfeat" in why
    assert make_extractor("auto").name == "embedded"
    place_empty(resources, "pyfeat")
    assert choose_backend() == ("pyfeat", "its weights are on this machine")


def test_where_py_feat_is_not_installed_it_is_named(monkeypatch):
    monkeypatch.setattr("feat_pipeline.errors.find_spec", lambda name: None)
    assert choose_backend()[0] == "embedded"
    statuses = {status.name: status for status in available_backends()}
    assert statuses["pyfeat"].mend == (
        "backend pyfeat: the package py-feat is not installed; run: pip install 'feat-pipeline[pyfeat]'"
    )


def test_samples_alone_are_no_backend(resources, monkeypatch):
    place_empty(resources, "pyfeat")
    monkeypatch.setitem(sys.modules, "timm", None)  # what py-feat runs with, where it came without
    with pytest.raises(UnavailableError, match=r"timm is not .* pip install 'feat-pipeline\[pyfeat\]'$"):
        installed_version("pyfeat")


def test_the_list_of_backends_imports_neither_torch_nor_py_feat_nor_the_hubs_client():
    script = (
        "import sys; from feat_pipeline.extract import available_backends, choose_backend\n"
        "available_backends(); choose_backend()\n"
        "print([m for m in ('torch', 'feat', 'xgboost', 'huggingface_hub') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def turned(down, right, left):
    """OpenFace's rotation matrix, R = Rx Ry Rz."""
    (cx, sx), (cy, sy), (cz, sz) = ((np.cos(a), np.sin(a)) for a in (down, right, left))
    rx = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    ry = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    rz = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return rx @ ry @ rz


def test_the_angles_of_a_rotation_are_openfaces():
    angles = np.array([[0.3, -0.5, 0.2], [-0.1, 0.7, -0.4], [0, 0, 0]])
    assert euler_rad(np.stack([turned(*a) for a in angles])) == pytest.approx(angles)


def test_py_feats_pitch_up_and_roll_to_the_right_become_openfaces_signs():
    up, turned_right, tilted_right = np.eye(3) * 0.4
    angles = np.stack([up, tilted_right, turned_right])  # three faces: pitch, roll, yaw
    assert pose_of_angles(*angles) == pytest.approx(np.array([[-0.4, 0, 0], [0, 0.4, 0], [0, 0, -0.4]]))


def test_a_pose_about_two_axes_is_a_rotation_vector_and_no_pair_of_angles():
    from scipy.spatial.transform import Rotation

    down, right, left = Rotation.from_matrix(turned(0.5, 0.6, 0.0)).as_rotvec()
    found = pose_of_angles(np.array([-down]), np.array([-left]), np.array([right]))
    assert found[0] == pytest.approx([0.5, 0.6, 0.0])
    assert abs(left) > 0.1  # what taking the parts for angles would have said of the tilt


def test_a_cut_maps_back_to_the_picture_and_large_faces_are_shrunk():
    picture = np.zeros((3000, 2600, 3), np.uint8)
    for box, factor in (([200, 300, 340, 480], 1), ([400, 500, 2000, 2300], 1800 // LARGEST_CROP)):
        cut = _cut(picture, np.array(box, float))
        assert cut.factor == factor and max(cut.rgb.shape) < 4 * LARGEST_CROP
        assert cut.box_xyxy * factor + np.tile(cut.origin, 2) == pytest.approx(box)
        placed = _placement([cut])
        x, y = (cut.box_xyxy[:2] - 0.5).tolist()  # as py-feat counts, from the centre of the first pixel
        scale = placed["Scale"][0].item()
        left, top = (placed["Padding"][side][0].item() for side in ("Left", "Top"))
        back = [(x - left) / scale, (y - top) / scale]
        assert back == pytest.approx(box[:2])


@pytest.mark.parametrize(
    "box", [(30, 30, 30, 30), (0, 0, 3, 50), (-90, 10, -20, 60), (700, 10, 760, 60), (np.nan, 0, 9, 9)]
)
def test_a_box_without_pixels_is_not_cut(box):
    assert _cut(np.zeros((300, 400, 3), np.uint8), np.array(box, float)) is None


def test_the_tables_in_py_feats_wheel_are_read(feat_photos):
    table = AUTable.read(feat_photos / "Feat_Test.csv")
    assert table.backend == "pyfeat" and table.scale in ("p", "c")
    assert len(table) > 0 and set(table.au_columns) >= {f"AU12_{table.scale}", f"AU43_{table.scale}"}


def test_registered_names_are_the_classes_own():
    from feat_pipeline.registry import resolve

    assert all(resolve(BACKENDS[name]).name == name for name in NEEDED)
