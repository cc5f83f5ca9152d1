// An agent on the official TypeScript SDK: it lists its tools, calls one, waits for people through a restart of the
// gate, and withdraws what it no longer wants. A failed step ends it with an error.
import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';

const { GATE_URL, AGENT_KEY, MODE, REVISION, TOOLS, NOTE } = process.env;
const headers = { authorization: `Bearer ${AGENT_KEY}`, 'countersign-on-behalf-of': 'ann' };

async function connected(work) {
  const agent = new Client({ name: 'agent', version: '1' }, MODE === 'legacy' ? {} : { versionNegotiation: { mode: MODE } });
  await agent.connect(new StreamableHTTPClientTransport(new URL(`${GATE_URL}/mcp`), { requestInit: { headers } }));
  try {
    return await work(agent);
  } finally {
    await agent.close();
  }
}

async function call(agent, name, args) {
  const result = await agent.callTool({ name, arguments: args });
  return [result.isError, result.content[0].text];
}

const proposalOf = text => text.match(/prp_[0-9a-z]+/)[0];

// Asks until it is settled; a gate that is away for a moment is asked again.
async function settled(proposal) {
  for (let turn = 0; turn < 60; turn += 1) {
    try {
      const [failed, text] = await connected(agent => call(agent, 'gate_status', { proposal, wait_seconds: 5 }));
      assert.ok(!failed, text);
      if (!text.startsWith('NOT DONE. Waiting')) return text;
    } catch (error) {
      console.log('again:', String(error).slice(0, 200));
      await pause(200);
    }
  }
  throw new Error('it is not settled');
}

const waiting = await connected(async agent => {
  assert.equal(agent.getNegotiatedProtocolVersion(), REVISION);
  const { tools } = await agent.listTools();
  assert.deepEqual(tools.map(tool => tool.name), JSON.parse(TOOLS));
  let [failed, text] = await call(agent, 'shop_note_add', { id: 'i_1', text: NOTE });
  assert.ok(!failed && text === '{"ok":true}', text);
  [failed, text] = await call(agent, 'shop_price_set', { id: 'i_1', price: 90000 });
  assert.ok(failed && text.startsWith('NOT DONE. Waiting for approval'), text);
  return proposalOf(text);
});
console.log('waiting', waiting);
const done = await settled(waiting);
assert.ok(done.startsWith('Done.'), done);
await connected(async agent => {
  let [failed, text] = await call(agent, 'shop_price_set', { id: 'i_1', price: 80000 });
  assert.ok(failed, text);
  [failed, text] = await call(agent, 'gate_cancel', { proposal: proposalOf(text) });
  assert.ok(!failed && text.startsWith('NOT DONE. It was cancelled.'), text);
});
console.log('finished');
