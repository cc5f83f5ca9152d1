"""The agents' API of a gate: list actions, propose, ask, withdraw.

Every answer is true. What the gate said is a `Proposal` or `Refused`. When its answer was lost, nobody knows what
became of the request: that is `NoAnswer`, and never "not done". A proposal is sent again with the same idempotency key
only.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

OPEN = frozenset({"pending", "ready", "dispatched"})
"""The states that something may still become of. Every other one is an end."""

TRANSIENT = frozenset({"busy", "unavailable", "limit_reached"})
"""Refusals that say: nothing was recorded by this request, send it again later."""

UNCLEAR = frozenset({"in_doubt", "internal", "idempotency_key_in_progress"})
"""Problems after which the same request, with its key, may turn out to have been recorded."""

WAIT_MAX = 60
"""Seconds for which a gate holds a request at most."""

_GRACE = 20.0
"""Seconds that a gate may need beside the time it was asked to wait: to record an outcome, to clear up a doubt."""


class GateError(Exception):
    """Why there is no proposal to show."""


class NoAnswer(GateError):
    """The gate's answer did not come. Send the same request with the same idempotency key again, or ask for the id."""

    def __init__(self, detail: str, *, sent: bool = True) -> None:
        super().__init__(detail)
        self.sent = sent
        """Whether the request may have reached the gate."""


class Refused(GateError):
    """The gate's own no: this request recorded nothing."""

    def __init__(self, status: int, problem: Mapping[str, Any], retry_after: float | None = None) -> None:
        self.status = status
        self.code = str(problem.get("code", ""))
        self.detail = str(problem.get("detail", ""))
        self.message = str(problem.get("message") or self.detail)
        self.next = str(problem.get("next", ""))
        self.problem = dict(problem)
        self.retry_after = retry_after
        self.repeated = False
        """Whether an earlier request with this key was sent and its answer lost: that one may have been recorded."""
        super().__init__(f"{self.message} ({status} {self.code})")

    @property
    def errors(self) -> list[str]:
        """What is wrong with the input, each with its place."""
        errors = self.problem.get("errors") or []
        return [f"at `{error.get('pointer', '')}`: {error.get('detail', '')}" for error in errors]


@dataclass(frozen=True)
class Action:
    """What an agent may propose."""

    name: str
    title: str
    description: str
    input: dict[str, Any]
    """JSON Schema 2020-12."""

    @property
    def tool(self) -> str:
        """The name of its tool: models take no dots."""
        return self.name.replace(".", "_")


@dataclass(frozen=True)
class Proposal:
    """A proposal as the gate showed it last."""

    id: str
    state: str
    message: str
    """What happened and what to do. Begins with NOT DONE when nothing was done."""
    body: dict[str, Any] = field(repr=False)
    """The whole answer: `effects`, `needs`, `decide_by`, `console_url`, `result`, …"""

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Proposal:
        """From an answer of the gate. Raises `NoAnswer` when it is none."""
        try:
            return cls(str(body["id"]), str(body["state"]), str(body["message"]), dict(body))
        except KeyError as missing:
            raise NoAnswer(f"the answer has no {missing}") from missing

    @property
    def open(self) -> bool:
        """Whether something may still become of it."""
        return self.state in OPEN

    @property
    def done(self) -> bool:
        """Whether the upstream said that it is done."""
        return self.state == "succeeded"

    @property
    def result(self) -> Any:
        """The upstream's answer, once there is one."""
        return self.body.get("result")


