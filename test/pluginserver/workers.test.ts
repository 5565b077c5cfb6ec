import { execFileSync } from "node:child_process";
import {
	copyFileSync,
	existsSync,
	readdirSync,
	readFileSync,
	writeFileSync,
} from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { dedicatedServer } from "../../local/gateway/plugin-server";
import { WorkerRpc } from "../../pluginserver/worker";
import {
	Client,
	ConnectionLost,
	clientOf,
	EXIT,
	nobody,
	type PdkCall,
} from "../support/client";
import {
	CONFIGS,
	loadOn,
	marks,
	marksIn,
	Worker,
} from "../support/kong-worker";
import { scrape } from "../support/scrape";
import {
	runServer,
	type ServerProcess,
	startServer,
	temporaryFolder,
	until,
} from "../support/server";

const PROCESSES = 3;
const KILLS = 4;
const CONFIG = CONFIGS[0] ?? {};

const servers: ServerProcess[] = [];
afterEach(() => Promise.all(servers.splice(0).map((server) => server.kill())));

/** A server of three processes. */
async function startWorkers(
	flags: string[] = [],
	command = dedicatedServer(),
): Promise<ServerProcess> {
	const server = await startServer(command, [
		"--workers",
		`${PROCESSES}`,
		...flags,
	]);
	servers.push(server);
	await until(
		"all are started",
		() =>
			server.output.includes("msg=started") &&
			workersOf(server).length >= PROCESSES - 1,
	);
	return server;
}

/** The same as soon as it listens. */
async function startListening(): Promise<ServerProcess> {
	const flags = ["--workers", `${PROCESSES}`];
	const server = await startServer(dedicatedServer(), flags);
	servers.push(server);
	return server;
}

/** Process ids of the workers that were started so far. */
function workersOf(server: ServerProcess): number[] {
	return server
		.lines(/msg="worker started"/)
		.map((line) => Number(/worker=(\d+)/.exec(line)?.[1]));
}

/** Connections, one to each process. */
async function connectToAll(server: ServerProcess): Promise<Client[]> {
	const clients = [];
	for (let count = 0; count < PROCESSES; count++)
		clients.push(await server.connect());
	return clients;
}

/** Runs a phase on each connection; the token's marks, or why there is none. */
function runOnAll(clients: Client[], instance: number) {
	return Promise.all(
		clients.map((client) =>
			client.runPhase(instance, clientOf("alice")).then(marksIn, (error) => {
				if (error instanceof ConnectionLost) return "lost";
				throw error;
			}),
		),
	);
}

/**
 * Starts an event, and waits until the plugin asks.
 *
 * @returns a function that answers it, up to the token's marks
 */
async function startBusy(client: Client, instance: number) {
	await client.startEvent(instance);
	const call = (await client.nextCall()) as PdkCall;
	return async () => {
		await client.answer(call, clientOf("alice"));
		return marksIn(await client.finishEvent(clientOf("alice")));
	};
}

/** Asks on each connection; says what became of it. */
function askAll(clients: Client[]) {
	return Promise.all(
		clients.map((client) =>
			client.call({ cmd_get_plugin_names: {} }).then(
				() => "answered",
				(error) => error,
			),
		),
	);
}

/** Signals a worker; process 0 would be all of this test's own. */
function signal(pid: number | undefined, name: NodeJS.Signals): void {
	if (!pid) throw new Error("there is no such worker");
	process.kill(pid, name);
}

const isAlive = (pid: number) => existsSync(`/proc/${pid}`);

test.each(["0", "x", "-1", "1.5", "65", ""])(
	"--workers '%s' is refused",
	async (count) => {
		const server = runServer(dedicatedServer(), ["--workers", count]);
		expect(await server.exited).toEqual({ code: 1, signal: null });
		expect(server.output).toContain(
			"A number from 1 to 64, or auto, is expected",
		);
	},
);

