import { join } from "node:path";
import { build, type Plugin as EsbuildPlugin } from "esbuild";
import { dedicatedServer } from "../../local/gateway/plugin-server";
import { packageRoot } from "../../schema/package-root";
import privateJwk from "../../test-keys/ES256-jwk-private.json";
import {
	type Client,
	ConnectionLost,
	clientOf,
	EXIT,
	nobody,
	type PdkCall,
	SET_HEADER,
} from "../support/client";
import { scrape } from "../support/scrape";
import {
	type ServerProcess,
	startServer,
	temporaryFolder,
	until,
} from "../support/server";

const FAULTY_PLUGIN = join(__dirname, "../support/faulty-plugin.ts");
const MAIN = join(packageRoot(), "pluginserver/main.ts");

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
const FAULTY = [process.execPath, join(temporaryFolder(), "server.js")];
const CONFIG = { private_jwk: JSON.stringify(privateJwk) };

beforeAll(() =>
	build({
		bundle: true,
		platform: "node",
		target: "node20",
		plugins: [faulty],
		entryPoints: [MAIN],
		outfile: FAULTY[1] ?? "",
	}),
);

/** Checks that a line in Kong's log and 500 are all that a request came to. */
function expectFailed(calls: PdkCall[], reason: RegExp): void {
	expect(calls.slice(-2)).toEqual([
		{ method: "kong.log.err", args: [expect.stringMatching(reason)] },
		{
			method: EXIT,
			args: [500, { message: "An unexpected error occurred" }, JSON_TYPE],
		},
	]);
	expect(JSON.stringify(calls)).not.toContain("secret");
	expect(calls.map(({ method }) => method)).not.toContain(SET_HEADER);
}

const JSON_TYPE = { "content-type": "application/json; charset=utf-8" };

describe("a plugin with a fault", () => {
	let server: ServerProcess;
	let client: Client;

	beforeAll(async () => {
		server = await startServer(FAULTY, ["--phase-timeout", "1"]);
		client = await server.connect();
	});
	afterAll(() => server.kill());

	const run = async (fault: string) =>
		client.runPhase(await client.startInstance({ fault }), nobody);

	test.each([
		["throws at once", /^x-custom-jwt: unexpected Error/],
		["throws after it asked", /^x-custom-jwt: unexpected TypeError/],
		["rejects with undefined", /^x-custom-jwt: unexpected undefined/],
		["rejects with a text", /^x-custom-jwt: unexpected string/],
		["rejects with what has no name", /^x-custom-jwt: unexpected object/],
		["decides nothing", /^x-custom-jwt: unexpected TypeError/],
		["decides what cannot be written", /^x-custom-jwt: unexpected RangeError/],
		["hangs at once", /^x-custom-jwt: the plugin worked longer than 1 s/],
		["hangs after it asked", /^x-custom-jwt: the plugin worked longer/],
		["asks twice at once", /^x-custom-jwt: unexpected Error/],
		["throws in a callback", /^x-custom-jwt: the plugin worked longer/],
	])("has the request answered with 500 when it %s", async (fault, reason) => {
		expectFailed(await run(fault), reason);
		expect(server.isRunning).toBe(true);
		expect(server.output).not.toContain("secret");
	});

	test("says nothing more on a connection when it has decided", async () => {
		expect(await run("asks when it has decided")).toEqual([]);
		// Of the next event on the same connection, while the first one still asks.
		const instance = await client.startInstance({ fault: "hangs at once" });
		expectFailed(await client.runPhase(instance, nobody), /worked longer/);
	});

	test("cannot end the server behind its back", async () => {
		const calls = await run("rejects behind its back");
		expect(calls.at(-1)?.args[0]).toBe(403);
		await until("it is logged", () => server.lines(/msg=defect/).length > 0);
		expect(await run("does nothing")).toEqual([]);
		expect(server.output).not.toContain("secret");
	});

	test("is not asked in another phase than its own", async () => {
		const instance = await client.startInstance({ fault: "does nothing" });
		await client.startEvent(instance, "log");
		const calls = [await client.nextCall(), await client.nextCall()];
		expectFailed(calls as PdkCall[], /unexpected phase log/);
		await client.close();
	});
});

