import { Plugin } from "../../plugins/x-custom-jwt";
import { asking, type KnownRequest } from "../support/facts";
import { run, runOn, verify } from "../support/run";
import {
	anonymous,
	credentials,
	rawConfig,
	requests,
	service,
} from "../support/samples";

const decide = (request: KnownRequest, config: object = {}) =>
	new Plugin(rawConfig(config)).decide(asking(request).ask);

const SPELLINGS = [
	"X-Custom-Jwt",
	"X-Custom_Jwt",
	"X_Custom-Jwt",
	"X_Custom_Jwt",
];

describe("what log plugins write of a request", () => {
	test("holds no token: its headers are redacted, upstream and downstream", async () => {
		const config = {
			upstream_custom_jwt_header: "X-Token",
			downstream_custom_jwt_header: "X-Back",
		};
		expect((await decide(requests.key, config)).logValues).toEqual([
			["request.headers.x-token", "REDACTED"],
			["response.headers.x-back", "REDACTED"],
		]);
	});

	test("is left to Kong for Authorization, which it redacts itself", async () => {
		const config = { upstream_custom_jwt_header: "Authorization" };
		expect((await decide(requests.key, config)).logValues).toEqual([]);
	});
});

describe("a request that has Kong drop the token after all plugins, by its header Connection,", () => {
	const saying = (connection: string): KnownRequest => ({
		...requests.key,
		vars: { ...requests.key.vars, http_connection: connection },
	});

	test.each([
		["X-Custom-Jwt", {}],
		["close, x-custom-JWT", {}],
		["keep-alive,\tX-Custom-Jwt ,", {}],
		["keep-alive;x-custom-jwt", {}],
		["authorization", { upstream_custom_jwt_header: "Authorization" }],
	])("is refused: %j", async (connection, config) => {
		const { exit, log } = await decide(saying(connection), config);
		expect(exit).toMatchObject({
			status: 400,
			body: { message: "Bad request" },
		});
		expect(log.at(-1)?.message).toContain("Connection");
	});

	test("is refused when its token would be given again, too", async () => {
		const config = rawConfig({ reuse_for: 60, service_id: service.id });
		const plugin = new Plugin(config, { ownInstance: true });
		const { exit } = await plugin.decide(asking(requests.key).ask);
		expect(exit).toBeUndefined();
		const again = await plugin.decide(asking(saying("x-custom-jwt")).ask);
		expect(again.exit?.status).toBe(400);
	});

	test.each(["close", "keep-alive, Upgrade", "X-Custom-Jwt-Other", "x-custom"])(
		"is another one's matter: %j",
		async (connection) => {
			const { upstreamHeaders } = await decide(saying(connection));
			expect(upstreamHeaders).toHaveLength(1);
		},
	);
});

describe("a request that nobody authenticated", () => {
	test.each([
		["nobody", { service }],
		["the anonymous consumer", anonymous],
	])(
		"passes without a token, and without what the client sent in its place, with unauthenticated: pass: %s",
		async (_, request) => {
			expect(await decide(request, { unauthenticated: "pass" })).toMatchObject({
				clearedHeaders: SPELLINGS,
				upstreamHeaders: [],
				downstreamHeaders: [],
			});
		},
	);

	test.each<[string, KnownRequest, object?]>([
		[
			"a method that is not accepted",
			requests.key,
			{ auth_methods: ["basic"] },
		],
		["a token that cannot be read", { ...requests.jwt, shared: {} }],
		["a credential of no known kind", { credential: credentials.idOnly }],
	])(
		"is not one whose authentication failed half-way: %s",
		async (_, request, config = {}) => {
			for (const unauthenticated of ["pass", "anonymous"]) {
				const { exit } = await decide(request, { ...config, unauthenticated });
				expect(exit?.status).toBe(401);
			}
		},
	);

	test("gets a token of Kong's anonymous consumer with unauthenticated: anonymous", async () => {
		const config = {
			unauthenticated: "anonymous",
			set_claims: { auth_method: "$(auth.method)" },
		};
		const { upstreamHeaders } = await run(anonymous, config);
		const claims = await verify(upstreamHeaders["X-Custom-Jwt"]);
		expect(claims).toMatchObject({
			client_id: "guest",
			auth_method: "anonymous",
		});
		expect(claims).not.toHaveProperty("act");
		expect((await run({ service }, config)).exit?.status).toBe(401);
	});
});

