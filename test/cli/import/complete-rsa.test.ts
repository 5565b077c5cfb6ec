import { generateKeyPairSync } from "node:crypto";
import { completeRsa } from "../../../cli/import/complete-rsa";
import { importKey } from "../../../cli/import/import-key";
import { importSigningKey } from "../../../jwk/signing-key";

const RSA = generateKeyPairSync("rsa", {
	modulusLength: 2048,
}).privateKey.export({ format: "jwk" });
const { kty, n, e, d } = RSA;

test.each([
	["alone", {}],
	["beside members without a value", { p: null, qi: null }],
])("an RSA key of n, e and d is completed: %s", (_, more) => {
	const { jwk } = importKey(JSON.stringify({ kty, n, e, d, ...more }));
	expect([jwk.p, jwk.q].sort()).toEqual([RSA.p, RSA.q].sort());
	expect(importSigningKey(JSON.stringify(jwk)).alg).toBe("RS256");
});

test.each([
	["d is of another key", { d: "Aw" }],
	["n is even", { n: "gA" }],
	["n is too long to try", { n: "f".repeat(1400) }],
	["d is longer than n", { d: `${n}AAAA` }],
])("n, e and d alone are rejected when %s", (_, change) => {
	expect(() => completeRsa({ kty, n, e, d, ...change })).toThrow(
		/not of one RSA|less/,
	);
});

test.each<[string, unknown]>([
	["a complete key", RSA],
	["a key with some of the other members", { kty, n, e, d, p: RSA.p }],
	["a public key", { kty, n, e }],
	["a key of another type", { kty: "EC", n, e, d }],
	["not an object", null],
	["not an object either", "text"],
])("%s stays as it is", (_, jwk) => {
	expect(completeRsa(jwk)).toBe(jwk);
});