class Gate:
    """A gate, and who asks it: one agent by its key, for one person."""

    def __init__(
        self,
        url: str,
        key: str | Callable[[], str],
        *,
        on_behalf_of: str | None = None,
        patience: float = 30.0,
    ) -> None:
        """`key` is the agent's key, or a function that gives an access token that is good now.

        `patience` is how many seconds a request is sent again for while the gate does not answer or is busy.
        """
        self.url = url.rstrip("/")
        self.on_behalf_of = on_behalf_of
        self.patience = patience
        self._key = key
        self._http = httpx.Client(base_url=self.url)

    @classmethod
    def from_environment(cls, *, on_behalf_of: str | None = None, patience: float = 30.0) -> Gate:
        """By `COUNTERSIGN_URL` and `COUNTERSIGN_KEY_FILE`, as the command line does."""
        key_file = Path(os.environ["COUNTERSIGN_KEY_FILE"])
        url = os.environ["COUNTERSIGN_URL"]
        return cls(url, lambda: key_file.read_text().strip(), on_behalf_of=on_behalf_of, patience=patience)

    def close(self) -> None:
        """Closes its connections."""
        self._http.close()

    def actions(self) -> list[Action]:
        """What this agent may propose for this person."""
        query = {} if self.on_behalf_of is None else {"on_behalf_of": self.on_behalf_of}
        body = self._patiently(lambda: self._send("GET", "/v1/actions", params=query))
        try:
            return [Action(a["name"], a["title"], a["description"], a["input"]) for a in body["actions"]]
        except (KeyError, TypeError) as error:
            raise NoAnswer("the answer is no list of actions") from error

    def propose(
        self,
        action: str,
        input: Mapping[str, Any],
        *,
        idempotency_key: str,
        run: str | None = None,
        reason: str | None = None,
        evidence: Sequence[Mapping[str, Any]] = (),
        wait: int = 20,
    ) -> Proposal:
        """Proposes, and waits up to `wait` seconds for the call that policy allows, never for people.

        The same key with the same arguments gives the proposal that it made, for a day after that was settled.
        Raises `Refused`, or `NoAnswer`: then call this again with the same key.
        """
        body: dict[str, Any] = {"action": action, "input": dict(input)}
        optional = {"on_behalf_of": self.on_behalf_of, "run": run, "reason": reason, "evidence": list(evidence)}
        body |= {name: value for name, value in optional.items() if value}
        headers = {"Idempotency-Key": idempotency_key, "Prefer": f"wait={wait}"}
        answer = self._patiently(lambda: self._send("POST", "/v1/proposals", body, headers=headers, wait=wait))
        return Proposal.of(answer)

    def proposal(self, id: str, *, wait: int = 0) -> Proposal:
        """How a proposal stands. Waits up to `wait` seconds, 60 at most, until it is settled, by people too."""
        wait = min(wait, WAIT_MAX)
        params = {"wait": str(wait)} if wait else {}
        return Proposal.of(self._patiently(lambda: self._send("GET", f"/v1/proposals/{id}", params=params, wait=wait)))

    def cancel(self, id: str) -> Proposal:
        """Withdraws what was not sent yet. Raises `Refused` with the code `wrong_state` when it was."""
        return Proposal.of(self._send("POST", f"/v1/proposals/{id}/cancel"))

    def _patiently(self, send: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Sends the same request again while the gate is away, busy or in doubt."""
        end, pause, lost = time.monotonic() + self.patience, 0.2, None
        while True:
            try:
                return send()
            except NoAnswer as error:
                stop: GateError = error
                lost = error if error.sent else lost
                after = pause
            except Refused as refused:
                refused.repeated = lost is not None
                if refused.code not in TRANSIENT:
                    raise
                stop, after = refused, refused.retry_after or pause
            if time.monotonic() + after > end:
                # A refusal for now does not say what became of a request whose answer was lost.
                raise lost or stop
            time.sleep(after)
            pause = min(pause * 2, 5.0)

    def _send(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        wait: float = 0,
    ) -> dict[str, Any]:
        """One request and the JSON of its answer: of a problem, the proposal in it."""
        key = self._key if isinstance(self._key, str) else self._key()
        headers = {"Authorization": f"Bearer {key}", **(headers or {})}
        try:
            content = None
            if body is not None:
                content = json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
                headers["Content-Type"] = "application/json"
        except ValueError as error:  # NaN, or half of a surrogate pair
            problem = {"code": "malformed_request", "detail": f"the input is no JSON: {error}", "next": "change_input"}
            raise Refused(400, problem) from error
        timeout = httpx.Timeout(10.0, read=wait + _GRACE)
        try:
            answer = self._http.request(
                method, path, content=content, headers=headers, params=dict(params or {}), timeout=timeout
            )
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise NoAnswer(f"the gate at {self.url} cannot be reached: {error}", sent=False) from error
        except httpx.HTTPError as error:
            raise NoAnswer(f"the answer of the gate at {self.url} was lost: {error!r}") from error
        return self._read(answer)

    def _read(self, answer: httpx.Response) -> dict[str, Any]:
        try:
            body = answer.json()
        except ValueError:
            body = None
        if not isinstance(body, dict):
            # A proxy's page says nothing about what the gate did.
            raise NoAnswer(f"{self.url} answered {answer.status_code} with something that is not the gate's")
        if answer.is_success:
            return body
        if isinstance(body.get("proposal"), dict):
            return body["proposal"]
        if "code" not in body or body["code"] in UNCLEAR:
            raise NoAnswer(str(body.get("detail", f"{self.url} answered {answer.status_code}")))
        try:
            retry_after = float(answer.headers.get("Retry-After", ""))
        except ValueError:
            retry_after = None
        raise Refused(answer.status_code, body, retry_after)
