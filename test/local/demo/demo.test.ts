import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { decodeJwt } from "jose";
import { type Document, parseDocument } from "yaml";
import { type Anything, IDP_ISSUER } from "../../../local/backend/backend";
import { type Demo, startDemo } from "../../../local/demo/demo";
import { makeFlows, signToken, testKey } from "../../../local/demo/flows";
import { parseDeclarative } from "../../../local/gateway/entities";
import {
	dedicatedServer,
	stockServer,
} from "../../../local/gateway/plugin-server";
import { send } from "../../../local/http";
import { packageRoot } from "../../../schema/package-root";
import { temporaryFolder, until } from "../../support/server";

const KONG_YML = readFileSync(join(packageRoot(), "kong.yml"), "utf8");

/** kong.yml with changes. */
function editedKongYml(edit: (document: Document) => void) {
	const document = parseDocument(KONG_YML);
	edit(document);
	return parseDeclarative(document.toString(), "kong.yml, edited");
}

const STOCK = stockServer();
const DEDICATED = dedicatedServer();

const PLUGIN_CONFIG = ["services", 0, "plugins", 0, "config"];
const JWKS_BODY = ["routes", 0, "plugins", 0, "config", "body"];

/** The error log of a demo, and the demo; ended after the test. */
const running: Demo[] = [];

async function start(options: Partial<Parameters<typeof startDemo>[0]> = {}) {
	const lines: string[] = [];
	const demo = await startDemo({
		log: (level, message) => lines.push(`[${level}] ${message}`),
		pluginServerCommand: DEDICATED,
		...options,
	});
	running.push(demo);
	return { ...demo, lines };
}

afterAll(() => Promise.all(running.map((demo) => demo.close())));

const apikey = { apikey: "012345AZERTY!" };
const basic = (user: string, password: string) => ({
	authorization: `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`,
});

describe("the flows of kong.yml and kong-enterprise.yml", () => {
	let gateway: Demo["gateway"];
	let backend: Demo["backend"];
	beforeAll(async () => {
		({ gateway, backend } = await start());
	});

	test("each gives the backend a token it verifies, or Kong's refusal", async () => {
		const outcomes = [];
		const expected = [];
		for (const flow of await makeFlows(gateway)) {
			const { status, body } = await flow.send();
			const clientId = JSON.parse(body).jwt?.claims.client_id;
			outcomes.push({ flow: flow.name, status, clientId });
			const { name, status: wanted, clientId: wantedId } = flow;
			expected.push({ flow: name, status: wanted, clientId: wantedId });
		}
		expect(outcomes).toEqual(expected);
		expect(outcomes).toHaveLength(17);
	});

	test("introspection says what is wrong with a token, in Kong's words", async () => {
		const bodies: Record<string, unknown> = {};
		for (const flow of await makeFlows(gateway))
			if (flow.name.startsWith("Introspection"))
				bodies[flow.name] = JSON.parse((await flow.send()).body);
		const refused = {
			message: "You cannot consume this service",
			request_id: expect.any(String),
		};
		expect(bodies).toEqual({
			Introspection: { message: "Ok" },
			"Introspection, tampered": { message: "Invalid signature" },
			"Introspection, expired": { exp: "token expired" },
			"Introspection, unknown client": {
				message: "No credentials found for given 'client_id'",
			},
			"Introspection, a partner's token": refused,
			"Introspection, the IdP's token": refused,
		});
	});

	test("introspection takes the token that the gateway gave the backend", async () => {
		const before = backend.received.length;
		await send(`${gateway.httpUrl}/basicAuth`, {
			headers: basic("my-user", "My p@ssword!"),
		});
		const reply = await send(`${gateway.httpUrl}/introspect`, {
			headers: { authorization: `Bearer ${backend.received[before]?.token}` },
		});
		expect(reply.status).toBe(200);
	});

	test("the JWKS route publishes the public JWK Set to every origin", async () => {
		const reply = await send(`${gateway.httpUrl}/x-custom-jwt/jwks`, {
			headers: { origin: "https://jwt.example" },
		});
		expect(JSON.parse(reply.body)).toEqual(
			JSON.parse(testKey("RS256-jwks-public.json")),
		);
		expect(reply.headers).toMatchObject({
			"content-type": "application/json",
			"access-control-allow-origin": "*",
		});
	});
});

