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
] as const)("%s becomes a JWK that signs", async (_, pem, key, alg) => {
	const { jwk } = await importKey(pem.toString());
	expect(jwk).toMatchObject({ ...key.export({ format: "jwk" }), alg });
	expect(importSigningKey(JSON.stringify(jwk))).toMatchObject({
		alg,
		kid: jwk.kid,
		warnings: [],
	});
});

test("a key of a set is taken by its kid", async () => {
	const [a, b] = [rsa, ec].map((key) => key.export({ format: "jwk" }));
	const set = JSON.stringify({
		keys: [
			{ ...a, kid: "a" },
			{ ...b, kid: "b" },
		],
	});
	expect((await importKey(set, "b")).jwk).toMatchObject({ ...b, kid: "b" });
	await expect(importKey(set)).rejects.toThrow("has 2 keys");
	await expect(importKey(set, "c")).rejects.toThrow("no key");
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
])("PEM is refused when it is %s", async (_, pem, named) => {
	await expect(importKey(pem.toString())).rejects.toThrow(named);
});
