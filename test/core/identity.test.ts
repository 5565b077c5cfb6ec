import { identify, identityQuestions } from "../../core/identity";
import { CONSUMER, type Consumer, CREDENTIAL } from "../../core/questions";
import { refused } from "../../core/refusals";
import type { Settings } from "../../core/settings";
import { testKey } from "../../local/demo/flows";
import { makeCertificate } from "../../local/gateway/certificate";
import { parseConfig } from "../../plugins/x-custom-jwt/config";
import { AUTH_METHODS } from "../../schema/fields";
import { factsOf, type KnownRequest } from "../support/facts";
import { unauthorized } from "../support/refusals";
import { claimsFor, run } from "../support/run";
import {
	API_KEY,
	anonymous,
	bearer,
	clientToken,
	consumer,
	credentials,
	forgedHeaders,
	rawConfig,
	requests,
	sessionOf,
	signedLooking,
	tokenClaims,
	unsignedToken,
} from "../support/samples";

const defaults = parseConfig(rawConfig()).settings;
const SUBJECT =
	"C=US, ST=California, O=Kong Inc., OU=Konnect, CN=kong, emailAddress=contact@konghq.com";

/** All methods accepted, the one that is not accepted by default too. */
const ALL = { auth_methods: [...AUTH_METHODS] };
const OIDC = { auth_methods: ["oidc" as const] };

const NOBODY = unauthorized("nobody authenticated");
const ODD = unauthorized("no known kind");

async function identityOf(
	request: KnownRequest,
	overrides: Partial<Settings> = {},
) {
	const config = { ...defaults, ...overrides };
	const facts = await factsOf(request, [
		CREDENTIAL,
		CONSUMER,
		...identityQuestions(request.credential, config),
	]);
	const identity = identify(facts, config);
	if (!identity) throw refused("nobody_authenticated", {});
	return identity;
}

/** The method and the client's name, else the refusal. */
async function whoIs(request: KnownRequest, config: Partial<Settings> = {}) {
	try {
		const { method, clientId } = await identityOf(request, config);
		return [method, clientId];
	} catch (thrown) {
		return thrown;
	}
}

/** A request of the jwt plugin with this token, or a token of these claims. */
const withToken = (token: unknown): KnownRequest => ({
	...requests.jwt,
	shared: {
		authenticated_jwt_token:
			typeof token === "object" && token ? unsignedToken(token) : token,
	},
});

/** One certificate that the client showed, by who verified it. */
const verdicts = (plugin: unknown, listener?: string): KnownRequest => ({
	...requests.mtls,
	ctx: { CLIENT_VERIFY_OVERRIDE: plugin },
	vars: listener === undefined ? {} : { ssl_client_verify: listener },
});
const byPlugin = verdicts("SUCCESS", "NONE");

const calledAnonymous = { headers: { "x-anonymous-consumer": "true" } };
const session = { credential: credentials.idOnly, consumer };
const BOB: Consumer = {
	...consumer,
	id: "b",
	custom_id: null,
	username: "bob",
};