describe("one request", () => {
	let demo: Awaited<ReturnType<typeof start>>;
	beforeAll(async () => {
		demo = await start({
			configuration: editedKongYml((document) => {
				const credentials = ["consumers", 0, "basicauth_credentials"];
				document.addIn(credentials, {
					username: "colon",
					password: "a:b::c",
				});
				document.addIn(credentials, { username: "zoë", password: "ключ" });
				const keys = ["consumers", 0, "keyauth_credentials"];
				document.addIn(keys, { key: "clé-été-鍵" });
				document.addIn(keys, { key: "k".repeat(8000) });
			}),
		});
	});

	async function anything(
		path: string,
		headers: Record<string, string>,
	): Promise<Anything> {
		const reply = await send(demo.gateway.httpUrl + path, { headers });
		expect(reply.status).toBe(200);
		return JSON.parse(reply.body);
	}

	test("a Basic password may contain colons", async () => {
		const { jwt } = await anything("/basicAuth", basic("colon", "a:b::c"));
		expect(jwt.claims.client_id).toBe("colon");
	});

	test("a user name in UTF-8 arrives intact", async () => {
		const { jwt } = await anything("/basicAuth", basic("zoë", "ключ"));
		expect(jwt.claims.client_id).toBe("zoë");
	});

	test("an API key in UTF-8 arrives intact", async () => {
		const bytes = Buffer.from("clé-été-鍵").toString("latin1");
		const { jwt } = await anything("/apiKey", { apikey: bytes });
		expect(jwt.claims.client_id).toBe("clé-été-鍵");
	});

	test("a header value of 8 KB is no obstacle", async () => {
		const { jwt } = await anything("/apiKey", { apikey: "k".repeat(8000) });
		expect(jwt.claims.client_id).toHaveLength(8000);
	});

	test("an incoming token's payload may contain - and _ in base64url", async () => {
		const token = await signToken("idp-jwk-private.json", {
			iss: IDP_ISSUER,
			clientId: "web-shop",
			motto: "ÿþ~?>ÿÿ>>>???ûûû",
		});
		expect(token.split(".")[1]).toMatch(/-.*_|_.*-/);
		const { jwt } = await anything("/jwt", {
			authorization: `Bearer ${token}`,
		});
		expect(jwt.claims.motto).toBe("ÿþ~?>ÿÿ>>>???ûûû");
	});

	test("the jwt plugin's token is found in the query string, whatever Authorization says", async () => {
		const token = await signToken("idp-jwk-private.json", {
			iss: IDP_ISSUER,
			clientId: "web-shop",
		});
		const { jwt } = await anything(
			`/jwt?jwt=${token}`,
			basic("admin", "admin"),
		);
		expect(jwt.claims.client_id).toBe("web-shop");
	});

	test("a client's own X-Custom-Jwt is overwritten", async () => {
		const forged = await signToken("idp-jwk-private.json", {
			client_id: "admin",
		});
		const { headers, jwt } = await anything("/apiKey", {
			...apikey,
			"x-custom-jwt": forged,
		});
		expect(headers["x-custom-jwt"]).not.toContain(forged);
		expect(jwt.claims.client_id).toBe("012345AZERTY!");
	});

	test.each(["httpUrl", "httpsUrl"] as const)(
		"no header of the client's, in any spelling, makes it another client: %s",
		async (listener) => {
			const names = [
				"Anonymous-Consumer",
				"Consumer-Id",
				"Consumer-Custom-Id",
				"Consumer-Username",
				"Credential-Identifier",
			];
			const forged = {
				...Object.fromEntries(
					names.flatMap((name) => [
						[`X-${name}`, "admin"],
						[`x_${name.replaceAll("-", "_")}`, "admin"],
					]),
				),
				X_Custom_Jwt: "forged",
				Authorization:
					"Bearer eyJhbGciOiJub25lIn0.eyJjbGllbnRJZCI6ImFkbWluIn0.",
			};
			const reply = (path: string, headers: object) =>
				send(demo.gateway[listener] + path, {
					ca: demo.gateway.certificate,
					headers: { ...forged, ...headers },
				});
			const { body } = await reply("/apiKey", apikey);
			const { claims } = (JSON.parse(body) as Anything).jwt;
			expect(claims).toMatchObject({
				client_id: "012345AZERTY!",
				act: { client_id: "contact@konghq.com-ID1" },
				auth_method: "key",
			});
			expect(JSON.stringify(claims)).not.toContain("admin");
			// Kong's key-auth takes one spelling, and one key.
			for (const own of [
				{},
				{ api_key: "012345AZERTY!" },
				{ apikey: ["012345AZERTY!", "guess"] },
			])
				expect((await reply("/apiKey", own)).status).toBe(401);
		},
	);

	test.each(["/apiKey../inspector/events", "/apiKey/../inspector/events"])(
		"the inspector is not reached through the gateway: %s",
		async (path) => {
			// As `path`, because the path of a URL is normalized.
			const reply = await send(demo.gateway.httpUrl, { path, headers: apikey });
			expect(reply.status).toBe(404);
		},
	);

	test("a refusal names its reason in body and log, and the backend sees nothing", async () => {
		const before = demo.backend.received.length;
		const reply = await send(`${demo.gateway.httpsUrl}/mtlsAuth`, {
			ca: demo.gateway.certificate,
		});
		expect(reply.status).toBe(401);
		expect(JSON.parse(reply.body)).toEqual({
			message: "Unauthorized",
			detail: expect.stringContaining("nobody authenticated"),
		});
		expect(demo.lines.join("\n")).toContain("nobody authenticated");
		expect(demo.backend.received).toHaveLength(before);
	});
});

