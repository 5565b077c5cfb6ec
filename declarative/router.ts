import { createHash } from "node:crypto";
import { RE2JS } from "re2js";
import { beginningOf, matchPath } from "./paths";

/** The members of a route by which Kong finds it, as its configuration has them. */
export interface Matchable {
	/** Kong's id of the route; it decides between routes of the same priority. */
	id: string;
	paths?: readonly string[];
	hosts?: readonly string[];
	methods?: readonly string[];
	headers?: Readonly<Record<string, readonly string[]>>;
	snis?: readonly string[];
	sources?: readonly unknown[];
	destinations?: readonly unknown[];
	regexPriority?: number;
	/** An expression of the `expressions` flavor, which this router does not read. */
	expression?: string;
	/** Routes of `tcp`, `tls`, `udp` and `tls_passthrough` never match an HTTP request. */
	protocols?: readonly string[];
}

/** What Kong's router looks at in a request. */
export interface RoutedRequest {
	method: string;
	scheme: "http" | "https";
	host: string;
	/** Ports that the request may have reached; several when the URL leaves the listener's port open. */
	ports: readonly number[];
	path: string;
	/** The TLS server name of an `https` request. */
	sni?: string;
	/** Values by lower-case name. */
	headers: Readonly<Record<string, readonly string[]>>;
}

/** A route that matches a request, with what decides between it and others. */
export interface Ranked<R> {
	route: R;
	priority: bigint;
	/** Whether another matching route has the same priority, so that only Kong's ids decide. */
	tied: boolean;
}

/** The request that fetches a URL: what a backend sends for a JWK Set. */
export function requestFor(url: string): RoutedRequest {
	const { protocol, hostname, port, pathname } = new URL(url);
	const scheme = protocol === "http:" ? "http" : "https";
	// Without a port in the Host header Kong takes its own, which the URL does not show.
	const usual = scheme === "http" ? [80, 8000] : [443, 8443];
	return {
		method: "GET",
		scheme,
		host: hostname,
		ports: port ? [Number(port)] : usual,
		path: pathname,
		...(scheme === "https" && { sni: hostname }),
		headers: {},
	};
}

/**
 * Kong's router: it ranks the routes that match a request, the one that Kong chooses first. The order
 * is that of the default router flavor, `traditional_compatible`.
 *
 * @param matchableOf what of a route decides
 */
export function makeRouter<R>(
	routes: readonly R[],
	matchableOf: (route: R) => Matchable,
): (request: RoutedRequest) => Ranked<R>[] {
	const parts = routes.flatMap((route) =>
		split(matchableOf(route)).map((part) => ({
			route,
			part,
			priority: priorityOf(part),
		})),
	);
	parts.sort((a, b) =>
		a.priority === b.priority
			? compare(b.part.id, a.part.id)
			: compare(b.priority, a.priority),
	);
	const candidatesFor = indexOf(parts.map(({ part }) => part));
	return (request) => {
		const matching = candidatesFor(request)
			.flatMap((index) => parts[index] ?? [])
			.filter(({ part }) => matches(part, request));
		const best = new Map<R, Ranked<R>>();
		for (const [index, { route, priority }] of matching.entries())
			if (!best.has(route))
				best.set(route, {
					route,
					priority,
					tied: [matching[index - 1], matching[index + 1]].some(
						(other) => other?.route !== route && other?.priority === priority,
					),
				});
		return [...best.values()];
	};
}

/**
 * Finds the routes that may match a request without a look at each: by what a path must begin with, else by host.
 *
 * @returns a function that returns the indexes of routes that may match, in ascending order
 */
function indexOf(
	routes: readonly Matchable[],
): (request: RoutedRequest) => number[] {
	const byBeginning = new Map<string, number[]>();
	const byHost = new Map<string, number[]>();
	const others: number[] = [];
	const add = (map: Map<string, number[]>, key: string, index: number) => {
		const list = map.get(key);
		if (list) list.push(index);
		else map.set(key, [index]);
	};
	for (const [index, { paths, hosts }] of routes.entries())
		if (paths?.length)
			for (const path of new Set(paths.map(beginningOf)))
				add(byBeginning, path, index);
		else if (hosts?.length && hosts.every((host) => !/[*:]/.test(host)))
			for (const host of new Set(hosts)) add(byHost, host, index);
		else others.push(index);
	const lengths = [...new Set([...byBeginning.keys()].map((k) => k.length))];
	return ({ path, host }) => {
		const found = lengths
			.filter((length) => length <= path.length)
			.flatMap((length) => byBeginning.get(path.slice(0, length)) ?? []);
		const all = [...others, ...(byHost.get(host) ?? []), ...found];
		return [...new Set(all)].sort((a, b) => a - b);
	};
}

/** What of a route's members decides, as its configuration has them. */
export function matchableOf(
	members: Record<string, unknown>,
	id: string,
): Matchable {
	const { headers, expression, regex_priority: regexPriority } = members;
	const list = (name: string) => {
		const value = members[name];
		return Array.isArray(value) ? value.map(String) : undefined;
	};
	return {
		id,
		paths: list("paths"),
		hosts: list("hosts"),
		methods: list("methods"),
		snis: list("snis"),
		sources: list("sources"),
		destinations: list("destinations"),
		protocols: list("protocols"),
		...(typeof expression === "string" && { expression }),
		...(typeof regexPriority === "number" && { regexPriority }),
		...(typeof headers === "object" &&
			headers !== null && {
				headers: Object.fromEntries(
					Object.entries(headers).map(([name, values]) => [
						name,
						Array.isArray(values) ? values.map(String) : [],
					]),
				),
			}),
	};
}

