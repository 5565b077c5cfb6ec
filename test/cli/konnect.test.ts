import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { packageRoot } from "../../schema/package-root";
import { run } from "../support/cli";
import { temporaryFolder } from "../support/server";

const folder = temporaryFolder();
const TOKEN = "kpat_0123456789abcdefghijklmnopqrstuvwxyz";
const CONTROL_PLANE = "5d9a3c1e-0f52-4c8b-9a51-6a2f7d1e8b90";
const SCHEMAS = `/v2/control-planes/${CONTROL_PLANE}/core-entities/plugin-schemas`;
const LUA = readFileSync(join(packageRoot(), "schema/schema.lua"), "utf8");

/** An answer of Konnect's; a number alone has no body, `reset` breaks the connection. */
type Answer =
	| number
	| "reset"
	| { status: number; body: object; headers?: Record<string, string> };

const servers: Server[] = [];
afterAll(() => {
	for (const server of servers) server.close();
});

/** A Konnect whose requests are answered one after the other; the last answer is kept. */
async function konnect(...answers: Answer[]) {
	const seen: { request: string; authorization?: string; body: string }[] = [];
	const server = createServer(async (request, response) => {
		const answer = answers.length > 1 ? answers.shift() : answers[0];
		const { authorization } = request.headers;
		const line = `${request.method} ${request.url}`;
		seen.push({ request: line, authorization, body: await text(request) });
		if (answer === "reset") return request.socket.destroy();
		const { status, body, headers } =
			typeof answer === "object"
				? answer
				: { status: Number(answer), body: {}, headers: {} };
		response.writeHead(status, {
			"content-type": "application/json",
			"retry-after": "0",
			...headers,
		});
		response.end(JSON.stringify(body));
	});
	servers.push(server.listen(0, "localhost"));
	await once(server, "listening");
	const { port } = server.address() as AddressInfo;
	const push = (...args: string[]) =>
		run(
			[
				"konnect",
				"push",
				"--control-plane",
				CONTROL_PLANE,
				"--url",
				`http://localhost:${port}`,
				...args,
			],
			{ env: { KONNECT_TOKEN: TOKEN } },
		);
	return {
		seen,
		port,
		push,
		requests: () => seen.map(({ request }) => request),
	};
}

const GET = `GET ${SCHEMAS}/x-custom-jwt`;
const PUT = `PUT ${SCHEMAS}/x-custom-jwt`;
const POST = `POST ${SCHEMAS}`;

