import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
	mkdtempSync,
	readdirSync,
	readFileSync,
	rmSync,
	writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { parseDocument } from "yaml";
import { testKey } from "../../../local/demo/flows";
import { packageRoot } from "../../../schema/package-root";

const ROOT = packageRoot();

let temporary: string;
const children: ChildProcess[] = [];
beforeEach(() => {
	temporary = mkdtempSync(join(tmpdir(), "start-"));
});
afterEach(() => {
	for (const child of children.splice(0)) child.kill("SIGKILL");
	rmSync(temporary, { recursive: true });
});

/** Runs what `npm start -- …` runs; its sockets go into the temporary folder. */
function npmStart(...args: string[]) {
	const child = spawn(
		process.execPath,
		["dist/cli/x-custom-jwt.js", "gateway", ...args],
		{ cwd: ROOT, env: { ...process.env, TMPDIR: temporary } },
	);
	children.push(child);
	return child;
}

async function outcome(child: ReturnType<typeof npmStart>) {
	const [stdout, stderr, [code]] = await Promise.all([
		text(child.stdout),
		text(child.stderr),
		once(child, "exit"),
	]);
	return { stdout, stderr, code };
}

test("--check prints a line per flow on each plugin server, and exits 0", async () => {
	const { stdout, code } = await outcome(npmStart("--check"));
	const servers = stdout.trim().split(/^the (.*):\n/m);
	expect([servers[1], servers[3]]).toEqual([
		"dedicated plugin server",
		"stock kong-js-pluginserver",
	]);
	expect(servers[2]).toBe(`${servers[4]}\n`);
	for (const line of servers[2]?.trim().split("\n") ?? [])
		expect(line).toMatch(/^ok {5}\S.* {2}\d{3} {2}(verified|no token) /);
	expect(servers[2]).toMatch(
		/^ok {5}Basic .* 200 {2}verified {2}basic {5}client_id my-user$/m,
	);
	expect(servers[2]?.trim().split("\n").length).toBeGreaterThanOrEqual(14);
	expect(code).toBe(0);
});

test("--check exits 1 when a flow fails, and says which", async () => {
	const { stdout, code } = await outcome(
		npmStart("--check", "--stock", "--resolve", "httpbin:9000=localhost:1"),
	);
	expect(stdout).toMatch(/^FAILED API key .*502/m);
	expect(code).toBe(1);
});

test("a configuration of one's own may sign with another algorithm", async () => {
	const document = parseDocument(readFileSync(join(ROOT, "kong.yml"), "utf8"));
	const plugin = ["services", 0, "plugins", 0, "config", "private_jwk"];
	document.setIn(plugin, testKey("ES256-jwk-private.json"));
	const jwks = ["routes", 0, "plugins", 0, "config", "body"];
	document.setIn(jwks, testKey("ES256-jwks-public.json"));
	const file = join(temporary, "es256.yml");
	writeFileSync(file, document.toString());
	const { stdout } = await outcome(
		npmStart("--check", "--stock", "--verbose", "--config", file),
	);
	expect(stdout).toMatch(/^ok {5}API key .* verified .*\n.*"alg":"ES256"/m);
});

test("only requests that the configuration has routes for are offered", async () => {
	const document = parseDocument(readFileSync(join(ROOT, "kong.yml"), "utf8"));
	document.setIn(["services", 0, "routes", 1, "paths"], ["/orders"]);
	const file = join(temporary, "orders.yml");
	writeFileSync(file, document.toString());
	const ports = [
		"--http-port",
		"0",
		"--https-port",
		"0",
		"--backend-port",
		"0",
	];
	const child = npmStart("--config", file, ...ports);
	let printed = "";
	child.stdout.on("data", (chunk) => {
		printed += chunk;
	});
	while (!printed.includes("No client certificate"))
		await once(child.stdout, "data");
	child.kill("SIGINT");
	await once(child, "exit");
	expect(printed).toContain("/basicAuth'");
	expect(printed).not.toContain("/apiKey'");
});

test("a configuration it cannot run ends it at once, naming file and member", async () => {
	const file = join(temporary, "bad.yml");
	writeFileSync(file, '_format_version: "3.0"\nupstreams: []\n');
	const { stderr, code } = await outcome(npmStart("--config", file));
	expect(stderr).toContain(`${file}: /upstreams is not supported`);
	expect(code).toBe(2);
});

test.each(["SIGINT", "SIGTERM"] as const)(
	"%s ends everything: no socket is left and no process",
	async (signal) => {
		const child = npmStart(
			"--http-port",
			"0",
			"--https-port",
			"0",
			"--backend-port",
			"0",
		);
		let printed = "";
		child.stdout.on("data", (chunk) => {
			printed += chunk;
		});
		while (!printed.includes("No client certificate"))
			await once(child.stdout, "data");
		expect(printed).toContain(
			"curl -H 'apikey: 012345AZERTY!' 'http://localhost:",
		);
		expect(printed).toMatch(/token inspector http:\/\/localhost:\d+\/\n/);
		const pluginServer = Number(/process (\d+)/.exec(printed)?.[1]);
		expect(() => process.kill(pluginServer, 0)).not.toThrow();
		child.kill(signal);
		const [code] = await once(child, "exit");
		expect(code).toBe(0);
		const left = readdirSync(temporary);
		expect(left.filter((name) => name.startsWith("x-custom-jwt"))).toEqual([]);
		expect(() => process.kill(pluginServer, 0)).toThrow("ESRCH");
	},
);