const PLAIN_HOSTS = 1n << 60n;
const REGEX_PATH = 1n << 51n;
const NEGATIVE = 1n << 63n;
const MAX_HEADERS = 255;

/**
 * Kong's priority of a route. Kong means to put the number of criteria above everything else, but shifts
 * it as a number of 32 bits (LuaJIT takes the count of a shift modulo 32): what really comes first are
 * four criteria or more, then hosts without a wildcard, then regular expressions.
 */
export function priorityOf(route: Matchable): bigint {
	const { paths, hosts, methods, headers, snis, sources, destinations } = route;
	const [path = ""] = paths ?? [];
	const headerCount = Object.keys(headers ?? {}).length;
	const criteria = [paths, hosts, methods, snis, sources, destinations].filter(
		(list) => list?.length,
	).length;
	const bits = [
		(criteria + Math.min(headerCount, 1)) << 29,
		Math.min(headerCount, MAX_HEADERS) << 20,
		isRegex(path) ? (route.regexPriority ?? 0) << 19 : 0,
		isRegex(path) ? 0 : Buffer.byteLength(path) & 0x7ffff,
	];
	const wide =
		(hosts?.every((host) => !host.includes("*")) ? PLAIN_HOSTS : 0n) |
		(isRegex(path) ? REGEX_PATH : 0n);
	return wide
		? bits.map(unsigned).reduce((all, bit) => all | bit, wide)
		: unsigned(bits.reduce((all, bit) => all | bit));
}

/** A number as LuaJIT makes an unsigned one of 64 bits of it. */
function unsigned(number: number): bigint {
	return number < 0 ? NEGATIVE : BigInt(number);
}

function compare<T extends string | bigint>(a: T, b: T): number {
	return a < b ? -1 : a > b ? 1 : 0;
}

/** Whether a request fits all that a route asks for. */
function matches(route: Matchable, request: RoutedRequest): boolean {
	const { paths, hosts, methods, headers, snis } = route;
	if (route.expression !== undefined || isStream(route)) return false;
	// Clients' addresses are not known here: such a route is for some of them only.
	if (route.sources?.length || route.destinations?.length) return false;
	return (
		some(methods, (method) => method === request.method) &&
		some(hosts, (host) => matchesHost(host, request)) &&
		some(paths, (path) => matchPath(path, request.path) !== undefined) &&
		(request.scheme !== "https" ||
			some(snis, (sni) => matchesName(withoutLastDot(sni), request.sni))) &&
		Object.entries(headers ?? {}).every(([name, values]) =>
			(request.headers[name.toLowerCase()] ?? []).some((given) =>
				values.some((value) => matchesHeader(value, given.toLowerCase())),
			),
		)
	);
}

/** Whether a list is empty, which asks for nothing, or one of its members fits. */
function some(
	list: readonly string[] | undefined,
	fits: (member: string) => boolean,
): boolean {
	return !list?.length || list.some(fits);
}

function isStream({ protocols }: Matchable): boolean {
	return ["tcp", "tls", "udp", "tls_passthrough"].includes(
		protocols?.[0] ?? "",
	);
}

function matchesHost(wanted: string, { host, ports }: RoutedRequest): boolean {
	const [, name = wanted, port] = /^([^:]*):(\d+)$/.exec(wanted) ?? [];
	return (
		matchesName(name, host) &&
		(port === undefined || ports.includes(Number(port)))
	);
}

/** A name, or one with a wildcard at its beginning or its end. */
function matchesName(wanted: string, given: string | undefined): boolean {
	if (given === undefined) return false;
	if (wanted.startsWith("*")) return given.endsWith(wanted.slice(1));
	if (wanted.endsWith("*")) return given.startsWith(wanted.slice(0, -1));
	return given === wanted;
}

function withoutLastDot(sni: string): string {
	return sni.length > 1 && sni.endsWith(".") ? sni.slice(0, -1) : sni;
}

function matchesHeader(wanted: string, given: string): boolean {
	if (!wanted.startsWith("~*")) return given === wanted.toLowerCase();
	try {
		return RE2JS.compile(wanted.slice(2).toLowerCase()).matcher(given).find();
	} catch {
		return false;
	}
}

/** Kong splits a route: one for each length of its prefixes, one for all its regular expressions. */
function split(route: Matchable): Matchable[] {
	const groups = new Map<number, string[]>();
	for (const path of route.paths ?? []) {
		const length = isRegex(path) ? 0 : Buffer.byteLength(path);
		groups.set(length, [...(groups.get(length) ?? []), path]);
	}
	if (groups.size < 2) return [route];
	return [...groups.values()].map((paths, index) => ({
		...route,
		paths,
		id: uuidV5(SPLIT_NAMESPACE, `${route.id}#${index + 1}`),
	}));
}

function isRegex(path: string): boolean {
	return path.startsWith("~");
}

const SPLIT_NAMESPACE = "7f145bf9-0dce-4f91-98eb-debbce4b9f6b";
const ENTITIES_NAMESPACE = "fd02801f-0957-4a15-a55a-c8d9606f30b5";
const ROUTES_NAMESPACE = uuidV5(ENTITIES_NAMESPACE, "routes");

/** The id that DB-less Kong gives to a route without one. */
export function idOfName(name: string): string {
	return uuidV5(ROUTES_NAMESPACE, name);
}

/** A UUID made from a name (RFC 9562 §5.5). */
function uuidV5(namespace: string, name: string): string {
	const bytes = createHash("sha1")
		.update(Buffer.from(namespace.replaceAll("-", ""), "hex"))
		.update(name)
		.digest()
		.subarray(0, 16);
	bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x50, 6);
	bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
	return bytes
		.toString("hex")
		.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
