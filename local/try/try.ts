/** `x-custom-jwt try`: runs the user's own declarative file on this machine, before an echo backend. */
import { once } from "node:events";
import { join } from "node:path";
import { type Configuration, findJwks } from "../../declarative/model";
import { printableLine } from "../../jwk/printable";
import { packageRoot } from "../../schema/package-root";
import idpKeySet from "../../test-keys/idp-jwks-public.json";
import { startBackend } from "../backend/backend";
import { type Demo, startDemo } from "../demo/demo";
import { runFlow } from "../demo/run-flow";
import {
	type Entities,
	entitiesOf,
	type ServedRoute,
	type ServiceEntity,
} from "../gateway/entities";
import type { Gateway } from "../gateway/gateway";
import { type Log, stderrLog } from "../gateway/log";
import { authority } from "../gateway/proxy";
import { send } from "../http";
import { interruptible } from "../interruptible";
import {
	acceptanceFor,
	type EntryAcceptance,
	type FetchThrough,
	isPublished,
} from "./acceptance";
import { imitated, linesOf } from "./imitated";
import { type EntryKey, keyOf } from "./keys";
import { makeRequests, type TryRequest } from "./requests";

/** What the command line can say. */
export interface TryOptions {
	configuration: Configuration;
	/** Warnings that have been printed already; the plugin server has the same ones. */
	reported: string[];
	/** `host=URL` each: where the backend of a Service really is. */
	upstream: string[];
	/** Send every request, and end, instead of serving. */
	check: boolean;
	httpPort: number;
	httpsPort: number;
	backendPort: number;
	/** Log at level info. */
	verbose: boolean;
}

const PLUGIN = "x-custom-jwt";

/** As many commands are printed; the inspector has all of them. */
const PRINTED = 20;

/** As many requests are on their way at once, at most. */
const MAX_PENDING = 1000;

/**
 * Starts the file, until a signal comes; with `check` sends every request and sets the exit code 1 when one does not get
 * what the file asks for.
 *
 * @throws naming what cannot be run: a key, a Service, a port
 */
export function tryConfiguration(options: TryOptions): Promise<void> {
	return interruptible((signal) => run(options, signal));
}

async function run(options: TryOptions, signal: AbortSignal): Promise<void> {
	const { configuration } = options;
	const remarks = new Set<string>();
	const remark = (text: string) => remarks.add(text);
	const read = entitiesOf(configuration);
	const { entities, leftOut } = imitated(
		read.entities,
		(name) => name === PLUGIN,
	);
	await giveKeys(configuration, entities, remark);
	const lines = linesOf([...read.leftOut, ...leftOut]);
	if (lines.length > 0)
		say([
			"Not imitated here, so left out:",
			...lines.map((line) => `- ${line}`),
		]);
	const upstreams = upstreamsOf(options.upstream, entities);
	const parts = new Run(configuration, entities, upstreams);
	const demo = await parts.start(options, remark, signal);
	try {
		if (options.check) {
			say([...remarks].map((text) => `note: ${text}`));
			if (!(await sendAll(parts.requests, options.verbose)))
				process.exitCode = 1;
		} else {
			introduce(demo, parts, [...remarks]);
			if (!signal.aborted) await once(signal, "abort");
			process.exitCode = 0;
		}
	} finally {
		await demo.close();
	}
}

function say(lines: string[]): void {
	for (const line of lines) console.log(printableLine(line));
}

/** Puts a key into each plugin entry that has a reference, and publishes throw-away ones. */
async function giveKeys(
	configuration: Configuration,
	{ routes }: Entities,
	remark: (text: string) => void,
): Promise<void> {
	// One throw-away key for all who refer to the same one.
	const byReference = new Map<unknown, EntryKey>();
	const entries = new Set(
		routes
			.flatMap(({ plugins }) => plugins)
			.filter(({ name }) => name === PLUGIN),
	);
	for (const entity of entries) {
		const { private_jwk: reference, jku } = entity.config;
		const key =
			byReference.get(reference) ?? (await keyOf(configuration, entity));
		byReference.set(reference, key);
		entity.config.private_jwk = key.text;
		if (key.remark) remark(key.remark);
		if (key.throwAway) publish(configuration, routes, jku, key.throwAway);
		if (!isPublished(configuration, entity))
			remark(
				`no route of the file serves the JWK Set of ${entity.what}: its tokens are verified with its own key`,
			);
	}
}

