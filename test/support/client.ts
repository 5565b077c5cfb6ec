/** Kong's side of the two protocols with plugin servers, for tests and load. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import type { Question } from "../../core/questions";
import { MessagePackRpc } from "../../local/gateway/messagepack";
import { stepMethod } from "../../local/gateway/pdk";
import { FrameReader, framesOf, TOO_LONG } from "../../pluginserver/frames";
import { PDK, RpcCall, RpcReturn } from "../../pluginserver/messages";
import { decode, type Message, type Of } from "../../pluginserver/protobuf";
import { answer, type KnownRequest } from "./facts";

/** A call of the plugin, as Kong makes it. */
export interface PdkCall {
	method: string;
	args: unknown[];
}

/** A connection that closed while an answer was to come on it. */
export class ConnectionLost extends Error {}

export const EXIT = PDK.exit.name;
export const SET_HEADER = PDK.setHeader.name;

const methods = new Map(Object.values(PDK).map((one) => [one.name, one]));

/**
 * A connection to the dedicated server, as one of Kong's: a call at a time, opened again after it was closed.
 */
export class Client {
	#socket: Socket | undefined;
	#frames = new FrameReader(64 * 1024 * 1024);
	readonly #queue: Buffer[] = [];
	#wake: (() => void) | undefined;
	#sequence = 0;

	/** @param socketPath the plugin server's unix socket */
	constructor(readonly socketPath: string) {}

	/** A client that is connected. */
	static async connect(socketPath: string): Promise<Client> {
		const client = new Client(socketPath);
		await client.open();
		return client;
	}

	/** The connection, a new one if it was closed. */
	async open(): Promise<Socket> {
		if (this.#socket && !this.#socket.destroyed) return this.#socket;
		const socket = connect(this.socketPath);
		this.#socket = socket;
		this.#frames = new FrameReader(64 * 1024 * 1024);
		this.#queue.length = 0;
		await once(socket, "connect");
		socket.on("data", (chunk) => {
			for (const frame of this.#frames.read(chunk))
				if (frame !== TOO_LONG) this.#queue.push(frame);
			this.#wake?.();
		});
		// `close` follows.
		socket.on("error", () => {});
		socket.once("close", () => {
			if (this.#socket === socket) this.#wake?.();
		});
		return socket;
	}

	/** Ends the connection without a word. */
	async close(): Promise<void> {
		const socket = this.#socket;
		if (!socket || socket.destroyed) return;
		socket.destroy();
		await once(socket, "close");
	}

	/** Sends one of Kong's calls. */
	async send(call: Of<typeof RpcCall>): Promise<void> {
		const socket = await this.open();
		const members = { ...call, sequence: ++this.#sequence };
		socket.write(framesOf((frames) => frames.message(RpcCall, members)));
	}

	/** @throws {ConnectionLost} */
	async nextFrame(): Promise<Buffer> {
		for (;;) {
			const frame = this.#queue.shift();
			if (frame) return frame;
			if (!this.#socket || this.#socket.destroyed)
				throw new ConnectionLost("the connection closed");
			await new Promise<void>((resolve) => {
				this.#wake = resolve;
			});
		}
	}

	/** Makes a call that is no event. */
	async call(call: Of<typeof RpcCall>): Promise<Of<typeof RpcReturn>> {
		await this.send(call);
		return this.#return();
	}

	/** @returns the instance's id */
	async startInstance(config: Record<string, unknown>): Promise<number> {
		return this.startInstanceOf("x-custom-jwt", JSON.stringify(config));
	}

	/** @param json the configuration, which may be none */
	async startInstanceOf(name: string, json: string): Promise<number> {
		const { instance_status } = await this.call({
			cmd_start_instance: { name, config: Buffer.from(json) },
		});
		return instance_status?.instance_id ?? 0;
	}

	/** Starts an access phase; `nextCall` gives what the plugin wants. */
	async startEvent(instance_id: number, event_name = "access"): Promise<void> {
		await this.send({ cmd_handle_event: { instance_id, event_name } });
	}

	/**
	 * The plugin's next PDK call; undefined at the end of the event.
	 *
	 * @throws {ConnectionLost}
	 */
	async nextCall(): Promise<PdkCall | undefined> {
		const name = String(await this.nextFrame());
		if (name === "") {
			await this.#return();
			return undefined;
		}
		const method = methods.get(name);
		if (!method) throw new Error(`no PDK method ${name}`);
		const argument = decode<unknown>(
			method.takes as Message<unknown>,
			await this.nextFrame(),
		);
		return { method: name, args: unwrapped(argument) };
	}

	/** Answers a PDK call as Kong does about a request. */
	async answer(call: PdkCall, request: KnownRequest): Promise<void> {
		const { gives } = methods.get(call.method) ?? PDK.logWarn;
		const known = knownTo(request, call);
		await this.write((frames) => {
			const value = wrapped(call.method, known);
			if (value === undefined) frames.text("");
			else frames.message(gives as Message<unknown>, value);
		});
	}

	/** Writes frames, whatever they say. */
	async write(write: Parameters<typeof framesOf>[0]): Promise<void> {
		(await this.open()).write(framesOf(write));
	}

	/**
	 * Runs an access phase to its end. After an exit the connection is closed, as Kong does.
	 *
	 * @returns the plugin's calls; an exit is the last one
	 * @throws {ConnectionLost}
	 */
	async runPhase(
		instanceId: number,
		request: KnownRequest,
	): Promise<PdkCall[]> {
		await this.startEvent(instanceId);
		return this.finishEvent(request);
	}

	/** Answers what the plugin wants of an event that was started, to its end. */
	async finishEvent(request: KnownRequest): Promise<PdkCall[]> {
		const calls: PdkCall[] = [];
		for (;;) {
			const call = await this.nextCall();
			if (call) calls.push(call);
			if (call?.method === EXIT) await this.close();
			if (!call || call.method === EXIT) return calls;
			await this.answer(call, request);
		}
	}

	async #return(): Promise<Of<typeof RpcReturn>> {
		const answer = decode(RpcReturn, await this.nextFrame());
		if (answer.sequence !== this.#sequence)
			throw new Error(`sequence ${answer.sequence}, not ${this.#sequence}`);
		return answer;
	}
}

/** A connection to the stock server, which speaks MessagePack. */
export class StockClient {
	readonly #rpc: MessagePackRpc;

	/** @param socketPath the plugin server's unix socket */
	constructor(socketPath: string) {
		this.#rpc = new MessagePackRpc(socketPath, () => {});
	}

	async close(): Promise<void> {
		this.#rpc.close();
	}

	async startInstance(config: Record<string, unknown>): Promise<number> {
		const instance = await this.#rpc.call("plugin.StartInstance", {
			Name: "x-custom-jwt",
			Config: JSON.stringify(config),
		});
		return (instance as { Id: number }).Id;
	}

	/** Starts an access phase, and leaves it. */
	async startEvent(InstanceId: number): Promise<void> {
		const event = { InstanceId, EventName: "access" };
		await this.#step("plugin.HandleEvent", event);
	}

	async runPhase(
		InstanceId: number,
		request: KnownRequest,
	): Promise<PdkCall[]> {
		const calls: PdkCall[] = [];
		let step = await this.#step("plugin.HandleEvent", {
			InstanceId,
			EventName: "access",
		});
		while (step.Data !== "ret") {
			const { Method: method, Args: args } = step.Data;
			const call = { method, args };
			calls.push(call);
			if (method === EXIT) break;
			const Data = knownTo(request, call);
			step = await this.#step(stepMethod(method), {
				...(Data !== undefined && { Data }),
				EventId: step.EventId,
			});
		}
		return calls;
	}

	async #step(method: string, argument: object) {
		return (await this.#rpc.call(method, argument)) as {
			Data: "ret" | { Method: string; Args: unknown[] };
			EventId: number;
		};
	}
}

