import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import {
	createServer as createHttpServer,
	type OutgoingHttpHeaders,
} from "node:http";
import type { RequestOptions } from "node:https";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decodeMultiStream, encode } from "@msgpack/msgpack";
import { makeCertificate } from "../../../local/gateway/certificate";
import {
	type Entities,
	parseDeclarative,
} from "../../../local/gateway/entities";
import { ExternalPlugin } from "../../../local/gateway/external-plugin";
import { startGateway } from "../../../local/gateway/gateway";
import { MessagePackRpc } from "../../../local/gateway/messagepack";
import type {
	ConfigField,
	PluginInfo,
} from "../../../local/gateway/plugin-server";
import { type Reply, send } from "../../../local/http";
import {
	kongOf,
	pdkCallOf,
	type Recording,
	type RequestFrame,
	readRecording,
} from "../../support/recording";

/** What the recording Kong was configured with, ids included. */
const PROBE = parseDeclarative(
	`
_format_version: "3.0"
services:
  - id: adbd70b3-4224-5183-a52a-179d7b34ab5b
    name: echo
    url: http://127.0.0.1:9999
    routes:
      - id: fa492502-3bfd-5e21-a1c2-d10493346f2d
        name: basic
        paths: [/basic]
        strip_path: false
        plugins:
          - name: basic-auth
          - id: c1c31c23-f1b7-5b43-b903-69b596dffa99
            name: js-probe
            config: { message: hello }
      - id: 9042cbff-5956-5a98-b502-863e11ad67f4
        name: keyauth
        paths: [/keyauth]
        strip_path: false
        plugins:
          - name: key-auth
          - id: aaca59c2-6851-51c4-b4af-d3d03aabbe2c
            name: js-probe
            config: { message: hello }
      - id: 89cfafe1-52a8-5b22-841f-4e098c7b9f36
        name: jwt
        paths: [/jwt]
        strip_path: false
        plugins:
          - name: jwt
          - id: 0788c4da-3198-556f-b90a-1074f670b00a
            name: js-probe
            config: { message: hello }
      - id: 6fd1bc4b-c2e1-527b-b8f7-6b0a6089b9b6
        name: anon
        paths: [/anon]
        strip_path: false
        plugins:
          - id: ed0463a6-f856-52c7-9d9f-6478c42e370c
            name: js-probe
            config: { message: hello }
      - id: f1545e92-a9a9-580b-8f87-fd0b8d41c7bc
        name: mtls
        protocols: [https]
        paths: [/mtls]
        strip_path: false
        plugins:
          - id: c509aeb2-f8e6-5bb6-86ca-4dcb68ebe2f5
            name: js-probe
            config: { message: hello }
consumers:
  - id: b32379d9-3d28-5683-a79c-72139be6e34f
    username: alice
    custom_id: alice-cid
    tags: [t1, t2]
    basicauth_credentials:
      - id: 1ee08b36-0e31-553f-bc05-85227e1a7ca8
        username: alice
        password: secret
    keyauth_credentials:
      - id: 17be3580-427f-4c10-842d-79bd7df2ed0a
        key: alice-key
        tags: [k1]
    jwt_secrets:
      - id: 278a80c0-ebb3-42a6-97e9-14a3db0b33e2
        key: alice-iss
        secret: alice-hs256-secret
  - id: def4f7d3-9863-5ad2-8fa9-c949bf26f55e
    username: bob
    keyauth_credentials:
      - id: bd1face8-2736-4827-8b8f-f3906cc26469
        key: bob-key
  - id: c077b0bd-642a-47a9-b818-75611de24232
    custom_id: only-cid
    keyauth_credentials:
      - id: 34426120-9268-4961-b76d-a723b63e05e4
        key: cid-key
`,
	"probe.yml",
);

/** One route without a security plugin, for the probe plugin of the `lab-` recordings. */
function labConfiguration({ config }: Recording): Entities {
	const { route_id, __plugin_id, mode, arg } = config;
	const plugin = { id: __plugin_id, name: "js-lab", config: { mode, arg } };
	const route = { id: route_id, name: "lab", paths: ["/"], plugins: [plugin] };
	const url = "http://127.0.0.1:9999";
	const service = { name: "echo", url, routes: [route] };
	return parseDeclarative(
		JSON.stringify({ _format_version: "3.0", services: [service] }),
		"lab.yml",
	);
}

/** How a probe plugin describes itself. */
function pluginInfo(name: string, fields: ConfigField[]): PluginInfo {
	const config = { type: "record", fields } as const;
	return {
		Name: name,
		Version: "1.0.0",
		Phases: ["access"],
		Priority: 1,
		Schema: { name, fields: [{ config }] },
	};
}

const PLUGINS = [
	pluginInfo("js-probe", [{ message: { type: "string" } }]),
	pluginInfo("js-lab", [
		{ mode: { type: "string" } },
		{ arg: { type: "string" } },
	]),
];

const closers: (() => unknown)[] = [];

afterEach(async () => {
	for (const closer of closers.splice(0).reverse()) await closer();
});

