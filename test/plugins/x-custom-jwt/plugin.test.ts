import { inspect } from "node:util";
import { testKey } from "../../../local/demo/flows";
import { Plugin } from "../../../plugins/x-custom-jwt";
import { AUTH_METHODS } from "../../../schema/fields";
import { asking, type KnownRequest } from "../../support/facts";
import { run, type Seen, verify } from "../../support/run";
import {
	API_KEY,
	anonymous,
	bearer,
	clientToken,
	consumer,
	credentials,
	forgedHeaders,
	PASSWORD_HASH,
	rawConfig,
	requests,
	SHARED_SECRET,
	service,
	unsignedToken,
} from "../../support/samples";

const UNAUTHORIZED = { message: "Unauthorized" };
const UNEXPECTED = { message: "An unexpected error occurred" };
const SECRET = "secret-that-only-Kong-knows";

function expectNothingSigned(seen: Seen) {
	expect(seen.upstreamHeaders).toEqual({});
	expect(seen.downstreamHeaders).toEqual({});
}

describe("an authenticated request", () => {
	test("reaches the backend with a verifiable token in X-Custom-Jwt", async () => {
		const seen = await run(requests.basic);
		expect(Object.keys(seen.upstreamHeaders)).toEqual(["X-Custom-Jwt"]);
		expect(await verify(seen.upstreamHeaders["X-Custom-Jwt"])).toMatchObject({
			client_id: "my-user",
			act: { client_id: "alice-custom-id" },
			iss: "https://kong-gateway:8443/x-custom-jwt",
			aud: "http://httpbin:9000/anything",
		});
		expect(seen).toMatchObject({ downstreamHeaders: {}, logs: [] });
		expect(seen.exit).toBeUndefined();
	});

	test.each(["Authorization", "authorization", "AUTHORIZATION"])(
		"gets its token as a Bearer token in %s",
		async (header) => {
			const seen = await run(requests.key, {
				upstream_custom_jwt_header: header,
			});
			const [scheme, token] = seen.upstreamHeaders[header]?.split(" ") ?? [];
			expect(scheme).toBe("Bearer");
			expect(await verify(token)).toMatchObject({ client_id: API_KEY });
		},
	);

	test.each<[string, object, string]>([
		["X-Custom-Jwt", { token_prefix: "JWT" }, "JWT "],
		["X-Custom-Jwt", { token_prefix: "Bearer" }, "Bearer "],
		["Authorization", { token_prefix: "DPoP" }, "DPoP "],
		["X-Custom-Jwt", {}, ""],
	])(
		"has in %s before the token what token_prefix says: %j",
		async (header, config, prefix) => {
			const seen = await run(requests.key, {
				upstream_custom_jwt_header: header,
				downstream_custom_jwt_header: "X-Token",
				...config,
			});
			const token = seen.downstreamHeaders["X-Token"];
			expect(seen.upstreamHeaders[header]).toBe(`${prefix}${token}`);
			await verify(token);
		},
	);

	test("also answers the same token to the client when the configuration says so", async () => {
		const seen = await run(requests.key, {
			upstream_custom_jwt_header: "Authorization",
			downstream_custom_jwt_header: "X-Token",
		});
		const token = seen.downstreamHeaders["X-Token"];
		expect(seen.upstreamHeaders.Authorization).toBe(`Bearer ${token}`);
		expect(await verify(token)).toMatchObject({ client_id: API_KEY });
	});

	test("keeps to itself when others run on the same instance at the same time", async () => {
		const plugin = new Plugin(rawConfig({ auth_methods: AUTH_METHODS }));
		const decisions = await Promise.all(
			AUTH_METHODS.map((method) => plugin.decide(asking(requests[method]).ask)),
		);
		const claims = await Promise.all(
			decisions.map(({ upstreamHeaders }) => verify(upstreamHeaders[0]?.[1])),
		);
		expect(claims.map(({ client_id }) => client_id)).toEqual([
			"my-user",
			"web-shop",
			API_KEY,
			"shop",
			expect.stringMatching(/^C=US, .*CN=kong/),
			"web-shop",
			"alice-custom-id",
		]);
	});
});

