import { readFile } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { join } from "node:path";
import type { HttpBindings } from "@hono/node-server";
import { Hono } from "hono";
import { csrf } from "hono/csrf";
import { HTTPException } from "hono/http-exception";
import { secureHeaders } from "hono/secure-headers";
import { type SSEStreamingApi, streamSSE } from "hono/streaming";
import type { Answer, Anything } from "../backend/backend";
import type { Expectations } from "../backend/verify";
import type { Reply } from "../http";
import type { FlowOutcome, ReceivedRequest, Settings } from "./protocol";

/** What the inspector is started with. */
export interface InspectorOptions {
	/** Folder of the built page (`npm run build`). */
	folder: string;
	/** URL of the gateway's JWK Set, as a browser reaches it. */
	jwksUrl: string;
	/** Makes the JWK Set that is served at `/inspector/jwks`, and used in place of that at `jwksUrl`. */
	keySet?: () => Promise<object>;
	/** The flows that the page has buttons for; none by default. */
	flows?: () => Promise<
		{
			name: string;
			status: number;
			incoming?: string;
			send(): Promise<Reply>;
		}[]
	>;
}

/** The server's half of the inspector page. */
export interface Inspector {
	/** The latest requests, oldest first. */
	received: ReceivedRequest[];
	/** Keeps a request that was answered and shows it on open pages. */
	record(request: IncomingMessage, answered: Answered): void;
	/** The page at `/`, and what it asks for below `/inspector/`. */
	routes: Hono<{ Bindings: HttpBindings }>;
}

/** What became of a request. */
export interface Answered {
	status: number;
	body: Answer;
	/** The token of the request. */
	token: string | undefined;
	/** When it came, in milliseconds since the epoch. */
	time: number;
	/** How long its token was verified, in milliseconds. */
	verifyMs: number;
	/** What its token is verified against, where that is not the same for all requests. */
	expectations: Expectations | undefined;
}

/** An open page. */
interface Page {
	stream: SSEStreamingApi;
	/** Events that it has not read yet, in characters. */
	unread: number;
	close(): void;
}

/** As many requests are kept, in memory only. */
const KEPT = 50;

/** A page that is so far behind is cut off; its browser connects again and gets what is kept. */
const MAX_UNREAD = 16 * 1024 * 1024;

const FILES = [
	{ path: "/", name: "index.html", type: "text/html; charset=utf-8" },
	{ path: "/inspector/page.js", name: "page.js", type: "text/javascript" },
	{ path: "/inspector/style.css", name: "style.css", type: "text/css" },
	{ path: "/inspector/icon.svg", name: "icon.svg", type: "image/svg+xml" },
];

/**
 * The inspector shows whole tokens, so only this machine's user may see them: no CORS header lets
 * another origin read, the `Host` check stops DNS rebinding, and the `Origin` check stops another
 * site's page from sending flows.
 */
const LOCAL_HOST = /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/i;

