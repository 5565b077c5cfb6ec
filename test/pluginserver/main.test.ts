import { execFile } from "node:child_process";
import { once } from "node:events";
import {
	chmodSync,
	existsSync,
	mkdirSync,
	readdirSync,
	readFileSync,
	statSync,
	writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import {
	dedicatedServer,
	stockServer,
} from "../../local/gateway/plugin-server";
import { version } from "../../package.json";
import { isListening } from "../../pluginserver/socket";
import { kongEntityFields } from "../../schema/kong";
import privateJwk from "../../test-keys/ES256-jwk-private.json";
import {
	type Client,
	ConnectionLost,
	clientOf,
	SET_HEADER,
} from "../support/client";
import {
	runServer,
	type ServerProcess,
	startServer,
	temporaryFolder,
	until,
} from "../support/server";

const DEDICATED = dedicatedServer();
const STOCK = stockServer();
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
		"is with %s what the stock server says, on Kong's other protocol, and the protocols",
		async (flag) => {
			const stock = await run(STOCK, "--dump-all-plugins");
			const own = await run(DEDICATED, flag);
			const [{ Schema, ...plugin }] = JSON.parse(stock.stdout);
			// The stock server says nothing of `protocols` (Kong fact).
			const schema = { name: Schema.name, fields: kongEntityFields };
			expect(JSON.parse(own.stdout)).toStrictEqual({
				Protocol: "ProtoBuf:1",
				Plugins: [{ ...plugin, Schema: schema }],
			});
			expect(own.stderr).toBe("");
		},
	);

	test("is the one that Kong gets over the socket", async () => {
		const { stdout } = await run(DEDICATED, "--dump");
		const [plugin] = JSON.parse(stdout).Plugins;
		const server = await startServer(DEDICATED);
		const client = await server.connect();
		const { plugin_names } = await client.call({ cmd_get_plugin_names: {} });
		expect(plugin_names?.names).toEqual([plugin.Name]);
		const { plugin_info: info } = await client.call({
			cmd_get_plugin_info: { name: plugin.Name },
		});
		expect(info).toEqual({
			name: plugin.Name,
			version: plugin.Version,
			phases: plugin.Phases,
			priority: plugin.Priority,
			schema: expect.any(String),
			loaded_at: expect.any(Number),
			updated_at: expect.any(Number),
		});
		expect(JSON.parse(info?.schema ?? "")).toEqual(plugin.Schema);
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
				"--workers",
				"--metrics",
				"--health",
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
		["--metrics", "9542x"],
		["--metrics", "65536"],
		["--metrics", "localhost:9542"],
		["--metrics", "::1:9542"],
		["--metrics", "[127.0.0.1]:9542"],
		["--metrics", "[fe80::1%eth0]:9542"],
		["--metrics", "0.0.0.0"],
		["--metrics", "metrics.sock"],
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
		await client.startInstance({});
		await until("an error is logged", () => server.output.includes("\n"));
		expect(server.lines(/./)).toEqual([
			expect.stringMatching(/^level=error .*cannot be used/),
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
		expect(await client.startInstance(CONFIG)).toBeGreaterThan(0);
		await server.kill();
	});

	test("is taken over from a live server, which moves Kong to its successor and goes on until it is stopped", async () => {
		const first = await startServer(DEDICATED);
		const client = await first.connect();
		await client.startInstance(CONFIG);
		const socket = await client.open();
		const second = runServer(DEDICATED, [], join(first.socketPath, ".."));
		await until("it takes over", () => second.output.includes("msg=started"));
		await once(socket, "close");
		expect(first.lines(/another server has taken over/)).toHaveLength(1);
		await client.startInstance(CONFIG);
		expect(first.lines(/instance started/)).toHaveLength(1);
		expect(second.lines(/instance started/)).toHaveLength(1);
		expect(first.isRunning).toBe(true);
		first.signal("SIGTERM");
		expect(await first.exited).toEqual({ code: 0, signal: null });
		// It has left the socket, which is not its own any more.
		const later = await second.connect();
		await later.startInstance(CONFIG);
		second.signal("SIGTERM");
		await second.exited;
		expect(existsSync(second.socketPath)).toBe(false);
	});

	test.each([
		[
			"a folder in one that does not exist",
			"/nonexistent/folder/s.sock",
			"/nonexistent/folder cannot be made: ENOENT",
		],
		["a path that is too long", `/tmp/${"s".repeat(120)}`, "is longer than 10"],
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

	test("is refused in a folder where anybody could put another one", async () => {
		const folder = temporaryFolder();
		for (const mode of [0o777, 0o1777]) {
			chmodSync(folder, mode);
			const server = runServer(DEDICATED, [], folder);
			expect(await server.exited).toEqual({ code: 1, signal: null });
			expect(server.output).toContain(`every user can write to ${folder}`);
			expect(server.output).toContain("give the socket a folder of its own");
			expect(server.output).not.toContain("chmod");
			expect(readdirSync(folder)).toEqual([]);
		}
	});

	test("is refused below a folder where anybody could replace the socket's own folder", async () => {
		const prefix = temporaryFolder();
		chmodSync(prefix, 0o777);
		for (const folder of ["x_custom_jwt", "x_custom_jwt/a"]) {
			const server = runServer(DEDICATED, [], join(prefix, folder));
			expect(await server.exited).toEqual({ code: 1, signal: null });
			expect(server.output).toContain(`every user can write to ${prefix},`);
			expect(readdirSync(join(prefix, folder))).toEqual([]);
		}
	});

	test("warns of a folder that a group can write to, and is there", async () => {
		const prefix = temporaryFolder();
		chmodSync(prefix, 0o775);
		const server = await startServer(DEDICATED, [], join(prefix, "own"));
		await until("it is started", () => server.output.includes("msg=started"));
		const { gid } = statSync(prefix);
		expect(server.lines(/level=warn msg="a group can write/)).toEqual([
			expect.stringMatching(`folder=${prefix} group=${gid}$`),
		]);
		await server.kill();
	});

	test("gets a folder of its own in a sticky one that everybody can write to, such as /tmp", async () => {
		const prefix = temporaryFolder();
		chmodSync(prefix, 0o1777);
		const folder = join(prefix, "x_custom_jwt");
		const server = await startServer(DEDICATED, [], folder);
		expect(statSync(folder).mode & 0o022).toBe(0);
		await server.kill();
		const next = await startServer(DEDICATED, [], folder);
		await next.kill();
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

describe.each(["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT"] as const)(
	"on %s",
	(signal) => {
		/** A server with an event whose questions are in Kong's hands. */
		async function startBusy(flags: string[] = []) {
			const server = await startServer(DEDICATED, flags);
			const client = await server.connect();
			const instance = await client.startInstance(CONFIG);
			await client.startEvent(instance);
			return { server, client, instance };
		}

		test("an idle server removes its socket and ends well", async () => {
			const server = await startServer(DEDICATED);
			await (await server.connect()).startInstance(CONFIG);
			server.signal(signal);
			expect(await server.exited).toEqual({ code: 0, signal: null });
			expect(readdirSync(join(server.socketPath, ".."))).toEqual([]);
			expect(server.lines(/msg=stopp/)).toEqual([
				`level=info msg=stopping signal=${signal} events=0`,
				"level=info msg=stopped events=0",
			]);
		});

		test("an event in flight is finished, and a connection without one is ended", async () => {
			const { server, client } = await startBusy();
			const idle = await (await server.connect()).open();
			server.signal(signal);
			await once(idle, "close");
			expect(await isListening(server.socketPath)).toBe(false);
			const calls = await client.finishEvent(clientOf("alice"));
			expect(calls.at(-1)?.method).toBe(SET_HEADER);
			expect(await server.exited).toEqual({ code: 0, signal: null });
			expect(readdirSync(join(server.socketPath, ".."))).toEqual([]);
		});

		test("an event that does not end holds it up to the deadline, and is left to the next server", async () => {
			const { server, client } = await startBusy(["--phase-timeout", "0.2"]);
			await client.nextCall();
			server.signal(signal);
			expect(await server.exited).toEqual({ code: 0, signal: null });
			expect(server.output).toContain("msg=stopped events=1");
			await expect(client.finishEvent(clientOf("alice"))).rejects.toThrow();
		});
	},
);

describe("an instance", () => {
	let server: ServerProcess;
	let client: Client;

	beforeAll(async () => {
		server = await startServer(DEDICATED);
		client = await server.connect();
	});
	afterAll(() => server.kill());

	test("has a status, without its configuration", async () => {
		const instance_id = await client.startInstance(CONFIG);
		const status = await client.call({
			cmd_get_instance_status: { instance_id },
		});
		expect(status.instance_status).toEqual({
			name: "x-custom-jwt",
			instance_id,
			started_at: expect.any(Number),
		});
	});

	test("is unknown once Kong closed it", async () => {
		const instance_id = await client.startInstance(CONFIG);
		await client.call({ cmd_close_instance: { instance_id } });
		// And is closed once more, by a worker that knows it still.
		await client.call({ cmd_close_instance: { instance_id } });
		await expect(
			client.call({ cmd_get_instance_status: { instance_id } }),
		).rejects.toThrow(ConnectionLost);
		await expect(client.runPhase(instance_id, clientOf("k"))).rejects.toThrow(
			ConnectionLost,
		);
	});
});