describe("what is asked about a request", () => {
	const who = [
		"credential",
		"consumer",
		"variable server_protocol",
		"variable http_connection",
	];
	const own = [...who, "service"];

	test.each<[string, object, string[]]>([
		["is no more by default", {}, own],
		[
			"is no more for templates of consumer, credential and service",
			{
				add_claims: { a: "$(consumer.tags)", b: "$(claims.sub)" },
				set_claims: { c: "$(credential.id)" },
				subject: "$(service.name or 'none')",
			},
			own,
		],
		[
			"is its route for a template of it",
			{ add_claims: { a: "$(route.name)", b: "$(route.id)" } },
			[...own, "route"],
		],
		[
			"is each header, query parameter and the address once, however often they stand",
			{
				add_claims: {
					a: "$(headers.x-a)$(headers.x-b)",
					b: '["$(headers.x-a)", "$(client.ip)", "$(client.ip)"]',
				},
				audience: ["https://a", "$(query_params.a)"],
			},
			[...who, "header x-a", "header x-b", "forwarded_ip", "query a"],
		],
		["is no service with audience", { audience: ["a"] }, who],
		[
			"is the service with audience when a template names it",
			{ audience: ["$(service.id)"] },
			own,
		],
		[
			"is the service with audience when the plugin is on one",
			{ audience: ["a"], service_id: requests.key.service?.id },
			own,
		],
	])("%s, and all at once", async (_, config, questions) => {
		expect((await run(requests.key, config)).rounds).toEqual([questions]);
	});

	test("is the request to bind it, and its body once it is known not to be too large", async () => {
		const { rounds } = await run(requests.key, { bind_request: true });
		expect(rounds).toEqual([
			[
				...own,
				"variable http_content_length",
				"method",
				"forwarded_scheme",
				"forwarded_host",
				"forwarded_port",
				"path",
			],
			["body_digest"],
		]);
	});

	const otherMarks = [
		"ctx CLIENT_VERIFY_OVERRIDE",
		"variable ssl_client_verify",
		"variable http_x_anonymous_consumer",
		"header authorization",
	];

	test.each([
		["basic", []],
		["key", []],
		["oauth2", []],
		["jwt", [["shared authenticated_jwt_token"]]],
		["mtls", [[...otherMarks, "certificate"]]],
		["oidc", [[...otherMarks, "certificate"]]],
		["consumer", [[...otherMarks, "certificate"]]],
	] as const)(
		"is at most asked a second time, for what only the method tells: %s",
		async (method, second) => {
			const config = { auth_methods: AUTH_METHODS };
			const { rounds } = await run(requests[method], config);
			expect(rounds).toEqual([own, ...second]);
		},
	);

	test("is no certificate when mtls is not accepted", async () => {
		const config = { auth_methods: ["oidc"] };
		const { rounds } = await run(requests.oidc, config);
		expect(rounds).toEqual([own, otherMarks]);
	});
});

describe("the instance of a plugin entry", () => {
	const scoped = { ...requests.basic, route: { id: "own-route" } };
	const own = { service_id: service.id, consumer_id: consumer.id };

	test.each([
		["its service", { service_id: own.service_id }],
		["its route", { route_id: "own-route" }],
		["its consumer", { consumer_id: own.consumer_id }],
		["all three", { ...own, route_id: "own-route" }],
	])("signs for %s", async (_, scope) => {
		const { upstreamHeaders, exit } = await run(scoped, scope);
		expect(exit).toBeUndefined();
		await verify(upstreamHeaders["X-Custom-Jwt"]);
	});

	test.each([
		["another service", { service_id: "other" }],
		[
			"another service, its consumer being the same",
			{ ...own, service_id: "other" },
		],
		["another route", { route_id: "other" }],
		[
			"another route of the same service",
			{ service_id: service.id, route_id: "other" },
		],
		["another consumer", { consumer_id: "other" }],
		["another consumer of the same service", { ...own, consumer_id: "other" }],
		[
			"another consumer of the same route",
			{ route_id: "own-route", consumer_id: "other" },
		],
	])(
		"signs nothing for %s, which is logged and answered by 500",
		async (_, scope) => {
			const seen = await run(scoped, scope);
			expectNothingSigned(seen);
			expect(seen).toMatchObject({
				exit: { status: 500, body: UNEXPECTED },
				logs: [
					{
						level: "err",
						message: expect.stringContaining("another plugin entry"),
					},
				],
			});
		},
	);

	test.each([
		[
			"service",
			{ service_id: service.id },
			{ ...requests.basic, service: undefined },
		],
		["route", { route_id: "own-route" }, requests.basic],
		["consumer", { consumer_id: consumer.id }, requests.mtls],
	])("signs nothing for a request without %s", async (_, scope, request) => {
		const seen = await run(request, scope);
		expectNothingSigned(seen);
		expect(seen.exit).toMatchObject({ status: 500, body: UNEXPECTED });
	});

	test.each([
		["its service", { service_id: service.id }],
		["nothing, being global", {}],
	])(
		"does not ask for the route when it is configured on %s",
		async (_, scope) => {
			expect((await run(scoped, scope)).rounds.flat()).not.toContain("route");
		},
	);
});

