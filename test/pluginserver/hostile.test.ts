import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { setImmediate as turn } from "node:timers/promises";
import fc from "fast-check";
import { dedicatedServer } from "../../local/gateway/plugin-server";
import { framesOf } from "../../pluginserver/frames";
import { PDK, RpcCall, Value } from "../../pluginserver/messages";
import privateJwk from "../../test-keys/ES256-jwk-private.json";
import {
	Client,
	clientOf,
	EXIT,
	nobody,
	SET_HEADER,
	tokenIn,
} from "../support/client";
import { type ServerProcess, startServer } from "../support/server";
import { readWire, wireRecordings } from "../support/wire";

/** The same seed makes the same inputs; another one can be had by the environment. */
const SEED = Number(process.env.FUZZ_SEED ?? 3);
const INPUTS = Number(process.env.FUZZ_INPUTS ?? 10_000);
const CONNECTIONS = 8;

const DEDICATED = dedicatedServer();
const CONFIG = { private_jwk: JSON.stringify(privateJwk) };

const callFrame = (call: Parameters<typeof RpcCall.write>[0]) =>
	framesOf((frames) => frames.message(RpcCall, { sequence: 1, ...call }));
const INFO = callFrame({ cmd_get_plugin_info: { name: "x-custom-jwt" } });

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

/** A payload with its length before it. */
function framed(payload: Uint8Array): Buffer {
	const length = Buffer.alloc(4);
	length.writeUInt32LE(payload.length);
	return Buffer.concat([length, payload]);
}

/** Payloads that real Kong sent or got, for others to be made of. */
const recorded = wireRecordings.flatMap((name) =>
	readWire(name).map(({ bytes }) => bytes),
);

/** Payloads near to Kong's: recorded ones, whole or broken, calls with odd members, and any bytes. */
function payloads(instanceId: number): fc.Arbitrary<Uint8Array> {
	const known = fc.constantFrom(...recorded);
	const text = fc.oneof(
		fc.constantFrom("__proto__", "constructor", "x-custom-jwt", "access", ""),
		fc.string(),
	);
	const id = fc.oneof(
		fc.constantFrom(instanceId, 0, -1, 2 ** 31 - 1, -(2 ** 31)),
		fc.integer(),
	);
	const call = fc.oneof(
		fc.record({ cmd_get_plugin_info: fc.record({ name: text }) }),
		fc.record({
			cmd_start_instance: fc.record({
				name: text,
				config: fc
					.oneof(fc.json(), fc.string(), fc.constant('{"private_jwk":1}'))
					.map((json) => Buffer.from(json)),
			}),
		}),
		fc.record({ cmd_get_instance_status: fc.record({ instance_id: id }) }),
		// Never the instance that the others use: it would be closed.
		fc.record({
			cmd_close_instance: fc.record({
				instance_id: id.filter((one) => one !== instanceId),
			}),
		}),
		fc.record({
			cmd_handle_event: fc.record({ instance_id: id, event_name: text }),
		}),
		fc.constant({}),
	);
	return fc.oneof(
		{ weight: 4, arbitrary: call.map((one) => callFrame(one).subarray(4)) },
		{ weight: 2, arbitrary: known },
		{
			weight: 2,
			arbitrary: fc
				.tuple(known, fc.nat(), fc.nat(255))
				.map(([whole, at, byte]) => {
					const broken = Buffer.from(whole);
					if (broken.length > 0) broken[at % broken.length] = byte;
					return broken;
				}),
		},
		{
			weight: 1,
			arbitrary: fc
				.tuple(known, fc.nat())
				.map(([whole, at]) => whole.subarray(0, at % (whole.length + 1))),
		},
		{ weight: 2, arbitrary: fc.uint8Array({ maxLength: 100 }) },
	);
}

/** Bytes, and what becomes of the connection after them. */
interface Input {
	bytes: Uint8Array;
	ending: "stay" | "end" | "destroy";
}

