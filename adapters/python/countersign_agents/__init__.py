"""Tools for agent frameworks whose calls are proposals to a Countersign gate.

`client` speaks the agents' API, `calls` says how one call of a tool stands, and `openai_agents` and `langgraph` are
the adapters, each of which needs its framework installed.
"""

from .client import Action, Gate, GateError, NoAnswer, Proposal, Refused

__all__ = ["Action", "Gate", "GateError", "NoAnswer", "Proposal", "Refused"]
