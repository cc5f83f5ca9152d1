// An agent's story, told with the types that were generated and openapi-fetch. Node runs it as it is.

import assert from "node:assert/strict";
import createClient from "openapi-fetch";
import type { components, paths } from "./agents-api.d.ts";

type Proposal = components["schemas"]["AgentProposal"];
type Problem = components["schemas"]["ProblemBody"];

const { GATE_URL: baseUrl = "", AGENT_KEY: key = "" } = process.env;
const client = createClient<paths>({ baseUrl, headers: { Authorization: `Bearer ${key}` } });

const input = { id: "i_1", text: "Sent a letter." };
const price = { action: "shop.price.set", input: { id: "i_1", price: 50_000 }, on_behalf_of: "ann" };

// The types say what they should: these lines would not compile otherwise.
const states: Proposal["state"][] = ["pending", "succeeded"];
// @ts-expect-error there is no such state
states.push("done");
// @ts-expect-error an action is required
client.POST("/v1/proposals", { body: { input } }).catch(() => {});

function problem(found: Problem | undefined, response: Response, status: number, code: string): Problem {
  assert.deepEqual([response.status, found?.status, found?.code], [status, status, code]);
  assert(found);
  return found;
}

const listed = await client.GET("/v1/actions", { params: { query: { on_behalf_of: "ann" } } });
const note = listed.data?.actions.find((action) => action.name === "shop.note.add");
assert.equal(note?.effect, "opaque");

const dry = await client.POST("/v1/proposals", { body: { ...price, dry_run: true } });
assert.equal(dry.data?.dry_run, true);
assert.equal(dry.data.decision?.answer, "needs_approval");

const added = await client.POST("/v1/proposals", {
  params: { header: { "Idempotency-Key": "letter" }, query: { wait: 30 } },
  body: { action: "shop.note.add", input, on_behalf_of: "ann" },
});
assert.deepEqual([added.response.status, added.data?.state, added.data?.status], [200, "succeeded", 200]);

const waits = await client.POST("/v1/proposals", { body: price });
assert.deepEqual([waits.response.status, waits.data?.state], [202, "pending"]);
const id = waits.data?.id ?? "";
assert.equal(waits.data?.needs?.[0]?.rule, "finance");

const page = await client.GET("/v1/proposals", { params: { query: { state: "pending", limit: 5 } } });
assert.deepEqual(page.data?.proposals.map((one) => one.id), [id]);
const one = await client.GET("/v1/proposals/{id}", { params: { path: { id } } });
assert.equal(one.data?.intent, waits.data?.intent);
const gone = await client.POST("/v1/proposals/{id}/cancel", { params: { path: { id } } });
assert.equal(gone.data?.state, "cancelled");

const wrong = await client.POST("/v1/proposals", {
  body: { action: "shop.note.add", input: { id: "i_1" }, on_behalf_of: "ann" },
});
const found = problem(wrong.error, wrong.response, 422, "invalid_input");
assert.match(found.errors?.[0]?.detail ?? "", /`text`/);
const again = await client.POST("/v1/proposals/{id}/cancel", { params: { path: { id } } });
problem(again.error, again.response, 409, "wrong_state");