function inputs(instanceId: number): fc.Arbitrary<Input> {
	const frame = payloads(instanceId).map(framed);
	const bytes = fc.oneof(
		{ weight: 6, arbitrary: frame },
		// Several in one piece.
		{
			weight: 2,
			arbitrary: fc
				.array(frame, { maxLength: 12 })
				.map((frames) => Buffer.concat(frames)),
		},
		// Half frames, and what has no frames.
		{
			weight: 1,
			arbitrary: fc
				.tuple(frame, fc.nat())
				.map(([whole, at]) => whole.subarray(0, at % (whole.length + 1))),
		},
		{ weight: 1, arbitrary: fc.uint8Array({ maxLength: 100 }) },
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
	afterEach(() => expect(server.isRunning).toBe(true));

	/** A whole event of a client with a name of its own. */
	async function expectService(name: string): Promise<void> {
		const calls = await client.runPhase(instance, clientOf(name));
		expect(tokenIn(calls).claims.client_id).toBe(name);
		expect(calls.at(-1)?.method).toBe(SET_HEADER);
	}

	test(`serves others during ${INPUTS} hostile inputs (seed ${SEED})`, async () => {
		const queue = fc.sample(inputs(instance), {
			numRuns: INPUTS,
			seed: SEED,
		});
		let events = 0;
		const attacks = Promise.all(
			Array.from({ length: CONNECTIONS }, () =>
				attackWith(queue, server.socketPath),
			),
		);
		while (queue.length > 0) await expectService(`client-${++events}`);
		const sent = await attacks;
		expect(sent.reduce((sum, count) => sum + count)).toBe(INPUTS);
		expect(events).toBeGreaterThan(0);
		await expectService("the last one");
		expect(server.lines(/defect/)).toEqual([]);
	});

	test(`ends each event whose PDK calls get hostile answers (seed ${SEED})`, async () => {
		const json = fc.jsonValue({ maxDepth: 4 });
		const result = fc.oneof(
			fc.constant(Buffer.alloc(0)),
			fc.constantFrom(...recorded),
			fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
			json.map((value) =>
				framesOf((frames) => frames.message(Value, value as never)).subarray(4),
			),
		);
		const results = fc.sample(fc.array(result, { minLength: 12 }), {
			numRuns: 500,
			seed: SEED,
		});
		for (const answers of results) {
			await client.startEvent(instance);
			let call = await client.nextCall();
			for (let asked = 0; call && call.method !== EXIT; asked++) {
				const payload = answers[asked] ?? Buffer.alloc(0);
				(await client.open()).write(framed(payload));
				call = await client.nextCall();
			}
			if (call?.method === EXIT) {
				expect([400, 401, 500, 505]).toContain(call.args[0]);
				await client.close();
			}
		}
		await expectService("the next one");
	});

	test("ends an event with 500 when an answer is too long, and reads the answer to its end", async () => {
		await client.startEvent(instance);
		const first = await client.nextCall();
		expect(first?.method).toBe(PDK.getCtx.name);
		const socket = await client.open();
		const head = Buffer.alloc(4);
		head.writeUInt32LE(300 * 2 ** 20);
		socket.write(head);
		const piece = Buffer.alloc(2 ** 20);
		for (let count = 0; count < 300; count++)
			if (!socket.write(piece)) await once(socket, "drain");
		const calls = await client.finishEvent(nobody);
		expect(calls.at(-1)).toMatchObject({ method: EXIT, args: [500, {}, {}] });
		expect(calls.at(-2)?.args[0]).toMatch(/get_ctx is too long/);
		await expectService("the next one");
	});

	test("ends an event with 413 when the body is too long", async () => {
		const bound = await client.startInstance({ ...CONFIG, bind_request: true });
		const body = Buffer.alloc(40 * 2 ** 20);
		const request = { ...clientOf("k"), body, method: "POST" };
		const calls = await client.runPhase(bound, request);
		expect(calls.at(-1)).toMatchObject({ method: EXIT, args: [413, {}, {}] });
	});

	test("closes a connection that says something while the plugin works", async () => {
		const socket = await open(server.socketPath);
		const event = { instance_id: instance, event_name: "access" };
		const flood = Buffer.concat(
			new Array(200).fill(callFrame({ cmd_handle_event: event })),
		);
		socket.write(flood);
		await once(socket, "close");
		await expectService("another");
	});

	test("is alive when a client asks much and reads nothing", async () => {
		const socket = await open(server.socketPath, false);
		const many = Buffer.concat(new Array(1000).fill(INFO));
		// Ends when the server has had enough of it.
		while (!socket.destroyed) {
			if (!socket.writableNeedDrain) socket.write(many);
			await turn();
		}
		await expectService("another");
	});

	test("is alive when thousands of clients connect and say half a word", async () => {
		const sockets = await Promise.all(
			Array.from({ length: 3000 }, () => open(server.socketPath)),
		);
		for (const socket of sockets) socket.write(INFO.subarray(0, 7));
		await expectService("the full one");
		for (const socket of sockets) socket.destroy();
		await expectService("the last one");
	});

	test("takes a burst of 3,000 connections, each with an event at once", async () => {
		const clients = Array.from(
			{ length: 3000 },
			() => new Client(server.socketPath),
		);
		const events = await Promise.all(
			clients.map((one) => one.runPhase(instance, clientOf("k"))),
		);
		const ends = new Set(events.map((calls) => calls.at(-1)?.method));
		expect(ends).toEqual(new Set([SET_HEADER]));
		await Promise.all(clients.map((one) => one.close()));
	});
});
