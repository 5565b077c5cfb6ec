import { execFile } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { decodeMultiStream, encode } from "@msgpack/msgpack";
import { decodeJwt, importJWK, jwtVerify } from "jose";
import { ExternalPlugin } from "../../../local/gateway/external-plugin";
import { MessagePackRpc } from "../../../local/gateway/messagepack";
import { stepMethod } from "../../../local/gateway/pdk";
import {
	type PluginInfo,
	PluginServer,
	stockServer,
} from "../../../local/gateway/plugin-server";
import { version } from "../../../package.json";
import { kongFields } from "../../../schema/kong";
import { packageRoot } from "../../../schema/package-root";
import publicIdpJwk from "../../../test-keys/idp-jwk-public.json";
import privateJwk from "../../../test-keys/RS256-jwk-private.json";
import publicJwk from "../../../test-keys/RS256-jwk-public.json";
import { isNote } from "../../support/notes";
import {
	type Kong,
	kongOf,
	type PdkCall,
	type Recording,
	type ResponseFrame,
	readRecording,
	recordedAnswer,
	recordedShapesLike,
	recordingNames,
	shapeOf,
} from "../../support/recording";

const ROOT = packageRoot();

/** Plugin servers that must all do the same. */
const SERVERS: { name: string; command: string[] }[] = [
	{
		name: "kong-js-pluginserver with the TypeScript plugin",
		command: stockServer(),
	},
	{
		name: "kong-js-pluginserver with the bundled plugin",
		command: stockServer(join(ROOT, "dist/plugins")),
	},
];

const EXIT = "kong.response.exit";
const SET_HEADER = "kong.service.request.set_header";
const UNAUTHORIZED = {
	Method: EXIT,
	Args: [
		401,
		{ message: "Unauthorized" },
		{ "WWW-Authenticate": "Basic, Bearer, Key" },
	],
};
const UNEXPECTED = {
	Method: EXIT,
	Args: [500, { message: "An unexpected error occurred" }],
};

/** An nginx worker of Kong: its calls, and the frames that came back. */
interface Worker {
	rpc: MessagePackRpc;
	frames: ResponseFrame[];
	close(): Promise<void>;
}

/** Connects a worker through a relay that keeps each frame of the plugin server. */
async function openWorker(target: string): Promise<Worker> {
	const frames: ResponseFrame[] = [];
	const relay = createServer(async (client) => {
		const upstream = connect(target);
		client.pipe(upstream);
		for await (const frame of decodeMultiStream(upstream)) {
			frames.push(frame as ResponseFrame);
			client.write(encode(frame));
		}
		client.end();
	});
	const directory = mkdtempSync(join(tmpdir(), "x-custom-jwt-worker-"));
	const socketPath = join(directory, "relay.sock");
	relay.listen(socketPath);
	await once(relay, "listening");
	const rpc = new MessagePackRpc(socketPath, () => {});
	return {
		rpc,
		frames,
		close: async () => {
			rpc.close();
			relay.close();
			await once(relay, "close");
			await rm(directory, { recursive: true });
		},
	};
}

/** What a plugin did in one event. */
interface Outcome {
	calls: PdkCall[];
	/** Whether the phase returned; otherwise Kong did not answer its last call. */
	returned: boolean;
}

/** Runs the access phase as Kong does, one call after the other. */
async function handleEvent(
	{ rpc }: Worker,
	InstanceId: number,
	kong: Kong,
): Promise<Outcome> {
	interface Step {
		Data: "ret" | PdkCall;
		EventId: number;
	}
	const calls: PdkCall[] = [];
	const event = { InstanceId, EventName: "access" };
	let step = (await rpc.call("plugin.HandleEvent", event)) as Step;
	const { EventId } = step;
	while (step.Data !== "ret") {
		if (!isNote(step.Data.Method, step.Data.Args)) calls.push(step.Data);
		const answer = kong(step.Data);
		if (!answer) return { calls, returned: false };
		const argument = { ...answer.argument, EventId };
		step = (await rpc.call(answer.method, argument)) as Step;
		expect(step.EventId).toBe(EventId);
	}
	return { calls, returned: true };
}

/** Checks that the request ends with this call and that nothing was given to the backend. */
function expectExit({ calls, returned }: Outcome, exit: PdkCall): void {
	expect(calls.at(-1)).toStrictEqual(exit);
	expect(returned).toBe(false);
	expect(calls.filter(({ Method }) => Method === SET_HEADER)).toEqual([]);
}

