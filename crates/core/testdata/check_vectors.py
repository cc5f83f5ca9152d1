"""Makes every known answer again from what the architecture document says, with nothing but Python's own library.

usage: check_vectors.py vectors.json

Exits with 1 and names the answer when one is not the same, or when a field could change without changing it.
"""

import base64
import copy
import hashlib
import hmac
import json
import math
import struct
import sys


def number(value):
    """A number as ECMAScript prints it (RFC 8785, section 3.2.2.3)."""
    if isinstance(value, int):
        return str(value)
    if value == 0:
        return "0"
    if not math.isfinite(value):
        raise ValueError("not a number of JSON")
    digits, _, exponent = f"{value:.17e}".partition("e")
    # The shortest digits that read back as the same number.
    for precision in range(17):
        text = f"{value:.{precision}e}"
        if float(text) == value:
            digits, _, exponent = text.partition("e")
            break
    sign = "-" if digits.startswith("-") else ""
    digits = digits.lstrip("-").replace(".", "").rstrip("0") or "0"
    point = int(exponent) + 1
    if len(digits) <= point <= 21:
        return sign + digits + "0" * (point - len(digits))
    if 0 < point <= 21:
        return sign + digits[:point] + "." + digits[point:]
    if -6 < point <= 0:
        return sign + "0." + "0" * -point + digits
    power = point - 1
    mantissa = digits[0] + ("." + digits[1:] if len(digits) > 1 else "")
    return f"{sign}{mantissa}e{'+' if power > 0 else '-'}{abs(power)}"


def jcs(value):
    """Canonical JSON (RFC 8785)."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, (int, float)):
        return number(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list):
        return "[" + ",".join(map(jcs, value)) + "]"
    keys = sorted(value, key=lambda key: key.encode("utf-16-be"))
    return "{" + ",".join(jcs(key) + ":" + jcs(value[key]) for key in keys) + "}"


def field(data):
    return struct.pack(">Q", len(data)) + data


def encoded(one):
    """The bytes of one field of a vector, with their lengths."""
    [(kind, value)] = one.items()
    if kind == "utf8":
        return field(value.encode())
    if kind == "hex":
        return field(bytes.fromhex(value))
    if kind == "jcs":
        return field(jcs(value).encode())
    if kind == "part_v1":
        return field(hashlib.sha256(b"countersign/part/v1\n" + field(value.encode())).digest())
    if kind == "list":
        return field(struct.pack(">Q", len(value))) + b"".join(field(item.encode()) for item in value)
    raise ValueError(kind)


def digest(domain, fields):
    data = domain.encode() + b"\n" + b"".join(map(encoded, fields))
    return "sha256:" + hashlib.sha256(data).hexdigest()


def moved(value):
    """Every value that differs from this one in one place."""
    if isinstance(value, dict):
        for key in value:
            for other in moved(value[key]):
                yield {**value, key: other}
    elif isinstance(value, list):
        yield value + ["more"]
        for at, item in enumerate(value):
            for other in moved(item):
                yield value[:at] + [other] + value[at + 1 :]
    elif isinstance(value, bool):
        yield not value
    elif isinstance(value, (int, float)):
        yield value + 1
    elif value is None:
        yield "something"
    else:
        yield value + "x"


def check_digest(vector):
    name, domain = vector["name"], vector["domain"]
    fields = vector["fields"]
    assert digest(domain, fields) == vector["digest"], f"{name}: another digest"
    for at, one in enumerate(fields):
        [(kind, value)] = one.items()
        others = [value[:-1] + ("0" if value[-1] != "0" else "1")] if kind == "hex" else moved(value)
        for other in others:
            changed = copy.deepcopy(fields)
            changed[at] = {kind: other}
            assert digest(domain, changed) != vector["digest"], f"{name}: field {at} does not matter"


def check_log(log):
    leaves = []
    for at, body in enumerate(log["bodies"], log["first_at"]):
        data = b"countersign/leaf/v1\n" + struct.pack(">q", at) + hashlib.sha256(body.encode()).digest()
        leaves.append(hashlib.sha256(b"\x00" + data).digest())
    assert ["sha256:" + leaf.hex() for leaf in leaves] == log["leaves"], "another leaf hash"
    root = tree(leaves)
    assert "sha256:" + root.hex() == log["root"], "another root"
    head = f"gate.example/log\n{len(leaves)}\n{base64.b64encode(root).decode()}\n"
    assert log["note"].startswith(head + "\n"), "another checkpoint"
    # The key's hash of a C2SP signed note; Python has no Ed25519 of its own.
    name, key_hash, key = log["vkey"].split("+", 2)
    raw = base64.b64decode(key)
    assert hashlib.sha256(name.encode() + b"\n" + raw).digest()[:4].hex() == key_hash, "another key hash"


def tree(hashes):
    """The root of RFC 6962, section 2.1."""
    if len(hashes) == 1:
        return hashes[0]
    half = 1 << ((len(hashes) - 1).bit_length() - 1)
    return hashlib.sha256(b"\x01" + tree(hashes[:half]) + tree(hashes[half:])).digest()


def check_mac(mac):
    """`key id ‖ HMAC-SHA-256` over purpose, origin, key id and the fields, each with its length."""
    key = bytes.fromhex(mac["key"])
    key_id = hashlib.sha256(b"countersign/seal-key/v1\n" + field(key)).digest()[:4]
    data = field(mac["purpose"].encode()) + field(mac["origin"].encode()) + field(key_id)
    data += b"".join(map(encoded, mac["fields"]))
    assert (key_id + hmac.digest(key, data, "sha256")).hex() == mac["code"], f"{mac['purpose']}: another code"


def main():
    with open(sys.argv[1], encoding="utf-8") as source:
        vectors = json.load(source)
    for vector in vectors.get("digests", []):
        check_digest(vector)
    for document in vectors.get("canonical", []):
        found = jcs(json.loads(document["text"]))
        assert found == document["canonical"], f"{document['text']}: {found}"
    if "log" in vectors:
        check_log(vectors["log"])
    for mac in vectors.get("macs", []):
        check_mac(mac)
    print(f"{sum(len(v) for v in vectors.values())} known answers, all the same")


try:
    main()
except AssertionError as error:
    sys.exit(str(error))