describe("a refused request", () => {
	const opaque = {
		...requests.jwt,
		shared: { authenticated_jwt_token: "opaque" },
	};
	const unauthorized: [string, KnownRequest, object, string][] = [
		[
			"nobody authenticated",
			{ service, headers: forgedHeaders },
			{},
			"nobody authenticated",
		],
		[
			"only the anonymous consumer is there",
			anonymous,
			{},
			"nobody authenticated",
		],
		[
			"another method authenticated",
			requests.key,
			{ auth_methods: ["basic"] },
			"authenticated by key",
		],
		[
			"the claim of the client is missing",
			requests.jwt,
			{ bearer_clientid_claim: "azp" },
			"no claim azp",
		],
		["the token is not a JWT", opaque, {}, "jwt:"],
		[
			"openid-connect is not accepted",
			requests.oidc,
			{},
			"add oidc to auth_methods",
		],
	];

	test.each(unauthorized)(
		"is 401 and logged as a warning, and with verbose the client gets the reason too, when %s",
		async (_, request, config, reason) => {
			const message = expect.stringContaining(reason);
			for (const verbose of [false, true]) {
				const seen = await run(request, { ...config, verbose });
				expectNothingSigned(seen);
				expect(seen.exit?.status).toBe(401);
				expect(seen.exit?.body).toEqual(
					verbose ? { ...UNAUTHORIZED, detail: message } : UNAUTHORIZED,
				);
				expect(seen.logs).toEqual([{ level: "warn", message }]);
			}
		},
	);

	test("is 500 and logged as an error when the route has no service", async () => {
		const request = { ...requests.basic, service: undefined };
		const seen = await run(request);
		expectNothingSigned(seen);
		expect(seen.exit).toMatchObject({ status: 500, body: UNEXPECTED });
		expect(seen.logs).toEqual([
			{ level: "err", message: expect.stringContaining("no audience") },
		]);
		expect((await run(request, { verbose: true })).exit).toMatchObject({
			status: 500,
			body: { ...UNEXPECTED, detail: seen.logs[0]?.message },
		});
	});
});

describe("whatever goes wrong inside", () => {
	const boom = new Error(SECRET);

	/** A request for each question. */
	const making: Record<string, [KnownRequest, object?]> = {
		credential: [requests.key],
		consumer: [requests.key],
		service: [requests.key],
		route: [requests.key, { route_id: "own-route" }],
		"shared authenticated_jwt_token": [requests.jwt],
		"header authorization": [requests.oidc],
		"ctx CLIENT_VERIFY_OVERRIDE": [requests.mtls],
		"variable ssl_client_verify": [requests.mtls],
		certificate: [requests.mtls],
		forwarded_ip: [requests.key, { subject: "$(client.ip)" }],
		"query a": [requests.key, { subject: "$(query_params.a)" }],
		body_digest: [requests.key, { bind_request: true }],
	};

	test.each(Object.entries(making))(
		"is 500 and logged, without the error's text: %s fails",
		async (question, [request, config]) => {
			const failing = { [question]: boom };
			const { exit, logs } = await run(
				{ ...request, failing },
				{ ...config, verbose: true },
			);
			const message = expect.stringContaining("unexpected Error");
			expect(exit).toMatchObject({
				status: 500,
				body: { ...UNEXPECTED, detail: message },
			});
			expect(logs).toEqual([{ level: "err", message }]);
			expect(JSON.stringify([exit, logs])).not.toContain(SECRET);
		},
	);

	test.each<[string, unknown]>([
		["a text", SECRET],
		["an object", { message: SECRET }],
		["nothing", undefined],
		[
			"an error with a code",
			Object.assign(new TypeError(SECRET), { code: "E_CODE" }),
		],
		[
			"an error whose text was changed since",
			Object.assign(new Error(""), { stack: `Error: ${SECRET}\n    at f` }),
		],
		["an error of several lines", new Error(`first\nsecond ${SECRET}`)],
		[
			"an error whose text looks like a stack",
			new Error(`first\n    at ${SECRET}`),
		],
		[
			"an error without stack",
			Object.assign(new Error(SECRET), { stack: undefined }),
		],
		["an error with a cause", new Error(SECRET, { cause: boom })],
	])("is 500 and logged, without its text: %s is thrown", async (_, thrown) => {
		const failing = { consumer: thrown };
		const { exit, logs } = await run(
			{ ...requests.key, failing },
			{ verbose: true },
		);
		expect(exit).toMatchObject({ status: 500, body: UNEXPECTED });
		expect(logs).toHaveLength(1);
		expect(JSON.stringify([exit, logs])).not.toContain(SECRET);
	});

	test.each([
		[
			"with a code",
			Object.assign(new TypeError(SECRET), { code: "E_CODE" }),
			/^unexpected TypeError E_CODE at .+/,
		],
		["without a text", new Error(), /^unexpected Error at .+/],
	])(
		"the operator is told the kind and the place of an error %s",
		async (_, thrown, reason) => {
			const failing = { consumer: thrown };
			const { logs } = await run({ ...requests.key, failing });
			expect(logs[0]?.message).toMatch(reason);
		},
	);
});

