"""Tools for the OpenAI Agents SDK.

A call that waits for people pauses the run with the SDK's own interruption. What the gate decided, and nothing that is
said to the SDK, makes the call happen: the gate makes it, once, whatever the agent's process does.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import Iterable, Mapping, MutableMapping
from dataclasses import dataclass, replace
from typing import Any

from agents import FunctionTool, RunContextWrapper, RunState
from agents.items import ToolApprovalItem
from agents.tool_context import ToolContext

from .calls import NO_OBJECT, Call, Standing, ask
from .client import Action, Gate

MEMORY = "countersign"
"""Where the adapter keeps its notes in the run's context, which the SDK saves with the state of the run."""


@dataclass(frozen=True)
class Waiting:
    """An interruption that the gate has not settled yet."""

    item: ToolApprovalItem
    standing: Standing


def new_run(context: Mapping[str, Any] | None = None, *, run: str | None = None) -> dict[str, Any]:
    """The context of a new run: yours, if you have one, and the adapter's notes. Give it to `Runner.run`.

    `run` is a name that people see; a random one is made when there is none. Never use one for two runs.
    """
    return {**(context or {}), MEMORY: {"run": run or f"run-{secrets.token_hex(16)}", "calls": {}}}


class GateTools:
    """The actions of a gate as tools, and what to do when a run is resumed."""

    def __init__(self, gate: Gate, *, only: Iterable[str] | None = None, wait: int = 20) -> None:
        """Asks the gate what there is. `only` names the actions to take; `wait` is how many seconds a call may take."""
        self.gate, self.wait = gate, wait
        names = None if only is None else set(only)
        self.actions = {a.tool: a for a in gate.actions() if names is None or a.name in names}
        if names is not None and (missing := names - {a.name for a in self.actions.values()}):
            raise ValueError(f"the gate does not offer {', '.join(sorted(missing))} to this agent")
        self.tools = [self._tool(action) for action in self.actions.values()]
        # How calls ended that the SDK is about to run, so that it reads what was just found out.
        self._ended: dict[str, Standing] = {}

    async def settle(self, state: RunState[Any, Any]) -> list[Waiting]:
        """Asks the gate about each interruption of its tools, and tells the state what is settled.

        What was done, and what nobody knows, is approved, so that the tool says so; what was not done is rejected with
        the gate's words. What still waits is left alone and returned. Then run the agent with the state, or save it.
        """
        waiting = []
        for item in state.get_interruptions():
            action = self._action(item)
            if action is None:
                continue
            input = _object(item.arguments)
            if input is None:
                state.reject(item, rejection_message=NO_OBJECT)
                continue
            # The SDK has no public way to a state's context.
            context = state._context.context if state._context else None
            call_id = item.call_id or ""
            key, standing = await asyncio.to_thread(self._ask, context, action, input, call_id)
            if not standing.final:
                waiting.append(Waiting(item, standing))
            elif standing.done or standing.unknown:
                self._ended[key] = standing
                state.approve(item)
            else:
                state.reject(item, rejection_message=standing.text)
        return waiting

    def _action(self, item: ToolApprovalItem) -> Action | None:
        """The action of an interruption, unless its agent has another tool of the same name."""
        tool = next((tool for tool in self.tools if tool.name == item.tool_name), None)
        own = getattr(item.agent, "tools", ())
        return self.actions[tool.name] if tool is not None and any(t is tool for t in own) else None

    def _tool(self, action: Action) -> FunctionTool:
        async def waits(context: RunContextWrapper[Any], input: dict[str, Any], call_id: str) -> bool:
            key, standing = await asyncio.to_thread(self._ask, context.context, action, input, call_id)
            if standing.final:
                self._ended[key] = standing
            return not standing.final

        async def invoke(context: ToolContext[Any], arguments: str) -> str:
            input = _object(arguments)
            if input is None:
                return NO_OBJECT
            # Whoever approved this on the SDK's side: only the gate says what came of it.
            args = (context.context, action, input, context.tool_call_id)
            return (await asyncio.to_thread(self._ended_or_asked, *args)).text

        return FunctionTool(
            name=action.tool,
            description=f"{action.title}. {action.description}",
            params_json_schema=action.input,
            on_invoke_tool=invoke,
            # The gate checks the input; the SDK's strict mode would make every field required.
            strict_json_schema=False,
            needs_approval=waits,
        )

    def _ended_or_asked(self, context: Any, action: Action, input: dict[str, Any], call_id: str) -> Standing:
        ended = self._ended.pop(_call(_notes(context), action, input, call_id).key, None)
        return ended or self._ask(context, action, input, call_id)[1]

    def _ask(self, context: Any, action: Action, input: dict[str, Any], call_id: str) -> tuple[str, Standing]:
        """How a call stands, after its key. Notes the key before it is sent, and the proposal once there is one."""
        notes = _notes(context)
        call = _call(notes, action, input, call_id)
        fresh = call.key not in notes["calls"]
        note = notes["calls"].setdefault(call.key, {"since": call.since, "proposal": None})
        call = replace(call, since=note["since"])
        standing = ask(self.gate, call, proposal=note["proposal"], fresh=fresh, wait=self.wait)
        if standing.proposal is not None:
            note["proposal"] = standing.proposal.id
        return call.key, standing


def _call(notes: Mapping[str, Any], action: Action, input: dict[str, Any], call_id: str) -> Call:
    return Call.of("openai-agents", notes["run"], call_id, action.name, input, time.time())


def _notes(context: Any) -> MutableMapping[str, Any]:
    """The adapter's notes in a run's context."""
    found = context.get(MEMORY) if isinstance(context, Mapping) else getattr(context, MEMORY, None)
    if not isinstance(found, MutableMapping) or "run" not in found or "calls" not in found:
        raise ValueError("start the run with `context=new_run()`; without its notes a call might be proposed twice")
    return found


def _object(arguments: str | None) -> dict[str, Any] | None:
    try:
        found = json.loads(arguments or "")
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
