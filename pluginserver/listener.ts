import { createServer, type Server, type Socket } from "node:net";
import { Encoder } from "@msgpack/msgpack";
import { toRefusal } from "../plugins/x-custom-jwt/errors";
import { NoInstance } from "./instances";
import type { Log } from "./log";
import { FrameError, frameReader } from "./msgpack-frames";
import { type PluginServerRpc, RpcError } from "./rpc";

/** Longer than any configuration or header block of Kong, in bytes. */
const MAX_FRAME_BYTES = 16 * 1024 * 1024;

/** Answers that a client does not read are kept up to here, in bytes. */
const MAX_UNREAD_BYTES = 64 * 1024 * 1024;

/**
 * The server of Kong's connections: MessagePack frames `[0, id, method, [argument]]` in,
 * `[1, id, error, result]` out, any number of them on a connection, in any order.
 *
 * Whatever is wrong with a connection ends that connection and nothing else.
 */
export function createListener(rpc: PluginServerRpc, log: Log): Server {
	return createServer((socket) => {
		const readFrames = frameReader(MAX_FRAME_BYTES);
		socket.on("data", (chunk) => {
			try {
				for (const frame of readFrames(chunk)) answer(frame, socket, rpc, log);
			} catch (error) {
				if (!(error instanceof FrameError)) throw error;
				log("warn", "connection closed", { reason: error.message });
				socket.destroy();
			}
		});
		// A reset connection; `close` follows.
		socket.on("error", () => {});
		socket.on("close", () => rpc.events.abandonOn(socket));
	});
}

function answer(
	frame: unknown,
	socket: Socket,
	rpc: PluginServerRpc,
	log: Log,
): void {
	const [type, id, method, args] = Array.isArray(frame) ? frame : [];
	// The id goes back as it is: another value could be one that cannot be encoded.
	const isRequest = type === 0 && typeof id === "number";
	if (!isRequest || typeof method !== "string" || !Array.isArray(args))
		throw new FrameError("not an RPC request");
	try {
		rpc.call(method, args[0], {
			connection: socket,
			respond: (result) => send(socket, [1, id, null, result]),
		});
	} catch (error) {
		const text = errorText(error);
		log(error instanceof NoInstance ? "info" : "error", "rpc failed", {
			method,
			error: text,
		});
		send(socket, [1, id, text, null]);
	}
}

/** Only texts of our own go out: another might quote a secret. */
function errorText(error: unknown): string {
	const isOurs = error instanceof NoInstance || error instanceof RpcError;
	return isOurs ? error.message : toRefusal(error).message;
}

const encoder = new Encoder();

function send(socket: Socket, response: unknown[]): void {
	if (!socket.writable) return;
	socket.write(encoder.encode(response));
	if (socket.writableLength > MAX_UNREAD_BYTES) socket.destroy();
}
