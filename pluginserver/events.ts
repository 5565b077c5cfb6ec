import { isPromise } from "node:util/types";
import type { Decision } from "../core/decisions";
import type { Question } from "../core/questions";
import { type Refusal, refused } from "../core/refusals";
import { refusal } from "../plugins/x-custom-jwt/errors";
import type { Ask } from "../plugins/x-custom-jwt/facts";
import { type Call, callFor, type Result } from "./calls";

/** Where an event's calls go, and its end. */
export interface Channel {
	/** Makes PDK calls, all in one write; resolves with their results, in their order. */
	exchange(calls: Call[]): Promise<Result[]>;
	/** Carries the decision out, in one write. */
	finish(decision: Decision): void;
}

/** One request that the plugin works on, or waits for Kong's answers about. It ends once. */
export class Event {
	/** As `performance.now()` has it, in milliseconds. */
	readonly started = performance.now();
	/** How long the plugin worked, before what it does now, in milliseconds. */
	#worked = 0;
	#workingSince: number | undefined = this.started;
	#isOver = false;

	/** @param onEnd called when it is over */
	constructor(
		readonly channel: Channel,
		readonly onEnd: (event: Event) => void,
	) {}

	/** Lets the plugin decide; whatever it does, the request ends. */
	async run(decide: (ask: Ask) => Promise<Decision>): Promise<void> {
		try {
			this.#end(await decide((questions) => this.#ask(questions)));
		} catch (thrown) {
			this.#end(refusal(thrown, { verbose: false }));
		}
	}

	/** Ends the request with 500, if it has no end yet. */
	fail(thrown: Refusal): void {
		this.#end(refusal(thrown, { verbose: false }));
	}

	/** Nobody waits for its end any more. */
	abandon(): void {
		if (this.#isOver) return;
		this.#isOver = true;
		this.onEnd(this);
	}

	/**
	 * Whether the plugin worked longer than it may; the time in which Kong answers does not count.
	 *
	 * @param deadline in milliseconds
	 */
	isOverdue(deadline: number): boolean {
		if (this.#workingSince === undefined) return false;
		return this.#worked + performance.now() - this.#workingSince > deadline;
	}

	#end(decision: Decision): void {
		if (this.#isOver) return;
		this.channel.finish(decision);
		this.abandon();
	}

	async #ask(questions: readonly Question[]): Promise<unknown[]> {
		// The connection may serve another event by now.
		if (this.#isOver) throw new Error("the event is over");
		const calls = questions.map(callFor);
		this.#worked += performance.now() - (this.#workingSince ?? 0);
		this.#workingSince = undefined;
		const results = await this.channel.exchange(calls);
		this.#workingSince = performance.now();
		const answers = calls.map((call, index) =>
			call.answer(results[index] as Result),
		);
		// Few are still to come: of bodies that Kong keeps in files.
		return answers.some(isPromise) ? Promise.all(answers) : answers;
	}
}

/** The events in flight. */
export class Events {
	readonly #events = new Set<Event>();
	/** How many there have been. */
	started = 0;
	/** Whether the server stops: no new ones are to be started. */
	isStopping = false;
	/** Told how long an event took, in seconds, when it is over. */
	onEnd: ((seconds: number) => void) | undefined;

	get size(): number {
		return this.#events.size;
	}

	/** Starts the plugin on a request. */
	start(decide: (ask: Ask) => Promise<Decision>, channel: Channel): Event {
		const event = new Event(channel, (over) => {
			this.#events.delete(over);
			this.onEnd?.((performance.now() - over.started) / 1000);
		});
		this.#events.add(event);
		this.started += 1;
		event.run(decide);
		return event;
	}

	/**
	 * Ends the events of a plugin that hangs.
	 *
	 * @param deadline how long the plugin may work on one, in milliseconds
	 */
	failOverdue(deadline: number): void {
		for (const event of this.#events) {
			if (event.isOverdue(deadline))
				event.fail(refused("too_slow", { seconds: deadline / 1000 }));
		}
	}
}
