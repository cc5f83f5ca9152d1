"""One call of a tool as a proposal: its idempotency key, how it stands, and what the model reads.

A framework runs a tool again when a process dies, when a run is resumed, and when somebody approves it on the
framework's own side. Each of these leads here with the same key, so there is one proposal and one effect.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .client import TRANSIENT, Gate, NoAnswer, Proposal, Refused

KEY_GOOD = 23 * 3600.0
"""Seconds for which a key certainly leads to its proposal: a gate forgets it a day after the proposal was settled."""

RUN_BYTES_MAX = 255
"""What a gate takes as the label of a run."""

FOR_THE_MODEL = frozenset(
    {
        "body_too_large",
        "invalid_input",
        "malformed_request",
        "no_such_resource",
        "not_renderable",
        "preview_failed",
        "too_many_pending",
        "unknown_action",
    }
)
"""Refusals that a model can do something about, if only by going on without. All others are the operator's matter."""

TOO_OLD = (
    "It is not known whether this was done: the gate's answer was lost, and it is too late to ask for it. "
    "Do not repeat it; let a person look at the upstream."
)

NO_OBJECT = "NOT DONE: the arguments are not a JSON object."


@dataclass(frozen=True)
class Call:
    """One call of a tool, the same in every process that runs it."""

    action: str
    input: dict[str, Any]
    run: str
    """What the call belongs to: people see it, and an equal call of another run has another key."""
    key: str
    since: float
    """When it was made at the earliest, in seconds since 1970."""

    @classmethod
    def of(cls, framework: str, run: str, call_id: str, action: str, input: Mapping[str, Any], since: float) -> Call:
        """The key is over all that makes it this call. A model that uses an id twice makes two calls of it."""
        parts = [framework, run, call_id, action, dict(input)]
        text = json.dumps(parts, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
        digest = hashlib.sha256(text.encode()).hexdigest()
        return cls(action, dict(input), run, f"countersign-agents-1-{digest}", since)


@dataclass(frozen=True)
class Standing:
    """How a call stands."""

    text: str
    """What the model may read about it, true at that moment."""
    final: bool
    """Whether there is nothing to wait for."""
    done: bool = False
    unknown: bool = False
    """It was or may have been sent, and nobody knows what became of it."""
    refused: bool = False
    """The gate made no proposal of it."""
    proposal: Proposal | None = None

    def details(self) -> dict[str, Any]:
        """For the program around the agent: what waits, for whom, and where people decide."""
        body = self.proposal.body if self.proposal else {}
        names = ("id", "state", "action", "effects", "needs", "decide_by", "console_url")
        return {"message": self.text, **{name: body[name] for name in names if name in body}}


def ask(gate: Gate, call: Call, *, proposal: str | None = None, fresh: bool = False, wait: int = 20) -> Standing:
    """How a call stands. Proposes it unless its proposal is known.

    `fresh` says that this key was certainly never sent before. Raises `Refused` for what only an operator can mend:
    a wrong key, a person for whom the agent may not act. Such a request recorded nothing.
    """
    try:
        if proposal is not None:
            return of_proposal(gate.proposal(proposal))
        if time.time() - call.since > KEY_GOOD:
            return Standing(TOO_OLD, final=True, unknown=True)
        run = call.run.encode(errors="replace")[:RUN_BYTES_MAX].decode(errors="ignore")
        return of_proposal(gate.propose(call.action, call.input, idempotency_key=call.key, run=run, wait=wait))
    except NoAnswer as error:
        if fresh and not error.sent:
            return Standing(f"NOT DONE: {error}. It is proposed again; do not repeat it.", final=False)
        text = f"It is not known whether this was done: {error}. Do not repeat it; it is asked for again."
        return Standing(text, final=False)
    except Refused as refused:
        return _of_refusal(refused, fresh)


def of_proposal(proposal: Proposal) -> Standing:
    """What is said about a proposal. Only what succeeded is said to be done."""
    text, result = proposal.message, proposal.result
    if result is not None:
        text = f"{text} The upstream answered: {json.dumps(result, ensure_ascii=False)}"
    return Standing(
        text,
        final=not proposal.open,
        done=proposal.done,
        unknown=proposal.state == "unknown",
        proposal=proposal,
    )


def _of_refusal(refused: Refused, fresh: bool) -> Standing:
    if refused.code in TRANSIENT:
        return Standing(f"The gate did not take this yet: {refused.detail}. It is asked again.", final=False)
    if refused.code not in FOR_THE_MODEL:
        raise refused
    text = "; ".join([refused.detail.rstrip("."), *refused.errors]) + "."
    if fresh and not refused.repeated:
        return Standing(f"NOT DONE: {text}", final=True, refused=True)
    # An earlier request with this key may have been recorded before the rules changed.
    return Standing(f"The gate refused this request: {text}", final=True, refused=True)
