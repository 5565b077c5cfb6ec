import crypto from "node:crypto";
import { CONSUMER, CREDENTIAL } from "../../core/questions";
import { contentKey, credentialKey, isUsable, lifeOf } from "../../core/reuse";
import { testKey } from "../../local/demo/flows";
import { Plugin } from "../../plugins/x-custom-jwt";
import { parseConfig } from "../../plugins/x-custom-jwt/config";
import { signedChannel } from "../../plugins/x-custom-jwt/diagnostics";
import { NOW, onlyTheClockIsFake, seconds } from "../support/clock";
import { factsOf, type KnownRequest } from "../support/facts";
import { published, runOn, verify } from "../support/run";
import {
	consumer,
	credentials,
	rawConfig,
	requests,
	route,
	service,
	unsignedToken,
} from "../support/samples";

onlyTheClockIsFake();

/** What is asked first. */
const WHO = [
	"credential",
	"consumer",
	"variable server_protocol",
	"variable http_connection",
];

const REUSE = { reuse_for: 60, service_id: service.id };

/** An instance that reuses tokens; `ownInstance` is what the dedicated plugin server says. */
const instance = (config: object = {}, ownInstance = true) =>
	new Plugin(rawConfig({ ...REUSE, ...config }), { ownInstance });

/** The token that the backend gets. */
async function token(plugin: Plugin, request: KnownRequest): Promise<string> {
	const { exit, upstreamHeaders } = await runOn(plugin, request);
	if (exit) throw new Error(`refused: ${JSON.stringify(exit)}`);
	return upstreamHeaders["X-Custom-Jwt"] ?? "";
}

/** The token of a request at a time, in seconds from the first one. */
function tokenAt(time: number, plugin: Plugin, request: KnownRequest) {
	jest.setSystemTime(seconds(time));
	return token(plugin, request);
}

/** How an instance comes to its requests. */
const SERVERS = [
	["on the dedicated server", true],
	["on the stock server", false],
] as const;

/** A request with a claim of each kind that can be different. */
const jwtOf = (claims: object, headers: Record<string, string> = {}) => ({
	...requests.jwt,
	headers,
	shared: {
		authenticated_jwt_token: unsignedToken({ clientId: "shop", ...claims }),
	},
});

describe.each(SERVERS)("%s", (_, ownInstance) => {
	test("a token is given again, jti and all, for reuse_for seconds", async () => {
		const plugin = instance({}, ownInstance);
		const first = await token(plugin, requests.key);
		expect(await tokenAt(59.9, plugin, requests.key)).toBe(first);
		const next = await tokenAt(60.1, plugin, requests.key);
		expect(next).not.toBe(first);
		const [{ jti, iat }, other] = [await verify(first), await verify(next)];
		expect(other.jti).not.toBe(jti);
		// Signed when the first one was given last.
		expect(other.iat).toBe(Number(iat) + 59);
		expect(await tokenAt(119.8, plugin, requests.key)).toBe(next);
	});

	test("a fresh one is signed for each request without reuse_for", async () => {
		const plugin = instance({ reuse_for: 0 }, ownInstance);
		const first = await token(plugin, requests.key);
		expect(await token(plugin, requests.key)).not.toBe(first);
	});

	test("concurrent requests of one caller sign once", async () => {
		const plugin = instance({}, ownInstance);
		const callers = [requests.key, requests.basic, requests.jwt];
		const tokens = new Set<string>();
		const signed = await published(signedChannel, () =>
			Promise.all(
				Array.from({ length: 60 }, async (_, i) => {
					const request = callers[i % callers.length] ?? requests.key;
					tokens.add(await token(plugin, request));
				}),
			),
		);
		expect(signed).toHaveLength(callers.length);
		expect(tokens.size).toBe(callers.length);
	});

	test("a failed signature is not kept", async () => {
		const private_jwk = testKey("HS256-jwk.json");
		const plugin = instance({ private_jwk }, ownInstance);
		jest.spyOn(crypto, "createHmac").mockImplementationOnce(() => {
			throw new Error("out of memory");
		});
		const failed = await runOn(plugin, requests.key);
		expect(failed.exit?.status).toBe(500);
		const first = await token(plugin, requests.key);
		expect(await token(plugin, requests.key)).toBe(first);
	});

	test.each(["credential", "consumer", "service"])(
		"a request that ends while Kong is asked %s does not block the next of its caller",
		async (unanswered) => {
			const plugin = instance({}, ownInstance);
			runOn(plugin, { ...requests.key, unanswered });
			const first = await token(plugin, requests.key);
			expect(await token(plugin, requests.key)).toBe(first);
		},
	);

	test("what is logged and given to the client is the same for a token given again", async () => {
		const downstream_custom_jwt_header = "X-Token";
		const config = { downstream_custom_jwt_header, log_claims: ["jti"] };
		const plugin = instance(config, ownInstance);
		const first = await runOn(plugin, requests.key);
		const second = await runOn(plugin, requests.key);
		const { rounds: _rounds, ...given } = first;
		expect(second).toMatchObject(given);
		expect(given.serialized).toMatchObject({
			x_custom_jwt: { jti: expect.any(String) },
		});
	});

	test("a changed consumer gets a token of its own at once", async () => {
		const plugin = instance({}, ownInstance);
		await token(plugin, requests.key);
		const changed = { ...consumer, custom_id: "renamed" };
		const request = { ...requests.key, consumer: changed };
		const { act } = await verify(await token(plugin, request));
		expect(act).toEqual({ client_id: "renamed" });
	});

	test("another instance, as of a changed configuration, gives another token", async () => {
		const first = await token(instance({}, ownInstance), requests.key);
		expect(await token(instance({}, ownInstance), requests.key)).not.toBe(
			first,
		);
	});
});

