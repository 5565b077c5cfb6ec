import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { readInput } from "../declarative/read-file";
import { Name } from "../plugins/x-custom-jwt";
import { packageRoot } from "../schema/package-root";
import { BadUse, networkFault } from "./files";

/** Konnect's regions: each has its own API host. */
export const REGIONS = ["us", "eu", "au", "me", "in", "sg"];

/** Where a control plane's plugin schemas are kept. */
export interface Target {
	/** API host, e.g. `https://us.api.konghq.com`. */
	url: string;
	/** UUID. */
	controlPlane: string;
}

/** What Konnect did, or why it did not. */
export interface Upload {
	done: boolean;
	message: string;
}

const ATTEMPTS = 5;
const FIRST_DELAY = 500; // milliseconds, doubled each time
const LONGEST_DELAY = 60_000; // milliseconds
const TIMEOUT = 30_000; // milliseconds

/** The generated `schema.lua`. */
export function schemaLua(): string {
	return readFileSync(join(packageRoot(), "schema/schema.lua"), "utf8");
}

/** The built `handler.lua`. */
export function handlerLua(): string {
	return readFileSync(join(packageRoot(), "dist/lua/handler.lua"), "utf8");
}

/**
 * The API's base URL.
 *
 * @param region one of `REGIONS`
 * @param url another host instead
 * @throws {BadUse} when the token would travel unencrypted
 */
export function baseUrl(region: string, url: string | undefined): string {
	if (url === undefined) return `https://${region}.api.konghq.com`;
	if (!URL.canParse(url)) throw new BadUse("--url: a URL is expected");
	const { protocol, hostname, origin, pathname } = new URL(url);
	const isLoopback = ["localhost", "127.0.0.1", "[::1]"].includes(hostname);
	if (protocol !== "https:" && !(protocol === "http:" && isLoopback))
		throw new BadUse("--url: https is expected, as it gets the token");
	return `${origin}${pathname.replace(/\/$/, "")}`;
}

/**
 * The access token of a person or a system account.
 *
 * @param file holds it; `-` is standard input. By default the environment variable `KONNECT_TOKEN` does
 * @throws {BadUse} when there is none
 */
export function readAccessToken(file: string | undefined): string {
	const token = (
		file === undefined ? (process.env.KONNECT_TOKEN ?? "") : readInput(file)
	).trim();
	const source = file ?? "KONNECT_TOKEN";
	if (!token)
		throw new BadUse(
			`${source} has no access token: set KONNECT_TOKEN or give --token-file`,
		);
	// Else it could not be sent, and the error would quote it.
	if (!/^[\x21-\x7e]+$/.test(token))
		throw new BadUse(`${source} is more than one access token`);
	return token;
}

/** What can be pushed, by what data planes then have: the plugin of their own, or one that Konnect streams to them. */
const PARCELS = {
	schema: {
		what: `schema of ${Name}`,
		path: "plugin-schemas",
		body: () => ({ lua_schema: schemaLua() }),
		/** Konnect knows it by its name. */
		look: async (call: Call, all: string): Promise<Found> => {
			const reply = await call("GET", `${all}/${Name}`);
			return { reply, id: reply.status === 200 ? Name : undefined };
		},
	},
	streamed: {
		what: `${Name} for streaming`,
		path: "custom-plugins",
		body: () => ({
			name: Name,
			handler: handlerLua(),
			schema: schemaLua(),
		}),
		/** Konnect knows it by an id, and has a list of those, page by page. */
		look: findInList,
	},
};

/** One of `PARCELS`. */
export type ParcelName = keyof typeof PARCELS;

type Call = (method: string, url: string) => Promise<Reply>;

/** Konnect's answer, and the id of what is there already. */
interface Found {
	reply: Reply;
	id: string | undefined;
}

async function findInList(call: Call, all: string): Promise<Found> {
	let offset = "";
	for (;;) {
		const reply = await call("GET", `${all}?size=1000${offset}`);
		if (reply.status !== 200) return { reply, id: undefined };
		const page = listIn(reply.body);
		const own = page.data.find(({ name }) => name === Name);
		if (own || !page.offset)
			return { reply: { ...reply, status: 404 }, id: own?.id };
		offset = `&offset=${encodeURIComponent(page.offset)}`;
	}
}

/** @throws {BadUse} when Konnect's answer is not a list */
function listIn(body: string): {
	data: { id: string; name: string }[];
	offset?: string;
} {
	try {
		const page = JSON.parse(body);
		if (Array.isArray(page.data)) return page;
	} catch {
		// As when it is none.
	}
	throw new BadUse("Konnect's list of custom plugins cannot be read");
}