/** Checks that the backend gets a good token, and nothing else. */
async function expectToken(
	{ calls, returned }: Outcome,
	claims: Record<string, unknown>,
): Promise<void> {
	expect(returned).toBe(true);
	const [header, ...others] = calls.filter(({ Method }) =>
		/set_header|exit/.test(Method),
	);
	expect(others).toEqual([]);
	expect(header).toEqual({
		Method: SET_HEADER,
		Args: ["X-Custom-Jwt", expect.any(String)],
	});
	const { payload, protectedHeader } = await jwtVerify(
		String(header?.Args[1]),
		await importJWK(publicJwk, "RS256"),
	);
	const iss = "https://kong-gateway:8443/x-custom-jwt";
	expect(protectedHeader).toEqual({
		typ: "JWT",
		alg: "RS256",
		kid: "kong",
		jku: `${iss}/jwks`,
	});
	expect(payload).toEqual({
		...claims,
		iss,
		iat: expect.any(Number),
		exp: Number(payload.iat) + 1800,
		aud: "http://127.0.0.1:9999",
		jti: expect.stringMatching(/^[0-9a-f-]{36}$/),
	});
}

/** No recording has the notes; the headers of an exit have other names there. */
function isRecorded([, , , result]: ResponseFrame): boolean {
	const { Data } = result as { Data?: PdkCall };
	return !Data?.Method || !(isNote(Data.Method, Data.Args) || Data.Args[2]);
}

/** Checks that frames have the members, and their types, that recorded frames have. */
function expectRecordedShapes(frames: ResponseFrame[]): void {
	for (const frame of frames.filter(isRecorded))
		expect(recordedShapesLike(frame)).toContainEqual(shapeOf(frame));
}

/** `private_jwk` of the configuration. */
const JWK = JSON.stringify(privateJwk);

function jwkWith(members: object): string {
	return JSON.stringify({ ...privateJwk, ...members });
}

/** Pieces of eight characters that a message has from the long members of a JWK. */
function quotes(message: string, jwk: Record<string, string>): string[] {
	const values = Object.values(jwk).filter((value) => value.length > 80);
	return [...message]
		.map((_, index) => message.slice(index, index + 8))
		.filter((piece) => piece.length === 8)
		.filter((piece) => values.some((value) => value.includes(piece)));
}

/** The service that all recordings name. */
const SERVICE_ID = "adbd70b3-4224-5183-a52a-179d7b34ab5b";

const alice = { client_id: "alice-cid" };

const BASIC_AUTH_CLAIMS = { client_id: "alice", act: alice };

/** Recordings of an authenticated client, the configuration they need, and the claims to expect. */
const AUTHENTICATED: {
	name: string;
	fields?: Record<string, unknown>;
	claims: { client_id: string; [name: string]: unknown };
}[] = [
	{ name: "basic-auth", claims: BASIC_AUTH_CLAIMS },
	{ name: "key-auth", claims: { client_id: "alice-key", act: alice } },
	{
		name: "key-auth-consumer-without-custom-id",
		claims: {
			client_id: "bob-key",
			act: { client_id: "def4f7d3-9863-5ad2-8fa9-c949bf26f55e" },
		},
	},
	{
		name: "key-auth-consumer-custom-id-only",
		claims: { client_id: "cid-key", act: { client_id: "only-cid" } },
	},
	{
		name: "jwt",
		fields: { bearer_clientid_claim: "sub" },
		claims: { sub: "u1", client_id: "u1", act: alice },
	},
];

/** All others; the token of `jwt` has no claim of the default name. */
const REFUSED = recordingNames.filter(
	(name) =>
		name === "jwt" || AUTHENTICATED.every((recorded) => recorded.name !== name),
);

