"""Byte ranges: RFC 9110, section 14."""

import re

_RANGE = re.compile(rb"([0-9]*)-([0-9]*)")


def parse_range(value: bytes, size: int, limit: int) -> list[tuple[int, int]] | None:
    """Which parts of a file of `size` bytes the Range field `value` asks for.

    Returns pairs (start, stop), stop excluded, in the order asked for; an empty list when no range
    can be satisfied (416); and None when the field is to be ignored: another unit, malformed, more
    than `limit` ranges, or ranges that overlap so much that they would send more than the whole
    file (section 17.15 calls those an attack). An empty file has no bytes to number, so there every
    field is ignored: clients that send `bytes=0-` with each request get their empty file.
    """
    unit, equals, specs = value.partition(b"=")
    if not equals or unit.lower() != b"bytes" or not size:
        return None
    ranges = []
    count = total = 0
    for element in specs.split(b","):
        spec = element.strip(b" \t")
        if not spec:
            continue  # a list may have empty elements: section 5.6.1.2
        count += 1
        match = _RANGE.fullmatch(spec)
        if match is None or count > limit:
            return None
        first, last = match.groups()
        if first:
            start, stop = _number(first), size
            if last:
                if _number(last) < start:
                    return None
                stop = min(_number(last) + 1, size)
        elif last:
            start, stop = max(size - _number(last), 0), size
        else:
            return None
        if start < stop:
            ranges.append((start, stop))
            total += stop - start
    if not count or total > size:
        return None
    return ranges


def _number(digits: bytes) -> int:
    # No file is longer than 2^63 bytes, and int() refuses strings of thousands of digits.
    digits = digits.lstrip(b"0")
    return int(digits or b"0") if len(digits) < 20 else 1 << 63
