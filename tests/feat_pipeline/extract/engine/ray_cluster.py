"""An extraction on two nodes of Ray, of which one actor may be killed: SOURCE OUT [kill]."""

import os
import signal
import sys
import threading
import time
from pathlib import Path

from feat_pipeline.detect import DETECTORS
from feat_pipeline.extract import BACKENDS
from feat_pipeline.runs.extract import extract
from tests.feat_pipeline.fakes import FakeExtractor


class SlowExtractor(FakeExtractor):
    """Leaves a mark of the process that worked, and time to kill it."""

    def extract(self, frames, detections):
        Path(os.environ["MARKS"], f"{os.environ['RAY_NODE']}-{os.getpid()}").touch()
        time.sleep(0.5)
        return super().extract(frames, detections)


def kill_one(marks, out):
    """Kill the first process that left a mark, once the first chunk is done."""
    while not list(out.glob(".unfinished/*.parquet")):
        time.sleep(0.02)
    pid = int(next(marks.iterdir()).name.rsplit("-", 1)[1])
    os.kill(pid, signal.SIGKILL)
    (out.parent / "killed").write_text(str(pid))


if __name__ == "__main__":
    from ray.cluster_utils import Cluster

    source, out, *kill = map(Path, sys.argv[1:])
    marks = Path(os.environ["MARKS"])
    DETECTORS["mtcnn"] = "tests.feat_pipeline.fakes:FakeDetector"
    BACKENDS["embedded"] = "tests.feat_pipeline.extract.engine.ray_cluster:SlowExtractor"
    os.environ["RAY_NODE"] = "head"
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    os.environ["RAY_NODE"] = "other"
    cluster.add_node(num_cpus=1)
    if kill:
        threading.Thread(target=kill_one, args=(marks, out), daemon=True).start()
    extract(source, out=out, backend="embedded", engine="ray", address=cluster.address)
    cluster.shutdown()
