import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { dedicatedServer } from "../../local/gateway/plugin-server";
import privateJwk from "../../test-keys/ES256-jwk-private.json";
import { clientOf, SET_HEADER } from "../support/client";
import {
	runServer,
	type ServerProcess,
	temporaryFolder,
	until,
} from "../support/server";

const [NODE = "", BUNDLE = ""] = dedicatedServer();
const CONFIG = { private_jwk: JSON.stringify(privateJwk) };

/** Any port, so that tests that run at the same time do not meet. */
const PORT = "127.0.0.1:0";

/** A module that a process loads before the plugin server, with the debugger's port set. */
function preloaded(code: string): string[] {
	const file = join(temporaryFolder(), "preloaded.js");
	writeFileSync(file, code);
	return [`--inspect-port=${PORT}`, "--require", file];
}

const NO_SIGNAL = "--disable-sigusr1";

/**
 * Signals the process in its first moments, before any of our code runs; resumes when the debugger is open. A process
 * for which the signal opens none is left alone: the signal would end it.
 */
const EARLY_SIGNAL = `
	const { url } = require("node:inspector");
	if (!process.execArgv.includes("${NO_SIGNAL}")) {
		process.kill(process.pid, "SIGUSR1");
		for (const end = Date.now() + 20_000; !url() && Date.now() < end; );
	}
`;

/** Starts a plugin server with flags of Node.js and what NODE_OPTIONS is to be. */
async function start(
	flags: string[],
	workers: number,
	options?: string,
): Promise<ServerProcess> {
	const { NODE_OPTIONS } = process.env;
	if (options !== undefined) process.env.NODE_OPTIONS = options;
	let server: ServerProcess;
	try {
		server = runServer([NODE, ...flags, BUNDLE], ["--workers", `${workers}`]);
	} finally {
		if (NODE_OPTIONS === undefined) delete process.env.NODE_OPTIONS;
		else process.env.NODE_OPTIONS = NODE_OPTIONS;
	}
	await until("all processes are started", () => {
		if (!server.isRunning) throw new Error(`it ended: ${server.output}`);
		return (
			server.output.includes("msg=started") &&
			server.lines(/msg="worker started"/).length === workers - 1
		);
	});
	return server;
}

/** The ports on which the debuggers of a server's processes have listened. */
function portsOf(server: ServerProcess): number[] {
	return server
		.lines(/Debugger listening on/)
		.map((line) => Number(/ws:[^ ]*:(\d+)\//.exec(line)?.[1]));
}

/** Whether something listens on a port of this machine. */
async function isOpen(port: number): Promise<boolean> {
	const socket = connect(port, "127.0.0.1");
	try {
		await once(socket, "connect");
		return true;
	} catch {
		return false;
	} finally {
		socket.destroy();
	}
}

/** Expects that no debugger of a server is open, and that the server signs tokens. */
async function expectClosed(server: ServerProcess): Promise<void> {
	for (const port of portsOf(server)) expect(await isOpen(port)).toBe(false);
	const client = await server.connect();
	const instance = await client.startInstance(CONFIG);
	const calls = await client.runPhase(instance, clientOf("alice"));
	expect(calls.at(-1)?.method).toBe(SET_HEADER);
}

const CLOSED =
	/level=error msg="the debugger of Node.js was open and is closed/;

describe("the debugger of Node.js is closed, and reported, when it was opened", () => {
	test.each([1, 2])("by a flag, with processes: %d", async (workers) => {
		const server = await start([`--inspect=${PORT}`], workers);
		// A worker does not open it in the first place.
		expect(portsOf(server)).toHaveLength(1);
		expect(server.lines(CLOSED)).toHaveLength(1);
		await expectClosed(server);
		await server.kill();
	});

	test.each([1, 2])("by NODE_OPTIONS, with processes: %d", async (workers) => {
		const server = await start([], workers, `--inspect=${PORT}`);
		expect(portsOf(server)).toHaveLength(1);
		expect(server.lines(CLOSED)).toHaveLength(1);
		await expectClosed(server);
		await server.kill();
	});

	test.each([1, 2])(
		"by SIGUSR1 in the first moments, with processes: %d",
		async (workers) => {
			const server = await start(preloaded(EARLY_SIGNAL), workers);
			expect(portsOf(server)).not.toEqual([]);
			const hasFlag = process.allowedNodeEnvironmentFlags.has(NO_SIGNAL);
			expect(server.lines(CLOSED)).toHaveLength(hasFlag ? 1 : workers);
			await expectClosed(server);
			await server.kill();
		},
	);

	test("at any later time", async () => {
		const code = `setTimeout(() => require("node:inspector").open(), 1000)`;
		const server = await start(preloaded(code), 1);
		await until("it is reported", () => server.lines(CLOSED).length > 0);
		expect(portsOf(server)).toHaveLength(1);
		await expectClosed(server);
		await server.kill();
	});
});

test("SIGUSR1 opens no debugger in any process of a running server", async () => {
	const server = await start([], 2);
	const [worker] = server
		.lines(/msg="worker started"/)
		.map((line) => Number(/worker=(\d+)/.exec(line)?.[1]));
	for (const pid of [server.pid, worker ?? 0]) process.kill(pid, "SIGUSR1");
	await expectClosed(server);
	server.signal("SIGTERM");
	expect(await server.exited).toEqual({ code: 0, signal: null });
	expect(server.output).not.toMatch(/debugger/i);
});
