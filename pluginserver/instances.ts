import { Name, Plugin } from "../plugins/x-custom-jwt";
import { uniqueIds } from "./ids";
import type { Log } from "./log";

/** One configuration of the plugin, started by one of Kong's workers. */
export interface Instance {
	id: number;
	plugin: Plugin;
	/** Without the private key. */
	config: Record<string, unknown>;
	/** Seconds since the epoch. */
	startTime: number;
	/** Milliseconds since the epoch. */
	lastUsed: number;
}

/** The text by which Kong knows that it has to start an instance again (Kong: mp_rpc.lua). */
export class NoInstance extends Error {
	constructor(id: unknown) {
		super(`no plugin instance #${id}`);
	}
}

/** The instances Kong has started. */
export class Instances {
	readonly #instances = new Map<number, Instance>();
	readonly #nextId = uniqueIds();
	lastStart = 0;
	lastClose = 0;

	/** @param log takes a line for each start and stop */
	constructor(readonly log: Log) {}

	get size(): number {
		return this.#instances.size;
	}

	/** All instances, oldest first. */
	all(): Instance[] {
		return [...this.#instances.values()];
	}

	/**
	 * @param config as Kong sends it, decoded
	 * @throws what the plugin says of an unusable configuration
	 */
	start(config: Record<string, unknown>): Instance {
		const plugin = new Plugin(config, { ownInstance: true });
		const { private_jwk, ...shown } = config;
		const now = Date.now();
		const instance = {
			id: this.#nextId(),
			plugin,
			config: shown,
			startTime: now / 1000,
			lastUsed: now,
		};
		this.#instances.set(instance.id, instance);
		this.lastStart = instance.startTime;
		this.log("info", "instance started", describe(instance));
		return instance;
	}

	/** @throws {NoInstance} */
	get(id: unknown): Instance {
		const instance = this.#instances.get(id as number);
		if (!instance) throw new NoInstance(id);
		return instance;
	}

	/** @throws {NoInstance} */
	close(id: unknown): Instance {
		const instance = this.get(id);
		this.#instances.delete(instance.id);
		this.lastClose = Date.now() / 1000;
		this.log("info", "instance stopped", describe(instance));
		return instance;
	}

	/**
	 * Closes the instances that Kong forgot: of removed plugin entries and dead workers.
	 *
	 * @param idle how long an instance may go unused, in milliseconds
	 */
	closeIdle(idle: number): void {
		const least = Date.now() - idle;
		for (const { id, lastUsed } of this.all())
			if (lastUsed < least) this.close(id);
	}
}

function describe({ id, plugin }: Instance) {
	const { alg, kid } = plugin.key;
	return { plugin: Name, instance: id, kid, alg };
}
