import {
	createHash,
	createPrivateKey,
	createPublicKey,
	type KeyObject,
	X509Certificate,
} from "node:crypto";
import {
	decodeJwt,
	type JWTPayload,
	type JWTVerifyResult,
	jwtVerify,
} from "jose";
import { makeCertificate } from "../../../local/gateway/certificate";
import { stockServer } from "../../../local/gateway/plugin-server";
import ecJwk from "../../../test-keys/ES256-jwk-private.json";
import ecPublicJwk from "../../../test-keys/ES256-jwk-public.json";
import rsaJwk from "../../../test-keys/RS256-jwk-private.json";
import rsaPublicJwk from "../../../test-keys/RS256-jwk-public.json";
import {
	EXIT,
	type PdkCall,
	SET_HEADER,
	StockClient,
} from "../../support/client";
import { isNote } from "../../support/notes";
import { recordedAnswer } from "../../support/recording";
import { type ServerProcess, startServer } from "../../support/server";

/** Kong's answers to PDK calls, by method; a function gets the call's arguments. */
type PdkAnswers = Record<string, unknown>;

const CREDENTIAL = "kong.client.get_credential";
const CONSUMER = "kong.client.get_consumer";
const VARIABLE = "kong.nginx.get_var";
const SERVICE = "kong.router.get_service";
const ROUTE = "kong.router.get_route";
const TOKEN = "kong.ctx.shared.get";
const HEADER = "kong.request.get_header";
const QUERY = "kong.request.get_query_arg";
const IP = "kong.client.get_forwarded_ip";
const BODY = "kong.request.get_raw_body";
const LOG = "kong.log.set_serialize_value";

/** What Kong knew of a recorded request. */
const recorded = (name: string): PdkAnswers =>
	Object.fromEntries(
		[CREDENTIAL, CONSUMER, SERVICE, ROUTE].map((method) => [
			method,
			recordedAnswer(name, method),
		]),
	);

const byPassword = recorded("basic-auth");
const byKey = recorded("key-auth");
const { id: SERVICE_ID } = byKey[SERVICE] as { id: string };
const { id: CONSUMER_ID } = byKey[CONSUMER] as { id: string };
const { id: ROUTE_ID } = byKey[ROUTE] as { id: string };

/** A token that the jwt plugin has validated. */
const byToken = (claims: object): PdkAnswers => ({
	...recorded("jwt"),
	[TOKEN]: `e30.${Buffer.from(JSON.stringify({ clientId: "shop", ...claims })).toString("base64url")}.`,
});

/** Answers about named things: headers, query parameters. */
const named = (values: Record<string, unknown>) => (name: string) =>
	values[name];

const publicKeyOf = (jwk: object) =>
	createPublicKey({ key: { ...jwk }, format: "jwk" });
const EC_KEY = publicKeyOf(ecPublicJwk);
const RSA_KEY = publicKeyOf(rsaPublicJwk);

const methods = (calls: PdkCall[]) => calls.map(({ method }) => method);

const tokenIn = (calls: PdkCall[]): string => {
	const set = calls.find(({ method }) => method === SET_HEADER);
	if (!set) throw new Error(`no token: ${JSON.stringify(calls.at(-1))}`);
	return String(set.args[1]);
};

