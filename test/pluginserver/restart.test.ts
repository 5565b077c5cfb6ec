import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { decodeJwt, decodeProtectedHeader } from "jose";
import { parseDeclarative } from "../../declarative/model";
import { ExternalPlugin } from "../../local/gateway/external-plugin";
import { startGateway } from "../../local/gateway/gateway";
import { PluginServer } from "../../local/gateway/plugin-server";
import { RpcClient } from "../../local/gateway/rpc";
import { send } from "../../local/http";
import {
	type Client,
	ConnectionLost,
	clientOf,
	EXIT,
	type PdkCall,
	tokenIn,
} from "../support/client";
import {
	bundledStockServer,
	dedicatedServer,
	type ServerProcess,
	startServer,
	until,
} from "../support/server";

const ROUTES = 8;
const KILLS = 5;
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

test(`each route keeps its own key and issuer while the server is killed ${KILLS} times`, async () => {
	const seen: { route: string; kid: unknown; iss: unknown }[] = [];
	const backend = createServer(({ url, headers }, response) => {
		const token = headers["x-custom-jwt"];
		// Kong 3.9 lets requests through while no plugin server runs.
		if (typeof token === "string") {
			const { kid } = decodeProtectedHeader(token);
			seen.push({ route: String(url), kid, iss: decodeJwt(token).iss });
		}
		response.end();
	});
	backend.listen(0, "127.0.0.1");
	await once(backend, "listening");
	const { port } = backend.address() as AddressInfo;

	const pluginServer = new PluginServer(DEDICATED, () => {});
	const info = await pluginServer.query();
	await pluginServer.start();
	const rpc = new RpcClient(pluginServer.socketPath);
	const configuration = parseDeclarative(
		JSON.stringify({
			_format_version: "3.0",
			services: CONFIGS.map((config, route) => ({
				name: `service-${route}`,
				url: "http://backend:9000",
				routes: [
					{
						name: `route-${route}`,
						paths: [`/${route}`],
						strip_path: false,
						plugins: [
							{ name: "key-auth", config: {} },
							{ name: "x-custom-jwt", config },
						],
					},
				],
			})),
			consumers: [{ username: "alice", keyauth_credentials: [{ key: "k" }] }],
		}),
		"test",
	);
	// Without these the plugin cannot see for itself that an instance is another route's.
	for (const { plugins } of configuration.routes)
		for (const plugin of plugins) plugin.scope = {};
	const gateway = await startGateway({
		configuration,
		externalPlugins: [new ExternalPlugin(info, rpc, () => {})],
		httpPort: 0,
		httpsPort: 0,
		clientCa: "",
		resolve: new Map([["backend:9000", `127.0.0.1:${port}`]]),
		log: () => {},
	});

	let stopped = false;
	const load = Promise.all(
		CONFIGS.flatMap((_, route) =>
			Array.from({ length: CLIENTS }, async () => {
				while (!stopped)
					await send(`${gateway.httpUrl}/${route}`, {
						headers: { apikey: "k" },
					});
			}),
		),
	);
	/** Waits until each route has tokens that were not there before. */
	const untilSigned = () => {
		const before = seen.length;
		return until("all routes have tokens", () => {
			const routes = seen.slice(before).map(({ route }) => route);
			return new Set(routes).size === ROUTES;
		});
	};
	const pids = new Set<number | undefined>();
	try {
		await untilSigned();
		for (let kill = 0; kill < KILLS; kill++) {
			pids.add(pluginServer.pid);
			await pluginServer.kill();
			await pluginServer.ready();
			await untilSigned();
		}
	} finally {
		stopped = true;
		await load;
		await gateway.close();
		rpc.close();
		await pluginServer.stop();
		backend.closeAllConnections();
		backend.close();
	}
	expect(pids.size).toBe(KILLS);
	const wrong = seen.filter(({ route, kid, iss }) => {
		const own = marks(Number(route.slice(1)));
		return kid !== own.kid || iss !== own.iss;
	});
	expect(wrong).toEqual([]);
}, 60_000);

describe("ids that Kong holds from before a restart", () => {
	/** A process that has started instances in the given order, with an event on each. */
	async function startWith(command: string[], routes: number[]) {
		const server = await startServer(command);
		const client = await server.connect();
		const instances = new Map<number, number>();
		const events = new Map<number, number>();
		for (const route of routes) {
			const config = CONFIGS[route] ?? {};
			const id = await client.startInstance(config);
			instances.set(route, id);
			events.set(route, (await client.handleEvent(id)).EventId);
		}
		return { server, client, instances, events };
	}

	const routes = CONFIGS.map((_, route) => route);

	/** Two processes in a row that Kong's workers meet in different orders. */
	async function restart(command: string[]) {
		const before = await startWith(command, routes);
		await before.server.kill();
		const after = await startWith(command, routes.toReversed());
		const same = (name: "instances" | "events") => {
			const ids = new Set(after[name].values());
			return [...before[name].values()].filter((id) => ids.has(id)).length;
		};
		return { before, after, same };
	}

	const servers: ServerProcess[] = [];
	afterEach(() => Promise.all(servers.splice(0).map((one) => one.kill())));

	/** Runs a phase on each instance; the token's marks, or what went wrong. */
	async function runOn(client: Client, instances: Map<number, number>) {
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

	test("are unknown to the next process", async () => {
		const { before, after, same } = await restart(DEDICATED);
		servers.push(after.server);
		expect([same("instances"), same("events")]).toEqual([0, 0]);
		expect(await runOn(after.client, before.instances)).toEqual(
			[...before.instances.values()].map((id) => `no plugin instance #${id}`),
		);
		for (const EventId of before.events.values())
			expect(
				await after.client.call("plugin.StepCredential", { EventId }),
			).toMatchObject({ Data: { Method: EXIT, Args: [500, {}] } });
		// And its own work as they should.
		expect(await runOn(after.client, after.instances)).toEqual(
			routes.toReversed().map(marks),
		);
	});

	test("have another route's key on the stock server, for comparison", async () => {
		const { before, after, same } = await restart(STOCK);
		servers.push(after.server);
		expect([same("instances"), same("events")]).toEqual([ROUTES, ROUTES]);
		expect(await runOn(after.client, before.instances)).toEqual(
			routes.toReversed().map(marks),
		);
	});

	test("stay exact numbers in JavaScript and Lua", async () => {
		const { server, instances, events } = await startWith(DEDICATED, routes);
		servers.push(server);
		for (const id of [...instances.values(), ...events.values()])
			expect(Number.isSafeInteger(id)).toBe(true);
		expect(new Set([...instances.values(), ...events.values()]).size).toBe(
			2 * ROUTES,
		);
	});

	test("a connection that the kill closed says so to who waits", async () => {
		const { server, client, instances } = await startWith(DEDICATED, [0]);
		await server.kill();
		await expect(client.handleEvent(instances.get(0) ?? 0)).rejects.toThrow(
			ConnectionLost,
		);
	});
});
