import { connect as connectHttp2 } from "node:http2";
import { connect as connectTls } from "node:tls";
import { type Flow, type Reach, trust } from "../demo/flows";
import { type Reply, send } from "../http";

/** A token that nobody signed, as an attacker writes one. */
export const FORGED =
	"eyJhbGciOiJub25lIn0.eyJjbGllbnRfaWQiOiJhZG1pbiIsInN1YiI6ImNlbyJ9.";

/** The API key of kong.yml. */
export const API_KEY = "012345AZERTY!";

/** A gateway does not offer what a flow needs. */
export class NotOffered extends Error {}

/** Headers by which a client could try to pass for somebody else, or to get its own token to the backend. */
export function makeTricks(gateway: Reach): Flow[] {
	const own = { status: 200, clientId: API_KEY };
	const trick = (
		name: string,
		headers: Record<string, string | string[]>,
		expected: { status: number; clientId?: string } = own,
	): Flow => ({
		name,
		route: "/apiKey",
		...expected,
		curl: `${gateway.httpUrl}/apiKey`,
		send: () =>
			send(`${gateway.httpUrl}/apiKey`, {
				headers: { apikey: API_KEY, ...headers },
			}),
	});
	return [
		trick("Forged X-Custom-Jwt", { "x-custom-jwt": FORGED }),
		trick("Forged X-Custom-Jwt, twice", { "x-custom-jwt": [FORGED, FORGED] }),
		trick("Forged X_Custom_Jwt", { x_custom_jwt: FORGED }),
		{
			...trick("Forged X-Custom-Jwt, dropped by Connection", {
				"x-custom-jwt": FORGED,
				connection: "x-custom-jwt",
			}),
			mayBeRefused: true,
		},
		trick("Forged X-Custom-Jwt behind 150 headers", {
			...Object.fromEntries(
				Array.from({ length: 150 }, (_, i) => [`x-filler-${i}`, "1"]),
			),
			"x-custom-jwt": FORGED,
		}),
		trick("Consumer's headers, forged", {
			"x-consumer-id": "11111111-1111-4111-8111-111111111111",
			"x-consumer-custom-id": "ceo",
			"x-consumer-username": "ceo",
			"x-credential-identifier": "ceo",
			"x-anonymous-consumer": "true",
		}),
		trick(
			"Forged X-Custom-Jwt and a wrong API key",
			{ apikey: "guess", "x-custom-jwt": FORGED },
			{ status: 401 },
		),
		trick(
			"Forged X-Custom-Jwt and no API key",
			{ apikey: "", "x-custom-jwt": FORGED },
			{ status: 401 },
		),
		trick(
			"Two Authorization headers",
			{ authorization: ["Bearer a.b.c", `Bearer ${FORGED}`] },
			{ status: 400 },
		),
		{
			name: "Forged X-Custom-Jwt over HTTP/2",
			route: "/apiKey",
			isTls: true,
			...own,
			curl: `curl -k --http2 ${gateway.httpsUrl}/apiKey`,
			send: () => sendHttp2(gateway),
		},
	];
}

/** @throws {NotOffered} when the gateway does not speak HTTP/2 */
async function sendHttp2(gateway: Reach): Promise<Reply> {
	const { host, hostname, port } = new URL(gateway.httpsUrl);
	const socket = connectTls({
		host: hostname,
		port: Number(port) || 443,
		ALPNProtocols: ["h2", "http/1.1"],
		...trust(gateway),
	});
	try {
		await new Promise((resolve, reject) =>
			socket.once("secureConnect", resolve).once("error", reject),
		);
		if (socket.alpnProtocol !== "h2")
			throw new NotOffered("this gateway does not speak HTTP/2");
		const session = connectHttp2(`https://${host}`, {
			createConnection: () => socket,
		});
		const stream = session.request({
			":path": "/apiKey",
			apikey: API_KEY,
			"x-custom-jwt": FORGED,
		});
		stream.setEncoding("utf8");
		let body = "";
		let status = 0;
		stream.on("response", (headers) => {
			status = Number(headers[":status"]);
		});
		for await (const chunk of stream) body += chunk;
		session.close();
		return { status, headers: {}, body };
	} finally {
		socket.destroy();
	}
}
