import { execFile } from "node:child_process";
import {
	mkdirSync,
	readdirSync,
	readFileSync,
	statSync,
	writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { version } from "../../package.json";
import { isListening } from "../../pluginserver/socket";
import { kongEntityFields } from "../../schema/kong";
import privateJwk from "../../test-keys/ES256-jwk-private.json";
import {
	type Client,
	ConnectionLost,
	clientOf,
	EXIT,
	SET_HEADER,
} from "../support/client";
import {
	bundledStockServer,
	dedicatedServer,
	runServer,
	type ServerProcess,
	startServer,
	temporaryFolder,
	until,
} from "../support/server";

const DEDICATED = dedicatedServer();
const STOCK = bundledStockServer();
const CONFIG = { private_jwk: JSON.stringify(privateJwk) };

/** Runs a command that ends by itself. */
async function run([program = "", ...args]: string[], ...flags: string[]) {
	return promisify(execFile)(program, [...args, ...flags]);
}

const socketMode = ({ socketPath }: ServerProcess) =>
	statSync(socketPath).mode & 0o777;

/** Leaves a socket file behind that nobody listens on. */
async function leaveStaleSocket(folder: string): Promise<void> {
	const server = await startServer(DEDICATED, [], folder);
	await server.kill();
	expect(readdirSync(folder)).toEqual(["s.sock"]);
}

describe("the description of the plugin", () => {
	test.each(["--dump", "--dump-all-plugins"])(
		"is with %s what the stock server says, and the protocols",
		async (flag) => {
			const stock = await run(STOCK, "--dump-all-plugins");
			const own = await run(DEDICATED, flag);
			const [{ Schema, ...plugin }] = JSON.parse(stock.stdout);
			// The stock server says nothing of `protocols` (Kong fact).
			const schema = { name: Schema.name, fields: kongEntityFields };
			expect(JSON.parse(own.stdout)).toStrictEqual([
				{ ...plugin, Schema: schema },
			]);
			expect(own.stderr).toBe("");
		},
	);

	test("is the one that GetPluginInfo gives", async () => {
		const { stdout } = await run(DEDICATED, "--dump");
		const server = await startServer(DEDICATED);
		const client = await server.connect();
		expect([
			await client.call("plugin.GetPluginInfo", "x-custom-jwt"),
		]).toStrictEqual(JSON.parse(stdout));
		await server.kill();
	});
});

describe("flags", () => {
	test("--version is that of the plugin", async () => {
		expect((await run(DEDICATED, "--version")).stdout.trim()).toBe(version);
	});

	test("--help names them all", async () => {
		const { stdout } = await run(DEDICATED, "--help");
		const flags = [...stdout.matchAll(/--[a-z-]+/g)].map(([flag]) => flag);
		expect(new Set(flags)).toEqual(
			new Set([
				"--version",
				"--kong-prefix",
				"--sock-name",
				"--socket",
				"--socket-mode",
				"--dump",
				"--dump-all-plugins",
				"--log-level",
				"--phase-timeout",
				"--idle-timeout",
				"--metrics",
				"--help",
			]),
		);
	});

	test.each([
		["--socket-mode", "0999"],
		["--socket-mode", "rw"],
		["--log-level", "loud"],
		["--phase-timeout", "0"],
		["--phase-timeout", "-1"],
		["--phase-timeout", "soon"],
		["--idle-timeout", "0"],
		["--idle-timeout", "NaN"],
		["--idle-timeout", "Infinity"],
	])("%s %s is refused by name", async (flag, value) => {
		const server = runServer(DEDICATED, [flag, value]);
		expect(await server.exited).toEqual({ code: 1, signal: null });
		expect(server.output).toContain(flag);
		expect(server.output).toContain(value);
	});

	test.each(["-v", "--verbose", "--plugins-directory"])(
		"%s of the stock server is not accepted",
		async (flag) => {
			const server = runServer(DEDICATED, [flag]);
			expect(await server.exited).toEqual({ code: 1, signal: null });
			expect(server.output).toContain(`unknown option '${flag}'`);
		},
	);

	test("--log-level drops what is less urgent", async () => {
		const server = await startServer(DEDICATED, ["--log-level", "error"]);
		const client = await server.connect();
		await client.startInstance(CONFIG);
		await expect(client.call("plugin.No", 1)).rejects.toThrow();
		await until("an error is logged", () => server.output.includes("\n"));
		expect(server.lines(/./)).toEqual([
			expect.stringMatching(/^level=error .*method=plugin\.No /),
		]);
		await server.kill();
	});

	test("--socket is the whole path", async () => {
		const path = join(temporaryFolder(), "other.sock");
		const server = runServer(DEDICATED, ["--socket", path]);
		await until("it listens", () => isListening(path));
		expect(await isListening(server.socketPath)).toBe(false);
		await server.kill();
	});
});

describe("the socket", () => {
	test("is for the owner alone; on the stock server it is for all", async () => {
		const own = await startServer(DEDICATED);
		expect(socketMode(own).toString(8)).toBe("600");
		await own.kill();
		const stock = await startServer(STOCK);
		expect(socketMode(stock) & 0o066).not.toBe(0);
		await stock.kill();
	});

	test("is for the group too with --socket-mode 0660", async () => {
		const server = await startServer(DEDICATED, ["--socket-mode", "0660"]);
		expect(socketMode(server).toString(8)).toBe("660");
		await server.kill();
	});

	test("replaces one that a killed server left", async () => {
		const folder = temporaryFolder();
		await leaveStaleSocket(folder);
		const server = await startServer(DEDICATED, [], folder);
		const client = await server.connect();
		expect(await client.call("plugin.GetStatus", undefined)).toMatchObject({
			Pid: server.pid,
		});
		await server.kill();
	});

	test("of a live server is left to it, until it ends: Kong reloads that way", async () => {
		const first = await startServer(DEDICATED);
		const folder = join(first.socketPath, "..");
		const second = runServer(DEDICATED, [], folder);
		await until("it waits", () =>
			second.output.includes('msg="waiting: another server listens"'),
		);
		const client = await first.connect();
		expect(await client.call("plugin.GetStatus", undefined)).toMatchObject({
			Pid: first.pid,
		});
		await client.close();
		first.signal("SIGTERM");
		await until("it takes over", () => second.output.includes("msg=started"));
		const successor = await second.connect();
		expect(await successor.call("plugin.GetStatus", undefined)).toMatchObject({
			Pid: second.pid,
		});
		await second.kill();
	});

	test.each([
		["a folder that does not exist", "/nonexistent/s.sock", "does not exist"],
		[
			"a path that is too long",
			`/tmp/${"s".repeat(120)}`,
			"is longer than 107",
		],
	])("is refused with %s", async (_, path, words) => {
		const server = runServer(DEDICATED, ["--socket", path]);
		expect(await server.exited).toEqual({ code: 1, signal: null });
		expect(server.output).toContain(words);
	});

	test("does not replace what is no socket", async () => {
		const folder = temporaryFolder();
		const file = join(folder, "s.sock");
		writeFileSync(file, "precious");
		const server = runServer(DEDICATED, [], folder);
		expect(await server.exited).toEqual({ code: 1, signal: null });
		expect(server.output).toContain(`${file} is not a socket`);
		expect(readFileSync(file, "utf8")).toBe("precious");
	});

	test("of a live server is taken away by the stock server, for comparison", async () => {
		const first = await startServer(STOCK);
		const second = runServer(STOCK, [], join(first.socketPath, ".."));
		await until("the second one has it", async () => {
			// The path is gone for a moment.
			const client = await second.connect().catch(() => undefined);
			const status = await client?.call("plugin.GetStatus", undefined);
			return (status as { Pid?: number } | undefined)?.Pid === second.pid;
		});
		await first.kill();
		await second.kill();
	});

	test("that cannot be made is named", async () => {
		const folder = join(temporaryFolder(), "missing");
		const server = runServer(DEDICATED, [], folder);
		expect(await server.exited).toEqual({ code: 1, signal: null });
		expect(server.output).toMatch(
			/^x-custom-jwt-pluginserver: .*missing\/s\.sock/,
		);
	});

	test("takes the place of no folder", async () => {
		const folder = temporaryFolder();
		mkdirSync(join(folder, "s.sock"));
		writeFileSync(join(folder, "s.sock", "file"), "");
		const server = runServer(DEDICATED, [], folder);
		expect((await server.exited).code).toBe(1);
		expect(readdirSync(join(folder, "s.sock"))).toEqual(["file"]);
	});
});

describe.each(["SIGTERM", "SIGINT"] as const)("on %s", (signal) => {
	const flags = ["--phase-timeout", "1"];

	/** A server with an event whose first PDK call is in Kong's hands. */
	async function startBusy(command = DEDICATED, more = flags) {
		const server = await startServer(command, more);
		const client = await server.connect();
		const instance = await client.startInstance(CONFIG);
		const step = await client.handleEvent(instance);
		return { server, client, instance, step };
	}

	test("an idle server removes its socket and ends well", async () => {
		const server = await startServer(DEDICATED);
		await (await server.connect()).startInstance(CONFIG);
		server.signal(signal);
		expect(await server.exited).toEqual({ code: 0, signal: null });
		expect(readdirSync(join(server.socketPath, ".."))).toEqual([]);
		expect(server.lines(/msg=stopp/)).toEqual([
			`level=info msg=stopping signal=${signal} events=0`,
			"level=info msg=stopped",
		]);
	});

	test("an event in flight is finished, on whichever connection, and a new one is answered with 500", async () => {
		// With time to finish in.
		const { server, client, step } = await startBusy(DEDICATED, []);
		const instance = await client.startInstance({
			private_jwk: JSON.stringify(privateJwk),
		});
		server.signal(signal);
		await until("it stops", () => server.output.includes("msg=stopping"));
		// An error would make Kong below 3.14 proxy the request.
		const other = await server.connect();
		const { Data } = await other.handleEvent(instance);
		expect(Data).toMatchObject({ Method: EXIT, Args: [500, {}] });

		let next = step;
		const methods: string[] = [];
		while (next.Data !== "ret") {
			methods.push(next.Data.Method);
			next = await other.step(next, clientOf("alice"));
		}
		expect(methods.at(-1)).toBe(SET_HEADER);
		expect(await server.exited).toEqual({ code: 0, signal: null });
		expect(readdirSync(join(server.socketPath, ".."))).toEqual([]);
	});

	test("an event that does not end holds it up to the deadline", async () => {
		const { server, step } = await startBusy();
		server.signal(signal);
		expect(await server.exited).toEqual({ code: 0, signal: null });
		expect(server.output).toContain(`event=${step.EventId}`);
	});

	test("the stock server drops what is in flight, for comparison", async () => {
		const { server, client, step } = await startBusy(STOCK, []);
		server.signal(signal);
		expect(await server.exited).toEqual({ code: null, signal });
		await expect(client.step(step, {})).rejects.toThrow(ConnectionLost);
		expect(readdirSync(join(server.socketPath, ".."))).toEqual(["s.sock"]);
	});
});

describe("the status", () => {
	let server: ServerProcess;
	let client: Client;

	beforeAll(async () => {
		server = await startServer(DEDICATED);
		client = await server.connect();
	});
	afterAll(() => server.kill());

	interface Status {
		Plugins: Record<string, { Instances: { Id: number; Config: object }[] }>;
	}

	test("lists the instances, without their keys", async () => {
		const id = await client.startInstance({ ...CONFIG, route_id: "one" });
		const status = (await client.call("plugin.GetStatus", null)) as Status;
		expect(status).toEqual({
			Pid: server.pid,
			Plugins: {
				"x-custom-jwt": {
					Name: "x-custom-jwt",
					LoadTime: expect.any(Number),
					Modtime: expect.any(Number),
					Instances: [
						{
							Name: "x-custom-jwt",
							Id: id,
							Config: { route_id: "one" },
							StartTime: expect.any(Number),
						},
					],
					LastStartInstance: expect.any(Number),
					LastCloseInstance: 0,
				},
			},
		});
	});

	test("does not list one that Kong closed", async () => {
		const id = await client.startInstance(CONFIG);
		await client.call("plugin.CloseInstance", id);
		const { Plugins } = (await client.call("plugin.GetStatus", null)) as Status;
		const instances = Plugins["x-custom-jwt"]?.Instances ?? [];
		expect(instances.map(({ Id }) => Id)).not.toContain(id);
		await expect(client.call("plugin.InstanceStatus", id)).rejects.toThrow(
			`no plugin instance #${id}`,
		);
	});
});