test("callers get one token by what enters its claims, and by nothing else", async () => {
	for (const [, ownInstance] of SERVERS) {
		const plugin = instance({ keep_claims: ["n"] }, ownInstance);
		const first = await token(plugin, jwtOf({ n: 1, jti: "1", exp: 1 }));
		const again = jwtOf({ n: 1, jti: "2", exp: 2 }, { "x-other": "b" });
		expect(await token(plugin, again)).toBe(first);
		expect(await token(plugin, jwtOf({ n: "1" }))).not.toBe(first);
		const byName = {
			...requests.key,
			credential: { ...credentials.key, key: "my-user" },
		};
		const tokens = [
			await token(plugin, requests.basic),
			await token(plugin, byName),
		];
		expect(new Set([...tokens, first]).size).toBe(ownInstance ? 3 : 2);
	}
});

test("a token that is capped is given again no longer than its own life allows, and refused when it expired", async () => {
	const plugin = instance({ cap_expiry: true, reuse_for: 3600 });
	const request = jwtOf({ exp: seconds(100) / 1000 });
	const first = await token(plugin, request);
	expect(await tokenAt(79.9, plugin, request)).toBe(first);
	expect(await tokenAt(80.1, plugin, request)).not.toBe(first);
	jest.setSystemTime(seconds(100));
	const { exit } = await runOn(plugin, request);
	expect(exit).toMatchObject({ status: 401 });
});

describe("a token given again on the dedicated server", () => {
	/** What is asked about the second one of two equal requests. */
	async function askedOfHit(
		request: KnownRequest,
		config: object = {},
		ownInstance = true,
	): Promise<string[][]> {
		const plugin = instance(config, ownInstance);
		const first = await runOn(plugin, request);
		const second = await runOn(plugin, request);
		expect(second.upstreamHeaders).toEqual(first.upstreamHeaders);
		expect(second.exit).toBeUndefined();
		return second.rounds;
	}

	const withRoute = { ...requests.key, route };
	const global = { service_id: undefined };

	test.each<[string, KnownRequest, object]>([
		["a basic-auth credential", requests.basic, {}],
		["an API key", requests.key, {}],
		["an OAuth 2.0 credential", requests.oauth2, {}],
		[
			"an HMAC credential",
			{ ...requests.basic, credential: credentials.hmac },
			{},
		],
		["a plugin entry on a route", withRoute, { route_id: route.id, ...global }],
		[
			"templates of consumer, credential and service",
			requests.key,
			{
				set_claims: { client_id: "$(consumer.id)$(service.id)" },
				subject: "$(credential.id)",
			},
		],
		[
			"templates of the route, on a route",
			withRoute,
			{ subject: "$(route.name)", route_id: route.id, ...global },
		],
		[
			"a global plugin entry with an audience",
			requests.key,
			{ ...global, audience: ["https://a"] },
		],
		[
			"a consumer's plugin entry with an audience",
			requests.key,
			{ ...global, audience: ["https://a"], consumer_id: consumer.id },
		],
		[
			"an LDAP credential, which has no consumer",
			{ ...requests.basic, credential: credentials.ldap },
			{},
		],
		[
			"an API key without consumer",
			{ ...requests.key, credential: { ...credentials.key, consumer: null } },
			{},
		],
	])(
		"is found by credential and consumer alone: %s",
		async (_, request, config) => {
			expect(await askedOfHit(request, config)).toEqual([WHO]);
		},
	);

	test.each<[string, KnownRequest, object]>([
		["the incoming token has claims", requests.jwt, {}],
		["there is no credential", requests.mtls, {}],
		["the credential does not say who it is", requests.consumer, {}],
		[
			"a header enters the claims",
			{ ...requests.key, headers: { "x-a": "b" } },
			{ subject: "$(headers.x-a)" },
		],
		[
			"a query parameter does",
			{ ...requests.key, url: "http://kong/?a=b" },
			{ audience: ["$(query_params.a)"] },
		],
		[
			"the address does",
			{ ...requests.key, ip: "::1" },
			{ subject: "$(client.ip)" },
		],
		["the request does", requests.key, { bind_request: true }],
		["the audience is that of any service", requests.key, global],
		[
			"the service is any",
			requests.key,
			{ ...global, audience: ["https://$(service.id)"] },
		],
		["the route is any", withRoute, { subject: "$(route.name)" }],
	])("costs more when %s", async (_, request, config) => {
		const rounds = await askedOfHit(request, config);
		expect(rounds.flat()).toContain("consumer");
		expect(rounds.length).toBeLessThanOrEqual(2);
	});

	test("is not reused when another plugin replaced the consumer", async () => {
		const plugin = instance();
		const other = { ...consumer, id: "other", custom_id: "other" };
		const first = await token(plugin, requests.key);
		const exchanged = await token(plugin, { ...requests.key, consumer: other });
		expect(exchanged).not.toBe(first);
		expect((await verify(exchanged)).act).toEqual({ client_id: "other" });
		expect(
			await token(plugin, { ...requests.key, consumer: undefined }),
		).not.toBe(first);
		expect(await token(plugin, requests.key)).toBe(first);
	});

	test("is not given to a request that nobody authenticated", async () => {
		const plugin = instance();
		await token(plugin, requests.key);
		const seen = await runOn(plugin, { service });
		expect(seen.exit).toMatchObject({ status: 401 });
	});

	test("is not on the stock server: Kong is asked whose request it is", async () => {
		for (const request of [requests.key, requests.basic, requests.oauth2])
			expect(await askedOfHit(request, {}, false)).toEqual([
				[...WHO, "service"],
			]);
	});

	test.each([
		["service", { service_id: service.id }],
		["route", { route_id: route.id, ...{ service_id: undefined } }],
		["consumer", { consumer_id: consumer.id }],
	])(
		"nor is a request for another %s ever given one there",
		async (_, scope) => {
			const plugin = instance(scope, false);
			await token(plugin, withRoute);
			const { exit, upstreamHeaders } = await runOn(plugin, {
				...requests.key,
				service: { ...service, id: "other" },
				route: { ...route, id: "other" },
				consumer: { ...consumer, id: "other" },
			});
			expect(exit?.status).toBe(500);
			expect(upstreamHeaders).toEqual({});
		},
	);
});

