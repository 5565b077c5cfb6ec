import type { Socket } from "node:net";
import { refusal } from "../plugins/x-custom-jwt/errors";
import {
	type Call,
	type Decision,
	decisionOf,
	type Result,
	writeDecision,
} from "./calls";
import type { Connections } from "./connections";
import type { Event } from "./events";
import { FrameReader, framesOf, TOO_LONG } from "./frames";
import type { Instance } from "./instances";
import type { Log } from "./log";
import { RpcCall, RpcReturn } from "./messages";
import { decode, type Of } from "./protobuf";
import { type Later, type PluginServerRpc, then } from "./rpc";

/** Longer than any configuration or result of Kong, but for a request body, in bytes. */
const MAX_FRAME_BYTES = 16 * 1024 * 1024;

/** Answers that a client does not read are kept up to here, in bytes. */
const MAX_UNREAD_BYTES = 64 * 1024 * 1024;

/**
 * Written behind the last answer on a connection. Kong does not keep a connection that has bytes to read (lua-nginx-module,
 * `setkeepalive`), so no call of Kong's is lost on it.
 */
const UNEXPECTED = Buffer.of(0);

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
export class Connection {
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
	/** Whether the answer to the next call is the last one. */
	#isRetired = false;
	/** Whether this side has ended it: Kong repeats a call that still comes on another connection. */
	#hasEnded = false;
	/** When Kong last wrote, as `performance.now()` has it, in milliseconds. */
	#lastRead = performance.now();

	constructor(
		readonly socket: Socket,
		readonly connections: Connections,
		readonly rpc: PluginServerRpc,
		readonly log: Log,
	) {
		socket.on("data", (chunk) => {
			this.#lastRead = performance.now();
			for (const frame of this.#frames.read(chunk)) this.#take(frame);
		});
		// At Kong's end nothing is to come; closing this side by itself first is a system call for nobody.
		socket.on("end", () => socket.destroy());
		// A reset connection; `close` follows.
		socket.on("error", () => {});
		socket.on("close", () => this.#endEvent());
	}

	/** For how long it has had no call, in milliseconds; 0 within a call, and when this side has ended it. */
	get quiet(): number {
		const isBusy = this.#event || this.#isWaiting || this.#unread > 0;
		if (isBusy || this.#hasEnded) return 0;
		return performance.now() - this.#lastRead;
	}

	/** Makes the answer to this call, or to the next one, the last. */
	retire(): void {
		this.#isRetired = true;
	}

	/** Ends it between two calls. A call that Kong is writing is read and dropped; Kong would fail it otherwise. */
	end(): void {
		this.#hasEnded = true;
		this.socket.end();
	}

	#take(frame: Result): void {
		if (this.#isDone) return;
		if (this.#unread > 0) {
			this.#unread -= 1;
			this.#closeWhenRead();
			return;
		}
		const exchange = this.#exchange;
		if (exchange && exchange.results.length < exchange.count) {
			if (exchange.results.push(frame) === exchange.count)
				this.connections.inTurn(() => this.#resolve(exchange));
			return;
		}
		if (this.#hasEnded) return;
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
			this.#await(this.rpc.find(event.instance_id), (instance) => {
				if (instance) this.#startEvent(instance, event.event_name);
				else this.#close("no such instance");
			});
			return;
		}
		this.#await(this.rpc.answer(call), (answer) => {
			if (!answer) {
				this.#close("no such instance");
				return;
			}
			const members = { sequence: call.sequence, ...answer };
			this.#answer(framesOf((frames) => frames.message(RpcReturn, members)));
		});
	}

	async #startEvent(instance: Instance, phase = ""): Promise<void> {
		instance.lastUsed = Date.now();
		const event = this.rpc.events.start((reason) =>
			this.#finish(event, refusal(reason, { verbose: false })),
		);
		this.#event = event;
		const decision = await decisionOf(instance, phase, (calls) =>
			this.#ask(event, calls),
		);
		try {
			this.#finish(event, decision);
		} catch (thrown) {
			// A decision that cannot be written.
			this.#finish(event, refusal(thrown, { verbose: false }));
		}
	}

	/** Makes PDK calls, all in one write; resolves with their results, in their order. */
	async #ask(event: Event, calls: Call[]): Promise<Result[]> {
		// The connection may serve another event by now.
		if (this.#event !== event) throw new Error("the event is over");
		if (this.#exchange) throw new Error("the plugin asks while it asks");
		if (calls.length === 0) return [];
		event.pause();
		return new Promise((resolve) => {
			this.#exchange = { results: [], count: calls.length, resolve };
			this.#send(Buffer.concat(calls.map(({ frames }) => frames)));
		});
	}

	#resolve(exchange: Exchange): void {
		// The event may have ended meanwhile.
		if (this.#exchange !== exchange) return;
		this.#exchange = undefined;
		this.#event?.resume();
		exchange.resolve(exchange.results);
	}

	/** Carries a decision out, in one write. An event ends once. */
	#finish(event: Event, decision: Decision): void {
		if (this.#event !== event) return;
		let results: number | undefined;
		const frames = framesOf((frames) => {
			results = writeDecision(frames, decision, this.#sequence);
		});
		// Those of an event that failed while it asked are not read either.
		const { count = 0, results: read = [] } = this.#exchange ?? {};
		this.#unread = (results ?? 0) + count - read.length;
		this.#exchange = undefined;
		this.#endEvent();
		this.#isDone = results === undefined;
		if (this.#isDone) this.#send(frames);
		else this.#answer(frames);
	}

	#endEvent(): void {
		if (this.#event) this.rpc.events.end(this.#event);
		this.#event = undefined;
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

	/** Writes the end of a call's answer. */
	#answer(frames: Buffer): void {
		if (!this.#isRetired) {
			this.#send(frames);
			return;
		}
		this.#hasEnded = true;
		this.socket.end(Buffer.concat([frames, UNEXPECTED]), () =>
			this.#closeWhenRead(),
		);
	}

	/** Closes it after the last answer. Kong would fail on writing results that nobody is there to read. */
	#closeWhenRead(): void {
		if (this.#unread === 0 && this.socket.writableFinished)
			this.socket.destroy();
	}

	#close(reason: string): void {
		this.log("info", "connection closed", { reason });
		this.#isDone = true;
		this.socket.destroy();
	}
}
