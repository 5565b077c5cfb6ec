import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { dedicatedServer } from "../../local/gateway/plugin-server";
import privateJwk from "../../test-keys/ES256-jwk-private.json";
import { Client, clientOf, nobody } from "../support/client";
import { scrape } from "../support/scrape";
import {
	type ServerProcess,
	startServer,
	temporaryFolder,
	until,
} from "../support/server";

/** Events before memory is looked at, and those that must not add to it. */
const WARM_UP = 8_000;
const EVENTS = 30_000;
const CONNECTIONS = 16;

const DEDICATED = dedicatedServer();

/** Runs events of Kong's on several connections at once. */
async function load(
	{ socketPath }: ServerProcess,
	instance: number,
	count: number,
	run: (client: Client, instance: number, index: number) => Promise<unknown>,
): Promise<void> {
	let next = 0;
	await Promise.all(
		Array.from({ length: CONNECTIONS }, async () => {
			const client = new Client(socketPath);
			while (next < count) await run(client, instance, next++);
			await client.close();
		}),
	);
}

/** Resident memory of a process, in MB. */
function residentMegabytes(pid: number): number {
	const status = readFileSync(`/proc/${pid}/status`, "utf8");
	return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024;
}

/** Each way in which an event can end, one after the other. */
async function anyEvent(client: Client, instance: number, index: number) {
	switch (index % 5) {
		case 0:
			return client.runPhase(instance, clientOf("alice"));
		case 1:
			return client.runPhase(instance, nobody);
		// The client goes away before Kong answers, while it does, and while the plugin works.
		case 2:
			await client.startEvent(instance);
			return client.close();
		case 3:
			await client.startEvent(instance);
			await client.nextCall();
			return client.close();
		default: {
			await client.startEvent(instance);
			const call = await client.nextCall();
			if (call) await client.answer(call, nobody);
			return client.close();
		}
	}
}

/**
 * The least memory that a process has within some time without events, in megabytes: what is not yet
 * collected comes and goes, what leaks stays.
 */
async function restingMegabytes(pid: number): Promise<number> {
	const levels: number[] = [];
	const end = Date.now() + 2000;
	while (Date.now() < end) {
		levels.push(residentMegabytes(pid));
		await sleep(50);
	}
	return Math.min(...levels);
}

/** How far above `level` memory may be: 10 %, and what V8 keeps for later. */
const allowed = (level: number) => level * 1.1 + 8;

// Where there is no /proc the run says that it skipped these.
const onLinux = process.platform === "linux" ? describe : describe.skip;

onLinux("memory", () => {
	async function start(flags: string[]) {
		const server = await startServer(DEDICATED, flags);
		const client = await server.connect();
		const instance = await client.startInstance({
			private_jwk: JSON.stringify(privateJwk),
		});
		return { server, instance };
	}

	test(`is where it was after ${EVENTS} more events, none of which is left`, async () => {
		const metrics = join(temporaryFolder(), "metrics.sock");
		const { server, instance } = await start([
			"--metrics",
			metrics,
			// What Kong does not come back to goes away by then.
			"--phase-timeout",
			"0.4",
		]);
		const inFlight = async () =>
			(await scrape(metrics)).get("x_custom_jwt_events_in_flight");

		const levelAfter = async (count: number) => {
			await load(server, instance, count, anyEvent);
			await until("no event is left", async () => (await inFlight()) === 0);
			return restingMegabytes(server.pid);
		};

		const before = await levelAfter(WARM_UP);
		const after = await levelAfter(EVENTS);
		expect(after).toBeLessThan(allowed(before));
		await server.kill();
	});
});
