"""A pytest plug-in that registers one detector and one AU backend more, and runs their tests alone."""

from feat_pipeline.detect import DETECTORS
from feat_pipeline.detect.haar import HaarDetector
from feat_pipeline.extract import BACKENDS
from feat_pipeline.extract.backends.embedded import EmbeddedExtractor


class ExtraDetector(HaarDetector):
    name = "extra"


class ExtraExtractor(EmbeddedExtractor):
    name = "extra"


DETECTORS["extra"] = f"{__name__}:ExtraDetector"
BACKENDS["extra"] = f"{__name__}:ExtraExtractor [gpu]"


def pytest_collection_modifyitems(config, items):
    def is_of_another(item):
        params = item.callspec.params if hasattr(item, "callspec") else {}
        return {params.get(name, "extra") for name in ("detector", "extractor", "name")} != {"extra"}

    config.hook.pytest_deselected(items=[item for item in items if is_of_another(item)])
    items[:] = [item for item in items if not is_of_another(item)]