describe("a preflight request", () => {
	const off = { run_on_preflight: false };

	test("passes without a token with run_on_preflight: false, whoever sends it", async () => {
		for (const request of [{ service }, requests.key, anonymous])
			expect(
				await decide({ ...request, method: "OPTIONS" }, off),
			).toMatchObject({ clearedHeaders: SPELLINGS, upstreamHeaders: [] });
	});

	test("needs a token by default, and other methods always do", async () => {
		const preflight = { service, method: "OPTIONS" };
		expect((await decide(preflight)).exit?.status).toBe(401);
		const get = { service, method: "GET" };
		expect((await decide(get, off)).exit?.status).toBe(401);
	});

	test("is not given a token that is reused", async () => {
		const config = { ...off, reuse_for: 60, service_id: service.id };
		const plugin = new Plugin(rawConfig(config), { ownInstance: true });
		const ask = (request: KnownRequest) => plugin.decide(asking(request).ask);
		expect((await ask(requests.key)).upstreamHeaders).toHaveLength(1);
		const preflight = { ...requests.key, method: "OPTIONS" };
		expect((await ask(preflight)).upstreamHeaders).toEqual([]);
	});

	test("of another plugin entry's instance is not passed", async () => {
		const config = { ...off, service_id: "other" };
		const preflight = { ...requests.key, method: "OPTIONS" };
		expect((await decide(preflight, config)).exit?.status).toBe(500);
	});
});

describe("a response 401", () => {
	test.each([
		[undefined, undefined, "Basic, Bearer, Key"],
		[["jwt", "oauth2", "oidc"], undefined, "Bearer"],
		[["key"], "My API", 'Key realm="My API"'],
		[["basic", "key"], "a", 'Basic realm="a", Key realm="a"'],
		[["mtls", "consumer"], undefined, "Bearer"],
	])(
		"says how to authenticate by the accepted methods: %j, realm %j",
		async (auth_methods, realm, challenge) => {
			const { exit } = await decide({ service }, { auth_methods, realm });
			expect(exit).toMatchObject({
				status: 401,
				headers: { "WWW-Authenticate": challenge },
			});
		},
	);

	test("is the only one that does", async () => {
		const { exit } = await decide({ ...requests.key, service: undefined });
		expect(exit?.status).toBe(500);
		expect(exit).not.toHaveProperty("headers");
	});
});

test("the first request of an instance brings the warnings about its configuration to the log, once", async () => {
	const plugin = new Plugin(rawConfig({ auth_methods: ["key", "jwt"] }));
	const { ask } = asking(requests.key);
	const { log } = await plugin.decide(ask);
	expect(log).toEqual([
		{ level: "warn", message: expect.stringContaining("several methods") },
		{ level: "warn", message: expect.stringContaining("accepts jwt, tokens") },
		{ level: "warn", message: expect.stringContaining("test keys") },
	]);
	expect((await plugin.decide(ask)).log).toEqual([]);
});

describe("a request of HTTP/0.9, in which Kong cannot set headers,", () => {
	const NOT_SUPPORTED = {
		status: 505,
		body: { message: "HTTP version not supported" },
	};

	test.each<[string, object, KnownRequest]>([
		["an authenticated client", {}, requests.key],
		["a client whose token is reused", { reuse_for: 60 }, requests.key],
		[
			"a preflight",
			{ run_on_preflight: false },
			{ ...requests.key, method: "OPTIONS" },
		],
		["nobody, who may pass", { unauthenticated: "pass" }, { service }],
		["the anonymous consumer", { unauthenticated: "anonymous" }, anonymous],
	])("is rejected: %s", async (_, fields, request) => {
		const config = { ...rawConfig(fields), service_id: service.id };
		for (const ownInstance of [true, false])
			for (const protocol of ["", "HTTP/0.9", "HTTP/1.7", undefined]) {
				const plugin = new Plugin(config, { ownInstance });
				await runOn(plugin, request);
				const vars = { ...request.vars, server_protocol: protocol };
				const seen = await runOn(plugin, { ...request, vars } as KnownRequest);
				expect(seen.exit).toMatchObject(NOT_SUPPORTED);
				expect(seen.upstreamHeaders).toEqual({});
			}
	});
});