/** An argument message as the arguments of the Lua function (Kong: pb_rpc.lua, `pb_unwrap`). */
function unwrapped(argument: unknown): unknown[] {
	if (Array.isArray(argument)) return argument;
	const { status, body, headers, ...others } = argument as Record<
		string,
		unknown
	>;
	if (body instanceof Buffer)
		return [status, JSON.parse(String(body)), headers];
	return Object.values(others);
}

/** A result as its message; undefined for `nil` (Kong: pb_rpc.lua, `pb_wrap`). */
function wrapped(method: string, result: unknown): unknown {
	const { name } = methods.get(method) ?? {};
	if (name === PDK.getCtx.name || name === PDK.getSharedCtx.name)
		return result ?? null;
	if (result === undefined || typeof result === "object") return result;
	return { v: result };
}

/** What Kong's PDK answers about a request, by the method's name without `kong.`. */
const QUESTIONS: Record<string, Question["about"]> = {
	"client.get_credential": "credential",
	"client.get_consumer": "consumer",
	"client.get_forwarded_ip": "forwarded_ip",
	"client.tls.get_full_client_certificate_chain": "certificate",
	"ctx.shared.get": "shared",
	"nginx.get_ctx": "ctx",
	"nginx.get_var": "variable",
	"request.get_forwarded_scheme": "forwarded_scheme",
	"request.get_forwarded_host": "forwarded_host",
	"request.get_forwarded_port": "forwarded_port",
	"request.get_header": "header",
	"request.get_method": "method",
	"request.get_raw_path": "path",
	"router.get_route": "route",
	"router.get_service": "service",
};

function knownTo(request: KnownRequest, { method, args }: PdkCall): unknown {
	const [name] = args;
	const url = new URL(request.url ?? "http://kong:8000/");
	if (method === PDK.getRawBody.name)
		return { content: Buffer.from(request.body ?? "") };
	if (method === PDK.getQuery.name) return Object.fromEntries(url.searchParams);
	if (method === PDK.getVar.name && name === "request_uri")
		return url.pathname + url.search + url.hash;
	if (method === PDK.getCtx.name && name === "authenticated_credential")
		return request.credential;
	if (method === PDK.getCtx.name && name === "authenticated_consumer")
		return request.consumer;
	if (method === PDK.getVar.name && name === "ssl_client_raw_cert")
		return request.certificate;
	const about = QUESTIONS[method.replace("kong.", "")];
	return about && answer(request, { about, name } as Question);
}

/** A request that nobody authenticated. */
export const nobody: KnownRequest = {
	service: {
		id: "adbd70b3-4224-5183-a52a-179d7b34ab5b",
		protocol: "http",
		host: "backend",
		port: 9000,
	},
};

/** A request that key-auth authenticated. */
export function clientOf(key: string): KnownRequest {
	const consumer = { id: "b32379d9-3d28-5683-a79c-72139be6e34f" };
	return {
		...nobody,
		credential: { id: "1", key, consumer },
		consumer: { ...consumer, username: "alice" },
	};
}

/** The token that the plugin gave to the backend, its signature not looked at. */
export function tokenIn(calls: PdkCall[]): {
	header: Record<string, unknown>;
	claims: Record<string, unknown>;
} {
	const token = String(
		calls.find(({ method }) => method === SET_HEADER)?.args[1],
	);
	const [header = "", claims = ""] = token.split(".");
	return { header: fromBase64url(header), claims: fromBase64url(claims) };
}

function fromBase64url(text: string): Record<string, unknown> {
	return JSON.parse(Buffer.from(text, "base64url").toString());
}
