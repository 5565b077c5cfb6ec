import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { testKey } from "../../../local/demo/flows";
import { close, send } from "../../../local/http";
import { packageRoot } from "../../../schema/package-root";
import { run } from "../../support/cli";
import { temporaryFolder } from "../../support/server";

const ORDERS = join(packageRoot(), "test/fixtures/try/orders.yml");
const VARIABLE = "X_CUSTOM_JWT_PRIVATE_JWK";

/** The file in a folder of its own, with texts replaced. */
function ordersFile(...replacements: [string, string][]): string {
	const path = join(temporaryFolder(), "kong.yml");
	let yaml = readFileSync(ORDERS, "utf8");
	for (const [from, to] of replacements) yaml = yaml.replaceAll(from, to);
	writeFileSync(path, yaml);
	return path;
}

const check = (path: string, env: NodeJS.ProcessEnv = {}, ...args: string[]) =>
	run(["try", path, "--check", ...args], { env: { [VARIABLE]: "", ...env } });

describe("a file as decK dumps it", () => {
	const path = ordersFile();
	let stdout: string;
	let code: number;
	beforeAll(async () => {
		({ stdout, code } = await check(path));
	});

	test("every consumer credential and route gets the token that the file asks for", () => {
		const results = stdout
			.split("\n")
			.filter((line) => /^(ok|FAILED)/.test(line))
			.map((line) => line.replace(/ {2,}/g, " "));
		expect(results.sort()).toEqual([
			"ok route by-key: consumer alice, key-auth 200 verified key client_id alice",
			"ok route by-key: consumer bob, key-auth 403 no token You cannot consume this service",
			"ok route by-password: consumer bob, basic-auth of bob 200 verified basic client_id bob",
			"ok route by-token: consumer bob, jwt of bob-hs 200 verified jwt client_id bob",
			"ok route by-token: consumer bob, jwt of bob-rs 200 verified jwt client_id bob",
		]);
		expect(code).toBe(0);
	});

	test("what the local gateway does not imitate is named once, with its place", () => {
		const lines = stdout.split("\n").filter((line) => line.startsWith("- "));
		expect(lines.sort()).toEqual([
			`- key_in_body of plugin key-auth (${path}:33)`,
			`- plugin rate-limiting (${path}:16)`,
			`- retries in services (${path}:14)`,
			`- upstreams (${path}:74)`,
		]);
	});

	test("a throw-away key in place of a vault reference is named loudly", () => {
		expect(stdout).toContain(
			`A THROW-AWAY KEY signs, in place of {vault://env/x-custom-jwt-private-jwk}: ${VARIABLE} is not set`,
		);
	});
});

describe("the key of a vault reference", () => {
	test("comes from the environment", async () => {
		const { stdout, code } = await check(ordersFile(), {
			[VARIABLE]: testKey("ES256-jwk-private.json"),
		});
		expect(stdout).toContain(`the key of ${VARIABLE} signs`);
		// The JWK Set of the file does not have it, as a backend would find out.
		expect(stdout).toMatch(/^FAILED route by-key: consumer alice.*401/m);
		expect(code).toBe(1);
	});

	test("comes from keys beside the file", async () => {
		const path = ordersFile([
			'{"keys":[]}',
			JSON.stringify(JSON.parse(testKey("ES256-jwks-public.json"))),
		]);
		const keys = join(path, "../keys");
		mkdirSync(keys);
		copyFileSync(
			join(packageRoot(), "test-keys/ES256-jwk-private.json"),
			join(keys, "private-jwk.json"),
		);
		const { stdout, code } = await check(path);
		expect(stdout).toContain(
			`the key of ${join(keys, "private-jwk.json")} signs`,
		);
		expect(code).toBe(0);
	});

	test("is a throw-away one for a vault that is not here, and of the algorithm that is published", async () => {
		const path = ordersFile(
			["{vault://env/x-custom-jwt-private-jwk}", "{vault://hcv/kong/jwk}"],
			[
				'{"keys":[]}',
				JSON.stringify(JSON.parse(testKey("RS256-jwks-public.json"))),
			],
		);
		const { stdout, code } = await check(path, {}, "--verbose");
		expect(stdout).toContain("that vault is not asked here");
		expect(stdout).toContain('"alg":"RS256"');
		expect(code).toBe(0);
	});

	test("that cannot sign is an error that names where it comes from", async () => {
		const { stderr, code } = await check(ordersFile(), { [VARIABLE]: "{}" });
		expect(stderr).toMatch(new RegExp(`^x-custom-jwt: ${VARIABLE}: `, "m"));
		expect(code).toBe(2);
	});
});

test("errors of config check end it, before anything is started", async () => {
	const path = ordersFile(["auth_methods:", "auth_methodz:"]);
	const { stdout, code } = await check(path);
	expect(stdout).toMatch(/kong\.yml:\d+:\d+ error: .*auth_methodz/);
	expect(stdout).not.toContain("route by-key");
	expect(code).toBe(1);
});

