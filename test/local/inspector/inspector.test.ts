import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { get, type IncomingMessage } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Backend, startBackend } from "../../../local/backend/backend";
import { send } from "../../../local/http";
import type { InspectorOptions } from "../../../local/inspector/inspector";

const temporary = mkdtempSync(join(tmpdir(), "inspector-"));
writeFileSync(join(temporary, "index.html"), "<h1>Token inspector</h1>");

const running: Backend[] = [];
afterAll(async () => {
	await Promise.all(running.map((backend) => backend.close()));
	rmSync(temporary, { recursive: true });
});

async function start(inspector: Partial<InspectorOptions> = {}) {
	const backend = await startBackend({
		host: "127.0.0.1",
		port: 0,
		jwksUrl: "http://127.0.0.1:1/",
		issuer: "gateway",
		audience: "backend",
		algorithms: ["RS256"],
		inspector: {
			folder: temporary,
			jwksUrl: "http://localhost:8000/x-custom-jwt/jwks",
			...inspector,
		},
	});
	running.push(backend);
	return { ...backend, url: `http://127.0.0.1:${backend.port}` };
}

/** Opens the server-sent events; `next` resolves to one after the other. */
async function subscribe(url: string) {
	const [response] = (await once(
		get(`${url}/inspector/events`),
		"response",
	)) as [IncomingMessage];
	const chunks = response.setEncoding("utf8")[Symbol.asyncIterator]();
	let text = "";
	return async () => {
		while (!text.includes("\n\n")) text += (await chunks.next()).value;
		const end = text.indexOf("\n\n");
		const [name, data] = text.slice(0, end).split("\n");
		text = text.slice(end + 2);
		return [name, JSON.parse(data?.slice("data: ".length) ?? "")];
	};
}

test("the page comes with a policy that lets it ask the gateway and nobody else, and no other origin may read it", async () => {
	const { url } = await start();
	const { status, headers, body } = await send(`${url}/`);
	expect([status, body]).toEqual([200, "<h1>Token inspector</h1>"]);
	expect(headers["content-security-policy"]).toMatch(
		/^default-src 'self'; connect-src 'self' http:\/\/localhost:8000;/,
	);
	expect(headers).toMatchObject({
		"content-type": "text/html; charset=utf-8",
		"cross-origin-resource-policy": "same-origin",
		"cache-control": "no-store",
	});
	expect(headers).not.toHaveProperty("access-control-allow-origin");
});

test.each([
	["GET", "/"],
	["GET", "/inspector/events"],
	["GET", "/inspector/settings"],
	["POST", "/inspector/flows/x"],
])(
	"%s %s is refused under another host name, as after DNS rebinding",
	async (method, path) => {
		const { url } = await start();
		for (const host of ["evil.example", "localhost.evil.example", "httpbin"]) {
			const headers = { host, origin: `http://${host}` };
			expect((await send(url + path, { method, headers })).status).toBe(403);
		}
	},
);

test.each(["localhost:9000", "LOCALHOST", "[::1]:9000"])(
	"the page is there under %s",
	async (host) => {
		const { url } = await start();
		expect((await send(`${url}/`, { headers: { host } })).status).toBe(200);
	},
);

test("events: first the requests so far, then each as it comes, refused ones too", async () => {
	const { url } = await start();
	await send(`${url}/anything/early`);
	const next = await subscribe(url);
	const early = {
		id: 1,
		time: expect.any(Number),
		path: "/anything/early",
		status: 401,
		reason: expect.any(String),
		token: "",
		verifyMs: expect.any(Number),
	};
	expect(await next()).toEqual(["event: requests", [early]]);
	await send(`${url}/anything`, {
		headers: { "x-custom-jwt": "a.b.c", "x-forwarded-path": "/apiKey" },
	});
	expect(await next()).toEqual([
		"event: request",
		{ ...early, id: 2, path: "/apiKey", token: "a.b.c" },
	]);
});

test.each([
	["in Authorization", "/anything", "bearer x.y.z"],
	["in the query", "/anything?a=b&jwt=x.y.z", undefined],
])(
	"the request's own token is kept beside the gateway's: %s",
	async (_, path, authorization) => {
		const { url, received } = await start();
		await send(url + path, { headers: authorization ? { authorization } : {} });
		expect(received[0]).toMatchObject({ token: "", incoming: "x.y.z" });
	},
);

test("other credentials are not kept", async () => {
	const { url, received } = await start();
	const headers = { authorization: `Basic ${btoa("me:secret")}` };
	await send(`${url}/anything`, { headers });
	expect(received[0]).not.toHaveProperty("incoming");
});

test("only the latest 50 requests are kept", async () => {
	const { url, received } = await start();
	for (let i = 0; i < 60; i++) await send(`${url}/anything/${i}`);
	expect(received).toHaveLength(50);
	expect(received[0]?.path).toBe("/anything/10");
	const next = await subscribe(url);
	expect((await next())[1]).toEqual(received);
});

