"""Our own detector and AU network try to read faces that were hidden."""

import numpy as np
import pytest

from feat_pipeline.detect import Detection
from feat_pipeline.predict import Predictor
from feat_pipeline.render import hide_faces
from feat_pipeline.sources.photos import read_photo


def found_again(face, found):
    """Whether one of the boxes overlaps a face's box by a third of both."""
    x0, y0, x1, y1 = face.box_xyxy
    for a0, b0, a1, b1 in (d.box_xyxy for d in found):
        common = max(0, min(x1, a1) - max(x0, a0)) * max(0, min(y1, b1) - max(y0, b0))
        if common > ((x1 - x0) * (y1 - y0) + (a1 - a0) * (b1 - b0) - common) / 3:
            return True
    return False


def read_hidden(predictor, paths, how):
    """Faces, how many of them the detector still finds, and their AUs (n, p) before and after."""
    before, after, again = [], [], 0
    for path in paths:
        rgb = read_photo(path)
        faces = predictor.predict(rgb)
        hidden = hide_faces(rgb, faces, how)
        found = predictor.detector.detect(hidden)
        again += sum(found_again(face, found) for face in faces)
        told = [Detection(face.box_xyxy, 1.0) for face in faces]  # as if somebody knew where to look
        (measured,) = predictor.extractor.extract([hidden], [told])
        before += [list(face.aus.values()) for face in faces]
        after += [list(face.aus.values()) for face in measured]
    return again, np.array(before), np.array(after)


@pytest.mark.parametrize("how", ["blur", "pixelate"])
def test_the_detector_finds_no_hidden_face(feat_photos, how):
    again, before, _ = read_hidden(Predictor(), [feat_photos / "multi_face.jpg"], how)
    assert len(before) == 5 and again == 0


@pytest.mark.slow
@pytest.mark.shared
@pytest.mark.parametrize("how", ["blur", "pixelate"])
def test_the_aus_of_hidden_faces_are_lost(shared, feat_photos, how):
    predictor = Predictor()
    photos = [*sorted((shared / "data" / "photos").glob("*.jpg")), feat_photos / "multi_face.jpg"]
    again, before, after = read_hidden(predictor, photos, how)
    assert len(before) > 60 and again <= 1
    moving = [j for j in range(before.shape[1]) if before[:, j].std() > 0 and after[:, j].std() > 0]
    r = {predictor.extractor.au_columns[j]: np.corrcoef(before[:, j], after[:, j])[0, 1] for j in moving}
    assert abs(np.mean(list(r.values()))) < 0.1 and np.mean(np.abs(list(r.values()))) < 0.2
    assert abs(r["AU12_r"]) < 0.25 and abs(r["AU25_r"]) < 0.25  # chance reaches .22 in 77 faces
