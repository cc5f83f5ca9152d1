"""An agent on the OpenAI Agents SDK that sets prices, all in one message of its model, and saves its run when it waits.

    python sdk.py start|resume|approve RUN PRICE…

`approve` is what somebody does who holds the agent's process and asks nobody. Prints what the model read, what waits,
and whether the run is at its end, as one line of JSON."""

import asyncio
import json
import os
import sys
from pathlib import Path

from agents import Agent, RunConfig, Runner, RunState
from agents.testing import ModelStep, ScriptedModel, assistant_message, function_call
from countersign_agents import Gate
from countersign_agents.openai_agents import GateTools, new_run


def model(prices):
    def answer(call):
        read = [item["output"] for item in call.input if item.get("type") == "function_call_output"]
        if read:
            return [assistant_message(json.dumps(read))]
        calls = enumerate(prices)
        return [function_call("shop_price_set", {"id": "i_1", "price": p}, call_id=f"call_{n}") for n, p in calls]

    return ScriptedModel([ModelStep.respond(answer)] * 5)


async def main(verb, run, prices):
    tools = GateTools(Gate(os.environ["GATE_URL"], os.environ["AGENT_KEY"], on_behalf_of="ann", patience=1))
    agent = Agent(name="Price bot", model=model(prices), tools=tools.tools)
    config, file, waiting = RunConfig(tracing_disabled=True), Path(f"{run}.json"), []
    if verb == "start":
        result = await Runner.run(agent, "Set the prices.", context=new_run(run=run), run_config=config)
    else:
        state = await RunState.from_string(agent, file.read_text())
        if verb == "approve":
            for item in state.get_interruptions():
                state.approve(item, always_approve=True)
        else:
            waiting = await tools.settle(state)
        result = await Runner.run(agent, state, run_config=config)
    ended = not result.interruptions
    if not ended:
        file.write_text(result.to_state().to_string())
    read = json.loads(result.final_output) if ended else []
    print(json.dumps({"read": read, "waits": [w.standing.details() for w in waiting], "ended": ended}))


asyncio.run(main(sys.argv[1], sys.argv[2], [int(price) for price in sys.argv[3:]]))
