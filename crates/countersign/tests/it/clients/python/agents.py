"""An agent's story, told with the generated client alone."""

import datetime
import os

from gate_agents import AuthenticatedClient, Client
from gate_agents.api.default import actions, cancel_own, livez, list_own, propose, read_own, readyz
from gate_agents.models import (
    ActionList,
    AgentPage,
    AgentProposal,
    AnswerAllow,
    AnswerNeedsApproval,
    EffectClass,
    Group,
    Method,
    ProblemBody,
    ProposeBody,
    ProposeBodyInput,
    Ready,
    ReadyStatus,
    Reversible,
    StateName,
)
from shapes import expect, hints
from gate_agents import models

URL = os.environ["GATE_URL"]
client = AuthenticatedClient(URL, os.environ["AGENT_KEY"], timeout=60)

note = {"id": "i_1", "text": "Called back."}
price = {"id": "i_1", "price": 50_000}


def body(action, given, **more):
    return ProposeBody(action, ProposeBodyInput.from_dict(given), on_behalf_of="ann", **more)


# What the models are.
fields = hints(AgentProposal, models)
assert fields["state"] is StateName, fields["state"]
assert int in fields["status"].__args__ and datetime.datetime in fields["decide_by"].__args__, fields

# Anybody may ask whether the gate is there.
assert expect(str, livez.sync_detailed(client=Client(URL)), 200) == "ok\n"
ready = expect(Ready, readyz.sync_detailed(client=Client(URL)), 200)
assert ready.status is ReadyStatus.READY and ready.parts["store"].status is ReadyStatus.READY, ready

# What the agent may try.
known = {a.name: a for a in expect(ActionList, actions.sync_detailed(client=client, on_behalf_of="ann"), 200).actions}
assert known["shop.price.set"].effect is EffectClass.KEYED and known["shop.price.set"].reversible is Reversible.UNKNOWN, known
assert Group.FINANCIAL in known["shop.price.set"].groups
assert known["shop.note.add"].input_.to_dict()["required"] == ["id", "text"], known

# A dry run of both.
dry = expect(AgentProposal, propose.sync_detailed(client=client, body=body("shop.note.add", note, dry_run=True)), 200)
assert dry.dry_run is True and not dry.id and isinstance(dry.decision, AnswerAllow), dry
assert dry.call.method is Method.POST and dry.call.url.endswith("/items/i_1/notes"), dry
dry = expect(AgentProposal, propose.sync_detailed(client=client, body=body("shop.price.set", price, dry_run=True)), 200)
assert isinstance(dry.decision, AnswerNeedsApproval), dry

# Allowed: done at once, and done once.
for _ in range(2):
    answer = propose.sync_detailed(client=client, body=body("shop.note.add", note), idempotency_key="note 1")
    done = expect(AgentProposal, answer, 200)
    assert done.state is StateName.SUCCEEDED and done.status == 200 and done.result == {"ok": True}, done

# Waiting for people: listed, read and withdrawn.
waits = expect(AgentProposal, propose.sync_detailed(client=client, body=body("shop.price.set", price), wait=0), 202)
assert waits.state is StateName.PENDING and isinstance(waits.decide_by, datetime.datetime), waits
assert [(need.rule, need.have, need.want) for need in waits.needs] == [("finance", 0, 1)], waits
page = expect(AgentPage, list_own.sync_detailed(client=client, state="pending,ready", limit=5), 200)
assert [(one.id, one.state) for one in page.proposals] == [(waits.id, StateName.PENDING)], page
assert isinstance(page.proposals[0].created_at, datetime.datetime) and page.next_ is None, page
assert expect(AgentProposal, read_own.sync_detailed(waits.id, client=client), 200).intent == waits.intent
gone = expect(AgentProposal, cancel_own.sync_detailed(waits.id, client=client), 200)
assert gone.state is StateName.CANCELLED, gone


# What is refused is a problem with a code.
def problem(answer, status, code):
    found = expect(ProblemBody, answer, status)
    assert (found.status, found.code) == (status, code), found
    return found


wrong = problem(propose.sync_detailed(client=client, body=body("shop.note.add", {"id": "i_1"})), 422, "invalid_input")
assert "`text`" in wrong.errors[0].detail, wrong
denied = problem(propose.sync_detailed(client=client, body=body("shop.item.delete", {"id": "i_1"})), 403, "denied")
assert denied.proposal.state is StateName.DENIED and denied.policies[0].id == "no-deletes", denied
problem(cancel_own.sync_detailed(waits.id, client=client), 409, "wrong_state")
nobody = AuthenticatedClient(URL, "csk_nobody")
problem(list_own.sync_detailed(client=nobody), 401, "unauthenticated")
