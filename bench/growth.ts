/**
 * How does the cost of a request on the dedicated plugin server grow: with connections, instances, callers, the
 * size of the token, and the RSA key?
 */
import { generateKeyPairSync } from "node:crypto";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { testKey } from "../local/demo/flows";
import { Plugin } from "../plugins/x-custom-jwt";
import { SET_HEADER } from "../test/support/client";
import { asking, type KnownRequest } from "../test/support/facts";
import { credentials, requests, unsignedToken } from "../test/support/samples";
import { type Limit, LoadedServer, type Next } from "./load";
import { plot } from "./plot";
import { amount, report } from "./report";
import { inTurns, quantile, ROUNDS, ratios, spread, table } from "./rounds";

const CONNECTIONS = 8;
/** Of a round. */
const LIMIT = { seconds: amount(0.2) };

/** One size of what grows, on a server of its own. */
interface Step {
	size: number;
	server: LoadedServer;
	next: Next;
	limit: Limit;
}

const ES256 = { private_jwk: testKey("ES256-jwk-private.json") };

/** Requests that are all alike. */
async function uniform(
	size: number,
	{
		config = ES256,
		request = requests.key,
		connections = CONNECTIONS,
	}: {
		config?: Record<string, unknown>;
		request?: KnownRequest;
		connections?: number;
	},
): Promise<Step> {
	const server = await LoadedServer.start("dedicated", connections);
	const instance = await server.startInstance(config);
	return { size, server, next: () => [instance, request], limit: LIMIT };
}

async function withInstances(size: number): Promise<Step> {
	const server = await LoadedServer.start("dedicated", CONNECTIONS);
	const instances: number[] = [];
	while (instances.length < size)
		instances.push(await server.startInstance(ES256));
	let i = 0;
	const next: Next = () => [instances[i++ % size] ?? 0, requests.key];
	return { size, server, next, limit: LIMIT };
}

/** Callers with a credential of their own each, one after the other, again and again. */
async function withCallers(size: number): Promise<Step> {
	const server = await LoadedServer.start("dedicated", CONNECTIONS);
	const instance = await server.startInstance({
		private_jwk: testKey("HS256-jwk.json"),
		audience: ["https://orders.example"],
		reuse_for: 3600,
	});
	let i = 0;
	const next: Next = () => {
		const id = i++ % size;
		const key = `key of caller ${id}`;
		const credential = { ...credentials.key, id: `${id}`, key };
		return [instance, { ...requests.key, credential }];
	};
	// So that the warm-up and all rounds together see all callers.
	const limit = { requests: Math.max(amount(10_000), size / (ROUNDS + 1)) };
	return { size, server, next, limit };
}

/** A caller whose own token has so many claims; the size is that of the token which the backend gets, in bytes. */
async function withClaims(kilobytes: number): Promise<Step> {
	const claims = { clientId: "web-shop", roles: [] as string[] };
	while (JSON.stringify(claims).length < 1024 * kilobytes)
		claims.roles.push(`orders:region-${claims.roles.length}:read`);
	const shared = { authenticated_jwt_token: unsignedToken(claims) };
	const request = { ...requests.jwt, shared };
	const step = await uniform(0, { request });
	return { ...step, size: (await tokenOf(step)).length };
}

/**
 * The token of a step's next request.
 *
 * @throws when it gets none: a refusal must not be measured as a token
 */
async function tokenOf({ server, next }: Step): Promise<string> {
	const calls = await server.clients[0]?.runPhase(...next());
	const header = calls?.find(({ method }) => method === SET_HEADER);
	if (!header) throw new Error(`no token: ${JSON.stringify(calls)}`);
	return String(header.args[1]);
}

function withRsaKey(bits: number): Promise<Step> {
	const { privateKey } = generateKeyPairSync("rsa", { modulusLength: bits });
	const private_jwk = JSON.stringify(privateKey.export({ format: "jwk" }));
	return uniform(bits, { config: { private_jwk } });
}

type Column = "cpu" | "requests" | "p50" | "p99" | "memory";

/** Of one size: the figures of all rounds. */
interface Size {
	size: number;
	column: (name: Column) => number[];
}

