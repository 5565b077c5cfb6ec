/**
 * What the processes of one plugin server say to each other. The first process, which Kong starts, takes all
 * connections and has all instances; the workers that it starts serve the connections that it hands to them.
 */
import type { MetricObjectWithValues, MetricValue } from "prom-client";

/** An instance as the first process hands it to a worker: with the private key, over a pair of sockets without a name. */
export interface HandedInstance {
	id: number;
	/** Milliseconds since the epoch. */
	started: number;
	/** Of the plugin, and the configuration, as Kong sent them. */
	name: string | undefined;
	config: string | undefined;
}

/** The metrics of one process. */
export type Metrics = MetricObjectWithValues<MetricValue<string>>[];

/** Said to a worker. */
export type ToWorker =
	/** Comes with a connection. */
	| { say: "take" }
	| { say: "instance"; ask: number; instance: HandedInstance | undefined }
	| { say: "forget"; id: number }
	| { say: "metrics"; ask: number }
	/** Whether it is there. */
	| { say: "ping" }
	/** Another server has taken over. */
	| { say: "retire" }
	| { say: "stop"; signal: string };

/** Said by a worker. `ask` numbers what is to be answered. */
export type FromWorker =
	| { say: "ready" }
	/** All that was said before the ping has been heard. */
	| { say: "pong" }
	/** It has imported the key of an instance, of which there may be many, and each takes its time. */
	| { say: "has" }
	/** It was told to stop, and wants no more connections. The answer, which has no instance, comes behind the last one. */
	| { say: "leaving"; ask: number }
	/** It has the connection that was handed to it. */
	| { say: "taken" }
	/** So many of its connections have closed since it said so last. */
	| { say: "closed"; connections: number }
	| { say: "start"; ask: number; name?: string; config?: string }
	| { say: "find"; ask: number; id: number }
	| { say: "close"; ask: number; id: number }
	/** When each instance was used last, in milliseconds since the epoch. */
	| { say: "used"; instances: [id: number, lastUsed: number][] }
	| { say: "metrics"; ask: number; metrics: Metrics };

/** Questions to another process that it has not answered yet. */
export class Asked<Answer> {
	readonly #waiting = new Map<number, (answer: Answer | undefined) => void>();
	#last = 0;

	/** @param send says the question with its number */
	ask(send: (ask: number) => void): Promise<Answer | undefined> {
		const ask = ++this.#last;
		return new Promise((resolve) => {
			this.#waiting.set(ask, resolve);
			send(ask);
		});
	}

	answered(ask: number, answer: Answer | undefined): void {
		this.#waiting.get(ask)?.(answer);
		this.#waiting.delete(ask);
	}

	/** The other process is gone: nothing is the answer to all. */
	end(): void {
		for (const ask of [...this.#waiting.keys()]) this.answered(ask, undefined);
	}
}
