import { join } from "node:path";
import {
	type BuildOptions,
	build,
	type Plugin as EsbuildPlugin,
} from "esbuild";
import { stockServer } from "../../local/gateway/plugin-server";
import type { Plugin } from "../../plugins/x-custom-jwt";
import { type Answer, Event, Events } from "../../pluginserver/events";
import { createLog } from "../../pluginserver/log";
import { packageRoot } from "../../schema/package-root";
import privateJwk from "../../test-keys/ES256-jwk-private.json";
import { type Client, ConnectionLost, clientOf, EXIT } from "../support/client";
import { scrape } from "../support/scrape";
import {
	dedicatedServer,
	type ServerProcess,
	startServer,
	temporaryFolder,
	until,
} from "../support/server";

const FAULTY_PLUGIN = join(__dirname, "../support/faulty-plugin.ts");
const MAIN = join(packageRoot(), "pluginserver/main.ts");

const FAILED = {
	Method: EXIT,
	Args: [500, { message: "An unexpected error occurred" }],
};
const FORBIDDEN = { Method: EXIT, Args: [403] };

/** Bundles take the faulty plugin for the real one. */
const faulty: EsbuildPlugin = {
	name: "faulty",
	setup: ({ onResolve }) => {
		onResolve({ filter: /\/plugins\/x-custom-jwt$/ }, () => ({
			path: FAULTY_PLUGIN,
		}));
	},
};

const DEDICATED = dedicatedServer();
const FOLDER = temporaryFolder();
const STOCK_FOLDER = temporaryFolder();
const FAULTY_DEDICATED = [process.execPath, join(FOLDER, "server.js")];
const FAULTY_STOCK = stockServer(STOCK_FOLDER);

beforeAll(async () => {
	const options: BuildOptions = {
		bundle: true,
		platform: "node",
		target: "node20",
		plugins: [faulty],
	};
	await build({
		...options,
		entryPoints: [MAIN],
		outfile: join(FOLDER, "server.js"),
	});
	await build({
		...options,
		entryPoints: [FAULTY_PLUGIN],
		outfile: join(STOCK_FOLDER, "x-custom-jwt.js"),
	});
});

describe("a plugin with a fault", () => {
	describe.each([
		// The stock server lets the request through: "ret" without a call.
		{ name: "the dedicated server", command: FAULTY_DEDICATED, end: FAILED },
		{ name: "the stock server", command: FAULTY_STOCK, end: "ret" },
	])("on $name", ({ command, end }) => {
		let server: ServerProcess;
		let client: Client;

		beforeAll(async () => {
			server = await startServer(command);
			client = await server.connect();
		});
		afterAll(() => server.kill());

		const fails = end === "ret" ? "lets the request through" : "answers 500";

		test.each([
			["throws at once", 0],
			["throws after a PDK call", 1],
			["rejects with undefined", 0],
			["rejects with a text", 0],
		])(`${fails} when it %s`, async (fault, calls) => {
			const instance = await client.startInstance({ fault });
			let step = await client.handleEvent(instance);
			for (let call = 0; call < calls; call++)
				step = await client.step(step, {});
			expect(step.Data).toEqual(end);
		});
	});

	test("has no second word after its exit, and leaves no event", async () => {
		const server = await startServer(FAULTY_DEDICATED);
		const client = await server.connect();
		for (const fault of ["exits and goes on", "exits, waits and goes on"]) {
			const instance = await client.startInstance({ fault });
			const step = await client.handleEvent(instance);
			expect(step.Data).toEqual(FORBIDDEN);
			expect((await client.step(step, {})).Data).toEqual(FAILED);
		}
		await server.kill();
	});

	test("says in the log that it failed, and not its words", async () => {
		const server = await startServer(FAULTY_DEDICATED);
		const client = await server.connect();
		for (const fault of ["throws after a PDK call", "rejects with a text"])
			await client.runPhase(await client.startInstance({ fault }), {});
		await until("it is logged", () => server.lines(/phase failed/).length > 1);
		expect(server.lines(/phase failed.*TypeError/)).toHaveLength(1);
		expect(server.output).not.toContain("secret");
		await server.kill();
	});

	test.each([
		["hangs at once", 0],
		["hangs after a PDK call", 1],
	])("has the request answered with 500 when it %s", async (fault, calls) => {
		const server = await startServer(FAULTY_DEDICATED, [
			...["--phase-timeout", "0.2"],
		]);
		const client = await server.connect();
		const instance = await client.startInstance({ fault });
		let step = await client.handleEvent(instance);
		for (let call = 0; call < calls; call++) step = await client.step(step, {});
		expect(step.Data).toEqual(FAILED);
		expect(server.lines(/phase took too long/)).toHaveLength(1);
		await server.kill();
	});
});

