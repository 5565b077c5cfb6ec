import { existsSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { PluginServer } from "../../../local/gateway/plugin-server";
import { temporaryFolder, until } from "../../support/server";

const servers: PluginServer[] = [];
afterEach(() => Promise.all(servers.splice(0).map((server) => server.stop())));

/** A plugin server that runs code, which has `isQuery`, the folder's `socket`, and a `file` of its own. */
function serverOf(code: string): { server: PluginServer; file: string } {
	const folder = temporaryFolder();
	const script = join(folder, "server.js");
	const file = join(folder, "file");
	writeFileSync(
		script,
		`const { rmSync, writeFileSync } = require("node:fs");
		const { createServer } = require("node:net");
		const isQuery = process.argv.includes("--dump-all-plugins");
		const socket = process.argv[process.argv.indexOf("--kong-prefix") + 1] + "/pluginserver.sock";
		const file = ${JSON.stringify(file)};
		${code}`,
	);
	const server = new PluginServer([process.execPath, script], () => {});
	servers.push(server);
	return { server, file };
}

/** Code that takes connections in the place of a process that was killed. */
const LISTEN = `rmSync(socket, { force: true }); createServer().listen(socket);`;

const isAlive = (pid: number) => {
	try {
		return process.kill(pid, 0);
	} catch {
		return false;
	}
};

test("a process that ends before it listens ends the start, with what it printed", async () => {
	const { server } = serverOf(
		`console.log("cannot load the plugin"); console.error("for want of a key"); process.exitCode = 3;`,
	);
	await expect(server.start()).rejects.toThrow(
		/ended before it took connections \(3\):\n(.*\n)?cannot load the plugin(\n|$)/,
	);
	await expect(server.ready()).rejects.toThrow("for want of a key");
});

test("a program that does not exist ends the start", async () => {
	const server = new PluginServer(["/does/not/exist"], () => {});
	servers.push(server);
	await expect(server.start()).rejects.toThrow("ENOENT");
	await expect(server.query()).rejects.toThrow("ENOENT");
});

test.each([
	["an empty list", `console.log("[]")`],
	["a warning before the list", `console.log("warning\\n[]")`],
	["an error", `console.error("no such folder")`],
])("a query that prints %s fails, with what it printed", async (_, code) => {
	await expect(serverOf(code).server.query()).rejects.toThrow(
		/^the plugin server's dump is not a plugin \(0\): (\[\]|warning|no such folder)/,
	);
});

test("a process that was killed is started again, and waited for", async () => {
	const { server } = serverOf(LISTEN);
	await server.start();
	const { pid } = server;
	await server.kill();
	await server.ready();
	expect(server.pid).not.toBe(pid);
	expect(isAlive(pid ?? 0)).toBe(false);
});

test.each([
	["the query runs", "query", ""],
	["the process starts and does not listen yet", "start", ""],
	["the process listens", "start", LISTEN],
] as const)(
	"stopping while %s leaves no process and no folder, and rejects the start",
	async (_, method, code) => {
		const { server, file } = serverOf(`
			writeFileSync(file, "");
			${code || "setInterval(() => {}, 1000);"}
		`);
		const started = server[method]().then(
			() => "started",
			() => "failed",
		);
		await until("the process runs", () => existsSync(file));
		const { pid } = server;
		await server.stop();
		const outcome = await started;
		if (!code) expect(outcome).toBe("failed");
		expect(isAlive(pid ?? 0)).toBe(false);
		expect(existsSync(dirname(server.socketPath))).toBe(
			method === "query", // it has no folder, and so this is the working directory
		);
		await expect(server.start()).rejects.toThrow("was stopped");
		await expect(server.query()).rejects.toThrow("was stopped");
	},
);

test("stopping before anything runs does nothing but reject what follows", async () => {
	const { server } = serverOf("");
	await server.stop();
	await expect(server.query()).rejects.toThrow("was stopped");
	await expect(server.start()).rejects.toThrow("was stopped");
});
