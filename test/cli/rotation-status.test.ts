import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { JWK } from "jose";
import { retire } from "../../cli/rotate";
import { inWords, rotationStatus } from "../../cli/rotation-status";
import { makeConfiguration } from "../../declarative/model";
import { parseSource } from "../../declarative/text";
import { generateKey } from "../../jwk/generate";
import { publicHalf } from "../../jwk/public-half";
import { packageRoot } from "../../schema/package-root";

const NOW = 1_800_000_000;
const DELAYS = { cacheMaxAge: 600, margin: 60 };
const ALL = { plugin: "x-custom-jwt" };
const PUBLISHED = "x_custom_jwt_published";
const ACTIVATED = "x_custom_jwt_activated";
const RETIRABLE = "x_custom_jwt_retirable";
const VAULT = "{vault://env/key}";

let OLD: JWK;
let NEW: JWK;
beforeAll(async () => {
	OLD = await generateKey("EdDSA", { kid: "old" });
	NEW = await generateKey("EdDSA", { kid: "new" });
});

/** A configuration with one plugin entry, and the keys that its JWKS route publishes. */
function configuration(config: object, keys: object[]) {
	const text = JSON.stringify({
		_format_version: "3.0",
		services: [
			{
				name: "s",
				url: "http://backend",
				routes: [{ name: "a", paths: ["/a"] }],
				plugins: [{ name: "x-custom-jwt", config }],
			},
		],
		routes: [
			{
				name: "jwks",
				paths: ["/x-custom-jwt/jwks"],
				plugins: [
					{
						name: "request-termination",
						config: { status_code: 200, body: JSON.stringify({ keys }) },
					},
				],
			},
		],
	});
	return makeConfiguration([parseSource(text, "kong.yml")]);
}

const marked = (key: JWK, marks: object) => ({ ...publicHalf(key), ...marks });
const holding = (key: JWK) => ({ private_jwk: JSON.stringify(key) });

describe("retire never removes", () => {
	test.each<[string, () => [config: object, keys: object[]], RegExp]>([
		[
			"the only key of a set, whose signer a vault holds",
			() => [{ private_jwk: VAULT }, [marked(OLD, { [RETIRABLE]: 1 })]],
			/would be empty/,
		],
		[
			"all keys of a set",
			() => [
				{ private_jwk: VAULT },
				[marked(OLD, { [RETIRABLE]: 1 }), marked(NEW, { [RETIRABLE]: 2 })],
			],
			/would be empty/,
		],
		[
			"the key that signs",
			() => [
				holding(OLD),
				[marked(OLD, { [RETIRABLE]: 1 }), marked(NEW, { [ACTIVATED]: 1 })],
			],
			/"old" still signs on/,
		],
		[
			"the key that active_kid names in a vault",
			() => [
				{ private_jwk: VAULT, active_kid: "old" },
				[marked(OLD, { [RETIRABLE]: 1 }), marked(NEW, { [ACTIVATED]: 1 })],
			],
			/"old" still signs on/,
		],
		[
			"the key beside which only one waits to be activated",
			() => [
				{ private_jwk: VAULT },
				[marked(OLD, { [RETIRABLE]: 1 }), marked(NEW, { [PUBLISHED]: 1 })],
			],
			/no key that signs would stay/,
		],
		[
			"a key by the times of another tool",
			() => [
				{ private_jwk: VAULT },
				[marked(OLD, { iat: 1, nbf: 1, exp: 2 }), publicHalf(NEW)],
			],
			/no key waits to be retired.*--old-marks/,
		],
	])("%s, even by force", async (_, given, message) => {
		const it = configuration(...given());
		for (const force of [false, true]) {
			const outcome = await retire(it, ALL, force, NOW);
			expect(outcome).toMatchObject({ done: false, edits: [] });
			expect(outcome.message).toMatch(message);
		}
	});
});

test("retire reads the marks of version 0.2.0 when it is told to", async () => {
	const it = configuration(holding(NEW), [
		marked(OLD, { exp: NOW - 1 }),
		marked(NEW, { iat: 1, nbf: 2 }),
	]);
	const { edits } = await retire(it, { ...ALL, oldMarks: true }, false, NOW);
	expect(JSON.parse(edits[0]?.text ?? "").keys).toEqual([
		marked(NEW, { [PUBLISHED]: 1, [ACTIVATED]: 2 }),
	]);
});

test("retire keeps the key of a foreign file, which has an exp of its own", async () => {
	const path = join(
		packageRoot(),
		"test/fixtures/cases/rotate-foreign-exp.yml",
	);
	const it = makeConfiguration([parseSource(readFileSync(path, "utf8"), path)]);
	const outcome = await retire(it, ALL, true, 2_000_000_000);
	expect(outcome).toMatchObject({ done: false, edits: [] });
});

describe("status", () => {
	test.each<[string, () => [config: object, keys: object[]], string[], object]>(
		[
			[
				"no rotation",
				() => [holding(OLD), [publicHalf(OLD)]],
				["signs"],
				{ step: "publish", allowed: true },
			],
			[
				"a key that was just published",
				() => [
					holding(OLD),
					[publicHalf(OLD), marked(NEW, { [PUBLISHED]: NOW })],
				],
				["signs", "waits"],
				{ step: "activate", allowed: false, allowedAt: "2027-01-15T08:11:00Z" },
			],
			[
				"a key that all backends have, of a vault",
				() => [
					{ private_jwk: VAULT },
					[publicHalf(OLD), marked(NEW, { [PUBLISHED]: NOW - 660 })],
				],
				["signs", "waits"],
				{ step: "activate", allowed: true },
			],
			[
				"a key that was replaced",
				() => [
					holding(NEW),
					[
						marked(OLD, { [RETIRABLE]: NOW + 60 }),
						marked(NEW, { [PUBLISHED]: 1, [ACTIVATED]: 2 }),
					],
				],
				["replaced", "signs"],
				{ step: "retire", allowed: false, allowedAt: "2027-01-15T08:01:00Z" },
			],
			[
				"a replaced key whose tokens have expired",
				() => [
					{ private_jwk: VAULT },
					[marked(OLD, { [RETIRABLE]: NOW }), marked(NEW, { [ACTIVATED]: 2 })],
				],
				["replaced", "signs"],
				{ step: "retire", allowed: true },
			],
			[
				"two keys of a vault without marks",
				() => [{ private_jwk: VAULT }, [publicHalf(OLD), publicHalf(NEW)]],
				["unknown", "unknown"],
				{ step: "publish", allowed: true },
			],
		],
	)("of %s", async (_, given, states, next) => {
		const it = configuration(...given());
		const status = await rotationStatus(it, ALL, DELAYS, NOW);
		expect(status.keys.map(({ state }) => state)).toEqual(states);
		expect(status.next).toMatchObject(next);
	});

	test("says in words which step comes next and when", async () => {
		const it = configuration(holding(OLD), [
			publicHalf(OLD),
			marked(NEW, { [PUBLISHED]: NOW }),
		]);
		expect(inWords(await rotationStatus(it, ALL, DELAYS, NOW), NOW)).toBe(
			`the JWK Set of route jwks: "old" signs
the JWK Set of route jwks: "new" waits to be activated, published 0 s ago (2027-01-15T08:00:00Z)
next step: activate, in 11 min (2027-01-15T08:11:00Z) or later`,
		);
	});
});
