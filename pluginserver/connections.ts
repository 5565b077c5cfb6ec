import type { Socket } from "node:net";
import {
	setTimeout as sleep,
	setImmediate as turn,
} from "node:timers/promises";
import { Connection } from "./connection";
import type { Log } from "./log";
import type { PluginServerRpc } from "./rpc";

/** A connection without a call for this long is in Kong's pool, in milliseconds: a call follows a new connection at once. */
const QUIET = 100;

/** How long to wait until Kong has closed a connection that was ended, before the next one is, in milliseconds. */
const CLOSING = 100;

/** How many connections are taken before the next piece of work, at most: those that wait in the kernel come to their turn first. */
const MAX_NEW = 16;

/** The connections that one process serves: whose turn it is, and how they end without a call being lost. */
export class Connections {
	readonly #open = new Set<Connection>();
	/** Work to be done in later turns of the event loop, in order. */
	readonly #waiting: (() => void)[] = [];
	#isTurnTaken = false;
	/** Connections that came since the last piece of work. */
	#new = 0;
	#newInTurn = 0;
	#isRetired = false;
	#retiring: Promise<void> | undefined;

	constructor(
		readonly rpc: PluginServerRpc,
		readonly log: Log,
	) {}

	get size(): number {
		return this.#open.size;
	}

	/** Serves a connection of Kong. Whatever is wrong with it harms no other. */
	add(socket: Socket): void {
		this.#new += 1;
		const connection = new Connection(socket, this, this.rpc, this.log);
		if (this.#isRetired) connection.retire();
		this.#open.add(connection);
		socket.once("close", () => this.#open.delete(connection));
	}

	/**
	 * Does one piece of long work in a turn of the event loop, first come, first served. Node.js takes one new connection
	 * a turn: if the open ones did all their work in each, new ones would wait while others have their second and third
	 * request.
	 */
	inTurn(work: () => void): void {
		if (this.#isTurnTaken) {
			this.#waiting.push(work);
			return;
		}
		this.#isTurnTaken = true;
		setImmediate(this.#takeTurn);
		work();
	}

	readonly #takeTurn = () => {
		const hasNew = this.#new > this.#newInTurn;
		this.#newInTurn = this.#new;
		if (this.#waiting.length > 0 && hasNew && this.#new < MAX_NEW) {
			setImmediate(this.#takeTurn);
			return;
		}
		this.#new = 0;
		this.#newInTurn = 0;
		const work = this.#waiting.shift();
		this.#isTurnTaken = work !== undefined;
		if (!work) return;
		setImmediate(this.#takeTurn);
		work();
	};

	/**
	 * Moves Kong to another server: every connection ends with the answer to its next call, or when no call comes.
	 * Connections that come later do the same.
	 *
	 * @returns a promise that resolves when no connection is open
	 */
	retire(): Promise<void> {
		this.#isRetired = true;
		for (const connection of this.#open) connection.retire();
		this.#retiring ??= this.#endQuietOnes().finally(() => {
			this.#retiring = undefined;
		});
		return this.#retiring;
	}

	/**
	 * One after the other, the longest unused first, which Kong would take last: a call that Kong writes on one that just
	 * ended is repeated on another, which should not have ended meanwhile too (Kong repeats events, but fails a request
	 * whose instance it was starting).
	 */
	async #endQuietOnes(): Promise<void> {
		while (this.#open.size > 0) {
			const longestFirst = [...this.#open].sort((a, b) => b.quiet - a.quiet);
			for (const connection of longestFirst) {
				if (connection.quiet < QUIET) continue;
				// A call that came while this process had no time for it.
				await turn();
				await turn();
				if (connection.quiet < QUIET) continue;
				const closed = new Promise((resolve) =>
					connection.socket.once("close", resolve),
				);
				connection.end();
				await Promise.race([closed, sleep(CLOSING)]);
			}
			await sleep(10);
		}
	}
}
