"""The program with the fake detector and backend under the names of the defaults."""

import sys

from feat_pipeline.cli import main
from feat_pipeline.detect import DETECTORS
from feat_pipeline.extract import BACKENDS

if __name__ == "__main__":
    DETECTORS["mtcnn"] = "tests.feat_pipeline.fakes:FakeDetector"
    for name in ("embedded", "fake"):
        BACKENDS[name] = "tests.feat_pipeline.fakes:FakeExtractor"
    sys.exit(main())
