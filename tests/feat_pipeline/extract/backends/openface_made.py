"""A stand-in for OpenFace's programs that reads its arguments and writes its files as OpenFace 2.2 does.

`make_openface` puts FaceLandmarkImg and FeatureExtraction into a folder, `make_docker` a program docker that
has the image. Faces are the red squares of `tests.feat_pipeline.fakes`: AU12 is their green and AU04 their
blue. With ``measure="network"`` the embedded network measures real faces at the boxes that are given instead,
so that all that is promised of backends can be asked of this one.
"""

import json
import os
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from tests import ROOT

INTENSITIES = [f"AU{n:02d}_r" for n in (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26, 45)]
PRESENCES = sorted([*(name.replace("_r", "_c") for name in INTENSITIES), "AU28_c"])
#: Of an upright face in its box; jaw, brows, nose, eyes, mouth in dlib's order, symmetric.
_JAW = [(0.5 - 0.5 * np.cos(np.pi * i / 16), 0.25 + 0.75 * np.sin(np.pi * i / 16)) for i in range(17)]
_BROWS = [(x, 0.0 if i in (1, 2, 3) else 0.08) for i, x in enumerate(np.linspace(0.1, 0.42, 5))]
_EYE = [(0.2, 0.22), (0.25, 0.18), (0.32, 0.18), (0.38, 0.22), (0.32, 0.25), (0.25, 0.25)]
_LIPS = [(0.5 - 0.2 * np.cos(a), 0.75 - 0.08 * np.sin(a)) for a in np.linspace(0, np.pi, 7)]
_LIPS += [(0.5 + 0.2 * np.cos(a), 0.75 + 0.08 * np.sin(a)) for a in np.linspace(0, np.pi, 7)[1:-1]]
_INNER = [(0.5 - 0.15 * np.cos(a), 0.75 - 0.03 * np.sin(a)) for a in np.linspace(0, np.pi, 5)]
_INNER += [(0.5 + 0.15 * np.cos(a), 0.75 + 0.03 * np.sin(a)) for a in np.linspace(0, np.pi, 5)[1:-1]]
_NOSE = [(0.5, y) for y in np.linspace(0.2, 0.5, 4)] + [(x, 0.58) for x in np.linspace(0.4, 0.6, 5)]


def _mirrored(points, order):
    return [(1 - points[i][0], points[i][1]) for i in order]


SHAPE = np.array([
    *_JAW, *_BROWS, *_mirrored(_BROWS, range(4, -1, -1)), *_NOSE, *_EYE,
    *_mirrored(_EYE, (3, 2, 1, 0, 5, 4)), *_LIPS, *_INNER,
])  # fmt: skip


def make_openface(folder, measure="squares", **behaviour):
    """Put the programs into a folder; returns it.

    Parameters
    ----------
    folder : Path
    measure : {'squares', 'network'}
    **behaviour
        Anything but what OpenFace should do: `exit` (a code, after `say`), `crash_on` and `hang_on` (numbers
        of pictures), `crash_at_end`, `shuffle` (rows in reverse), `drift` (every face lands on the first
        box), `separator`, `no_csv`, `eyes` (false: no eye model, so no gaze).
    """
    folder.mkdir(parents=True, exist_ok=True)
    behaviour["measure"] = measure
    (folder / "behaviour.json").write_text(json.dumps(behaviour))
    for program in ("FaceLandmarkImg", "FeatureExtraction"):
        _script(folder / program, "main")
    return folder


def made_clock(hangs):
    """A module `time` whose clock goes on only while `hangs()`, however busy the machine."""
    now = 0.0

    def monotonic():
        nonlocal now
        now += 100 * hangs()
        return now

    return SimpleNamespace(monotonic=monotonic)


def is_hanging(folder):
    """Whether one of the programs that `make_openface` made hangs."""
    try:
        os.kill(int((folder / "hanging").read_text()), 0)
    except (OSError, ValueError):
        return False
    return True


def make_docker(folder, *, image=True, **behaviour):
    """Put a program docker into a folder; it writes what it was asked into ``calls.jsonl`` beside itself."""
    make_openface(folder / "inside", **behaviour)
    (folder / "image").write_text("sha256:f43ad4e7fa4530143c7a" if image else "")
    _script(folder / "docker", "docker")
    return folder


def _script(path, function):
    module = "tests.feat_pipeline.extract.backends.openface_made"
    path.write_text(
        f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(ROOT)!r})\n"
        f"from {module} import {function}\nsys.exit({function}(sys.argv))\n"
    )
    path.chmod(0o755)


