"""The report of a distillation: one page for people, one document for programs.

document = report_json(source)
page = render_report(source, document)
"""

from worker.reports.document import ReportSource, report_json, software_versions
from worker.reports.page import render_report

__all__ = ["ReportSource", "render_report", "report_json", "software_versions"]
