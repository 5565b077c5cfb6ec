/** The workers of a plugin server, as the process that starts them has them. */
import { type ChildProcess, spawn } from "node:child_process";
import { createServer, type Server, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { isSea } from "node:sea";
import { setTimeout as sleep } from "node:timers/promises";
import type { Connections } from "./connections";
import { NO_DEBUGGER } from "./debugger";
import {
	Asked,
	type FromWorker,
	type HandedInstance,
	type Metrics,
	type ToWorker,
} from "./ipc";
import type { Log } from "./log";

/** Connections that wait to be handed to one worker; further ones go to another process. */
const MAX_WAITING = 64;

/**
 * A worker that ends sooner is not started again before, in milliseconds: it would end again. Twice as much after
 * each one in a row that did not come to take connections, up to `MAX_PAUSE`.
 */
const LEAST_LIFE = 1000;
const MAX_PAUSE = 60_000;

/** Workers are asked whether they are there once in so many milliseconds. */
const PING_INTERVAL = 1000;

/**
 * One that leaves so many pings in a row without a word hangs, and is killed: Kong repeats its requests elsewhere. A
 * long RSA key may take seconds to import on a busy machine.
 */
const MAX_UNANSWERED = 10;

/** The same while it starts, on a machine that has no time for it. */
const MAX_UNANSWERED_AT_START = 60;

/** Metrics are not waited for longer, in milliseconds; what a worker told last is taken then. */
const METRICS_PATIENCE = 1000;

/** The flag that makes a worker of this program. */
export const WORKER_FLAG = "--worker";

/** This program with its own flags, as a worker. */
function workerCommand(): string[] {
	const [, script = "", ...flags] = process.argv;
	// An executable has its script inside (Node.js: single executable applications).
	const program = isSea() ? [] : [...process.execArgv, ...NO_DEBUGGER, script];
	// First: the last flag may be one that takes what follows.
	return [...program, WORKER_FLAG, ...flags];
}

/** The environment of workers. An executable takes flags of Node.js from it only. */
function workerEnvironment(): NodeJS.ProcessEnv {
	const { NODE_OPTIONS = "", ...others } = process.env;
	const options = [NODE_OPTIONS, ...NO_DEBUGGER].join(" ");
	return { ...others, NODE_OPTIONS: options };
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
	#unanswered = 0;
	/** What was on its way when it was asked last whether it is there. */
	#pinged: Socket | undefined;
	/** Whether it had no file left for a connection. */
	#isFull = false;
	#isLeaving = false;
	#isHung = false;
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
			stdio: ["ignore", "pipe", "pipe", "ipc"],
			env: workerEnvironment(),
		});
		// Not inherited: Kong starts no other server before all have closed its pipe (Kong: process.lua).
		for (const input of [this.#child.stdout, this.#child.stderr])
			if (input)
				createInterface({ input }).on("line", (line) =>
					process.stdout.write(`${line}\n`),
				);
		this.#child.on("message", (message: FromWorker) => {
			this.#unanswered = 0;
			switch (message.say) {
				case "has":
					return;
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
				case "pong":
					return this.#takePong();
				case "leaving":
					this.#isLeaving = true;
					break;
				case "ready":
					this.isReady = true;
			}
			hear(message);
		});
		// Also when it did not start, and without its streams.
		this.#child.once("error", ({ message }) => this.#end(message));
		this.#child.once("close", (code, signal) =>
			this.#end(signal ?? code ?? "?"),
		);
		this.#onEnd = end;
	}

	get pid(): number | undefined {
		return this.#child.pid;
	}

	/** Whether it takes what is handed to it. */
	get isTaking(): boolean {
		return (
			this.isReady && !this.#isLeaving && !this.#isFull && this.#unanswered <= 1
		);
	}

	get canTake(): boolean {
		return this.isTaking && this.#waiting.length < MAX_WAITING;
	}

	say(message: ToWorker, socket?: Socket): void {
		// It may have ended; `close` follows.
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
		this.connections -= this.#waiting.length;
		return this.#waiting.splice(0);
	}

	/** @returns what it told last, when it does not answer */
	async askMetrics(): Promise<Metrics | undefined> {
		const told = await Promise.race([
			this.#asked.ask((ask) => this.say({ say: "metrics", ask })),
			sleep(METRICS_PATIENCE, undefined),
		]);
		return told ?? this.metrics;
	}

	/** Asks whether it is there, and kills it when it has not been for long. */
	ping(): void {
		const most = this.isReady ? MAX_UNANSWERED : MAX_UNANSWERED_AT_START;
		if (this.#unanswered === most) {
			this.#isHung = true;
			this.kill();
			return;
		}
		this.#unanswered += 1;
		this.#pinged = this.#taking;
		this.say({ say: "ping" });
	}

	kill(): void {
		this.#child.kill("SIGKILL");
	}

	#end(reason: string | number): void {
		this.#taking?.destroy();
		this.#onEnd?.(this.#isHung ? "no answer" : reason);
		this.#onEnd = undefined;
		this.#asked.end();
	}

	#takePong(): void {
		// What is handed over comes before the ping, or without a file that is free not at all, of which Node.js tells nobody.
		this.#isFull = this.#taking !== undefined && this.#taking === this.#pinged;
		if (!this.#isFull) return;
		this.#taking?.destroy();
		this.#taking = undefined;
		this.connections -= 1;
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
	#isStopping = false;
	/** How many have ended that should not have. */
	ended = 0;

	/** @param count how many workers there are, beside this process */
	constructor(
		count: number,
		readonly own: Connections,
		readonly log: Log,
	) {
		const { instances } = own.rpc;
		instances.onStart = ({ id, started }, name, json) =>
			this.#handed.set(id, { id, started, name, config: json?.toString() });
		instances.onClose = (id) => {
			this.#handed.delete(id);
			for (const worker of this.#workers) worker.say({ say: "forget", id });
		};
		// When the start of this process fails.
		process.once("exit", () => this.#kill());
		for (let left = count; left > 0; left--) this.#start();
		setInterval(() => this.#ping(), PING_INTERVAL);
	}

	/**
	 * The server of Kong's connections. They wait until all workers take some, or for a while: Kong keeps those it has
	 * open, so that the first ones should not all come to one process.
	 *
	 * @param patience in milliseconds
	 */
	createListener(patience: number): Server {
		const ready = this.ready(patience);
		// So that nothing is read here of what a worker is to read.
		return createServer({ pauseOnConnect: true }, async (socket) => {
			await ready;
			this.#dispatch(socket);
		});
	}

	/** Waits until all workers take connections, or for a while, in milliseconds. */
	async ready(patience: number): Promise<void> {
		const end = performance.now() + patience;
		while (
			![...this.#workers].every((one) => one.isReady) &&
			performance.now() < end
		)
			await sleep(5);
	}

	/** How many connections the workers have. */
	get connections(): number {
		let sum = 0;
		for (const worker of this.#workers) sum += worker.connections;
		return sum;
	}

	/** The metrics of all workers there are, and the counts of those that ended, as they told them last. */
	async metrics(): Promise<Metrics[]> {
		const ready = [...this.#workers].filter(({ isReady }) => isReady);
		// Those of now: a worker that ends meanwhile is among both else.
		const past = this.#past;
		const told = await Promise.all(ready.map((worker) => worker.askMetrics()));
		return [...told.filter((metrics) => metrics !== undefined), await past];
	}

	/** Moves Kong's connections to another server. */
	retire(): void {
		for (const worker of this.#workers) worker.say({ say: "retire" });
	}

	/**
	 * Lets the workers finish their events; resolves when they have ended.
	 *
	 * @param patience then they are killed, in milliseconds
	 */
	async stop(signal: string, patience: number): Promise<void> {
		this.#isStopping = true;
		for (const worker of this.#workers) worker.say({ say: "stop", signal });
		const deadline = performance.now() + patience;
		while (this.#workers.size > 0) {
			if (performance.now() > deadline) this.#kill();
			await sleep(10);
		}
	}

	#kill(): void {
		for (const worker of this.#workers) worker.kill();
	}

	#ping(): void {
		for (const worker of this.#workers) {
			worker.ping();
			if (!worker.isTaking)
				for (const socket of worker.takeBack()) this.#dispatch(socket);
		}
	}

	/** @param failures how many in a row have ended before they took connections */
	#start(failures = 0): void {
		const started = performance.now();
		const worker = new Worker(
			(message) => this.#hear(message, worker),
			(reason) => {
				this.#bury(worker);
				if (this.#isStopping) return;
				this.ended += 1;
				const failed = worker.isReady ? 0 : failures + 1;
				const least = Math.min(LEAST_LIFE * 2 ** failed, MAX_PAUSE);
				const pause = Math.max(0, started + least - performance.now());
				this.log("error", "worker ended", {
					worker: worker.pid,
					reason,
					next_in: `${(pause / 1000).toFixed(1)}s`,
				});
				setTimeout(() => this.#isStopping || this.#start(failed), pause);
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
				worker.connections < (least?.connections ?? this.own.size)
			)
				least = worker;
		if (least) {
			least.take(socket);
			return;
		}
		this.own.add(socket);
		socket.resume();
	}

	#hear(message: FromWorker, worker: Worker): void {
		const { instances } = this.own.rpc;
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
			case "leaving":
				for (const socket of worker.takeBack()) this.#dispatch(socket);
				answer(message.ask, 0);
				break;
			case "used":
				for (const [id, lastUsed] of message.instances)
					instances.use(id, lastUsed);
		}
	}
}
