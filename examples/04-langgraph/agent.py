"""A support agent on LangGraph that refunds invoices through the gate, with its checkpoints in SQLite.

    python agent.py start ticket-1 inv_1001:4000 inv_1002:90000
    python agent.py resume ticket-1

Its model is a script, so that this needs no network: it refunds what it was asked for, one invoice after the other.
The exit status is 3 while a call waits for people.
"""

import sys

from countersign_agents import Gate
from countersign_agents.langgraph import gate_tools, resume, waiting
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition


class Script(BaseChatModel):
    @property
    def _llm_type(self):
        return "script"

    def _generate(self, messages, stop=None, run_manager=None, **options):
        orders = [order.split(":") for order in messages[0].content.split()]
        read = [message for message in messages if isinstance(message, ToolMessage)]
        if read:
            print(f"the model reads ({read[-1].status}):", read[-1].content)
        if len(read) == len(orders):
            said = AIMessage("That is all.")
        else:
            invoice, amount = orders[len(read)]
            input = {"invoice": invoice, "amount": int(amount)}
            said = AIMessage("", tool_calls=[{"name": "acme_refund_create", "args": input, "id": f"call_{len(read)}"}])
        return ChatResult(generations=[ChatGeneration(message=said)])


def main(verb: str, thread: str, orders: list[str]) -> int:
    model = Script()
    graph = StateGraph(MessagesState)
    graph.add_node("model", lambda state: {"messages": [model.invoke(state["messages"])]})
    graph.add_node("tools", ToolNode(gate_tools(Gate.from_environment(on_behalf_of="ann"))))
    graph.add_edge(START, "model")
    graph.add_conditional_edges("model", tools_condition)
    graph.add_edge("tools", "model")
    config = {"configurable": {"thread_id": thread}}
    with SqliteSaver.from_conn_string("state/graph.db") as checkpoints:
        app = graph.compile(checkpointer=checkpoints)
        if verb == "start":
            app.invoke({"messages": [HumanMessage(" ".join(orders))]}, config)
        else:
            app.invoke(resume(app.get_state(config)), config)
        state = app.get_state(config)
    for call in waiting(state):
        print("it waits:", call["message"])
    if not state.next:
        print("the model says:", state.values["messages"][-1].content)
    return 3 if state.next else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
