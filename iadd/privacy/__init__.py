"""Audits what a distilled set reveals about the patients behind it.

The metrics so far compare images: retention of the start (A), distance to the closest record (B)
and near-copies (D). They can refuse a release and never clear one; attacks come with later metrics.

    report = iadd.privacy.audit(distilled, images)
    print(report.verdict, report.statement)
"""

from iadd.privacy.audit import audit
from iadd.privacy.embedding import penultimate_features
from iadd.privacy.report import Control, Metric, PrivacyReport

__all__ = ["Control", "Metric", "PrivacyReport", "audit", "penultimate_features"]
