#!/usr/bin/env python3
"""Makes the vectors of approval by code (docs/offline.md) with nothing but the standard library.

Prints what is in the file 'codes' beside it: jit_core is tested against that file, and the file against this.
"""

import base64
import hashlib
import hmac

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
MINUTES = [5, 10, 15, 20, 30, 40, 45, 60, 75, 90, 105, 120, 150, 180, 210, 240, 300, 360, 420, 480, 540, 600,
           720, 960, 1200, 1440, 2160, 2880, 4320, 10080]


def prefixed(*texts):
    """Each text behind its length in two bytes."""
    return b"".join(len(text.encode()).to_bytes(2, "big") + text.encode() for text in texts)


def symbols(data):
    """Bytes as numbers below 32, from the first bit; the last one is filled with zeros."""
    bits = "".join(f"{byte:08b}" for byte in data)
    bits += "0" * (-len(bits) % 5)
    return [int(bits[at:at + 5], 2) for at in range(0, len(bits), 5)]


EXP = [1]
for _ in range(30):
    double = EXP[-1] << 1
    EXP.append(double ^ 0b100101 if double & 32 else double)
LOG = {value: power for power, value in enumerate(EXP)}


def times(left, right):
    return EXP[(LOG[left] + LOG[right]) % 31] if left and right else 0


def checked(values):
    """Two symbols more, such that the polynomial is 0 at a and a**2: found by trying."""
    def at(poly, point):
        total = 0
        for value in poly:
            total = times(total, point) ^ value
        return total
    for high in range(32):
        for low in range(32):
            whole = values + [high, low]
            if at(whole, EXP[1]) == 0 and at(whole, EXP[2]) == 0:
                return whole
    raise AssertionError("there is always one")


def grouped(values):
    text = "".join(ALPHABET[value] for value in values)
    return "-".join(text[at:at + 4] for at in range(0, len(text), 4))


def hkdf(secret, info, length):
    """RFC 5869 with SHA-256 and no salt; a block is enough."""
    inner = hmac.new(b"\0" * 32, secret, hashlib.sha256).digest()
    return hmac.new(inner, info + b"\1", hashlib.sha256).digest()[:length]


def host_key_for(secret, host_key, epoch):
    return hkdf(secret, prefixed("jitd.code-key.v1", host_key, str(epoch)), 16)


def answer(key, host_key, epoch, principal, slot, bucket, user, role, seconds, start, code):
    decision = "approve" if bucket else "deny"
    text = prefixed("jitd.code.v1", host_key, str(epoch), principal, str(slot), str(bucket), decision, user,
                    role, str(seconds), start, code.replace("-", ""))
    mac = symbols(hmac.new(key, text, hashlib.sha256).digest())[:10]
    return grouped(checked([slot, bucket] + mac))


def main():
    cases = [
        # name, slot, principal, epoch, bucket, user, role, seconds, start
        ("as asked", 0, "olga@site-a", 1, 1, "maria", "press", 3600, "at-approval"),
        ("denied", 0, "olga@site-a", 1, 0, "maria", "press", 3600, "at-approval"),
        ("for 15 minutes", 31, "sam", 1, 2 + MINUTES.index(15), "maria", "press", 3600, "at-approval"),
        ("for a week", 7, "sam", 999999, 31, "maria", "db-oncall", 1209600, "extends"),
        ("at a time", 7, "sam", 2, 1, "maria", "db-oncall", 5400, "2026-11-23T08:00:00Z"),
        ("another name", 7, "sam", 2, 1, "adm-maria", "db-oncall", 5400, "at-approval"),
    ]
    for number, (name, slot, principal, epoch, bucket, user, role, seconds, start) in enumerate(cases):
        secret = hashlib.sha256(f"secret {number % 3}".encode()).digest()
        fingerprint = hashlib.sha256(f"host {number % 2}".encode()).digest()
        host_key = "SHA256:" + base64.b64encode(fingerprint).decode().rstrip("=")
        digest = hashlib.sha256(f"request {number}".encode()).digest()
        key = host_key_for(secret, host_key, epoch)
        code = grouped(checked(symbols(digest)[:10]))
        fields = {
            "case": name, "secret": secret.hex(), "host-key": host_key, "epoch": epoch, "principal": principal,
            "slot": slot, "bucket": bucket, "digest": digest.hex(), "user": user, "role": role,
            "seconds": seconds, "start": start, "key": grouped(checked(symbols(key))), "request-code": code,
            "answer": answer(key, host_key, epoch, principal, slot, bucket, user, role, seconds, start, code),
        }
        print("".join(f"{label}: {value}\n" for label, value in fields.items()))


if __name__ == "__main__":
    main()