test("one of them is no worker, and has none", async () => {
	for (const flags of [[], ["--workers", "1"]]) {
		const server = await startServer(dedicatedServer(), flags);
		const { pid } = server;
		expect(readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8")).toBe("");
		expect(server.output).not.toContain("worker");
		await server.kill();
	}
});

test("a worker is not started by hand", async () => {
	const server = runServer(dedicatedServer(), ["--worker"]);
	expect(await server.exited).toEqual({ code: 1, signal: null });
	expect(server.output).toContain("started by the plugin server itself");
});

test("listens before its workers are there, as Kong's reload waits for no server", async () => {
	const server = await startWorkers();
	const [first] = server.lines(/msg=started|worker started/);
	expect(first).toContain("msg=started");
	expect(server.lines(/more workers than cores/)).toHaveLength(
		availableParallelism() < PROCESSES ? 1 : 0,
	);
});

test.each([
	["of a burst", startWorkers],
	["that came before the workers", startListening],
])("connections %s are shared evenly", async (_, start) => {
	const server = await start();
	const clients = await Promise.all(
		Array.from({ length: 10 * PROCESSES }, () => server.connect()),
	);
	const ends = { closed: 0 };
	for (const client of clients)
		(await client.open()).once("close", () => {
			ends.closed += 1;
		});
	// All are where they belong when each has answered.
	for (const client of clients) await client.call({ cmd_get_plugin_names: {} });
	const [first] = workersOf(server);
	signal(first, "SIGKILL");
	await until("its connections close", () => ends.closed >= 10);
	for (const client of clients) await client.call({ cmd_get_plugin_names: {} });
	expect(ends.closed).toBe(10);
});

test("an instance is the same on all processes, whichever started it", async () => {
	const server = await startWorkers();
	const clients = await connectToAll(server);
	const ids = [];
	for (const [route, config] of CONFIGS.entries())
		ids.push(
			await (clients[route % PROCESSES] as Client).startInstance(config),
		);
	expect(new Set(ids).size).toBe(CONFIGS.length);
	for (const [route, id] of ids.entries())
		expect(await runOnAll(clients, id)).toEqual(
			clients.map(() => marks(route)),
		);
	for (const client of clients) {
		const { instance_status } = await client.call({
			cmd_get_instance_status: { instance_id: ids[0] },
		});
		expect(instance_status?.instance_id).toBe(ids[0]);
	}
	// Of one server, as with one process.
	expect(server.lines(/instance started/)).toHaveLength(CONFIGS.length);
});

test("requests that come together to a worker that does not have their instance all have its token", async () => {
	const server = await startWorkers();
	const clients = await Promise.all(
		Array.from({ length: 30 }, () => server.connect()),
	);
	const id = await (clients[0] as Client).startInstance(CONFIG);
	expect(await runOnAll(clients, id)).toEqual(clients.map(() => marks(0)));
});

test.each([0, 1])(
	"an instance that Kong closes is closed on all, by connection %d",
	async (closing) => {
		const server = await startWorkers();
		const clients = await connectToAll(server);
		const id = await (clients[0] as Client).startInstance(CONFIG);
		await runOnAll(clients, id);
		await clients[closing]?.call({ cmd_close_instance: { instance_id: id } });
		await until("no process has it", async () =>
			(await runOnAll(clients, id)).every((outcome) => outcome === "lost"),
		);
		expect(server.lines(/instance stopped/)).toHaveLength(1);
	},
);

test("an id that nobody has closes the connection on all", async () => {
	const server = await startWorkers();
	const clients = await connectToAll(server);
	expect(await runOnAll(clients, 1)).toEqual(clients.map(() => "lost"));
});

test.each([0, 1])(
	"a configuration that cannot be used is refused by all, started on connection %d",
	async (starting) => {
		const server = await startWorkers();
		const clients = await connectToAll(server);
		const id = await (clients[starting] as Client).startInstance({});
		for (const client of clients) {
			const calls = await client.runPhase(id, clientOf("alice"));
			expect(calls.at(-1)?.method).toBe(EXIT);
			expect(calls.at(-1)?.args[0]).toBe(500);
		}
		expect(server.lines(/cannot be used/)).toHaveLength(1);
	},
);

test("an instance that only one process uses is not idle", async () => {
	const server = await startWorkers(["--idle-timeout", "4"]);
	const clients = await connectToAll(server);
	const [starter] = clients as [Client];
	const ids: number[] = [];
	for (const _ of clients) ids.push(await starter.startInstance(CONFIG));
	const end = Date.now() + 6000;
	await until("an instance would be idle", async () => {
		for (const [index, client] of clients.entries())
			expect(await runOnAll([client], ids[index] ?? 0)).toEqual([marks(0)]);
		return Date.now() > end;
	});
	await until(
		"they are stopped",
		() => server.lines(/instance stopped/).length === PROCESSES,
	);
	for (const id of ids)
		expect(await runOnAll(clients, id)).toEqual(clients.map(() => "lost"));
});

test(`each request has its own route's token while workers are killed ${KILLS} times`, async () => {
	const server = await startWorkers();
	const kong = new Worker(server.socketPath);
	const load = loadOn(kong);
	await load.untilSigned();
	for (let kill = 0; kill < KILLS; kill++) {
		const started = workersOf(server);
		const alive = started.filter(isAlive);
		signal(alive[kill % alive.length], "SIGKILL");
		await load.untilSigned();
		await until(
			"there is another",
			() => workersOf(server).length > started.length,
		);
		await load.untilSigned();
	}
	const { wrong, failed } = await load.end();
	await kong.close();
	expect(wrong).toEqual([]);
	// There is always a process that listens: Kong repeats the requests of another.
	expect(failed).toBe(0);
	expect(server.lines(/worker ended.*SIGKILL/)).toHaveLength(KILLS);
});

test("no connection hangs whose worker is killed before it has it", async () => {
	const server = await startWorkers();
	const [worker = 0] = workersOf(server);
	// It takes none of those that are meant for it.
	signal(worker, "SIGSTOP");
	const clients = await Promise.all(
		Array.from({ length: 5 * PROCESSES }, () => server.connect()),
	);
	const answers = askAll(clients);
	signal(worker, "SIGKILL");
	const lost = (await answers).filter((answer) => answer !== "answered");
	// One at most is on its way; Kong repeats it.
	expect(lost.length).toBeLessThanOrEqual(1);
	for (const error of lost) expect(error).toBeInstanceOf(ConnectionLost);
});

test("a worker that hangs is left alone by new connections, killed and replaced", async () => {
	const where = join(temporaryFolder(), "m.sock");
	const server = await startWorkers(["--metrics", where]);
	const [worker = 0] = workersOf(server);
	signal(worker, "SIGSTOP");
	const clients = await Promise.all(
		Array.from({ length: 5 * PROCESSES }, () => server.connect()),
	);
	const answers = await askAll(clients);
	const lost = answers.filter((answer) => answer !== "answered");
	expect(lost.length).toBeLessThanOrEqual(1);
	for (const error of lost) expect(error).toBeInstanceOf(ConnectionLost);
	await until("it is replaced", () => workersOf(server).length === PROCESSES);
	expect(isAlive(worker)).toBe(false);
	expect(server.lines(/worker ended/)).toEqual([
		expect.stringMatching(`worker=${worker} reason="no answer"`),
	]);
	const samples = await scrape(where);
	expect(samples.get("x_custom_jwt_workers_ended_total")).toBe(1);
});

test("a connection that a worker has no file for is closed, others go elsewhere", async () => {
	const server = await startWorkers();
	for (const worker of workersOf(server))
		execFileSync("prlimit", [`--pid=${worker}`, "--nofile=25:25"]);
	const clients = Array.from(
		{ length: 100 },
		() => new Client(server.socketPath),
	);
	const lost = (await askAll(clients)).filter(
		(answer) => answer !== "answered",
	);
	// How many depends on how busy the machine is; Kong repeats them.
	expect(lost.length).toBeLessThan(clients.length);
	for (const error of lost) expect(error).toBeInstanceOf(ConnectionLost);
	await Promise.all(clients.map((client) => client.close()));
	expect(server.lines(/worker ended/)).toEqual([]);
	const filesOf = (pid: number) => readdirSync(`/proc/${pid}/fd`).length;
	const id = await (await server.connect()).startInstance(CONFIG);
	await until("they take connections again", async () => {
		const before = workersOf(server).map(filesOf);
		const all = await connectToAll(server);
		expect(await runOnAll(all, id)).toEqual(all.map(() => marks(0)));
		const after = workersOf(server).map(filesOf);
		await Promise.all(all.map((client) => client.close()));
		return after.every((count, index) => count > (before[index] ?? 0));
	});
});

test("a worker that ends at its start is started again at ever longer intervals", async () => {
	const [node = "", script = ""] = dedicatedServer();
	const copy = join(temporaryFolder(), "server.js");
	copyFileSync(script, copy);
	const server = await startWorkers([], [node, copy]);
	const [worker = 0] = workersOf(server);
	writeFileSync(copy, "process.exit(3)");
	signal(worker, "SIGKILL");
	await until("three ended", () => server.lines(/reason=3/).length === 3);
	const pauses = server
		.lines(/reason=3/)
		.map((line) => Number(/next_in=([\d.]+)s/.exec(line)?.[1]));
	const [first = 0, second = 0, third = 0] = pauses;
	expect(second).toBeGreaterThan(first);
	expect(third).toBeGreaterThan(second);
});

test("a worker that is told to stop finishes its events, and no new connection comes to it", async () => {
	const server = await startWorkers();
	const clients = await connectToAll(server);
	const id = await (clients[0] as Client).startInstance(CONFIG);
	const finish = await Promise.all(
		clients.map((client) => startBusy(client, id)),
	);
	const [worker = 0] = workersOf(server);
	signal(worker, "SIGTERM");
	await until("it stops", () => server.output.includes("msg=stopping"));
	// One that is on its way to it when it says so is closed, and Kong repeats it.
	await until("the first process knows", async () =>
		(await runOnAll(await connectToAll(server), id)).every(
			(outcome) => outcome !== "lost",
		),
	);
	for (let count = 0; count < 3; count++) {
		const others = await connectToAll(server);
		expect(await runOnAll(others, id)).toEqual(others.map(() => marks(0)));
	}
	expect(await Promise.all(finish.map((one) => one()))).toEqual(
		clients.map(() => marks(0)),
	);
	await until("it is replaced", () => workersOf(server).length === PROCESSES);
	expect(isAlive(worker)).toBe(false);
});

test("an instance that was closed at once is not kept by the worker that wants it", async () => {
	// Jest may have started this process, and would be told else.
	const { send } = process;
	process.send = undefined;
	const rpc = new WorkerRpc();
	const found = rpc.find(7);
	const handed = { id: 7, started: 0, name: "x-custom-jwt", config: "{}" };
	// As they come in one read.
	rpc.answered(1, handed);
	rpc.instances.close(7);
	await found;
	expect(rpc.instances.size).toBe(0);
	process.send = send;
});

test("a worker that ends during a scrape is not counted twice, nor one that does not answer forgotten", async () => {
	const where = join(temporaryFolder(), "m.sock");
	const server = await startWorkers(["--metrics", where]);
	const clients = await connectToAll(server);
	const id = await (clients[0] as Client).startInstance(CONFIG);
	await runOnAll(clients, id);
	const tokens = async () =>
		(await scrape(where)).get(
			'x_custom_jwt_signing_seconds_count{alg="ES256"}',
		);
	expect(await tokens()).toBe(PROCESSES);
	const [silent = 0, killed = 0] = workersOf(server);
	signal(silent, "SIGSTOP");
	const counted = tokens();
	await sleep(200);
	signal(killed, "SIGKILL");
	expect(await counted).toBe(PROCESSES);
	expect(await tokens()).toBe(PROCESSES);
});

test("metrics are of all processes, and do not forget what a killed worker counted", async () => {
	const where = join(temporaryFolder(), "m.sock");
	const server = await startWorkers(["--metrics", where]);
	const clients = await connectToAll(server);
	const id = await (clients[0] as Client).startInstance(CONFIG);
	await runOnAll(clients, id);
	for (const client of clients) await client.runPhase(id, nobody);
	const counts = async () => {
		const samples = await scrape(where);
		return {
			tokens: samples.get('x_custom_jwt_signing_seconds_count{alg="ES256"}'),
			refused: samples.get(
				'x_custom_jwt_refused_total{reason="nobody_authenticated"}',
			),
			instances: samples.get("x_custom_jwt_instances"),
		};
	};
	const expected = {
		tokens: PROCESSES,
		refused: PROCESSES,
		instances: 1,
	};
	expect(await counts()).toEqual(expected);
	for (let kill = 0; kill < 2; kill++) {
		const started = workersOf(server);
		signal(started.at(-1), "SIGKILL");
		await until(
			"there is another",
			() => workersOf(server).length > started.length,
		);
		expect(await counts()).toEqual(expected);
	}
});

test("on SIGTERM all finish their events and end", async () => {
	const server = await startWorkers();
	const clients = await connectToAll(server);
	const id = await (clients[0] as Client).startInstance(CONFIG);
	const finish = await Promise.all(
		clients.map((client) => startBusy(client, id)),
	);
	server.signal("SIGTERM");
	await until("all stop", () => server.lines(/msg=stopping/).length === 3);
	// A service manager signals all processes, and Kong its plugin server.
	server.signal("SIGTERM");
	expect(await Promise.all(finish.map((one) => one()))).toEqual(
		clients.map(() => marks(0)),
	);
	expect(await server.exited).toEqual({ code: 0, signal: null });
	expect(workersOf(server).filter(isAlive)).toEqual([]);
	expect(existsSync(server.socketPath)).toBe(false);
	expect(server.lines(/worker ended/)).toEqual([]);
});

test("workers end with the first process, and finish their events", async () => {
	const server = await startWorkers();
	const clients = await connectToAll(server);
	const id = await (clients[0] as Client).startInstance(CONFIG);
	const finish = await Promise.all(
		clients.map((client) => startBusy(client, id)),
	);
	// Kong waits until nobody has the pipe of its log; then it starts another server.
	await server.kill();
	const outcomes = await Promise.allSettled(finish.map((one) => one()));
	expect(outcomes.filter(({ status }) => status === "fulfilled")).toEqual(
		Array(2).fill({ status: "fulfilled", value: marks(0) }),
	);
	await until("they end", () => !workersOf(server).some(isAlive));
});

test("a worker that hangs does not keep Kong from seeing that the first process is gone", async () => {
	const server = await startWorkers();
	const [worker = 0] = workersOf(server);
	signal(worker, "SIGSTOP");
	await server.kill();
	signal(worker, "SIGCONT");
	await until("they end", () => !workersOf(server).some(isAlive));
});

test("a server that cannot listen leaves no worker behind", async () => {
	const server = runServer(dedicatedServer(), [
		"--socket",
		"/nonexistent/folder/s.sock",
		"--workers",
		"2",
	]);
	expect((await server.exited).code).toBe(1);
	await until("they end", () => !workersOf(server).some(isAlive));
});
