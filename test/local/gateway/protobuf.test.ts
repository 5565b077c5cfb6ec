/** Kong's side of the protocol ProtoBuf:1, as recorded from real Kong and as its source has it when something goes wrong. */
import { createServer, type Server, type Socket } from "node:net";
import { dirname, join } from "node:path";
import { testKey } from "../../../local/demo/flows";
import { makeCertificate } from "../../../local/gateway/certificate";
import { parseDeclarative } from "../../../local/gateway/entities";
import { ExternalPlugin } from "../../../local/gateway/external-plugin";
import { startGateway } from "../../../local/gateway/gateway";
import {
	dedicatedServer,
	type PluginInfo,
	PluginServer,
} from "../../../local/gateway/plugin-server";
import { ProtoBufRpc } from "../../../local/gateway/protobuf";
import { send } from "../../../local/http";
import {
	FrameReader,
	type FrameWriter,
	framesOf,
} from "../../../pluginserver/frames";
import { PDK, RpcCall, RpcReturn } from "../../../pluginserver/messages";
import { decode } from "../../../pluginserver/protobuf";
import {
	runServer,
	startServer,
	temporaryFolder,
	until,
} from "../../support/server";
import { type RecordedFrame, readWire, typesByName } from "../../support/wire";

/** What the recordings were made with. */
const CONFIGURATION = `
_format_version: "3.0"
services:
- name: httpbin
  id: 0c51a34b-17a7-54b6-968a-4a8d05539b87
  url: http://127.0.0.1:9100/echo
  plugins: [{ name: probe }]
  routes:
  - { name: apiKey, id: 6fd927dc-e005-5d16-942a-4292bf846af8, paths: [/apiKey], plugins: [{ name: key-auth }] }
  - { name: basicAuth, id: 58ce9126-d50a-5f32-a605-fd2b62363ec9, paths: [/basicAuth], plugins: [{ name: basic-auth }] }
  - { name: mtlsAuth, id: c9996bc5-3083-53f6-8321-22048085dbb2, paths: [/mtlsAuth], protocols: [https] }
consumers:
- id: 7fd85d23-9ab6-5a3a-884e-133bf75d0d87
  username: contact@konghq.com
  custom_id: contact@konghq.com-ID1
  keyauth_credentials: [{ id: 794aa154-d0bf-4ea6-ba42-21b77c564735, key: 012345AZERTY! }]
  basicauth_credentials: [{ id: 6bf3d546-8814-5d91-913f-0ce3d79e2ae4, username: my-user, password: My p@ssword! }]
`;

const PROBE: PluginInfo = {
	Name: "probe",
	Version: "1",
	Phases: ["access"],
	Priority: 1,
	Schema: {
		name: "probe",
		fields: [{ config: { type: "record", fields: [] } }],
	},
};

/** A plugin server's event as the test plays it: takes the frames that come, and writes others. */
type Play = (
	event: { sequence: number; instance: number },
	socket: Socket,
	next: () => Promise<Buffer>,
) => Promise<void>;

const closers: (() => unknown)[] = [];
afterEach(() => Promise.all(closers.splice(0).map((close) => close())));

/** A gateway before a plugin server that plays its events; instances get ids from 1 on. */
async function gatewayBefore(play: Play) {
	const socketPath = join(temporaryFolder(), "s.sock");
	const connections = new Set<Socket>();
	let opened = 0;
	let instances = 0;
	const server: Server = createServer(async (socket) => {
		opened += 1;
		connections.add(socket);
		socket.on("error", () => {});
		const reader = new FrameReader(1e6);
		const frames: Buffer[] = [];
		let wake = () => {};
		socket.on("data", (chunk) => {
			for (const frame of reader.read(chunk as Buffer))
				if (Buffer.isBuffer(frame)) frames.push(frame);
			wake();
		});
		const next = async () => {
			while (!frames[0])
				await new Promise<void>((resolve) => {
					wake = resolve;
				});
			return frames.shift() as Buffer;
		};
		for (;;) {
			const call = decode(RpcCall, await next());
			const sequence = call.sequence ?? 0;
			if (call.cmd_start_instance)
				reply(socket, (out) =>
					out.message(RpcReturn, {
						sequence,
						instance_status: { name: "probe", instance_id: ++instances },
					}),
				);
			const instance = call.cmd_handle_event?.instance_id;
			if (instance !== undefined)
				await play({ sequence, instance }, socket, next);
		}
	});
	await new Promise<void>((resolve) => server.listen(socketPath, resolve));
	closers.push(() => {
		for (const socket of connections) socket.destroy();
		server.close();
	});
	const log: string[] = [];
	const rpc = new ProtoBufRpc(socketPath, (level, text) =>
		log.push(`${level} ${text}`),
	);
	const gateway = await startGateway({
		configuration: parseDeclarative(CONFIGURATION, "test.yml"),
		externalPlugins: [
			new ExternalPlugin(PROBE, rpc, (level, text) =>
				log.push(`${level} ${text}`),
			),
		],
		httpPort: 0,
		httpsPort: 0,
		clientCa: (await makeCertificate([{ CN: ["other CA"] }], { days: 1 })).cert,
		resolve: new Map([["127.0.0.1:9100", "127.0.0.1:1"]]),
		log: (level, text) => log.push(`${level} ${text}`),
	});
	closers.push(
		() => gateway.close(),
		() => rpc.close(),
	);
	return { ...gateway, log, opened: () => opened };
}

