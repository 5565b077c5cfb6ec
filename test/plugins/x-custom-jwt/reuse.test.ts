import crypto from "node:crypto";
import { testKey } from "../../../local/demo/flows";
import { Plugin } from "../../../plugins/x-custom-jwt";
import { parseConfig } from "../../../plugins/x-custom-jwt/config";
import { signedChannel } from "../../../plugins/x-custom-jwt/diagnostics";
import {
	cacheKey,
	type IssuedToken,
	Reuse,
	TokenCache,
} from "../../../plugins/x-custom-jwt/reuse";
import { factsOf, type KnownRequest } from "../../support/facts";
import { published, runOn, verify } from "../../support/run";
import {
	consumer,
	credentials,
	rawConfig,
	requests,
	route,
	service,
	unsignedToken,
} from "../../support/samples";

/** A whole second, so that tokens are not a part of one older than they say. */
const NOW = 1_795_434_402_000;
const seconds = (count: number) => NOW + count * 1000;

beforeEach(() => {
	// Of all clocks only the one by which tokens expire.
	jest.useFakeTimers({
		now: NOW,
		doNotFake: [
			...(["hrtime", "nextTick", "performance", "queueMicrotask"] as const),
			...(["setImmediate", "clearImmediate", "setInterval"] as const),
			...(["clearInterval", "setTimeout", "clearTimeout"] as const),
		],
	});
});
afterEach(() => jest.useRealTimers());

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

	test("and never in the last fifth of its life", async () => {
		const config = { reuse_for: 3600, expires_in: 100 };
		const plugin = instance(config, ownInstance);
		const first = await token(plugin, requests.key);
		expect(await tokenAt(79.9, plugin, requests.key)).toBe(first);
		expect(await tokenAt(80.1, plugin, requests.key)).not.toBe(first);
	});

	test("whose life is that of its claims, not of its place in memory", async () => {
		const config = { reuse_for: 3600, expires_in: 100 };
		const plugin = instance(config, ownInstance);
		// It says it is 0.9 seconds older.
		const first = await tokenAt(0.9, plugin, requests.key);
		expect(await tokenAt(79.9, plugin, requests.key)).toBe(first);
		expect(await tokenAt(80.1, plugin, requests.key)).not.toBe(first);
	});

	test("nor one that is too short-lived to be given twice", async () => {
		const plugin = instance({ expires_in: 1 }, ownInstance);
		const first = await tokenAt(0.9, plugin, requests.key);
		expect(await token(plugin, requests.key)).not.toBe(first);
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

	test("callers that came together do not come for their next tokens together", async () => {
		const plugin = instance({}, ownInstance);
		const callers = Array.from({ length: 100 }, (_, i) => ({
			...requests.key,
			credential: { ...credentials.key, key: `key ${i}` },
		}));
		const signedAt = async (time: number) => {
			jest.setSystemTime(seconds(time));
			const signed = await published(signedChannel, () =>
				Promise.all(callers.map((request) => token(plugin, request))),
			);
			return signed.length;
		};
		expect(await signedAt(0)).toBe(100);
		expect(await signedAt(44.9)).toBe(0);
		const half = await signedAt(51);
		expect(half).toBeGreaterThan(20);
		expect(half).toBeLessThan(80);
		expect(await signedAt(57)).toBe(100 - half);
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

describe("callers with any different claim get different tokens:", () => {
	const other = { ...consumer, id: "other", custom_id: "other" };
	const otherService = { ...service, path: "/other" };
	const byHeader = { set_claims: { tenant: "$(headers.x-tenant or '')" } };
	const byQuery = { subject: "$(query_params.user)" };

	test.each<[string, object, KnownRequest, KnownRequest]>([
		[
			"the credential",
			{},
			requests.key,
			{ ...requests.key, credential: { ...credentials.key, key: "other" } },
		],
		[
			"the method by which it authenticated",
			{},
			requests.basic,
			{ ...requests.key, credential: { ...credentials.key, key: "my-user" } },
		],
		[
			"the consumer",
			{},
			requests.key,
			{
				...requests.key,
				consumer: other,
				credential: { ...credentials.key, consumer: { id: other.id } },
			},
		],
		[
			"the consumer that another plugin authenticated",
			{},
			requests.consumer,
			{ ...requests.consumer, consumer: other },
		],
		[
			"the service, on a global plugin entry",
			{ service_id: undefined },
			requests.key,
			{ ...requests.key, service: otherService },
		],
		[
			"a header",
			byHeader,
			{ ...requests.key, headers: { "x-tenant": "a" } },
			{ ...requests.key, headers: { "x-tenant": "b" } },
		],
		[
			"a header that is absent",
			byHeader,
			{ ...requests.key, headers: { "x-tenant": "a" } },
			requests.key,
		],
		[
			"a query parameter",
			byQuery,
			{ ...requests.key, url: "http://kong/?user=a" },
			{ ...requests.key, url: "http://kong/?user=b" },
		],
		[
			"the address",
			{ add_claims: { ip: "$(client.ip)" } },
			{ ...requests.key, ip: "192.0.2.1" },
			{ ...requests.key, ip: "192.0.2.2" },
		],
		[
			"the route, on a service",
			{ add_claims: { route: "$(route.name)" } },
			{ ...requests.key, route },
			{ ...requests.key, route: { ...route, name: "other" } },
		],
		["a claim of its token", {}, jwtOf({ sub: "a" }), jwtOf({ sub: "b" })],
		["the type of a claim", {}, jwtOf({ n: 1 }), jwtOf({ n: "1" })],
		[
			"the expiry of its token, with cap_expiry",
			{ cap_expiry: true, keep_claims: [] },
			jwtOf({ exp: seconds(600) / 1000 }),
			jwtOf({ exp: seconds(601) / 1000 }),
		],
		[
			"the body, with bind_request",
			{ bind_request: true },
			{ ...requests.key, body: "a" },
			{ ...requests.key, body: "b" },
		],
		[
			"the URL, with bind_request",
			{ bind_request: true },
			{ ...requests.key, url: "http://kong/a" },
			{ ...requests.key, url: "http://kong/b" },
		],
	])("%s", async (_, config, one, another) => {
		for (const [, ownInstance] of SERVERS) {
			const plugin = instance(config, ownInstance);
			const first = await token(plugin, one);
			expect(await token(plugin, another)).not.toBe(first);
			expect(await token(plugin, one)).toBe(first);
		}
	});

	test("not of what enters no claim", async () => {
		const plugin = instance({ keep_claims: ["sub"] });
		const first = await token(plugin, jwtOf({ sub: "a", jti: "1", exp: 1 }));
		const again = jwtOf({ sub: "a", jti: "2", exp: 2 }, { "x-other": "b" });
		expect(await token(plugin, again)).toBe(first);
	});
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

describe("when the time of a token is nearly over", () => {
	const config = parseConfig(rawConfig(REUSE));
	const content = { claims: {}, notAfter: undefined, apiKey: undefined };
	const exp = seconds(1800) / 1000;
	const issued = (name: string): IssuedToken => ({ token: name, logged: {} });

	/** A cache with a token that was issued at the first second, at 57 seconds. */
	async function nearlyOver() {
		const reuse = new Reuse(config, true);
		const issue = jest.fn<{ token: Promise<IssuedToken>; exp: number }, []>();
		const facts = await factsOf({}, [{ about: "credential" }]);
		const given = () =>
			reuse.token(content, facts, issue).token.then(({ token }) => token);
		issue.mockReturnValueOnce({ token: Promise.resolve(issued("1")), exp });
		expect(await given()).toBe("1");
		jest.setSystemTime(seconds(57));
		return { issue, given };
	}

	test("it is given while the next one is being signed, which is signed once", async () => {
		const { issue, given } = await nearlyOver();
		let sign = (_: IssuedToken) => {};
		const next = new Promise<IssuedToken>((resolve) => {
			sign = resolve;
		});
		issue.mockReturnValueOnce({ token: next, exp });
		expect(await Promise.all([given(), given()])).toEqual(["1", "1"]);
		jest.setSystemTime(seconds(59));
		expect(await given()).toBe("1");
		sign(issued("2"));
		await next;
		expect(await given()).toBe("2");
		// Its time began when it was issued.
		jest.setSystemTime(seconds(57 + 59.9));
		issue.mockReturnValueOnce({ token: new Promise(() => {}), exp });
		expect(await given()).toBe("2");
		expect(issue).toHaveBeenCalledTimes(3);
	});

	test("but not longer than it may be, however long that takes", async () => {
		const { issue, given } = await nearlyOver();
		issue.mockReturnValueOnce({ token: new Promise(() => {}), exp });
		expect(await given()).toBe("1");
		jest.setSystemTime(seconds(60.001));
		issue.mockReturnValueOnce({ token: Promise.resolve(issued("3")), exp });
		expect(await given()).toBe("3");
	});

	test("a burst signs one next, also when that fails", async () => {
		const { issue, given } = await nearlyOver();
		const failing = () => Promise.reject(new Error("no entropy"));
		issue.mockImplementation(() => ({ token: failing(), exp }));
		const burst = await Promise.all(Array.from({ length: 100 }, given));
		expect(new Set(burst)).toEqual(new Set(["1"]));
		expect(issue).toHaveBeenCalledTimes(2);
	});

	test("a failed signature fails no request until then", async () => {
		const { issue, given } = await nearlyOver();
		const failing = () => Promise.reject(new Error("no entropy"));
		issue.mockImplementation(() => ({ token: failing(), exp }));
		expect(await given()).toBe("1");
		jest.setSystemTime(seconds(59.9));
		expect(await given()).toBe("1");
		jest.setSystemTime(seconds(60.1));
		await expect(given()).rejects.toThrow("no entropy");
	});
});

describe("the cache", () => {
	const issued = (name: string): Promise<IssuedToken> =>
		Promise.resolve({ token: name, logged: {} });
	const EXP = NOW / 1000 + 1800;

	/** A cache in which so many tokens of a size were put; tells which are still there. */
	function filled(count: number, size: number): number[] {
		const cache = new TokenCache(60, 10_000);
		const names = Array.from({ length: count }, (_, i) => i);
		for (const i of names) cache.set(`${i}`, issued(`${i}`), EXP, size);
		return names.filter((i) => cache.get(`${i}`) !== undefined);
	}

	test("keeps as many tokens as it may, those used last", () => {
		const kept = filled(12_000, 100);
		expect(kept).toHaveLength(10_000);
		expect(kept[0]).toBe(2000);
	});

	test("takes no memory for tokens that it does not have: there is one in every instance", () => {
		const bytes = () => {
			const { heapUsed, arrayBuffers } = process.memoryUsage();
			return heapUsed + arrayBuffers;
		};
		const before = bytes();
		const caches = Array.from(
			{ length: 200 },
			() => new TokenCache(60, 10_000),
		);
		expect(bytes() - before).toBeLessThan(caches.length * 50_000);
	});

	test("keeps fewer when their claims are big", () => {
		expect(filled(100, 1_048_576)).toHaveLength(16);
	});

	test("does not keep one that is bigger than all it may keep, nor make room for it", () => {
		const cache = new TokenCache(60, 10_000);
		cache.set("small", issued("small"), EXP, 100);
		cache.set("big", issued("big"), EXP, 16_780_001);
		expect(cache.get("big")).toBeUndefined();
		expect(cache.get("small")).toBeDefined();
	});

	test("forgets one that could not be signed", async () => {
		const cache = new TokenCache(60, 10_000);
		const failing = Promise.reject(new Error("no entropy"));
		cache.set("a", failing, EXP, 100);
		await expect(cache.get("a")?.token).rejects.toThrow("no entropy");
		expect(cache.get("a")).toBeUndefined();
	});

	test("goes by the clock that tokens expire by, also when it is set forward", () => {
		const cache = new TokenCache(60, 10_000);
		cache.set("a", issued("a"), EXP, 100);
		jest.setSystemTime(seconds(61));
		expect(cache.get("a")).toBeUndefined();
	});

	test("gives no token of the future when the clock is set back, but the next one", async () => {
		const cache = new TokenCache(60, 10_000);
		jest.setSystemTime(seconds(0.5));
		cache.set("a", issued("a"), EXP, 100);
		jest.setSystemTime(seconds(0));
		expect(await cache.get("a")?.token).toMatchObject({ token: "a" });
		jest.setSystemTime(seconds(-3600));
		expect(cache.get("a")).toBeUndefined();
		cache.set("a", issued("b"), EXP, 100);
		jest.setSystemTime(seconds(-3541));
		expect(await cache.get("a")?.token).toMatchObject({ token: "b" });
		jest.setSystemTime(seconds(-3539));
		expect(cache.get("a")).toBeUndefined();
	});

	test("has short keys, in which no claim can be read, different for each kind and text", () => {
		const texts = ["", "a", JSON.stringify(credentials.key).repeat(100)];
		const all = texts.flatMap((text) => [
			cacheKey("credential", text),
			cacheKey("content", text),
		]);
		expect(new Set(all).size).toBe(all.length);
		for (const key of all)
			expect(key).toMatch(/^(credential|content) [\w-]{43}$/);
	});
});