test("an event is gone at once when the connection closes on which Kong waits", async () => {
	const metrics = join(temporaryFolder(), "metrics.sock");
	const server = await startServer(FAULTY_DEDICATED, [
		...["--metrics", metrics],
		...["--phase-timeout", "600"],
	]);
	const inFlight = async () =>
		(await scrape(metrics)).get("x_custom_jwt_events_in_flight");
	const client = await server.connect();
	const instance = await client.startInstance({ fault: "hangs at once" });
	const waiting = client.handleEvent(instance).catch((error) => error);
	await until("it is there", async () => (await inFlight()) === 1);
	await client.close();
	await until("it is gone", async () => (await inFlight()) === 0);
	expect(await waiting).toBeInstanceOf(ConnectionLost);
	await server.kill();
});

test("an event that Kong does not come back to is gone after the deadline", async () => {
	const server = await startServer(DEDICATED, ["--phase-timeout", "0.2"]);
	const client = await server.connect();
	const instance = await client.startInstance({
		private_jwk: JSON.stringify(privateJwk),
	});
	const step = await client.handleEvent(instance);
	await until("it is logged", () =>
		server.output.includes(`phase took too long" event=${step.EventId}`),
	);
	// An error would make Kong below 3.14 proxy the request.
	const { Data } = await client.step(step, clientOf("alice"));
	expect(Data).toEqual(FAILED);
	await server.kill();
});

test("an instance that Kong does not use goes away, one that it uses stays", async () => {
	const server = await startServer(DEDICATED, ["--idle-timeout", "1"]);
	const client = await server.connect();
	const config = { private_jwk: JSON.stringify(privateJwk) };
	const used = await client.startInstance(config);
	const forgotten = await client.startInstance(config);
	await until("one is stopped", async () => {
		await client.runPhase(used, clientOf("alice"));
		return server.lines(/instance stopped/).length > 0;
	});
	await expect(client.handleEvent(forgotten)).rejects.toThrow(
		/^no plugin instance/,
	);
	await client.runPhase(used, clientOf("alice"));
	expect(server.lines(/instance stopped/)).toHaveLength(1);
	await server.kill();
});

test.each([["HandleEvent"], ["InstanceStatus"], ["CloseInstance"]])(
	"%s of an unknown instance gets the words by which Kong starts it",
	async (method) => {
		const server = await startServer(DEDICATED);
		const client = await server.connect();
		const argument =
			method === "HandleEvent" ? { InstanceId: 7, EventName: "access" } : 7;
		await expect(client.call(`plugin.${method}`, argument)).rejects.toThrow(
			/^no plugin instance #7$/,
		);
		await server.kill();
	},
);