test("a page that does not read is cut off, so that what waits for it stays bounded", async () => {
	const { url } = await start();
	const [response] = (await once(
		get(`${url}/inspector/events`),
		"response",
	)) as [IncomingMessage];
	const headers = { "x-custom-jwt": "x".repeat(60_000) };
	for (let i = 0; i < 600; i++) await send(`${url}/anything`, { headers });
	response.resume();
	await expect(once(response, "end")).rejects.toThrow("aborted");
});

describe("flows", () => {
	const sent: string[] = [];
	const flows = async () => [
		{
			name: "API key, wrong",
			status: 401,
			incoming: "x.y.z",
			send: async () => {
				sent.push("API key, wrong");
				return { status: 401, headers: {}, body: "{}" };
			},
		},
	];

	test("are named in the settings and sent for the page", async () => {
		const { url } = await start({ flows });
		const settings = JSON.parse((await send(`${url}/inspector/settings`)).body);
		expect(settings.flows).toEqual([{ name: "API key, wrong", status: 401 }]);
		const reply = await send(
			`${url}/inspector/flows/${encodeURIComponent(settings.flows[0].name)}`,
			{ method: "POST", headers: { origin: url } },
		);
		expect(JSON.parse(reply.body)).toEqual({
			status: 401,
			body: "{}",
			incoming: "x.y.z",
			totalMs: expect.any(Number),
		});
		expect(sent.splice(0)).toEqual(["API key, wrong"]);
	});

	test("that reach the backend say when they came there and how long it verified, by Kong's id of the request", async () => {
		const headers = { "x-kong-request-id": "4711" };
		const { url } = await start({
			flows: async () => [
				{
					name: "x",
					status: 401,
					send: async () => {
						const reply = await send(`${url}/anything`, { headers });
						await send(`${url}/anything`);
						return { ...reply, headers };
					},
				},
			],
		});
		const { body } = await send(`${url}/inspector/flows/x`, {
			method: "POST",
			headers: { origin: url },
		});
		const { totalMs, backend } = JSON.parse(body);
		expect(backend.request).toMatchObject({ id: 1, requestId: "4711" });
		expect(backend.arrivalMs).toBeGreaterThan(0);
		expect(backend.request.verifyMs).toBeGreaterThan(0);
		expect(totalMs).toBeGreaterThan(
			backend.arrivalMs + backend.request.verifyMs,
		);
	});

	test("that get no answer say that it is the gateway's fault", async () => {
		const { url } = await start({
			flows: async () => [
				{ name: "x", status: 200, send: () => send("http://127.0.0.1:1/") },
			],
		});
		const { status, body } = await send(`${url}/inspector/flows/x`, {
			method: "POST",
			headers: { origin: url },
		});
		expect(status).toBe(502);
		expect(body).toMatch(/The gateway does not answer: .*ECONNREFUSED/);
	});

	test("are not sent for another site's page, nor by GET", async () => {
		const { url } = await start({ flows });
		const flow = `${url}/inspector/flows/API%20key%2C%20wrong`;
		for (const options of [
			{ method: "POST", headers: { origin: "https://evil.example" } },
			{ method: "POST", headers: { origin: "null" } },
			{ method: "POST" },
		])
			expect((await send(flow, options)).status).toBe(403);
		expect((await send(flow, { headers: { origin: url } })).status).toBe(404);
		expect(sent).toEqual([]);
	});

	test("that do not exist are 404", async () => {
		const { url } = await start({ flows });
		for (const name of ["nothing", "%", ""]) {
			const reply = await send(`${url}/inspector/flows/${name}`, {
				method: "POST",
				headers: { origin: url },
			});
			expect(reply.status).toBe(404);
		}
	});
});

test("a page that is not built names the command that builds it", async () => {
	const { url } = await start({ folder: join(temporary, "missing") });
	const { status, body } = await send(`${url}/`);
	expect(status).toBe(502);
	expect(body).toContain("npm run build");
});

test("a path that leads to the inspector only when it is normalised does not reach it", async () => {
	const { hostname, port } = new URL((await start()).url);
	const [response] = (await once(
		get({ hostname, port, path: "/anything/../inspector/settings" }),
		"response",
	)) as [IncomingMessage];
	response.resume();
	expect(response.statusCode).toBe(404);
});

test("other paths and methods stay what they were", async () => {
	const { url } = await start();
	expect((await send(`${url}/inspector`)).status).toBe(404);
	expect((await send(`${url}/inspector/other.js`)).status).toBe(404);
	expect((await send(`${url}/`, { method: "POST" })).status).toBe(403);
	expect((await send(`${url}/idp/jwks`)).status).toBe(200);
});