describe.each(SERVERS)("$name", ({ command }) => {
	const log = () => {};
	const server = new PluginServer(command, log);
	let info: PluginInfo;
	let worker: Worker;
	let otherWorker: Worker;

	beforeAll(async () => {
		info = await server.query();
		await server.start();
	});
	afterAll(() => server.stop());

	beforeEach(async () => {
		worker = await openWorker(server.socketPath);
		otherWorker = await openWorker(server.socketPath);
	});
	afterEach(() => Promise.all([worker.close(), otherWorker.close()]));

	/**
	 * Starts an instance for the plugin entry of a recording, configured for our plugin.
	 *
	 * @param fields of our configuration, besides the defaults and the key
	 * @param scope ids of entities that the entry is configured on, besides the recorded route
	 */
	async function startInstance(
		{ config }: Recording,
		fields: Record<string, unknown> = {},
		scope: Record<string, string | undefined> = {},
	): Promise<number> {
		const { __key__, __plugin_id, __seq__, __ws_id, route_id } = config;
		const kongs = { __key__, __plugin_id, __seq__, __ws_id, route_id };
		const own = new ExternalPlugin(info, worker.rpc, log).check(
			{ private_jwk: JWK, ...fields },
			"x-custom-jwt",
		);
		const instance = await worker.rpc.call("plugin.StartInstance", {
			Name: "x-custom-jwt",
			Config: JSON.stringify({ ...own, ...kongs, ...scope }),
		});
		return (instance as { Id: number }).Id;
	}

	test("describes exactly one plugin to Kong, as JSON", async () => {
		const [program = "", ...args] = command;
		const { stdout } = await promisify(execFile)(
			program,
			[...args, "--dump-all-plugins"],
			{ cwd: ROOT },
		);
		expect(JSON.parse(stdout)).toEqual([
			{
				Name: "x-custom-jwt",
				Version: version,
				Phases: ["access"],
				Priority: 1025,
				Schema: {
					name: "x-custom-jwt",
					// The stock server says nothing but the configuration (Kong fact).
					fields: expect.arrayContaining([
						{ config: { type: "record", fields: kongFields } },
					]),
				},
			},
		]);
	});

	test.each(AUTHENTICATED)(
		"signs a token for $claims.client_id of the recording $name",
		async ({ name, fields, claims }) => {
			const recording = readRecording(name);
			const instance = await startInstance(recording, fields);
			await expectToken(
				await handleEvent(worker, instance, kongOf(recording)),
				claims,
			);
			const [started, ...frames] = worker.frames;
			const recorded = recording.exchanges[0]?.response;
			expect(shapeOf({ ...started?.[3], Config: {} })).toEqual(
				shapeOf({ ...recorded?.[3], Config: {} }),
			);
			expectRecordedShapes(frames);
		},
	);

	test.each(REFUSED)("answers 401 to the recording %s", async (name) => {
		const recording = readRecording(name);
		const instance = await startInstance(recording);
		expectExit(
			await handleEvent(worker, instance, kongOf(recording)),
			UNAUTHORIZED,
		);
		expectRecordedShapes(worker.frames.slice(1));
	});

	test("asks Kong nothing that it does not need", async () => {
		const recording = readRecording("basic-auth");
		const instance = await startInstance(
			recording,
			{},
			{ service_id: SERVICE_ID, route_id: undefined },
		);
		const { calls } = await handleEvent(worker, instance, kongOf(recording));
		expect(calls.map(({ Method }) => Method)).toEqual([
			"kong.client.get_credential",
			"kong.client.get_consumer",
			"kong.nginx.get_var",
			"kong.nginx.get_var",
			"kong.router.get_service",
			SET_HEADER,
		]);
	});

	test("says nothing more after an exit, and serves the next events", async () => {
		const refused = readRecording("lab-exit");
		const accepted = readRecording("basic-auth");
		const refusing = await startInstance(refused);
		const accepting = await startInstance(accepted);
		expectExit(
			await handleEvent(worker, refusing, kongOf(refused)),
			UNAUTHORIZED,
		);
		for (const next of [otherWorker, worker])
			await expectToken(
				await handleEvent(next, accepting, kongOf(accepted)),
				BASIC_AUTH_CLAIMS,
			);
		// One frame for each of Kong's.
		const ids = worker.frames.map(([, id]) => id);
		expect(ids).toEqual(worker.frames.map((_, index) => index + 1));
	});

	test("serves the next events when Kong never answers the header set, as in lab-badarg", async () => {
		const recording = readRecording("basic-auth");
		const instance = await startInstance(recording);
		const kong = kongOf(recording);
		const abandoned = await handleEvent(worker, instance, (call) =>
			call.Method === SET_HEADER ? undefined : kong(call),
		);
		expect(abandoned.calls.at(-1)?.Method).toBe(SET_HEADER);
		for (const next of [otherWorker, worker])
			await expectToken(
				await handleEvent(next, instance, kong),
				BASIC_AUTH_CLAIMS,
			);
	});

	test.each(["kong.client.get_consumer", SET_HEADER])(
		"answers 500, and never lets the request through, when %s fails",
		async (method) => {
			const recording = readRecording("basic-auth");
			const instance = await startInstance(recording);
			const kong = kongOf(recording);
			const { calls, returned } = await handleEvent(worker, instance, (call) =>
				call.Method === method
					? { method: "plugin.StepError", argument: { Data: "some Lua error" } }
					: kong(call),
			);
			expect(calls.at(-1)).toStrictEqual(UNEXPECTED);
			expect(returned).toBe(false);
		},
	);

	test("answers 500 on the instance of another route", async () => {
		const instance = await startInstance(readRecording("key-auth"));
		const kong = kongOf(readRecording("basic-auth"));
		expectExit(await handleEvent(worker, instance, kong), UNEXPECTED);
	});

	test.each([
		["lab-body", "bdepGl4YqTKhxWfikZCgSX5mz9ns7gug1F3QgthGpVo="],
		["lab-body-empty", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="],
	])(
		"binds a token to the request, and logs claims of it: body of the recording %s",
		async (name, digest) => {
			const recording = readRecording("basic-auth");
			const instance = await startInstance(recording, {
				bind_request: true,
				log_claims: ["client_id", "act"],
			});
			const kong = kongOf(recording);
			const answers: Record<string, unknown> = {
				"kong.request.get_raw_body": recordedAnswer(
					name,
					"kong.request.get_raw_body",
				),
				"kong.request.get_method": "POST",
				"kong.request.get_forwarded_scheme": "https",
				"kong.request.get_forwarded_host": "api.example",
				"kong.request.get_forwarded_port": 443,
				"kong.request.get_raw_path": "/orders",
			};
			const { calls } = await handleEvent(worker, instance, (call) =>
				call.Method in answers
					? {
							method: stepMethod(call.Method),
							argument: { Data: answers[call.Method] },
						}
					: kong(call),
			);
			const [logged, header] = calls.slice(-2);
			expect(logged).toEqual({
				Method: "kong.log.set_serialize_value",
				Args: [
					"x_custom_jwt",
					{ client_id: "alice", act: '{"client_id":"alice-cid"}' },
				],
			});
			expect(decodeJwt(String(header?.Args[1]))).toMatchObject({
				htm: "POST",
				htu: "https://api.example/orders",
				content_digest: `sha-256=:${digest}:`,
			});
		},
	);

	test("gives concurrent requests one token with reuse_for, and another instance another one", async () => {
		const recording = readRecording("basic-auth");
		const start = () => startInstance(recording, { reuse_for: 60 });
		const [instance, other] = [await start(), await start()];
		const token = async (id: number, of: Worker) => {
			const { calls } = await handleEvent(of, id, kongOf(recording));
			return calls.at(-1)?.Args[1];
		};
		const workers = [worker, otherWorker];
		const tokens = await Promise.all(
			workers.map((one) => token(instance, one)),
		);
		expect(new Set(tokens)).toEqual(new Set([await token(instance, worker)]));
		expect(tokens).not.toContain(await token(other, worker));
	});

	test("tells Kong of an instance that it does not have, so that Kong starts one", async () => {
		const kong = kongOf(readRecording("basic-auth"));
		await expect(handleEvent(worker, 987_654_321, kong)).rejects.toThrow(
			/^no plugin instance/,
		);
	});

	test.each([
		[
			"is not JSON",
			JWK.replace(`"${privateJwk.d}"`, privateJwk.d),
			/^private_jwk: /,
		],
		["lacks a member", jwkWith({ d: undefined }), /^private_jwk\/d /],
		[
			"has the modulus of another key",
			jwkWith({ n: publicIdpJwk.n }),
			/^private_jwk: .*\bn, e\b/,
		],
	])(
		"refuses to start with a private_jwk that %s, and gives no key away",
		async (_, private_jwk, words) => {
			const recording = readRecording("basic-auth");
			await expect(startInstance(recording, { private_jwk })).rejects.toThrow(
				words,
			);
			const [type, id, error, result] = worker.frames[0] ?? [];
			expect([type, id, result]).toEqual([1, 1, null]);
			expect(quotes(String(error), privateJwk)).toEqual([]);
			await startInstance(recording);
		},
	);
});
