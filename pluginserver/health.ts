import { once } from "node:events";
import { get, type IncomingMessage } from "node:http";
import { connect } from "node:net";
import { Name } from "../plugins/x-custom-jwt";
import { FrameReader, framesOf, TOO_LONG } from "./frames";
import { RpcCall, RpcReturn } from "./messages";
import { decode } from "./protobuf";

/** Longer than the answer, which has the plugin's name, in bytes. */
const MAX_ANSWER = 1024;

/**
 * Asks the plugin server on a socket which plugin it has, as Kong may: a server that hangs takes the connection and does
 * not answer. Then asks a URL, such as that of Kong's `/status/ready`.
 *
 * @param path the unix socket
 * @param url an `http:` URL that is to answer with 200
 * @param timeout for both, in milliseconds
 * @throws saying which of them does not do
 */
export async function checkHealth(
	path: string,
	url: string | undefined,
	timeout: number,
): Promise<void> {
	const signal = AbortSignal.timeout(timeout);
	const within = async (what: string, check: Promise<void>) => {
		try {
			await check;
		} catch (error) {
			const { message } = error as Error;
			const reason = signal.aborted ? "no answer in time" : message;
			throw new Error(`${what}: ${reason}`);
		}
	};
	await within(path, askServer(path, signal));
	if (url !== undefined) await within(url, askUrl(url, signal));
}

async function askServer(path: string, signal: AbortSignal): Promise<void> {
	const socket = connect({ path, signal });
	const call = { sequence: 1, cmd_get_plugin_names: {} };
	socket.write(framesOf((frames) => frames.message(RpcCall, call)));
	const reader = new FrameReader(MAX_ANSWER);
	for await (const chunk of socket) {
		const [frame] = reader.read(chunk);
		if (frame === undefined) continue;
		const answer = frame === TOO_LONG ? {} : decode(RpcReturn, frame);
		if (answer.plugin_names?.names?.includes(Name)) return;
		break;
	}
	throw new Error(`no plugin server of ${Name}`);
}

async function askUrl(url: string, signal: AbortSignal): Promise<void> {
	const [response] = (await once(get(url, { signal }), "response")) as [
		IncomingMessage,
	];
	response.destroy();
	if (response.statusCode !== 200)
		throw new Error(`status ${response.statusCode}`);
}
