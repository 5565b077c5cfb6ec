import {
	dedicatedServer,
	stockServer,
} from "../../local/gateway/plugin-server";
import { Client, clientOf, StockClient } from "../support/client";
import {
	CONFIGS,
	loadOn,
	marks,
	marksIn,
	ROUTES,
	Worker,
} from "../support/kong-worker";
import {
	type ServerProcess,
	startServer,
	temporaryFolder,
} from "../support/server";

const KILLS = 4;

const DEDICATED = dedicatedServer();
const STOCK = stockServer();

test(`each request has a token of its own route's key, or 500, while the server is killed ${KILLS} times`, async () => {
	const folder = temporaryFolder();
	let server = await startServer(DEDICATED, [], folder);
	const worker = new Worker(server.socketPath);
	const load = loadOn(worker);
	await load.untilSigned();
	for (let kill = 0; kill < KILLS; kill++) {
		await server.kill();
		server = await startServer(DEDICATED, [], folder);
		await load.untilSigned();
	}
	const { wrong, failed } = await load.end();
	await worker.close();
	await server.kill();
	expect(wrong).toEqual([]);
	expect(failed).toBeGreaterThan(0);
});

test("an event in flight while the server is killed is answered after its restart", async () => {
	const folder = temporaryFolder();
	const first = await startServer(DEDICATED, [], folder);
	const client = new Client(first.socketPath);
	await client.startEvent(await client.startInstance(CONFIGS[0] ?? {}));
	await client.nextCall();
	const answered = client
		.finishEvent(clientOf("alice"))
		.catch((error) => error);
	await first.kill();
	await answered;
	const second = await startServer(DEDICATED, [], folder);
	const worker = new Worker(second.socketPath);
	expect(marksIn(await worker.request(0))).toEqual(marks(0));
	await worker.close();
	await second.kill();
});

describe("ids that Kong holds from before a restart", () => {
	/** A process that has started instances in the given order. */
	async function startWith(command: string[], routes: number[]) {
		const server = await startServer(command);
		const client =
			command === STOCK
				? new StockClient(server.socketPath)
				: new Client(server.socketPath);
		const instances = new Map<number, number>();
		for (const route of routes)
			instances.set(route, await client.startInstance(CONFIGS[route] ?? {}));
		return { server, client, instances };
	}

	const routes = CONFIGS.map((_, route) => route);

	/** Two processes in a row that Kong's workers meet in different orders. */
	async function restart(command: string[]) {
		const before = await startWith(command, routes);
		await before.server.kill();
		const after = await startWith(command, routes.toReversed());
		const ids = new Set(after.instances.values());
		const same = [...before.instances.values()].filter((id) => ids.has(id));
		return { before, after, same };
	}

	const servers: ServerProcess[] = [];
	afterEach(() => Promise.all(servers.splice(0).map((one) => one.kill())));

	/** Runs a phase on each instance; the token's marks, or what went wrong. */
	async function runOn(
		client: Client | StockClient,
		instances: Map<number, number>,
	) {
		const outcomes = [];
		// One after the other, for the stock server.
		for (const id of instances.values())
			outcomes.push(
				await client
					.runPhase(id, clientOf("alice"))
					.then(marksIn, (error: Error) => error.message),
			);
		return outcomes;
	}

	test("are unknown to the next process, which closes the connection: Kong starts them again", async () => {
		const { before, after, same } = await restart(DEDICATED);
		servers.push(after.server);
		expect(same).toEqual([]);
		expect(await runOn(after.client, before.instances)).toEqual(
			routes.map(() => "the connection closed"),
		);
		// And its own work as they should.
		expect(await runOn(after.client, after.instances)).toEqual(
			routes.toReversed().map(marks),
		);
	});

	test("have another route's key on the stock server, for comparison", async () => {
		const { before, after, same } = await restart(STOCK);
		servers.push(after.server);
		expect(same).toHaveLength(ROUTES);
		expect(await runOn(after.client, before.instances)).toEqual(
			routes.toReversed().map(marks),
		);
	});

	test("are positive int32, each another", async () => {
		const { server, instances } = await startWith(DEDICATED, routes);
		servers.push(server);
		for (const id of instances.values()) expect(id).toBe(id & 0x7fff_ffff);
		expect(new Set(instances.values()).size).toBe(ROUTES);
	});
});