describe("the client is told by what Kong authenticated:", () => {
	test.each<[string, KnownRequest, [string, string] | unknown]>([
		["a user by name", { credential: credentials.basic }, ["basic", "my-user"]],
		["an LDAP user", { credential: credentials.ldap }, ["basic", "ldap-user"]],
		["an HMAC user", { credential: credentials.hmac }, ["basic", "hmac-user"]],
		["an API key", { credential: credentials.key }, ["key", API_KEY]],
		["an OAuth client", { credential: credentials.oauth2 }, ["oauth2", "shop"]],
		["a validated token", requests.jwt, ["jwt", "web-shop"]],
		[
			"a jwt credential with an RSA key",
			{
				...requests.jwt,
				credential: { id: "1", key: "a", rsa_public_key: "b" },
			},
			["jwt", "web-shop"],
		],
		[
			"a jwt credential with an algorithm",
			{
				...requests.jwt,
				credential: { id: "1", key: "a", algorithm: "RS256" },
			},
			["jwt", "web-shop"],
		],
		[
			"a jwt credential with a secret",
			{ ...requests.jwt, credential: { id: "1", key: "a", secret: "b" } },
			["jwt", "web-shop"],
		],
		["a certificate", requests.mtls, ["mtls", SUBJECT]],
		["a certificate of a plugin", byPlugin, ["mtls", SUBJECT]],
		["a consumer by custom_id", { consumer }, ["consumer", "alice-custom-id"]],
		["a consumer by username", { consumer: BOB }, ["consumer", "bob"]],
		[
			"a consumer whose custom_id is empty",
			{ consumer: { ...consumer, custom_id: "" } },
			["consumer", "alice"],
		],
		["a consumer by id", { consumer: { id: "1" } }, ["consumer", "1"]],
		["a session", session, ["consumer", "alice-custom-id"]],
		// Nobody.
		["nothing", {}, NOBODY],
		["the anonymous consumer", anonymous, NOBODY],
		["a client that calls itself anonymous", calledAnonymous, NOBODY],
		["headers of the client's own", { headers: forgedHeaders }, NOBODY],
		[
			"the anonymous consumer, and headers of the client's own",
			{ ...anonymous, headers: { ...anonymous.headers, ...forgedHeaders } },
			NOBODY,
		],
		[
			"the anonymous mark in another spelling",
			{ ...anonymous, headers: { x_anonymous_consumer: "x" } },
			NOBODY,
		],
		["a certificate that nobody looked at", verdicts(undefined), NOBODY],
		["no certificate", verdicts(undefined, "NONE"), NOBODY],
		["a bad certificate", verdicts(undefined, "FAILED:self-signed"), NOBODY],
		["a credential of no known kind", { credential: credentials.idOnly }, ODD],
	])("%s", async (_, request, expected) => {
		const of = { headers: forgedHeaders };
		expect(await whoIs(request)).toEqual(expected);
		expect(await whoIs(request, { auth_methods: [...AUTH_METHODS] })).toEqual(
			expected,
		);
		// What the client sends besides does not matter to a credential that names it.
		if (Object.keys(request.credential ?? {}).length > 1)
			expect(await whoIs({ ...of, ...request })).toEqual(expected);
	});

	test("with the claims of its token, and the consumer for whom it acts", async () => {
		expect(await identityOf(requests.jwt)).toEqual({
			method: "jwt",
			clientId: "web-shop",
			tokenClaims,
			consumer,
		});
		expect(await identityOf({ ...byPlugin, ...session })).toEqual({
			method: "mtls",
			clientId: SUBJECT,
			tokenClaims: {},
			consumer,
		});
		expect(await identityOf({ ...anonymous, ...byPlugin })).toMatchObject({
			clientId: SUBJECT,
			consumer: undefined,
		});
	});
});

describe("auth_methods", () => {
	test.each(AUTH_METHODS)(
		"accepts %s when it is the only one, and without it rejects it",
		async (method) => {
			const only = { auth_methods: [method] };
			expect(await whoIs(requests[method], only)).toEqual([
				method,
				expect.stringMatching(/./),
			]);
			const others = AUTH_METHODS.filter((other) => other !== method);
			expect(await whoIs(requests[method], { auth_methods: others })).toEqual(
				unauthorized(`authenticated by ${method},`),
			);
		},
	);

	test("cannot turn a rejected client into another one", async () => {
		const request = {
			...requests.mtls,
			...requests.key,
			headers: forgedHeaders,
		};
		const auth_methods: Settings["auth_methods"] = ["mtls", "oidc", "consumer"];
		expect(await whoIs(request, { auth_methods })).toEqual(
			unauthorized("authenticated by key,"),
		);
	});
});