/** Adds a key to the JWK Set that the route at `jku` serves. */
function publish(
	configuration: Configuration,
	routes: ServedRoute[],
	jku: unknown,
	key: object,
): void {
	const { served } = findJwks(configuration, jku);
	const route = routes.find(
		({ matchable }) => matchable === served?.route.matchable,
	);
	const answer = route?.plugins.find(
		({ name }) => name === "request-termination",
	);
	if (!answer) return;
	try {
		const { keys = [] } = JSON.parse(String(answer.config.body));
		answer.config.body = JSON.stringify({ keys: [...keys, key] });
	} catch {
		// It may be filled in later; then the throw-away key is all there is.
		answer.config.body = JSON.stringify({ keys: [key] });
	}
}

/** Where Services really are, by `host` or `host:port`. */
function upstreamsOf(pairs: string[], { routes }: Entities): Map<string, URL> {
	const services = routes.flatMap(({ service }) => service ?? []);
	const hosts = services.flatMap((service) => [
		service.host,
		authority(service),
	]);
	return new Map(
		pairs.map((pair) => {
			const at = pair.indexOf("=");
			const [host, url] = [pair.slice(0, at), pair.slice(at + 1)];
			if (at < 1 || !/^https?:/.test(url) || !URL.canParse(url))
				throw new Error(`--upstream ${pair}: HOST=URL is expected`);
			if (!hosts.includes(host))
				throw new Error(
					`--upstream ${pair}: no Service has the host ${host}; there are ${[...new Set(hosts)].join(", ")}`,
				);
			return [host, new URL(url)];
		}),
	);
}

/** The running parts of a try, and what they have to know of each other. */
class Run {
	requests: TryRequest[] = [];
	readonly #configuration: Configuration;
	readonly #entities: Entities;
	readonly #upstreams: Map<string, URL>;
	/** The route of each request on its way, by Kong's request id. */
	readonly #pending = new Map<string, ServedRoute>();
	readonly #acceptances = new Map<ServedRoute, EntryAcceptance>();
	#echo = "";
	#fetchThrough: FetchThrough = async () => new Response(null, { status: 503 });

	constructor(
		configuration: Configuration,
		entities: Entities,
		upstreams: Map<string, URL>,
	) {
		this.#configuration = configuration;
		this.#entities = entities;
		this.#upstreams = upstreams;
	}

	/** Whether any route has an entry of the plugin. */
	get hasEntries(): boolean {
		return this.#entities.routes.some(({ plugins }) =>
			plugins.some(({ name }) => name === PLUGIN),
		);
	}

	async start(
		{ check, httpPort, httpsPort, backendPort, verbose, reported }: TryOptions,
		remark: (text: string) => void,
		signal: AbortSignal,
	): Promise<Demo> {
		const log = onceEach(stderrLog(verbose ? "info" : "warn"), reported);
		return startDemo({
			configuration: this.#entities,
			httpPort: check ? 0 : httpPort,
			httpsPort: check ? 0 : httpsPort,
			gateway: {
				lenient: true,
				upstreamOf: (service) => this.#upstreamOf(service),
				onProxy: ({ id, route }) => this.#remember(id, route),
				fetch: ((url: string | URL) => identityProvider(url)) as typeof fetch,
			},
			startBackend: async (gateway) => {
				this.#fetchThrough = (url) => through(gateway, url);
				this.requests = await makeRequests(this.#entities, gateway, remark);
				const backend = await startBackend({
					host: "localhost",
					port: check ? 0 : backendPort,
					answersAnyPath: true,
					jwksUrl: `${gateway.httpUrl}/x-custom-jwt/jwks`,
					...this.#expected(),
					acceptanceOf: ({ headers }) =>
						this.#acceptanceOf(String(headers["x-kong-request-id"])),
					inspector: {
						folder: join(packageRoot(), "dist/inspector"),
						jwksUrl: `${gateway.httpUrl}/x-custom-jwt/jwks`,
						keySet: () => this.#keySet(),
						flows: async () => this.requests,
					},
				});
				this.#echo = `http://localhost:${backend.anyPathPort}`;
				return backend;
			},
			signal,
			log,
		});
	}

	#upstreamOf(service: ServiceEntity): URL {
		return (
			this.#upstreams.get(authority(service)) ??
			this.#upstreams.get(service.host) ??
			new URL(this.#echo)
		);
	}

	#remember(id: string, route: ServedRoute): void {
		const [oldest] = this.#pending.keys();
		if (this.#pending.size >= MAX_PENDING && oldest !== undefined)
			this.#pending.delete(oldest);
		this.#pending.set(id, route);
	}

	#acceptanceOf(id: string): EntryAcceptance | undefined {
		const route = this.#pending.get(id);
		this.#pending.delete(id);
		return route && this.#acceptanceOn(route);
	}

	#acceptanceOn(route: ServedRoute): EntryAcceptance {
		const known = this.#acceptances.get(route);
		if (known) return known;
		const entry = route.plugins.find(({ name }) => name === PLUGIN);
		const made = entry
			? acceptanceFor(this.#configuration, entry, route.service, (url) =>
					this.#fetchThrough(url),
				)
			: WITHOUT_ENTRY;
		this.#acceptances.set(route, made);
		return made;
	}

	/** What any of the routes accepts: for tokens that are pasted into the inspector. */
	#expected() {
		const all = this.#entities.routes
			.map((route) => this.#acceptanceOn(route))
			.filter((acceptance) => acceptance !== WITHOUT_ENTRY)
			.map(({ expectations }) => expectations);
		const unique = (texts: (string | string[] | undefined)[]) => [
			...new Set(texts.flat().filter((text) => text !== undefined)),
		];
		const isAnyAudience = all.some(({ audience }) => audience === undefined);
		return {
			issuer: unique(all.map(({ issuer }) => issuer)),
			audience: isAnyAudience
				? undefined
				: unique(all.map(({ audience }) => audience)),
			algorithms: unique(all.map(({ algorithms }) => algorithms)),
		};
	}

	/** All keys that verify tokens of the file, for the inspector. */
	async #keySet(): Promise<{ keys: unknown[] }> {
		const sets = await Promise.all(
			this.#entities.routes.map((route) => this.#acceptanceOn(route).keys()),
		);
		const texts = new Set(sets.flat().map((key) => JSON.stringify(key)));
		return { keys: [...texts].map((text) => JSON.parse(text)) };
	}
}

