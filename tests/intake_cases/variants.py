"""All second cases, in one list."""

from __future__ import annotations

from tests.intake_cases import (
    variants_formats,
    variants_grey,
    variants_layout,
    variants_names,
    variants_quality,
    variants_tables,
    variants_texts,
)
from tests.intake_cases.variant import WRITTEN, Variant

VARIANTS: list[Variant] = [
    *variants_layout.VARIANTS,
    *variants_names.VARIANTS,
    *variants_grey.VARIANTS,
    *variants_formats.VARIANTS,
    *variants_quality.VARIANTS,
    *variants_tables.VARIANTS,
    *variants_texts.VARIANTS,
    *WRITTEN,
]
