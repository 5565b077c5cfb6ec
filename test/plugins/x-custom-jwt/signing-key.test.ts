import {
	createPrivateKey,
	createPublicKey,
	createSecretKey,
	generateKeyPairSync,
	type JsonWebKey,
	type KeyObject,
	randomBytes,
} from "node:crypto";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { inspect } from "node:util";
import { createLocalJWKSet, decodeProtectedHeader, jwtVerify } from "jose";
import { Misconfigured } from "../../../plugins/x-custom-jwt/errors";
import {
	importSigningKey,
	privateJwkToPem,
} from "../../../plugins/x-custom-jwt/signing-key";
import { tokenSigner } from "../../../plugins/x-custom-jwt/token";
import { testKey } from "../../demo/flows";

interface KeyPair {
	jwk: JsonWebKey;
	/** What verifies; the same secret for an HMAC. */
	publicKey: KeyObject;
}

function pair({
	privateKey,
	publicKey,
}: Record<"privateKey" | "publicKey", KeyObject>): KeyPair {
	return { jwk: privateKey.export({ format: "jwk" }), publicKey };
}

function ec(namedCurve: string): KeyPair {
	return pair(generateKeyPairSync("ec", { namedCurve }));
}

function rsa(modulusLength: number): KeyPair {
	return pair(generateKeyPairSync("rsa", { modulusLength }));
}

function oct(bytes: number): KeyPair {
	const secret = randomBytes(bytes);
	return {
		jwk: { kty: "oct", k: secret.toString("base64url") },
		publicKey: createSecretKey(secret),
	};
}

const keys = {
	RSA: rsa(2048),
	"P-256": ec("P-256"),
	"P-384": ec("P-384"),
	"P-521": ec("P-521"),
	Ed25519: pair(generateKeyPairSync("ed25519")),
	oct: oct(64),
};
const otherRsa = rsa(2048).jwk;
const other = {
	"P-256": ec("P-256").jwk,
	Ed25519: pair(generateKeyPairSync("ed25519")).jwk,
};
const RSA = keys.RSA.jwk;
const EC = keys["P-256"].jwk;
const OKP = keys.Ed25519.jwk;
const HMAC = keys.oct.jwk;

/** Signs a token with the private JWK. */
function sign(jwk: object): Promise<string> {
	const key = importSigningKey(JSON.stringify(jwk));
	return tokenSigner(key, "https://kong/jwks")({ client_id: "my-user" });
}

describe("a token signed with", () => {
	test.each<[string, keyof typeof keys]>([
		["RS256", "RSA"],
		["RS384", "RSA"],
		["RS512", "RSA"],
		["PS256", "RSA"],
		["PS384", "RSA"],
		["PS512", "RSA"],
		["ES256", "P-256"],
		["ES384", "P-384"],
		["ES512", "P-521"],
		["EdDSA", "Ed25519"],
		["HS256", "oct"],
		["HS384", "oct"],
		["HS512", "oct"],
	])("%s and a key of %s is verified by jose", async (alg, kind) => {
		const { jwk, publicKey } = keys[kind];
		const token = await sign({ ...jwk, alg });
		const { payload } = await jwtVerify(token, publicKey, {
			algorithms: [alg],
		});
		expect(payload).toEqual({ client_id: "my-user" });
	});

	test.each<[keyof typeof keys, string]>([
		["RSA", "RS256"],
		["P-256", "ES256"],
		["P-384", "ES384"],
		["P-521", "ES512"],
		["Ed25519", "EdDSA"],
		["oct", "HS256"],
	])("a key of %s without alg is a verifiable %s", async (kind, alg) => {
		const { jwk, publicKey } = keys[kind];
		const token = await sign(jwk);
		expect(decodeProtectedHeader(token).alg).toBe(alg);
		await jwtVerify(token, publicKey, { algorithms: [alg] });
	});

	test.each([
		["HS256", 32],
		["HS384", 48],
		["HS512", 64],
	])(
		"%s may have a key of %d bytes, the least there may be",
		async (alg, bytes) => {
			const { jwk, publicKey } = oct(bytes);
			await jwtVerify(await sign({ ...jwk, alg }), publicKey);
		},
	);
});

