"""Runs the paper's experiments whole: a study is a list of rows, a row is what is trained on.

``study`` defines rows and studies; ``runner`` runs them and resumes where it was stopped;
``run_record`` stores a run on disk; ``small_sets`` makes a small set of real images; ``summary``,
``tables`` and ``report`` compare the figures; ``plots`` draws section 4.3; ``published`` holds the
paper's figures.
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
