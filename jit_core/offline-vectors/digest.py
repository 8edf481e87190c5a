#!/usr/bin/env python3
"""Says whether the digest in the file of a request is that of the request in it (docs/offline.md): digest.py FILE

Whoever writes a statement without jitctl runs this first. With nothing but the standard library.
"""

import hashlib
import sys

from compact import seconds, unescaped


def digest(of):
    fields = [
        ("id", of["request"]),
        ("host", of["host"]),
        ("user", unescaped(of["user"])),
        ("uid", of["uid"]),
        ("role", of["role"]),
        ("terms", of["terms"]),
        ("services", of["services"]),
        ("uses", of["uses"]),
        ("duration", str(seconds(of["duration"]))),
        ("start", None if of["start"] == "at-approval" else of["start"]),
        ("extends", None if of["extends"] == "none" else of["extends"]),
        ("filed-by", unescaped(of["filed-by"])),
        ("filed-by-uid", of["filed-by-uid"]),
        ("filed-at", of["filed-at"]),
        ("reason", unescaped(of["reason"])),
    ]
    lines = (f"{label}: {value}\n" for label, value in fields if value is not None)
    return hashlib.sha256(("jitd.request.v1\n" + "".join(lines)).encode()).hexdigest()


def main():
    with open(sys.argv[1], encoding="ascii", newline="\n") as file:
        lines = file.read().splitlines()[1:]
    of = dict(line.split(": ", 1) for line in lines)
    if digest(of) != of["digest"]:
        sys.exit(f"{sys.argv[1]}: the digest is not that of the request in this file")
    print(f"{sys.argv[1]}: the digest is that of the request in this file")


if __name__ == "__main__":
    main()
