/** What of a key is published, so that no library loses it, or the whole JWK Set. */
import { createPrivateKey, X509Certificate } from "node:crypto";
import type { JWK } from "jose";
import { generateKey } from "../../jwk/generate";
import { publishedHalf } from "../../jwk/public-half";
import {
	type Certificate,
	makeCertificate,
} from "../../local/gateway/certificate";

let certificate: Certificate;
let key: JWK;
let x5c: string[];
beforeAll(async () => {
	certificate = await makeCertificate([{ CN: ["kong"] }], { days: 1 });
	const { raw } = new X509Certificate(certificate.cert);
	x5c = [raw.toString("base64")];
	const jwk = createPrivateKey(certificate.key).export({ format: "jwk" });
	key = { ...jwk, kty: "EC", kid: "kong" };
});

test("certificates of the key are published with it", () => {
	const { d: _, ...half } = key;
	expect(publishedHalf({ ...key, x5c })).toEqual({
		jwk: { ...half, x5c, alg: "ES256" },
		warnings: [],
	});
});

describe("x5c is left out with a warning when", () => {
	test.each<[string, () => unknown, string]>([
		["it is PEM", () => [certificate.cert], "x5c/0 is no certificate"],
		[
			"a further entry is PEM",
			() => [...x5c, certificate.cert],
			"x5c/1 is no certificate",
		],
		["it is a text", () => x5c[0], "x5c must be array"],
	])("%s", (_, wrong, fault) => {
		const { jwk, warnings } = publishedHalf({ ...key, x5c: wrong() } as JWK);
		expect(jwk).not.toHaveProperty("x5c");
		expect(jwk).toHaveProperty("kid", "kong");
		expect(warnings).toEqual([
			expect.stringMatching(`^x5c is left out, as ${fault}`),
		]);
	});

	test.each(["ES256", "EdDSA", "RS256"])(
		"the first entry is of another key: %s",
		async (alg) => {
			const other = await generateKey(alg);
			const { jwk, warnings } = publishedHalf({ ...other, x5c });
			expect(jwk).not.toHaveProperty("x5c");
			expect(warnings).toEqual([
				"x5c is left out, as x5c/0 is not the certificate of this key",
			]);
		},
	);
});

describe("alg", () => {
	test("is filled in, with what the configuration says before the key's own", () => {
		expect(publishedHalf(key).jwk.alg).toBe("ES256");
		const rsa = { kty: "RSA", n: `${"x".repeat(342)}`, e: "AQAB", kid: "k" };
		expect(publishedHalf(rsa).jwk.alg).toBe("RS256");
		expect(publishedHalf({ ...rsa, alg: "RS512" }).jwk.alg).toBe("RS512");
		expect(publishedHalf({ ...rsa, alg: "RS512" }, "PS256").jwk.alg).toBe(
			"PS256",
		);
	});

	test("is not filled in for a key that signs nothing, and refused where it does not fit", () => {
		const { jwk } = publishedHalf({ ...key, use: "enc" });
		expect(jwk).not.toHaveProperty("alg");
		expect(() => publishedHalf(key, "PS256")).toThrow("does not fit the key");
	});
});

test("what libraries choke on is said", () => {
	const { kid: _, ...nameless } = key;
	expect(publishedHalf(nameless).warnings).toEqual([
		expect.stringContaining("PyJWT, jwx and go-jose"),
	]);
	expect(publishedHalf({ ...key, kid: "schlüssel" }).warnings).toEqual([
		expect.stringContaining("jwks-rsa (Node.js)"),
	]);
});
