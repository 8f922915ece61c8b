"""The phases of a distillation, and its teachers."""
