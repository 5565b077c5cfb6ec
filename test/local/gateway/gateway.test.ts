import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, type RequestListener, request } from "node:http";
import type { AddressInfo } from "node:net";
import { type JWTPayload, SignJWT } from "jose";
import { parseDeclarative } from "../../../local/gateway/entities";
import { startGateway } from "../../../local/gateway/gateway";
import { send } from "../../../local/http";

const closers: (() => Promise<unknown>)[] = [];

afterEach(async () => {
	for (const closer of closers.splice(0).reverse()) await closer();
});

/** Starts a backend; returns its address. */
async function startBackend(listener: RequestListener): Promise<string> {
	const server = createServer(listener).listen(0, "127.0.0.1");
	await once(server, "listening");
	closers.push(async () => {
		const closed = once(server, "close");
		server.close();
		server.closeAllConnections();
		await closed;
	});
	return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Answers what it got. */
const echo: RequestListener = ({ method, url, headers }, response) =>
	response.end(JSON.stringify({ method, url, headers }));

/** Starts a gateway before a backend, which the configuration calls `backend:9000`. */
async function start(yaml: string, backend: RequestListener | string = echo) {
	const address =
		typeof backend === "string" ? backend : await startBackend(backend);
	const gateway = await startGateway({
		configuration: parseDeclarative(
			`_format_version: "3.0"\n${yaml}`,
			"test.yml",
		),
		externalPlugins: [],
		httpPort: 0,
		httpsPort: 0,
		clientCa: "",
		resolve: new Map([["backend:9000", address]]),
		log: () => {},
	});
	closers.push(() => gateway.close());
	return gateway;
}

/** One service at `url`, with these routes. */
const service = (routes: string, url = "http://backend:9000") =>
	`services: [{ name: backend, url: ${url}, routes: [${routes}] }]`;

const OPEN = service("{ name: open, paths: [/open] }");

/** Kong's own error body. */
function kongError(message: string) {
	return { message, request_id: expect.stringMatching(/^[0-9a-f]{32}$/) };
}

describe("routing", () => {
	test("answers 404 to a path of no route", async () => {
		const { httpUrl } = await start(OPEN);
		const { status, headers, body } = await send(`${httpUrl}/other`);
		expect(status).toBe(404);
		expect(headers["content-type"]).toBe("application/json; charset=utf-8");
		expect(JSON.parse(body)).toEqual(
			kongError("no Route matched with those values"),
		);
	});

	test("answers 426 to plain HTTP on a route for HTTPS only", async () => {
		const gateway = await start(
			service("{ name: tls, paths: [/tls], protocols: [https] }"),
		);
		const { status, headers, body } = await send(`${gateway.httpUrl}/tls`);
		expect(status).toBe(426);
		expect(headers).toMatchObject({
			connection: "Upgrade",
			upgrade: "TLS/1.2, HTTP/1.1",
		});
		expect(JSON.parse(body)).toEqual(kongError("Please use HTTPS protocol"));
		const ca = gateway.certificate;
		expect(await send(`${gateway.httpsUrl}/tls`, { ca })).toMatchObject({
			status: 200,
		});
	});

	test.each([
		["/a", "short"],
		["/a/b/c", "long"],
		["/ab", "short"],
		["/z", "root"],
	])("sends %s to the route of the longest prefix", async (path, route) => {
		const terminated = (name: string, prefix: string) =>
			`{ name: ${name}, paths: [${prefix}], plugins: [{ name: request-termination, config: { message: ${name} } }] }`;
		const { httpUrl } = await start(
			service(
				[
					terminated("root", "/"),
					terminated("short", "/a"),
					terminated("long", "/a/b"),
				].join(),
			),
		);
		const { status, body } = await send(httpUrl + path);
		expect([status, JSON.parse(body)]).toEqual([503, { message: route }]);
	});

	test("answers 400 to two Authorization headers, on every path", async () => {
		const { httpUrl } = await start(OPEN);
		for (const path of ["/open", "/other"]) {
			const headers = { Authorization: ["Basic YTpi", "Bearer a.b.c"] };
			const { status, body } = await send(httpUrl + path, { headers });
			expect(status).toBe(400);
			expect(JSON.parse(body)).toEqual(kongError("Bad request"));
		}
	});

	test("answers 503 on a route that leads nowhere", async () => {
		const { httpUrl } = await start("routes: [{ name: none, paths: [/] }]");
		const { status, body } = await send(httpUrl);
		expect(status).toBe(503);
		expect(JSON.parse(body)).toEqual(
			kongError("no Service found with those values"),
		);
	});
});

describe("the way to the backend", () => {
	test.each([
		["strips the route's path", true, "", "/api/x", "/x"],
		["strips to the root", true, "", "/api", "/"],
		["keeps the route's path when told so", false, "", "/api/x", "/api/x"],
		["joins the service's path", true, "/base", "/api/x", "/base/x"],
		["joins the service's path alone", true, "/base", "/api", "/base"],
		["joins both paths", false, "/base", "/api/x", "/base/api/x"],
		["keeps the query", true, "", "/api/x?a=1&a=%2F&b", "/x?a=1&a=%2F&b"],
		["keeps an escaped path", true, "", "/api/a%2Fb%20c", "/a%2Fb%20c"],
	])("%s", async (_, strip, base, path, expected) => {
		const { httpUrl } = await start(
			service(
				`{ name: api, paths: [/api], strip_path: ${strip} }`,
				`http://backend:9000${base}`,
			),
		);
		expect(JSON.parse((await send(httpUrl + path)).body).url).toBe(expected);
	});

	test("says who asked, and how", async () => {
		const gateway = await start(OPEN);
		const { body } = await send(`${gateway.httpsUrl}/open/x`, {
			ca: gateway.certificate,
			method: "DELETE",
			headers: { "x-own": "1", "x-forwarded-for": "192.0.2.1" },
		});
		const { port } = new URL(gateway.httpsUrl);
		expect(JSON.parse(body)).toMatchObject({
			method: "DELETE",
			headers: {
				host: "backend:9000",
				"x-own": "1",
				"x-forwarded-for": expect.stringMatching(/^192\.0\.2\.1, (127|::1)/),
				"x-forwarded-proto": "https",
				"x-forwarded-host": "localhost",
				"x-forwarded-port": port,
				"x-forwarded-path": "/open/x",
			},
		});
	});

	test("leaves out what belongs to the client's connection only", async () => {
		const { httpUrl } = await start(OPEN);
		const { body } = await send(`${httpUrl}/open`, {
			headers: {
				connection: "close, upgrade",
				"keep-alive": "timeout=1",
				"proxy-connection": "close",
				te: "deflate",
				upgrade: "h2c",
			},
		});
		const { headers } = JSON.parse(body);
		expect(headers.connection).toBe("keep-alive");
		for (const name of ["keep-alive", "proxy-connection", "te", "upgrade"])
			expect(headers).not.toHaveProperty(name);
	});

	test.each([
		["of unknown length", {}],
		["of known length", { "content-length": 256 * 65_536 }],
	])("streams a large body %s both ways", async (_, headers) => {
		const backendHash = createHash("sha256");
		const { httpUrl } = await start(OPEN, (incoming, response) => {
			incoming.on("data", (chunk) => backendHash.update(chunk));
			incoming.pipe(response);
		});
		const chunk = randomBytes(65_536);
		const sentHash = createHash("sha256");
		const outgoing = request(`${httpUrl}/open`, { method: "POST", headers });
		const write = async () => {
			sentHash.update(chunk);
			if (!outgoing.write(chunk)) await once(outgoing, "drain");
		};

		await write();
		// The first piece is back before the rest is sent: nothing waits for the end of a body.
		const [response] = await once(outgoing, "response");
		const receivedHash = createHash("sha256");
		response.on("data", (piece: Buffer) => receivedHash.update(piece));
		await once(response, "data");
		const ended = once(response, "end");
		for (let count = 1; count < 256; count++) await write();
		outgoing.end();
		await ended;

		const sent = sentHash.digest("hex");
		expect(backendHash.digest("hex")).toBe(sent);
		expect(receivedHash.digest("hex")).toBe(sent);
	});

	test("answers 502 when the backend is down", async () => {
		const server = createServer().listen(0, "127.0.0.1");
		await once(server, "listening");
		const { port } = server.address() as AddressInfo;
		server.close();
		await once(server, "close");
		const { httpUrl } = await start(OPEN, `127.0.0.1:${port}`);
		const { status, body } = await send(`${httpUrl}/open`);
		expect(status).toBe(502);
		expect(JSON.parse(body)).toEqual(
			kongError("An invalid response was received from the upstream server"),
		);
	});

	test("does not make a response look complete that the backend broke off", async () => {
		const { httpUrl } = await start(OPEN, (_, response) => {
			response.write("half", () => response.destroy());
		});
		await expect(send(`${httpUrl}/open`)).rejects.toThrow("aborted");
	});
});

describe("cors", () => {
	const CORS = service(
		'{ name: c, paths: [/c], plugins: [{ name: cors, config: { origins: ["*"] } }, { name: key-auth }] }',
	);
	const preflight = {
		origin: "https://page.example",
		"access-control-request-method": "POST",
		"access-control-request-headers": "x-own",
	};

	test("answers a preflight request before any authentication", async () => {
		const { httpUrl } = await start(CORS);
		const { status, headers, body } = await send(`${httpUrl}/c`, {
			method: "OPTIONS",
			headers: preflight,
		});
		expect(status).toBe(200);
		expect(body).toBe("");
		expect(headers).toMatchObject({
			"access-control-allow-origin": "*",
			"access-control-allow-methods":
				"GET,HEAD,PUT,PATCH,POST,DELETE,OPTIONS,TRACE,CONNECT",
			"access-control-allow-headers": "x-own",
		});
	});

	test("lets a page read also a refusal", async () => {
		const { httpUrl } = await start(CORS);
		const { status, headers } = await send(`${httpUrl}/c`);
		expect(status).toBe(401);
		expect(headers["access-control-allow-origin"]).toBe("*");
	});
});

describe("security plugins", () => {
	const SECURED = `${service(
		["basic-auth", "key-auth", "jwt"]
			.map(
				(name) =>
					`{ name: ${name}, paths: [/${name}], plugins: [{ name: ${name} }] }`,
			)
			.concat(
				"{ name: hidden, paths: [/hidden], plugins: [{ name: key-auth, config: { hide_credentials: true } }] }",
				"{ name: hiddenBasic, paths: [/basicHidden], plugins: [{ name: basic-auth, config: { hide_credentials: true } }] }",
				"{ name: either, paths: [/either], plugins: [{ name: key-auth, config: { anonymous: nobody } }, { name: basic-auth, config: { anonymous: nobody-id } }] }",
				"{ name: lost, paths: [/lost], plugins: [{ name: key-auth, config: { anonymous: gone } }] }",
				"{ name: exp, paths: [/exp], plugins: [{ name: jwt, config: { claims_to_verify: [exp, nbf] } }] }",
			)
			.join(),
	)}
consumers:
  - id: the-id
    username: alice
    custom_id: alice-cid
    basicauth_credentials: [{ username: alice, password: "a:secret" }]
    keyauth_credentials: [{ id: key-id, key: alice-key }]
    jwt_secrets: [{ key: alice-iss, secret: ${"s".repeat(32)} }]
  - id: nobody-id
    username: nobody
`;
	const sign = (claims: JWTPayload, secret = "s".repeat(32), alg = "HS256") =>
		new SignJWT(claims).setProtectedHeader({ alg }).sign(Buffer.from(secret));

	test.each([
		["basic-auth", { auth: "alice:a:secret" }, "alice"],
		["key-auth", { headers: { apikey: "alice-key" } }, "key-id"],
	])(
		"%s tells the backend the consumer, not what the client says of it",
		async (name, client, identifier) => {
			const { httpUrl } = await start(SECURED);
			const { status, body } = await send(`${httpUrl}/${name}`, {
				...client,
				headers: {
					...("headers" in client && client.headers),
					"x-consumer-id": "forged",
					"x-consumer-username": "forged",
					"x-credential-identifier": "forged",
					"x-anonymous-consumer": "true",
				},
			});
			expect(status).toBe(200);
			const { headers } = JSON.parse(body);
			expect(headers).toMatchObject({
				"x-consumer-id": "the-id",
				"x-consumer-username": "alice",
				"x-consumer-custom-id": "alice-cid",
				"x-credential-identifier": identifier,
			});
			expect(headers).not.toHaveProperty("x-anonymous-consumer");
		},
	);

	test.each([
		["key-auth", {}, "No API key found in request", "Key"],
		["key-auth", { headers: { apikey: "guess" } }, "Unauthorized", "Key"],
		[
			"key-auth",
			{ headers: { apikey: ["alice-key", "guess"] } },
			"Duplicate API key found",
			"Key",
		],
		[
			"key-auth?apikey=alice-key&apikey=guess",
			{},
			"Duplicate API key found",
			"Key",
		],
		["basic-auth", {}, "Unauthorized", 'Basic realm="service"'],
		[
			"basic-auth",
			{ auth: "alice:guess" },
			"Unauthorized",
			'Basic realm="service"',
		],
		[
			"basic-auth",
			{ auth: "nobody:a:secret" },
			"Unauthorized",
			'Basic realm="service"',
		],
	])(
		"%s refuses %j in Kong's words",
		async (name, client, message, challenge) => {
			const { httpUrl } = await start(SECURED);
			const { status, headers, body } = await send(
				`${httpUrl}/${name}`,
				client,
			);
			expect(status).toBe(401);
			expect(headers["www-authenticate"]).toBe(challenge);
			expect(JSON.parse(body)).toEqual(kongError(message));
		},
	);

	const past = 1;
	const future = 4_000_000_000;

	test.each<[string, string, () => Promise<string> | string, object]>([
		[
			"a text that is no token",
			"/jwt",
			() => "x",
			{ message: "Bad token; invalid JSON" },
		],
		[
			"a token without key claim",
			"/jwt",
			() => sign({}),
			{ message: "No mandatory 'iss' in claims" },
		],
		[
			"an empty key claim",
			"/jwt",
			() => sign({ iss: "" }),
			{ message: "Invalid 'iss' in claims" },
		],
		[
			"an unknown issuer",
			"/jwt",
			() => sign({ iss: "x" }),
			{ message: "No credentials found for given 'iss'" },
		],
		[
			"another algorithm",
			"/jwt",
			() => sign({ iss: "alice-iss" }, "s".repeat(64), "HS512"),
			{ message: "Invalid algorithm" },
		],
		[
			"another secret",
			"/jwt",
			() => sign({ iss: "alice-iss" }, "x".repeat(32)),
			{ message: "Invalid signature" },
		],
		[
			"an expired token",
			"/exp",
			() => sign({ iss: "alice-iss", exp: past, nbf: past }),
			{ exp: "token expired" },
		],
		[
			"a token for later",
			"/exp",
			() => sign({ iss: "alice-iss", exp: future, nbf: future }),
			{ nbf: "token not valid yet" },
		],
		[
			"a token without times",
			"/exp",
			() => sign({ iss: "alice-iss" }),
			{ exp: "must be a number", nbf: "must be a number" },
		],
	])("jwt refuses %s in Kong's words", async (_, path, token, expected) => {
		const { httpUrl } = await start(SECURED);
		const { status, headers, body } = await send(httpUrl + path, {
			headers: { authorization: `Bearer ${await token()}` },
		});
		expect(status).toBe(401);
		expect(headers["www-authenticate"]).toBe('Bearer error="invalid_token"');
		expect(JSON.parse(body)).toEqual(expected);
	});

	test.each([
		["header", "/hidden", { apikey: "alice-key" }],
		["query", "/hidden?a=1&apikey=alice-key&b=2", {}],
	])(
		"key-auth hides the key in the %s from the backend",
		async (_, path, headers) => {
			const { httpUrl } = await start(SECURED);
			const { status, body } = await send(httpUrl + path, { headers });
			expect(status).toBe(200);
			expect(body).not.toContain("alice-key");
			expect(JSON.parse(body).headers["x-consumer-username"]).toBe("alice");
		},
	);

	test("basic-auth hides the password from the backend", async () => {
		const { httpUrl } = await start(SECURED);
		const { status, body } = await send(`${httpUrl}/basicHidden`, {
			auth: "alice:a:secret",
		});
		expect(status).toBe(200);
		const { headers } = JSON.parse(body);
		expect(headers.authorization).toBeUndefined();
		expect(headers["x-consumer-username"]).toBe("alice");
	});

	test.each<[string, object, string, string | undefined]>([
		["a key", { headers: { apikey: "alice-key" } }, "alice", undefined],
		["a password", { auth: "alice:a:secret" }, "alice", undefined],
		["nothing", {}, "nobody", "true"],
		["a wrong key", { headers: { apikey: "guess" } }, "nobody", "true"],
	])(
		"with an anonymous consumer, %s makes the client the consumer that Kong makes it",
		async (_, client, consumer, mark) => {
			const { httpUrl } = await start(SECURED);
			const { status, body } = await send(`${httpUrl}/either`, client);
			expect(status).toBe(200);
			const { headers } = JSON.parse(body);
			expect(headers["x-consumer-username"]).toBe(consumer);
			expect(headers["x-anonymous-consumer"]).toBe(mark);
			expect("x-credential-identifier" in headers).toBe(mark === undefined);
		},
	);

	test("an anonymous consumer that does not exist is an error of the gateway", async () => {
		const { httpUrl } = await start(SECURED);
		const { status, body } = await send(`${httpUrl}/lost`);
		expect(status).toBe(500);
		expect(body).toContain("anonymous consumer gone is unknown");
	});

	test("jwt refuses a request without token, and one with two", async () => {
		const { httpUrl } = await start(SECURED);
		const none = await send(`${httpUrl}/jwt`);
		expect(none.headers["www-authenticate"]).toBe("Bearer");
		expect([none.status, JSON.parse(none.body)]).toEqual([
			401,
			{ message: "Unauthorized" },
		]);
		const two = await send(`${httpUrl}/jwt?jwt=a`, {
			headers: { authorization: "Bearer b" },
		});
		expect([two.status, JSON.parse(two.body)]).toEqual([
			401,
			{ message: "Multiple tokens provided" },
		]);
	});

	test("jwt takes a token from the header or the query", async () => {
		const { httpUrl } = await start(SECURED);
		const token = await sign({ iss: "alice-iss", exp: future, nbf: past });
		const authorization = `Bearer ${token}`;
		for (const reply of [
			await send(`${httpUrl}/exp`, { headers: { authorization } }),
			await send(`${httpUrl}/exp?jwt=${token}`),
		]) {
			expect(reply.status).toBe(200);
			expect(JSON.parse(reply.body).headers).toMatchObject({
				"x-consumer-username": "alice",
				"x-credential-identifier": "alice-iss",
			});
		}
	});
});
