"""A support agent on the OpenAI Agents SDK that refunds invoices through the gate.

    python agent.py start run.json inv_1001:4000 inv_1002:90000
    python agent.py resume run.json

Its model is a script, so that this needs no network: it refunds what it was asked for, one invoice after the other.
The exit status is 3 while a call waits for people.
"""

import asyncio
import sys
from pathlib import Path

from agents import Agent, RunConfig, Runner, RunState
from agents.testing import ModelStep, ScriptedModel, assistant_message, function_call
from countersign_agents import Gate
from countersign_agents.openai_agents import GateTools, new_run


def model() -> ScriptedModel:
    def answer(call):
        orders = [order.split(":") for order in call.input[0]["content"].split()]
        read = [item["output"] for item in call.input if item.get("type") == "function_call_output"]
        if read:
            print("the model reads:", read[-1])
        if len(read) == len(orders):
            return [assistant_message("That is all.")]
        invoice, amount = orders[len(read)]
        input = {"invoice": invoice, "amount": int(amount)}
        return [function_call("acme_refund_create", input, call_id=f"call_{len(read)}")]

    return ScriptedModel([ModelStep.respond(answer)] * 20)


async def main(verb: str, file: Path, orders: list[str]) -> int:
    tools = GateTools(Gate.from_environment(on_behalf_of="ann"))
    agent = Agent(name="Support bot", model=model(), tools=tools.tools)
    offline = RunConfig(tracing_disabled=True)
    if verb == "start":
        result = await Runner.run(agent, " ".join(orders), context=new_run(), run_config=offline)
    else:
        state = await RunState.from_string(agent, file.read_text())
        for waiting in await tools.settle(state):
            print("it waits:", waiting.standing.text)
        result = await Runner.run(agent, state, run_config=offline)
    if result.interruptions:
        file.write_text(result.to_state().to_string())
        print(f"the run is saved in {file} and continues once people have decided")
        return 3
    print("the model says:", result.final_output)
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])))