test("200 concurrent requests each get a token of their own", async () => {
	const { gateway } = await start();
	const replies = await Promise.all(
		Array.from({ length: 200 }, (_, i) =>
			i % 2
				? send(`${gateway.httpUrl}/apiKey`, { headers: apikey })
				: send(`${gateway.httpUrl}/basicAuth`, {
						headers: basic("my-user", "My p@ssword!"),
					}),
		),
	);
	const claims = replies.map(({ body }) => JSON.parse(body).jwt.claims);
	expect(claims.filter((c) => c.client_id === "my-user")).toHaveLength(100);
	expect(claims.filter((c) => c.client_id === "012345AZERTY!")).toHaveLength(
		100,
	);
	expect(new Set(claims.map((c) => c.jti)).size).toBe(200);
});

test.each([
	["ES256", "ES256-jwk-private.json", "ES256-jwks-public.json"],
	["Ed25519", "EdDSA-jwk-private.json", "EdDSA-jwks-public.json"],
])(
	"%s tokens verify at the backend through the JWKS route",
	async (alg, privateJwk, keySet) => {
		const keyFor = (file: string) =>
			testKey(file).replace(/"alg": "\w+"/, `"alg": "${alg}"`);
		const { gateway } = await start({
			algorithms: [alg],
			configuration: editedKongYml((document) => {
				document.setIn([...PLUGIN_CONFIG, "private_jwk"], keyFor(privateJwk));
				document.setIn(JWKS_BODY, keyFor(keySet));
			}),
		});
		const reply = await send(`${gateway.httpUrl}/apiKey`, { headers: apikey });
		expect(reply.status).toBe(200);
		expect(JSON.parse(reply.body).jwt.header).toMatchObject({
			alg,
			kid: "kong",
		});
	},
);

