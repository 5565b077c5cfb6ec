import { once } from "node:events";
import { chmodSync, readdirSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { connect, createServer } from "node:net";
import { dirname, join } from "node:path";
import { dedicatedServer } from "../../local/gateway/plugin-server";
import { send } from "../../local/http";
import ecJwk from "../../test-keys/ES256-jwk-private.json";
import rsaJwk from "../../test-keys/RS256-jwk-private.json";
import { clientOf, nobody, SET_HEADER } from "../support/client";
import { type Samples, scrape } from "../support/scrape";
import {
	type ServerProcess,
	startServer,
	temporaryFolder,
	until,
} from "../support/server";

const DEDICATED = dedicatedServer();

const SIGNED = "x_custom_jwt_signing_seconds_count";
const REFUSED = "x_custom_jwt_refused_total";
const PHASES = "x_custom_jwt_phase_seconds_count";
const INSTANCES = "x_custom_jwt_instances";
const IN_FLIGHT = "x_custom_jwt_events_in_flight";

/** A TCP port that is free, as good as certainly for a while. */
async function freePort(): Promise<number> {
	const server = createServer().listen(0, "127.0.0.1");
	await once(server, "listening");
	const { port } = server.address() as AddressInfo;
	server.close();
	await once(server, "close");
	return port;
}

const endpoints: [name: string, where: () => Promise<string | number>][] = [
	["a loopback port", freePort],
	["a unix socket", async () => join(temporaryFolder(), "metrics.sock")],
];

describe.each(endpoints)("metrics on %s", (_, makeEndpoint) => {
	test("count what happened", async () => {
		const where = await makeEndpoint();
		const server = await startServer(DEDICATED, ["--metrics", `${where}`]);
		await until("metrics are served", () =>
			server.output.includes("metrics served"),
		);
		const client = await server.connect();
		const ec = await client.startInstance({
			private_jwk: JSON.stringify(ecJwk),
		});
		const rsa = await client.startInstance({
			private_jwk: JSON.stringify(rsaJwk),
			auth_methods: ["basic", "key"],
		});
		for (let count = 0; count < 5; count++)
			await client.runPhase(ec, clientOf("alice"));
		for (let count = 0; count < 3; count++)
			await client.runPhase(rsa, clientOf("alice"));
		for (let count = 0; count < 4; count++) await client.runPhase(ec, nobody);
		// A consumer without a credential is none of the two methods.
		await client.runPhase(rsa, {
			...clientOf("alice"),
			credential: undefined,
		});
		const other = await server.connect();
		await other.startEvent(ec);
		await other.nextCall();

		const samples = await scrape(where);
		const values = (prefix: string) =>
			Object.fromEntries(
				[...samples].filter(([name]) => name.startsWith(prefix)),
			);
		expect(values(SIGNED)).toEqual({
			[`${SIGNED}{alg="ES256"}`]: 5,
			[`${SIGNED}{alg="RS256"}`]: 3,
		});
		expect(values(REFUSED)).toEqual({
			[`${REFUSED}{reason="nobody_authenticated"}`]: 4,
			[`${REFUSED}{reason="method_not_accepted"}`]: 1,
		});
		expect(values(PHASES)).toEqual({ [PHASES]: 13 });
		expect(samples.get(INSTANCES)).toBe(2);
		expect(values(IN_FLIGHT)).toEqual({ [IN_FLIGHT]: 1 });
		expectHistogram(samples, "x_custom_jwt_phase_seconds", "", 13);
		expectHistogram(samples, "x_custom_jwt_signing_seconds", ',alg="ES256"', 5);

		await client.call({ cmd_close_instance: { instance_id: rsa } });
		await until(
			"it is counted out",
			async () => (await scrape(where)).get(INSTANCES) === 1,
		);
		await server.kill();
	});
});

/** A server with metrics on a unix socket. */
async function startWithMetrics() {
	const where = join(temporaryFolder(), "metrics.sock");
	const server = await startServer(DEDICATED, ["--metrics", where]);
	await until("metrics are served", () =>
		server.output.includes("metrics served"),
	);
	return { where, server, client: await server.connect() };
}

test("metrics tell sizes of tokens, which ones were given again, and configurations that cannot be used", async () => {
	const { where, server, client } = await startWithMetrics();
	const private_jwk = JSON.stringify(ecJwk);
	const reusing = await client.startInstance({ private_jwk, reuse_for: 60 });
	for (let count = 0; count < 3; count++)
		await client.runPhase(reusing, clientOf("alice"));
	await client.startInstance({});
	const samples = await scrape(where);
	expect(samples.get('x_custom_jwt_reuse_total{result="hit"}')).toBe(2);
	expect(samples.get('x_custom_jwt_reuse_total{result="miss"}')).toBe(1);
	expect(samples.get("x_custom_jwt_instances_unusable")).toBe(1);
	expect(samples.get(INSTANCES)).toBe(2);
	expectHistogram(samples, "x_custom_jwt_token_bytes", "", 1);
	const bytes = samples.get("x_custom_jwt_token_bytes_sum") ?? 0;
	expect(bytes).toBeGreaterThan(200);
	expect(bytes).toBeLessThan(1000);
	await server.kill();
});

test("a connection that says nothing is closed, before or after a scrape", async () => {
	const { where, server } = await startWithMetrics();
	const silent = connect(where).resume();
	const half = connect(where).resume();
	half.write("GET /metrics HTTP/1.1\r\nHost: ");
	const after = connect(where).resume();
	after.write("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
	await Promise.all([silent, half, after].map((one) => once(one, "close")));
	await server.kill();
});

test("scrapers that hold all connections, and more, block no other", async () => {
	const { where, server } = await startWithMetrics();
	const held = Array.from({ length: 200 }, () => {
		const socket = connect(where).on("error", () => {});
		socket.write("GET /metrics HTTP/1.1\r\nHost: localhost\r\nX: ");
		return socket;
	});
	for (let count = 0; count < 5; count++)
		expect((await scrape(where)).get(INSTANCES)).toBe(0);
	for (const socket of held) socket.destroy();
	await server.kill();
});

/** Checks that a histogram's buckets grow up to its count. */
function expectHistogram(
	samples: Samples,
	name: string,
	labels: string,
	count: number,
): void {
	const buckets = [...samples]
		.filter(
			([sample]) =>
				sample.startsWith(`${name}_bucket{le=`) &&
				sample.endsWith(`"${labels}}`),
		)
		.map(([, value]) => value);
	expect(buckets.length).toBeGreaterThan(5);
	expect(buckets).toEqual([...buckets].sort((a, b) => a - b));
	expect(buckets.at(-1)).toBe(count);
}

test("there are none unless they are wanted", async () => {
	const server = await startServer(DEDICATED);
	expect(server.output).not.toContain("metrics");
	await server.kill();
});

test("their socket is removed with the other one when the server stops", async () => {
	const folder = temporaryFolder();
	const metrics = ["--metrics", join(folder, "metrics.sock")];
	const server = await startServer(DEDICATED, metrics, folder);
	await until("metrics are served", () =>
		server.output.includes("metrics served"),
	);
	expect(readdirSync(folder)).toHaveLength(2);
	server.signal("SIGTERM");
	await server.exited;
	expect(readdirSync(folder)).toEqual([]);
});

test("a port that is taken is tried again at growing intervals, while requests are served", async () => {
	const other = createServer().listen(0, "127.0.0.1");
	await once(other, "listening");
	const { port } = other.address() as AddressInfo;
	const server = await startServer(DEDICATED, ["--metrics", `${port}`]);
	const client = await server.connect();
	const id = await client.startInstance({ private_jwk: JSON.stringify(ecJwk) });
	await until("two attempts have failed", () => failures(server).length === 2);
	expect(failures(server)).toEqual([
		expect.stringMatching(
			`^level=error msg="metrics cannot be served" on=127.0.0.1:${port} error=".*EADDRINUSE.*127.0.0.1:${port}" next_in=1s$`,
		),
		expect.stringMatching(" next_in=2s$"),
	]);
	const calls = await client.runPhase(id, clientOf("alice"));
	expect(calls.at(-1)?.method).toBe(SET_HEADER);
	other.close();
	await until("metrics are served", () =>
		server.output.includes("metrics served"),
	);
	expect((await scrape(port)).get(`${SIGNED}{alg="ES256"}`)).toBe(1);
	expect(server.lines(/msg=started/)).toHaveLength(1);
	await server.kill();
});

test.each([
	{ host: "0.0.0.0", reachedAt: "127.0.0.2", warnings: 1 },
	{ host: "[::ffff:0.0.0.0]", reachedAt: "127.0.0.2", warnings: 1 },
	{ host: "127.0.0.2", reachedAt: "127.0.0.2", warnings: 0 },
	{ host: "[::ffff:127.0.0.1]", reachedAt: "127.0.0.1", warnings: 0 },
])(
	"metrics on the address $host are served there, with $warnings warnings",
	async ({ host, reachedAt, warnings }) => {
		const port = await freePort();
		const where = `${host}:${port}`;
		const server = await startServer(DEDICATED, ["--metrics", where]);
		await until("it is started", () => server.output.includes("msg=started"));
		const { body } = await send(`http://${reachedAt}:${port}/metrics`);
		expect(body).toContain(`${INSTANCES} 0`);
		expect(server.lines(/metrics served/)).toEqual([
			expect.stringContaining(where),
		]);
		expect(server.lines(/level=warn.*from other machines.*on=/)).toHaveLength(
			warnings,
		);
		await server.kill();
	},
);

test("a port alone is reachable at the loopback address only", async () => {
	const port = await freePort();
	const server = await startServer(DEDICATED, ["--metrics", `${port}`]);
	await until("it is started", () => server.output.includes("msg=started"));
	expect((await scrape(port)).get(INSTANCES)).toBe(0);
	const elsewhere = send(`http://127.0.0.2:${port}/metrics`);
	await expect(elsewhere).rejects.toThrow("ECONNREFUSED");
	expect(server.lines(/level=warn/)).toEqual([]);
	await server.kill();
});

test("attempts to serve metrics keep no server from its end", async () => {
	const other = createServer().listen(0, "127.0.0.1");
	await once(other, "listening");
	const { port } = other.address() as AddressInfo;
	const server = await startServer(DEDICATED, ["--metrics", `${port}`]);
	await until("it is started", () => server.output.includes("msg=started"));
	server.signal("SIGTERM");
	expect(await server.exited).toEqual({ code: 0, signal: null });
	expect(readdirSync(dirname(server.socketPath))).toEqual([]);
	other.close();
});

test.each<[string, (folder: string) => string]>([
	["in a folder that cannot be made", (folder) => join(folder, "a/b/m.sock")],
	[
		"in a folder that every user can write to",
		(folder) => {
			chmodSync(folder, 0o777);
			return join(folder, "m.sock");
		},
	],
	["with the name of a folder", (folder) => folder],
	["with a path that is too long", () => `/tmp/${"m".repeat(120)}`],
])("a metrics socket %s does not stop the server", async (_, place) => {
	const where = place(temporaryFolder());
	const server = await startServer(DEDICATED, ["--metrics", where]);
	await until("it is started", () => server.output.includes("msg=started"));
	expect(failures(server)).toEqual([
		expect.stringContaining(`on=${where} error=`),
	]);
	await server.kill();
});

/** Log lines about metrics that could not be served. */
function failures(server: ServerProcess): string[] {
	return server.lines(/metrics cannot be served/);
}
