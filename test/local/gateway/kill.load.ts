/** The plugin server, or one of its processes, killed under load, without the guard: what reaches the backends of eight configurations with eight keys. */
import {
	createPublicKey,
	generateKeyPairSync,
	type KeyObject,
} from "node:crypto";
import { existsSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { jwtVerify } from "jose";
import { makeCertificate } from "../../../local/gateway/certificate";
import { parseDeclarative } from "../../../local/gateway/entities";
import { ExternalPlugin } from "../../../local/gateway/external-plugin";
import { startGateway } from "../../../local/gateway/gateway";
import {
	dedicatedServer,
	PluginServer,
} from "../../../local/gateway/plugin-server";
import { send } from "../../../local/http";
import { until } from "../../support/server";

const ROUTES = 8;
const KILLS = 4;
const CLIENTS = 16;
const API_KEY = "alice-key";

const keys: KeyObject[] = [];
const services = Array.from({ length: ROUTES }, (_, index) => {
	const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
	keys.push(createPublicKey(privateKey));
	const jwk = { ...privateKey.export({ format: "jwk" }), alg: "ES256" };
	return {
		name: `s${index}`,
		url: `http://backend:1/${index}`,
		routes: [
			{
				name: `r${index}`,
				paths: [`/${index}`],
				plugins: [{ name: "key-auth" }],
			},
		],
		plugins: [
			{
				name: "x-custom-jwt",
				config: {
					iss: `https://gateway/${index}`,
					private_jwk: JSON.stringify(jwk),
				},
			},
		],
	};
});

/** What a backend got: its number and the header. */
const arrived: { index: number; token: string }[] = [];
let backend: Server;
beforeAll(async () => {
	backend = createServer((request, response) => {
		const index = Number(request.url?.slice(1, 2));
		arrived.push({ index, token: String(request.headers["x-custom-jwt"]) });
		response.end();
	});
	await new Promise<void>((resolve) => backend.listen(0, "localhost", resolve));
});
afterAll(() => backend.close());

/** What is killed, with which flags. */
const killed: [string, flags: string[], kill: Kill][] = [
	[
		"the server",
		[],
		async (server) => {
			await server.kill();
			await server.ready();
		},
	],
	[
		"the first of two processes",
		["--workers", "2"],
		async (server) => {
			await server.kill();
			await server.ready();
		},
	],
	[
		"a worker of three processes",
		["--workers", "3"],
		async (_, started) => {
			const before = [...started];
			const alive = before.filter((pid) => existsSync(`/proc/${pid}`));
			process.kill(alive[before.length % alive.length] ?? 0, "SIGKILL");
			await until("there is another", () => started.length > before.length);
		},
	],
];

/** @param started process ids of the workers that were started so far */
type Kill = (server: PluginServer, started: number[]) => Promise<void>;

test.each(killed)(
	"no backend gets a token but one of its own configuration, whatever the client sent, while %s is killed",
	async (_, flags, kill) => {
		arrived.length = 0;
		const started: number[] = [];
		const log = (_level: string, line: string) => {
			const [, pid] = /msg="worker started" worker=(\d+)/.exec(line) ?? [];
			if (pid) started.push(Number(pid));
		};
		const server = new PluginServer([...dedicatedServer(), ...flags], log);
		const info = await server.query();
		await server.start();
		const rpc = server.connect();
		const gateway = await startGateway({
			configuration: parseDeclarative(
				JSON.stringify({
					_format_version: "3.0",
					services,
					consumers: [
						{ username: "alice", keyauth_credentials: [{ key: API_KEY }] },
					],
				}),
				"test.yml",
			),
			externalPlugins: [new ExternalPlugin(info, rpc, log)],
			httpPort: 0,
			httpsPort: 0,
			clientCa: (await makeCertificate([{ CN: ["other CA"] }], { days: 1 }))
				.cert,
			resolve: new Map([
				["backend:1", `localhost:${(backend.address() as AddressInfo).port}`],
			]),
			log,
		});

		const statuses = new Map<number, number>();
		let isOver = false;
		const clients = Array.from({ length: CLIENTS }, async (_, client) => {
			for (let count = client; !isOver; count++) {
				const { status } = await send(`${gateway.httpUrl}/${count % ROUTES}`, {
					headers: { apikey: API_KEY, "X-Custom-Jwt": `forged ${count}` },
				});
				statuses.set(status, (statuses.get(status) ?? 0) + 1);
			}
		});
		for (let count = 0; count < KILLS; count++) {
			const before = arrived.length;
			await until("requests are served", () => arrived.length > before + 100);
			await kill(server, started);
		}
		isOver = true;
		await Promise.all(clients);
		await gateway.close();
		rpc.close();
		await server.stop();

		// Kong's and the gateway's own refusals: 502 where the backend's connection just ended.
		expect([...statuses.keys()].filter((code) => code < 500)).toEqual([200]);
		expect(arrived.length).toBe(statuses.get(200));
		for (const { index, token } of arrived) {
			const { payload } = await jwtVerify(token, keys[index] as KeyObject, {
				issuer: `https://gateway/${index}`,
			});
			expect(payload.client_id).toBe(API_KEY);
		}
	},
);
