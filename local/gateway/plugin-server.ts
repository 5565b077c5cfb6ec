import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
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

/** A plugin server process, started and restarted as Kong does it. */
export class PluginServer {
	readonly #command: string[];
	readonly #log: Log;
	#directory = "";
	#protocol: string | undefined;
	#child: ChildProcess | undefined;
	#stopped = false;

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
		const [program = "", ...args] = this.#command;
		const { stdout } = await promisify(execFile)(program, [
			...args,
			"--dump-all-plugins",
		]);
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
		throw new Error(`the plugin server's dump is no plugin: ${stdout}`);
	}

	/** Starts the process; resolves when its socket takes connections. */
	async start(): Promise<void> {
		// Nobody else may connect: the private key travels over the socket.
		this.#directory = await mkdtemp(join(tmpdir(), "x-custom-jwt-"));
		this.#spawn();
		await this.ready();
	}

	/** Resolves when the socket takes connections, also after a restart. */
	async ready(): Promise<void> {
		const deadline = Date.now() + 15_000;
		while (!(await isListening(this.socketPath))) {
			if (Date.now() > deadline)
				throw new Error("the plugin server does not listen on its socket");
			await sleep(20);
		}
	}

	/** Kills the process the hard way; Kong's rule starts it again. */
	async kill(): Promise<void> {
		const child = this.#child;
		if (!child) return;
		child.kill("SIGKILL");
		if (child.exitCode === null && child.signalCode === null)
			await once(child, "exit");
	}

	/** Ends the process for good and removes its socket. */
	async stop(): Promise<void> {
		this.#stopped = true;
		const child = this.#child;
		if (child && child.exitCode === null && child.signalCode === null) {
			child.kill();
			await once(child, "exit");
		}
		await rm(this.#directory, { recursive: true, force: true });
	}

	#spawn(): void {
		const started = Date.now();
		const [program = "", ...args] = this.#command;
		const child = spawn(
			program,
			[
				...args,
				"--kong-prefix",
				this.#directory,
				"--sock-name",
				"pluginserver.sock",
			],
			{ stdio: ["ignore", "pipe", "pipe"] },
		);
		this.#child = child;
		for (const stream of [child.stdout, child.stderr])
			createInterface({ input: stream }).on("line", (line) =>
				this.#log("info", `[pluginserver] ${line}`),
			);
		child.once("exit", async (code, signal) => {
			if (this.#stopped) return;
			this.#log("error", `plugin server ended: ${signal ?? code}`);
			// At most one start a second (Kong fact).
			await sleep(Math.max(0, started + 1000 - Date.now()));
			if (!this.#stopped) this.#spawn();
		});
	}
}