describe("no secret gets into a log line or an error body", () => {
	const jwk = testKey("RS256-jwk-private.json");
	const { kty, kid, alg, use, comment, e, ...jwkSecrets } = JSON.parse(jwk);
	const jti = "token-of-a-client-that-is-refused";
	const token = unsignedToken({ jti });
	const secrets: string[] = [
		...Object.values<string>(jwkSecrets),
		API_KEY,
		PASSWORD_HASH,
		SHARED_SECRET,
		token,
		jti,
		clientToken,
		forgedHeaders.apikey,
	];
	const config = { private_jwk: jwk, verbose: true, jku: "https://kong/jwks" };
	const headers = { ...forgedHeaders, ...bearer(token) };
	const quoting = new Error(secrets.join(" "));

	test.each<[string, KnownRequest, object]>([
		...AUTH_METHODS.map((method): [string, KnownRequest, object] => [
			`${method} is not accepted`,
			{ headers, ...requests[method] },
			{ auth_methods: [method === "oauth2" ? "basic" : "oauth2"] },
		]),
		[
			"HMAC is not accepted",
			{ credential: credentials.hmac, service },
			{ auth_methods: ["key"] },
		],
		[
			"LDAP is not accepted",
			{ credential: credentials.ldap, service },
			{ auth_methods: ["key"] },
		],
		[
			"a validated token has no client",
			{ ...requests.jwt, shared: { authenticated_jwt_token: token } },
			{},
		],
		[
			"a validated token is opaque",
			{ ...requests.jwt, shared: { authenticated_jwt_token: SHARED_SECRET } },
			{},
		],
		[
			"a Bearer token has no client",
			{ ...requests.oidc, headers },
			{ auth_methods: ["oidc"] },
		],
		[
			"a Bearer token is forged behind a session",
			{ ...requests.oidc, headers },
			{},
		],
		["nobody authenticated", { service, headers }, {}],
		[
			"the API key is missing",
			{ credential: credentials.idOnly, service, headers },
			{ auth_methods: ["key"], apikey_header: "other" },
		],
		[
			"the certificate is not PEM",
			{ ...requests.mtls, certificate: SHARED_SECRET },
			{},
		],
		["there is no service", { ...requests.key, service: undefined }, {}],
		[
			"the instance is of another entry",
			requests.basic,
			{ service_id: "other" },
		],
		[
			"a claim has no value",
			{ ...requests.jwt, headers },
			{ strict_claims: true, subject: "$(headers.x-user)" },
		],
		[
			"the validated token, which is to cap, has expired",
			{
				...requests.jwt,
				shared: {
					authenticated_jwt_token: unsignedToken({
						clientId: "a",
						exp: 1,
						jti,
					}),
				},
			},
			{ cap_expiry: true },
		],
		[
			"the API key is to become a claim",
			{ ...requests.key, headers: { ...headers, "x-copy": API_KEY } },
			{ subject: "$(headers.x-copy)" },
		],
		[
			"the body is too large",
			{ ...requests.key, headers, body: token },
			{ bind_request: true, max_request_body_size: 1 },
		],
		[
			"Kong quotes them when asked for the consumer",
			{ ...requests.basic, failing: { consumer: quoting } },
			{},
		],
	])("when %s", async (_, request, overrides) => {
		const { exit, logs } = await run(request, { ...config, ...overrides });
		expect(exit?.body).toHaveProperty("detail");
		expect(logs).toHaveLength(1);
		const said = JSON.stringify([exit, logs]);
		expect(secrets.filter((secret) => said.includes(secret))).toEqual([]);
	});
});

describe("an instance", () => {
	test("tells which key signs", () => {
		expect(new Plugin(rawConfig()).key).toEqual({ alg: "ES256", kid: "kong" });
	});

	test("does not show its configuration when it is printed", () => {
		const plugin = new Plugin(rawConfig());
		const { d } = JSON.parse(testKey("ES256-jwk-private.json"));
		const printed = inspect(plugin, { showHidden: true, depth: null });
		expect(printed + JSON.stringify(plugin)).not.toContain(d);
	});
});