describe("a client cannot pass for another one", () => {
	test.each<[string, KnownRequest, [string, string]]>([
		["a forged Bearer token with its API key", requests.key, ["key", API_KEY]],
		[
			"a forged API key with its password",
			requests.basic,
			["basic", "my-user"],
		],
		[
			"a second token in Authorization, when the validated one was in the query",
			requests.jwt,
			["jwt", "web-shop"],
		],
	])("by %s", async (_, request, expected) => {
		const forged = { ...request, headers: forgedHeaders };
		for (const config of [{}, ALL])
			expect(await whoIs(forged, config)).toEqual(expected);
	});

	test.each<[string, KnownRequest]>([
		["with a consumer", session],
		["without consumer", { credential: credentials.idOnly }],
	])(
		"by a forged Bearer token behind a session cookie, %s",
		async (_, request) => {
			expect(await whoIs({ ...request, headers: forgedHeaders })).toEqual(
				unauthorized("authenticated by oidc,"),
			);
		},
	);

	test.each<[string, KnownRequest]>([
		["a session", { credential: sessionOf(consumer.id), consumer }],
		["vault-auth", { credential: { id: "a", access_token: "b" }, consumer }],
		["a virtual credential", { credential: credentials.idOnly }],
	])("by the header of an API key behind %s", async (_, request) => {
		const headers = { apikey: "somebody-elses-key" };
		expect(
			await whoIs({ ...request, headers }, { auth_methods: ["key"] }),
		).toMatchObject({ status: 401 });
	});

	test("by so many headers that Kong's anonymous mark is cut off", async () => {
		const many = Array.from({ length: 100 }, (_, i) => [`x-${i}`, ""]);
		const headers = {
			...bearer(unsignedToken({ clientId: "admin" })),
			...Object.fromEntries(many),
			...anonymous.headers,
		};
		expect(await whoIs({ ...anonymous, headers }, ALL)).toEqual(NOBODY);
	});

	test.each(["basic", "jwt", "key", "oauth2", "mtls"] as const)(
		"or shake off its consumer by calling itself anonymous, by %s",
		async (method) => {
			const credential = requests[method].credential ?? credentials.idOnly;
			const request = { ...requests[method], credential, consumer };
			expect(await whoIs({ ...request, ...calledAnonymous })).toEqual(
				await whoIs(request),
			);
		},
	);
});

