// The people's story, told with the types that were generated and openapi-fetch. Three proposals wait when it begins.

import assert from "node:assert/strict";
import createClient from "openapi-fetch";
import type { components, paths } from "./people-api.d.ts";

type Shown = components["schemas"]["PersonProposal"];
type State = components["schemas"]["State"];
type Verdict = components["schemas"]["VerdictBody"];

const baseUrl = process.env["GATE_URL"] ?? "";

async function signedIn(person: string) {
  const link = process.env[`LINK_${person.toUpperCase()}`] ?? "";
  const { data } = await createClient<paths>({ baseUrl }).POST("/v1/sign-in", { body: { link } });
  assert.equal(data?.person, person);
  return createClient<paths>({ baseUrl, headers: { Authorization: `Bearer ${data.session}` } });
}

type Client = Awaited<ReturnType<typeof signedIn>>;

async function shown(client: Client, id: string, wait = 0): Promise<Shown> {
  const { data } = await client.GET("/v1/proposals/{id}", { params: { path: { id }, query: { wait } } });
  assert(data);
  return data;
}

function verdict({ card, view }: Shown, comment: string): Verdict {
  return { intent: card.intent, decision: card.decision, view: view ?? "", comment };
}

/** The compiler knows what belongs to a state, and that these are all of them. */
function rules(state: State): string[] {
  return state.state === "pending" ? state.standing.map((standing) => standing.rule) : [];
}

const ann = await signedIn("ann");
const frank = await signedIn("frank");
const olga = await signedIn("olga");
const me = await frank.GET("/v1/me");
assert.equal(me.data?.name, "Frank Field");

const inbox = await frank.GET("/v1/proposals", { params: { query: { order: "due" } } });
const [first = "", second = "", third = ""] = inbox.data?.proposals.map((one) => one.id) ?? [];
assert.equal(inbox.data?.proposals[0]?.state, "pending");

const seen = await shown(frank, first);
assert.deepEqual([seen.yours, rules(seen.state)], [true, ["finance"]]);
const agreed = await frank.POST("/v1/proposals/{id}/approve", {
  params: { path: { id: first } },
  body: verdict(seen, "Fine."),
});
assert.equal(agreed.data?.approvals[0]?.person, "frank");
assert.equal((await shown(frank, first, 30)).state.state, "succeeded");

const path = { id: second };
const stale = await frank.POST("/v1/proposals/{id}/reject", { params: { path }, body: verdict(seen, "No.") });
assert.deepEqual([stale.error?.status, stale.error?.code], [409, "stale"]);
const fresh = await shown(frank, second);
assert.equal(stale.error?.now?.intent, fresh.card.intent);
const no = await frank.POST("/v1/proposals/{id}/reject", { params: { path }, body: verdict(fresh, "No.") });
assert.equal(no.data?.state.state, "rejected");

const claimed = await shown(ann, third);
const named = await ann.POST("/v1/proposals/{id}/confirm", {
  params: { path: { id: third } },
  body: { intent: claimed.card.intent },
});
assert.deepEqual([claimed.confirm, named.data?.confirm, named.data?.state.state], [true, false, "pending"]);

const history = await olga.GET("/v1/proposals/{id}/history", { params: { path: { id: first } } });
const events = history.data?.entries.map((entry) => entry.entry?.event);
assert(events?.includes("proposal.approved"));
const log = await olga.GET("/v1/log/entries", { params: { query: { from: 0 } } });
assert.deepEqual([log.data?.entries[0]?.index, log.data?.entries[0]?.entry?.event], [0, "gate.started"]);
const head = await olga.GET("/v1/log/checkpoint", { parseAs: "text" });
assert.match(head.data ?? "", /^gate\.test\n/);