/** Starts a plugin server that says what the stock one said in the recording, frame by frame. */
async function startReplay({ exchanges }: Recording) {
	const script = exchanges.map(({ response }) => response);
	const received: RequestFrame[] = [];

	async function replay(socket: Socket): Promise<void> {
		for await (const frame of decodeMultiStream(socket)) {
			const request = frame as RequestFrame;
			received.push(request);
			const response = script.shift();
			if (!response) break;
			const [type, , error, result] = response;
			socket.write(encode([type, request[1], error, result]));
		}
		socket.destroy();
	}

	const directory = await mkdtemp(join(tmpdir(), "x-custom-jwt-replay-"));
	const socketPath = join(directory, "replay.sock");
	const server = createServer(replay).listen(socketPath);
	await once(server, "listening");
	closers.push(async () => {
		server.close();
		await once(server, "close");
		await rm(directory, { recursive: true });
	});
	return { socketPath, received };
}

/** Starts the recorded backend, which answers with the headers it got. */
async function startEcho(): Promise<string> {
	const server = createHttpServer((request, response) =>
		response.end(JSON.stringify(request.headers)),
	).listen(0, "127.0.0.1");
	await once(server, "listening");
	closers.push(async () => {
		server.close();
		server.closeAllConnections();
		await once(server, "close");
	});
	return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/**
 * Sends a request twice, as was done when recording, through a gateway whose plugin server repeats
 * what the recorded one said.
 */
async function replayThroughGateway(
	recording: Recording,
	configuration: Entities,
	scheme: "http" | "https",
	path: string,
	client: RequestOptions & {
		headers?: OutgoingHttpHeaders;
		body?: string;
	} = {},
) {
	const { socketPath, received } = await startReplay(recording);
	const rpc = new MessagePackRpc(socketPath, () => {});
	closers.push(() => rpc.close());
	const log = () => {};
	const gateway = await startGateway({
		configuration,
		externalPlugins: PLUGINS.map((info) => new ExternalPlugin(info, rpc, log)),
		httpPort: 0,
		httpsPort: 0,
		clientCa: (await makeCertificate([{ CN: ["other CA"] }], { days: 1 })).cert,
		resolve: new Map([["127.0.0.1:9999", await startEcho()]]),
		log,
	});
	closers.push(() => gateway.close());

	const url = (scheme === "http" ? gateway.httpUrl : gateway.httpsUrl) + path;
	// The recorded client asked for an address, hence without SNI.
	const options = {
		ca: gateway.certificate,
		servername: "",
		...client,
		headers: { host: HOSTS[scheme], ...client.headers },
	};
	const replies: Reply[] = [await send(url, options), await send(url, options)];
	return { received, replies };
}

/** The header Host of the recorded client. */
const HOSTS = { http: "127.0.0.1:8000", https: "127.0.0.1:8443" };

/** Headers that are the client program's own. */
const CLIENT_HEADERS = new Set(["user-agent", "accept", "connection"]);

/** Members that differ from one Kong to the next: the kind of value that each must have. */
const SECONDS = { kind: "seconds", pattern: /^\d{10}$/ };
const UUID = {
	kind: "uuid",
	pattern: /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/,
};
const KINDS: Record<string, { kind: string; pattern: RegExp }> = {
	created_at: SECONDS,
	updated_at: SECONDS,
	ws_id: UUID,
	__ws_id: UUID,
	__seq__: { kind: "count", pattern: /^\d+$/ },
};

/** A frame of Kong with what no two runs have in common replaced by its kind. */
function comparable([type, id, method, args]: RequestFrame): unknown {
	return [type, typeof id, method, ...args.map((arg) => comparableValue(arg))];
}

function comparableValue(value: unknown, name = ""): unknown {
	const { kind, pattern } = KINDS[name] ?? {};
	if (pattern?.test(String(value))) return `${typeof value}: ${kind}`;
	if (typeof value === "string") return comparableText(value, name);
	if (Array.isArray(value)) return value.map((item) => comparableValue(item));
	if (typeof value !== "object" || value === null) return value;
	return Object.fromEntries(
		Object.entries(value)
			.filter(([member]) => !CLIENT_HEADERS.has(member))
			.map(([member, item]) => [member, comparableValue(item, member)]),
	);
}

function comparableText(value: string, name: string): unknown {
	if (name === "Config") return comparableValue(JSON.parse(value));
	// plugins:<name>:<route>:<service>:<consumer>::<workspace>
	if (name === "__key__") return value.replace(/[0-9a-f-]{36}$/, "workspace");
	const pem =
		/^-----BEGIN CERTIFICATE-----\n[A-Za-z0-9+/=\n]+\n-----END CERTIFICATE-----\n$/;
	return value.replace(pem, "one certificate, PEM");
}

function expectSameFrames(received: RequestFrame[], { exchanges }: Recording) {
	const recorded = exchanges.map(({ request }) => request);
	expect(received.map(comparable)).toStrictEqual(recorded.map(comparable));
}

/** The value of a header that the recorded plugin has set for the backend. */
function headerSet({ exchanges }: Recording, name: string): unknown {
	return exchanges
		.map(({ response }) => pdkCallOf(response))
		.find(
			(call) => call?.Method.endsWith("set_header") && call.Args[0] === name,
		)?.Args[1];
}

// Kong's anonymous consumer is missing: the gateway's security plugins have no field `anonymous`.
describe("the gateway says to a plugin server what Kong said about", () => {
	async function expectRecorded(
		name: string,
		...request: [
			scheme: "http" | "https",
			path: string,
			client?: RequestOptions & { headers?: OutgoingHttpHeaders },
		]
	) {
		const recording = readRecording(name);
		const { received, replies } = await replayThroughGateway(
			recording,
			PROBE,
			...request,
		);
		expectSameFrames(received, recording);
		for (const { status, body } of replies) {
			expect(status).toBe(200);
			expect(JSON.parse(body)["x-js-probe"]).toBe(
				headerSet(recording, "X-Js-Probe"),
			);
		}
	}

	test("a user authenticated by basic-auth", () =>
		expectRecorded("basic-auth", "http", "/basic", { auth: "alice:secret" }));

	test.each([
		["key-auth", "alice-key"],
		["key-auth-consumer-without-custom-id", "bob-key"],
		["key-auth-consumer-custom-id-only", "cid-key"],
	])("a consumer authenticated by %s", (name, apikey) =>
		expectRecorded(name, "http", "/keyauth", { headers: { apikey } }),
	);

	test("a token validated by the jwt plugin", () => {
		const token = kongOf(readRecording("jwt"))({
			Method: "kong.ctx.shared.get",
			Args: ["authenticated_jwt_token"],
		})?.argument.Data;
		const authorization = `Bearer ${token}`;
		return expectRecorded("jwt", "http", "/jwt", {
			headers: { authorization },
		});
	});

	test("a request on a route without security plugin", () =>
		expectRecorded("anonymous-no-auth-plugin", "http", "/anon"));

	test("a client certificate that does not verify", async () => {
		const issuer = await makeCertificate([{ CN: ["Lab CA"] }], {
			ca: true,
			days: 1,
		});
		const { cert, key } = await makeCertificate(
			[{ C: ["FR"] }, { O: ["Lab Org"] }, { CN: ["client one"] }],
			{ issuer, days: 1 },
		);
		await expectRecorded("https-client-cert", "https", "/mtls", { cert, key });
	});

	test("a TLS client without certificate", () =>
		expectRecorded("https-no-client-cert", "https", "/mtls"));
});

describe("the gateway does what Kong did about a plugin that", () => {
	const OK = { status: 200 };
	const ERROR = {
		status: 500,
		body: expect.stringContaining("An unexpected error occurred"),
	};

	test.each([
		["calls nothing", "lab-noop", OK],
		["fails before its first call", "lab-throw", OK],
		["fails after a call", "lab-throwsync", OK],
		["calls an unknown function", "lab-badmethod", OK],
		["reads an unknown variable", "lab-badvar", OK],
		["asks for a consumer where there is none", "lab-consumer", OK],
		["has a field in its configuration", "lab-insta", OK],
		["sets a header to nothing", "lab-badarg", ERROR],
		[
			"ends the request with an object",
			"lab-exit",
			{
				status: 401,
				body: '{"message":"x"}',
				headers: expect.objectContaining({
					"content-type": "application/json",
				}),
			},
		],
		[
			"ends the request with a text",
			"lab-exitstr",
			{
				status: 403,
				body: "plain body",
				headers: expect.objectContaining({
					"content-type": "text/plain",
					"x-foo": "bar",
				}),
			},
		],
		[
			"goes on after it has ended the request",
			"lab-exitcontinue",
			{
				status: 401,
				body: '{"message":"x"}',
				headers: expect.objectContaining({
					"content-type": "application/json; charset=utf-8",
				}),
			},
		],
	])("%s", async (_, name, reply) => {
		const recording = readRecording(name);
		const { received, replies } = await replayThroughGateway(
			recording,
			labConfiguration(recording),
			"http",
			"/",
		);
		expectSameFrames(received, recording);
		expect(replies).toMatchObject([reply, reply]);
	});

	test.each([
		["lab-body", "hello=1"],
		["lab-body-empty", ""],
	])("reads the body, as in %s", async (name, body) => {
		const recording = readRecording(name);
		const { received, replies } = await replayThroughGateway(
			recording,
			labConfiguration(recording),
			"http",
			"/",
			{ method: "POST", body },
		);
		expectSameFrames(received, recording);
		expect(replies).toMatchObject([OK, OK]);
	});

	test("reads headers sent twice or empty", async () => {
		const recording = readRecording("lab-headersdump");
		const { received } = await replayThroughGateway(
			recording,
			labConfiguration(recording),
			"http",
			"/",
			{ headers: { "x-multi": ["a", "b"], "x-empty": "" } },
		);
		expectSameFrames(received, recording);
	});
});
