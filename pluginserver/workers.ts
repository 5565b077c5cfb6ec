/** The workers of a plugin server, as the process that starts them has them. */
import { type ChildProcess, spawn } from "node:child_process";
import { createServer, type Server, type Socket } from "node:net";
import { isSea } from "node:sea";
import { setTimeout as sleep } from "node:timers/promises";
import {
	Asked,
	type FromWorker,
	type HandedInstance,
	type Metrics,
	type ToWorker,
} from "./between";
import { Connection } from "./connection";
import type { Log } from "./log";
import type { PluginServerRpc } from "./rpc";

/** Connections that wait to be handed to one worker; further ones go to another process. */
const MAX_WAITING = 64;

/** A worker that ends sooner is not started again before, in milliseconds: it would end again. */
const LEAST_LIFE = 1000;

/** The flag that makes a worker of this program. */
export const WORKER_FLAG = "--worker";

/** This program with its own flags, as a worker. */
function workerCommand(): string[] {
	const [, script = "", ...flags] = process.argv;
	// An executable has its script inside (Node.js: single executable applications).
	const program = isSea() ? [] : [...process.execArgv, script];
	return [...program, ...flags, WORKER_FLAG];
}

/** One worker, until it ends. */
class Worker {
	readonly #child: ChildProcess;
	readonly #asked = new Asked<Metrics>();
	/** Connections to be handed over, one after the other. */
	readonly #waiting: Socket[] = [];
	/** The one on its way. */
	#taking: Socket | undefined;
	#onEnd: ((reason: string | number) => void) | undefined;
	isReady = false;
	/** How many it has, and will have. */
	connections = 0;
	/** As it told them last. */
	metrics: Metrics | undefined;

	/**
	 * @param hear takes what it says about instances
	 * @param end told why it ended
	 */
	constructor(
		hear: (message: FromWorker) => void,
		end: (reason: string | number) => void,
	) {
		this.#child = spawn(process.execPath, workerCommand(), {
			stdio: ["ignore", "inherit", "inherit", "ipc"],
		});
		this.#child.on("message", (message: FromWorker) => {
			switch (message.say) {
				case "taken":
					// It is the worker's alone.
					this.#taking?.destroy();
					this.#taking = undefined;
					return this.#handNext();
				case "closed":
					this.connections -= message.connections;
					return;
				case "metrics":
					this.metrics = message.metrics;
					return this.#asked.answered(message.ask, message.metrics);
				case "ready":
					this.isReady = true;
			}
			hear(message);
		});
		// Also when it did not start, and without an exit then.
		this.#child.once("error", ({ message }) => this.#end(message));
		this.#child.once("exit", (code, signal) =>
			this.#end(signal ?? code ?? "?"),
		);
		this.#onEnd = end;
	}

	get pid(): number | undefined {
		return this.#child.pid;
	}

	get canTake(): boolean {
		return this.isReady && this.#waiting.length < MAX_WAITING;
	}

	say(message: ToWorker, socket?: Socket): void {
		// It may have ended; `exit` follows.
		if (!this.#child.connected) return;
		// Node.js would not close a connection whose worker ends before it has it.
		this.#child.send(message, socket, { keepOpen: true }, () => {});
	}

	take(socket: Socket): void {
		this.connections += 1;
		this.#waiting.push(socket);
		this.#handNext();
	}

	/** What is not on its way to it yet. */
	takeBack(): Socket[] {
		return this.#waiting.splice(0);
	}

	/** @returns undefined when it ended */
	askMetrics(): Promise<Metrics | undefined> {
		return this.#asked.ask((ask) => this.say({ say: "metrics", ask }));
	}

	kill(): void {
		this.#child.kill("SIGKILL");
	}

	#end(reason: string | number): void {
		this.#taking?.destroy();
		this.#onEnd?.(reason);
		this.#onEnd = undefined;
		this.#asked.end();
	}

	// Node.js too has a queue, but forgets the connections in it when the worker ends.
	#handNext(): void {
		if (this.#taking || !this.#child.connected) return;
		this.#taking = this.#waiting.shift();
		if (this.#taking) this.say({ say: "take" }, this.#taking);
	}
}

/**
 * Processes that share the work of this one. Each new connection goes to the process that has the fewest. All instances
 * are started here; a worker that gets a request for one that it does not have asks for it. A worker that ends is
 * replaced: Kong repeats its requests on other connections.
 */
export class Workers {
	readonly #workers = new Set<Worker>();
	readonly #handed = new Map<number, HandedInstance>();
	/** Counts of those that ended. */
	#past: Promise<Metrics> = Promise.resolve([]);
	#ownConnections = 0;
	#isStopping = false;

