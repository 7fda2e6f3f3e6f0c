from tests.feat_pipeline.camera.conftest import video

__all__ = ["video"]
