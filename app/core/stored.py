"""Reads stored objects that may be missing or damaged: a disc lies, or a copy was restored."""

import json
import logging
from typing import Any

from app.core.errors import NotFound
from app.core.storage import Storage
from app.signing.verify import check
from app.signing.zip_container import DamagedError, UnreadableError

logger = logging.getLogger(__name__)


class ObjectGone(NotFound):
    code = "object-gone"
    title = "The stored result is gone"


class ObjectDamaged(ObjectGone):
    code = "object-damaged"
    title = "The stored result is damaged"


def read_json(storage: Storage, key: str) -> Any:
    """Read a document that the portal wrote. Raises ObjectGone, ObjectDamaged."""
    try:
        return parse_json(key, storage.get(key))
    except FileNotFoundError:
        raise gone() from None


def find_json(storage: Storage, key: str) -> Any:
    """Like `read_json`; None where it is not there. Raises ObjectDamaged."""
    content = storage.find(key)
    return None if content is None else parse_json(key, content)


def parse_json(key: str, content: bytes) -> Any:
    """Parse what was read. Raises ObjectDamaged."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise damaged(key, type(error).__name__) from error


def expect_intact_bundle(storage: Storage, key: str) -> None:
    """Compare every byte of a bundle with its sums. Raises ObjectDamaged."""
    try:
        with storage.opened(key) as file:
            check(file)
    except FileNotFoundError:
        raise gone() from None
    except (DamagedError, UnreadableError) as error:
        raise damaged(key, str(error)) from error


def gone() -> ObjectGone:
    return ObjectGone(
        "The row is there and its object is not; it may have been deleted a moment ago. "
        "If it stays so, POST …/retry makes it again."
    )


def damaged(key: str, reason: str) -> ObjectDamaged:
    """The problem, which the log records for the operator."""
    logger.error("stored object damaged: %s: %s", key, reason)
    return ObjectDamaged(
        "It is not as it was stored, so nothing of it was sent; all else is kept. Tell the "
        "operator, who may have a copy. A dataset can be uploaded as its next version; POST "
        "/api/v1/distillations/…/again distills with the same settings."
    )
