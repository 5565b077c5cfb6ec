import { randomUUID } from "node:crypto";
import { rm, writeFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FrameReader, framesOf } from "../../pluginserver/frames";
import {
	PDK,
	type PdkMethod,
	RpcCall,
	RpcReturn,
} from "../../pluginserver/messages";
import { decode, type Of } from "../../pluginserver/protobuf";
import type { Log } from "./log";
import { BODY_BUFFER, callPdk, GET_RAW_BODY, LuaError } from "./pdk";
import { InstanceLost, type PluginRpc, ServerFailed } from "./plugin-rpc";
import type { Exit, GatewayRequest } from "./request";

type Method = PdkMethod<unknown, unknown>;

const METHODS = new Map(
	Object.values(PDK).map((method) => [method.name, method as Method]),
);

/** Methods that give an entity, a message of its own. */
const ENTITIES = new Set([PDK.getRoute.name, PDK.getService.name]);

/** Methods that give any value, whose nil is written too; others give the member `v`. */
const WHOLE = new Set([
	PDK.getSharedCtx.name,
	PDK.getCtx.name,
	PDK.getQuery.name,
]);

/** Longer than any answer of a plugin server, in bytes. */
const MAX_FRAME = 64 * 1024 * 1024;

/** Kong's `closed`: the other end is gone. */
class Closed extends Error {
	constructor() {
		super("closed");
	}
}

/** One connection to the plugin server; it carries one call at a time, as Kong's do. */
class Connection {
	readonly #frames: Buffer[] = [];
	#wake: (() => void) | undefined;

	private constructor(readonly socket: Socket) {
		const reader = new FrameReader(MAX_FRAME);
		socket.on("data", (chunk: Buffer) => {
			for (const frame of reader.read(chunk))
				if (Buffer.isBuffer(frame)) this.#frames.push(frame);
			this.#wake?.();
		});
		// `close` follows.
		socket.on("error", () => {});
		socket.on("close", () => this.#wake?.());
	}

	static async open(socketPath: string): Promise<Connection> {
		const socket = connect(socketPath);
		await new Promise<void>((resolve, reject) => {
			socket.once("connect", resolve);
			socket.once("error", reject);
		});
		return new Connection(socket);
	}

	/** @throws {Closed} when no other frame comes */
	async read(): Promise<Buffer> {
		for (;;) {
			const frame = this.#frames.shift();
			if (frame) return frame;
			if (this.socket.destroyed) throw new Closed();
			await new Promise<void>((resolve) => {
				this.#wake = resolve;
			});
		}
	}
}

/**
 * Kong's client side of the protocol `ProtoBuf:1` (Kong: pb_rpc.lua): one call on a connection, during which the
 * plugin server calls the PDK, and connections kept alive between calls. Fails closed.
 */
export class ProtoBufRpc implements PluginRpc {
	readonly failsOpen = false;
	readonly #idle: Connection[] = [];
	#sequence = 0;

	/**
	 * @param socketPath the plugin server's unix socket
	 * @param log takes what the plugin logs
	 */
	constructor(
		readonly socketPath: string,
		readonly log: Log,
	) {}

