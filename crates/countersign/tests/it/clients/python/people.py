"""The people's story, told with the generated client alone. Three proposals wait when it begins."""

import datetime
import os

from gate_people import AuthenticatedClient, Client, models
from gate_people.api.default import (
    approve,
    checkpoint,
    confirm,
    counts,
    entries,
    export,
    history,
    list_,
    me,
    read,
    reject,
    sign_in,
    sign_out,
)
from gate_people.models import (
    ActorPerson,
    CallHttp,
    ConfirmBody,
    Counts,
    Done,
    EventCode,
    ListOrder,
    LogEntries,
    Me,
    Method,
    NewSession,
    PersonPage,
    PersonProposal,
    ProblemBody,
    SignInBody,
    StateName,
    StatePending,
    StateRejected,
    StateSucceeded,
    VerdictBody,
)
from shapes import expect, hints

URL = os.environ["GATE_URL"]


def signed_in(person):
    link = SignInBody(os.environ[f"LINK_{person.upper()}"])
    session = expect(NewSession, sign_in.sync_detailed(client=Client(URL), body=link), 200)
    assert session.person == person, session
    return AuthenticatedClient(URL, session.session, timeout=60)


def shown(proposal, client):
    return expect(PersonProposal, read.sync_detailed(proposal, client=client), 200)


def verdict(proposal, comment):
    return VerdictBody(proposal.card.intent, proposal.card.decision, proposal.view, comment)


def problem(answer, status, code):
    found = expect(ProblemBody, answer, status)
    assert (found.status, found.code) == (status, code), found
    return found


# What the models are.
fields = hints(PersonProposal, models)
assert fields["version"] is int and fields["created_at"] is datetime.datetime, fields
assert StatePending in fields["state"].__args__ and hints(models.PersonSummary, models)["state"] is StateName

ann, frank, olga = signed_in("ann"), signed_in("frank"), signed_in("olga")
who = expect(Me, me.sync_detailed(client=frank), 200)
assert (who.person, who.name) == ("frank", "Frank Field"), who

# The inbox, in the order of its deadlines.
inbox = expect(PersonPage, list_.sync_detailed(client=frank, order=ListOrder.DUE), 200)
first, second, third = [item.id for item in inbox.proposals]
assert all(item.yours and item.state is StateName.PENDING for item in inbox.proposals), inbox
assert isinstance(inbox.proposals[0].due, datetime.datetime) and inbox.proposals[0].risk.amount, inbox

# Reads one, and approves what was shown.
seen = shown(first, frank)
assert seen.yours and isinstance(seen.state, StatePending) and seen.state.standing[0].want == 1, seen
assert isinstance(seen.card.call, CallHttp) and seen.card.call.method is Method.PUT, seen.card
assert seen.card.preview.patch[0].to_dict()["path"] == "/price", seen.card
agreed = expect(PersonProposal, approve.sync_detailed(first, client=frank, body=verdict(seen, "Fine.")), 200)
assert [(a.person, a.comment) for a in agreed.approvals] == [("frank", "Fine.")], agreed
done = expect(PersonProposal, read.sync_detailed(first, client=frank, wait=30), 200)
assert isinstance(done.state, StateSucceeded) and done.response.status == 200, done

# Rejects another; what was not shown is refused first.
seen = shown(second, frank)
other = verdict(done, "No.")
stale = problem(reject.sync_detailed(second, client=frank, body=other), 409, "stale")
assert stale.now.intent == seen.card.intent, stale
no = expect(PersonProposal, reject.sync_detailed(second, client=frank, body=verdict(seen, "No.")), 200)
assert isinstance(no.state, StateRejected), no
problem(approve.sync_detailed(second, client=frank, body=verdict(seen, "Yes.")), 409, "wrong_state")

# The person whom the agent named says that the third is for them.
claimed = shown(third, ann)
assert claimed.confirm and not claimed.yours, claimed
named = expect(PersonProposal, confirm.sync_detailed(third, client=ann, body=ConfirmBody(claimed.card.intent)), 200)
assert isinstance(named.state, StatePending) and not named.confirm, named
problem(approve.sync_detailed(third, client=ann, body=verdict(named, "")), 403, "not_eligible")

# The log.
events = [e.entry for e in expect(LogEntries, history.sync_detailed(first, client=olga), 200).entries]
assert EventCode.PROPOSAL_APPROVED in [entry.event for entry in events], events
assert any(isinstance(entry.actor, ActorPerson) for entry in events), events
start = expect(LogEntries, entries.sync_detailed(client=olga, from_=0), 200).entries[0]
assert start.index == 0 and start.entry.event is EventCode.GATE_STARTED, start
assert expect(str, checkpoint.sync_detailed(client=olga), 200).startswith("gate.test\n")
assert expect(str, export.sync_detailed(client=olga), 200)
problem(entries.sync_detailed(client=frank), 403, "not_permitted")
found = expect(Counts, counts.sync_detailed(client=olga), 200)
assert found.counts["succeeded"] == 1 and isinstance(found.writes.commits, int), found

# Ends the session.
expect(Done, sign_out.sync_detailed(client=frank), 200)
problem(me.sync_detailed(client=frank), 401, "unauthenticated")
