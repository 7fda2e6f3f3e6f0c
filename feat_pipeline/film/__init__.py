"""Videos in, an answer for every face of every frame and an annotated film out."""

from feat_pipeline.film.follow import FollowedFace, Follower
from feat_pipeline.film.run import FilmFrame, VideoPrediction, predict_video
from feat_pipeline.film.writer import FilmWriter

__all__ = ["FilmFrame", "FilmWriter", "FollowedFace", "Follower", "VideoPrediction", "predict_video"]