describe("kong-js-pluginserver with the TypeScript plugin", () => {
	let server: ServerProcess;
	let client: StockClient;

	beforeAll(async () => {
		server = await startServer(stockServer());
		client = new StockClient(server.socketPath);
	});
	afterAll(() => server.kill());

	/** Starts an instance of a plugin entry on the recorded service. */
	const start = (config: object = {}) =>
		client.startInstance({
			private_jwk: JSON.stringify(ecJwk),
			service_id: SERVICE_ID,
			...config,
		});

	const runPhase = async (instance: number, answers: PdkAnswers) => {
		const calls = await client.runPhaseWith(instance, ({ method, args }) => {
			if (method === VARIABLE && args[0] === "server_protocol")
				return "HTTP/1.1";
			const answer = answers[method];
			return typeof answer === "function" ? answer(...args) : answer;
		});
		return calls.filter(({ method, args }) => !isNote(method, args));
	};

	/** The PDK calls of one request. */
	const run = async (answers: PdkAnswers, config?: object) =>
		runPhase(await start(config), answers);

	/** The token of one request, verified. */
	const verified = async (
		answers: PdkAnswers,
		config?: object,
		key: KeyObject = EC_KEY,
	): Promise<JWTVerifyResult> =>
		jwtVerify(tokenIn(await run(answers, config)), key);

	const claimsFor = async (
		answers: PdkAnswers,
		config?: object,
	): Promise<JWTPayload> => (await verified(answers, config)).payload;

	test("shapes claims in their order: copied, kept and removed, own, added, set", async () => {
		const answers = byToken({
			sub: "u1",
			scope: "orders:read",
			roles: ["a"],
			org: "kept away",
			email: "removed",
			act: { sub: "prior" },
			exp: 1,
		});
		expect(
			await claimsFor(answers, {
				keep_claims: ["sub", "scope", "roles", "email", "act", "exp"],
				remove_claims: ["email"],
				add_claims: { scope: "none", env: "production", org: "added" },
				set_claims: { roles: '["b", {"n": 1}]', env: "test", limit: "5" },
			}),
		).toEqual({
			sub: "u1",
			scope: "orders:read",
			client_id: "shop",
			act: { client_id: "alice-cid", act: { sub: "prior" } },
			iss: "https://kong-gateway:8443/x-custom-jwt",
			aud: "http://127.0.0.1:9999",
			org: "added",
			roles: ["b", { n: 1 }],
			env: "test",
			limit: 5,
			iat: expect.any(Number),
			exp: expect.any(Number),
			jti: expect.any(String),
		});
	});

	test("copies nothing with an empty keep_claims, also as Lua sends it", async () => {
		for (const keep_claims of [[], {}]) {
			const claims = await claimsFor(byToken({ sub: "u1" }), { keep_claims });
			expect(claims).not.toHaveProperty("sub");
			expect(claims).not.toHaveProperty("clientId");
			expect(claims.client_id).toBe("shop");
		}
	});

	const OWN_CALLS = [
		{ method: CREDENTIAL, args: [] },
		{ method: CONSUMER, args: [] },
		{ method: VARIABLE, args: ["server_protocol"] },
		{ method: VARIABLE, args: ["http_connection"] },
		{ method: SERVICE, args: [] },
	];

	test.each<[string, unknown, PdkCall[], PdkAnswers]>([
		["consumer.id", CONSUMER_ID, [], {}],
		["consumer.username", "alice", [], {}],
		["consumer.custom_id", "alice-cid", [], {}],
		["consumer.tags", ["t1", "t2"], [], {}],
		["credential.id", (byKey[CREDENTIAL] as { id: string }).id, [], {}],
		["service.id", SERVICE_ID, [], {}],
		["service.name", "echo", [], {}],
		["route.id", ROUTE_ID, [{ method: ROUTE, args: [] }], {}],
		["route.name", "keyauth", [{ method: ROUTE, args: [] }], {}],
		[
			"client.ip",
			"192.0.2.7",
			[{ method: IP, args: [] }],
			{ [IP]: "192.0.2.7" },
		],
		[
			"headers.x-tenant-id",
			"acme",
			[{ method: HEADER, args: ["x-tenant-id"] }],
			{ [HEADER]: named({ "x-tenant-id": "acme" }) },
		],
		[
			"query_params.q",
			"books",
			[{ method: QUERY, args: ["q"] }],
			{ [QUERY]: named({ q: "books" }) },
		],
		[
			"query_params.debug",
			true,
			[{ method: QUERY, args: ["debug"] }],
			{ [QUERY]: named({ debug: true }) },
		],
	])(
		"fills in $(%s), asking Kong only what it has to",
		async (variable, value, more, answers) => {
			const config = { set_claims: { it: `$(${variable})` } };
			const calls = await run({ ...byKey, ...answers }, config);
			expect(decodeJwt(tokenIn(calls)).it).toEqual(value);
			expect(calls.slice(0, -1)).toEqual([...OWN_CALLS, ...more]);
		},
	);

	test("fills in claims of the incoming token, also those that are not copied", async () => {
		const answers = byToken({
			realm_access: { roles: ["admin"] },
			"https://example.com/roles": ["editor"],
		});
		const config = {
			keep_claims: [],
			set_claims: {
				roles: "$(claims.realm_access.roles)",
				url: "$(claims.https://example.com/roles)",
				text: "$(claims.none or 'none') $(claims.realm_access)",
				none: "$(claims.constructor)",
			},
		};
		const claims = await claimsFor(answers, config);
		expect(claims).toMatchObject({
			roles: ["admin"],
			url: ["editor"],
			text: 'none {"roles":["admin"]}',
		});
		expect(claims).not.toHaveProperty("none");
	});

	test("leaves out a claim that has no value, or with strict_claims the request", async () => {
		const config = { set_claims: { tenant: "$(headers.x-tenant-id)" } };
		expect(await claimsFor(byKey, config)).not.toHaveProperty("tenant");
		const strict = { ...config, strict_claims: true, verbose: true };
		const calls = await run(byKey, strict);
		expect(methods(calls)).not.toContain(SET_HEADER);
		expect(calls.at(-1)).toEqual({
			method: EXIT,
			args: [
				401,
				{
					message: "Unauthorized",
					detail: "claim tenant: no value of $(headers.x-tenant-id)",
				},
				{ "WWW-Authenticate": "Basic, Bearer, Key" },
			],
		});
	});

	test("refuses a request whose API key or token would become a claim, and says it to nobody", async () => {
		const { key } = byKey[CREDENTIAL] as { key: string };
		const token = String(recordedAnswer("jwt", TOKEN));
		for (const secret of [key, token, `Bearer ${token}`]) {
			const answers = { ...byKey, [HEADER]: named({ "x-copy": secret }) };
			const set_claims = { copy: "$(headers.x-copy)" };
			const calls = await run(answers, { set_claims, verbose: true });
			expect(methods(calls).slice(-2)).toEqual(["kong.log.warn", EXIT]);
			expect(calls.at(-1)?.args[0]).toBe(401);
			expect(JSON.stringify(calls)).not.toContain(secret);
		}
	});

	test.each<[object, RegExp]>([
		[{ set_claims: { jti: "1" } }, /config\/set_claims\/jti cannot be set/],
		[{ add_claims: { client_id: "x" } }, /config\/add_claims\/client_id/],
		[
			{ subject: "$(user)" },
			/config\/subject: \$\(user\) is unknown; there are auth\.method, /,
		],
		[
			{ subject: "$(headers.Cookie)" },
			/config\/subject: \$\(headers\.Cookie\) holds/,
		],
		[{ audience: ["$("] }, /config\/audience\/0: expected \$\(name\)/],
		[
			{ set_claims: { client_id: "$(client.ip)" } },
			/config\/set_claims\/client_id/,
		],
		[{ not_before: 1800 }, /config\/not_before must be less/],
		[{ algorithm: "RS256" }, /config\/algorithm: does not fit/],
		[{ include_x5c: true }, /private_jwk\/x5c is missing/],
		[{ active_kid: "other" }, /config\/active_kid: no key/],
	])("starts no instance of %j, and names the field", async (config, named) => {
		await expect(start(config)).rejects.toThrow(named);
	});

	test("has audience, subject, not_before, token_type and key_id as configured", async () => {
		const { payload, protectedHeader } = await verified(byKey, {
			audience: ["https://$(service.name).example", "https://b", "$(claims.a)"],
			subject: "user:$(consumer.username)",
			not_before: -30,
			token_type: "at+jwt",
			key_id: "2027-01",
		});
		expect(payload).toMatchObject({
			aud: ["https://echo.example", "https://b"],
			sub: "user:alice",
			nbf: Number(payload.iat) - 30,
		});
		expect(protectedHeader).toMatchObject({ typ: "at+jwt", kid: "2027-01" });
	});

	test("asks for no service, and needs none, with an audience, when it is not on one", async () => {
		const { [SERVICE]: _, ...answers } = byKey;
		const config = { audience: ["https://a"], service_id: undefined };
		const calls = await run(answers, config);
		expect(decodeJwt(tokenIn(calls)).aud).toBe("https://a");
		expect(methods(calls)).toEqual([
			CREDENTIAL,
			CONSUMER,
			VARIABLE,
			VARIABLE,
			SET_HEADER,
		]);
	});

	test("signs with another algorithm of its key", async () => {
		const private_jwk = JSON.stringify(rsaJwk);
		const config = { private_jwk, algorithm: "PS512" };
		const { protectedHeader } = await verified(byKey, config, RSA_KEY);
		expect(protectedHeader.alg).toBe("PS512");
	});

	test("shows its certificate with include_x5c, by whose key the token is verified", async () => {
		const { cert, key } = await makeCertificate([{ CN: ["kong"] }], {
			days: 1,
		});
		const { raw, publicKey } = new X509Certificate(cert);
		const x5c = [raw.toString("base64")];
		const jwk = createPrivateKey(key).export({ format: "jwk" });
		const config = {
			private_jwk: JSON.stringify({ ...jwk, x5c }),
			include_x5c: true,
		};
		const { protectedHeader } = await verified(byKey, config, publicKey);
		expect(protectedHeader).toMatchObject({
			x5c,
			"x5t#S256": createHash("sha256").update(raw).digest("base64url"),
		});
	});

	test("signs with the active key of a JWK Set", async () => {
		const keys = [ecJwk, { ...rsaJwk, kid: "next" }, { kty: "broken" }];
		const config = { private_jwk: JSON.stringify({ keys }) };
		const first = await verified(byKey, config, EC_KEY);
		expect(first.protectedHeader.kid).toBe("kong");
		const active_kid = "next";
		const next = await verified(byKey, { ...config, active_kid }, RSA_KEY);
		expect(next.protectedHeader.kid).toBe("next");
	});

	test("outlives no incoming token with cap_expiry, and takes no expired one", async () => {
		const now = Math.floor(Date.now() / 1000);
		const config = { cap_expiry: true };
		for (const [exp, capped] of [
			[now + 100, now + 100],
			[now + 100.7, now + 100],
		] as const)
			expect((await claimsFor(byToken({ exp }), config)).exp).toBe(capped);
		const { iat, exp } = await claimsFor(byToken({ exp: now + 1e6 }), config);
		expect(Number(exp) - Number(iat)).toBe(1800);
		const expired = await run(byToken({ exp: now - 1 }), config);
		expect(expired.at(-1)).toMatchObject({ method: EXIT, args: [401, {}, {}] });
	});

	test("puts claims into Kong's access log with one call, and the token not", async () => {
		const log_claims = ["jti", "sub", "act", "none"];
		const config = { log_claims, subject: "$(consumer.username)" };
		const calls = await run(byKey, config);
		const { jti } = decodeJwt(tokenIn(calls));
		expect(calls.slice(-2).map(({ method }) => method)).toEqual([
			LOG,
			SET_HEADER,
		]);
		expect(calls.at(-2)).toEqual({
			method: LOG,
			args: [
				"x_custom_jwt",
				{ jti, sub: "alice", act: '{"client_id":"alice-cid"}' },
			],
		});
	});

	test("never puts the API key into Kong's access log", async () => {
		const calls = await run(byKey, { log_claims: ["client_id"] });
		expect(decodeJwt(tokenIn(calls)).client_id).toBe("alice-key");
		expect(methods(calls)).not.toContain(LOG);
	});

	describe("bind_request", () => {
		const request: PdkAnswers = {
			...byPassword,
			[BODY]: Buffer.alloc(0),
			[HEADER]: named({}),
			"kong.request.get_method": "POST",
			"kong.request.get_forwarded_scheme": "https",
			"kong.request.get_forwarded_host": "api.example",
			"kong.request.get_forwarded_port": 443,
			"kong.request.get_raw_path": "/orders",
		};
		const bound = { bind_request: true };

		test("binds the token to method and URL, for these PDK calls", async () => {
			const calls = await run(request, bound);
			expect(decodeJwt(tokenIn(calls))).toMatchObject({
				htm: "POST",
				htu: "https://api.example/orders",
			});
			expect(calls.slice(0, -1)).toEqual([
				...OWN_CALLS,
				{ method: "kong.request.get_method", args: [] },
				{ method: "kong.request.get_forwarded_scheme", args: [] },
				{ method: "kong.request.get_forwarded_host", args: [] },
				{ method: "kong.request.get_forwarded_port", args: [] },
				{ method: "kong.request.get_raw_path", args: [] },
				{ method: HEADER, args: ["content-length"] },
				{ method: BODY, args: [1_048_576] },
			]);
		});

		test.each([
			[
				"recorded of Kong",
				recordedAnswer("lab-body", BODY),
				"bdepGl4YqTKhxWfikZCgSX5mz9ns7gug1F3QgthGpVo=",
			],
			[
				"recorded of Kong, empty",
				recordedAnswer("lab-body-empty", BODY),
				"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
			],
			[
				"that is no UTF-8",
				Buffer.of(0xff, 0x00, 0xfe),
				"r5zt3J2LCKwJ4ZlL/SBFm143dCXfc1TfzjUBmSgopbc=",
			],
		])("digests a body %s", async (_, body, digest) => {
			expect(body).toBeInstanceOf(Uint8Array);
			const claims = await claimsFor({ ...request, [BODY]: body }, bound);
			expect(claims.content_digest).toBe(`sha-256=:${digest}:`);
		});

		test.each<[string, PdkAnswers, boolean]>([
			[
				"by its Content-Length, without reading it",
				{ [HEADER]: named({ "content-length": "8" }) },
				false,
			],
			["by its bytes", { [BODY]: Buffer.from("8 bytes!") }, true],
		])("answers 413 to a larger body: %s", async (_, answers, isRead) => {
			const config = { ...bound, max_request_body_size: 7, verbose: true };
			const calls = await run({ ...request, ...answers }, config);
			expect(methods(calls).includes(BODY)).toBe(isRead);
			expect(methods(calls)).not.toContain(SET_HEADER);
			expect(calls.at(-1)).toEqual({
				method: EXIT,
				args: [
					413,
					{
						message: "Payload too large",
						detail: expect.stringContaining("max_request_body_size"),
					},
				],
			});
		});
	});

	describe("reuse_for", () => {
		const reuse = { reuse_for: 60 };
		const twice = async (answers: PdkAnswers, config: object) => {
			const instance = await start(config);
			return [
				await runPhase(instance, answers),
				await runPhase(instance, answers),
			] as const;
		};

		test.each([
			["basic-auth", byPassword],
			["key-auth", byKey],
		])(
			"gives the same token again to a caller of %s, for all of Kong's answers",
			async (_, answers) => {
				const [first, second] = await twice(answers, reuse);
				expect(tokenIn(second)).toBe(tokenIn(first));
				expect(methods(first)).toEqual([
					CREDENTIAL,
					CONSUMER,
					VARIABLE,
					VARIABLE,
					SERVICE,
					SET_HEADER,
				]);
				expect(methods(second)).toEqual(methods(first));
			},
		);

		test("asks for what enters the claims each time", async () => {
			const config = { ...reuse, subject: "$(headers.x-user)" };
			const instance = await start(config);
			const tokenOf = async (user: string) => {
				const answers = { ...byKey, [HEADER]: named({ "x-user": user }) };
				return tokenIn(await runPhase(instance, answers));
			};
			const a = await tokenOf("a");
			expect(decodeJwt(await tokenOf("b")).sub).toBe("b");
			expect(await tokenOf("a")).toBe(a);
		});

		/** Runs requests at the same time, each on a connection of its own, as Kong does. */
		const tokensOf = (instance: number, all: PdkAnswers[]) =>
			Promise.all(
				all.map(async (answers) => tokenIn(await runPhase(instance, answers))),
			);

		test("gives callers tokens of their own", async () => {
			const instance = await start(reuse);
			const callers = [byKey, byPassword, byToken({ sub: "a" }), byToken({})];
			const tokens = await tokensOf(instance, callers);
			expect(new Set(tokens).size).toBe(callers.length);
			expect(await tokensOf(instance, callers)).toEqual(tokens);
		});

		test("gives concurrent requests one token", async () => {
			const instance = await start(reuse);
			const tokens = await tokensOf(instance, Array(20).fill(byKey));
			expect(new Set(tokens).size).toBe(1);
			expect(await tokensOf(instance, [byKey])).toEqual(tokens.slice(0, 1));
		});

		test("ends with the configuration: a new instance gives a new token", async () => {
			const old = await start(reuse);
			const first = tokenIn(await runPhase(old, byKey));
			const changed = await start({ ...reuse, expires_in: 60 });
			const next = tokenIn(await runPhase(changed, byKey));
			expect(next).not.toBe(first);
			const { iat, exp } = decodeJwt(next);
			expect(Number(exp) - Number(iat)).toBe(60);
		});

		test("is off by default: each request has a token of its own", async () => {
			const [first, second] = await twice(byKey, {});
			expect(tokenIn(second)).not.toBe(tokenIn(first));
		});
	});
});
