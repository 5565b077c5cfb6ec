/** A further process of a plugin server: it serves the connections that the first process hands to it. */
import type { Socket } from "node:net";
import {
	Asked,
	type FromWorker,
	type HandedInstance,
	type ToWorker,
} from "./between";
import { Connection } from "./connection";
import type { Instance } from "./instances";
import type { Log } from "./log";
import { type Later, PluginServerRpc } from "./rpc";
import type { Stop } from "./serving";

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

	/** Tells it that new connections are better off elsewhere. */
	leave(): void {
		say({ say: "leaving" });
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
 * @param stop ends this process when its events have ended
 * @param idleTimeout in milliseconds
 * @param wantsMetrics whether they may be asked for
 * @throws when this process was started by hand
 */
export function runWorker(
	rpc: WorkerRpc,
	log: Log,
	stop: Stop,
	idleTimeout: number,
	wantsMetrics: boolean,
): void {
	if (!process.connected)
		throw new Error("a worker is started by the plugin server itself");
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
				new Connection(socket, rpc, log);
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
			case "stop":
				return stop(message.signal);
		}
	});
	process.once("disconnect", () => stop("the first process is gone"));
	setInterval(() => rpc.tellUsed(), idleTimeout / 20);
	say({ say: "ready" });
}
