import { randomInt } from "node:crypto";
import type { Decision } from "../core/decisions";
import { misconfigured } from "../core/refusals";
import { Name, Plugin } from "../plugins/x-custom-jwt";
import { refusal, toRefusal } from "../plugins/x-custom-jwt/errors";
import type { Ask } from "../plugins/x-custom-jwt/facts";
import type { Log } from "./log";

/** One configuration of the plugin, started by one of Kong's workers. */
export interface Instance {
	id: number;
	/** Whether its configuration can be used; all its requests are refused otherwise. */
	isUsable: boolean;
	decide(ask: Ask): Promise<Decision>;
	/** Of the key that signs. */
	alg?: string;
	kid?: string;
	/** Milliseconds since the epoch. */
	started: number;
	lastUsed: number;
}

/** The instances Kong has started. */
export class Instances {
	readonly #instances = new Map<number, Instance>();
	readonly #nextId = uniqueIds();
	/** Told what was started, of what. */
	onStart:
		| ((
				instance: Instance,
				name: string | undefined,
				json: Buffer | string | undefined,
		  ) => void)
		| undefined;
	/** Told what was closed. */
	onClose: ((id: number) => void) | undefined;

	/** @param log takes a line for each start and stop */
	constructor(readonly log: Log) {}

	get size(): number {
		return this.#instances.size;
	}

	/** How many have a configuration that cannot be used. */
	get unusable(): number {
		let count = 0;
		for (const { isUsable } of this.#instances.values())
			if (!isUsable) count += 1;
		return count;
	}

	/**
	 * Starts an instance, of a configuration that cannot be used too: Kong takes no error for an answer,
	 * and would not log one. The reason is logged with each of its requests.
	 *
	 * @param name of the plugin
	 * @param json the configuration, as Kong sends it
	 * @param known what another process has started it as
	 */
	start(
		name: string | undefined,
		json: Buffer | string | undefined,
		known?: { id: number; started: number },
	): Instance {
		const now = Date.now();
		const instance = {
			id: known?.id ?? this.#nextId(),
			started: known?.started ?? now,
			lastUsed: now,
			...prepare(name, json),
		};
		this.#instances.set(instance.id, instance);
		this.onStart?.(instance, name, json);
		const { id, alg, kid, error } = instance;
		if (error === undefined)
			this.log("info", "instance started", { instance: id, kid, alg });
		else
			this.log("error", "the configuration of an instance cannot be used", {
				instance: id,
				error,
			});
		return instance;
	}

	/** @returns undefined when there is none, or none any more */
	get(id: number | undefined): Instance | undefined {
		return this.#instances.get(id ?? 0);
	}

	/** @returns id and last use, in milliseconds since the epoch, of those used since then */
	usedSince(least: number): [id: number, lastUsed: number][] {
		return [...this.#instances.values()]
			.filter(({ lastUsed }) => lastUsed >= least)
			.map(({ id, lastUsed }) => [id, lastUsed]);
	}

	/** Notes that another process used an instance, if there is one. */
	use(id: number, lastUsed: number): void {
		const instance = this.get(id);
		if (instance) instance.lastUsed = Math.max(instance.lastUsed, lastUsed);
	}

	/** Closes an instance, if there is one. */
	close(id: number | undefined): void {
		const instance = this.get(id);
		if (!instance) return;
		this.#instances.delete(instance.id);
		this.onClose?.(instance.id);
		const { kid, alg } = instance;
		this.log("info", "instance stopped", { instance: instance.id, kid, alg });
	}

	/**
	 * Closes the instances that Kong forgot: of removed plugin entries and dead workers.
	 *
	 * @param idle how long an instance may go unused, in milliseconds
	 */
	closeIdle(idle: number): void {
		const least = Date.now() - idle;
		for (const { id, lastUsed } of this.#instances.values())
			if (lastUsed < least) this.close(id);
	}
}

/** The largest `int32`. */
const MAX_ID = 2 ** 31 - 1;

/**
 * Makes positive ids of 32 bits (Kong: pluginsocket.proto) that do not repeat. They start anywhere:
 * Kong's workers keep the ids of an earlier process, and one that fits again would reach another entry's key.
 *
 * @returns a function that gives the next id
 * @throws when all were given
 */
function uniqueIds(): () => number {
	let last = randomInt(MAX_ID);
	let given = 0;
	return () => {
		if (given === MAX_ID) throw new Error("no instance ids left");
		given += 1;
		last = (last % MAX_ID) + 1;
		return last;
	};
}

function prepare(name: string | undefined, json: Buffer | string | undefined) {
	let config: unknown;
	try {
		if (name !== Name) throw misconfigured(`${name} is not ${Name}`);
		config = parse(json);
		const plugin = new Plugin(config, { ownInstance: true });
		const { alg, kid } = plugin.key;
		const decide = (ask: Ask) => plugin.decide(ask);
		return { isUsable: true, decide, alg, kid };
	} catch (thrown) {
		const verbose = isVerbose(config);
		const decide = async () => refusal(thrown, { verbose });
		return { isUsable: false, decide, error: toRefusal(thrown).message };
	}
}

function parse(json: Buffer | string | undefined): unknown {
	try {
		return JSON.parse(String(json));
	} catch {
		// V8's message would quote the configuration.
		throw misconfigured("the configuration is not JSON");
	}
}

/** What the configuration says of itself, whatever else is wrong with it. */
function isVerbose(config: unknown): boolean {
	return (config as { verbose?: unknown } | undefined | null)?.verbose === true;
}
