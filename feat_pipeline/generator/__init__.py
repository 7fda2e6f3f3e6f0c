"""Faces of nobody: a class-conditional generator, its training and its judge."""
