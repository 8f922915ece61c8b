"""The report of a distillation: a page and a PDF for people, one document for programs.

document = report_json(source)
report = compose(source, document)
page, paper = render_html(report), render_pdf(report)

The certificate follows from the report's document, and is set the same way:

certificate = certificate_json(document)
page, paper = render_html(compose_certificate(certificate)), …
"""

from worker.reports.certificate import compose_certificate
from worker.reports.certificate_document import certificate_json
from worker.reports.composition import compose, has_internal
from worker.reports.html import render_html
from worker.reports.inputs import Randomness, RecordScore, ReportSource, software_versions
from worker.reports.json_document import report_json
from worker.reports.pdf import render_pdf
from worker.reports.proven import compose_proven, proven_json
from worker.reports.record_scores import record_scores

__all__ = [
    "Randomness",
    "RecordScore",
    "ReportSource",
    "certificate_json",
    "compose",
    "compose_certificate",
    "compose_proven",
    "has_internal",
    "proven_json",
    "record_scores",
    "render_html",
    "render_pdf",
    "report_json",
    "software_versions",
]