def docker(argv):
    """Behave as docker does when asked for an image, for a run in it, or to end one."""
    here, arguments = Path(argv[0]).parent, argv[1:]
    with (here / "calls.jsonl").open("a") as calls:
        calls.write(json.dumps(arguments) + "\n")
    image = (here / "image").read_text()
    if arguments[:2] == ["image", "inspect"]:
        if not image:
            print(f"Error response from daemon: No such image: {arguments[-1]}:latest", file=sys.stderr)
            return 1
        print(image)
    elif arguments[0] == "run":
        mounts, options, i = {}, {}, 1
        while arguments[i].startswith("--"):
            if arguments[i] == "--rm":
                i += 1
                continue
            if arguments[i] == "--mount":
                import csv

                fields = dict(field.partition("=")[::2] for field in next(csv.reader([arguments[i + 1]])))
                mounts[fields["target"]] = fields["source"]
            else:
                options[arguments[i]] = arguments[i + 1]
            i += 2
        assert arguments[i] == "algebr/openface"
        rest = [_outside(argument, mounts) for argument in arguments[i + 1 :]]
        return main([str(here / "inside" / Path(options["--entrypoint"]).name), *rest])
    return 0


def _outside(path, mounts):
    for target, source in mounts.items():
        if path == target or path.startswith(target + "/"):
            return source + path[len(target) :]
    assert not path.startswith("/"), f"{path} is not mounted"
    return path


def main(argv):
    """Behave as FaceLandmarkImg or FeatureExtraction."""
    behaviour = json.loads((Path(argv[0]).parent / "behaviour.json").read_text())
    arguments = argv[1:]
    print("Attempting to read from directory:", " ".join(arguments))
    if "say" in behaviour:
        print(behaviour["say"], file=sys.stderr)
    if "exit" in behaviour:
        return behaviour["exit"]
    if Path(argv[0]).name == "FeatureExtraction":
        return _feature_extraction(arguments, behaviour)
    return _face_landmark_img(arguments, behaviour, Path(argv[0]).parent)


def _value(arguments, flag):
    return arguments[arguments.index(flag) + 1] if flag in arguments else None


def _face_landmark_img(arguments, behaviour, here):
    import cv2

    out = Path(_value(arguments, "-out_dir"))
    folder, boxes_of = Path(_value(arguments, "-fdir")), _value(arguments, "-bboxdir")
    files = [f for f in sorted(folder.iterdir()) if f.suffix in (".jpg", ".jpeg", ".png", ".bmp")]
    if not files:
        print("No images found in the directory:", folder)
        return 1
    for file in files if boxes_of else ():
        if not Path(boxes_of, f"{file.stem}.txt").exists():
            print("Error: Could not find the corresponding bounding box for file:", file)
            return 1
    for file in files:
        bgr = cv2.imread(str(file))
        if bgr is None:
            print("Error: Could not open the image:", file)
            return 1
        details = out / f"{file.stem}_of_details.txt"
        details.write_text(f"Input:{file}\nInput full path:{file}\nCamera parameters:500,500,320,240\n")
        number = int(file.stem) if file.stem.isdigit() else -1
        if number in behaviour.get("hang_on", ()):
            (here / "hanging").write_text(str(os.getpid()))
            time.sleep(600)
        if number in behaviour.get("crash_on", ()):
            (out / f"{file.stem}.csv").write_text("face, confidence\n0, 0.9")
            sys.stderr.write("terminate called after throwing an instance of 'cv::Exception'\n")
            sys.stderr.flush()
            os.abort()
        rgb = bgr[..., ::-1]
        if boxes_of:
            text = Path(boxes_of, f"{file.stem}.txt").read_text()
            boxes = np.array([line.split() for line in text.splitlines() if line], float).reshape(-1, 4)
        else:
            boxes = _squares(rgb)
        if len(boxes) and not behaviour.get("no_csv"):
            faces = _measure(rgb, boxes, behaviour)
            _write(out / f"{file.stem}.csv", arguments, behaviour, [
                {"face": i, "confidence": 0.925, **face} for i, face in enumerate(faces)
            ])  # fmt: skip
    if behaviour.get("crash_at_end"):
        os.abort()
    return 0


def _feature_extraction(arguments, behaviour):
    import cv2

    file, out = Path(_value(arguments, "-f")), Path(_value(arguments, "-out_dir"))
    name = _value(arguments, "-of") or file.stem
    capture = cv2.VideoCapture(str(file))
    if not capture.isOpened():
        print("Could not open the video file", file)
        return 1
    (out / f"{name}_of_details.txt").write_text(f"Input:{file}\n")
    rows, rate = [], capture.get(cv2.CAP_PROP_FPS)
    while (read := capture.read())[0]:
        boxes = _squares(read[1][..., ::-1])[:1]
        number = len(rows)
        row = {"frame": number + 1, "face_id": 0, "timestamp": f"{number / rate:.3f}", "success": len(boxes)}
        row["confidence"] = 0.98 if len(boxes) else 0.02
        rows.append(row | (_measure(read[1][..., ::-1], boxes, behaviour)[0] if len(boxes) else {}))
    if not behaviour.get("no_csv"):
        _write(out / f"{name}.csv", arguments, behaviour, rows)
    return 0


