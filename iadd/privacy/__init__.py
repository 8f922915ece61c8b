"""Measuring what a distilled set gives away about the patients behind it.

The battery so far compares images: retention of the start (A), distance to the closest record (B)
and near-copies (D). It can refuse a release and never clear one; attacks come with later metrics.

    report = iadd.privacy.audit(distilled, images)
    print(report.verdict, report.statement)
"""

from iadd.privacy.audit import audit
from iadd.privacy.embedding import penultimate_features
from iadd.privacy.report import Control, Metric, PrivacyReport

__all__ = ["Control", "Metric", "PrivacyReport", "audit", "penultimate_features"]