describe("a client certificate", () => {
	test.each<[string, KnownRequest, unknown]>([
		[
			"counts when a plugin verified it, whatever the listener says",
			verdicts("SUCCESS", "FAILED:unable to verify"),
			["mtls", SUBJECT],
		],
		["does not when a plugin says NONE", verdicts("NONE", "SUCCESS"), NOBODY],
		[
			"does not when a plugin says why",
			verdicts("FAILED:a", "SUCCESS"),
			NOBODY,
		],
		["does not when a plugin says nothing", verdicts("", "SUCCESS"), NOBODY],
		[
			"is the client's own, not the authority's that follows",
			{
				...requests.mtls,
				certificate: testKey("client-cert.pem") + testKey("client-ca.pem"),
			},
			["mtls", SUBJECT],
		],
		[
			"that did not verify does not stand in for the consumer",
			{ ...verdicts(undefined, "FAILED:self-signed"), ...session },
			["consumer", "alice-custom-id"],
		],
		[
			"does not stand in for a credential",
			{ ...requests.mtls, ...requests.basic },
			["basic", "my-user"],
		],
		// A load balancer in front of Kong has one too.
		[
			"of the listener does not stand in for a session",
			{ ...requests.mtls, ...session },
			["consumer", "alice-custom-id"],
		],
		[
			"of the listener does not stand in for another consumer",
			{ ...requests.mtls, consumer: BOB },
			["consumer", "bob"],
		],
		[
			"of the listener does not stand in for the anonymous consumer",
			{ ...requests.mtls, ...anonymous },
			NOBODY,
		],
		[
			"of the listener does not stand in for a credential of no known kind",
			{ ...requests.mtls, credential: credentials.idOnly },
			ODD,
		],
		[
			"counts though the client calls itself anonymous",
			{ ...requests.mtls, ...calledAnonymous },
			["mtls", SUBJECT],
		],
		[
			"counts before a Bearer token that no plugin looked at",
			{ ...requests.mtls, headers: bearer(clientToken) },
			["mtls", SUBJECT],
		],
		[
			"that cannot be read names no client",
			{ ...requests.mtls, certificate: "not PEM" },
			unauthorized("no subject"),
		],
	])("%s", async (_, request, expected) => {
		expect(await whoIs(request)).toEqual(expected);
	});

	test.each([
		["kong, CN=admin", "CN=kong\\, CN=admin"],
		["kong\nCN=admin", "CN=kong\\0ACN=admin"],
		["Zoë 客户", "CN=Zoë 客户"],
	])(
		"whose common name is %j is written so that it looks like no other",
		async (name, clientId) => {
			const { cert } = await makeCertificate([{ CN: [name] }], { days: 1 });
			expect(await whoIs({ ...requests.mtls, certificate: cert })).toEqual([
				"mtls",
				clientId,
			]);
		},
	);

	test("without a subject names the client by what certificate_clientid has, or by its consumer", async () => {
		const uri = "spiffe://example.org/orders";
		const names = [{ type: "url" as const, value: uri }];
		const { cert } = await makeCertificate([], { days: 1, names });
		const request = { ...requests.mtls, certificate: cert };
		expect(await whoIs(request)).toEqual(
			unauthorized("the verified certificate has no subject"),
		);
		const certificate_clientid: Settings["certificate_clientid"] = [
			"subject",
			"san.uri",
		];
		expect(await whoIs(request, { certificate_clientid })).toEqual([
			"mtls",
			uri,
		]);
		const mapped = { ...byPlugin, certificate: cert, consumer };
		expect(await whoIs(mapped)).toEqual(["mtls", "alice-custom-id"]);
	});
});

describe("an incoming token", () => {
	test.each<[string, unknown, unknown, Partial<Settings>?]>([
		["by a number, as its digits", { clientId: 42 }, "42"],
		["by zero", { clientId: 0 }, "0"],
		[
			"by another claim",
			{ sub: "alice" },
			"alice",
			{ bearer_clientid_claim: "sub" },
		],
		[
			"by a member of a claim",
			{ a: { b: "c" } },
			"c",
			{ bearer_clientid_claim: "a.b" },
		],
		[
			"not without the claim",
			{},
			"no claim clientId that is a text or a number",
		],
		["not by an empty one", { clientId: "" }, "no claim clientId"],
		["not by a truth value", { clientId: true }, "no claim clientId"],
		["not by an object", { clientId: { id: "a" } }, "no claim clientId"],
		["not by null", { clientId: null }, "no claim clientId"],
		[
			"not by what all objects have",
			{},
			"no claim toString",
			{ bearer_clientid_claim: "toString" },
		],
		[
			"not by a prototype",
			{},
			"no claim __proto__",
			{ bearer_clientid_claim: "__proto__" },
		],
		[
			"not by a number that is another one as text",
			`e30.${Buffer.from('{"clientId":9007199254740993}').toString("base64url")}.`,
			"beyond 2^53",
		],
		[
			"not when its claims are no UTF-8, as others would look alike",
			`e30.${Buffer.from('{"clientId":"a\xff"}', "latin1").toString("base64url")}.`,
			"left no token to read",
		],
		["not when there is none", undefined, "jwt:"],
		["not when it is empty", "", "jwt:"],
		["not when it is a number", 7, "jwt:"],
		["not when it is opaque", "opaque", "jwt:"],
		["not when its claims are a list", "e30.WzFd.x", "jwt:"],
		["not when its claims are not JSON", "e30.bm90LWpzb24.x", "jwt:"],
	])("names the client %s", async (title, token, expected, config = {}) => {
		const isRejected = title.startsWith("not");
		const outcome = isRejected ? unauthorized(String(expected)) : expected;
		const seen = await whoIs(withToken(token), config);
		expect(seen).toEqual(isRejected ? outcome : ["jwt", outcome]);
		// openid-connect's tokens are read alike.
		if (typeof token !== "object") return;
		const headers = bearer(signedLooking({ user: consumer.id, ...token }));
		const ofOidc = await whoIs(
			{ ...requests.oidc, headers },
			{ ...config, ...OIDC },
		);
		expect(ofOidc).toEqual(isRejected ? outcome : ["oidc", outcome]);
	});

	test("may hold - and _ in its base64url", async () => {
		const claims = { clientId: "web-shop", note: "ÿ?>~".repeat(5) };
		expect(unsignedToken(claims)).toMatch(/-.*_|_.*-/);
		expect((await identityOf(withToken(claims))).tokenClaims).toEqual(claims);
	});
});