describe("kong.yml with templates and request binding", () => {
	const LIMIT = 20_000;
	let demo: Awaited<ReturnType<typeof start>>;
	beforeAll(async () => {
		demo = await start({
			configuration: editedKongYml((document) => {
				for (const [field, value] of Object.entries({
					set_claims: {
						tenant: "$(headers.x-tenant-id or 'none')",
						client_id: "$(consumer.custom_id)",
						query: "$(query_params.q)",
						entities: '["$(service.name)", "$(route.name)", "$(client.ip)"]',
					},
					audience: ["http://httpbin:9000/anything", "https://orders.example"],
					subject: "$(consumer.username)",
					token_type: "at+jwt",
					bind_request: true,
					max_request_body_size: LIMIT,
					log_claims: ["sub", "jti"],
				}))
					document.setIn([...PLUGIN_CONFIG, field], value);
			}),
		});
	});

	const post = (body: string, headers: Record<string, string> = {}) =>
		send(`${demo.gateway.httpUrl}/apiKey/orders?q=books&secret=1`, {
			method: "POST",
			headers: { ...apikey, ...headers },
			body,
		});

	test("gives the backend a token of what it asked for", async () => {
		const reply = await post("", { "X-Tenant-ID": "acme" });
		const { jwt }: Anything = JSON.parse(reply.body);
		expect(jwt.header.typ).toBe("at+jwt");
		expect(jwt.claims).toMatchObject({
			client_id: "contact@konghq.com-ID1",
			sub: "contact@konghq.com",
			aud: ["http://httpbin:9000/anything", "https://orders.example"],
			tenant: "acme",
			query: "books",
			entities: ["httpbin", "apiKey", expect.stringMatching(/^(127|::1)/)],
		});
		const entry = demo.lines.find((line) => line.includes("x_custom_jwt "));
		expect(entry).toContain("contact@konghq.com");
		expect(entry).toContain(jwt.claims.jti);
	});

	test.each([
		["empty", ""],
		["small", '{"hello": "world"}\n'],
		["beyond ASCII", "Zoë 客户 🔑"],
		// Above 8 KiB Kong keeps a body in a file.
		["that Kong keeps in a file", "line\n".repeat(LIMIT / 5)],
	])(
		"binds the token to the very body that the backend gets: %s",
		async (_, body) => {
			for (const headers of [undefined, { "transfer-encoding": "chunked" }]) {
				const reply = await post(body, headers);
				const { jwt, data, method }: Anything = JSON.parse(reply.body);
				expect(data).toBe(body);
				expect(method).toBe("POST");
				const digest = createHash("sha256").update(data).digest("base64");
				expect(jwt.claims).toMatchObject({
					htm: "POST",
					htu: `${demo.gateway.httpUrl}/apiKey/orders`,
					content_digest: `sha-256=:${digest}:`,
					tenant: "none",
				});
			}
		},
	);

	test.each<[string, Record<string, string>]>([
		["says its length", {}],
		["comes in chunks", { "transfer-encoding": "chunked" }],
	])(
		"answers a larger body that %s with 413, and the backend sees nothing",
		async (_, headers) => {
			const before = demo.backend.received.length;
			const reply = await post("x".repeat(LIMIT + 1), headers);
			expect(demo.backend.received).toHaveLength(before);
			expect([reply.status, JSON.parse(reply.body)]).toEqual([
				413,
				{
					message: "Payload too large",
					detail: expect.stringContaining("max_request_body_size"),
				},
			]);
		},
	);

	test("refuses a client whose API key would become a claim", async () => {
		const reply = await post("", { "x-tenant-id": apikey.apikey });
		expect(reply.status).toBe(401);
		expect(reply.body + demo.lines.join()).not.toContain(apikey.apikey);
	});
});

