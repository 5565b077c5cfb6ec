import { createPublicKey, verify } from "node:crypto";
import { decodeJwt, decodeProtectedHeader } from "jose";
import type { Claims } from "../../core/platform";
import { issue, protectedHeader } from "../../core/token";
import { testKey } from "../../local/demo/flows";
import { Plugin } from "../../plugins/x-custom-jwt";
import { parseConfig } from "../../plugins/x-custom-jwt/config";
import { signedChannel } from "../../plugins/x-custom-jwt/diagnostics";
import { nodePlatform } from "../../plugins/x-custom-jwt/platform";
import { asking, type KnownRequest } from "../support/facts";
import { published, run, runOn } from "../support/run";
import { API_KEY, rawConfig, requests } from "../support/samples";

/** A token that lacks its signature. */
function unsigned(claims: Claims, config: object = {}) {
	const { settings } = parseConfig(rawConfig(config));
	const content = { claims, notAfter: undefined, apiKey: undefined };
	return issue(settings, content);
}

/** The protected header of a token. */
const headerOf = (config: object = {}) =>
	decodeProtectedHeader(unsigned([], config).sign("").token);

const JWK = JSON.parse(testKey("ES256-jwk-private.json"));

test("a token is its signing input, which the signature is of, and the signature, in base64url", async () => {
	const { settings, key } = parseConfig(rawConfig());
	const claims: Claims = [["note", "ÿ?>~".repeat(5)]];
	const content = { claims, notAfter: undefined, apiKey: undefined };
	const { signingInput, exp, sign } = issue(settings, content);
	const signature = await key.sign(signingInput);
	const { token } = sign(signature.toString("base64url"));
	expect(token).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+$/);
	expect(decodeJwt(token)).toMatchObject({ note: "ÿ?>~".repeat(5), exp });
	const publicKey = createPublicKey(testKey("ES256-public.pem"));
	const ofKey = { key: publicKey, dsaEncoding: "ieee-p1363" } as const;
	expect(verify("sha256", Buffer.from(signingInput), ofKey, signature)).toBe(
		true,
	);
});

test("carries its claims unchanged and in their order, in any script", () => {
	const claims: Claims = [
		["z", 1.5],
		["client_id", "C=FR, CN=Zoë 客户 🔑"],
		["roles", ["a", { b: null }, {}, []]],
		["__proto__", { a: 1 }],
	];
	const [, payload = ""] = unsigned(claims).signingInput.split(".");
	const json = nodePlatform.decodeBase64url(payload);
	expect(json).toMatch(
		'{"z":1.5,"client_id":"C=FR, CN=Zoë 客户 🔑","roles":["a",{"b":null},{},[]],"__proto__":{"a":1},"iat":',
	);
});

describe("the protected header", () => {
	const header = {
		typ: "JWT",
		alg: "ES256",
		kid: "kong",
		jku: "https://kong-gateway:8443/x-custom-jwt/jwks",
	};
	const { kid: _, ...withoutKid } = JWK;

	test.each<[string, object, object]>([
		["how to verify the token: alg, kid and jku", {}, header],
		[
			"no jku when that is empty, as SPIFFE demands",
			{ jku: "" },
			{ ...header, jku: undefined },
		],
		["its typ", { token_type: "at+jwt" }, { ...header, typ: "at+jwt" }],
		[
			"no kid when the key has none",
			{ private_jwk: JSON.stringify(withoutKid) },
			{ ...header, kid: undefined },
		],
		["the kid of key_id", { key_id: "2027" }, { ...header, kid: "2027" }],
	])("has %s", (_, config, expected) => {
		// toEqual takes undefined for absent; JSON does not have it.
		expect(headerOf(config)).toEqual(JSON.parse(JSON.stringify(expected)));
	});

	test("has the certificates of a key that shows them", () => {
		const certificates = { x5c: ["MII"], "x5t#S256": "thumbprint" };
		const key = { ...parseConfig(rawConfig()).key, certificates };
		const fields = { token_type: "JWT", jku: header.jku };
		const encoded = protectedHeader(key, fields, nodePlatform);
		expect(decodeProtectedHeader(`${encoded}.e30.`)).toEqual({
			...header,
			...certificates,
		});
	});
});

