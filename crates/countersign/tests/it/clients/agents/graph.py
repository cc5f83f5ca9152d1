"""An agent on LangGraph that sets prices, all in one message of its model, with its checkpoints in SQLite.

    python graph.py start|resume|approve RUN PRICE…

`approve` is what somebody does who holds the agent's process and asks nobody. Prints what the model read, what waits,
and whether the run is at its end, as one line of JSON."""

import asyncio
import json
import os
import sys

from countersign_agents import Gate
from countersign_agents.langgraph import gate_tools, resume, waiting
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition
from langgraph.types import Command

YES = {"decisions": [{"type": "approve"}]}


def read(messages):
    return [f"{message.status}: {message.content}" for message in messages if isinstance(message, ToolMessage)]


async def main(verb, run, prices):
    def model(state):
        if read(state["messages"]):
            return {"messages": [AIMessage("That is all.")]}
        arguments = enumerate({"id": "i_1", "price": price} for price in prices)
        calls = [{"name": "shop_price_set", "args": input, "id": f"call_{n}"} for n, input in arguments]
        return {"messages": [AIMessage("", tool_calls=calls)]}

    gate = Gate(os.environ["GATE_URL"], os.environ["AGENT_KEY"], on_behalf_of="ann", patience=1)
    graph = StateGraph(MessagesState)
    graph.add_node("model", model)
    graph.add_node("tools", ToolNode(gate_tools(gate)))
    graph.add_edge(START, "model")
    graph.add_conditional_edges("model", tools_condition)
    graph.add_edge("tools", "model")
    config = {"configurable": {"thread_id": run}}
    async with AsyncSqliteSaver.from_conn_string("graph.db") as checkpoints:
        app = graph.compile(checkpointer=checkpoints)
        state = await app.aget_state(config)
        commands = {"start": {"messages": [HumanMessage("Set the prices.")]}, "approve": Command(resume=YES)}
        await app.ainvoke(commands[verb] if verb in commands else resume(state), config)
        state = await app.aget_state(config)
    ended = not state.next
    print(json.dumps({"read": read(state.values["messages"]), "waits": waiting(state), "ended": ended}))


asyncio.run(main(sys.argv[1], sys.argv[2], [int(price) for price in sys.argv[3:]]))
