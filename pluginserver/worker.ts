/** A further process of a plugin server: it serves the connections that the first process hands to it. */
import type { Socket } from "node:net";
import { Connections } from "./connections";
import { keepHouse, type Timeouts } from "./housekeeping";
import type { Instance } from "./instances";
import {
	Asked,
	type FromWorker,
	type HandedInstance,
	type ToWorker,
} from "./ipc";
import type { Log } from "./log";
import { type Later, PluginServerRpc } from "./rpc";
import { SIGNALS } from "./server";

/** Closed connections are told together once in so many milliseconds. */
const TELL_INTERVAL = 50;

function say(message: FromWorker): void {
	// The first process may be gone; `disconnect` follows.
	process.send?.(message, undefined, undefined, () => {});
}

/**
 * Kong's calls on instances that are the first process's: it starts and closes them, and a worker has of them what its
 * requests have needed so far.
 */
export class WorkerRpc extends PluginServerRpc {
	readonly #asked = new Asked<Instance>();
	readonly #fetched = new Map<number, Promise<Instance | undefined>>();
	#told = 0;

	constructor() {
		// The first process logs starts and stops.
		super(() => {});
	}

	override find(id: number | undefined): Later<Instance | undefined> {
		const known = this.instances.get(id);
		if (known || !id) return known;
		// Requests that come together need one key, not each its own.
		const fetched =
			this.#fetched.get(id) ??
			this.#asked
				.ask((ask) => say({ say: "find", ask, id }))
				.finally(() => this.#fetched.delete(id));
		this.#fetched.set(id, fetched);
		return fetched;
	}

	/** Takes what the first process answers. */
	answered(ask: number, handed: HandedInstance | undefined): void {
		// At once: the next message may be that it was closed.
		this.#asked.answered(ask, handed && this.#have(handed));
	}

	/** Tells the first process, which closes what nobody uses, what was used here. */
	tellUsed(): void {
		const since = this.#told;
		this.#told = Date.now();
		const instances = this.instances.usedSince(since);
		if (instances.length > 0) say({ say: "used", instances });
	}

	/** Resolves when the first process hands over no more connections, and all that it did have come. */
	async leave(): Promise<void> {
		if (process.connected)
			await this.#asked.ask((ask) => say({ say: "leaving", ask }));
	}

	protected override start(
		name: string | undefined,
		config: Buffer | undefined,
	): Promise<Instance | undefined> {
		return this.#asked.ask((ask) =>
			say({ say: "start", ask, name, config: config?.toString() }),
		);
	}

	protected override async close(id: number | undefined): Promise<void> {
		if (id) await this.#asked.ask((ask) => say({ say: "close", ask, id }));
	}

	#have({ id, started, name, config }: HandedInstance): Instance {
		const known = this.instances.get(id);
		if (known) return known;
		const instance = this.instances.start(name, config, { id, started });
		say({ say: "has" });
		return instance;
	}
}

/**
 * Serves what the first process hands over, until it says stop or is gone.
 *
 * @param wantsMetrics whether they may be asked for
 * @throws when this process was started by hand
 */
export function runWorker(
	processLog: Log,
	timeouts: Timeouts,
	wantsMetrics: boolean,
): void {
	if (!process.connected)
		throw new Error("a worker is started by the plugin server itself");
	const log: Log = (level, message, fields) =>
		processLog(level, message, { worker: process.pid, ...fields });
	const rpc = new WorkerRpc();
	const connections = new Connections(rpc, log);
	const stop = keepHouse(connections, log, timeouts, () => rpc.leave());
	// Of a terminal, or a service manager, which signal all processes.
	for (const signal of SIGNALS) process.on(signal, stop);
	const metrics = wantsMetrics
		? (require("./metrics") as typeof import("./metrics")).collectMetrics(rpc)
		: undefined;
	let closed = 0;
	const tellClosed = () => {
		say({ say: "closed", connections: closed });
		closed = 0;
	};
	const countClosed = () => {
		closed += 1;
		if (closed === 1) setTimeout(tellClosed, TELL_INTERVAL);
	};
	process.on("message", async (message: ToWorker, socket?: Socket) => {
		switch (message.say) {
			case "take":
				say({ say: "taken" });
				// None when it was closed before it could be handed over.
				if (!socket) return countClosed();
				connections.add(socket);
				socket.once("close", countClosed);
				return;
			case "instance":
				return rpc.answered(message.ask, message.instance);
			case "forget":
				return rpc.instances.close(message.id);
			case "metrics":
				return say({
					say: "metrics",
					ask: message.ask,
					metrics: (await metrics?.getMetricsAsJSON()) ?? [],
				});
			case "ping":
				return say({ say: "pong" });
			case "retire":
				return connections.retire();
			case "stop":
				return stop(message.signal);
		}
	});
	process.once("disconnect", () => stop("the first process is gone"));
	setInterval(() => rpc.tellUsed(), timeouts.idle / 20);
	say({ say: "ready" });
}
