"""The paper's experiments, run whole: a study is a list of rows, a row is what is trained on.

``study``: rows and studies. ``runner``: runs them, and goes on where it was stopped. ``records``:
what a run leaves on disk. ``selected``: real images as a small set. ``summary``, ``table``,
``report``: figures side by side. ``analysis``: the plots of section 4.3. ``paper``: the published
figures.
"""

from iadd.reproduce.runner import StudyError, StudyProgress, run_study
from iadd.reproduce.study import IMPROVEMENTS, STUDIES, TABLE_4, Row, Study
from iadd.reproduce.summary import summarise

__all__ = [
    "IMPROVEMENTS",
    "STUDIES",
    "TABLE_4",
    "Row",
    "Study",
    "StudyError",
    "StudyProgress",
    "run_study",
    "summarise",
]
