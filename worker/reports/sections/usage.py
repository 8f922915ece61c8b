"""Section: usage of the distilled set."""

from collections.abc import Mapping, Sequence
from typing import Any

from worker.reports.blocks import Code, Facts, Heading, Section, Text
from worker.reports.formatting import setting

_RECIPE = {
    "optimizer": "Optimiser",
    "lr": "Learning rate (α)",
    "momentum": "Momentum",
    "epochs": "Epochs",
    "batch_size": "Batch size",
    "schedule": "Schedule",
    "loss": "Loss",
    "networks": "Networks",
}


def section(document: Mapping[str, Any], shape: Sequence[int]) -> Section:
    """Show how to verify, load, train and measure."""
    recipe = document["recipe"]
    augmentation = {
        name: setting(value) for name, value in document["settings"]["augmentation"].items()
    }
    return Section(
        "usage",
        "Usage",
        [
            Text(
                "Verify the bundle, then train with its images, its learning rate and its "
                "augmentation: they were optimised together."
            ),
            Code("exchange verify bundle.zip"),
            Code(
                f"""\
import iadd

distilled = iadd.load_bundle("bundle.zip")
distilled.images    # float32, ({", ".join(map(str, shape))}), normalised
distilled.labels    # int64, index into distilled.classes
distilled.syn_lr    # the learning rate to train with

# networks trained on it, tested on your own images
images = iadd.load_images("your-xrays.zip")
print(iadd.evaluate(distilled, images, distilled.config).to_dict())"""
            ),
            Heading("Training recipe"),
            Text("With another framework, these steps reproduce the figures of this report."),
            Facts(
                {
                    "Recipe": {
                        title: setting(recipe[name])
                        for name, title in _RECIPE.items()
                        if name in recipe
                    },
                    "Augmentation": augmentation,
                }
            ),
        ],
    )