/** Makes the server's half of the inspector page. */
export function makeInspector(
	{ folder, jwksUrl, keySet, flows = async () => [] }: InspectorOptions,
	expectations: Expectations,
): Inspector {
	const received: ReceivedRequest[] = [];
	const pages = new Set<Page>();
	let lastId = 0;

	async function show(page: Page, event: string, data: unknown): Promise<void> {
		const text = JSON.stringify(data);
		page.unread += text.length;
		if (page.unread > MAX_UNREAD) return page.close();
		await page.stream.writeSSE({ event, data: text });
		page.unread -= text.length;
	}

	function record(
		request: IncomingMessage,
		{ status, body, token = "", time, verifyMs, expectations }: Answered,
	): void {
		const incoming = incomingToken(request.headers, request.url);
		const requestId = request.headers["x-kong-request-id"];
		const consumer = "jwt" in body ? actorOf(body) : undefined;
		// Kong says in this header what the client asked it for.
		const path = request.headers["x-forwarded-path"] ?? request.url;
		const item: ReceivedRequest = {
			id: ++lastId,
			time,
			...(requestId !== undefined && { requestId: String(requestId) }),
			path: String(path),
			...(consumer !== undefined && { consumer }),
			status,
			...("reason" in body && { reason: body.reason }),
			token,
			...(incoming !== undefined && { incoming }),
			verifyMs,
			...(expectations && { expectations }),
		};
		received.push(item);
		if (received.length > KEPT) received.shift();
		for (const page of pages) show(page, "request", item);
	}

	const routes = new Hono<{ Bindings: HttpBindings }>();
	for (const path of ["/", "/inspector/*"]) {
		routes.use(
			path,
			secureHeaders({
				contentSecurityPolicy: {
					defaultSrc: ["'self'"],
					// The gateway for the JWK Set, and this backend itself for its events and flows.
					connectSrc: ["'self'", new URL(jwksUrl).origin],
					baseUri: ["'none'"],
					formAction: ["'none'"],
					frameAncestors: ["'none'"],
					// No text becomes markup, whatever a claim holds.
					requireTrustedTypesFor: ["'script'"],
					trustedTypes: ["'none'"],
				},
			}),
			async (context, next) => {
				context.header("cache-control", "no-store");
				if (LOCAL_HOST.test(context.req.header("host") ?? "")) return next();
				return context.json(
					{ message: "The inspector answers on localhost only" },
					403,
				);
			},
			csrf(),
		);
	}
	for (const { path, name, type } of FILES)
		routes.get(path, async (context) => {
			const content = await readFile(join(folder, name), "utf8").catch(() => {
				throw new Error("the inspector page is not built: npm run build");
			});
			return context.body(content, 200, { "content-type": type });
		});
	routes.get("/inspector/settings", async (context) => {
		const settings: Settings = {
			jwksUrl: keySet
				? new URL("/inspector/jwks", context.req.url).href
				: jwksUrl,
			expectations,
			flows: (await flows()).map(({ name, status }) => ({ name, status })),
		};
		return context.json(settings);
	});
	if (keySet)
		routes.get("/inspector/jwks", async (context) =>
			context.json(await keySet()),
		);
	/** Server-sent events: `requests` with all that are kept, then `request` with each new one. */
	routes.get("/inspector/events", (context) =>
		streamSSE(context, async (stream) => {
			const { outgoing } = context.env;
			const page = { stream, unread: 0, close: () => outgoing.destroy() };
			const closed = new Promise<void>((resolve) => stream.onAbort(resolve));
			pages.add(page);
			await show(page, "requests", received);
			await closed;
			pages.delete(page);
		}),
	);
	routes.post("/inspector/flows/:name", async (context) => {
		const name = context.req.param("name");
		const flow = (await flows()).find((candidate) => candidate.name === name);
		if (!flow) return context.notFound();
		const start = now();
		const { status, headers, body } = await flow.send().catch((error) => {
			throw new HTTPException(502, {
				message: `The gateway does not answer: ${error.message}`,
			});
		});
		const totalMs = now() - start;
		const id = headers["x-kong-request-id"];
		const request =
			id && received.findLast(({ requestId }) => requestId === id);
		return context.json({
			status,
			body,
			...(flow.incoming !== undefined && { incoming: flow.incoming }),
			totalMs,
			...(request && {
				backend: { arrivalMs: request.time - start, request },
			}),
		} satisfies FlowOutcome);
	});
	routes.onError((error, context) =>
		context.json(
			{ message: error.message },
			error instanceof HTTPException ? error.status : 502,
		),
	);
	return { received, record, routes };
}

/** The consumer that a verified token names (RFC 8693 §4.1). */
function actorOf({ jwt }: Anything): string | undefined {
	const { client_id } = (jwt.claims.act ?? {}) as { client_id?: unknown };
	return typeof client_id === "string" ? client_id : undefined;
}

/**
 * The token that a client sends to Kong's jwt or openid-connect plugin, if there is one.
 *
 * @param headers of the request, as the client sent them or as the gateway passed them on
 * @param url path and query
 */
export function incomingToken(
	{ authorization = "" }: { authorization?: string },
	url = "",
): string | undefined {
	const [, bearer] = /^bearer\s+(\S+)$/i.exec(authorization) ?? [];
	const query = new URLSearchParams(url.split("?")[1]);
	return bearer ?? query.get("jwt") ?? undefined;
}

/** Milliseconds since the epoch, with fractions; within a process these never go back. */
export function now(): number {
	return performance.timeOrigin + performance.now();
}