describe("the events in flight", () => {
	const connection = {};

	/** Starts an event; its answers, and Kong's requests about it. */
	function start(events: Events, access: Plugin["access"]) {
		const answers: Answer[] = [];
		const request = {
			connection,
			respond: (answer: Answer) => answers.push(answer),
		};
		events.start({ access } as Plugin, request);
		return { answers, request };
	}

	/** Lets everything happen that waits for nothing outside. */
	const settle = () => new Promise((resolve) => setImmediate(resolve));

	const events = () => new Events(() => {});
	const hang = () => new Promise<void>(() => {});

	test("end with 500 when they take too long, and only those", async () => {
		const all = events();
		const { answers } = start(all, hang);
		all.failOverdue(60_000);
		expect([all.size, answers]).toEqual([1, []]);
		all.failOverdue(-1);
		const EventId = expect.any(Number);
		expect(answers).toEqual([{ Data: FAILED, EventId }]);
		expect(all.size).toBe(0);
	});

	test("end without a word when the connection closes on which Kong waits", async () => {
		const all = events();
		const { answers } = start(all, hang);
		all.abandonOn({});
		expect(all.size).toBe(1);
		all.abandonOn(connection);
		expect(all.size).toBe(0);
		expect(answers).toEqual([]);
	});

	test("outlive a connection on which Kong does not wait", async () => {
		const all = events();
		const { answers, request } = start(all, async (kong) => {
			await kong.log.warn("first");
		});
		const id = answers[0]?.EventId;
		all.abandonOn(connection);
		all.step(id, { ...request, connection: {} }, [undefined, undefined]);
		await settle();
		expect(answers.at(-1)).toEqual({ Data: "ret", EventId: id });
		expect(all.size).toBe(0);
	});

	test.each([
		["returns", async () => {}],
		["throws", () => Promise.reject(new Error())],
		[
			"exits and returns",
			async (kong) => {
				await kong.response.exit(401, {});
			},
		],
		[
			"exits and throws",
			async (kong) => {
				await kong.response.exit(401, {});
				throw new Error();
			},
		],
	] as [string, Plugin["access"]][])(
		"end once, with one answer, when the plugin %s",
		async (_, access) => {
			const all = events();
			const ends: number[] = [];
			all.onEnd = (seconds) => ends.push(seconds);
			const { answers } = start(all, access);
			await settle();
			expect(answers).toHaveLength(1);
			expect(ends).toHaveLength(1);
			expect(all.size).toBe(0);
		},
	);

	test("end with 500 when a PDK call cannot be encoded", async () => {
		const all = events();
		const answers: Answer[] = [];
		const request = {
			connection,
			respond: (answer: Answer) => {
				if (JSON.stringify(answer).includes("too deep")) throw new Error();
				answers.push(answer);
			},
		};
		const access: Plugin["access"] = (kong) => kong.log.warn("too deep");
		all.start({ access } as Plugin, request);
		await settle();
		expect(answers.map(({ Data }) => Data)).toEqual([FAILED]);
		expect(all.size).toBe(0);
	});

	test("end even when what was thrown has no name", async () => {
		const log = createLog("error", () => {});
		const all = new Events(log);
		const nameless = { name: Object.create(null) };
		const { answers } = start(all, () => Promise.reject(nameless));
		await settle();
		expect(answers.map(({ Data }) => Data)).toEqual([FAILED]);
		expect(all.size).toBe(0);
	});

	test("answer 500 to a result that comes when they are over, or that was not asked for", async () => {
		const all = events();
		const { answers, request } = start(all, async () => {});
		await settle();
		const { EventId } = answers[0] ?? {};
		all.step(EventId, request, [undefined, undefined]);
		expect(answers.at(-1)).toEqual({ Data: FAILED, EventId });

		const busy = start(all, hang);
		const id = Number(EventId) + 1;
		all.step(id, busy.request, [undefined, undefined]);
		expect(busy.answers).toEqual([{ Data: FAILED, EventId: id }]);
		expect(all.size).toBe(1);
	});

	test("an event knows on which connection Kong waits", () => {
		const event = new Event(1, { connection, respond: () => {} }, () => {});
		expect(event.waitsOn(connection)).toBe(true);
		expect(event.waitsOn({})).toBe(false);
	});
});
