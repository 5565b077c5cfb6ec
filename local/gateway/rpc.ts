import { connect, type Socket } from "node:net";
import { decodeMultiStream, encode } from "@msgpack/msgpack";

/** One connection to the plugin server; it carries one request at a time, as Kong's do. */
interface Connection {
	socket: Socket;
	frames: AsyncGenerator<unknown>;
}

/**
 * Kong's client side of the MessagePack RPC with a plugin server: `[0, id, method, arguments]` out,
 * `[1, id, error, result]` back, connections kept alive between calls (Kong: mp_rpc.lua).
 */
export class RpcClient {
	readonly #idle: Connection[] = [];
	#messageId = 0;

	/** @param socketPath the plugin server's unix socket */
	constructor(readonly socketPath: string) {}

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
