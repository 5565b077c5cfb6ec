import { generateKeyPairSync } from "node:crypto";
import {
	Client,
	ConnectionLost,
	clientOf,
	type PdkCall,
	SET_HEADER,
	StockClient,
	tokenIn,
} from "../support/client";
import {
	bundledStockServer,
	dedicatedServer,
	type ServerProcess,
	startServer,
	temporaryFolder,
	until,
} from "../support/server";

const ROUTES = 8;
const KILLS = 12;
/** Requests at a time on each route. */
const CLIENTS = 2;

const DEDICATED = dedicatedServer();
const STOCK = bundledStockServer();

/** A configuration for each route; no two have a key or an issuer in common. */
const CONFIGS = Array.from({ length: ROUTES }, (_, route) => {
	const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
	const jwk = privateKey.export({ format: "jwk" });
	return {
		private_jwk: JSON.stringify({ ...jwk, alg: "ES256", kid: `key-${route}` }),
		iss: `https://issuer-${route}.example/`,
	};
});

/** What a token says of the route it is for. */
const marks = (route: number) => ({
	kid: `key-${route}`,
	iss: `https://issuer-${route}.example/`,
});

function marksIn(calls: PdkCall[]) {
	const { header, claims } = tokenIn(calls);
	return { kid: header.kid, iss: claims.iss };
}

/**
 * The plugin's side of one of Kong's workers: when a connection closes within an event, it forgets its
 * instances, starts the instance again and repeats the event; when nobody listens, it answers 500 (Kong:
 * pb_rpc.lua).
 */
class Worker {
	#instances = new Map<number, number>();
	readonly #idle: Client[] = [];

	constructor(readonly socketPath: string) {}

	/** @returns the plugin's calls about one request; none for 500 */
	async request(route: number): Promise<PdkCall[]> {
		for (;;) {
			const client = this.#idle.pop() ?? new Client(this.socketPath);
			try {
				let id = this.#instances.get(route);
				if (id === undefined) {
					id = await client.startInstance(CONFIGS[route] ?? {});
					this.#instances.set(route, id);
				}
				const calls = await client.runPhase(id, clientOf("alice"));
				this.#idle.push(client);
				return calls;
			} catch (error) {
				if (!(error instanceof ConnectionLost)) return [];
				this.#instances.clear();
			}
		}
	}

	async close(): Promise<void> {
		await Promise.all(this.#idle.map((client) => client.close()));
	}
}

test(`each request has a token of its own route's key, or 500, while the server is killed ${KILLS} times`, async () => {
	const folder = temporaryFolder();
	let server = await startServer(DEDICATED, [], folder);
	const worker = new Worker(server.socketPath);
	const signed = CONFIGS.map(() => 0);
	const wrong: unknown[] = [];
	let failed = 0;
	let stopped = false;
	const load = CONFIGS.flatMap((_, route) =>
		Array.from({ length: CLIENTS }, async () => {
			while (!stopped) {
				const calls = await worker.request(route);
				const { method } = calls.at(-1) ?? {};
				if (calls.length === 0) failed += 1;
				else if (method !== SET_HEADER) wrong.push(calls);
				else if (
					JSON.stringify(marksIn(calls)) !== JSON.stringify(marks(route))
				)
					wrong.push(marksIn(calls));
				else signed[route] = (signed[route] ?? 0) + 1;
			}
		}),
	);
	const untilSigned = async () => {
		const before = [...signed];
		await until("all routes have new tokens", () =>
			signed.every((count, route) => count > (before[route] ?? 0)),
		);
	};
	await untilSigned();
	for (let kill = 0; kill < KILLS; kill++) {
		await server.kill();
		server = await startServer(DEDICATED, [], folder);
		await untilSigned();
	}
	stopped = true;
	await Promise.all(load);
	await worker.close();
	await server.kill();
	expect(wrong).toEqual([]);
	expect(failed).toBeGreaterThan(0);
}, 60_000);

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
