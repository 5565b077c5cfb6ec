import type { Socket } from "node:net";
import type { Decision } from "../core/decisions";
import { refused } from "../core/refusals";
import { type Call, type Result, writeDecision } from "./calls";
import type { Channel, Event } from "./events";
import { FrameReader, framesOf, TOO_LONG } from "./frames";
import type { Log } from "./log";
import { RpcCall, RpcReturn } from "./messages";
import { decode, type Of } from "./protobuf";
import { type Later, PHASES, type PluginServerRpc, then } from "./rpc";

/** Longer than any configuration or result of Kong, but for a request body, in bytes. */
const MAX_FRAME_BYTES = 16 * 1024 * 1024;

/** Answers that a client does not read are kept up to here, in bytes. */
const MAX_UNREAD_BYTES = 64 * 1024 * 1024;

/** PDK calls whose results are to come. */
interface Exchange {
	results: Result[];
	count: number;
	resolve(results: Result[]): void;
}

/**
 * One connection of Kong: a call after the other. Within an event it is the server that calls, and Kong
 * that answers, a frame for each PDK call.
 *
 * It is closed when an instance is unknown, which makes Kong start it and repeat the event. On anything else
 * Kong would repeat it without end (Kong: pb_rpc.lua); a frame that cannot be Kong's is another matter.
 */
export class Connection implements Channel {
	readonly #frames = new FrameReader(MAX_FRAME_BYTES);
	#event: Event | undefined;
	#sequence: number | undefined;
	#exchange: Exchange | undefined;
	/** Results to come that nobody reads. */
	#unread = 0;
	/** Whether another process is to say something first. */
	#isWaiting = false;
	/** Whether Kong is to close it, having ended the request. */
	#isDone = false;

	constructor(
		readonly socket: Socket,
		readonly rpc: PluginServerRpc,
		readonly log: Log,
	) {
		socket.on("data", (chunk) => {
			for (const frame of this.#frames.read(chunk)) this.#take(frame);
		});
		// At Kong's end nothing is to come; closing this side by itself first is a system call for nobody.
		socket.on("end", () => socket.destroy());
		// A reset connection; `close` follows.
		socket.on("error", () => {});
		socket.on("close", () => this.#event?.abandon());
	}

	exchange(calls: Call[]): Promise<Result[]> {
		if (this.#exchange) throw new Error("the plugin asks while it asks");
		return new Promise((resolve) => {
			if (calls.length === 0) return resolve([]);
			this.#exchange = { results: [], count: calls.length, resolve };
			this.#send(Buffer.concat(calls.map(({ frames }) => frames)));
		});
	}

	finish(decision: Decision): void {
		let results: number | undefined;
		const frames = framesOf((frames) => {
			results = writeDecision(frames, decision, this.#sequence);
		});
		this.#isDone = results === undefined;
		// Those of an event that failed while it asked are not read either.
		const { count = 0, results: read = [] } = this.#exchange ?? {};
		this.#unread = (results ?? 0) + count - read.length;
		this.#exchange = undefined;
		this.#event = undefined;
		this.#send(frames);
	}

	#take(frame: Result): void {
		if (this.#isDone) return;
		if (this.#unread > 0) {
			this.#unread -= 1;
			return;
		}
		const exchange = this.#exchange;
		if (exchange) {
			if (exchange.results.push(frame) < exchange.count) return;
			this.#exchange = undefined;
			exchange.resolve(exchange.results);
			return;
		}
		if (this.#event || this.#isWaiting)
			this.#close("a frame that nobody asked for");
		else if (frame === TOO_LONG) this.#close("a call that is too long");
		else this.#call(frame);
	}

	#call(frame: Buffer): void {
		let call: Of<typeof RpcCall>;
		try {
			call = decode(RpcCall, frame);
		} catch {
			this.#close("not a call of Kong");
			return;
		}
		this.#sequence = call.sequence;
		const { cmd_handle_event: event } = call;
		if (event) {
			this.#startEvent(event);
			return;
		}
		this.#await(this.rpc.answer(call), (answer) => {
			if (!answer) {
				this.#close("no such instance");
				return;
			}
			const members = { sequence: call.sequence, ...answer };
			this.#send(framesOf((frames) => frames.message(RpcReturn, members)));
		});
	}

	#startEvent({
		instance_id,
		event_name,
	}: NonNullable<Of<typeof RpcCall>["cmd_handle_event"]>): void {
		const { events } = this.rpc;
		this.#await(this.rpc.find(instance_id), (instance) => {
			if (!instance) {
				this.#close("no such instance");
				return;
			}
			// The next server takes it, or nobody listens: Kong does not come back here.
			if (events.isStopping) {
				this.#close("stopping");
				return;
			}
			instance.lastUsed = Date.now();
			const decide = PHASES.includes(String(event_name))
				? instance.decide
				: () =>
						Promise.reject(
							refused("unexpected", { what: `phase ${event_name}` }),
						);
			this.#event = events.start(decide, this);
		});
	}

	/** Goes on with what is known, unless Kong has left meanwhile. */
	#await<T>(value: Later<T>, next: (value: T) => void): void {
		this.#isWaiting = value instanceof Promise;
		then(value, (known) => {
			this.#isWaiting = false;
			if (!this.socket.destroyed) next(known);
		});
	}

	#send(frames: Buffer): void {
		if (!this.socket.writable) return;
		this.socket.write(frames);
		if (this.socket.writableLength > MAX_UNREAD_BYTES) this.socket.destroy();
	}

	#close(reason: string): void {
		this.log("info", "connection closed", { reason });
		this.#isDone = true;
		this.socket.destroy();
	}
}
