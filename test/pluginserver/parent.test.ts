import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { dedicatedServer } from "../../local/gateway/plugin-server";
import { isKongEnding } from "../../pluginserver/parent";
import { Client } from "../support/client";
import { runServer, temporaryFolder, until } from "../support/server";

const DEDICATED = dedicatedServer();

/** A plugin server whose parent is a shell. */
interface Child {
	shell: ChildProcess;
	output: string;
	/** Resolves when the server has closed its output, or ended. */
	closed: Promise<unknown>;
}

const children: Child[] = [];
afterAll(() => {
	for (const { output } of children) {
		const [, pid] = /pid=(\d+)/.exec(output) ?? [];
		try {
			process.kill(Number(pid), "SIGKILL");
		} catch {
			// It has ended.
		}
	}
});

/** @param name what the shell is called */
async function startBelow(folder: string, name: string): Promise<Child> {
	// The shell does not keep the pipe.
	const script = `"$@" & exec > /dev/null 2>&1; wait`;
	const socket = ["--socket", join(folder, "s.sock")];
	const shell = spawn("sh", ["-c", script, "sh", ...DEDICATED, ...socket], {
		stdio: ["ignore", "pipe", "inherit"],
		argv0: name,
	});
	const closed = once(shell.stdout, "end");
	const child = { shell, output: "", closed };
	children.push(child);
	shell.stdout.setEncoding("utf8").on("data", (text) => {
		child.output += text;
	});
	await until("it is started", () => child.output.includes("msg=started"));
	return child;
}

test("a server that another one has displaced ends when its parent, Kong's worker, is gone", async () => {
	const folder = temporaryFolder();
	const first = await startBelow(folder, "nginx: worker process");
	const second = runServer(DEDICATED, [], folder);
	await until("it knows", () => first.output.includes("has taken over"));
	expect(first.output).not.toContain("stopp");
	first.shell.kill("SIGKILL");
	await first.closed;
	expect(first.output).toMatch(
		/msg=stopping signal="Kong has left" events=0\n.*msg=stopped events=0\n$/,
	);
	await second.kill();
});

test("a server whose parent is gone goes on until another one displaces it", async () => {
	const folder = temporaryFolder();
	const first = await startBelow(folder, "nginx: worker process");
	first.shell.kill("SIGKILL");
	await once(first.shell, "exit");
	const client = await Client.connect(join(folder, "s.sock"));
	expect(await client.startInstance({})).toBeGreaterThan(0);
	await client.close();
	expect(first.output).not.toContain("stopp");
	const second = runServer(DEDICATED, [], folder);
	await first.closed;
	expect(first.output).toContain("msg=stopped");
	await second.kill();
});

test("a server closes its output, and goes on, when Kong's worker shuts down and wants nothing more: Kong waits for that", async () => {
	const folder = temporaryFolder();
	const server = await startBelow(
		folder,
		"nginx: worker process is shutting down",
	);
	await server.closed;
	expect(server.output).not.toContain("stopp");
	const client = await Client.connect(join(folder, "s.sock"));
	expect(await client.startInstance({})).toBeGreaterThan(0);
	await client.close();
	server.shell.kill("SIGKILL");
});

test("Kong ends when all its workers are shutting down, and does not when it reloads", async () => {
	const start = async (name: string) => {
		const worker = spawn("sleep", ["60"], { argv0: name });
		await once(worker, "spawn");
		return worker;
	};
	const end = async (worker: ChildProcess) => {
		worker.kill();
		await once(worker, "exit");
	};
	const old = await start("nginx: worker process is shutting down");
	expect(isKongEnding(old.pid)).toBe(true);
	const next = await start("nginx: worker process");
	expect(isKongEnding(old.pid)).toBe(false);
	expect(isKongEnding(next.pid)).toBe(false);
	await end(next);
	expect(isKongEnding(old.pid)).toBe(true);
	await end(old);
	expect(isKongEnding(old.pid)).toBe(false);
});
