import { generateKeyPairSync } from "node:crypto";
import { importKey } from "../../jwk/import-key";
import { importSigningKey } from "../../jwk/signing-key";

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
	["a certificate", "-----BEGIN CERTIFICATE-----\n", "without a private key"],
	["broken", "-----BEGIN PRIVATE KEY-----\nAA\n", "holds no RSA"],
])("PEM is refused when it is %s", (_, pem, named) => {
	expect(() => importKey(pem.toString())).toThrow(named);
});