/** The requests that `push` makes, as text without the token. */
export function describeRequest(target: Target, parcel: ParcelName): string {
	const { body } = PARCELS[parcel];
	const all = urlOf(target, parcel);
	return [
		`POST ${all}`,
		`  or, when it is there, PUT ${all}/${parcel === "schema" ? Name : "(its id)"}`,
		"Authorization: Bearer (the token)",
		"Content-Type: application/json",
		"",
		JSON.stringify(body()),
		"",
	].join("\n");
}

function urlOf({ url, controlPlane }: Target, parcel: ParcelName): string {
	return `${url}/v2/control-planes/${controlPlane}/core-entities/${PARCELS[parcel].path}`;
}

/**
 * Creates or updates the plugin's schema in a Konnect control plane, or the plugin that Konnect streams.
 *
 * @param token Konnect access token
 * @throws {BadUse} when Konnect cannot be reached or has no answer, after several attempts
 */
export async function push(
	target: Target,
	parcel: ParcelName,
	token: string,
): Promise<Upload> {
	const { what, body, look } = PARCELS[parcel];
	const all = urlOf(target, parcel);
	const call: Call = (method, url) =>
		request(url, {
			method,
			headers: {
				authorization: `Bearer ${token}`,
				"content-type": "application/json",
			},
			...(method !== "GET" && { body: JSON.stringify(body()) }),
			// Nobody else gets the token.
			redirect: "manual",
		});
	const found = await look(call, all);
	let { reply } = found;
	const isLookedUp = found.id !== undefined || reply.status === 404;
	if (found.id !== undefined) reply = await call("PUT", `${all}/${found.id}`);
	else if (isLookedUp) reply = await call("POST", all);
	// Somebody, or an attempt of ours whose answer was lost, has created it meanwhile.
	if (isLookedUp && reply.status === 409) {
		const { id } = await look(call, all);
		if (id !== undefined) reply = await call("PUT", `${all}/${id}`);
	}
	const where = `in control plane ${target.controlPlane}`;
	if (isLookedUp && reply.status === 201)
		return { done: true, message: `${what} created ${where}` };
	if (isLookedUp && reply.status === 200)
		return { done: true, message: `${what} updated ${where}` };
	const said = sayings(reply.body).join("; ").replaceAll(token, "(the token)");
	const advice = ADVICE[reply.status] ?? "";
	return {
		done: false,
		message: `Konnect answers ${[reply.status, said, advice].filter(Boolean).join(": ")}`,
	};
}

const ADVICE: Record<number, string> = {
	400: "it does not take this schema; do plugin entries have fields that it lacks?",
	401: "the token is wrong or has expired; create one in Konnect (personal or system account access token)",
	403: "the token's account may not edit this control plane; give it the role of its admin",
	404: "no such control plane there; see --control-plane and --region",
	409: "somebody else is changing it; try again",
};

/** What Konnect says in an error body: its messages, whichever of its forms the body has. */
function sayings(body: string): string[] {
	let json: unknown;
	try {
		json = JSON.parse(body);
	} catch {
		return [];
	}
	const found: string[] = [];
	const collect = (value: unknown, name: string): void => {
		if (typeof value === "string") {
			if (["title", "detail", "message", "messages", "reason"].includes(name))
				found.push(value);
		} else if (Array.isArray(value))
			for (const item of value) collect(item, name);
		else if (typeof value === "object" && value !== null)
			for (const [member, item] of Object.entries(value)) collect(item, member);
	};
	collect(json, "");
	return [...new Set(found)];
}

interface Reply {
	status: number;
	body: string;
}

/** Sends a request, again when Konnect is busy or the connection breaks. */
async function request(url: string, init: RequestInit): Promise<Reply> {
	let last = "";
	for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
		let delay = FIRST_DELAY * 2 ** attempt;
		try {
			const signal = AbortSignal.timeout(TIMEOUT);
			const response = await fetch(url, { ...init, signal });
			const reply = { status: response.status, body: await response.text() };
			if (reply.status !== 429 && reply.status < 500) return reply;
			last = `it answers ${reply.status}`;
			delay = retryAfter(response.headers.get("retry-after")) ?? delay;
		} catch (error) {
			last = networkFault(error);
		}
		if (attempt + 1 < ATTEMPTS) await sleep(Math.min(delay, LONGEST_DELAY));
	}
	throw new BadUse(
		`${new URL(url).origin} does not do it, after ${ATTEMPTS} attempts: ${last}`,
	);
}

/** Milliseconds to wait by a `Retry-After` (RFC 9110 §10.2.3): seconds or a date. */
function retryAfter(value: string | null): number | undefined {
	if (value === null) return undefined;
	const delay = /^\d+$/.test(value)
		? Number(value) * 1000
		: Date.parse(value) - Date.now();
	return Number.isNaN(delay) ? undefined : Math.max(0, delay);
}
