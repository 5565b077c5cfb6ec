import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import fc from "fast-check";
import { type JWK, type JWTPayload, SignJWT } from "jose";
import { parseJwks } from "../../cli/named-jwk";
import { type Expectations, verifyToken } from "../../cli/token";
import { PUBLIC_KEY_ALGORITHMS } from "../../jwk/algorithms";
import { generateKey } from "../../jwk/generate";
import { importSigningKey } from "../../jwk/signing-key";
import { testKey } from "../../local/demo/flows";
import { tokenSigner } from "../../plugins/x-custom-jwt/token";
import { packageRoot } from "../../schema/package-root";
import { run } from "../support/cli";
import { temporaryFolder } from "../support/server";

const JWKS = join(packageRoot(), "test-keys/RS256-jwks-public.json");
const JKU = "https://kong-gateway:8443/x-custom-jwt/jwks";
const NOW = Math.floor(Date.now() / 1000);
const CLAIMS = {
	client_id: "my-user",
	iss: "https://kong",
	aud: "http://backend",
	iat: NOW - 180,
	exp: NOW + 1620,
};

/** A token as the plugin makes it. */
function sign(
	claims: JWTPayload = {},
	key = "RS256-jwk-private.json",
	jku = JKU,
) {
	return tokenSigner(importSigningKey(testKey(key)), { typ: "JWT", jku })({
		...CLAIMS,
		...claims,
	});
}

const part = (value: object) =>
	Buffer.from(JSON.stringify(value)).toString("base64url");

const keysOf = (name: string) => parseJwks(testKey(name), name);

/** Verifies with the public key of RS256 at the time of `CLAIMS`, unless told otherwise. */
function verify(token: string, expectations: Partial<Expectations> = {}) {
	return verifyToken(token, {
		keys: keysOf("RS256-jwks-public.json"),
		algorithms: PUBLIC_KEY_ALGORITHMS,
		now: NOW,
		...expectations,
	});
}

const servers: Server[] = [];
afterAll(() => {
	for (const server of servers) server.close();
});

/** An HTTP server that counts its requests and answers each alike. */
async function serve(status: number, body: string, headers = {}) {
	const seen = { requests: 0, url: "" };
	const server = createServer((_, response) => {
		seen.requests++;
		response.writeHead(status, headers).end(body);
	});
	servers.push(server.listen(0, "localhost"));
	await once(server, "listening");
	seen.url = `http://localhost:${(server.address() as AddressInfo).port}/jwks`;
	return seen;
}