describe("oidc", () => {
	const { headers } = requests.oidc;
	const forged = { sub: "alice", clientId: "admin", roles: ["superuser"] };
	const forgedHeader = { headers: bearer(signedLooking(forged)) };
	const unsigned = `${signedLooking(forged).split(".", 2).join(".")}.`;
	const FOREIGN = unauthorized("not one that openid-connect validated");
	const CLIENT = ["oidc", "web-shop"];
	const ALICE = ["consumer", "alice-custom-id"];
	const authorization = (value: string): KnownRequest => ({
		...requests.oidc,
		headers: { authorization: value },
	});

	test("is opt-in: by default its Bearer token is rejected, with a hint", async () => {
		expect(await whoIs(requests.oidc)).toEqual(
			unauthorized("add oidc to auth_methods"),
		);
	});

	test.each<[string, KnownRequest, unknown]>([
		["reads the token with credential and consumer", requests.oidc, CLIENT],
		["with a credential", { credential: { id: "alice" }, headers }, CLIENT],
		["with a consumer", { consumer, headers }, CLIENT],
		["with the scheme bearer", authorization(`bearer ${clientToken}`), CLIENT],
		["with two spaces", authorization(`BEARER  ${clientToken}`), CLIENT],
		[
			"with the client's name in a claim of a claim",
			{
				credential: { id: "alice" },
				headers: bearer(
					signedLooking({ clientId: "web-shop", a: { b: "alice" } }),
				),
			},
			CLIENT,
		],
		["leaves an opaque token", authorization("Bearer opaque"), ALICE],
		["leaves another scheme", authorization(`Basic ${clientToken}`), ALICE],
		[
			"leaves two tokens",
			authorization(`Bearer ${clientToken} ${clientToken}`),
			ALICE,
		],
		[
			"rejects a token behind a session",
			{ credential: sessionOf(consumer.id), consumer, ...forgedHeader },
			FOREIGN,
		],
		[
			"rejects one behind vault-auth",
			{
				credential: { id: "alice", access_token: "a" },
				consumer,
				...forgedHeader,
			},
			FOREIGN,
		],
		[
			"rejects one of another client",
			{ credential: { id: "bob" }, ...forgedHeader },
			FOREIGN,
		],
		[
			"rejects one of another consumer",
			{ consumer: BOB, ...forgedHeader },
			FOREIGN,
		],
		[
			"rejects one that nobody signed",
			{ ...requests.oidc, headers: bearer(unsignedToken(forged)) },
			FOREIGN,
		],
		[
			"rejects one whose signature was removed",
			{ ...requests.oidc, headers: bearer(unsigned) },
			FOREIGN,
		],
	])("%s", async (_, request, expected) => {
		expect(await whoIs(request, ALL)).toEqual(expected);
	});

	test("has the claims of the token", async () => {
		expect(await identityOf(requests.oidc, ALL)).toEqual({
			method: "oidc",
			clientId: "web-shop",
			tokenClaims,
			consumer,
		});
	});
});

