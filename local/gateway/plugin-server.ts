import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { isListening } from "../../pluginserver/socket";
import { packageRoot } from "../../schema/package-root";
import type { Log } from "./log";
import { MessagePackRpc } from "./messagepack";
import type { PluginRpc } from "./plugin-rpc";
import { ProtoBufRpc } from "./protobuf";

/** What `npm run build` writes, and what the published package holds. */
const DIST = join(packageRoot(), "dist");

/** What a plugin server says of its plugin (`--dump-all-plugins`). */
export interface PluginInfo {
	Name: string;
	Version: string;
	Phases: string[];
	Priority: number;
	Schema: {
		name: string;
		/** Of the plugin entity: `config`, and `protocols` where the server says so. */
		fields: Record<string, { type: string; fields?: ConfigField[] }>[];
	};
}

/** The fields of a plugin's configuration. */
export function configFields({ fields }: PluginInfo["Schema"]): ConfigField[] {
	return fields.flatMap(({ config }) => config?.fields ?? []);
}

/** One field of a plugin's configuration in Kong's schema language. */
export type ConfigField = Record<
	string,
	{
		type: string;
		required?: boolean;
		default?: unknown;
		len_min?: number;
		referenceable?: boolean;
	}
>;

/**
 * The stock plugin server of kong-pdk on the plugins of a folder.
 *
 * @param pluginsDirectory absolute path: the stock server takes no other (Kong fact)
 */
export function stockServer(
	pluginsDirectory = join(DIST, "plugins"),
): string[] {
	return [
		process.execPath,
		require.resolve("kong-pdk/bin/kong-js-pluginserver"),
		"--plugins-directory",
		pluginsDirectory,
	];
}

/** The dedicated plugin server. */
export function dedicatedServer(): string[] {
	return [process.execPath, join(DIST, "x-custom-jwt-pluginserver.js")];
}

/** What a dump says of the protocol; without it, it is MessagePack (Kong: process.lua). */
const PROTOBUF = "ProtoBuf:1";

/** What ends processes and removes folders, without waiting, that must not outlive this process. */
const leftovers = new Set<() => void>();
process.once("exit", () => {
	for (const end of leftovers) end();
});

/** How much of a plugin server's output is shown when it does not start, in lines. */
const SHOWN_LINES = 20;

/**
 * A plugin server process, started and restarted as Kong does it. It never outlives this process: `stop` waits for its
 * end, and when this process exits without `stop` it is killed.
 */
export class PluginServer {
	readonly #command: string[];
	readonly #log: Log;
	#directory = "";
	#protocol: string | undefined;
	#child: ChildProcess | undefined;
	/** How that process ended, once it has. */
	#ended: Promise<string | number> = Promise.resolve(0);
	#isStopped = false;
	#hasListened = false;
	/** Why the last process that did not come to take connections has ended. */
	#failure: Error | undefined;

	/**
	 * @param command the program and its arguments, without those that Kong adds
	 * @param log takes what the process prints, line by line
	 */
	constructor(command: string[], log: Log) {
		this.#command = command;
		this.#log = log;
	}

