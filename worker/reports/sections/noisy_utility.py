"""Section: the one score of a proven set that may leave."""

from collections.abc import Mapping
from typing import Any

from worker.reports.blocks import Heading, Place, Section, Table, Text
from worker.reports.formatting import number
from worker.reports.sections.utility import RECIPIENTS

Document = Mapping[str, Any]


def section(document: Document) -> Section:
    """Show the noisy score, and say why there is no other figure."""
    score = document["noisy_score"]
    return Section(
        "utility",
        "Utility",
        [
            Text(
                "Networks of one kind were trained from scratch on the distilled images and tested "
                "on the owner's test images. What was found was noised before anybody saw it, and "
                "its ε is part of the ledger."
            ),
            Table(
                ["Quantity", "Value"],
                [
                    ["Accuracy, with noise", f"{score['accuracy']:.3f}"],
                    ["ε of this figure", f"{score['epsilon']:.3g}"],
                    ["Networks", number(score["networks"])],
                ],
                caption="Utility, with noise",
                widths=[1.4, 2.0],
            ),
            Text(
                "The noise is Laplace noise on the number of right answers, with a scale of 1/ε "
                "images or patients: on a small test split it is large. Exact scores, figures by "
                "class, baselines and numbers of images would each be another read of the images, "
                "and are shown inside the organisation alone.",
                "note",
            ),
            Heading("Recipients' scores"),
            Text(
                "Recipients measure scores on their own test images after this report was made, so "
                "it does not hold them. The portal shows them with the release, and on its page of "
                "this report."
            ),
            Place(RECIPIENTS),
        ],
    )
