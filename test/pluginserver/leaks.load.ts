import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { residentMegabytes } from "../../bench/proc";
import privateJwk from "../../test-keys/ES256-jwk-private.json";
import { Client, clientOf, nobody } from "../support/client";
import { scrape } from "../support/scrape";
import {
	bundledStockServer,
	dedicatedServer,
	type ServerProcess,
	startServer,
	temporaryFolder,
	until,
} from "../support/server";

/** Events before memory is looked at, and those that must not add to it. */
const WARM_UP = 8_000;
const EVENTS = 25_000;
const CONNECTIONS = 16;

const DEDICATED = dedicatedServer();
const STOCK = bundledStockServer();

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
			let client = await Client.connect(socketPath);
			while (next < count) {
				await run(client, instance, next++);
				if (client.socket.destroyed) client = await Client.connect(socketPath);
			}
			await client.close();
		}),
	);
}

/** Each way in which an event can end, one after the other. */
async function anyEvent(client: Client, instance: number, index: number) {
	switch (index % 5) {
		case 0:
			return client.runPhase(instance, clientOf("alice"));
		case 1:
			return client.runPhase(instance, nobody);
		// Kong gives up while it makes a PDK call, the first or a later one.
		case 2:
			await client.handleEvent(instance);
			return client.close();
		case 3:
			await client.step(await client.handleEvent(instance), nobody);
			return client.close();
		// Kong gives up while the plugin works.
		default: {
			const step = await client.handleEvent(instance);
			client.step(step, nobody).catch(() => {});
			return client.close();
		}
	}
}

const rejectedEvent = (client: Client, instance: number) =>
	client.runPhase(instance, nobody);

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
	async function start(command: string[], flags: string[] = []) {
		const server = await startServer(command, flags);
		const client = await server.connect();
		const instance = await client.startInstance({
			private_jwk: JSON.stringify(privateJwk),
		});
		return { server, instance };
	}

	test(`is where it was after ${EVENTS} more events, none of which is left`, async () => {
		const metrics = join(temporaryFolder(), "metrics.sock");
		const { server, instance } = await start(DEDICATED, [
			...["--metrics", metrics],
			// What Kong does not come back to goes away by then.
			...["--phase-timeout", "0.4"],
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
	}, 60_000);

	test("grows with rejections on the stock server, for comparison", async () => {
		const { server, instance } = await start(STOCK);
		const levelAfter = async (count: number) => {
			await load(server, instance, count, rejectedEvent);
			return restingMegabytes(server.pid);
		};

		const before = await levelAfter(WARM_UP);
		const after = await levelAfter(EVENTS);
		expect(after).toBeGreaterThan(allowed(before));
		await server.kill();
	}, 60_000);
});
