/** How connections end when Kong is to use another server: no call of Kong's is lost. */
import { once } from "node:events";
import {
	createServer,
	connect as open,
	type Server,
	type Socket,
} from "node:net";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { dedicatedServer } from "../../local/gateway/plugin-server";
import { Connections } from "../../pluginserver/connections";
import { FrameReader, framesOf } from "../../pluginserver/frames";
import { RpcCall, RpcReturn } from "../../pluginserver/messages";
import { decode } from "../../pluginserver/protobuf";
import { PluginServerRpc } from "../../pluginserver/rpc";
import privateJwk from "../../test-keys/ES256-jwk-private.json";
import { Client, clientOf, SET_HEADER, tokenIn } from "../support/client";
import {
	runServer,
	startServer,
	temporaryFolder,
	until,
} from "../support/server";

const DEDICATED = dedicatedServer();
const CONFIG = { private_jwk: JSON.stringify(privateJwk) };

const callOf = (call: Parameters<typeof RpcCall.write>[0]) =>
	framesOf((frames) => frames.message(RpcCall, { sequence: 1, ...call }));
const NAMES = callOf({ cmd_get_plugin_names: {} });

let server: Server;
let path: string;
let connections: Connections;

beforeEach(async () => {
	path = join(temporaryFolder(), "s.sock");
	const log = () => {};
	connections = new Connections(new PluginServerRpc(log), log);
	server = createServer((socket) => connections.add(socket));
	server.listen(path);
	await once(server, "listening");
});
afterEach(() => server.close());

/** A connection of Kong's, which ends its side only when it is told to. */
async function connect(): Promise<Socket> {
	const before = connections.size;
	const socket = open({ path, allowHalfOpen: true });
	await once(socket, "connect");
	await until("it is taken", () => connections.size > before);
	return socket;
}

/** All bytes that come up to the end of the other side. */
async function readToEnd(socket: Socket): Promise<Buffer> {
	const chunks: Buffer[] = [];
	socket.on("data", (chunk) => chunks.push(chunk));
	await once(socket, "end");
	return Buffer.concat(chunks);
}

test("the last answer on a retired connection is followed by a byte, so that Kong does not keep the connection", async () => {
	const socket = await connect();
	connections.retire();
	socket.write(NAMES);
	const bytes = await readToEnd(socket);
	const length = bytes.readUInt32LE();
	expect(decode(RpcReturn, bytes.subarray(4, 4 + length)).plugin_names).toEqual(
		{
			names: ["x-custom-jwt"],
		},
	);
	expect(bytes.subarray(4 + length)).toEqual(Buffer.of(0));
	socket.destroy();
});

test("an answer on a connection that is not retired is followed by nothing, and the next call is answered", async () => {
	const client = new Client(path);
	const id = await client.startInstance(CONFIG);
	for (const name of ["alice", "bob"])
		expect(
			tokenIn(await client.runPhase(id, clientOf(name))).claims.client_id,
		).toBe(name);
	await client.close();
});

test("the results that Kong still writes behind the last answer are read before the connection closes", async () => {
	const client = new Client(path);
	const id = await client.startInstance(CONFIG);
	const socket = await client.open();
	socket.allowHalfOpen = true;
	const errors: Error[] = [];
	socket.on("error", (error) => errors.push(error));
	await client.startEvent(id);
	connections.retire();
	const asked = [];
	for (let count = 0; count < 5; count++) {
		const call = await client.nextCall();
		if (call) asked.push(call);
	}
	for (const call of asked) await client.answer(call, clientOf("alice"));
	const told = [];
	for (;;) {
		const call = await client.nextCall();
		if (!call) break;
		told.push(call);
	}
	expect(told.at(-1)?.method).toBe(SET_HEADER);
	for (const call of told) {
		expect(connections.size).toBe(1);
		await client.answer(call, clientOf("alice"));
	}
	await until("it closes", () => connections.size === 0);
	expect(errors).toEqual([]);
	socket.destroy();
});

test("a call that Kong writes on a connection just ended gets its end, not a reset", async () => {
	const socket = await connect();
	socket.write(NAMES);
	await once(socket, "data");
	const ended = readToEnd(socket);
	const retired = connections.retire();
	await ended;
	const errors: Error[] = [];
	socket.on("error", (error) => errors.push(error));
	await new Promise((resolve) => socket.write(NAMES, resolve));
	await turn();
	socket.end();
	await once(socket, "close");
	await retired;
	expect(errors).toEqual([]);
});

test("a connection that comes after the others were retired has one call answered", async () => {
	connections.retire();
	const socket = await connect();
	socket.write(NAMES);
	expect((await readToEnd(socket)).length).toBeGreaterThan(5);
	socket.destroy();
});

test("long work is done once in a turn of the event loop, in order", async () => {
	const done: number[] = [];
	for (let work = 0; work < 4; work++)
		connections.inTurn(() => done.push(work));
	expect(done).toEqual([0]);
	for (let count = 2; count <= 4; count++) {
		await turn();
		expect(done).toEqual(Array.from({ length: count }, (_, work) => work));
	}
	await turn();
	connections.inTurn(() => done.push(4));
	expect(done).toEqual([0, 1, 2, 3, 4]);
});

describe.each([[[]], [["--workers", "2"]]])(
	"a server with the flags %j",
	(flags) => {
		test("answers the calls of connections that were made before it leaves its place", async () => {
			const folder = temporaryFolder();
			const first = await startServer(DEDICATED, flags, folder);
			await until("it is started", () => first.output.includes("msg=started"));
			// They wait in the kernel until the server goes on, with the signal first.
			first.signal("SIGSTOP");
			const waiting = Array.from({ length: 100 }, () => {
				const socket = open(first.socketPath);
				socket.write(NAMES);
				return answerOn(socket);
			});
			const second = runServer(DEDICATED, flags, folder);
			await until("it took over", () => second.output.includes("msg=started"));
			first.signal("SIGTERM");
			first.signal("SIGCONT");
			expect(await Promise.all(waiting)).toEqual(
				waiting.map(() => ["x-custom-jwt"]),
			);
			expect(await first.exited).toEqual({ code: 0, signal: null });
			await second.kill();
		});
	},
);

/** The plugin's names in the first answer on a connection. */
async function answerOn(socket: Socket): Promise<string[] | undefined> {
	const reader = new FrameReader(1024);
	for await (const chunk of socket)
		for (const frame of reader.read(chunk))
			if (Buffer.isBuffer(frame))
				return decode(RpcReturn, frame).plugin_names?.names;
	return undefined;
}