describe("how long a token is given again", () => {
	test.each([
		["reuse_for", 60, 1800, 0, 60],
		["four fifths of its life, when that is shorter", 3600, 100, 0, 80],
		["by its whole seconds, which are older", 3600, 100, 0.9, 79.1],
		["not at all, when its life is over before", 60, 1, 0.9, undefined],
	])("is %s", (_, reuseFor, lifetime, later, time) => {
		const now = seconds(later);
		const life = lifeOf(reuseFor, NOW / 1000 + lifetime, now, 0);
		expect(life?.until).toBe(time && now + time * 1000);
		expect(life?.issuedAt).toBe(time && NOW);
	});

	test("ends for no two callers at once: the next one is due in its last quarter, by chance", () => {
		const dueAt = (chance: number) =>
			lifeOf(60, NOW / 1000 + 1800, NOW, chance)?.nextDue;
		expect([dueAt(0), dueAt(0.5), dueAt(1)]).toEqual([45, 51, 57].map(seconds));
	});

	test.each([
		[-1, false],
		[0, true],
		[59.999, true],
		[60, false],
	])("includes its first moment and not its last: %d s is %s", (at, usable) => {
		const life = { issuedAt: NOW, until: seconds(60), nextDue: seconds(50) };
		expect(isUsable(life, seconds(at))).toBe(usable);
	});
});

describe("the key of a token", () => {
	const content = { claims: [], notAfter: undefined, apiKey: undefined };
	const keysOf = async (request: KnownRequest, config: object = REUSE) => {
		const { settings } = parseConfig(rawConfig(config), { ownInstance: true });
		const facts = await factsOf(request, [CREDENTIAL, CONSUMER]);
		return [
			credentialKey(settings, facts),
			contentKey(settings, facts, content),
		];
	};

	test("is that of the credential and the consumer, where the claims follow from them", async () => {
		const [first, second] = await keysOf(requests.key);
		expect(first).toMatch(/^credential [\w-]{43} [\w-]{43}$/);
		expect(second).toBe(first);
		const [alone] = await keysOf({ ...requests.key, consumer: undefined });
		expect(alone).toMatch(/^credential [\w-]{43} $/);
	});

	test.each<[string, KnownRequest, object]>([
		["a token's claims do not", requests.jwt, REUSE],
		["nobody has a credential", requests.mtls, REUSE],
		[
			"a header enters them",
			requests.key,
			{ ...REUSE, subject: "$(headers.a)" },
		],
		["the service is any", requests.key, { reuse_for: 60 }],
	])("is that of the content, a hash, where %s", async (_, request, config) => {
		const [, byContent] = await keysOf(request, config);
		expect(byContent).toMatch(/^content [\w-]{43}$/);
	});
});