/** Measures the steps in turns. */
async function measure(starting: Promise<Step>[]): Promise<Size[]> {
	const steps = await Promise.all(starting);
	// A round of warm-up.
	for (const step of steps) {
		await tokenOf(step);
		await step.server.run(step.next, step.limit);
	}
	const rounds = await inTurns(steps, async ({ server, next, limit }) => ({
		...(await server.run(next, limit)),
		memory: server.memory,
	}));
	for (const { server } of steps) await server.stop();
	return [...rounds].map(([{ size }, figures]) => ({
		size,
		column: (name) => figures.map((round) => round[name]),
	}));
}

/** @param grown by what grows */
function tableOf(grown: Record<string, Size[]>): string {
	const rows = Object.entries(grown).flatMap(([unit, sizes]) =>
		sizes.map(({ size, column }) => [
			`${unit}: ${size.toLocaleString("en")}`,
			spread(column("cpu")),
			spread(ratios(column("cpu"), sizes[0]?.column("cpu") ?? []), 2),
			spread(column("requests")),
			spread(column("p50")),
			spread(column("p99")),
			spread(column("memory")),
		]),
	);
	const head = [
		"",
		"CPU, µs/request",
		"ratio to its first",
		"requests/s",
		"p50, µs",
		"p99, µs",
		"memory, MB",
	];
	return table(head, rows);
}

/** What a plot shows of the sizes: the medians. */
function line(sizes: Size[], name: Column): [number, number][] {
	return sizes.map(({ size, column }) => [size, quantile(column(name), 0.5)]);
}

/** What a token takes that is kept for `reuse_for`, by what its claims and its signature take. */
async function memoryOfTokens(): Promise<string> {
	setFlagsFromString("--expose-gc");
	const collect: () => void = runInNewContext("gc");
	const used = () => {
		collect();
		const { heapUsed, external } = process.memoryUsage();
		return heapUsed + external;
	};
	const rows: (string | number)[][] = [];
	// Else they are collected before they are measured.
	const plugins: Plugin[] = [];
	for (const alg of ["ES256", "RS256"])
		for (const claimBytes of [0, 2000]) {
			const plugin = new Plugin(
				{
					private_jwk: testKey(`${alg}-jwk-private.json`),
					upstream_custom_jwt_header: "X-Custom-Jwt",
					audience: ["https://orders.example"],
					set_claims: { claim: "a".repeat(claimBytes) || "a" },
					reuse_for: 3600,
				},
				{ ownInstance: true },
			);
			plugins.push(plugin);
			const count = amount(10_000);
			let bytes = 0;
			const before = used();
			for (let i = 0; i < count; i++) {
				const credential = { ...credentials.key, key: `key of caller ${i}` };
				const { ask } = asking({ ...requests.key, credential });
				const { upstreamHeaders } = await plugin.decide(ask);
				bytes += upstreamHeaders[0]?.[1].length ?? Number.NaN;
			}
			rows.push([
				alg,
				Math.round(bytes / count),
				Math.round((used() - before) / count),
			]);
		}
	plugins.splice(0);
	return table(
		["tokens kept for reuse", "bytes of a token", "memory of one, bytes"],
		rows,
	);
}

report("growth", async () => {
	// First, while the process has nothing else in its memory.
	const tokens = await memoryOfTokens();
	const connections = await measure(
		[1, 8, 32, 128, 512].map((connections) =>
			uniform(connections, { connections }),
		),
	);
	const bytes = await measure([0.5, 2, 8, 32].map(withClaims));
	const instances = await measure([1, 10, 1000].map(withInstances));
	const callers = await measure(
		[1, 10_000, amount(1_000_000)].map(withCallers),
	);
	const bits = await measure([2048, 3072, 4096].map(withRsaKey));
	return [
		tableOf({
			connections,
			"token, bytes": bytes,
			instances,
			callers,
			"RSA key, bits": bits,
		}),
		tokens,
		plot("connections", {
			title: "Latency against connections",
			x: { name: "connections", type: "category" },
			y: { name: "latency, µs", type: "log" },
			lines: [
				{ name: "p50", points: line(connections, "p50") },
				{ name: "p99", points: line(connections, "p99") },
			],
		}),
		plot("token-size", {
			title: "CPU of a request against the size of its token",
			x: { name: "token, bytes", type: "value" },
			y: { name: "CPU, µs/request", type: "value" },
			lines: [{ name: "CPU", points: line(bytes, "cpu") }],
		}),
	];
});
