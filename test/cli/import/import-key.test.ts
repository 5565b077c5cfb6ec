import { generateKeyPairSync } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { importKey } from "../../../cli/import/import-key";
import { importSigningKey } from "../../../jwk/signing-key";
import { packageRoot } from "../../../schema/package-root";

const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;
const ec = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;

test.each([
	["PKCS #1", rsa.export({ type: "pkcs1", format: "pem" }), rsa, "RS256"],
	["PKCS #8", rsa.export({ type: "pkcs8", format: "pem" }), rsa, "RS256"],
	["SEC 1", ec.export({ type: "sec1", format: "pem" }), ec, "ES256"],
	[
		"SEC 1 after EC parameters",
		`-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n${ec.export({ type: "sec1", format: "pem" })}`,
		ec,
		"ES256",
	],
] as const)("%s becomes a JWK that signs", (_, pem, key, alg) => {
	const { jwk } = importKey(pem.toString());
	expect(jwk).toMatchObject({ ...key.export({ format: "jwk" }), alg });
	expect(importSigningKey(JSON.stringify(jwk))).toMatchObject({
		alg,
		kid: jwk.kid,
		warnings: [],
	});
});

test("what libraries choke on is warned of", () => {
	const jwk = ec.export({ format: "jwk" });
	const warningsOf = (members: object, kid?: string) =>
		importKey(JSON.stringify({ ...jwk, ...members }), undefined, kid).warnings;
	// The thumbprint becomes its kid.
	expect(warningsOf({})).toEqual([]);
	const read = "jwks-rsa (Node.js) reads";
	for (const warnings of [
		warningsOf({ kid: "ключ" }),
		warningsOf({ kid: "key" }, "clé"),
	])
		expect(warnings).toEqual([expect.stringContaining(read)]);
	expect(warningsOf({ key_ops: ["sign", "sign"] })).toEqual([
		expect.stringContaining("jose refuses"),
	]);
});

test("a key of a set is taken by its kid", () => {
	const [a, b] = [rsa, ec].map((key) => key.export({ format: "jwk" }));
	const set = JSON.stringify({
		keys: [
			{ ...a, kid: "a" },
			{ ...b, kid: "b" },
		],
	});
	expect(importKey(set, "b").jwk).toMatchObject({ ...b, kid: "b" });
	expect(() => importKey(set)).toThrow("has 2 keys");
	expect(() => importKey(set, "c")).toThrow("no key");
});

test.each([
	[
		"encrypted",
		rsa.export({
			type: "pkcs8",
			format: "pem",
			cipher: "aes-256-cbc",
			passphrase: "secret",
		}),
		"an encrypted PEM",
	],
	["a certificate", "-----BEGIN CERTIFICATE-----\n", "cut off"],
	["broken", "-----BEGIN PRIVATE KEY-----\nAA\n", "cut off"],
])("PEM is refused when it is %s", (_, pem, named) => {
	expect(() => importKey(pem.toString())).toThrow(named);
});

describe("PEM as it is found in the wild", () => {
	const fixture = (name: string) =>
		readFileSync(join(packageRoot(), "test/fixtures/cases", name), "utf8");
	const pem = () => fixture("escaped.pem").replaceAll("\\n", "\n");

	test.each<[string, () => string]>([
		["with escaped line ends", () => fixture("escaped.pem")],
		["on one line", () => pem().replaceAll("\n", " ")],
		["indented", () => pem().replaceAll(/^/gm, "    ")],
		["after other text", () => `subject=CN = a\n${pem()}`],
	])("is imported %s", (_, text) => {
		expect(importKey(text()).jwk).toMatchObject({ kty: "RSA", alg: "RS256" });
	});

	test("becomes a key with x5c when its certificate is before it", () => {
		const { jwk } = importKey(fixture("pkcs12-bag.pem"));
		expect(jwk.x5c).toHaveLength(1);
	});

	test.each([
		["OPENSSH PRIVATE KEY", /OpenSSH private key/],
		["CERTIFICATE REQUEST", /certificate request/],
		["ENCRYPTED PRIVATE KEY", /encrypted/],
	])("is named for what it is: %s", (label, message) => {
		const text = `-----BEGIN ${label}-----\nAAAA\n-----END ${label}-----\n`;
		expect(() => importKey(text)).toThrow(message);
	});

	test("is named when it is cut off", () => {
		expect(() => importKey(pem().slice(0, 900))).toThrow(/cut off/);
	});
});

test.each(["{", '{"kty": "EC", "x": "abc', '{"keys": [{"kty": "RSA"}'])(
	"a JWK that is cut off is named as that: %s",
	(text) => {
		expect(() => importKey(text)).toThrow(/cut off/);
	},
);
