import { type Refusal, refused } from "../core/refusals";

/** The clock of one request that the plugin works on. */
export class Event {
	/** As `performance.now()` has it, in milliseconds. */
	readonly started = performance.now();
	/** How long the plugin worked, before what it does now, in milliseconds. */
	#worked = 0;
	#workingSince: number | undefined = this.started;

	/** @param fail ends the request with 500 */
	constructor(readonly fail: (reason: Refusal) => void) {}

	/** Stops the clock: the time in which Kong answers does not count. */
	pause(): void {
		if (this.#workingSince !== undefined)
			this.#worked += performance.now() - this.#workingSince;
		this.#workingSince = undefined;
	}

	resume(): void {
		this.#workingSince = performance.now();
	}

	/**
	 * Whether the plugin worked longer than it may.
	 *
	 * @param deadline in milliseconds
	 */
	isOverdue(deadline: number): boolean {
		if (this.#workingSince === undefined) return false;
		return this.#worked + performance.now() - this.#workingSince > deadline;
	}
}

/** The events in flight. */
export class Events {
	readonly #events = new Set<Event>();
	/** How many there have been. */
	started = 0;
	/** When the last one started, as `performance.now()` has it, in milliseconds. */
	lastStarted = performance.now();
	/** Called with how long an event took, in seconds, when it is over. */
	onEnd: ((seconds: number) => void) | undefined;

	get size(): number {
		return this.#events.size;
	}

	/** @param fail ends the request with 500 */
	start(fail: (reason: Refusal) => void): Event {
		const event = new Event(fail);
		this.#events.add(event);
		this.started += 1;
		this.lastStarted = event.started;
		return event;
	}

	end(event: Event): void {
		this.#events.delete(event);
		this.onEnd?.((performance.now() - event.started) / 1000);
	}

	/**
	 * Ends the events of a plugin that hangs.
	 *
	 * @param deadline how long the plugin may work on one, in milliseconds
	 */
	failOverdue(deadline: number): void {
		for (const event of this.#events)
			if (event.isOverdue(deadline))
				event.fail(refused("too_slow", { seconds: deadline / 1000 }));
	}
}