describe("a private JWK may have", () => {
	test.each([
		["use: sig", { use: "sig" }],
		["key_ops with sign", { key_ops: ["sign", "verify"] }],
		["members that RFC 7517 does not know", { comment: "mine", ext: true }],
	])("%s", (_, members) => {
		expect(() =>
			importSigningKey(JSON.stringify({ ...EC, ...members })),
		).not.toThrow();
	});

	test("another public exponent than 65537", async () => {
		const { jwk, publicKey } = pair(
			generateKeyPairSync("rsa", { modulusLength: 2048, publicExponent: 3 }),
		);
		await jwtVerify(await sign(jwk), publicKey);
	});

	test("white space and line breaks, as in a YAML block", () => {
		expect(() =>
			importSigningKey(`\n${JSON.stringify(EC, null, 2)}\n`),
		).not.toThrow();
	});
});

describe("the test keys", () => {
	const files = readdirSync(join(__dirname, "../../../test-keys"));
	const prefixes = (suffix: string) =>
		files
			.filter((file) => file.endsWith(suffix))
			.map((file) => file.slice(0, -suffix.length));

	test.each(prefixes("-jwk-private.json"))(
		"of %s sign what their public key, JWK and JWK Set verify",
		async (prefix) => {
			const token = await sign(
				JSON.parse(testKey(`${prefix}-jwk-private.json`)),
			);
			const jwk = JSON.parse(testKey(`${prefix}-jwk-public.json`));
			const jwks = JSON.parse(testKey(`${prefix}-jwks-public.json`));
			await jwtVerify(token, createPublicKey(testKey(`${prefix}-public.pem`)));
			await jwtVerify(token, createPublicKey({ key: jwk, format: "jwk" }));
			await jwtVerify(token, createLocalJWKSet(jwks));
		},
	);

	test.each(prefixes("-jwk.json"))(
		"of %s sign what the same secret verifies",
		async (alg) => {
			const jwk = JSON.parse(testKey(`${alg}-jwk.json`));
			await jwtVerify(await sign(jwk), Buffer.from(jwk.k, "base64url"), {
				algorithms: [alg],
			});
		},
	);

	test("are all there", () => {
		expect(prefixes("-jwk-private.json").sort()).toEqual([
			"ES256",
			"EdDSA",
			"RS256",
			"RS512",
			"idp",
		]);
		expect(prefixes("-jwk.json").sort()).toEqual(["HS256", "HS512"]);
	});
});

describe("privateJwkToPem", () => {
	test.each(["RSA", "P-256", "P-384", "P-521", "Ed25519"] as const)(
		"turns a key of %s to PKCS #8 PEM of the same key",
		(kind) => {
			const pem = privateJwkToPem(keys[kind].jwk);
			expect(pem).toMatch(/^-----BEGIN PRIVATE KEY-----\n/);
			expect(createPrivateKey(pem).export({ format: "jwk" })).toEqual(
				keys[kind].jwk,
			);
		},
	);
});