function reply(socket: Socket, write: (out: FrameWriter) => void): void {
	socket.write(framesOf(write));
}

/** Ends an event and the request with a status, so that no backend is needed. */
function exit(socket: Socket, status: number): void {
	reply(socket, (out) => {
		out.text(PDK.exit.name);
		out.message(PDK.exit.takes, { status, body: Buffer.from("{}") });
	});
}

/** Recorded calls of methods that the plugin server makes, of keys that the gateway has. */
function callsOf(name: string) {
	const known = new Set<string>(
		Object.values(PDK).map((method) => method.name),
	);
	const frames = readWire(name);
	return frames.flatMap((frame, index) => {
		const [argument, result] = [frames[index + 1], frames[index + 2]];
		const { v } = (argument?.decoded ?? {}) as { v?: unknown };
		if (!frame.method || !argument || !result) return [];
		if (!known.has(frame.method) || v === "service" || v === "route") return [];
		if (frame.method === PDK.setHeader.name) return [];
		return [{ method: frame.method, argument, result }];
	});
}

/** A result with what no two runs have in common left out. */
function comparable({ type = "" }: RecordedFrame, bytes: Buffer): unknown {
	const message = typesByName[type];
	if (!message) throw new Error(`no message type ${type}`);
	return JSON.parse(
		JSON.stringify({ is: decode(message, bytes) }, (name, value) =>
			["created_at", "updated_at"].includes(name) ? typeof value : value,
		),
	);
}

describe("the gateway answers a plugin server as Kong did about", () => {
	test.each([
		["key-auth", "http", "/apiKey", { apikey: "012345AZERTY!" }],
		[
			"basic-auth",
			"http",
			"/basicAuth",
			{ authorization: `Basic ${btoa("my-user:My p@ssword!")}` },
		],
		["https-no-client-cert", "https", "/mtlsAuth", {}],
	])("%s", async (name, scheme, path, headers) => {
		const calls = callsOf(name);
		expect(calls.length).toBeGreaterThan(8);
		const results: Buffer[] = [];
		const gateway = await gatewayBefore(async (_, socket, next) => {
			for (const { method, argument } of calls) {
				const length = Buffer.alloc(4);
				length.writeUInt32LE(argument.bytes.length);
				socket.write(framesOf((out) => out.text(method)));
				socket.write(Buffer.concat([length, argument.bytes]));
				results.push(await next());
			}
			exit(socket, 200);
		});
		const url = (scheme === "http" ? gateway.httpUrl : gateway.httpsUrl) + path;
		const { status } = await send(url, { headers, ca: gateway.certificate });
		expect(status).toBe(200);
		calls.forEach(({ method, argument, result }, index) => {
			const own = results[index] ?? Buffer.of();
			expect([method, argument.decoded, comparable(result, own)]).toEqual([
				method,
				argument.decoded,
				comparable(result, result.bytes),
			]);
		});
	});
});

const ask = (url: string) =>
	send(`${url}/apiKey`, { headers: { apikey: "012345AZERTY!" } });

