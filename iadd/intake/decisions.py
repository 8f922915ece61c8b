"""What a steward decided about findings; it is applied each time the dataset is composed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Box = tuple[int, int, int, int]


@dataclass(frozen=True, kw_only=True)
class Decisions:
    """Decisions, by the hashes of files.

    Attributes:
        leave_out: pictures that are left out.
        turn: pictures whose grey values are inverted.
        blank: by picture, boxes that are painted black, in thousandths of its width and height:
            ``(left, top, right, bottom)``.
        merge: by class, the class that it becomes part of.
        keep_text: pictures whose text was looked at and names nobody.
        accepted: codes of findings that were looked at and accepted as they are.
    """

    leave_out: frozenset[str] = frozenset()
    turn: frozenset[str] = frozenset()
    blank: Mapping[str, tuple[Box, ...]] = field(default_factory=dict)
    merge: Mapping[str, str] = field(default_factory=dict)
    keep_text: frozenset[str] = frozenset()
    accepted: frozenset[str] = frozenset()

    @property
    def texts_decided(self) -> frozenset[str]:
        """Pictures about whose text somebody decided."""
        return self.keep_text | self.leave_out | frozenset(self.blank)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form; `from_dict` reads it back."""
        return {
            "leave_out": sorted(self.leave_out),
            "turn": sorted(self.turn),
            "blank": {path: [list(box) for box in boxes] for path, boxes in self.blank.items()},
            "merge": dict(self.merge),
            "keep_text": sorted(self.keep_text),
            "accepted": sorted(self.accepted),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Decisions:
        """Read what `to_dict` wrote."""
        return cls(
            leave_out=frozenset(data.get("leave_out", ())),
            turn=frozenset(data.get("turn", ())),
            blank={
                path: tuple((box[0], box[1], box[2], box[3]) for box in boxes)
                for path, boxes in data.get("blank", {}).items()
            },
            merge=dict(data.get("merge", {})),
            keep_text=frozenset(data.get("keep_text", ())),
            accepted=frozenset(data.get("accepted", ())),
        )


NO_DECISIONS = Decisions()