test("an event is gone at once when its connection closes", async () => {
	const metrics = join(temporaryFolder(), "metrics.sock");
	const server = await startServer(FAULTY, [
		"--metrics",
		metrics,
		"--phase-timeout",
		"600",
	]);
	const inFlight = async () =>
		(await scrape(metrics)).get("x_custom_jwt_events_in_flight");
	const client = await server.connect();
	for (const fault of ["hangs at once", "throws after it asked"]) {
		const instance = await client.startInstance({ fault });
		await client.startEvent(instance);
		await until("it is there", async () => (await inFlight()) === 1);
		await client.close();
		await until("it is gone", async () => (await inFlight()) === 0);
	}
	await server.kill();
});

test("the time that Kong takes for its answers does not count", async () => {
	const server = await startServer(DEDICATED, ["--phase-timeout", "0.4"]);
	const client = await server.connect();
	const slow = await client.startInstance({ ...CONFIG, bind_request: true });
	await client.startEvent(slow);
	// Longer than a phase may take, as a client may that uploads its body slowly.
	const other = await server.connect();
	const quick = await other.startInstance(CONFIG);
	const end = Date.now() + 1000;
	while (Date.now() < end) await other.runPhase(quick, clientOf("bob"));
	const calls = await client.finishEvent(clientOf("alice"));
	expect(calls.at(-1)?.method).toBe(SET_HEADER);
	await server.kill();
});

test("an instance that Kong does not use goes away, one that it uses stays", async () => {
	const server = await startServer(DEDICATED, ["--idle-timeout", "4"]);
	const client = await server.connect();
	const used = await client.startInstance(CONFIG);
	const forgotten = await client.startInstance(CONFIG);
	await until("one is stopped", async () => {
		await client.runPhase(used, clientOf("alice"));
		return server.lines(/instance stopped/).length > 0;
	});
	await expect(client.runPhase(forgotten, nobody)).rejects.toThrow(
		ConnectionLost,
	);
	await client.runPhase(used, clientOf("alice"));
	expect(server.lines(/instance stopped/)).toHaveLength(1);
	await server.kill();
});

describe("a configuration that cannot be used", () => {
	let server: ServerProcess;
	let client: Client;

	beforeAll(async () => {
		server = await startServer(DEDICATED);
		client = await server.connect();
	});
	afterAll(() => server.kill());

	test.each([
		["that lacks the key", {}, /private_jwk/],
		["with a broken field", { ...CONFIG, expires_in: -1 }, /expires_in/],
	])(
		"%s is an instance that refuses with its reason",
		async (_, config, reason) => {
			const instance = await client.startInstance(config);
			expect(instance).toBeGreaterThan(0);
			for (let request = 0; request < 2; request++)
				expectFailed(await client.runPhase(instance, clientOf("k")), reason);
		},
	);

	test("tells the client its reason with verbose", async () => {
		const instance = await client.startInstance({ verbose: true });
		const calls = await client.runPhase(instance, clientOf("k"));
		const detail = expect.stringContaining("private_jwk");
		expect(calls.at(-1)?.args[1]).toMatchObject({ detail });
	});

	test("that is no JSON, or of another plugin, is one too, and quoted nowhere", async () => {
		const jwk = CONFIG.private_jwk;
		for (const [name, json, reason] of [
			["x-custom-jwt", `{"private_jwk":${jwk}x`, /not JSON/],
			["x-custom-jwt", "", /not JSON/],
			["x-custom-jwt", "null", /config/],
			["another", JSON.stringify(CONFIG), /another is not x-custom-jwt/],
		] as const) {
			const instance = await client.startInstanceOf(name, json);
			expectFailed(await client.runPhase(instance, nobody), reason);
		}
		expect(server.output).not.toContain(privateJwk.d.slice(0, 8));
	});
});
