"""An agent on the official Python SDK: it lists its tools, calls one, waits for people through a restart of the gate,
and withdraws what it no longer wants. A failed step ends it with an error."""

import asyncio
import json
import os

import httpx2
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client

URL = os.environ["GATE_URL"] + "/mcp"
HEADERS = {"authorization": "Bearer " + os.environ["AGENT_KEY"], "countersign-on-behalf-of": "ann"}


def client():
    http = httpx2.AsyncClient(headers=HEADERS, timeout=60)
    return Client(streamable_http_client(URL, http_client=http), mode=os.environ["MODE"])


async def call(agent, tool, **arguments):
    result = await agent.call_tool(tool, arguments)
    return result.is_error, result.content[0].text


async def settled(proposal):
    """Asks until it is settled; a gate that is away for a moment is asked again."""
    for _ in range(60):
        try:
            async with client() as agent:
                failed, text = await call(agent, "gate_status", proposal=proposal, wait_seconds=5)
                assert not failed, text
                if not text.startswith("NOT DONE. Waiting"):
                    return text
        except Exception as error:  # whatever the transport makes of a closed connection
            print("again:", repr(error)[:200], flush=True)
            await asyncio.sleep(0.2)
    raise AssertionError("it is not settled")


async def main():
    async with client() as agent:
        assert agent.protocol_version == os.environ["REVISION"], agent.protocol_version
        names = [tool.name for tool in (await agent.list_tools()).tools]
        assert names == json.loads(os.environ["TOOLS"]), names
        failed, text = await call(agent, "shop_note_add", id="i_1", text=os.environ["NOTE"])
        assert not failed and text == '{"ok":true}', text
        failed, text = await call(agent, "shop_price_set", id="i_1", price=90000)
        assert failed and text.startswith("NOT DONE. Waiting for approval"), text
        proposal = next(word for word in text.replace('"', " ").split() if word.startswith("prp_"))
    print("waiting", proposal, flush=True)
    text = await settled(proposal)
    assert text.startswith("Done."), text
    async with client() as agent:
        failed, text = await call(agent, "shop_price_set", id="i_1", price=80000)
        assert failed, text
        proposal = next(word for word in text.replace('"', " ").split() if word.startswith("prp_"))
        failed, text = await call(agent, "gate_cancel", proposal=proposal)
        assert not failed and text.startswith("NOT DONE. It was cancelled."), text
    print("finished", flush=True)


asyncio.run(main())
