"""Photos, videos, cameras and arrays in, `Frame` out."""
