/**
 * How do tokens per second grow with a second process (`--workers 2`) when frames are the only load, and what memory does
 * each process have? The load is recorded frames, so that most of both cores is the server's.
 */
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { testKey } from "../local/demo/flows";
import { Client } from "../test/support/client";
import { requests, service } from "../test/support/samples";
import { LoadedServer } from "./load";
import { type Plot, plot } from "./plot";
import { cpuMicroseconds, residentMegabytes } from "./proc";
import { Replay, record } from "./replay";
import { amount, report } from "./report";
import { inTurns, quantile, ratios, spread, table } from "./rounds";

const CONNECTIONS = 16;
const SECONDS = amount(2);
const COUNTS = [1, 2];

const withKey = (file: string) => ({
	private_jwk: testKey(file),
	service_id: service.id,
});
const OUTCOMES = {
	"fresh, RS256": withKey("RS256-jwk-private.json"),
	"fresh, ES256": withKey("ES256-jwk-private.json"),
	reused: { ...withKey("ES256-jwk-private.json"), reuse_for: 600 },
};

/** The processes of a plugin server. */
function processesOf(pid: number): number[] {
	const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8");
	return [pid, ...children.split(" ").filter(Boolean).map(Number)];
}

async function prepare(workers: number, config: Record<string, unknown>) {
	const flags = ["--workers", `${workers}`];
	const server = await LoadedServer.start("dedicated", 1, flags);
	const instance = await server.startInstance(config);
	const { socketPath } = server.process;
	// The first request of an instance on each process may bring warnings.
	const clients = await Promise.all(
		Array.from({ length: 4 * workers }, () => Client.connect(socketPath)),
	);
	for (const client of clients) await client.runPhase(instance, requests.key);
	for (const client of clients) await client.close();
	const turns = await record(socketPath, instance, requests.key);
	const replays: Replay[] = [];
	for (let count = 0; count < CONNECTIONS; count++)
		replays.push(await Replay.open(socketPath, turns));
	return { server, replays, pids: processesOf(server.pid) };
}

async function load({ replays, pids }: Awaited<ReturnType<typeof prepare>>) {
	const cpuOf = () => pids.map(cpuMicroseconds);
	const cpuBefore = cpuOf();
	const before = replays.map(({ requests }) => requests);
	const start = performance.now();
	for (const replay of replays) replay.start();
	await sleep(SECONDS * 1000);
	await Promise.all(replays.map((replay) => replay.stop()));
	const seconds = (performance.now() - start) / 1000;
	const made = replays.reduce(
		(sum, { requests }, index) => sum + requests - (before[index] ?? 0),
		0,
	);
	const cpu = cpuOf().map((after, index) => after - (cpuBefore[index] ?? 0));
	return {
		tokens: made / seconds,
		cpu: cpu.reduce((sum, one) => sum + one, 0) / made,
		/** Of the process that has least to do, as a share of all. */
		least: Math.min(...cpu) / cpu.reduce((sum, one) => sum + one, 0),
		memory: pids.map(residentMegabytes),
	};
}

report("workers", async () => {
	const rows = [];
	const lines: Plot["lines"] = [];
	for (const [name, config] of Object.entries(OUTCOMES)) {
		const sides = [];
		for (const count of COUNTS) sides.push(await prepare(count, config));
		// Warm.
		for (const side of sides) await load(side);
		const rounds = await inTurns(sides, load);
		const [one = [], two = []] = sides.map((side) => rounds.get(side) ?? []);
		const column = (of: "tokens" | "cpu" | "least", digits = 0) =>
			[one, two].map((figures) =>
				spread(
					figures.map((f) => f[of]),
					digits,
				),
			);
		rows.push([
			name,
			...column("tokens"),
			spread(
				ratios(
					two.map(({ tokens }) => tokens),
					one.map(({ tokens }) => tokens),
				),
				2,
			),
			...column("cpu"),
			column("least", 2)[1] ?? "",
			[one, two]
				.map((figures) =>
					(figures.at(-1)?.memory ?? []).map(Math.round).join(" + "),
				)
				.join(", "),
		]);
		lines.push({
			name,
			points: [one, two].map((figures, index): [number, number] => [
				COUNTS[index] ?? 0,
				quantile(
					figures.map(({ tokens }) => tokens),
					0.5,
				),
			]),
		});
		for (const { server, replays } of sides) {
			for (const replay of replays) replay.close();
			await server.stop();
		}
	}
	return [
		table(
			[
				`${CONNECTIONS} connections`,
				"tokens/s, 1 process",
				"2 processes",
				"ratio",
				"CPU, µs/token, 1 process",
				"2 processes",
				"share of the less busy",
				"memory, MB",
			],
			rows,
		),
		plot("workers", {
			title: "Tokens per second against workers, on two cores",
			x: { name: "workers", type: "category" },
			y: { name: "tokens/s", type: "value" },
			lines,
		}),
	];
});
