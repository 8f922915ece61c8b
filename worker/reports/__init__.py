"""The report of a distillation: a page and a PDF for people, one document for programs.

document = report_json(source)
report = compose(source, document)
page, paper = render_html(report), render_pdf(report)
"""

from worker.reports.content import compose
from worker.reports.document import report_json
from worker.reports.page import render_html
from worker.reports.paper import render_pdf
from worker.reports.source import ReportSource, software_versions

__all__ = [
    "ReportSource",
    "compose",
    "render_html",
    "render_pdf",
    "report_json",
    "software_versions",
]