describe("konnect push", () => {
	test("creates the schema where it is not there", async () => {
		const { push, seen, requests } = await konnect(404, 201);
		const { code, stdout } = await push();
		expect({ code, stdout }).toEqual({
			code: 0,
			stdout: `schema of x-custom-jwt created in control plane ${CONTROL_PLANE}\n`,
		});
		expect(requests()).toEqual([GET, POST]);
		expect(seen[1]?.authorization).toBe(`Bearer ${TOKEN}`);
		expect(JSON.parse(seen[1]?.body ?? "")).toEqual({ lua_schema: LUA });
	});

	test("updates the schema where it is", async () => {
		const { push, seen, requests } = await konnect(200, 200);
		const { code, stdout } = await push("--json");
		expect(code).toBe(0);
		expect(JSON.parse(stdout)).toMatchObject({ done: true });
		expect(requests()).toEqual([GET, PUT]);
		expect(JSON.parse(seen[1]?.body ?? "")).toEqual({ lua_schema: LUA });
	});

	test("takes the token from a file", async () => {
		const file = join(folder, "token");
		writeFileSync(file, "spat_of_a_file\n");
		const { push, seen } = await konnect(200);
		await push("--token-file", file);
		expect(seen[0]?.authorization).toBe("Bearer spat_of_a_file");
	});

	test("updates when somebody else creates it at the same time", async () => {
		const { push, requests } = await konnect(404, 409, 200);
		expect(await push()).toMatchObject({ code: 0 });
		expect(requests()).toEqual([GET, POST, GET, PUT]);
	});

	test.each<[string, Answer]>([
		["is busy", 429],
		["has a fault", 500],
		["is away", 503],
		["resets the connection", "reset"],
	])("tries again when Konnect %s", async (_, fault) => {
		const { push, requests } = await konnect(fault, 404, fault, 201);
		expect(await push()).toMatchObject({ code: 0 });
		expect(requests()).toEqual([GET, GET, POST, POST]);
	});

	test("gives up after five attempts, without an answer", async () => {
		const { push, requests } = await konnect(503);
		expect(await push()).toMatchObject({
			code: 2,
			stderr: expect.stringContaining("after 5 attempts: it answers 503"),
		});
		expect(requests()).toHaveLength(5);
	});

	test.each<[string, Answer[], string[]]>([
		[
			"400, with what is wrong in the schema",
			[
				404,
				{
					status: 400,
					body: {
						code: 3,
						message: "validation error",
						details: [{ field: "lua_schema", messages: ["no field fields"] }],
					},
				},
			],
			[
				"400: validation error; no field fields",
				"it does not take this schema",
			],
		],
		[
			"401",
			[{ status: 401, body: { status: 401, title: "Unauthorized" } }],
			["401: Unauthorized", "the token is wrong or has expired"],
		],
		["403", [403], ["may not edit this control plane"]],
		[
			"404 to both",
			[404],
			["no such control plane there; see --control-plane"],
		],
		["409 to both", [404, 409], ["409: somebody else is changing it"]],
		[
			"with the token in its message",
			[{ status: 401, body: { detail: `bad token ${TOKEN}` } }],
			["bad token (the token)"],
		],
		[
			"302 to elsewhere",
			[{ status: 302, body: {}, headers: { location: "http://localhost:1/" } }],
			["302"],
		],
	])(
		"says so and exits 1 when Konnect answers %s",
		async (_, answers, named) => {
			const { push } = await konnect(...answers);
			const { code, stdout, stderr } = await push();
			expect(code).toBe(1);
			for (const words of named) expect(stdout).toContain(words);
			expect(stdout + stderr).not.toContain(TOKEN);
		},
	);

	test.each([301, 302, 303, 307, 308])(
		"the token goes nowhere else when Konnect answers %d",
		async (status) => {
			const elsewhere = await konnect(200);
			const location = `http://localhost:${elsewhere.port}${SCHEMAS}`;
			const { push } = await konnect({
				status,
				body: {},
				headers: { location },
			});
			expect((await push()).stdout).toContain(`Konnect answers ${status}`);
			expect(elsewhere.seen).toEqual([]);
		},
	);

	test("--dry-run prints the request without the token and sends nothing", async () => {
		const { push, requests } = await konnect(200);
		const { code, stdout } = await push("--dry-run");
		expect(code).toBe(0);
		expect(stdout).toContain(SCHEMAS);
		expect(stdout).toContain(JSON.stringify({ lua_schema: LUA }));
		expect(stdout).not.toContain(TOKEN);
		expect(requests()).toEqual([]);
	});

	test.each<[string, string[], string, string]>([
		["no token", [], "", "KONNECT_TOKEN has no access token"],
		[
			"a token of two lines",
			[],
			`${TOKEN}\n${TOKEN}`,
			"KONNECT_TOKEN is more than one access token",
		],
		[
			"a token file that is not there",
			["--token-file", "nowhere"],
			"",
			"nowhere cannot be read: ENOENT",
		],
		[
			"an unencrypted URL",
			["--url", "http://api.example"],
			TOKEN,
			"https is expected",
		],
		[
			"a region that Konnect does not have",
			["--region", "moon"],
			TOKEN,
			"Allowed choices are us, eu",
		],
		[
			"a control plane that is no id",
			["--control-plane", "../x"],
			TOKEN,
			"A UUID is expected",
		],
	])("refuses %s", async (_, args, token, named) => {
		const { code, stderr } = await run(
			["konnect", "push", "--control-plane", CONTROL_PLANE, ...args],
			{ env: { KONNECT_TOKEN: token } },
		);
		expect(code).toBe(2);
		expect(stderr).toContain(named);
		expect(stderr).not.toContain(TOKEN);
	});

	test("goes to the region's host by default", async () => {
		const args = ["konnect", "push", "--control-plane", CONTROL_PLANE];
		const { stdout } = await run([...args, "--region", "eu", "--dry-run"]);
		expect(stdout).toContain(`POST https://eu.api.konghq.com${SCHEMAS}\n`);
	});
});

describe("konnect push --streamed", () => {
	const PLUGINS = `/v2/control-planes/${CONTROL_PLANE}/core-entities/custom-plugins`;
	const page = (data: object[], offset?: string) => ({
		status: 200,
		body: { data, offset },
	});
	const own = {
		id: "7f0c2a0e-52a1-4f3b-8a43-7a0e5a3f9b11",
		name: "x-custom-jwt",
	};

	test("creates the plugin with handler and schema where it is not there", async () => {
		const { push, seen, requests } = await konnect(page([]), 201);
		expect(await push("--streamed")).toMatchObject({
			code: 0,
			stdout: `x-custom-jwt for streaming created in control plane ${CONTROL_PLANE}\n`,
		});
		expect(requests()).toEqual([`GET ${PLUGINS}?size=1000`, `POST ${PLUGINS}`]);
		const handler = readFileSync(
			join(packageRoot(), "dist/lua/handler.lua"),
			"utf8",
		);
		expect(JSON.parse(seen[1]?.body ?? "")).toEqual({
			name: "x-custom-jwt",
			handler,
			schema: LUA,
		});
	});

	test("updates the one of its name, on whichever page of the list it is", async () => {
		const { push, requests } = await konnect(
			page([{ id: "a", name: "other" }], "next page"),
			page([own]),
			200,
		);
		expect(await push("--streamed")).toMatchObject({ code: 0 });
		expect(requests()).toEqual([
			`GET ${PLUGINS}?size=1000`,
			`GET ${PLUGINS}?size=1000&offset=next%20page`,
			`PUT ${PLUGINS}/${own.id}`,
		]);
	});

	test("says why when Konnect does not give the list", async () => {
		const { push, requests } = await konnect(403);
		expect(await push("--streamed")).toMatchObject({
			code: 1,
			stdout: expect.stringContaining("may not edit this control plane"),
		});
		expect(requests()).toHaveLength(1);
	});

	test("prints both files with --dry-run, and sends nothing", async () => {
		const { push, requests } = await konnect(500);
		const { code, stdout } = await push("--streamed", "--dry-run");
		expect(code).toBe(0);
		expect(stdout).toContain(`POST http://localhost`);
		expect(stdout).toContain('"handler":"-- kong-plugin-x-custom-jwt');
		expect(requests()).toEqual([]);
	});
});
