#!/usr/bin/env python3
"""Makes the compact form (docs/offline.md) of the request beside it, with nothing but the standard library.

Prints what is in the file 'compact': jit_core is tested against that file, and the file against this.
"""

import base64
import hashlib
import pathlib
import re
from datetime import datetime, timezone

from codes import ALPHABET, checked, symbols


def number(value):
    groups = [value & 0x7f]
    while value := value >> 7:
        groups.append(value & 0x7f | 0x80)
    return bytes(reversed(groups))


def text(value):
    return number(len(value.encode())) + value.encode()


def identifier(value):
    bits = 0
    for letter in value[2:].upper():
        bits = bits << 5 | ALPHABET.index(letter)
    return bits.to_bytes(5, "big")


def time(value):
    form = "%Y-%m-%dT%H:%M:%S.%fZ" if "." in value else "%Y-%m-%dT%H:%M:%SZ"
    moment = datetime.strptime(value, form).replace(tzinfo=timezone.utc)
    return number(round(moment.timestamp() * 1000))


def optional(value, written):
    return b"\1" + written(value) if value is not None else b"\0"


def seconds(value):
    units = {"d": 86400, "h": 3600, "m": 60, "s": 1}
    total, digits = 0, ""
    for letter in value:
        if letter.isdigit():
            digits += letter
        else:
            total, digits = total + int(digits) * units[letter], ""
    return total


def unescaped(value):
    """Backslashes are doubled in a file, and what is not ASCII is \\u{HEX}."""
    return re.sub(r"\\(\\|u\{([0-9a-f]+)\})", lambda m: chr(int(m[2], 16)) if m[2] else "\\", value)


def rows(kind, payload):
    held = symbols(payload)
    end = symbols(hashlib.sha256(bytes([kind]) + payload).digest())[:3]
    count = -(-(2 + len(held) + 3) // 27)
    whole = [count, kind] + held + end
    for at in range(count):
        row = checked([at] + whole[27 * at:27 * at + 27])
        letters = "".join(ALPHABET[value] for value in row)
        yield "-".join(letters[at:at + 5] for at in range(0, len(letters), 5))


def main():
    lines = (pathlib.Path(__file__).parent / "r-4k7m2qx9.req").read_text().splitlines()[1:]
    of = dict(line.split(": ", 1) for line in lines)
    own = (of["filed-by"], of["filed-by-uid"]) == (of["user"], of["uid"])
    payload = b"".join([
        text(of["host"]),
        base64.b64decode(of["host-key"].removeprefix("SHA256:") + "="),
        identifier(of["request"]),
        bytes.fromhex(of["nonce"]),
        text(unescaped(of["user"])),
        number(int(of["uid"])),
        text(of["role"]),
        bytes.fromhex(of["terms"]),
        text(of["services"]),
        number(0 if of["uses"] == "unlimited" else int(of["uses"])),
        number(seconds(of["duration"])),
        optional(None if of["start"] == "at-approval" else of["start"], time),
        optional(None if of["extends"] == "none" else of["extends"], identifier),
        optional(None if own else of, lambda of: text(unescaped(of["filed-by"])) + number(int(of["filed-by-uid"]))),
        time(of["filed-at"]),
        time(of["expires"]),
        text(unescaped(of["reason"])),
    ])
    for row in rows(1, payload):
        print(row)


if __name__ == "__main__":
    main()
