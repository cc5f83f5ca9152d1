"""Tools for LangGraph.

A call that waits for people interrupts the graph, which saves it with its checkpointer. The value of
`Command(resume=…)` decides nothing: the gate is asked again, and the graph is interrupted again while it waits.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterable
from typing import Any

from langchain_core.messages import ToolMessage
from langchain_core.tools import BaseTool, StructuredTool
from langgraph.func import task
from langgraph.prebuilt import ToolRuntime
from langgraph.types import Command, StateSnapshot, interrupt

from .calls import Call, Standing, ask
from .client import Action, Gate

KIND = "countersign"
"""The `type` of the values with which these tools interrupt."""

_RESERVED = frozenset({"callbacks", "config", "run_manager", "runtime", "self"})
"""Arguments that the framework fills in itself."""

_STARTED = time.time()

# The interrupts of all tools of one node share a counter, and a `ToolNode` runs its tools in threads.
_INTERRUPTS = threading.Lock()


def gate_tools(gate: Gate, *, only: Iterable[str] | None = None, wait: int = 20) -> list[BaseTool]:
    """The actions of a gate as tools for a `ToolNode` of a graph with a checkpointer.

    `only` names the actions to take; `wait` is how many seconds a call that policy allows may take.
    """
    names = None if only is None else set(only)
    actions = [action for action in gate.actions() if names is None or action.name in names]
    if names is not None and (missing := names - {action.name for action in actions}):
        raise ValueError(f"the gate does not offer {', '.join(sorted(missing))} to this agent")
    return [_tool(gate, action, wait) for action in actions]


def waiting(snapshot: StateSnapshot) -> list[dict[str, Any]]:
    """What a graph waits for at the gate: of each call its `message`, and of its proposal what people are asked."""
    return [found.value for found in snapshot.interrupts if _is_ours(found.value)]


def resume(snapshot: StateSnapshot) -> Command[Any] | None:
    """The input with which the graph goes on: every waiting call asks the gate again. It approves nothing.

    None when nothing waits: with it, a graph whose process died goes on where it was.
    """
    again = {found.id: True for found in snapshot.interrupts if _is_ours(found.value)}
    return Command(resume=again) if again else None


def _is_ours(value: Any) -> bool:
    return isinstance(value, dict) and value.get("type") == KIND


def _tool(gate: Gate, action: Action, wait: int) -> BaseTool:
    if taken := _RESERVED & set(action.input.get("properties", {})):
        raise ValueError(f"{action.name}: LangGraph keeps the argument {', '.join(sorted(taken))} to itself")

    def run(runtime: ToolRuntime, **input: Any) -> ToolMessage:
        call = _call(runtime, action, input)
        found: list[Standing] = []

        # A task's result is kept in the checkpoint. The gate forgets a key a day after its proposal was settled, so
        # the proposal's id is what a graph must have that is resumed after a weekend.
        @task(name="countersign_proposal")
        def proposed() -> dict[str, str | None]:
            # Whether an earlier process sent this key cannot be known, unless there was none.
            standing = ask(gate, call, fresh=call.since > _STARTED, wait=wait)
            found.append(standing)
            return {"key": call.key, "proposal": standing.proposal.id if standing.proposal else None}

        kept = proposed().result()
        if not found:
            # Tools in threads may find each other's results.
            known = kept["proposal"] if kept["key"] == call.key else None
            found.append(ask(gate, call, proposal=known, wait=wait))
        standing = found[0]
        if not standing.final:
            with _INTERRUPTS:
                while True:  # Earlier resumes are replayed here, until this raises.
                    interrupt({"type": KIND, "tool_call_id": runtime.tool_call_id, **standing.details()})
        return ToolMessage(
            standing.text,
            name=action.tool,
            tool_call_id=runtime.tool_call_id,
            status="success" if standing.done else "error",
            artifact=standing.details(),
        )

    return StructuredTool(
        name=action.tool, description=f"{action.title}. {action.description}", args_schema=action.input, func=run
    )


def _call(runtime: ToolRuntime, action: Action, input: dict[str, Any]) -> Call:
    info = runtime.execution_info
    if info is None or info.thread_id is None or not runtime.tool_call_id:
        raise RuntimeError("compile the graph with a checkpointer and give it a `thread_id`; nothing was proposed")
    return Call.of(
        "langgraph", str(info.thread_id), runtime.tool_call_id, action.name, input, _made(info.checkpoint_id)
    )


def _made(checkpoint: str) -> float:
    """When a checkpoint was made, which is in its id, a UUID of version 6 (RFC 9562): seconds since 1970."""
    number = uuid.UUID(checkpoint)
    if number.version != 6:
        raise RuntimeError(f"the checkpoint {checkpoint} does not say when it was made; nothing was proposed")
    ticks = ((number.int >> 80) << 12) | ((number.int >> 64) & 0xFFF)
    return (ticks - 0x01B21DD213814000) / 1e7