def _squares(rgb):
    """Boxes of red squares, left to right, (n, 4)."""
    import cv2

    red = (np.abs(rgb[..., 0].astype(int) - 200) < 20) & (rgb[..., 1:].max(-1) < 260)
    stats = cv2.connectedComponentsWithStats(red.astype(np.uint8))[2][1:, :4]
    found = [(x, y, x + w, y + h) for x, y, w, h in sorted(map(tuple, stats.tolist())) if w > 7 and h > 7]
    return np.array(found, float).reshape(-1, 4)


def _measure(rgb, boxes, behaviour):
    if behaviour.get("drift"):
        boxes = np.repeat(boxes[:1], len(boxes), axis=0)
    faces = (
        _by_network(rgb, boxes) if behaviour["measure"] == "network" else [_of_square(rgb, b) for b in boxes]
    )
    return faces[::-1] if behaviour.get("shuffle") else faces


def _of_square(rgb, box):
    x0, y0, x1, y1 = box
    height, width = rgb.shape[:2]
    x, y = (int(np.clip((a + b) / 2, 0, size - 1)) for a, b, size in ((x0, x1, width), (y0, y1, height)))
    _, green, blue = (float(value) for value in rgb[y, x])
    points = SHAPE * (x1 - x0, y1 - y0) + (x0, y0)
    aus = {"AU04_r": min(5, blue / 50), "AU12_r": min(5, green / 50)}
    return _face(points, (0.1, -0.2, 0.05), aus)


def _by_network(rgb, boxes):
    from feat_pipeline.detect import Detection
    from feat_pipeline.extract.backends.embedded import EmbeddedExtractor
    from feat_pipeline.extract.backends.openface import BOX_XYXY

    extractor = EmbeddedExtractor()
    first, last = np.array(BOX_XYXY[:2]), np.array(BOX_XYXY[2:])
    faces = []
    for box in boxes + 0.5:
        size = (box[2:] - box[:2]) / (last - first)
        corner = box[:2] - first * size
        found = Detection(np.concatenate([corner, corner + size]).astype(np.float32), 1.0)
        ((face,),) = extractor.extract([np.ascontiguousarray(rgb)], [[found]])
        faces.append(_face(face.landmarks - 0.5, face.pose_rad, face.aus))
    return faces


def _face(points, pose, aus):
    row = {f"{axis}_{i}": f"{points[i, k]:.1f}" for k, axis in enumerate("xy") for i in range(68)}
    row |= {f"pose_R{axis}": f"{value:.3f}" for axis, value in zip("xyz", pose, strict=True)}
    row |= {name: f"{min(5.0, max(0.0, aus.get(name, 0.0))):.2f}" for name in INTENSITIES}
    row |= {name: f"{float(aus.get(name.replace('_c', '_r'), 0) > 1):.1f}" for name in PRESENCES}
    return row | {"gaze_angle_x": "0.125", "gaze_angle_y": "-0.250", "gaze_0_z": "-1.000000"}


def _write(path, arguments, behaviour, rows):
    """Write the groups of columns that the flags ask for; without a flag, all of them."""
    flags = {"-gaze", "-pose", "-2Dfp", "-3Dfp", "-pdmparams", "-aus"} & set(arguments)
    groups = {
        "-gaze": [f"gaze_{eye}_{axis}" for eye in (0, 1) for axis in "xyz"]
        + ["gaze_angle_x", "gaze_angle_y"]
        + [f"eye_lmk_{axis}_{i}" for axis in "xyXYZ" for i in range(56)],
        "-pose": [f"pose_{kind}{axis}" for kind in "TR" for axis in "xyz"],
        "-2Dfp": [f"{axis}_{i}" for axis in "xy" for i in range(68)],
        "-3Dfp": [f"{axis}_{i}" for axis in "XYZ" for i in range(68)],
        "-pdmparams": ["p_scale", "p_rx", "p_ry", "p_rz", "p_tx", "p_ty", *(f"p_{i}" for i in range(34))],
        "-aus": [*INTENSITIES, *PRESENCES],
    }
    video = "frame" in rows[0]
    columns = ["frame", "face_id", "timestamp", "confidence", "success"] if video else ["face", "confidence"]
    for flag, names in groups.items():
        if (not flags or flag in flags) and not (flag == "-gaze" and behaviour.get("eyes") is False):
            columns += names
    separator = behaviour.get("separator", ", ")
    lines = [separator.join(columns), *(separator.join(str(row.get(c, 0)) for c in columns) for row in rows)]
    path.write_text("\n".join(lines) + "\n")
