import PDK from "kong-pdk/pdk";
import type { Plugin } from "../plugins/x-custom-jwt";
import type { Kong } from "../plugins/x-custom-jwt/pdk";
import { uniqueIds } from "./ids";
import type { Log } from "./log";

/** A PDK call, as it goes to Kong. */
interface Call {
	Method: string;
	Args: unknown[];
}

/** What a PDK call came to, as kong-pdk's bridge takes it. */
export type PdkResult = [value: unknown, error: unknown];

/** What Kong gets for each of its requests about an event. */
export interface Answer {
	/** The next PDK call, or `ret` when the phase is over. */
	Data: Call | "ret";
	EventId: unknown;
}

/** Kong's request, which waits for an answer on a connection. */
export interface Request {
	connection: object;
	respond(answer: Answer): void;
}

/** Calls that end the request in Kong; nothing comes back for them (Kong fact). */
const FINAL_CALLS = new Set(["kong.response.exit", "kong.response.error"]);

const FAILED: Call = {
	Method: "kong.response.exit",
	Args: [500, { message: "An unexpected error occurred" }],
};

/**
 * One call of a phase. Kong and the plugin take turns: Kong waits while the plugin works, the plugin
 * waits while Kong makes a PDK call. It ends once, and then holds nothing that could be leaked.
 */
export class Event {
	/** As `performance.now()` has it, in milliseconds. */
	readonly started = performance.now();
	#isOver = false;
	#request: Request | undefined;
	#resume: ((result: PdkResult) => void) | undefined;

	/** @param onEnd called when it is over */
	constructor(
		readonly id: number,
		request: Request,
		readonly onEnd: (event: Event) => void,
	) {
		this.#request = request;
	}

	/** Whether Kong waits for this event on the connection. */
	waitsOn(connection: object): boolean {
		return this.#request?.connection === connection;
	}

	/** Runs the access phase; whatever escapes it ends the request with 500. */
	async run(plugin: Plugin, log: Log): Promise<void> {
		// What kong-pdk's bridge wants of its channel.
		const channel = {
			put: (call: Call) => this.#call(call),
			get: () =>
				new Promise((resolve) => {
					this.#resume = resolve;
				}),
		};
		try {
			await plugin.access(new PDK(channel).kong as Kong);
			this.#end("ret");
		} catch (error) {
			this.fail();
			// Its text may quote a secret; its name does not.
			const name = error instanceof Error ? error.name : typeof error;
			log("error", "phase failed", { error: name });
		}
	}

	/**
	 * Kong brings the result of a PDK call and waits for what is next.
	 *
	 * @returns whether the plugin had asked for one
	 */
	step(request: Request, result: PdkResult): boolean {
		const resume = this.#resume;
		if (!resume) return false;
		this.#resume = undefined;
		this.#request = request;
		resume(result);
		return true;
	}

	/** Ends the request with 500, if Kong still waits for it. */
	fail(): void {
		this.#end(FAILED);
	}

	/** Ends the event without an answer: nobody waits for one any more. */
	abandon(): void {
		if (this.#isOver) return;
		this.#isOver = true;
		this.#request = undefined;
		this.#resume = undefined;
		this.onEnd(this);
	}

	#call(call: Call): void {
		if (FINAL_CALLS.has(call.Method)) {
			this.#end(call);
			return;
		}
		// Still there when the call cannot be encoded, for the answer that it failed.
		this.#request?.respond({ Data: call, EventId: this.id });
		this.#request = undefined;
	}

	#end(data: Call | "ret"): void {
		this.#request?.respond({ Data: data, EventId: this.id });
		this.abandon();
	}
}

/** The events in flight. */
export class Events {
	readonly #events = new Map<number, Event>();
	readonly #nextId = uniqueIds();
	#refusesNew = false;
	/** How many there have been. */
	started = 0;
	/** Told how long an event took, in seconds, when it is over. */
	onEnd: ((seconds: number) => void) | undefined;

	/** @param log takes a line for each event that fails or takes too long */
	constructor(readonly log: Log) {}

	get size(): number {
		return this.#events.size;
	}

	/** Answers 500 to requests that would start an event, from now on. */
	refuseNew(): void {
		this.#refusesNew = true;
	}

	/** Runs the access phase for Kong's request. */
	start(plugin: Plugin, request: Request): void {
		if (this.#refusesNew) {
			request.respond({ Data: FAILED, EventId: this.#nextId() });
			return;
		}
		const event = new Event(this.#nextId(), request, ({ id, started }) => {
			this.#events.delete(id);
			this.onEnd?.((performance.now() - started) / 1000);
		});
		this.#events.set(event.id, event);
		this.started += 1;
		event.run(plugin, this.log);
	}

	/**
	 * Kong brings the result of a PDK call. When the event is over, or was one of an earlier process, the
	 * request ends with 500: after an error Kong below 3.14 would proxy it (Kong fact).
	 */
	step(id: unknown, request: Request, result: PdkResult): void {
		if (this.#events.get(id as number)?.step(request, result)) return;
		this.log("error", "no such event", { event: String(id) });
		request.respond({ Data: FAILED, EventId: id });
	}

	/** Ends the events that Kong waited for on a connection that is closed. */
	abandonOn(connection: object): void {
		for (const event of this.#events.values())
			if (event.waitsOn(connection)) event.abandon();
	}

	/**
	 * Ends the events that take too long, of a plugin that hangs or of a request that Kong gave up.
	 *
	 * @param deadline how long a phase may take, in milliseconds
	 */
	failOverdue(deadline: number): void {
		const least = performance.now() - deadline;
		for (const event of this.#events.values()) {
			// In the order they started.
			if (event.started > least) return;
			this.log("error", "phase took too long", { event: event.id });
			event.fail();
		}
	}
}
