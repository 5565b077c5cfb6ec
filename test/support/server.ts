/** Plugin server processes for tests; whatever is started here is ended after the file's tests. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { availableParallelism, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { isListening } from "../../pluginserver/socket";
import { Client } from "./client";

const folders: string[] = [];
const processes: ServerProcess[] = [];
const clients: Client[] = [];

afterAll(async () => {
	await Promise.all(clients.map((client) => client.close()));
	await Promise.all(processes.map((server) => server.kill()));
	await Promise.all(
		folders.map((folder) => rm(folder, { recursive: true, force: true })),
	);
});

/** Makes a folder for sockets and bundles. */
export function temporaryFolder(): string {
	const folder = mkdtempSync(join(tmpdir(), "x-custom-jwt-"));
	folders.push(folder);
	return folder;
}

/** How a process ended. */
export interface Exit {
	code: number | null;
	signal: NodeJS.Signals | null;
}

/** A plugin server that nothing starts again. */
export class ServerProcess {
	/** What it printed so far, on both streams. */
	output = "";
	readonly exited: Promise<Exit>;
	readonly #child: ChildProcess;

	/** @param socketPath where it will listen */
	constructor(
		[program = "", ...args]: string[],
		readonly socketPath: string,
	) {
		const child = spawn(program, args, {
			stdio: ["ignore", "pipe", "pipe"],
			// By default it would be the environment that Jest was started with.
			env: process.env,
		});
		for (const stream of [child.stdout, child.stderr])
			stream.setEncoding("utf8").on("data", (text) => {
				this.output += text;
			});
		// Not `exit`: what it printed has come when the streams are closed.
		this.exited = new Promise((resolve) =>
			child.once("close", (code, signal) => resolve({ code, signal })),
		);
		this.#child = child;
	}

	get pid(): number {
		return this.#child.pid ?? 0;
	}

	get isRunning(): boolean {
		return this.#child.exitCode === null && this.#child.signalCode === null;
	}

	/** Lines printed so far that match. */
	lines(pattern: RegExp): string[] {
		return this.output.split("\n").filter((line) => pattern.test(line));
	}

	signal(signal: NodeJS.Signals): void {
		this.#child.kill(signal);
	}

	async kill(): Promise<void> {
		this.signal("SIGKILL");
		await this.exited;
	}

	/** Opens a connection, closed after the file's tests at the latest. */
	async connect(): Promise<Client> {
		const client = await Client.connect(this.socketPath);
		clients.push(client);
		return client;
	}
}

/** Runs a plugin server, which may well end at once. */
export function runServer(
	command: string[],
	flags: string[] = [],
	folder = temporaryFolder(),
): ServerProcess {
	const socket = ["--kong-prefix", folder, "--sock-name", "s.sock"];
	const server = new ServerProcess(
		[...command, ...socket, ...flags],
		join(folder, "s.sock"),
	);
	processes.push(server);
	return server;
}

/**
 * Starts a plugin server; resolves when it takes connections.
 *
 * @throws with what it printed when it ends instead
 */
export async function startServer(
	command: string[],
	flags: string[] = [],
	folder?: string,
): Promise<ServerProcess> {
	const server = runServer(command, flags, folder);
	await until("the server listens", async () => {
		if (!server.isRunning) throw new Error(`it ended: ${server.output}`);
		return isListening(server.socketPath);
	});
	return server;
}

/**
 * Waits for a condition.
 *
 * @param seconds how long it may take on a quiet machine; the more a machine has to do, the longer it may take
 * @throws when it is not met by then
 */
export async function until(
	what: string,
	condition: () => boolean | Promise<boolean>,
	seconds = 30,
): Promise<void> {
	let left = seconds * 1000;
	let last = performance.now();
	while (!(await condition())) {
		if (left < 0) throw new Error(`not so in time: ${what}`);
		await sleep(10);
		const now = performance.now();
		left -= (now - last) / crowding();
		last = now;
	}
}

/** How many processes share a core of this machine, at least one. */
function crowding(): number {
	const [running = 1] = loadavg();
	return Math.max(1, running / availableParallelism());
}