describe.each([
	["dedicated", DEDICATED],
	["stock", STOCK],
])("on the %s plugin server", (_, pluginServerCommand) => {
	test("reuse_for gives each client one token, which is not in what Kong's log plugins write", async () => {
		const file = join(temporaryFolder(), "access.log");
		const { gateway } = await start({
			pluginServerCommand,
			configuration: editedKongYml((document) => {
				document.addIn(["services", 0, "plugins"], {
					name: "file-log",
					config: { path: file },
				});
				document.setIn([...PLUGIN_CONFIG, "reuse_for"], 60);
				document.setIn(
					[...PLUGIN_CONFIG, "downstream_custom_jwt_header"],
					"X-Token",
				);
			}),
		});
		const tokens = new Set<string>();
		for (const [path, headers] of [
			["/apiKey", apikey],
			["/apiKey", apikey],
			["/basicAuth", basic("my-user", "My p@ssword!")],
			["/basicAuth", basic("my-user", "My p@ssword!")],
		] as const) {
			const reply = await send(gateway.httpUrl + path, { headers });
			const token = String(reply.headers["x-token"]);
			expect(token).toMatch(/^ey/);
			expect(JSON.parse(reply.body).headers["x-custom-jwt"]).toBe(token);
			tokens.add(token);
		}
		expect(tokens.size).toBe(2);
		const entries = () =>
			existsSync(file) ? readFileSync(file, "utf8").trim().split("\n") : [];
		await until("the entries are there", () => entries().length === 4);
		for (const entry of entries()) {
			for (const token of tokens) expect(entry).not.toContain(token);
			expect(JSON.parse(entry)).toMatchObject({
				request: { headers: { "x-custom-jwt": "REDACTED" } },
				response: { headers: { "x-token": "REDACTED" } },
			});
		}
	});
});

describe("when something breaks", () => {
	let demo: Awaited<ReturnType<typeof start>>;
	beforeAll(async () => {
		demo = await start();
	});

	test("a killed plugin server comes back, and no request is answered without a verified token", async () => {
		const { gateway, pluginServer } = demo;
		const statuses = new Set<number>();
		const request = async () => {
			const reply = await send(`${gateway.httpUrl}/apiKey`, {
				headers: apikey,
			});
			statuses.add(reply.status);
			return reply;
		};
		await request();
		await pluginServer.kill();
		await request();
		await pluginServer.ready();
		const back = await request();
		expect(JSON.parse(back.body).jwt.claims.client_id).toBe("012345AZERTY!");
		for (const status of statuses) expect([200, 500]).toContain(status);
	});

	test.each([
		["is empty, as an unresolved vault reference", "", "private_jwk: empty"],
		["is a PEM", "-----BEGIN PRIVATE KEY-----", "private_jwk: not JSON"],
		["is only public", testKey("RS256-jwk-public.json"), "private_jwk/d"],
	])(
		"a private_jwk that %s answers 500 and names the fault in the log",
		async (_, jwk, named) => {
			const { gateway, backend, lines } = demo;
			gateway.reload(
				editedKongYml((document) =>
					document.setIn([...PLUGIN_CONFIG, "private_jwk"], jwk),
				),
			);
			const before = backend.received.length;
			for (const _attempt of [1, 2]) {
				const reply = await send(`${gateway.httpUrl}/apiKey`, {
					headers: apikey,
				});
				expect(reply.status).toBe(500);
				expect(JSON.parse(reply.body).message).toBe(
					"An unexpected error occurred",
				);
			}
			expect(lines.join("\n")).toContain(named);
			expect(backend.received).toHaveLength(before);
		},
	);

	test("a backend does not take a token that another service's backend was meant to get", async () => {
		const { gateway, backend } = demo;
		gateway.reload(
			editedKongYml((document) =>
				document.setIn(
					["services", 0, "url"],
					"http://httpbin:9000/anything/other",
				),
			),
		);
		const reply = await send(`${gateway.httpUrl}/apiKey`, { headers: apikey });
		expect(reply.status).toBe(401);
		expect(JSON.parse(reply.body).reason).toContain('"aud"');
		const token = String(backend.received.at(-1)?.token);
		expect(decodeJwt(token).aud).toBe("http://httpbin:9000/anything/other");
	});
});
