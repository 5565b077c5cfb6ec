/**
 * The dedicated plugin server beside the stock one, on the bundled plugin: time to answer the query
 * command, idle memory, and CPU of the process per request. Medians of five rounds, the two taking turns.
 */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { PluginServer, stockServer } from "../test/gateway/plugin-server";
import {
	Client,
	clientOf,
	nobody,
	type PdkAnswers,
} from "../test/pluginserver/client";
import { cpuSeconds, median, residentMegabytes } from "./proc";

const ROOT = join(__dirname, "..");
const ROUNDS = 5;
const CONNECTIONS = 8;
const WARM_UP = 3_000;

const SERVERS = {
	stock: stockServer(join(ROOT, "dist/plugins")),
	dedicated: [
		process.execPath,
		join(ROOT, "dist/x-custom-jwt-pluginserver.js"),
	],
	executable: [join(ROOT, "dist/x-custom-jwt-pluginserver")],
};
type Name = keyof typeof SERVERS;
const NAMES = Object.keys(SERVERS) as Name[];

/** What a request is like: a key of test-keys, and what Kong says. */
const REQUESTS: [string, keyFile: string, PdkAnswers, requests: number][] = [
	["refused (5 calls)", "HS256-jwk.json", nobody, 10_000],
	["4 calls, HS256 (hardly signed)", "HS256-jwk.json", clientOf("k"), 10_000],
	["4 calls, ES256", "ES256-jwk-private.json", clientOf("k"), 10_000],
	["4 calls, RS256", "RS256-jwk-private.json", clientOf("k"), 5_000],
];

function dumpMilliseconds([program = "", ...args]: string[]): number {
	const started = performance.now();
	execFileSync(program, [...args, "--dump-all-plugins"]);
	return performance.now() - started;
}

async function withServer<T>(
	name: Name,
	use: (server: PluginServer) => T | Promise<T>,
): Promise<T> {
	const server = new PluginServer(SERVERS[name], () => {});
	await server.start();
	try {
		return await use(server);
	} finally {
		await server.stop();
	}
}

/** CPU of the plugin server per request, in microseconds. */
function requestCost(
	name: Name,
	keyFile: string,
	answers: PdkAnswers,
	requests: number,
): Promise<number> {
	return withServer(name, async ({ socketPath, pid = 0 }) => {
		const clients = await Promise.all(
			Array.from({ length: CONNECTIONS }, () => Client.connect(socketPath)),
		);
		const private_jwk = readFileSync(join(ROOT, "test-keys", keyFile), "utf8");
		const instance = (await clients[0]?.startInstance({ private_jwk })) ?? 0;
		const run = async (count: number) => {
			let left = count;
			const loop = async (client: Client) => {
				while (left-- > 0) await client.runPhase(instance, answers);
			};
			await Promise.all(clients.map(loop));
		};
		await run(WARM_UP);
		const before = cpuSeconds(pid);
		await run(requests);
		const cost = ((cpuSeconds(pid) - before) / requests) * 1e6;
		await Promise.all(clients.map((client) => client.close()));
		return cost;
	});
}

async function row(
	what: string,
	measure: (name: Name) => number | Promise<number>,
): Promise<void> {
	const figures = new Map<Name, number[]>(NAMES.map((name) => [name, []]));
	for (let round = 0; round < ROUNDS; round++)
		for (const name of NAMES) figures.get(name)?.push(await measure(name));
	const medians = NAMES.map((name) => median(figures.get(name) ?? []));
	const ratio = (medians[1] ?? 0) / (medians[0] ?? 1);
	const cells = [
		...medians.map((figure) => figure.toFixed(0)),
		ratio.toFixed(2),
	];
	console.log(`| ${what} | ${cells.join(" | ")} |`);
}

async function main(): Promise<void> {
	console.log(`| | ${NAMES.join(" | ")} | dedicated / stock |`);
	console.log("|---|---|---|---|---|");
	await row("answer the query command, ms", (name) =>
		dumpMilliseconds(SERVERS[name]),
	);
	await row("idle memory, MB", (name) =>
		withServer(name, ({ pid = 0 }) => residentMegabytes(pid)),
	);
	for (const [what, ...request] of REQUESTS)
		await row(`CPU per request, µs: ${what}`, (name) =>
			requestCost(name, ...request),
		);
}

main();
