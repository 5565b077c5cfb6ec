import {
	clientName as nameIn,
	readToken,
	requireExact as requireExactIn,
} from "../../core/incoming-token";
import { nodePlatform } from "../../plugins/x-custom-jwt/platform";

const clientName = (value: unknown) => nameIn(value, nodePlatform);
const requireExact = (value: unknown) => requireExactIn(value, nodePlatform);

/** The claims of a token whose claims are written like this. */
const payload = (json: string) =>
	readToken(`e30.${Buffer.from(json).toString("base64url")}.`, nodePlatform)
		?.claims;

const INEXACT = [
	"9007199254740991.4",
	"4503599627370497.25",
	"5.00000000000000000001",
	"0.99999999999999999999",
	"-7.00000000000000000001",
	"50000000000000000000001e-22",
	"1e-400",
	"9007199254740993",
	"9007199254740992",
	"1e400",
];

describe("a number of a token", () => {
	test.each(INEXACT)(
		"is rejected, as it would become another number: %s",
		(n) => {
			const claims = payload(`{"a": ${n}, "b": [{"c": ${n}}], "d": "e"}`);
			const rejected = expect.objectContaining({
				status: 401,
				message: expect.stringContaining("cannot be copied exactly"),
			});
			for (const value of [claims?.a, claims?.b]) {
				expect(() => requireExact(value)).toThrow(rejected);
				if (value !== claims?.b)
					expect(() => clientName(value)).toThrow(rejected);
			}
			expect(() => requireExact(claims?.d)).not.toThrow();
		},
	);

	test.each([
		["9007199254740991", "9007199254740991"],
		["-9007199254740991", "-9007199254740991"],
		["42", "42"],
		["42.0", "42"],
		["4.2e1", "42"],
		["4200E-2", "42"],
		["0.0", "0"],
		["1000", "1000"],
		["1e3", "1000"],
	])("that is an integer, %s, names a client: %s", (n, name) => {
		const claims = payload(`{"a": ${n}}`);
		expect(() => requireExact(claims)).not.toThrow();
		expect(clientName(claims?.a)).toBe(name);
	});

	test.each(["1.5", "0.1", "1.1000000000000001", "-2.5e-3"])(
		"that is a fraction may be copied, but names no client: %s",
		(n) => {
			const claims = payload(`{"a": ${n}}`);
			expect(() => requireExact(claims)).not.toThrow();
			expect(claims?.a).toBe(Number(n));
			expect(() => clientName(claims?.a)).toThrow("cannot be copied exactly");
		},
	);

	test("in a string stays as it is", () => {
		const text = '9007199254740991.4 \\" 5.00000000000000000001';
		const claims = { [text]: text, a: 'x"', b: "1.00000000000000000001\\" };
		expect(payload(JSON.stringify(claims))).toEqual(claims);
	});
});

test.each([
	"",
	"01.5",
	'{"a": 1.}',
	'{"a": 01.00000000000000000001}',
	'{"a": 1e}',
])("claims that are not JSON stay unreadable: %s", (json) => {
	expect(payload(json)).toBeUndefined();
});

test.each([
	["a string", "shop", "shop"],
	["an empty string", "", undefined],
	["a boolean", true, undefined],
	["null", null, undefined],
	["a list", ["shop"], undefined],
])("%s in a claim names a client as itself or not at all", (_, value, name) => {
	expect(clientName(value)).toBe(name);
});
