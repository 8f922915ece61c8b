"""The course of W in words, from figures of the document alone."""

from collections.abc import Mapping
from typing import Any

_STILL = 1e-3
"""A W whose mean fell by less than this, and whose deviation is less, hardly changes the loss."""


def course(document: Mapping[str, Any]) -> str:
    """Explain W over the iterations, and its course in this run."""
    weights = document["importance_weights"]
    if weights["method"] == "ddpp":
        return (
            "Method ddpp learns no weights: each iteration leaves out the parameters in which "
            "student and teacher differ too much. The plot shows the share of the iterations so "
            f"far in which a parameter counted; in the end {weights['mean']:.0%} on average."
        )
    if weights["method"] == "hop_tm":
        return (
            "Method hop_tm learns no weights: a parameter counts once student and teacher came "
            "near each other in it. The plot shows the share of parameters that count; in the end "
            f"{weights['mean']:.0%}."
        )
    band = "The line is the mean of all weights, the band one standard deviation to either side."
    if weights["collapsed"]:
        return (
            f"{band} W has collapsed, to a mean of {weights['mean']:.2f}: the loss with W fell "
            "because parameters stopped counting, and not because the student came nearer to the "
            "teacher. Judge this run by the loss without W, and lower lr_weights for the next."
        )
    if _is_still(weights):
        return (
            f"{band} W stayed at 1: on average it fell by {1 - weights['mean']:.1g}, nowhere by "
            f"more than {1 - weights['min']:.1g}. Such a run is as good as one without W (method "
            "mtt); a larger lr_weights lets W act."
        )
    # Runs of version 0.3 and before have no such setting.
    if document["settings"]["distillation"].get("relative_to") == "weighted":
        return (
            f"{band} W starts at 1, falls where student and teacher differ more than the teacher "
            "moved, and rises elsewhere: the loss is relative to what counts, so that it cannot "
            "fall by smaller weights alone."
        )
    return (
        f"{band} W starts at 1 and only falls, fastest where student and teacher differ most: "
        "those parameters then count less. A mean below 0.5 would be a collapse."
    )


def spread(document: Mapping[str, Any]) -> str:
    """Describe the spread of the weights in the end, and their effect on the loss."""
    weights, curves = document["importance_weights"], document["curves"]
    each = "shares of the iterations, one" if weights["method"] == "ddpp" else "weights, one"
    text = (
        f"{weights['parameters']:,} {each} for each parameter of the network: "
        f"{weights['min']:.4g} to {weights['max']:.4g}, mean {weights['mean']:.4g}, standard "
        f"deviation {weights['std']:.2g}."
    )
    with_w, without = curves["loss"][-1], curves["unweighted_loss"][-1]
    if None in (with_w, without):
        return f"{text} At the last iteration the loss was not a number."
    return (
        f"{text} At the last iteration the loss is {with_w:.4g} with W and {without:.4g} without, "
        f"a difference of {without - with_w:.2g}."
    )


def by_layer(document: Mapping[str, Any]) -> str:
    """Name the layers in which W fell most, and in which student and teacher differ most."""
    weights = document["importance_weights"]
    layers = weights["layers"]
    lowest = min(layers, key=lambda layer: layer["mean"])
    known = [layer for layer in layers if layer["difference"] is not None]
    if not known:
        return f"W is lowest in {_named(lowest)}, with a mean of {lowest['mean']:.4g}."
    farthest = max(known, key=lambda layer: layer["difference"])
    text = (
        "Distance of the student's final parameters from the teacher's, |θ_J − θ*|, as a mean over "
        f"the iterations and over each layer: farthest in {_named(farthest)} "
        f"({farthest['difference']:.3g})."
    )
    if weights["method"] == "mtt":
        return f"{text} All count the same: W stays at 1 (method mtt)."
    if weights["method"] == "iadd" and _is_still(weights):
        return f"{text} W stayed at 1 in every layer."
    findings = {
        "ddpp": "Parameters counted least often",
        "hop_tm": "The fewest parameters came near the teacher",
    }
    finding = findings.get(weights["method"], "W is lowest")
    same = " too" if lowest is farthest else ""
    return f"{text} {finding} in {_named(lowest)}{same} (mean {lowest['mean']:.4g})."


def _is_still(weights: Mapping[str, Any]) -> bool:
    return bool(1 - weights["mean"] < _STILL and weights["std"] < _STILL)


def _named(layer: Mapping[str, Any]) -> str:
    """Name a layer within a sentence: the bias of norm 3."""
    module, _, parameter = layer["title"].lower().rpartition(" ")
    return f"the {parameter} of {'the ' if module == 'classifier' else ''}{module}"
