/**
 * Does the dedicated plugin server keep anything, and does its event loop stay free? Ten minutes of valid,
 * rejected and aborted requests, a third each, with pauses.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { testKey } from "../local/demo/flows";
import { clientOf, nobody } from "../test/support/client";
import { scrape } from "../test/support/scrape";
import { LoadedServer } from "./load";
import { plot } from "./plot";
import { amount, report } from "./report";
import { quantile, table } from "./rounds";

const CONNECTIONS = 8;
const CYCLES = 5;
/** In seconds, of each cycle. The pause is longer than the server takes to notice that it is at rest. */
const TRAFFIC = amount(95);
const REST = 25;

/** Sends requests as fast as the server answers. */
async function traffic(
	server: LoadedServer,
	isOver: (requests: number) => boolean,
): Promise<number> {
	const instance = await server.startInstance({
		private_jwk: testKey("HS256-jwk.json"),
	});
	let requests = 0;
	const loop = async () => {
		const client = server.connect();
		while (!isOver(requests)) {
			requests += 3;
			await client.runPhase(instance, clientOf("k"));
			await client.runPhase(instance, nobody);
			// Aborted: the plugin waits for results that never come.
			await client.startEvent(instance);
			await client.close();
		}
		await client.close();
	};
	await Promise.all(Array.from({ length: CONNECTIONS }, loop));
	return requests;
}

interface Sample {
	minute: number;
	/** Resident, in MB. */
	memory: number;
	/** Greatest event-loop delay since the last sample, in milliseconds. */
	delay: number;
}

/** Of Node.js's figure, which is the time between two runs of a timer that is due every 10 ms. */
function delay(seconds: number): number {
	return Math.max(0, seconds * 1000 - 10);
}

/** Reads the server's metrics every two seconds until told to stop. */
function sample(metrics: string): () => Promise<Sample[]> {
	const samples: Sample[] = [];
	const started = performance.now();
	let isOver = false;
	const loop = async () => {
		while (!isOver) {
			await sleep(2000);
			const values = await scrape(metrics);
			const value = (name: string) => values.get(name) ?? Number.NaN;
			samples.push({
				minute: (performance.now() - started) / 60_000,
				memory: value("process_resident_memory_bytes") / 2 ** 20,
				delay: delay(value("nodejs_eventloop_lag_max_seconds")),
			});
		}
		return samples;
	};
	const done = loop();
	return () => {
		isOver = true;
		return done;
	};
}

report("soak", async () => {
	const folder = mkdtempSync(join(tmpdir(), "x-custom-jwt-"));
	const metrics = join(folder, "metrics.sock");
	const flags = ["--log-level", "error", "--metrics", metrics];
	const dedicated = await LoadedServer.start("dedicated", 1, flags);
	const stopSampling = sample(metrics);
	const rows: string[][] = [];
	const row = async (name: string, server: LoadedServer, requests: number) => {
		const busy = server.memory;
		await sleep(REST * 1000);
		rows.push([
			name,
			requests.toLocaleString("en"),
			busy.toFixed(0),
			server.memory.toFixed(0),
		]);
	};
	let requests = 0;
	for (let cycle = 0; cycle < CYCLES; cycle++) {
		const end = performance.now() + TRAFFIC * 1000;
		requests += await traffic(dedicated, () => performance.now() > end);
		await row("dedicated", dedicated, requests);
	}
	const samples = await stopSampling();
	await dedicated.stop();
	rmSync(folder, { recursive: true });

	const stock = await LoadedServer.start("stock", 1);
	for (const goal of [50_000, 100_000].map(amount)) {
		await traffic(stock, (requests) => requests >= amount(50_000));
		await row("stock", stock, goal);
	}
	await stock.stop();

	const delays = samples.map(({ delay }) => delay);
	return [
		table(
			[
				"plugin server",
				"requests so far",
				"memory under load, MB",
				`after ${REST} s of rest, MB`,
			],
			rows,
		),
		`Event-loop delay, greatest of each two seconds: median ${quantile(delays, 0.5).toFixed(0)} ms, p99 ${quantile(delays, 0.99).toFixed(0)} ms, greatest of all ${Math.max(...delays).toFixed(0)} ms.`,
		plot("soak", {
			title: "Resident memory of the dedicated plugin server",
			x: { name: "minutes", type: "value" },
			y: { name: "memory, MB", type: "value" },
			lines: [
				{
					name: "resident memory",
					points: samples.map(({ minute, memory }) => [minute, memory]),
				},
			],
		}),
	];
});