describe("the issuer of a validated token", () => {
	const withIssuer = (claims: object, header: object = {}): KnownRequest => {
		const part = (value: object) =>
			Buffer.from(JSON.stringify(value)).toString("base64url");
		return withToken(
			`${part({ alg: "HS256", ...header })}.${part({ clientId: "a", ...claims })}.c2ln`,
		);
	};

	test.each([
		[
			"is the claim by which Kong found the credential",
			{ iss: "issuer" },
			"issuer",
		],
		["is unknown without the claim", {}, undefined],
		[
			"is unknown when Kong found it by something else",
			{ iss: "https://a" },
			undefined,
		],
	])("%s", async (_, claims, issuer) => {
		expect((await identityOf(withIssuer(claims))).issuer).toBe(issuer);
	});

	test.each([
		["is in the header only", {}, { iss: "issuer" }],
		[
			"is a list, and the header has another",
			{ iss: ["x"] },
			{ iss: "issuer" },
		],
		["is null", { iss: null }, {}],
		["is false", { iss: false }, { iss: "issuer" }],
		["is a number", { iss: 7 }, {}],
	])("is not accepted when it %s", async (_, claims, header) => {
		expect(await whoIs(withIssuer(claims, header))).toEqual(
			unauthorized("not the issuer that Kong found the credential by"),
		);
	});
});

describe("users of one name are told apart", () => {
	test("of two identity providers, whose credentials are one consumer's, by $(auth.issuer)", async () => {
		const set_claims = { idp: "$(auth.issuer)" };
		for (const iss of ["https://idp-a.example", "https://idp-b.example"]) {
			const request = {
				...withToken({ clientId: "portal", sub: "ceo", iss }),
				credential: { ...credentials.jwt, key: iss },
			};
			expect(await claimsFor(request, { set_claims })).toMatchObject({
				client_id: "portal",
				sub: "ceo",
				act: { client_id: consumer.custom_id },
				idp: iss,
			});
		}
		const ofKey = await claimsFor(requests.key, { set_claims });
		expect(ofKey).not.toHaveProperty("idp");
	});

	test("of two authorities' certificates by $(certificate.issuer)", async () => {
		const set_claims = { ca: "$(certificate.issuer)" };
		for (const name of ["Authority A", "Authority B"]) {
			const authority = { ca: true, days: 1 };
			const issuer = await makeCertificate([{ CN: [name] }], authority);
			const options = { issuer, days: 1 };
			const { cert } = await makeCertificate([{ CN: ["orders"] }], options);
			const request = { ...requests.mtls, certificate: cert };
			expect(await claimsFor(request, { set_claims })).toMatchObject({
				client_id: "CN=orders",
				ca: `CN=${name}`,
			});
		}
	});
});

