"""Completes the privacy certificate of a release: who decided on it.

The measured part stays as the worker wrote it. `certificate.json` gets `release`, the page a
section in its place; the PDF says where to read it (docs/adr/033).
"""

import json
from html import escape
from typing import Any

from app.releases.facts import OverrideFacts, ReleaseFacts, in_words
from app.signing.keys import rfc3339
from iadd.bundle.format import CERTIFICATE, json_file

PLACE = "<!-- place: release-decision -->"


def complete(files: dict[str, bytes], facts: ReleaseFacts) -> None:
    """Add the decision to the certificate among these files; older bundles have none.

    Raises:
        ValueError: When the certificate is none.
    """
    if CERTIFICATE["json"] not in files:
        return
    document = json.loads(files[CERTIFICATE["json"]])
    document["release"] = _decision(facts)
    files[CERTIFICATE["json"]] = json_file(document)
    page = files.get(CERTIFICATE["html"], b"").decode()
    if page.count(PLACE) != 1:
        raise ValueError("the certificate has no place for the decision")
    files[CERTIFICATE["html"]] = page.replace(PLACE, _in_html(facts)).encode()


def override_in_words(override: OverrideFacts) -> str:
    """Say that two people waived the policy, when, and why. The reason is as they typed it."""
    return (
        f"The release policy of the organisation objected, and two people waived it on "
        f"{in_words(override.decided_at)}. Their reason: {override.reason}"
    )


def spent_in_words(epsilon: float) -> str:
    """Say what all runs on the dataset have spent: later ones count, and deleted ones too."""
    return (
        f"When it was released, all runs on its dataset had spent ε = {epsilon:.3g} together. The "
        "rest of this certificate states what was spent when the set was made."
    )


def _decision(facts: ReleaseFacts) -> dict[str, Any]:
    override = facts.override
    return {
        "id": facts.id,
        "number": facts.number,
        "organisation": facts.organisation,
        "released_at": rfc3339(facts.created_at),
        **({} if facts.epsilon is None else {"epsilon": facts.epsilon}),
        "override": None
        if override is None
        else {
            "people": 2,
            "reason": override.reason,
            "objections": list(override.objections),
            "decided_at": rfc3339(override.decided_at),
        },
    }


def _in_html(facts: ReleaseFacts) -> str:
    released = (
        f"Released by {facts.organisation} on {in_words(facts.created_at)}, as release "
        f"{facts.number} ({facts.id})."
    )
    if facts.override is None:
        lines = [released, "The release policy of the organisation allowed it; nothing was waived."]
    else:
        objections = [f"Objection: {objection}" for objection in facts.override.objections]
        lines = [released, override_in_words(facts.override), *objections]
    if facts.epsilon is not None:
        lines.append(spent_in_words(facts.epsilon))
    return "\n".join(f"<p>{escape(line)}</p>" for line in lines)
