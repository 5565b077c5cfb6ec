import { readFile } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { join } from "node:path";
import type { Anything } from "../backend/backend";
import type { Reply } from "../http";
import type {
	Expectations,
	FlowOutcome,
	ReceivedRequest,
	Settings,
} from "./protocol";

/** What the inspector is started with. */
export interface InspectorOptions {
	/** Folder of the built page (`npm run build:inspector`). */
	folder: string;
	/** URL of the gateway's JWK Set, as a browser reaches it. */
	jwksUrl: string;
	/** The flows that the page has buttons for; none by default. */
	flows?: () => Promise<{ name: string; send(): Promise<Reply> }[]>;
}

/** The server's half of the inspector page. */
export interface Inspector {
	/** The latest requests, oldest first. */
	received: ReceivedRequest[];
	/** Keeps a request that was answered and shows it on open pages. */
	record(request: IncomingMessage, status: number, body: object): void;
	/** Answers a request for the inspector; false when it is for something else. */
	handle(request: IncomingMessage, response: ServerResponse): boolean;
}

/** As many requests are kept, in memory only. */
const KEPT = 50;

/** A page that is so far behind is cut off; its browser connects again and gets what is kept. */
const MAX_BACKLOG_BYTES = 16 * 1024 * 1024;

const FLOWS = "/inspector/flows/";

const FILES: Record<string, { name: string; type: string } | undefined> = {
	"/": { name: "index.html", type: "text/html; charset=utf-8" },
	"/inspector/page.js": { name: "page.js", type: "text/javascript" },
	"/inspector/style.css": { name: "style.css", type: "text/css" },
	"/inspector/icon.svg": { name: "icon.svg", type: "image/svg+xml" },
};

/**
 * The inspector shows whole tokens, so only this machine's user may see them: no CORS header lets
 * another origin read, the `Host` check stops DNS rebinding, and the `Origin` check stops another
 * site's page from sending flows.
 */
const LOCAL_HOST = /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/i;

/** Makes the server's half of the inspector page, at `/` and below `/inspector/`. */
export function makeInspector(
	{ folder, jwksUrl, flows = async () => [] }: InspectorOptions,
	expectations: Expectations,
): Inspector {
	const received: ReceivedRequest[] = [];
	const pages = new Set<ServerResponse>();
	let lastId = 0;

	const headers = {
		"content-security-policy": [
			"default-src 'self'",
			// The gateway for the JWK Set, and this backend itself for its events and flows.
			`connect-src 'self' ${new URL(jwksUrl).origin}`,
			"base-uri 'none'",
			"form-action 'none'",
			"frame-ancestors 'none'",
			// No text becomes markup, whatever a claim holds.
			"require-trusted-types-for 'script'",
			"trusted-types 'none'",
		].join("; "),
		"cross-origin-resource-policy": "same-origin",
		"x-content-type-options": "nosniff",
		"referrer-policy": "no-referrer",
		"cache-control": "no-store",
	};

	function record(
		request: IncomingMessage,
		status: number,
		body: object,
	): void {
		const { jwt, reason } = body as Partial<Anything> & { reason?: string };
		const { client_id } = (jwt?.claims.act ?? {}) as { client_id?: unknown };
		// Kong says in this header what the client asked it for.
		const path = request.headers["x-forwarded-path"] ?? request.url;
		const item: ReceivedRequest = {
			id: ++lastId,
			time: Date.now(),
			path: String(path),
			...(typeof client_id === "string" && { consumer: client_id }),
			status,
			...(reason && { reason }),
			token: String(request.headers["x-custom-jwt"] ?? ""),
		};
		received.push(item);
		if (received.length > KEPT) received.shift();
		for (const page of pages)
			if (page.writableLength > MAX_BACKLOG_BYTES) page.destroy();
			else page.write(event("request", item));
	}

	async function serve(
		request: IncomingMessage,
		response: ServerResponse,
		target: string,
	): Promise<void> {
		for (const [name, value] of Object.entries(headers))
			response.setHeader(name, value);
		const { host = "", origin } = request.headers;
		if (!LOCAL_HOST.test(host))
			return json(response, 403, {
				message: "The inspector answers on localhost only",
			});
		if (target.startsWith(FLOWS)) {
			if (request.method !== "POST" || origin !== `http://${host}`)
				return json(response, 403, {
					message: "Flows are sent by POST, from the inspector's own page",
				});
			return sendFlow(response, target.slice(FLOWS.length));
		}
		if (request.method !== "GET")
			return json(response, 405, { message: "Method not allowed" });
		if (target === "/inspector/settings") {
			const names = (await flows()).map(({ name }) => name);
			const settings: Settings = { jwksUrl, expectations, flows: names };
			return json(response, 200, settings);
		}
		if (target === "/inspector/events") return subscribe(response);
		return sendFile(response, target);
	}

	async function sendFlow(response: ServerResponse, name: string) {
		const flow = (await flows()).find(
			(candidate) => encodeURIComponent(candidate.name) === name,
		);
		if (!flow) return json(response, 404, { message: "No such flow" });
		const { status, body } = await flow.send();
		const outcome: FlowOutcome = { status, body };
		json(response, 200, outcome);
	}

	/** Server-sent events: `requests` with all that are kept, then `request` with each new one. */
	function subscribe(response: ServerResponse): void {
		response.writeHead(200, { "content-type": "text/event-stream" });
		response.write(event("requests", received));
		pages.add(response);
		response.once("close", () => pages.delete(response));
	}

	async function sendFile(response: ServerResponse, target: string) {
		const file = FILES[target];
		if (!file) return json(response, 404, { message: "Not found" });
		const content = await readFile(join(folder, file.name)).catch(() => {
			throw new Error(
				"the inspector page is not built: npm run build:inspector",
			);
		});
		response.writeHead(200, { "content-type": file.type }).end(content);
	}

	return {
		received,
		record,
		handle: (request, response) => {
			// The target as it was sent: Kong can be made to send /anything/../inspector.
			const target = request.url ?? "";
			if (target !== "/" && !target.startsWith("/inspector/")) return false;
			serve(request, response, target).catch((error: Error) =>
				json(response, 502, { message: error.message }),
			);
			return true;
		},
	};
}

function event(name: string, data: unknown): string {
	return `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
}

function json(response: ServerResponse, status: number, body: object): void {
	response
		.writeHead(status, { "content-type": "application/json" })
		.end(JSON.stringify(body));
}
