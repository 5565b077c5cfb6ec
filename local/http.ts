import { once } from "node:events";
import {
	request as httpRequest,
	type IncomingHttpHeaders,
	type Server,
} from "node:http";
import { request as httpsRequest, type RequestOptions } from "node:https";
import { text } from "node:stream/consumers";

/** An HTTP response, its body read. */
export interface Reply {
	status: number;
	headers: IncomingHttpHeaders;
	body: string;
}

/**
 * Sends a request; unlike `fetch` it can show a client certificate and any header.
 *
 * @param url http or https
 * @param options node:https options, `headers` and `cert`, `key`, `ca` (PEM) among them, and `body`
 */
export async function send(
	url: string,
	{ body, ...options }: RequestOptions & { body?: string } = {},
): Promise<Reply> {
	const request = (url.startsWith("https:") ? httpsRequest : httpRequest)(
		url,
		options,
	);
	request.end(body);
	return new Promise((resolve, reject) => {
		request.once("error", reject);
		request.once("response", async (response) => {
			try {
				const { statusCode = 0, headers } = response;
				resolve({ status: statusCode, headers, body: await text(response) });
			} catch (error) {
				reject(error);
			}
		});
	});
}

/** Closes a server and its connections; resolves when it is closed. */
export async function close(server: Server): Promise<void> {
	const closed = once(server, "close");
	server.close();
	server.closeAllConnections();
	await closed;
}
