"""What the adapters know without a gate: which calls are the same one, and which are too old to be proposed again."""

import time

from countersign_agents import Gate
from countersign_agents.calls import Call, ask
from countersign_agents.langgraph import _made
from langgraph.checkpoint.base.id import uuid6

NOW = time.time()


def key(framework="f", run="r", id="c", action="a.b", x=1, since=NOW):
    return Call.of(framework, run, id, action, {"x": x}, since).key


assert key() == key(since=0) == key(x=1)
others = [key(framework="g"), key(run="s"), key(id="d"), key(action="a.c"), key(x=2), key(x="1")]
assert len({key(), *others}) == 1 + len(others)
assert key(run="ra", id="c") != key(run="r", id="ac")

nobody = Gate("http://127.0.0.1:9", "key", patience=0)
young = ask(nobody, Call.of("f", "r", "c", "a.b", {}, NOW - 22 * 3600), fresh=True)
assert not young.final and young.text.startswith("NOT DONE: the gate at http://127.0.0.1:9 cannot be reached"), young
again = ask(nobody, Call.of("f", "r", "c", "a.b", {}, NOW - 22 * 3600))
assert not again.final and again.text.startswith("It is not known whether this was done: "), again
# Nobody is asked: the gate may have forgotten the key, and would take it for a new one.
old = ask(nobody, Call.of("f", "r", "c", "a.b", {}, NOW - 24 * 3600))
assert old.final and old.unknown and not old.done and old.text.startswith("It is not known"), old

assert abs(_made(str(uuid6())) - time.time()) < 5
