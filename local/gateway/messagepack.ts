import { connect, type Socket } from "node:net";
import { decodeMultiStream, encode } from "@msgpack/msgpack";
import type { Log } from "./log";
import { callPdk, GET_RAW_BODY, stepMethod } from "./pdk";
import { InstanceLost, type PluginRpc, ServerFailed } from "./plugin-rpc";
import type { Exit, GatewayRequest } from "./request";

interface Step {
	EventId: number;
	Data: "ret" | { Method: string; Args: unknown[] };
}

/** One connection to the plugin server; it carries one request at a time, as Kong's do. */
interface Connection {
	socket: Socket;
	frames: AsyncGenerator<unknown>;
}

/**
 * Kong's client side of the MessagePack RPC with a plugin server: `[0, id, method, arguments]` out,
 * `[1, id, error, result]` back, connections kept alive between calls (Kong: mp_rpc.lua).
 */
export class MessagePackRpc implements PluginRpc {
	readonly failsOpen = true;
	readonly #log: Log;
	readonly #idle: Connection[] = [];
	#messageId = 0;

	/**
	 * @param socketPath the plugin server's unix socket
	 * @param log takes what the plugin logs
	 */
	constructor(
		readonly socketPath: string,
		log: Log,
	) {
		// Kong names the plugin in its lines.
		this.#log = (level, text) => log(level, `[x-custom-jwt] ${text}`);
	}

	async startInstance(Name: string, Config: string): Promise<number> {
		const instance = await this.call("plugin.StartInstance", { Name, Config });
		return (instance as { Id: number }).Id;
	}

	closeInstance(id: number): Promise<unknown> {
		return this.call("plugin.CloseInstance", id);
	}

	async handleEvent(
		instanceId: number,
		request: GatewayRequest,
	): Promise<Exit | undefined> {
		let step = await this.#step("plugin.HandleEvent", {
			InstanceId: instanceId,
			EventName: "access",
		});
		const { EventId } = step;
		while (step.Data !== "ret") {
			const { Method, Args } = step.Data;
			if (Method === GET_RAW_BODY) await request.readBody();
			const outcome = callPdk(request, Method, Args, this.#log);
			if ("exit" in outcome) return outcome.exit;
			step = await this.#step(stepMethod(Method), {
				...(outcome.result !== undefined && { Data: outcome.result }),
				EventId,
			});
		}
		return undefined;
	}

	async #step(method: string, argument: unknown): Promise<Step> {
		try {
			return (await this.call(method, argument)) as Step;
		} catch (error) {
			const { message } = error as Error;
			throw message.toLowerCase().includes("no plugin instance")
				? new InstanceLost(message)
				: new ServerFailed(message);
		}
	}

	/**
	 * @param method e.g. `plugin.HandleEvent`
	 * @param argument the one argument each of Kong's calls has
	 * @throws {Error} with the plugin server's own text, or that of the connection
	 */
	async call(method: string, argument: unknown): Promise<unknown> {
		const connection = this.#idle.pop() ?? (await this.#connect());
		const id = ++this.#messageId;
		connection.socket.write(encode([0, id, method, [argument]]));
		const { value } = await connection.frames.next();
		if (!Array.isArray(value) || value[0] !== 1 || value[1] !== id) {
			connection.socket.destroy();
			throw new Error(value ? "unexpected RPC response" : "no data");
		}
		this.#idle.push(connection);
		if (value[2] !== null) throw new Error(String(value[2]));
		return value[3];
	}

	/** Closes the connections that are kept alive. */
	close(): void {
		for (const { socket } of this.#idle.splice(0)) socket.destroy();
	}

	async #connect(): Promise<Connection> {
		const socket = connect(this.socketPath);
		await new Promise<void>((resolve, reject) => {
			socket.once("connect", resolve);
			socket.once("error", reject);
		});
		const connection = { socket, frames: decodeMultiStream(socket) };
		// A call that waits gets the error from its frames.
		socket.on("error", () => {});
		socket.once("close", () => {
			const index = this.#idle.indexOf(connection);
			if (index >= 0) this.#idle.splice(index, 1);
		});
		return connection;
	}
}