	async startInstance(name: string, config: string): Promise<number> {
		const { instance_status } = await this.#call({
			cmd_start_instance: { name, config: Buffer.from(config) },
		});
		return instance_status?.instance_id ?? 0;
	}

	closeInstance(instance_id: number): Promise<unknown> {
		return this.#call({ cmd_close_instance: { instance_id } });
	}

	async handleEvent(
		instance_id: number,
		request: GatewayRequest,
	): Promise<Exit | undefined> {
		let exit: Exit | undefined;
		try {
			await this.#call(
				{ cmd_handle_event: { instance_id, event_name: "access" } },
				async (connection) => {
					exit = await this.#serve(connection, request);
					return exit === undefined;
				},
			);
		} catch (error) {
			if (error instanceof Closed) throw new InstanceLost(error.message);
			if (error instanceof LuaError) throw error;
			const { message } = error as Error;
			throw new ServerFailed(`pluginserver error: ${message}`);
		}
		return exit;
	}

	close(): void {
		for (const { socket } of this.#idle.splice(0)) socket.destroy();
	}

	/**
	 * @param bridge makes the PDK calls of an event; whether its answer follows
	 */
	async #call(
		command: Omit<Of<typeof RpcCall>, "sequence">,
		bridge: (connection: Connection) => Promise<boolean> = async () => true,
	): Promise<Of<typeof RpcReturn>> {
		const connection = await this.#connection();
		const { socket } = connection;
		try {
			const sequence = ++this.#sequence;
			const call = { ...command, sequence };
			socket.write(framesOf((frames) => frames.message(RpcCall, call)));
			if (!(await bridge(connection))) {
				socket.destroy();
				return {};
			}
			const answer = decode(RpcReturn, await connection.read());
			if (answer.sequence !== sequence)
				throw new Error("the answer is to another call");
			this.#idle.push(connection);
			return answer;
		} catch (error) {
			socket.destroy();
			throw error;
		}
	}

	/** Makes the PDK calls of an event until it ends, or one of them ends the request. */
	async #serve(
		connection: Connection,
		request: GatewayRequest,
	): Promise<Exit | undefined> {
		const files: string[] = [];
		try {
			for (;;) {
				const name = (await connection.read()).toString();
				if (name === "") return undefined;
				const argument = await connection.read();
				const method = METHODS.get(name);
				if (!method) throw new Error(`method "${name}" not found`);
				const args = unwrap(decode(method.takes, argument));
				let result: unknown;
				if (name === GET_RAW_BODY) result = await rawBody(request, files);
				else {
					const outcome = callPdk(request, name, args, this.log);
					if ("exit" in outcome) return outcome.exit;
					result = wrap(name, outcome.result);
				}
				connection.socket.write(
					framesOf((frames) =>
						result === undefined && !WHOLE.has(name)
							? frames.text("")
							: frames.message(method.gives, result),
					),
				);
			}
		} finally {
			await Promise.all(files.map((file) => rm(file, { force: true })));
		}
	}

	async #connection(): Promise<Connection> {
		for (
			let idle = this.#idle.pop();
			idle !== undefined;
			idle = this.#idle.pop()
		)
			if (!idle.socket.destroyed) return idle;
		return Connection.open(this.socketPath);
	}
}

/** The arguments of a PDK function, from its message (Kong: pb_rpc.lua, `pb_unwrap`). */
function unwrap(message: unknown): unknown[] {
	if (Array.isArray(message)) return message;
	const { k, v, status, body, headers } = message as Record<string, unknown>;
	if (status !== undefined)
		return [status, (body as Buffer | undefined)?.toString(), headers];
	return k === undefined ? [v] : [k, v];
}

/** A message of what a PDK function gives (Kong: pb_rpc.lua, `pb_wrap`). */
function wrap(name: string, result: unknown): unknown {
	if (result === undefined) return undefined;
	if (ENTITIES.has(name))
		// A field that is 0 is not sent.
		return Object.fromEntries(
			Object.entries(result as object).filter(([, value]) => value !== 0),
		);
	return WHOLE.has(name) ? result : { v: result };
}

/** The body, or the file that it has been buffered in. */
async function rawBody(
	request: GatewayRequest,
	files: string[],
): Promise<{ content: Buffer } | { body_filepath: string }> {
	await request.readBody();
	const { body = Buffer.of() } = request;
	if (body.length <= BODY_BUFFER) return { content: body };
	const file = join(tmpdir(), `x-custom-jwt-body-${randomUUID()}`);
	files.push(file);
	// Not through a link that another user of the machine has put there.
	await writeFile(file, body, { flag: "wx", mode: 0o600 });
	return { body_filepath: file };
}