test("results of calls that came in one write are given in their order, also those of the last write of an event", async () => {
	const gateway = await gatewayBefore(async (_, socket, next) => {
		reply(socket, (out) => {
			for (const name of ["http_apikey", "http_none", "request_uri"]) {
				out.text(PDK.getVar.name);
				out.message(PDK.getVar.takes, { v: name });
			}
		});
		const values = [await next(), await next(), await next()].map(
			(frame) => decode(PDK.getVar.gives, frame).v,
		);
		expect(values).toEqual(["012345AZERTY!", undefined, "/apiKey"]);
		exit(socket, 418);
	});
	expect((await ask(gateway.httpUrl)).status).toBe(418);
});

test("a connection is used again after an event that ended by itself, and closed after one that ended the request", async () => {
	let count = 0;
	const gateway = await gatewayBefore(async ({ sequence }, socket, next) => {
		count += 1;
		if (count === 3) return exit(socket, 418);
		reply(socket, (out) => {
			out.text(PDK.clearHeader.name);
			out.message(PDK.clearHeader.takes, { v: "X" });
			out.text("");
			out.message(RpcReturn, { sequence });
		});
		await next();
	});
	// The backend is not there.
	for (const status of [502, 502, 418])
		expect((await ask(gateway.httpUrl)).status).toBe(status);
	expect(gateway.opened()).toBe(1);
	count = 0;
	await ask(gateway.httpUrl);
	expect(gateway.opened()).toBe(2);
});

test("a connection that is closed in the middle of an event repeats it on a new instance", async () => {
	const instances: number[] = [];
	const gateway = await gatewayBefore(async ({ instance }, socket) => {
		instances.push(instance);
		if (instances.length < 3) socket.destroy();
		else exit(socket, 418);
	});
	expect((await ask(gateway.httpUrl)).status).toBe(418);
	expect(instances).toEqual([1, 2, 3]);
});

test.each([
	["a call that raises", PDK.setHeader.name, { k: "X" }, "must be given"],
	[
		"a method that Kong does not have",
		"kong.client.nothing",
		{},
		'method "kong.client.nothing" not found',
	],
])(
	"%s is 500, logged, and closes the connection",
	async (_, name, argument, words) => {
		const gateway = await gatewayBefore(async (_, socket) => {
			reply(socket, (out) => {
				out.text(name);
				out.message(PDK.setHeader.takes, argument);
			});
		});
		expect((await ask(gateway.httpUrl)).status).toBe(500);
		expect(gateway.log.join("\n")).toContain(words);
		await ask(gateway.httpUrl);
		expect(gateway.opened()).toBe(2);
	},
);

test("nobody on the socket is 500, and nothing is proxied", async () => {
	const gateway = await gatewayBefore(async (_, socket) => exit(socket, 418));
	for (const close of closers.splice(0, 1)) await close();
	const { status, body } = await ask(gateway.httpUrl);
	expect(status).toBe(500);
	expect(body).toContain("An unexpected error occurred");
});

test("a request in flight when the plugin server is killed is answered by the one that took over", async () => {
	const command = dedicatedServer();
	const log = () => {};
	const info = await new PluginServer(command, log).query();
	const old = await startServer(command);
	const rpc = new ProtoBufRpc(old.socketPath, log);
	const config = {
		private_jwk: testKey("ES256-jwk-private.json"),
		downstream_custom_jwt_header: "X-Token",
	};
	const gateway = await startGateway({
		configuration: parseDeclarative(
			CONFIGURATION.replace(
				"{ name: probe }",
				`{ name: x-custom-jwt, config: ${JSON.stringify(config)} }`,
			),
			"test.yml",
		),
		externalPlugins: [new ExternalPlugin(info, rpc, log)],
		httpPort: 0,
		httpsPort: 0,
		clientCa: (await makeCertificate([{ CN: ["other CA"] }], { days: 1 })).cert,
		resolve: new Map([["127.0.0.1:9100", "127.0.0.1:1"]]),
		log,
	});
	closers.push(
		() => gateway.close(),
		() => rpc.close(),
	);
	const before = await ask(gateway.httpUrl);
	expect(before.headers["x-token"]).toMatch(/^ey/);

	old.signal("SIGSTOP");
	const inFlight = ask(gateway.httpUrl);
	const successor = runServer(command, [], dirname(old.socketPath));
	await until("it takes over", () => successor.output.includes("msg=started"));
	await old.kill();
	const { headers } = await inFlight;
	expect(headers["x-token"]).toMatch(/^ey/);
	expect(headers["x-token"]).not.toBe(before.headers["x-token"]);
	await successor.kill();
});