const variable = (name: string) => `"\${{ env "${name}" }}"`;

test("variables of decK are filled in from the environment, and named when they are not set", async () => {
	const path = ordersFile(
		["alices-key-0123456789", variable("DECK_TRY_KEY")],
		["an-hs256-secret-of-bob-0123456789", variable("DECK_TRY_OTHER")],
	);
	const { stdout, code } = await check(path, {
		DECK_TRY_KEY: "key-of-the-environment",
	});
	expect(stdout).toContain("DECK_TRY_OTHER is not set");
	expect(stdout).not.toContain("DECK_TRY_KEY");
	expect(code).toBe(0);
});

test("a file without consumers and without the plugin runs too", async () => {
	const path = join(temporaryFolder(), "kong.yml");
	writeFileSync(
		path,
		`_format_version: "1.1"
services:
- name: auth
  url: http://auth:9999/verify
  routes:
  - name: auth
    strip_path: true
    paths: [/auth/v1/verify]
  plugins:
  - { name: cors }
  - { name: key-auth, config: { hide_credentials: false } }
  - { name: acl, config: { hide_groups_header: true, allow: [admin, anon] } }
`,
	);
	const { stdout, code } = await check(path);
	expect(stdout).toContain('the consumer "throw-away"');
	expect(stdout).toMatch(
		/^ok {5}route auth: consumer throw-away, key-auth {2}200/m,
	);
	expect(code).toBe(0);
});

describe("--upstream", () => {
	test("sends one Service elsewhere", async () => {
		const server = createServer((request, response) => {
			const token = String(request.headers["x-custom-jwt"]).split(".").length;
			response.end(JSON.stringify({ message: `own ${request.url} ${token}` }));
		}).listen(0, "localhost");
		await once(server, "listening");
		const { port } = server.address() as AddressInfo;
		const { stdout } = await check(
			ordersFile(),
			{},
			...["--upstream", `orders.internal=http://localhost:${port}`],
		);
		await close(server);
		expect(stdout).toContain("200  no token  own /v1 3");
	});

	test.each([
		[
			"orders=http://localhost:1",
			"no Service has the host orders; there are orders.internal",
		],
		["orders.internal", "HOST=URL is expected"],
	])("%s is an error", async (upstream, message) => {
		const { stderr, code } = await check(
			ordersFile(),
			{},
			"--upstream",
			upstream,
		);
		expect([code, stderr]).toEqual([2, expect.stringContaining(message)]);
	});
});

test("the printed commands work as they are, and the inspector shows their tokens and verifies them", async () => {
	const child = spawn(
		process.execPath,
		[
			join(packageRoot(), "dist/cli/x-custom-jwt.js"),
			...["try", ordersFile()],
			...["--http-port", "0", "--https-port", "0", "--backend-port", "0"],
		],
		{ env: { ...process.env, [VARIABLE]: "" } },
	);
	const commands: string[] = [];
	let inspector = "";
	for await (const line of createInterface({ input: child.stdout })) {
		if (line.startsWith("curl ")) commands.push(line);
		inspector = /Token inspector: (\S+)$/.exec(line)?.[1] ?? "";
		if (inspector) break;
	}
	expect(commands).toHaveLength(5);
	const bodies = await Promise.all(
		commands.map(async (command) => {
			const shell = spawn("sh", ["-c", command.replace("curl", "curl -s")]);
			return JSON.parse(await text(shell.stdout));
		}),
	);
	const clients = bodies.map(({ jwt }) => jwt?.claims.client_id).sort();
	expect(clients).toEqual(["alice", "bob", "bob", "bob", undefined]);

	const settings = JSON.parse(
		(await send(`${inspector}inspector/settings`)).body,
	);
	expect(settings.expectations).toMatchObject({
		issuer: ["https://api.example.com/x-custom-jwt"],
		audience: ["http://orders.internal:8080/v1"],
		algorithms: ["ES256"],
	});
	expect(settings.flows).toHaveLength(5);
	const { keys } = JSON.parse((await send(settings.jwksUrl)).body);
	expect(keys).toHaveLength(1);
	const alice = settings.flows.find(({ name }: { name: string }) =>
		name.includes("alice"),
	);
	const outcome = await send(
		`${inspector}inspector/flows/${encodeURIComponent(alice.name)}`,
		{ method: "POST", headers: { origin: new URL(inspector).origin } },
	);
	expect(JSON.parse(outcome.body).backend.request).toMatchObject({
		path: "/orders",
		status: 200,
		token: expect.stringMatching(/^eyJ/),
		expectations: { audience: ["http://orders.internal:8080/v1"] },
	});

	child.kill("SIGINT");
	const [code] = await once(child, "exit");
	expect(code).toBe(0);
});
