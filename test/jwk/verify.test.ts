import fc from "fast-check";
import { type JWK, SignJWT } from "jose";
import { PUBLIC_KEY_ALGORITHMS } from "../../jwk/algorithms";
import { generateKey } from "../../jwk/generate";
import { parseJwks } from "../../jwk/parse";
import { type Expectations, verifyToken } from "../../jwk/verify";
import { testKey } from "../../local/demo/flows";
import { CLAIMS, NOW, sign, signWith } from "../support/signed-token";

const part = (value: object) =>
	Buffer.from(JSON.stringify(value)).toString("base64url");

const keysOf = (name: string) => parseJwks(testKey(name));

/** Verifies with the public key of RS256 at the time of `CLAIMS`, unless told otherwise. */
function verify(token: string, expectations: Partial<Expectations> = {}) {
	return verifyToken(token, {
		keys: keysOf("RS256-jwks-public.json"),
		algorithms: PUBLIC_KEY_ALGORITHMS,
		now: NOW,
		...expectations,
	});
}

describe("a token is not verified", () => {
	const hmacOfPublicKey = () =>
		new SignJWT(CLAIMS)
			.setProtectedHeader({ alg: "HS256", kid: "kong" })
			.sign(Buffer.from(testKey("RS256-public.pem")));

	test.each<
		[string, () => Promise<string> | string, Partial<Expectations>, string]
	>([
		[
			"with another key's signature",
			async () => {
				const [, payload] = (await sign()).split(".");
				const [, , signature] = (
					await sign({}, "RS512-jwk-private.json")
				).split(".");
				return [part({ alg: "RS256", kid: "kong" }), payload, signature].join(
					".",
				);
			},
			{},
			'the signature does not match key "kong"',
		],
		[
			"with changed claims",
			async () => {
				const [header, , signature] = (await sign()).split(".");
				return [
					header,
					part({ ...CLAIMS, client_id: "admin" }),
					signature,
				].join(".");
			},
			{},
			"the signature does not match",
		],
		[
			"by a key that is not there",
			() => sign({}, "idp-jwk-private.json"),
			{},
			'no key has the token\'s kid "idp"',
		],
		[
			"by an algorithm that its key is not for",
			() => sign({}, "RS512-jwk-private.json"),
			{},
			'key "kong" is not for the token\'s alg "RS512"',
		],
		[
			"by an algorithm that is not accepted",
			() => sign(),
			{ algorithms: ["ES256"] },
			"alg RS256 is not accepted; ES256 would be",
		],
		[
			"of alg none",
			() => `${part({ alg: "none" })}.${part(CLAIMS)}.`,
			{},
			"alg is none",
		],
		[
			"of alg nOnE",
			() => `${part({ alg: "nOnE" })}.${part(CLAIMS)}.`,
			{},
			"alg is none",
		],
		[
			"with the public key as HMAC secret",
			hmacOfPublicKey,
			{},
			'alg "HS256" is symmetric',
		],
		[
			"of a symmetric key that is in the JWK Set",
			() => sign({}, "HS256-jwk.json"),
			{ keys: keysOf("HS256-jwk.json") },
			'alg "HS256" is symmetric',
		],
		[
			"that has expired",
			() => sign({ exp: NOW - 60 }),
			{},
			"the token expired 1 min ago",
		],
		[
			"that is not valid yet",
			() => sign({ nbf: NOW + 7200 }),
			{},
			"the token is valid only in 2 h",
		],
		[
			"of another issuer",
			() => sign(),
			{ issuer: "https://other" },
			'the claim iss is "https://kong"; "https://other" is expected',
		],
		[
			"for another audience",
			() => sign(),
			{ audience: "http://other" },
			'the claim aud is "http://backend"; "http://other" is expected',
		],
		[
			"without an issuer",
			() => sign({ iss: undefined }),
			{ issuer: "https://kong" },
			"the claim iss is missing",
		],
		[
			"without a claim that must be there",
			() => sign(),
			{ requiredClaims: ["jti"] },
			"the claim jti is missing",
		],
		["that is encrypted", () => "a.b.c.d.e", {}, "an encrypted one (JWE)"],
		["that is cut", async () => (await sign()).slice(0, 40), {}, "not a JWT"],
		["that is empty", () => "", {}, "not a JWT"],
		[
			"when the JWK Set has no key",
			() => sign(),
			{ keys: [] },
			"no usable key in the JWK Set",
		],
	])("%s", async (_, token, expectations, reason) => {
		const verdict = await verify(await token(), expectations);
		expect(verdict).toMatchObject({
			verified: false,
			reason: expect.stringContaining(reason),
		});
	});

	test("whatever character of it is changed", async () => {
		const token = await sign({}, "ES256-jwk-private.json");
		const keys = keysOf("ES256-jwks-public.json");
		expect(await verify(token, { keys })).toMatchObject({ verified: true });
		const property = fc.asyncProperty(
			fc.nat(token.length - 1),
			fc.constantFrom(..."AQgw09_-."),
			async (index, character) => {
				const changed =
					token.slice(0, index) + character + token.slice(index + 1);
				const bytes = (text: string) =>
					Buffer.from(text.split(".")[2] ?? "", "base64url");
				// The last character has bits that mean nothing.
				fc.pre(
					changed !== token &&
						(index < token.length - 1 || !bytes(changed).equals(bytes(token))),
				);
				expect((await verify(changed, { keys })).verified).toBe(false);
			},
		);
		await fc.assert(property, { numRuns: 300 });
	});

	test("whatever text it is", async () => {
		const texts = fc.oneof(
			fc.string(),
			fc
				.tuple(fc.json(), fc.json(), fc.string())
				.map(([header, claims, signature]) =>
					[header, claims, signature]
						.map((text) => Buffer.from(text).toString("base64url"))
						.join("."),
				),
		);
		const property = fc.asyncProperty(texts, async (text) => {
			expect((await verify(text)).verified).toBe(false);
		});
		await fc.assert(property, { numRuns: 300 });
	});
});