/** A route without the plugin needs no token. */
const WITHOUT_ENTRY = {
	header: "x-custom-jwt",
	isOptional: true,
	expectations: {
		issuer: [],
		audience: undefined,
		algorithms: [],
		requiredClaims: [],
	},
	keys: async () => [],
	verify: async () => {
		throw new Error("no plugin entry is on this route");
	},
};

/** Sends a request for any URL to the gateway, with the host of the URL. */
async function through(
	{ httpUrl, httpsUrl }: Gateway,
	url: string,
): Promise<Response> {
	const { protocol, host, hostname, pathname, search } = new URL(url);
	const isTls = protocol === "https:";
	const reply = await send((isTls ? httpsUrl : httpUrl) + pathname + search, {
		headers: { host },
		...(isTls && { servername: hostname, rejectUnauthorized: false }),
	});
	return new Response(reply.body, { status: reply.status });
}

/** Stands in for every identity provider: its tokens are signed with a test key. */
async function identityProvider(url: string | URL): Promise<Response> {
	const suffix = "/.well-known/openid-configuration";
	const asked = String(url);
	if (!asked.endsWith(suffix)) return Response.json(idpKeySet);
	const issuer = asked.slice(0, -suffix.length);
	return Response.json({ issuer, jwks_uri: `${issuer}/jwks` });
}

/** A log that prints the same line once, and warnings not at all that have been reported. */
function onceEach(log: Log, reported: string[]): Log {
	const printed = new Set<string>();
	return (level, message) => {
		const own = message.replace(/^x-custom-jwt: (config\/)?/, "");
		if (printed.has(message) || reported.some((one) => one.endsWith(own)))
			return;
		// Lines with changing parts must not fill the memory.
		if (printed.size < MAX_PENDING) printed.add(message);
		log(level, message);
	};
}

/** Says where everything is, and which requests to send. */
function introduce(
	{ gateway, backend }: Demo,
	{ requests, hasEntries }: Run,
	remarks: string[],
): void {
	say([
		...remarks.map((text) => `note: ${text}`),
		"",
		`Gateway  ${gateway.httpUrl}  ${gateway.httpsUrl}`,
		"Every Service leads to an echo backend, which verifies the token and answers with it; --upstream HOST=URL sends one elsewhere.",
		...(hasEntries
			? []
			: [
					"No plugin entry of x-custom-jwt is in the file, so no backend gets a token: npx kong-plugin-x-custom-jwt init --add-to FILE adds one.",
				]),
		"",
	]);
	for (const { name, status, curl } of requests.slice(0, PRINTED))
		say([`# ${name}${status === 200 ? "" : ` (${status})`}`, curl, ""]);
	if (requests.length > PRINTED)
		say([
			`${requests.length - PRINTED} more requests are in the inspector.`,
			"",
		]);
	say([`Ctrl-C ends. Token inspector: http://localhost:${backend.port}/`]);
}

/** Sends every request. Resolves to whether each got what the file asks for. */
async function sendAll(
	requests: TryRequest[],
	verbose: boolean,
): Promise<boolean> {
	let good = true;
	for (const request of requests) {
		const { passed, got, jwt } = await runFlow(request);
		say([`${passed ? "ok    " : "FAILED"} ${request.name}  ${got}`]);
		if (verbose && jwt) say([`       ${JSON.stringify(jwt)}`]);
		good &&= passed;
	}
	return good;
}
