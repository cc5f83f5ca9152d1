"""What schemathesis is helped with, so that its requests reach further than the first refusal."""

import schemathesis

INPUTS = {
    "shop.item.read": {"id": "i_1"},
    "shop.note.add": {"id": "i_1", "text": "Called back."},
    "shop.price.set": {"id": "i_1", "price": 50_000},
    "shop.item.delete": {"id": "i_1"},
}
# Beyond it readers of JSON disagree.
LARGEST = 2**53 - 1


@schemathesis.hook
def before_load_schema(context, schema):
    """Statuses that no operation names would all count as documented by `default`, which is there for proxies."""
    for operations in schema["paths"].values():
        for operation in operations.values():
            del operation["responses"]["default"]


def plain(value):
    """The gate's reader refuses what other readers may disagree about, which a JSON Schema cannot say.

    These are exponents, large integers, and keys that are not normalized or differ from another by their case only.
    """
    if isinstance(value, dict):
        keys = [key if key.isascii() and key == key.lower() else f"key-{at}" for at, key in enumerate(value)]
        return {key: plain(one) for key, one in zip(keys, value.values())}
    if isinstance(value, list):
        return [plain(one) for one in value]
    if isinstance(value, float) or (isinstance(value, int) and abs(value) > LARGEST):
        return 0
    return value


@schemathesis.hook
def map_body(context, body):
    """Gives half of the proposals that name an action an input that fits it."""
    body = plain(body)
    if isinstance(body, dict) and isinstance(body.get("input"), dict) and len(body["input"]) % 2 == 0:
        action = body.get("action")
        body["input"] = INPUTS.get(action, body["input"]) if isinstance(action, str) else body["input"]
    return body


@schemathesis.hook
def before_call(context, case, kwargs):
    """Waits for nothing: some proposals stay as they are until somebody decides."""
    if case.query and str(case.query.get("wait")) in map(str, range(1, 61)):
        case.query["wait"] = 0