describe("a JWK Set", () => {
	test.each(PUBLIC_KEY_ALGORITHMS.filter((alg) => alg !== "RS512"))(
		"verifies %s",
		async (alg) => {
			const jwk = await generateKey(alg, { kid: "k" });
			const token = await signWith(JSON.stringify(jwk));
			// Among others, for other uses.
			const keys = [
				...keysOf("RS512-jwks-public.json"),
				{ ...jwk, use: "enc", kid: "k" },
				jwk,
			];
			const verdict = await verify(token, { keys, algorithms: [alg] });
			expect(verdict).toMatchObject({ verified: true, signedBy: 'key "k"' });
		},
	);

	test("may hold a private key, whose public half verifies; that it is private is said", async () => {
		const keys = keysOf("RS256-jwk-private.json");
		expect(await verify(await sign(), { keys })).toMatchObject({
			verified: true,
			notes: [expect.stringContaining('key "kong" has private members')],
		});
	});

	test("may hold keys that are of no use here; which is said", async () => {
		const keys = [
			...keysOf("HS256-jwk.json"),
			{ kty: "RSA", n: "AQAB", e: "AQAB", kid: "short" },
			...keysOf("RS256-jwks-public.json"),
		];
		expect(await verify(await sign(), { keys })).toMatchObject({
			verified: true,
			notes: [
				expect.stringContaining("symmetric (oct) and was not used"),
				expect.stringContaining(
					'not used: key "short": n must have at least 2048 bits',
				),
			],
		});
	});

	test("with two keys of one kid is tried key by key, with a warning", async () => {
		const good: JWK = JSON.parse(testKey("RS256-jwk-public.json"));
		const other: JWK = JSON.parse(testKey("idp-jwk-public.json"));
		const keys = [good, { ...other, kid: good.kid }];
		for (const set of [keys, keys.toReversed()])
			expect(await verify(await sign(), { keys: set })).toMatchObject({
				verified: true,
				notes: [
					expect.stringContaining(
						`warning: several keys have the kid "${good.kid}"; each was tried`,
					),
				],
			});
	});

	test("is tried key by key when the token has no kid", async () => {
		const { kid, ...jwk } = JSON.parse(testKey("RS256-jwk-private.json"));
		const token = await signWith(JSON.stringify(jwk));
		const keys = [
			...keysOf("idp-jwks-public.json"),
			...keysOf("RS256-jwks-public.json"),
		];
		expect(await verify(token, { keys })).toMatchObject({
			verified: true,
			signedBy: `key "${kid}"`,
			notes: [expect.stringContaining("has no kid, and 2 keys fit")],
		});
	});

	test("may hold a key in a form that some libraries refuse, which is said", async () => {
		const token = await sign();
		const [{ n, ...key }] = keysOf("RS256-jwks-public.json") as [JWK];
		const long = Buffer.concat([
			Buffer.alloc(1),
			Buffer.from(String(n), "base64url"),
		]).toString("base64url");
		expect(await verify(token, { keys: [{ ...key, n: long }] })).toMatchObject({
			verified: true,
			notes: [expect.stringContaining('key "kong": n must have the octets')],
		});
	});

	test("with a key that is none refuses its tokens only", async () => {
		const [jwk] = keysOf("ES256-jwks-public.json") as [JWK];
		const keys = [{ ...jwk, y: jwk.x }];
		const token = await sign({}, "ES256-jwk-private.json");
		expect(await verify(token, { keys })).toMatchObject({
			headline: "Key not usable",
			reason: 'the members of key "kong" form no EC key',
		});
	});
});
