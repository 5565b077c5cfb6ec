import { createPrivateKey, X509Certificate } from "node:crypto";
import { setImmediate as turn } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { JwkError } from "../../jwk/error";
import { sharedSigningKey } from "../../jwk/shared-key";
import { testKey } from "../../local/demo/flows";
import { makeCertificate } from "../../local/gateway/certificate";

const RSA = testKey("RS256-jwk-private.json");

test("a key that is in use is not imported again", () => {
	const key = sharedSigningKey(RSA, { alg: "PS256" });
	expect(sharedSigningKey(RSA, { alg: "PS256" })).toBe(key);
});

test.each([
	["another text", ` ${RSA}`, {}],
	["another algorithm", RSA, { alg: "RS512" }],
	["another key ID", RSA, { kid: "other" }],
	["an HMAC key's text", RSA, { secretIsText: true }],
	["another of the set", RSA, { select: JSON.parse(RSA).kid }],
] as const)("with %s it is another key", (_, text, options) => {
	const key = sharedSigningKey(RSA);
	const other = sharedSigningKey(text, options);
	expect(other).not.toBe(key);
	expect(other.kid).toBe("kid" in options ? "other" : key.kid);
	expect(other.alg).toBe("alg" in options ? "RS512" : "RS256");
});

test("a key with its certificates is another than the same without", async () => {
	const { cert, key } = await makeCertificate([{ CN: ["kong"] }], { days: 1 });
	const jwk = createPrivateKey(key).export({ format: "jwk" });
	const x5c = [new X509Certificate(cert).raw.toString("base64")];
	const text = JSON.stringify({ ...jwk, x5c });
	const [plain, withX5c] = [false, true].map((withCertificates) =>
		sharedSigningKey(text, { withCertificates }),
	);
	expect(plain?.certificates).toBeUndefined();
	expect(withX5c?.certificates?.x5c).toEqual(x5c);
});

test("one that cannot be used is refused each time", () => {
	for (const _ of [1, 2])
		expect(() => sharedSigningKey('{"kty":"RSA"}')).toThrow(JwkError);
});

test("one that nobody uses any more is forgotten", async () => {
	setFlagsFromString("--expose-gc");
	const collect = runInNewContext("gc") as () => void;
	const options = { kid: "short-lived" };
	const key = new WeakRef(sharedSigningKey(RSA, options));
	for (let i = 0; i < 50 && key.deref(); i++) {
		await turn();
		collect();
	}
	expect(key.deref()).toBeUndefined();
	expect(sharedSigningKey(RSA, options).kid).toBe("short-lived");
});
