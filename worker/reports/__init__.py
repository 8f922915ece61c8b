"""The report of a distillation: a page and a PDF for people, one document for programs.

document = report_json(source)
report = compose(source, document)
page, paper = render_html(report), render_pdf(report)
"""

from worker.reports.composition import compose
from worker.reports.html import render_html
from worker.reports.inputs import ReportSource, software_versions
from worker.reports.json_document import report_json
from worker.reports.pdf import render_pdf

__all__ = [
    "ReportSource",
    "compose",
    "render_html",
    "render_pdf",
    "report_json",
    "software_versions",
]