describe("set_claims.client_id stands in for the client ID of the method", () => {
	const azpOrAppid = {
		client_id: "$(claims.azp or claims.appid or claims.cid.id)",
	};

	test.each([
		[{ azp: "a", appid: "b" }, "a"],
		[{ appid: "b" }, "b"],
		[{ azp: null, cid: { id: "c" } }, "c"],
		[{ clientId: "not asked for", "cid.id": "d" }, "d"],
		[{ clientId: 1.5, azp: "a" }, "a"],
		[{ azp: 7 }, "7"],
	])(
		"by the first of several claims that the token has: %j",
		async (claims, client_id) => {
			const config = { set_claims: azpOrAppid, keep_claims: [] };
			expect(await claimsFor(withToken(claims), config)).toMatchObject({
				client_id,
			});
		},
	);

	test("of openid-connect's token, too", async () => {
		const config = { set_claims: { client_id: "$(claims.sub)" }, ...OIDC };
		const headers = bearer(signedLooking({ sub: "alice" }));
		expect(
			await claimsFor({ ...requests.oidc, headers }, config),
		).toMatchObject({ client_id: "alice" });
	});

	test("of a certificate that has nothing of certificate_clientid", async () => {
		const names = [{ type: "url" as const, value: "spiffe://a/b" }];
		const { cert } = await makeCertificate([], { days: 1, names });
		const set_claims = { client_id: "$(certificate.san.uri | join ' ')" };
		expect(
			await claimsFor({ ...requests.mtls, certificate: cert }, { set_claims }),
		).toMatchObject({ client_id: "spiffe://a/b" });
	});

	test.each([
		[
			{ clientId: "shop" },
			"no value of $(claims.azp), $(claims.appid), $(claims.cid.id)",
		],
		[{ clientId: "shop", azp: "" }, "is empty"],
		[{ clientId: "shop", azp: true }, "is not a string"],
		[{ clientId: "shop", azp: 1.5 }, "cannot be copied exactly"],
		[{ clientId: "shop", azp: { id: "a" }, appid: "b" }, "is not a string"],
	])("and does not fall back on it: %j is 401", async (claims, reason) => {
		const config = { set_claims: azpOrAppid };
		const { exit, logs } = await run(withToken(claims), config);
		expect(exit?.status).toBe(401);
		expect(logs[0]?.message).toContain(reason);
	});
});

describe("an entity of odd shape, which is none of Kong's,", () => {
	test.each<[string, object]>([
		["a consumer without id", { consumer: {} }],
		["a consumer whose id is empty", { consumer: { ...consumer, id: "" } }],
		["a consumer whose id is a number", { consumer: { ...consumer, id: 7 } }],
		["a credential without id", { credential: { username: "a" } }],
		[
			"a credential whose id is a number",
			{ credential: { ...credentials.key, id: 7 } },
		],
	])("is refused: %s", async (_, odd) => {
		expect(await whoIs({ ...requests.key, ...odd })).toEqual(
			unauthorized("no id that is a text"),
		);
	});

	test.each([7, ["bob"], { name: "bob" }, true])(
		"has no custom_id or username that is no text: %j",
		async (name) => {
			const odd = { id: "1", custom_id: name, username: name } as unknown;
			const request = { ...requests.consumer, consumer: odd as Consumer };
			expect(await whoIs(request)).toEqual(["consumer", "1"]);
		},
	);
});

test.each<[string, KnownRequest, Partial<Settings>?]>([
	[
		"a user name",
		{ credential: { ...credentials.basic, username: "b\uFFFD" } },
	],
	["an API key", { credential: { ...credentials.key, key: "b\uFFFD" } }],
	["half a pair", { credential: { ...credentials.key, key: "\uD800" } }],
	["a consumer's name", { consumer: { ...consumer, custom_id: "b\uFFFD" } }],
	[
		"a consumer's tag",
		{ ...requests.key, consumer: { ...consumer, tags: ["b\uFFFD"] } },
	],
	["a validated token", withToken(`${clientToken}\uFFFD`)],
	[
		"a Bearer token",
		{
			...requests.oidc,
			headers: { authorization: `Bearer\uFFFD\uFFFD${clientToken}` },
		},
		{ auth_methods: ["oidc", "consumer"] },
	],
])("bytes that are no UTF-8 are 401 in %s", async (_, request, config = {}) => {
	expect(await whoIs(request, config)).toEqual(unauthorized("", "not_utf8"));
});

describe("Kong's anonymous consumer", () => {
	const config = { unauthenticated: "anonymous" as const };

	test("is a client by its own name when unauthenticated says so", async () => {
		expect(await identityOf(anonymous, config)).toEqual({
			method: "anonymous",
			clientId: "guest",
			tokenClaims: {},
			consumer: undefined,
		});
	});

	test("is no client of a request that Kong did not put it in", async () => {
		for (const request of [{}, calledAnonymous])
			expect(await whoIs(request, config)).toEqual(NOBODY);
	});
});
