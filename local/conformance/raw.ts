import { once } from "node:events";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import type { Flow, Reach } from "../demo/flows";
import type { Reply } from "../http";
import { API_KEY } from "./tricks";

/**
 * Requests that no HTTP library sends. nginx sets no header in a request of HTTP/0.9, so that the backend would get it
 * without a token (Kong fact).
 */
export function makeRawFlows(gateway: Reach): Flow[] {
	const flow = (name: string, request: string, expected: Partial<Flow>) => ({
		name,
		route: request.replace(/^GET ([^ ?\r]+).*$/s, "$1"),
		status: 200,
		...expected,
		curl: `printf '${request.replaceAll("\r\n", "\\r\\n")}' | nc ${new URL(gateway.httpUrl).host.replace(":", " ")}`,
		send: () => sendRaw(gateway, request),
	});
	const signed = { clientId: API_KEY };
	const close = "Host: localhost\r\nConnection: close\r\n";
	const head = `GET /apiKey HTTP/1.0\r\napikey: ${API_KEY}\r\n`;
	return [
		flow(
			"HTTP/0.9, API key in the query",
			`GET /apiKey?apikey=${API_KEY}\r\n\r\n`,
			{
				status: 505,
				mayBeRefused: true,
			},
		),
		flow("HTTP/0.9, no API key", "GET /apiKey\r\n\r\n", {
			status: 505,
			mayBeRefused: true,
		}),
		flow("HTTP/1.0 without Host", `${head}\r\n`, signed),
		flow("HTTP/1.0 with Host", `${head}Host: localhost\r\n\r\n`, signed),
		// Kong goes on as the anonymous consumer, which is marked by a header alone.
		flow("HTTP/0.9, anonymous consumer", "GET /keyOrBasic\r\n\r\n", {
			status: 505,
			mayBeRefused: true,
		}),
		flow("HTTP/1.0, anonymous consumer", "GET /keyOrBasic HTTP/1.0\r\n\r\n", {
			status: 401,
		}),
		flow(
			"HTTP/1.1, anonymous consumer",
			`GET /keyOrBasic HTTP/1.1\r\n${close}\r\n`,
			{ status: 401 },
		),
		flow(
			"HTTP/1.1, API key where the consumer may be anonymous",
			`GET /keyOrBasic HTTP/1.1\r\n${close}apikey: ${API_KEY}\r\n\r\n`,
			signed,
		),
	];
}

async function sendRaw(gateway: Reach, request: string): Promise<Reply> {
	const { hostname, port } = new URL(gateway.httpUrl);
	const socket = connect(Number(port) || 80, hostname);
	socket.setTimeout(10_000, () =>
		socket.destroy(new Error("the gateway did not answer for 10 seconds")),
	);
	try {
		await once(socket, "connect");
		socket.write(request);
		const answer = await text(socket);
		const [, status] = /^HTTP\/\d\.\d (\d{3})/.exec(answer) ?? [];
		const body = status ? (answer.split("\r\n\r\n")[1] ?? "") : answer;
		// An answer of HTTP/0.9 is its body alone.
		const isOfBackend = /"jwt"|"reason"/.test(body);
		return {
			status: Number(status ?? (isOfBackend ? 200 : 505)),
			headers: {},
			body,
		};
	} finally {
		socket.destroy();
	}
}