describe("log_claims", () => {
	const logged = async (request: KnownRequest, config: object) =>
		(await run(request, config)).serialized.x_custom_jwt;

	test("puts claims of the very token into Kong's access log, and not the token", async () => {
		const seen = await run(requests.jwt, {
			log_claims: ["jti", "aud", "act", "exp", "sub"],
		});
		const token = seen.upstreamHeaders["X-Custom-Jwt"] ?? "";
		const { jti, aud, act, exp, sub } = decodeJwt(token);
		// As text: Lua drops the whole log entry for an array it cannot write.
		expect(seen.serialized).toMatchObject({
			x_custom_jwt: { jti, aud, act: JSON.stringify(act), exp, sub },
		});
		expect(JSON.stringify(seen.serialized)).not.toContain(token.split(".")[2]);
	});

	test.each<[string, KnownRequest, object, object | undefined]>([
		[
			"skips claims that the token does not have, of every object too",
			requests.key,
			{ log_claims: ["sub", "toString", "__proto__", "constructor", "jti"] },
			{ jti: expect.any(String) },
		],
		[
			"never has an API key, whatever its claim is called",
			requests.key,
			{
				log_claims: ["client_id", "who", "jti"],
				set_claims: { who: API_KEY },
			},
			{ jti: expect.any(String) },
		],
		[
			"has the client_id when it is no API key",
			requests.basic,
			{ log_claims: ["client_id"] },
			{ client_id: "my-user" },
		],
		[
			"has the client_id that set_claims makes",
			requests.key,
			{
				log_claims: ["client_id"],
				set_claims: { client_id: "$(consumer.custom_id)" },
			},
			{ client_id: "alice-custom-id" },
		],
		[
			"has nothing of a rejected request",
			requests.key,
			{ log_claims: ["jti"], auth_methods: ["basic"] },
			undefined,
		],
	])("%s", async (_, request, config, expected) => {
		expect(await logged(request, config)).toEqual(expected);
	});
});

describe("a large token", () => {
	/** Of somebody in too many groups. */
	const request: KnownRequest = {
		...requests.key,
		shared: {
			authenticated_groups: Array.from({ length: 400 }, (_, i) => `group-${i}`),
		},
	};
	const config = { set_claims: { groups: "$(groups)", note: "short" } };
	const about = (log: { message: string }[]) =>
		log.filter(({ message }) => message.includes("max_token_size"));

	test("is signed without a limit, with one warning an instance that names its largest claims", async () => {
		const plugin = new Plugin(
			rawConfig({ set_claims: { groups: "$(groups)$(groups)" } }),
		);
		const first = await plugin.decide(asking(request).ask);
		expect(first.upstreamHeaders).toHaveLength(1);
		expect(about(first.log)).toEqual([
			{
				level: "warn",
				message: expect.stringMatching(
					/^a token of \d{4,5} bytes: .*largest claims: "groups" \(\d{4,5} bytes\), "iss" \(/,
				),
			},
		]);
		const second = await plugin.decide(asking(request).ask);
		expect(about(second.log)).toEqual([]);
		const usual = await new Plugin(rawConfig()).decide(
			asking(requests.key).ask,
		);
		expect(about(usual.log)).toEqual([]);
	});

	test("is rejected above max_token_size, also when tokens are reused", async () => {
		const plugin = new Plugin(
			rawConfig({ ...config, max_token_size: 4000, reuse_for: 60 }),
		);
		for (const _ of [1, 2]) {
			const { exit, upstreamHeaders, logs } = await runOn(plugin, request);
			expect(exit?.status).toBe(500);
			expect(upstreamHeaders).toEqual({});
			expect(logs.at(-1)?.message).toMatch(
				/^the token would have \d+ bytes, more than max_token_size; largest claims: "groups" \(/,
			);
		}
		expect((await runOn(plugin, requests.key)).exit).toBeUndefined();
	});

	test("may have just as many bytes as max_token_size", async () => {
		const [signed] = await published(signedChannel, () => run(requests.key));
		const { bytes } = signed as { bytes: number };
		for (const [max_token_size, status] of [
			[bytes, undefined],
			[bytes - 1, 500],
		])
			expect((await run(requests.key, { max_token_size })).exit?.status).toBe(
				status,
			);
	});

	test("never shows a claim's value, nor a name that a terminal would act on", () => {
		const name = `\u001b[2J${"n".repeat(100)}`;
		const { sign } = unsigned([[name, "secret".repeat(99)]], {
			max_token_size: 1,
		});
		expect(() => sign("")).toThrow(
			`largest claims: "\\u001b[2J${"n".repeat(36)}" (596 bytes)`,
		);
	});
});
