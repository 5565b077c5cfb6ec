import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { setImmediate as turn } from "node:timers/promises";
import { encode } from "@msgpack/msgpack";
import fc from "fast-check";
import privateJwk from "../../test-keys/ES256-jwk-private.json";
import { Client, clientOf, EXIT, SET_HEADER, tokenIn } from "../support/client";
import {
	bundledStockServer,
	dedicatedServer,
	type ServerProcess,
	startServer,
} from "../support/server";

/** The same seed makes the same inputs; another one can be had by the environment. */
const SEED = Number(process.env.FUZZ_SEED ?? 3);
const INPUTS = Number(process.env.FUZZ_INPUTS ?? 50_000);
const CONNECTIONS = 8;

const DEDICATED = dedicatedServer();
const STOCK = bundledStockServer();
const CONFIG = { private_jwk: JSON.stringify(privateJwk) };

const STATUS = encode([0, 1, "plugin.GetStatus", []]);

/** A connection that nobody looks after. */
async function open(path: string, reads = true): Promise<Socket> {
	for (;;) {
		const socket = connect(path);
		if (reads) socket.resume();
		else socket.pause();
		try {
			await once(socket, "connect");
			socket.on("error", () => {});
			return socket;
		} catch (error) {
			// The server's queue of new connections is full.
			if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
			await turn();
		}
	}
}

/** Closes a connection with an answer unread, which the other side sees as a reset. */
async function reset(server: ServerProcess, bytes: Uint8Array): Promise<void> {
	const socket = await open(server.socketPath, false);
	socket.write(bytes);
	await settled(server);
	socket.destroy();
}

/** Resolves when the server has read all that was sent before; with its process id. */
async function settled(server: ServerProcess): Promise<number> {
	const client = await Client.connect(server.socketPath);
	try {
		// Twice: the first may be read in the same turn of the event loop.
		await client.call("plugin.GetStatus", undefined);
		const status = await client.call("plugin.GetStatus", undefined);
		return (status as { Pid: number }).Pid;
	} finally {
		await client.close();
	}
}

const ATTACKS: [name: string, (server: ServerProcess) => Promise<unknown>][] = [
	[
		"two frames in one read",
		async (server) =>
			(await open(server.socketPath)).write(Buffer.concat([STATUS, STATUS])),
	],
	[
		"stray bytes",
		async (server) =>
			(await open(server.socketPath)).write("GET / HTTP/1.1\r\n\r\n"),
	],
	[
		"a frame that is cut before an item's head byte",
		async (server) => {
			const socket = await open(server.socketPath);
			socket.write(STATUS.subarray(0, 1));
			await settled(server);
			socket.write(STATUS.subarray(1));
		},
	],
	[
		"a frame of another shape",
		async (server) =>
			(await open(server.socketPath)).write(encode({ method: 1 })),
	],
	["a reset connection", (server) => reset(server, STATUS)],
];

describe.each(ATTACKS)("%s", (_, attack) => {
	test("leaves the dedicated server as it was", async () => {
		const server = await startServer(DEDICATED);
		await attack(server);
		expect(await settled(server)).toBe(server.pid);
		expect(server.isRunning).toBe(true);
		await server.kill();
	});

	test("ends the stock server, for comparison", async () => {
		const server = await startServer(STOCK);
		// It may be over before all of it was sent.
		await attack(server).catch(() => {});
		expect(await server.exited).toEqual({ code: 1, signal: null });
	});
});

/** Names that an object has without being given them, among others. */
const name = fc.constantFrom(
	"__proto__",
	"constructor",
	"toString",
	"hasOwnProperty",
	"valueOf",
	"then",
	"",
	"access",
	"x-custom-jwt",
);

/** Any value a frame can hold; the encoder leaves functions and the like to itself. */
const anything = fc.oneof(
	name,
	fc.constantFrom(null, undefined, true, -1, 0, 1, 2 ** 53 - 1, 1e300, 0.5),
	fc.double(),
	fc.maxSafeInteger(),
	fc.string(),
	fc.uint8Array({ maxLength: 20 }),
	fc
		.jsonValue({ maxDepth: 3 })
		.filter((value) => !JSON.stringify(value).includes("__proto__")),
	fc.constantFrom({ toString: 1, valueOf: 1 }, [[[[]]]]),
	name.map((one) => (one === "__proto__" ? {} : { [one]: 1 })),
);

const method = fc.oneof(
	fc.constantFrom(
		"plugin.HandleEvent",
		"plugin.StartInstance",
		"plugin.InstanceStatus",
		"plugin.CloseInstance",
		"plugin.GetPluginInfo",
		"plugin.GetStatus",
		"plugin.Step",
		"plugin.StepError",
		"plugin.StepCredential",
		"plugin.",
		".",
		"kong.GetStatus",
	),
	name.map((one) => `plugin.${one}`),
	name,
	fc.string(),
);

/** Frames as Kong's, with anything in the place of anything. */
function requests(instanceId: number) {
	const id = fc.oneof(anything, fc.constant(instanceId));
	const argument = fc.oneof(
		anything,
		fc.record(
			{
				InstanceId: id,
				EventId: id,
				EventName: fc.oneof(fc.constant("access"), anything),
				Data: anything,
				Name: fc.oneof(fc.constant("x-custom-jwt"), anything),
				Config: fc.oneof(fc.json(), anything, fc.constant('{"private_jwk":1}')),
			},
			{ requiredKeys: [] },
		),
		// Never the id of the instance that the others use: it would be closed.
		anything,
	);
	return fc.oneof(
		fc.tuple(fc.constant(0), fc.nat(), method, fc.tuple(argument)),
		fc.tuple(anything, anything, anything, anything),
		fc.tuple(fc.constant(0), anything, method, fc.array(argument)),
		fc.array(anything),
		anything,
	);
}

