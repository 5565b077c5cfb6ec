/** The JavaScript build and the Lua build decide alike, but for what docs/in-process.md lists. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { testKey } from "../../local/demo/flows";
import type { InProcess } from "../../local/lua/in-process";
import { packageRoot } from "../../schema/package-root";
import { decideTwice, isSame, MACHINE, stopTime } from "../support/both-builds";
import { loadHandler } from "../support/in-process";
import { config, likelyRequest } from "../support/random-cases";
import {
	anonymous,
	credentials,
	rawConfig,
	requests,
	service,
} from "../support/samples";

const KEY = testKey("HS256-jwk.json");

/** How many random cases; the environment can ask for more. */
const RUNS = Number(process.env.DIFFERENTIAL_RUNS ?? 1000);

let handler: InProcess;

beforeAll(async () => {
	stopTime();
	handler = await loadHandler(MACHINE);
});

/** Differences that are allowed: the rows of docs/in-process.md, "What is different". */
const DIFFERENCES: {
	/** The row's first cell. */
	what: string;
	/** Whether a case may differ for that; without it, no random case does. */
	applies?: (texts: string) => boolean;
}[] = [
	{
		what: "A claim whose name is not ASCII",
		applies: (texts) => /"[^"]*[^ -~][^"]*":/.test(texts),
	},
	{
		what: "A number with more than 16 significant digits, and `-0`",
		applies: (texts) => /-0|\d\.\d{9,}/.test(texts),
	},
	{
		what: "The order of an object's members",
		applies: (texts) => /\{.*:.*,.*:.*\}/.test(texts),
	},
	{
		what: "A template that is JSON with a space around it that is not ASCII",
		applies: (texts) => /[\u2028\ufeff]/.test(texts),
	},
	{
		what: "The size of a token that has U+007F in it",
		applies: (texts) => texts.includes("\u007f"),
	},
	{ what: "A string with half a surrogate pair in an incoming token" },
	{ what: "JSON that is not quite JSON in an incoming token" },
	{
		what: "A certificate's name with several attributes in one part, or in an encoding other than UTF8String, PrintableString or IA5String",
	},
	{ what: "An RSA key of `n`, `e` and `d` alone" },
	{ what: "Warnings about keys, and RSA keys of weak numbers" },
];

/** All that a case is made of which templates and claims come from. */
function textsOf(fields: object, known: object): string {
	const templates = Object.entries(fields)
		.filter(([name]) => /claims$|audience|subject/.test(name))
		.flatMap(([, value]) =>
			typeof value === "string" ? [value] : Object.values(value).map(String),
		);
	const all = JSON.stringify(known);
	const tokens = all
		.split(/[^A-Za-z0-9_-]+/)
		.map((part) => Buffer.from(part, "base64url").toString())
		.filter((part) => /^[[{]/.test(part));
	return [...templates, ...tokens, ...(all.match(/\u007f/) ?? [])].join("\n");
}

test("random configurations and requests are decided alike by both builds", async () => {
	const statuses: Record<string, number> = {};
	const different: Record<string, number> = {};
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
			const texts = textsOf(fields, known);
			const row = DIFFERENCES.find(({ applies }) => applies?.(texts));
			if (row) {
				different[row.what] = (different[row.what] ?? 0) + 1;
				return;
			}
			expect(pair.lua).toEqual(pair.node);
			throw new Error("a difference that toEqual does not see");
		}),
		{ numRuns: RUNS },
	);
	if (process.env.DIFFERENTIAL_RUNS) console.log(statuses, different);
	// Or the property would say little.
	for (const count of Object.values(different))
		expect(count).toBeLessThan(Math.max(RUNS / 50, 20));
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

test("the allowed differences are the documented ones", () => {
	const page = readFileSync(join(packageRoot(), "docs/in-process.md"), "utf8");
	const [, section = ""] = page.split("\n## What is different\n");
	const [table = ""] = section.split("\n## ");
	const cells = [...table.matchAll(/^\| ([^|]+) \|/gm)].map(([, cell]) => cell);
	expect(cells).toEqual(DIFFERENCES.map(({ what }) => what));
});

describe("a name with bytes that are not UTF-8", () => {
	test.each(["\uFFFD", "a\uFFFD", "\uFFFDé", "日\uFFFD"])(
		"is signed by neither build: %j",
		async (username) => {
			const known = {
				credential: { ...credentials.basic, username },
				service,
			};
			const pair = await decideTwice(handler, rawConfig(), known);
			expect(pair.node.exit?.status).toBe(401);
			expect(pair.lua).toEqual(pair.node);
		},
	);
});

describe("an incoming token", () => {
	const withPayload = (payload: string) => ({
		...requests.jwt,
		shared: {
			authenticated_jwt_token: `e30.${Buffer.from(payload).toString("base64url")}.c2ln`,
		},
	});

	test.each([
		'{"clientId":"a","b":"\\ud800"}',
		'{"clientId":"a","b":"\\udc00\\ud800"}',
		'{"clientId":"a","b":1e999}',
		`{"clientId":"a","b":${"[".repeat(100)}${"]".repeat(100)}}`,
		'{"clientId":"a","b":0.30000000000000004}',
	])(
		"is not signed in process where it could not be copied: %s",
		async (payload) => {
			const { lua } = await decideTwice(
				handler,
				rawConfig(),
				withPayload(payload),
			);
			expect(lua.exit?.status).toBe(401);
		},
	);

	test.each([
		'{"clientId":-0}',
		'{"clientId":9007199254740991}',
		'{"clientId":9007199254740993}',
		'{"clientId":1.0}',
		'{"clientId":1e2}',
		'{"clientId":"a","clientId":"b"}',
		'{"clientId":"a","b":[],"c":{},"d":[null],"e":[[]],"f":{"1":1}}',
		'{"clientId":"a","b":null}',
		'{"clientId":null}',
		'{"clientId":"\\u0000"}',
		'[{"clientId":"a"}]',
		"[]",
		"null",
		'{"clientId":"a"',
	])("is read alike by both builds: %s", async (payload) => {
		const pair = await decideTwice(handler, rawConfig(), withPayload(payload));
		expect(pair.lua).toEqual(pair.node);
	});
});
