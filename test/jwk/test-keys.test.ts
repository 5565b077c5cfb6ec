import { createPrivateKey, generateKeyPairSync } from "node:crypto";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { calculateJwkThumbprint } from "jose";
import { isPrivate } from "../../jwk/members";
import { importSigningKey } from "../../jwk/signing-key";
import { isTestKey, TEST_KEYS } from "../../jwk/test-keys";
import { testKey } from "../../local/demo/flows";
import { packageRoot } from "../../schema/package-root";

/** The private key in a file of `test-keys/`, if there is one. */
function privateJwkIn(file: string) {
	const text = testKey(file);
	if (file.endsWith(".json")) return JSON.parse(text);
	return text.includes("PRIVATE KEY")
		? createPrivateKey(text).export({ format: "jwk" })
		: {};
}

test("the test keys are the private keys of test-keys/", async () => {
	const keys = readdirSync(join(packageRoot(), "test-keys"))
		.filter((file) => /\.(json|pem)$/.test(file))
		.map(privateJwkIn)
		.filter(isPrivate);
	const thumbprints = await Promise.all(
		keys.map((key) => calculateJwkThumbprint(key)),
	);
	expect([...TEST_KEYS].sort()).toEqual(thumbprints.sort());
});

test("a test key is one under any kid and alg, and another key under its kid is none", () => {
	const jwk = JSON.parse(testKey("RS256-jwk-private.json"));
	expect(isTestKey({ ...jwk, kid: "mine", alg: "PS512" })).toBe(true);
	const other = generateKeyPairSync("rsa", { modulusLength: 2048 });
	const { n, d } = other.privateKey.export({ format: "jwk" });
	expect(isTestKey({ ...jwk, n, d })).toBe(false);
});

test("a symmetric test key is one although its text signs", () => {
	const jwk = testKey("HS512-jwk.json");
	for (const secretIsText of [true, false])
		expect(importSigningKey(jwk, { secretIsText }).isTestKey).toBe(true);
});
