/** The frames of one request, recorded once and sent again: load that costs little beside the server that it is for. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { Client } from "../test/support/client";
import type { KnownRequest } from "../test/support/facts";

/** What Kong sends at once, and how many bytes come back before it goes on. */
interface Turn {
	send: Buffer;
	expect: number;
}

/**
 * Records a request as the dedicated server and Kong make it together. It must be one whose answers are always as long,
 * as those with an ES256 or RS256 token are.
 */
export async function record(
	socketPath: string,
	instance: number,
	request: KnownRequest,
): Promise<Turn[]> {
	const client = await Client.connect(socketPath);
	const turns: Turn[] = [];
	const socket = await client.open();
	const write = socket.write.bind(socket);
	socket.write = (frames: string | Uint8Array) => {
		const turn = turns.at(-1);
		const send = Buffer.from(frames as Uint8Array);
		if (turn && turn.expect === 0) turn.send = Buffer.concat([turn.send, send]);
		else turns.push({ send, expect: 0 });
		return write(frames);
	};
	socket.prependListener("data", (chunk) => {
		const turn = turns.at(-1);
		if (turn) turn.expect += chunk.length;
	});
	await client.runPhase(instance, request);
	await client.close();
	return turns;
}

/** One connection that makes a recorded request again and again. */
export class Replay {
	/** How many requests it has made. */
	requests = 0;
	readonly #socket: Socket;
	#turn = 0;
	#missing = 0;
	#end: (() => void) | undefined;

	private constructor(
		socket: Socket,
		readonly turns: Turn[],
	) {
		this.#socket = socket;
		socket.on("data", (chunk) => {
			this.#missing -= chunk.length;
			if (this.#missing < 0) throw new Error("more than was recorded");
			if (this.#missing === 0) this.#next();
		});
	}

	static async open(socketPath: string, turns: Turn[]): Promise<Replay> {
		const socket = connect(socketPath);
		await once(socket, "connect");
		return new Replay(socket, turns);
	}

	start(): void {
		this.#end = undefined;
		this.#send();
	}

	/** Resolves when the request that it makes has ended. */
	stop(): Promise<void> {
		return new Promise((resolve) => {
			this.#end = resolve;
		});
	}

	close(): void {
		this.#socket.destroy();
	}

	#next(): void {
		this.#turn += 1;
		this.#send();
	}

	#send(): void {
		const { send, expect } = this.turns[this.#turn] ?? {
			send: Buffer.alloc(0),
			expect: 0,
		};
		// The last turn is the results that nobody reads: Kong sends them, and then what comes next.
		if (expect > 0) {
			this.#missing = expect;
			this.#socket.write(send);
			return;
		}
		this.#socket.write(send);
		this.#turn = 0;
		this.requests += 1;
		if (this.#end) this.#end();
		else this.#send();
	}
}
