"""Validators and conditional requests: RFC 9110, sections 8.8 and 13."""

import calendar
import re
from collections.abc import Mapping
from email.utils import formatdate, parsedate_tz
from functools import lru_cache

CONDITIONS = frozenset(
    [
        b"if-match",
        b"if-none-match",
        b"if-modified-since",
        b"if-unmodified-since",
        b"if-range",
        b"range",
    ]
)
"""The fields that can make the answer to a GET something else than the whole file."""

_ENTITY_TAG = re.compile(rb'(W/)?("[\x21\x23-\x7e\x80-\xff]*")')


def precondition(headers: Mapping[bytes, bytes], etag: bytes, modified: int) -> int:
    """Evaluate the preconditions of a GET or HEAD in the order of section 13.2.2.

    `etag` is strong and quoted, `modified` is in whole seconds, as Last-Modified says it.
    Returns 200 (go on), 304 or 412. A date that can't be read is as if it weren't there.
    """
    value = headers.get(b"if-match")
    if value is not None:
        if not _matches(value, etag, weak=False):
            return 412
    elif (value := headers.get(b"if-unmodified-since")) is not None:
        date = parse_date(value)
        if date is not None and modified > date:
            return 412
    value = headers.get(b"if-none-match")
    if value is not None:
        if _matches(value, etag, weak=True):
            return 304
    elif (value := headers.get(b"if-modified-since")) is not None:
        date = parse_date(value)
        if date is not None and modified <= date:
            return 304
    return 200


def range_applies(headers: Mapping[bytes, bytes], etag: bytes, modified: int, now: float) -> bool:
    """Whether If-Range, if there is one, lets the Range field count (section 13.1.5).

    A date counts only when it is exact and strong: a file that changed within the last second may
    change again under the same Last-Modified (section 8.8.2.2).
    """
    value = headers.get(b"if-range")
    if value is None:
        return True
    if value.startswith((b'"', b"W/")):
        return value == etag
    return parse_date(value) == modified < now - 1


def _matches(value: bytes, etag: bytes, *, weak: bool) -> bool:
    if value.strip() == b"*":
        return True
    return any(tag == etag and (weak or not is_weak) for is_weak, tag in _ENTITY_TAG.findall(value))


@lru_cache(4096)
def http_date(seconds: int) -> bytes:
    """`seconds` since the epoch as an IMF-fixdate."""
    return formatdate(seconds, usegmt=True).encode("ascii")


@lru_cache(1024)
def parse_date(value: bytes) -> int | None:
    """An HTTP-date (section 5.6.7) in seconds since the epoch, or None."""
    try:
        fields = parsedate_tz(value.decode("ascii"))
        if fields is None:
            return None
        # asctime's form has no zone, and means UTC like the others.
        return calendar.timegm((*fields[:6], 0, 0, 0)) - (fields[9] or 0)
    except (ValueError, IndexError, OverflowError, TypeError):
        return None
