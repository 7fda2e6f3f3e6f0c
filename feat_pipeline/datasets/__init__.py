"""Labelled faces from the files that data sets are published in."""
