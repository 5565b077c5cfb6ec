/** What real Kong sent, replayed to the server process: it answers as the plugin should. */

import { createHash, createPublicKey } from "node:crypto";
import { writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { jwtVerify } from "jose";
import { dedicatedServer } from "../../local/gateway/plugin-server";
import { FrameReader, framesOf } from "../../pluginserver/frames";
import { PDK, RpcCall, RpcReturn } from "../../pluginserver/messages";
import { decode } from "../../pluginserver/protobuf";
import privateJwk from "../../test-keys/ES256-jwk-private.json";
import publicJwk from "../../test-keys/ES256-jwk-public.json";
import {
	type Client,
	ConnectionLost,
	clientOf,
	EXIT,
	type PdkCall,
	SET_HEADER,
	tokenIn,
} from "../support/client";
import {
	type ServerProcess,
	startServer,
	temporaryFolder,
} from "../support/server";
import { readWire, recordedResult } from "../support/wire";

const CONFIG = { private_jwk: JSON.stringify(privateJwk) };
const KEY = createPublicKey({ key: publicJwk, format: "jwk" });

let server: ServerProcess;
let client: Client;

beforeAll(async () => {
	server = await startServer(dedicatedServer());
	client = await server.connect();
});
afterAll(() => server.kill());

/** Runs an event with what Kong answered in a recording, byte for byte; what is not in it is nil. */
async function replay(name: string, config: object = {}): Promise<PdkCall[]> {
	const instance = await client.startInstance({ ...CONFIG, ...config });
	await client.startEvent(instance);
	const calls: PdkCall[] = [];
	for (;;) {
		const call = await client.nextCall();
		if (call) calls.push(call);
		if (call?.method === EXIT) await client.close();
		if (!call || call.method === EXIT) return calls;
		const result = recordedResult(name, call) ?? Buffer.alloc(0);
		const length = Buffer.alloc(4);
		length.writeUInt32LE(result.length);
		// Kong writes the two one after the other.
		const socket = await client.open();
		socket.write(length);
		socket.write(result);
	}
}

test.each([
	["basic-auth", { client_id: "my-user" }],
	["key-auth", { client_id: "012345AZERTY!" }],
	["key-auth-consumer-without-custom-id", { client_id: "k-name" }],
	["key-auth-consumer-custom-id-only", { client_id: expect.any(String) }],
	["hmac-auth", { client_id: expect.any(String) }],
	["after-reload", { client_id: "012345AZERTY!" }],
])("signs a token for the recording %s", async (name, claims) => {
	const calls = await replay(name);
	const set = calls.at(-1);
	expect(set).toEqual({
		method: SET_HEADER,
		args: ["X-Custom-Jwt", expect.any(String)],
	});
	const { payload } = await jwtVerify(String(set?.args[1]), KEY);
	expect(payload).toMatchObject({
		...claims,
		aud: "http://127.0.0.1:9100/echo",
	});
});

test.each([["anonymous-no-auth-plugin"], ["anonymous-consumer"]])(
	"answers 401 to the recording %s",
	async (name) => {
		const [log, exit] = (await replay(name)).slice(-2);
		expect(log?.method).toBe("kong.log.warn");
		expect(log?.args[0]).toMatch(/^x-custom-jwt: /);
		expect(exit).toEqual({
			method: EXIT,
			args: [
				401,
				{ message: "Unauthorized" },
				expect.objectContaining({
					"content-type": "application/json; charset=utf-8",
				}),
			],
		});
	},
);

test("starts the instance of the recording, with its whole configuration", async () => {
	const [started] = readWire("start-instance");
	const { cmd_start_instance: start } = decode(
		RpcCall,
		started?.bytes ?? Buffer.alloc(0),
	);
	const config = JSON.parse(String(start?.config));
	expect(await client.startInstance({ ...config, ...CONFIG })).toBeGreaterThan(
		0,
	);
	expect(server.lines(/cannot be used/)).toEqual([]);
});

test("closes the connection when the instance is unknown: Kong starts it again", async () => {
	const [event] = readWire("instance-forgotten");
	const socket = await client.open();
	socket.write(framesOf((frames) => frames.text("")).subarray(4));
	const length = Buffer.alloc(4);
	length.writeUInt32LE(event?.bytes.length ?? 0);
	socket.write(Buffer.concat([length, event?.bytes ?? length]));
	await expect(client.nextFrame()).rejects.toThrow(ConnectionLost);
});

test("asks once, in one write, and tells all the rest in another", async () => {
	const instance = await client.startInstance(CONFIG);
	await client.startEvent(instance);
	const asked: PdkCall[] = [];
	// All are there before any is answered.
	for (let call = 0; call < 5; call++)
		asked.push((await client.nextCall()) as PdkCall);
	expect(asked.map(({ method }) => method)).toEqual([
		PDK.getCtx.name,
		PDK.getCtx.name,
		PDK.getVar.name,
		PDK.getVar.name,
		PDK.getService.name,
	]);
	const request = clientOf("alice");
	for (const call of asked) await client.answer(call, request);
	// Nor does it wait for the results of these.
	const told: PdkCall[] = [];
	for (;;) {
		const call = await client.nextCall();
		if (!call) break;
		told.push(call);
	}
	expect(told.at(-1)?.method).toBe(SET_HEADER);
	// Which come before the next call, and are not taken for it.
	for (const call of told) await client.answer(call, request);
	const calls = await client.runPhase(instance, clientOf("bob"));
	expect(tokenIn(calls).claims.client_id).toBe("bob");
});

test("asks for credential, consumer, HTTP version and Connection when a token is reused", async () => {
	const instance = await client.startInstance({
		...CONFIG,
		reuse_for: 60,
		service_id: clientOf("k").service?.id,
	});
	const [first, second] = [
		await client.runPhase(instance, clientOf("k")),
		await client.runPhase(instance, clientOf("k")),
	];
	expect(second.map(({ method }) => method)).toEqual([
		PDK.getCtx.name,
		PDK.getCtx.name,
		PDK.getVar.name,
		PDK.getVar.name,
		PDK.setSerializeValue.name,
		SET_HEADER,
	]);
	expect(second.at(-1)).toEqual(first.at(-1));
});

test("a value that is no UTF-8 is in no token", async () => {
	// An overlong space after `Bearer`: other readers take it for one.
	const instance = await client.startInstance({
		...CONFIG,
		subject: "$(headers.x-user)",
		strict_claims: true,
	});
	await client.startEvent(instance);
	for (;;) {
		const call = await client.nextCall();
		if (call?.method === EXIT) {
			expect(call.args[0]).toBe(401);
			await client.close();
			return;
		}
		if (!call) throw new Error("it was signed");
		if (call.method === PDK.getHeader.name) {
			const socket = await client.open();
			const text = Buffer.from("616cc0a063", "hex");
			socket.write(Buffer.from([2 + text.length, 0, 0, 0, 0x0a, text.length]));
			socket.write(text);
		} else await client.answer(call, clientOf("alice"));
	}
});

describe("the body's digest", () => {
	const digest = (body: Buffer) =>
		`sha-256=:${createHash("sha256").update(body).digest("base64")}:`;

	/** An event with a body as Kong gives it. */
	async function bind(
		body: object,
		config: object = {},
		url?: string,
	): Promise<PdkCall[]> {
		const instance = await client.startInstance({
			...CONFIG,
			bind_request: true,
			...config,
		});
		await client.startEvent(instance);
		const calls: PdkCall[] = [];
		for (;;) {
			const call = await client.nextCall();
			if (call) calls.push(call);
			if (call?.method === EXIT) await client.close();
			if (!call || call.method === EXIT) return calls;
			if (call.method === PDK.getRawBody.name)
				await client.write((frames) =>
					frames.message(PDK.getRawBody.gives, body),
				);
			else await client.answer(call, { ...clientOf("k"), method: "POST", url });
		}
	}

	const file = (size: number) => {
		const path = join(temporaryFolder(), "0000000001");
		const body = Buffer.alloc(size, "body");
		writeFileSync(path, body);
		return { path, body };
	};

	test.each([["lab-body"], ["lab-body-empty"]])(
		"is that of %s",
		async (name) => {
			const content = decode(
				PDK.getRawBody.gives,
				recordedResult(name, { method: PDK.getRawBody.name, args: [] }) ??
					Buffer.alloc(0),
			).content;
			const { claims } = tokenIn(await bind({ content }));
			expect(claims.content_digest).toBe(digest(content ?? Buffer.alloc(0)));
		},
	);

	test.each([[0], [20_000], [200_000], [1_048_576]])(
		"is that of a file of %d bytes, in which Kong buffered it",
		async (size) => {
			const { path, body } = file(size);
			const { claims } = tokenIn(await bind({ body_filepath: path }));
			expect(claims.content_digest).toBe(digest(body));
		},
	);

	test("is not made of a file that is larger than allowed: 413", async () => {
		const { path } = file(200_001);
		const config = { max_request_body_size: 200_000 };
		const calls = await bind({ body_filepath: path }, config);
		expect(calls.at(-1)).toMatchObject({ method: EXIT, args: [413, {}, {}] });
	});

	test("is never missing: a file that cannot be read ends the request with 500", async () => {
		const calls = await bind({ body_filepath: "/nonexistent/file" });
		expect(calls.at(-1)).toMatchObject({ method: EXIT, args: [500, {}, {}] });
		expect(calls.at(-2)?.args[0]).toMatch(/cannot be read: ENOENT/);
	});

	test.each(["/orders/7?a=b#c", "/orders/7#c", "/orders/7#c?a=b"])(
		"is beside a URL without query and fragment: %s",
		async (target) => {
			const body = { content: Buffer.from("x") };
			const calls = await bind(body, {}, `http://kong:8000${target}`);
			expect(tokenIn(calls).claims.htu).toBe("http://kong:8000/orders/7");
		},
	);

	test("is as large as a body may be", async () => {
		const content = Buffer.alloc(8_388_608, "x");
		const config = { max_request_body_size: 8_388_608 };
		const { claims } = tokenIn(await bind({ content }, config));
		expect(claims.content_digest).toBe(digest(content));
	});
});

test("a call is answered wherever its bytes are split", async () => {
	const socket = connect(server.socketPath);
	const reader = new FrameReader(1e6);
	const answers: unknown[] = [];
	let wake = () => {};
	socket.on("data", (chunk) => {
		for (const frame of reader.read(chunk))
			if (Buffer.isBuffer(frame))
				answers.push(decode(RpcReturn, frame).sequence);
		wake();
	});
	const { length } = callOf(1);
	for (let split = 1; split < length; split++) {
		const bytes = callOf(split);
		await new Promise((resolve) =>
			socket.write(bytes.subarray(0, split), resolve),
		);
		await setImmediate();
		const answered = new Promise<void>((resolve) => {
			wake = resolve;
		});
		socket.write(bytes.subarray(split));
		await answered;
	}
	socket.destroy();
	expect(answers).toEqual(Array.from({ length: length - 1 }, (_, i) => i + 1));
});

/** A call whose frame is as long whatever its number below 2^14. */
function callOf(sequence: number): Buffer {
	return framesOf((frames) =>
		frames.message(RpcCall, {
			sequence,
			cmd_start_instance: {
				name: "x-custom-jwt",
				config: Buffer.from(
					JSON.stringify(CONFIG).padEnd(500 + (sequence < 128 ? 1 : 0)),
				),
			},
		}),
	);
}