	/** @param count how many workers there are, beside this process */
	constructor(
		count: number,
		readonly rpc: PluginServerRpc,
		readonly log: Log,
	) {
		const { instances } = rpc;
		instances.onStart = ({ id, started }, name, json) =>
			this.#handed.set(id, { id, started, name, config: json?.toString() });
		instances.onClose = (id) => {
			this.#handed.delete(id);
			for (const worker of this.#workers) worker.say({ say: "forget", id });
		};
		// When the start of this process fails.
		process.once("exit", () => this.#kill());
		for (let left = count; left > 0; left--) this.#start();
	}

	/**
	 * The server of Kong's connections. They wait until all workers take some, or for a while: Kong keeps those it has
	 * open, so that the first ones should not all come to one process. It listens meanwhile, since a reload of Kong ends
	 * the plugin server before this one without waiting for it.
	 *
	 * @param patience in milliseconds
	 */
	createListener(patience: number): Server {
		const ready = this.#ready(patience);
		// So that nothing is read here of what a worker is to read.
		return createServer({ pauseOnConnect: true }, async (socket) => {
			await ready;
			this.#dispatch(socket);
		});
	}

	/** The metrics of all workers there are, and the counts of those that ended, as they told them last. */
	async metrics(): Promise<Metrics[]> {
		const ready = [...this.#workers].filter(({ isReady }) => isReady);
		const told = await Promise.all(ready.map((worker) => worker.askMetrics()));
		return [
			...told.filter((metrics) => metrics !== undefined),
			await this.#past,
		];
	}

	/**
	 * Lets the workers finish their events; resolves when they have ended.
	 *
	 * @param patience then they are killed, in milliseconds
	 */
	async stop(signal: string, patience: number): Promise<void> {
		this.#isStopping = true;
		for (const worker of this.#workers) worker.say({ say: "stop", signal });
		const deadline = Date.now() + patience;
		while (this.#workers.size > 0) {
			if (Date.now() > deadline) this.#kill();
			await sleep(10);
		}
	}

	async #ready(patience: number): Promise<void> {
		const end = Date.now() + patience;
		while (![...this.#workers].every((one) => one.isReady) && Date.now() < end)
			await sleep(5);
	}

	#kill(): void {
		for (const worker of this.#workers) worker.kill();
	}

	#start(): void {
		const started = Date.now();
		const worker = new Worker(
			(message) => this.#hear(message, worker),
			(reason) => {
				this.#bury(worker);
				if (this.#isStopping) return;
				this.log("error", "worker ended", { worker: worker.pid, reason });
				setTimeout(
					() => this.#isStopping || this.#start(),
					Math.max(0, started + LEAST_LIFE - Date.now()),
				);
			},
		);
		this.#workers.add(worker);
	}

	#bury(worker: Worker): void {
		this.#workers.delete(worker);
		const { metrics } = worker;
		if (metrics) {
			// Loaded when metrics are served.
			const { addMetrics, countsOf } =
				require("./metrics") as typeof import("./metrics");
			// A counter that falls would be counted again.
			this.#past = this.#past.then((past) =>
				addMetrics([past, countsOf(metrics)]).getMetricsAsJSON(),
			);
		}
		for (const socket of worker.takeBack()) this.#dispatch(socket);
	}

	#dispatch(socket: Socket): void {
		let least: Worker | undefined;
		for (const worker of this.#workers)
			if (
				worker.canTake &&
				worker.connections < (least?.connections ?? this.#ownConnections)
			)
				least = worker;
		if (least) least.take(socket);
		else this.#take(socket);
	}

	#take(socket: Socket): void {
		this.#ownConnections += 1;
		socket.once("close", () => {
			this.#ownConnections -= 1;
		});
		new Connection(socket, this.rpc, this.log);
		socket.resume();
	}

	#hear(message: FromWorker, worker: Worker): void {
		const { instances } = this.rpc;
		const answer = (ask: number, id: number) =>
			worker.say({ say: "instance", ask, instance: this.#handed.get(id) });
		switch (message.say) {
			case "ready":
				this.log("info", "worker started", { worker: worker.pid });
				break;
			case "start": {
				const { ask, name, config } = message;
				answer(ask, instances.start(name, config).id);
				break;
			}
			case "find":
				instances.use(message.id, Date.now());
				answer(message.ask, message.id);
				break;
			case "close":
				instances.close(message.id);
				answer(message.ask, message.id);
				break;
			case "used":
				for (const [id, lastUsed] of message.instances)
					instances.use(id, lastUsed);
		}
	}
}