describe("token verify", () => {
	test("verifies a token with a JWK Set from a URL, and says so in words and times", async () => {
		const gateway = await serve(200, testKey("RS256-jwks-public.json"));
		const { code, stdout } = await run(
			[
				"token",
				"verify",
				"-",
				"--jwks",
				gateway.url,
				"--iss",
				CLAIMS.iss,
				"--aud",
				CLAIMS.aud,
				"--alg",
				"RS256",
			],
			{ input: `Bearer ${await sign()}\n` },
		);
		expect(code).toBe(0);
		expect(stdout).toContain('"client_id": "my-user"');
		expect(stdout).toMatch(/^iat {2}issued 3 minutes ago \(20.*Z\)$/m);
		expect(stdout).toMatch(/^exp {2}expires in 2[67] minutes \(20.*Z\)$/m);
		expect(stdout).toContain('signature verified with key "kong"');
		expect(stdout.endsWith("\nVERIFIED\n")).toBe(true);
	});

	test("--json has the verdict, header, claims and times", async () => {
		const token = await sign();
		const args = ["token", "verify", token, "--jwks", JWKS, "--json"];
		const { code, stdout } = await run(args);
		expect(code).toBe(0);
		expect(JSON.parse(stdout)).toMatchObject({
			verified: true,
			header: { alg: "RS256", kid: "kong" },
			claims: CLAIMS,
			times: { exp: expect.stringMatching(/^expires in/) },
		});
	});

	test("answers no with exit code 1 and the reason", async () => {
		const token = await sign({ exp: NOW - 120 });
		const { code, stdout } = await run([
			"token",
			"verify",
			token,
			"--jwks",
			JWKS,
		]);
		expect(code).toBe(1);
		expect(stdout).toMatch(/NOT VERIFIED: expired 2 minutes ago \(20.*Z\)\n$/);
	});

	test("never asks the URL in the token's own jku, and says that there is one", async () => {
		const forger = await serve(200, testKey("idp-jwks-public.json"));
		const token = await sign({}, "idp-jwk-private.json", forger.url);
		const { code, stdout } = await run([
			"token",
			"verify",
			token,
			"--jwks",
			JWKS,
		]);
		expect(code).toBe(1);
		expect(stdout).toContain("the token's own jku was not fetched");
		expect(stdout).toContain(
			'no key has the token\'s kid "idp"; there are "kong"',
		);
		expect(forger.requests).toBe(0);
	});

	test("says which checks were not asked for", async () => {
		const args = ["token", "verify", await sign(), "--jwks", JWKS];
		expect((await run(args)).stdout).toContain(
			"not checked for want of --iss and --aud",
		);
		expect((await run([...args, "--iss", CLAIMS.iss])).stdout).toContain(
			"not checked for want of --aud",
		);
	});

	test.each([
		["answers 404", 404, "", {}, "answers 404; 200 is expected"],
		[
			"leads elsewhere",
			302,
			"",
			{ location: "http://localhost:1/" },
			"answers 302",
		],
		["is no JSON", 200, "<html>", {}, "not JSON; a JWK or a JWK Set"],
		[
			"has keys that are no list",
			200,
			'{"keys":{}}',
			{},
			"keys must be a list",
		],
		["never ends", 200, " ".repeat(2 ** 20 + 1), {}, "answers more than"],
	])(
		"has no answer, exit code 2, when the JWK Set's URL %s",
		async (_, status, body, headers, named) => {
			const { url } = await serve(status, body, headers);
			const args = ["token", "verify", await sign(), "--jwks", url];
			expect(await run(args)).toMatchObject({
				code: 2,
				stdout: "",
				stderr: expect.stringContaining(named),
			});
		},
	);

	test.each([
		["http://user:s3cret@localhost:1/jwks", "no user name or password"],
		["http://localhost:1/jwks?apikey=s3cret", "cannot be reached"],
		["http://user:s3cret@[/jwks", "not a URL"],
	])("prints no secret of a URL: %s", async (url, named) => {
		const args = ["token", "verify", await sign(), "--jwks", url];
		const { code, stdout, stderr } = await run(args);
		expect(code).toBe(2);
		expect(stderr).toContain(named);
		expect(stdout + stderr).not.toContain("s3cret");
	});

	test("takes a token that a terminal broke into lines", async () => {
		const input = (await sign()).replaceAll(/.{80}/g, "$&\n");
		const args = ["token", "verify", "-", "--jwks", JWKS];
		expect(await run(args, { input })).toMatchObject({ code: 0 });
	});

	test("has no answer when nobody listens there", async () => {
		const { url } = await serve(200, "");
		servers.pop()?.close();
		const args = ["token", "verify", await sign(), "--jwks", url];
		expect(await run(args)).toMatchObject({
			code: 2,
			stderr: expect.stringContaining("cannot be reached: ECONNREFUSED"),
		});
	});
});

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
			"alg HS256 is symmetric",
		],
		[
			"of a symmetric key that is in the JWK Set",
			() => sign({}, "HS256-jwk.json"),
			{ keys: keysOf("HS256-jwk.json") },
			"alg HS256 is symmetric",
		],
		[
			"that has expired",
			() => sign({ exp: NOW - 60 }),
			{},
			"expired 60 seconds ago",
		],
		[
			"that is not valid yet",
			() => sign({ nbf: NOW + 7200 }),
			{},
			"valid only in 2 hours",
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
		["that is encrypted", () => "a.b.c.d.e", {}, "encrypted (JWE)"],
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
			const token = await tokenSigner(importSigningKey(JSON.stringify(jwk)), {
				typ: "JWT",
				jku: JKU,
			})(CLAIMS);
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

	test("may have members that are no keys: each is named and skipped", async () => {
		const file = join(temporaryFolder(), "jwks.json");
		const [good] = keysOf("RS256-jwks-public.json");
		const keys = [null, { kid: "no-kty" }, { kty: "RSA", kid: 7 }, good];
		writeFileSync(file, JSON.stringify({ keys }));
		const command = ["token", "verify", await sign(), "--jwks", file];
		const { code, stdout } = await run(command);
		expect(code).toBe(0);
		for (const index of [0, 1, 2])
			expect(stdout).toContain(`note: not used: keys/${index}: not a JWK`);
		expect(stdout).toContain("\nVERIFIED\n");
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
		const token = await tokenSigner(importSigningKey(JSON.stringify(jwk)), {
			typ: "JWT",
			jku: JKU,
		})(CLAIMS);
		const keys = [
			...keysOf("idp-jwks-public.json"),
			...keysOf("RS256-jwks-public.json"),
		];
		expect(await verify(token, { keys })).toMatchObject({
			verified: true,
			signedBy: `key "${kid}"`,
		});
	});
});

describe("token decode", () => {
	test("prints header, claims and times, and that nothing is verified", async () => {
		const { code, stdout } = await run(["token", "decode", await sign()]);
		expect(code).toBe(0);
		expect(stdout).toContain('"alg": "RS256"');
		expect(stdout).toContain('"client_id": "my-user"');
		expect(stdout).toContain("not verified");
	});

	test("prints JSON with --json", async () => {
		const { stdout } = await run(["token", "decode", "-", "--json"], {
			input: await sign(),
		});
		expect(JSON.parse(stdout)).toMatchObject({
			header: { kid: "kong" },
			claims: CLAIMS,
		});
	});

	test("lets no token write to the terminal", async () => {
		const token = await sign({
			sub: "\u001b[2J\u009b1m\u202eevil\u200b\u{e0041}",
			iat: "\u001b[31m" as never,
		});
		const { stdout } = await run(["token", "decode", token]);
		// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
		expect(stdout).not.toMatch(/[\u001b\u009b\u202e\u200b\u{e0041}]/u);
		expect(stdout).toContain("\\u202eevil\\u200b\\udb40\\udc41");
		expect(stdout).toMatch(/^iat {2}not a number$/m);
	});

	test("refuses what is no JWT without repeating it", async () => {
		const { code, stderr } = await run([
			"token",
			"decode",
			"not.a-secret.token",
		]);
		expect(code).toBe(2);
		expect(stderr).toContain("not a JWT");
		expect(stderr).not.toContain("a-secret");
	});
});
