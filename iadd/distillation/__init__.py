"""Algorithm 1: distilled images, the student's learning rate and the importance weights."""

from iadd.distillation import matching

__all__ = ["matching"]
