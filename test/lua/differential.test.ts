/** The JavaScript build and the Lua build decide alike, but for what docs/in-process.md lists. */
import fc from "fast-check";
import { testKey } from "../../local/demo/flows";
import type { InProcess } from "../../local/lua/in-process";
import { decideTwice, isSame, MACHINE, stopTime } from "../support/both-builds";
import { loadHandler } from "../support/in-process";
import { config, likelyRequest } from "../support/random-cases";
import { anonymous, rawConfig, requests } from "../support/samples";

const KEY = testKey("HS256-jwk.json");

/** How many random cases; the environment can ask for more. */
const RUNS = Number(process.env.DIFFERENTIAL_RUNS ?? 1500);

let handler: InProcess;

beforeAll(async () => {
	stopTime();
	handler = await loadHandler(MACHINE);
});

/** Differences that are allowed: rows of docs/in-process.md, "What is different". */
const DIFFERENCES: {
	/** The row's first cell. */
	what: string;
	/** Whether a case may differ for that. */
	applies: (all: string) => boolean;
}[] = [];

test("random configurations and requests are decided alike by both builds", async () => {
	const statuses: Record<string, number> = {};
	await fc.assert(
		fc.asyncProperty(config, likelyRequest, async (fields, known) => {
			const pair = await decideTwice(
				handler,
				{ private_jwk: KEY, ...fields },
				known,
			);
			const status = String(pair.node.exit?.status ?? "proxied");
			statuses[status] = (statuses[status] ?? 0) + 1;
			if (isSame(pair)) return;
			const all = JSON.stringify([fields, known, pair]);
			if (DIFFERENCES.some(({ applies }) => applies(all))) return;
			expect(pair.lua).toEqual(pair.node);
			throw new Error(`a difference that toEqual does not see: ${all}`);
		}),
		{ numRuns: RUNS },
	);
	if (process.env.DIFFERENTIAL_RUNS) console.log(statuses);
	// Or the property would say little.
	expect(statuses.proxied).toBeGreaterThan(RUNS / 10);
	expect(handler.forbidden).toEqual([]);
});

describe.each([
	"HS256-jwk.json",
	"HS512-jwk.json",
	"RS256-jwk-private.json",
	"RS512-jwk-private.json",
	"ES256-jwk-private.json",
	"EdDSA-jwk-private.json",
])("a plugin entry with the key %s", (file) => {
	test.each(Object.entries({ ...requests, anonymous, nobody: {} }))(
		"decides alike about the sample request %s",
		async (_, known) => {
			for (const fields of [
				{},
				{ verbose: true, unauthenticated: "pass", reuse_for: 60 },
				{ auth_methods: ["oidc"] },
				{ unauthenticated: "anonymous", subject: "$(auth.method)" },
			]) {
				const entry = rawConfig({ ...fields, private_jwk: testKey(file) });
				const pair = await decideTwice(handler, entry, known);
				expect(pair.lua).toEqual(pair.node);
			}
		},
	);
});
