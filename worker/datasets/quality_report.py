"""Quality report of a dataset: the images, the files that were left out, and why.

It goes to the owner's organisation alone, since names of files may carry patient identifiers.
"""

from collections import Counter
from collections.abc import Iterable, Mapping

from app.core.types import JsonObject
from iadd.data.image_set import SPLITS, ImageSet
from iadd.intake.errors import RejectedFile


def quality_report(
    image_set: ImageSet | None, rejected: Iterable[RejectedFile], ignored: Mapping[str, int]
) -> JsonObject:
    """Report on an accepted dataset, or on a rejected one (`image_set` None)."""
    refused = [{"name": one.name, "code": one.code, "reason": one.reason} for one in rejected]
    by_code = Counter(one["code"] for one in refused)
    classes = {} if image_set is None else count_by_split(image_set)
    sizes = [sum(counts.values()) for counts in classes.values()]
    return {
        "images": sum(sizes),
        "image_size": None if image_set is None else image_set.images.shape[-1],
        "classes": classes,
        "splits": {split: sum(counts[split] for counts in classes.values()) for split in SPLITS},
        # A network that always predicts the largest class reaches this accuracy: the reason to
        # read the balanced accuracy.
        "largest_class_share": max(sizes) / sum(sizes) if sizes else None,
        "refused": refused,
        "refused_count": len(refused),
        "refused_by_code": dict(sorted(by_code.items())),
        "duplicates": by_code["duplicate"],
        "ignored": [{"reason": reason, "count": count} for reason, count in ignored.items()],
    }


def count_by_split(image_set: ImageSet) -> dict[str, dict[str, int]]:
    """Count images: {class: {"train": n, "validation": n, "test": n}}."""
    parts = {split: image_set.part(split).count_by_class() for split in SPLITS}
    return {name: {split: parts[split][name] for split in SPLITS} for name in image_set.classes}