	/** Path of the unix socket, once started. */
	get socketPath(): string {
		return join(this.#directory, "pluginserver.sock");
	}

	/** Kong's client side of the protocol that its dump names. */
	connect(): PluginRpc {
		const Rpc = this.#protocol === PROTOBUF ? ProtoBufRpc : MessagePackRpc;
		return new Rpc(this.socketPath, this.#log);
	}

	/** Process id of the running server. */
	get pid(): number | undefined {
		return this.#child?.pid;
	}

	/**
	 * Runs the query command, as Kong does once at its start.
	 *
	 * @returns the first plugin: Kong uses no other (Kong fact)
	 * @throws when the output is not JSON, with the output
	 */
	async query(): Promise<PluginInfo> {
		const child = this.#run("--dump-all-plugins");
		const [stdout, stderr, reason] = await Promise.all([
			text(child.stdout),
			text(child.stderr),
			this.#ended,
		]);
		this.#throwIfStopped();
		try {
			const dump = JSON.parse(stdout) as
				| PluginInfo[]
				| { Protocol?: string; Plugins: PluginInfo[] };
			const { Protocol, Plugins } =
				"Plugins" in dump ? dump : { Protocol: undefined, Plugins: dump };
			this.#protocol = Protocol;
			if (Plugins[0]) return Plugins[0];
		} catch {
			// Reported below.
		}
		throw new Error(
			`the plugin server's dump is not a plugin (${reason}): ${stdout}${stderr}`,
		);
	}

	/**
	 * Starts the process; resolves when its socket takes connections.
	 *
	 * @throws when the process ends instead, with what it printed, or when it is stopped meanwhile
	 */
	async start(): Promise<void> {
		this.#throwIfStopped();
		// Nobody else may connect: the private key travels over the socket.
		this.#directory = mkdtempSync(join(tmpdir(), "x-custom-jwt-"));
		leftovers.add(this.#removeDirectory);
		this.#spawn();
		await this.ready();
	}

	/**
	 * Resolves when the socket takes connections, also after a restart. A process that is still starting is waited for
	 * however long it takes, because the machine can be busy.
	 *
	 * @throws when the process ends instead, with what it printed, or when it is stopped meanwhile
	 */
	async ready(): Promise<void> {
		while (!(await isListening(this.socketPath))) {
			this.#throwIfStopped();
			if (this.#failure) throw this.#failure;
			await sleep(20);
		}
		this.#hasListened = true;
		this.#failure = undefined;
	}

	/** Kills the process the hard way; Kong's rule starts it again. */
	async kill(): Promise<void> {
		this.#child?.kill("SIGKILL");
		await this.#ended;
	}

	/** Ends the process for good and removes its socket, also while it is still starting. */
	async stop(): Promise<void> {
		this.#isStopped = true;
		this.#child?.kill();
		await this.#ended;
		this.#removeDirectory();
		leftovers.delete(this.#removeDirectory);
	}

	readonly #removeDirectory = () => {
		if (this.#directory)
			rmSync(this.#directory, { recursive: true, force: true });
	};

	#throwIfStopped(): void {
		if (this.#isStopped) throw new Error("the plugin server was stopped");
	}

	/** Runs the command until it ends, or until this process does. */
	#run(...args: string[]) {
		this.#throwIfStopped();
		const [program = "", ...first] = this.#command;
		const child = spawn(program, [...first, ...args], {
			stdio: ["ignore", "pipe", "pipe"],
			env: process.env,
		});
		this.#child = child;
		const kill = () => child.kill("SIGKILL");
		leftovers.add(kill);
		this.#ended = new Promise((resolve) => {
			child.once("error", ({ message }) => resolve(message));
			child.once("close", (code, signal) => resolve(signal ?? code ?? "?"));
		});
		this.#ended.then(() => leftovers.delete(kill));
		return child;
	}

	#spawn(): void {
		const started = Date.now();
		this.#hasListened = false;
		const child = this.#run(
			"--kong-prefix",
			this.#directory,
			"--sock-name",
			"pluginserver.sock",
		);
		let lines: string[] = [];
		for (const stream of [child.stdout, child.stderr])
			createInterface({ input: stream }).on("line", (line) => {
				lines = [...lines.slice(1 - SHOWN_LINES), line];
				this.#log("info", `[pluginserver] ${line}`);
			});
		this.#ended.then(async (reason) => {
			if (this.#isStopped) return;
			this.#log("error", `plugin server ended: ${reason}`);
			// A signal comes from elsewhere, so the next process may well start.
			if (!this.#hasListened && child.signalCode === null)
				this.#failure = new Error(
					`the plugin server ended before it took connections (${reason}):\n${lines.join("\n")}`,
				);
			// At most one start a second (Kong fact).
			await sleep(Math.max(0, started + 1000 - Date.now()));
			if (!this.#isStopped) this.#spawn();
		});
	}
}
