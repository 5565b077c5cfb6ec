import {
	createHash,
	createPrivateKey,
	createPublicKey,
	createSecretKey,
	generateKeyPairSync,
	type JsonWebKey,
	type KeyObject,
	randomBytes,
	X509Certificate,
} from "node:crypto";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { inspect } from "node:util";
import { createLocalJWKSet, decodeProtectedHeader, jwtVerify } from "jose";
import { JwkError } from "../../jwk/error";
import { importSigningKey, privateJwkToPem } from "../../jwk/signing-key";
import { testKey } from "../../local/demo/flows";
import { makeCertificate } from "../../local/gateway/certificate";
import { packageRoot } from "../../schema/package-root";
import { signClaims } from "../support/signed-token";

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

type Options = Parameters<typeof importSigningKey>[1];

/** Signs a token with the private JWK, or JWK Set. */
function sign(jwk: object, options?: Options): Promise<string> {
	return signClaims(JSON.stringify(jwk), { client_id: "my-user" }, options);
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
		["Ed25519", "Ed25519"],
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
		["use: jwt-svid", { use: "jwt-svid" }],
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
	const files = readdirSync(join(packageRoot(), "test-keys"));
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

/** Refused with a message that holds `named`, and with nothing of the JWK in the error. */
function expectRefusal(text: string, named: string, options?: Options) {
	let error: unknown;
	try {
		importSigningKey(text, options);
	} catch (thrown) {
		error = thrown;
	}
	expect(error).toBeInstanceOf(JwkError);
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

describe("another alg", () => {
	test.each([
		["PS256", keys.RSA, { alg: "RS256" }],
		["RS512", keys.RSA, {}],
		["HS512", keys.oct, { alg: "HS256" }],
		["ES384", keys["P-384"], {}],
		["EdDSA", keys.Ed25519, { alg: "Ed25519" }],
		["Ed25519", keys.Ed25519, { alg: "EdDSA" }],
	] as const)(
		"%s signs in place of the key's own",
		async (algorithm, { jwk, publicKey }, members) => {
			const token = await sign({ ...jwk, ...members }, { alg: algorithm });
			await jwtVerify(token, publicKey, { algorithms: [algorithm] });
		},
	);

	test.each([
		["ES256", RSA, "RS256, RS384, RS512, PS256, PS384, PS512"],
		["HS256", RSA, "RS256, RS384, RS512, PS256, PS384, PS512"],
		["RS256", EC, "ES256"],
		["ES384", EC, "ES256"],
		["ES256", keys["P-521"].jwk, "ES512"],
		["ES256", OKP, "EdDSA, Ed25519"],
		["EdDSA", HMAC, "HS256, HS384, HS512"],
	] as const)(
		"%s that does not fit is refused, with those that do",
		(algorithm, jwk, fitting) => {
			expectRefusal(JSON.stringify(jwk), "does not fit the key", {
				alg: algorithm,
			});
			expectRefusal(JSON.stringify(jwk), fitting, { alg: algorithm });
		},
	);

	test("HS512 that wants a longer key is refused", () => {
		const jwk = JSON.stringify({ ...oct(63).jwk, alg: "HS256" });
		const named = "k must have at least 64 bytes";
		expectRefusal(jwk, named, { alg: "HS512" });
	});
});

describe("another kid", () => {
	test.each([[{ kid: "own" }], [{}]])(
		"is the token's kid, the key's own being %j",
		async (members) => {
			const token = await sign({ ...EC, ...members }, { kid: "other" });
			expect(decodeProtectedHeader(token).kid).toBe("other");
		},
	);
});

describe("secretIsText", () => {
	// As long as its hash demands, and in no base64url.
	const SECRET = "a secret of Kong's, 32 bytes é*.";
	const TEXT = { kty: "oct", kid: "partner", alg: "HS256", k: SECRET };
	const asText = { secretIsText: true };

	test("signs with the text of k, as a secret of Kong's verifies", async () => {
		const token = await sign(TEXT, asText);
		await jwtVerify(token, Buffer.from(SECRET));
	});

	test("signs with the text of a k that base64url could be, too", async () => {
		const k = `${"A".repeat(31)}B`;
		const token = await sign({ ...TEXT, k }, asText);
		await jwtVerify(token, Buffer.from(k));
		const standard = await sign({ ...TEXT, k: `${k}${k}` });
		await jwtVerify(standard, Buffer.from(`${k}${k}`, "base64url"));
	});

	test("is what a k that is not base64url may need", () => {
		expect(() => importSigningKey(JSON.stringify(TEXT))).toThrow(
			expect.objectContaining({ member: "k", form: "secret" }),
		);
	});

	test.each([
		["k must have at least 32 bytes", "short"],
		["k is one byte repeated", "a".repeat(32)],
		["k must be string", 7],
	])("leaves the other rules as they are: %s", (text, k) => {
		expectRefusal(JSON.stringify({ ...TEXT, k }), text, asText);
	});

	test("changes no other key", async () => {
		const token = await sign(EC, asText);
		await jwtVerify(token, keys["P-256"].publicKey);
	});
});

describe("of a JWK Set", () => {
	const old = { ...EC, kid: "old" };
	const next = { ...RSA, kid: "new", alg: "PS256" };
	const keySet = { keys: [old, next] };

	test.each([
		["the first key signs when none is selected", undefined, "old", "P-256"],
		["the first key signs when it is selected", "old", "old", "P-256"],
		["any key signs when it is selected", "new", "new", "RSA"],
	] as const)("%s", async (_, select, kid, kind) => {
		const token = await sign(keySet, { select });
		expect(decodeProtectedHeader(token).kid).toBe(kid);
		await jwtVerify(token, keys[kind].publicKey);
	});

	test("the first key may be without kid", async () => {
		await jwtVerify(await sign({ keys: [EC, next] }), keys["P-256"].publicKey);
	});

	test.each<[string, unknown]>([
		["null", null],
		["a text", "key"],
		["a public key", { kty: "OKP", crv: "Ed25519", kid: "other" }],
		["of an unknown type", { kty: "XYZ", kid: "other" }],
		["one that cannot sign", { ...OKP, use: "enc", kid: "other" }],
		["one of a broken kid", { ...OKP, kid: 7 }],
	])("another key is not looked at, being %s", async (_, other) => {
		const set = { keys: [other, next, other] };
		const token = await sign(set, { select: "new" });
		await jwtVerify(token, keys.RSA.publicKey);
	});

	test.each<[string, object, string | undefined, string]>([
		["none is active", keySet, "other", "no key"],
		[
			"several are active",
			{ keys: [old, { ...next, kid: "old" }] },
			"old",
			"more than one key",
		],
		["there is none", { keys: [] }, undefined, "keys"],
		["there is none to be active", { keys: [] }, "old", "keys"],
		["they are no list", { keys: old }, undefined, "keys"],
		[
			"the active one is unusable",
			{ keys: [old, { ...next, d: undefined }] },
			"new",
			"d is missing",
		],
		["the first is none", { keys: [null, next] }, undefined, "must be object"],
		["the first is a set", { keys: [keySet] }, undefined, "kty is missing"],
	])("the keys are refused when %s", (_, set, select, named) => {
		expectRefusal(JSON.stringify(set), named, { select });
	});

	test("one key alone is none; its kid has to be the active one all the same", async () => {
		await jwtVerify(
			await sign(old, { select: "old" }),
			keys["P-256"].publicKey,
		);
		expectRefusal(JSON.stringify(old), "no key", {
			select: "new",
		});
	});
});

describe("withCertificates", () => {
	let jwk: JsonWebKey & { x5c: string[] };
	let publicKey: KeyObject;
	let thumbprint: string;
	let otherLeaf: string;

	/** A certificate as a JWK has it: DER in base64. */
	const der = ({ cert }: { cert: string }) =>
		new X509Certificate(cert).raw.toString("base64");

	beforeAll(async () => {
		const days = 1;
		const ca = { ca: true, days };
		const issuer = await makeCertificate([{ CN: ["CA"] }], ca);
		const leaf = await makeCertificate([{ CN: ["kong"] }], { issuer, days });
		const { raw, publicKey: key } = new X509Certificate(leaf.cert);
		jwk = {
			...createPrivateKey(leaf.key).export({ format: "jwk" }),
			x5c: [der(leaf), der(issuer)],
		};
		publicKey = key;
		thumbprint = createHash("sha256").update(raw).digest("base64url");
		otherLeaf = der(
			await makeCertificate([{ CN: ["kong"] }], { issuer, days }),
		);
	});

	const refuse = (members: object, named: string) =>
		expectRefusal(JSON.stringify({ ...jwk, ...members }), named, {
			withCertificates: true,
		});

	test("puts the key's chain and the thumbprint of its certificate into the header", async () => {
		const token = await sign(jwk, { withCertificates: true });
		expect(decodeProtectedHeader(token)).toMatchObject({
			x5c: jwk.x5c,
			"x5t#S256": thumbprint,
		});
		const [leaf = ""] = decodeProtectedHeader(token).x5c ?? [];
		const { publicKey } = new X509Certificate(Buffer.from(leaf, "base64"));
		await jwtVerify(token, publicKey);
	});

	test("takes the thumbprint that the key has itself", async () => {
		const token = await sign(
			{ ...jwk, "x5t#S256": thumbprint },
			{ withCertificates: true },
		);
		expect(decodeProtectedHeader(token)).toHaveProperty("x5t#S256", thumbprint);
	});

	test("is off by default: no certificate is in the header, nor looked at", async () => {
		const token = await sign({ ...jwk, x5c: ["none"], "x5t#S256": "none" });
		const header = decodeProtectedHeader(token);
		expect(header).not.toHaveProperty("x5c");
		expect(header).not.toHaveProperty("x5t#S256");
		await jwtVerify(token, publicKey);
	});

	test("needs certificates", () => {
		refuse({ x5c: undefined }, "x5c is missing");
		refuse({ x5c: [] }, "x5c");
		refuse({ x5c: "none" }, "x5c must be array");
		refuse({ x5c: [7] }, "x5c/0 must be string");
	});

	test.each(["", "none", "bm9uZQ==", "-----BEGIN CERTIFICATE-----"])(
		"refuses what is no certificate: %j",
		(text) => {
			refuse({ x5c: [text] }, "x5c/0 is no certificate");
			refuse({ x5c: [jwk.x5c[0], text] }, "x5c/1 is no certificate");
		},
	);

	test("refuses the certificate of another key, and a chain that does not begin with the key's own", () => {
		const named = "x5c/0 is not the certificate of this key";
		refuse({ x5c: [otherLeaf] }, named);
		refuse({ x5c: jwk.x5c.toReversed() }, named);
	});

	test("refuses that of a key of another type, and imports the next key all the same", () => {
		const rsa = JSON.parse(testKey("RS256-jwk-private.json"));
		const { x5c } = jwk;
		const withForeign = JSON.stringify({ ...rsa, x5c });
		expect(() =>
			importSigningKey(withForeign, { withCertificates: true }),
		).toThrow("x5c/0 is not the certificate of this key");
		expect(importSigningKey(JSON.stringify(rsa)).alg).toBe("RS256");
	});

	test("refuses the thumbprint of another certificate", () => {
		const other = Buffer.from(otherLeaf, "base64");
		const digest = createHash("sha256").update(other).digest("base64url");
		const named = "x5t#S256 is not the thumbprint of";
		refuse({ "x5t#S256": digest }, named);
		refuse({ "x5t#S256": thumbprint.slice(0, -1) }, named);
	});

	test.each([
		["in PEM", (text: string) => toBase64(toPem(text))],
		["with line breaks", (text: string) => text.replace(/.{64}/g, "$&\n")],
		["in base64url", (text: string) => toBytes(text).toString("base64url")],
		[
			"followed by other bytes",
			(text: string) => toBase64(`${toBytes(text).toString("latin1")}x`),
		],
	])("refuses a certificate that is not DER in base64: %s", (_, rewrite) => {
		const [own = ""] = jwk.x5c;
		refuse({ x5c: [rewrite(own)] }, "x5c/0");
	});

	const toBytes = (base64: string) => Buffer.from(base64, "base64");
	const toBase64 = (text: string) =>
		Buffer.from(text, "latin1").toString("base64");
	const toPem = (base64: string) =>
		new X509Certificate(toBytes(base64)).toString();
});

describe("a private JWK is refused", () => {
	const without = (jwk: JsonWebKey, member: string) =>
		Object.fromEntries(Object.entries(jwk).filter(([name]) => name !== member));
	const publicOnly = (jwk: JsonWebKey) =>
		createPublicKey({ key: jwk, format: "jwk" }).export({ format: "jwk" });

	test.each([
		["empty", "", "empty; a JWK or a JWK Set"],
		["a vault reference", "{vault://env/private-jwk}", "not JSON; a JWK"],
		["PEM", privateJwkToPem(RSA), "not JSON but PEM; a JWK or a JWK Set"],
		["cut off", JSON.stringify(RSA).slice(0, -1), "the text is cut off"],
		["a secret alone", "correct-horse-battery-staple", "not JSON; a JWK"],
		["an array", JSON.stringify([RSA]), "must be object"],
		["null", "null", "must be object"],
		["a number", "42", "must be object"],
		["a JSON text", JSON.stringify(JSON.stringify(RSA)), "a quoted JWK"],
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
		expectRefusal(JSON.stringify(without(jwk, member)), `${member} is missing`);
	});

	test.each([
		["RSA", RSA],
		["EC", EC],
		["OKP", OKP],
	])("when it is the public JWK of %s", (_, jwk) => {
		expectRefusal(JSON.stringify(publicOnly(jwk)), "d is missing");
	});

	test.each<[string, object, string]>([
		["alg is of another kty: RSA", { ...RSA, alg: "ES256" }, "alg"],
		["alg is of another kty: EC", { ...EC, alg: "RS256" }, "alg"],
		["alg is of another kty: OKP", { ...OKP, alg: "ES256" }, "alg"],
		["alg is of another kty: oct", { ...HMAC, alg: "RS256" }, "alg"],
		["alg is none", { ...HMAC, alg: "none" }, "alg"],
		["alg is for encryption", { ...RSA, alg: "RSA-OAEP-256" }, "alg"],
		["alg is no text", { ...RSA, alg: 256 }, "alg"],
		["alg is of another curve: P-256", { ...EC, alg: "ES384" }, "alg"],
		[
			"alg is of another curve: P-521",
			{ ...keys["P-521"].jwk, alg: "ES256" },
			"alg",
		],
		["use is enc", { ...RSA, use: "enc" }, "use"],
		["key_ops lacks sign", { ...RSA, key_ops: ["verify"] }, "key_ops"],
		["key_ops is no list", { ...RSA, key_ops: "sign" }, "key_ops"],
		["kid is no text", { ...RSA, kid: 7 }, "kid"],
		["kid is empty", { ...RSA, kid: "" }, "kid"],
		[
			"RSA has more than two primes",
			{ ...RSA, oth: [{ r: "AQAB", d: "AQAB", t: "AQAB" }] },
			"oth",
		],
		["kty is unknown", { ...EC, kty: "XYZ" }, "kty"],
		["kty is a name every object knows", { ...EC, kty: "constructor" }, "kty"],
		["crv is secp256k1", ec("secp256k1").jwk, "crv"],
		["crv is X25519", pair(generateKeyPairSync("x25519")).jwk, "crv"],
		["crv is Ed448", pair(generateKeyPairSync("ed448")).jwk, "crv"],
		["RSA has 1024 bits", rsa(1024).jwk, "n must have at least 2048 bits"],
		["a member is not base64url: RSA n", { ...RSA, n: `${RSA.n}==` }, "n"],
		["a member is not base64url: RSA d", { ...RSA, d: "not base64url!" }, "d"],
		["a member is not base64url: EC x", { ...EC, x: "+/+/+/+/+/+/" }, "x"],
		[
			"a member is not base64url: oct k",
			{ ...HMAC, k: "pass phrase, long enough to be an HMAC key" },
			"k",
		],
		["a member is empty", { ...OKP, d: "" }, "d"],
		["a member is no text", { ...EC, d: 123456789012 }, "d"],
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
			`k must have at least ${bytes + 1} bytes`,
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
		["a d of garbage: OKP", { ...OKP, d: "garbage-".repeat(6).slice(0, 43) }],
		["a d of garbage: RSA", { ...RSA, d: "garbage-garbage" }],
	])("when it has %s", (_, jwk) => {
		expectRefusal(JSON.stringify(jwk), "its ");
	});

	// OpenSSL would sign with such a key nevertheless, but several times slower: it falls back to d.
	test.each(["d", "p", "q", "dp", "dq", "qi"] as const)(
		"when it has the %s of another RSA key",
		(member) => {
			expectRefusal(
				JSON.stringify({ ...RSA, [member]: otherRsa[member] }),
				"its ",
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
			member === "e" ? "e must be at least 3" : "its ",
		);
	});
});