describe("a private JWK is refused", () => {
	/** Refused with a message that holds `named`, and with nothing of the JWK in the error. */
	function expectRefusal(text: string, named: string) {
		let error: unknown;
		try {
			importSigningKey(text);
		} catch (thrown) {
			error = thrown;
		}
		expect(error).toBeInstanceOf(Misconfigured);
		expect(error).toHaveProperty("message", expect.stringContaining(named));
		expect(
			excerpts(text).filter((part) => inspect(error).includes(part)),
		).toEqual([]);
	}

	/** All pieces of nine characters of the long texts in a JWK or PEM. */
	function excerpts(text: string): string[] {
		const values = text.match(/[^"\s]{9,}/g) ?? [];
		return values.flatMap((value) =>
			Array.from({ length: value.length - 8 }, (_, i) => value.slice(i, i + 9)),
		);
	}

	const without = (jwk: JsonWebKey, member: string) =>
		Object.fromEntries(Object.entries(jwk).filter(([name]) => name !== member));
	const publicOnly = (jwk: JsonWebKey) =>
		createPublicKey({ key: jwk, format: "jwk" }).export({ format: "jwk" });

	test.each([
		["empty, as an unresolved vault reference is", "", "vault reference"],
		["a vault reference", "{vault://env/private-jwk}", "vault reference"],
		[
			"PEM",
			privateJwkToPem(RSA),
			"not JSON; a private JWK (RFC 7517) is expected, not PEM",
		],
		["cut off", JSON.stringify(RSA).slice(0, -1), "private_jwk is not JSON"],
		[
			"a secret alone",
			"correct-horse-battery-staple",
			"private_jwk is not JSON",
		],
		["an array", JSON.stringify([RSA]), "private_jwk must be object"],
		["a JWK Set", JSON.stringify({ keys: [RSA] }), "private_jwk is a JWK Set"],
		["null", "null", "private_jwk must be object"],
		["a number", "42", "private_jwk must be object"],
		[
			"a JSON text",
			JSON.stringify(JSON.stringify(RSA)),
			"private_jwk must be object",
		],
	])("when it is %s", (_, text, named) => {
		expectRefusal(text, named);
	});

	test.each(
		(
			[
				["RSA", RSA],
				["EC", EC],
				["OKP", OKP],
				["oct", HMAC],
			] as const
		).flatMap(([kty, jwk]) =>
			Object.keys(jwk).map((member) => ({ kty, jwk, member })),
		),
	)("when $kty lacks $member", ({ jwk, member }) => {
		expectRefusal(
			JSON.stringify(without(jwk, member)),
			`private_jwk/${member} is missing`,
		);
	});

	test.each([
		["RSA", RSA],
		["EC", EC],
		["OKP", OKP],
	])("when it is the public JWK of %s", (_, jwk) => {
		expectRefusal(JSON.stringify(publicOnly(jwk)), "private_jwk/d is missing");
	});

	test.each<[string, object, string]>([
		["alg is of another kty: RSA", { ...RSA, alg: "ES256" }, "private_jwk/alg"],
		["alg is of another kty: EC", { ...EC, alg: "RS256" }, "private_jwk/alg"],
		["alg is of another kty: OKP", { ...OKP, alg: "ES256" }, "private_jwk/alg"],
		[
			"alg is of another kty: oct",
			{ ...HMAC, alg: "RS256" },
			"private_jwk/alg",
		],
		["alg is none", { ...HMAC, alg: "none" }, "private_jwk/alg"],
		[
			"alg is for encryption",
			{ ...RSA, alg: "RSA-OAEP-256" },
			"private_jwk/alg",
		],
		["alg is no text", { ...RSA, alg: 256 }, "private_jwk/alg"],
		[
			"alg is of another curve: P-256",
			{ ...EC, alg: "ES384" },
			"private_jwk/alg",
		],
		[
			"alg is of another curve: P-521",
			{ ...keys["P-521"].jwk, alg: "ES256" },
			"private_jwk/alg",
		],
		["use is enc", { ...RSA, use: "enc" }, "private_jwk/use"],
		[
			"key_ops lacks sign",
			{ ...RSA, key_ops: ["verify"] },
			"private_jwk/key_ops",
		],
		["key_ops is no list", { ...RSA, key_ops: "sign" }, "private_jwk/key_ops"],
		["kid is no text", { ...RSA, kid: 7 }, "private_jwk/kid"],
		["kid is empty", { ...RSA, kid: "" }, "private_jwk/kid"],
		[
			"RSA has more than two primes",
			{ ...RSA, oth: [{ r: "AQAB", d: "AQAB", t: "AQAB" }] },
			"private_jwk/oth",
		],
		["kty is unknown", { ...EC, kty: "XYZ" }, "private_jwk/kty"],
		[
			"kty is a name every object knows",
			{ ...EC, kty: "constructor" },
			"private_jwk/kty",
		],
		["crv is secp256k1", ec("secp256k1").jwk, "private_jwk/crv"],
		[
			"crv is X25519",
			pair(generateKeyPairSync("x25519")).jwk,
			"private_jwk/crv",
		],
		["crv is Ed448", pair(generateKeyPairSync("ed448")).jwk, "private_jwk/crv"],
		[
			"RSA has 1024 bits",
			rsa(1024).jwk,
			"private_jwk/n must have at least 2048 bits",
		],
		[
			"a member is not base64url: RSA n",
			{ ...RSA, n: `${RSA.n}==` },
			"private_jwk/n",
		],
		[
			"a member is not base64url: RSA d",
			{ ...RSA, d: "not base64url!" },
			"private_jwk/d",
		],
		[
			"a member is not base64url: EC x",
			{ ...EC, x: "+/+/+/+/+/+/" },
			"private_jwk/x",
		],
		[
			"a member is not base64url: oct k",
			{ ...HMAC, k: "pass phrase, long enough to be an HMAC key" },
			"private_jwk/k",
		],
		["a member is empty", { ...OKP, d: "" }, "private_jwk/d"],
		["a member is no text", { ...EC, d: 123456789012 }, "private_jwk/d"],
	])("when %s", (_, jwk, named) => {
		expectRefusal(JSON.stringify(jwk), named);
	});

	test.each([
		["HS256", 31],
		["HS384", 47],
		["HS512", 63],
	])("when %s has a key of only %d bytes", (alg, bytes) => {
		expectRefusal(
			JSON.stringify({ ...oct(bytes).jwk, alg }),
			`private_jwk/k must have at least ${bytes + 1} bytes`,
		);
	});

	test.each<[string, object]>([
		["n of another key", { ...RSA, n: otherRsa.n }],
		["another public exponent", { ...RSA, e: "Aw" }],
		[
			"x and y of another key",
			{ ...EC, x: other["P-256"].x, y: other["P-256"].y },
		],
		["x and y swapped", { ...EC, x: EC.y, y: EC.x }],
		["x of another Ed25519 key", { ...OKP, x: other.Ed25519.x }],
		["the d of another EC key", { ...EC, d: other["P-256"].d }],
		["the d of another Ed25519 key", { ...OKP, d: other.Ed25519.d }],
		["a d of garbage: EC", { ...EC, d: "garbage-garbage" }],
		["a d of garbage: OKP", { ...OKP, d: "garbage-garbage" }],
		["a d of garbage: RSA", { ...RSA, d: "garbage-garbage" }],
	])("when it has %s", (_, jwk) => {
		expectRefusal(JSON.stringify(jwk), "private_jwk: its ");
	});

	// OpenSSL would sign with such a key nevertheless, but several times slower: it falls back to d.
	test.each(["d", "p", "q", "dp", "dq", "qi"] as const)(
		"when it has the %s of another RSA key",
		(member) => {
			expectRefusal(
				JSON.stringify({ ...RSA, [member]: otherRsa[member] }),
				"private_jwk: its ",
			);
		},
	);

	test.each(
		["e", "d", "p", "q", "dp", "dq", "qi"].flatMap(
			(member) =>
				[
					[member, 0, "AA"],
					[member, 1, "AQ"],
				] as const,
		),
	)("when the %s of an RSA key is %d", (member, _, value) => {
		expectRefusal(
			JSON.stringify({ ...RSA, [member]: value }),
			member === "e" ? "private_jwk/e must be at least 3" : "private_jwk: its ",
		);
	});
});