/** Bytes, and what becomes of the connection after them. */
interface Input {
	bytes: Uint8Array;
	ending: "stay" | "end" | "destroy";
}

function inputs(instanceId: number): fc.Arbitrary<Input> {
	const frame = requests(instanceId).map((value) => encode(value));
	const bytes = fc.oneof(
		{ weight: 6, arbitrary: frame },
		// Several in one piece.
		{
			weight: 1,
			arbitrary: fc
				.array(frame, { maxLength: 5 })
				.map((frames) => Buffer.concat(frames)),
		},
		{
			weight: 2,
			arbitrary: fc
				.tuple(frame, fc.nat())
				.map(([whole, at]) => whole.subarray(0, at % (whole.length + 1))),
		},
		{ weight: 2, arbitrary: fc.uint8Array({ maxLength: 100 }) },
		// Sizes up to 4 GiB, of each kind of item that has one.
		{
			weight: 1,
			arbitrary: fc
				.tuple(
					fc.constantFrom(0xc6, 0xc9, 0xdb, 0xdd, 0xdf),
					fc.uint8Array({ minLength: 4, maxLength: 40 }),
				)
				.map(([head, rest]) => Uint8Array.of(0x94, 0, 1, head, ...rest)),
		},
		// A request whose id is arrays in arrays.
		{
			weight: 1,
			arbitrary: fc
				.nat(2000)
				.map((depth) =>
					Buffer.concat([
						Uint8Array.of(0x94, 0),
						Buffer.alloc(depth, 0x91),
						Uint8Array.of(1),
						encode("plugin.GetStatus"),
						Uint8Array.of(0x90),
					]),
				),
		},
	);
	return fc.record({
		bytes,
		ending: fc.constantFrom<Input["ending"]>("stay", "stay", "end", "destroy"),
	});
}

/** Sends inputs one after the other, on new connections where the last one is gone. */
async function attackWith(queue: Input[], path: string): Promise<number> {
	let socket: Socket | undefined;
	let sent = 0;
	for (let input = queue.pop(); input; input = queue.pop()) {
		if (!socket?.writable) {
			socket?.destroy();
			// Every fourth reads nothing, and is reset when it closes.
			socket = await open(path, sent % 4 > 0);
		}
		const { bytes, ending } = input;
		if (bytes.length > 0) socket.write(bytes);
		sent += 1;
		if (ending === "end") socket.end();
		else if (ending === "destroy") {
			await turn();
			socket.destroy();
		} else await turn();
	}
	socket?.destroy();
	return sent;
}

describe("the dedicated server under fire", () => {
	let server: ServerProcess;
	let client: Client;
	let instance: number;

	beforeAll(async () => {
		server = await startServer(DEDICATED, ["--log-level", "error"]);
		client = await server.connect();
		instance = await client.startInstance(CONFIG);
	});
	afterAll(() => server.kill());

	/** A whole exchange of a client with a name of its own. */
	async function expectService(name: string): Promise<void> {
		const calls = await client.runPhase(instance, clientOf(name));
		expect(tokenIn(calls).claims.client_id).toBe(name);
		expect(calls.at(-1)?.Method).toBe(SET_HEADER);
	}

	test(`serves others during ${INPUTS} hostile inputs (seed ${SEED})`, async () => {
		const queue = fc.sample(inputs(instance), {
			numRuns: INPUTS,
			seed: SEED,
		});
		let exchanges = 0;
		const attacks = Promise.all(
			Array.from({ length: CONNECTIONS }, () =>
				attackWith(queue, server.socketPath),
			),
		);
		while (queue.length > 0) await expectService(`client-${++exchanges}`);
		const sent = await attacks;
		expect(sent.reduce((sum, count) => sum + count)).toBe(INPUTS);
		expect(exchanges).toBeGreaterThan(0);
		await expectService("the last one");
		expect(await settled(server)).toBe(server.pid);
		expect(server.lines(/fatal/)).toEqual([]);
	}, 60_000);

	test(`ends each phase whose PDK calls get hostile answers (seed ${SEED})`, async () => {
		const answers = fc.sample(
			fc.record({
				step: fc.constantFrom("plugin.Step", "plugin.StepError"),
				data: fc.array(anything, { minLength: 12, maxLength: 12 }),
			}),
			{ numRuns: 2000, seed: SEED },
		);
		for (const { step, data } of answers) {
			let { Data, EventId } = await client.handleEvent(instance);
			let calls = 0;
			while (Data !== "ret" && Data.Method !== EXIT) {
				const argument = { EventId, Data: data[calls++] };
				const next = await client.call(step, argument);
				({ Data, EventId } = next as { Data: typeof Data; EventId: number });
			}
			// No more calls than there are answers.
			expect(calls).toBeLessThanOrEqual(12);
		}
		await expectService("the next one");
	});

	test("is alive when a client asks much and reads nothing", async () => {
		const socket = await open(server.socketPath, false);
		const info = encode([0, 1, "plugin.GetPluginInfo", []]);
		const many = Buffer.concat(new Array(1000).fill(info));
		// Ends when the server has had enough of it.
		while (!socket.destroyed) {
			if (!socket.writableNeedDrain) socket.write(many);
			await turn();
		}
		await expectService("another");
	});

	test("is alive when thousands of clients connect and say half a word", async () => {
		const sockets = await Promise.all(
			Array.from({ length: 1000 }, () => open(server.socketPath)),
		);
		for (const socket of sockets) socket.write(STATUS.subarray(0, 7));
		await expectService("the full one");
		for (const socket of sockets) socket.destroy();
		expect(await settled(server)).toBe(server.pid);
	});
});
