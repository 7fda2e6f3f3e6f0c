"""The only geometry: faces aligned, cut out of their pictures, followed through a video."""
