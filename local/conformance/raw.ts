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
		route: "/apiKey",
		status: 200,
		...expected,
		curl: `printf '${request.replaceAll("\r\n", "\\r\\n")}' | nc ${new URL(gateway.httpUrl).host.replace(":", " ")}`,
		send: () => sendRaw(gateway, request),
	});
	const signed = { clientId: API_KEY };
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
