import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { packageRoot } from "../../../schema/package-root";
import { until } from "../../support/server";

const ROOT = packageRoot();

let temporary: string;
const children: ChildProcess[] = [];
beforeEach(() => {
	temporary = mkdtempSync(join(tmpdir(), "start-"));
});
afterEach(() => {
	for (const child of children.splice(0)) child.kill("SIGKILL");
	rmSync(temporary, { recursive: true });
});

/** Runs what `npm start -- …` runs; its sockets go into the temporary folder. */
function npmStart(...args: string[]) {
	const child = spawn(
		process.execPath,
		["dist/cli/x-custom-jwt.js", "gateway", ...args],
		{ cwd: ROOT, env: { ...process.env, TMPDIR: temporary } },
	);
	children.push(child);
	return child;
}

const FREE_PORTS = [
	"--http-port",
	"0",
	"--https-port",
	"0",
	"--backend-port",
	"0",
];

/** What it prints until everything is started. */
async function introduction({ stdout }: ReturnType<typeof npmStart>) {
	let printed = "";
	stdout.on("data", (chunk) => {
		printed += chunk;
	});
	while (!printed.includes("token inspector")) await once(stdout, "data");
	return printed;
}

async function outcome(child: ReturnType<typeof npmStart>) {
	const [stdout, stderr, [code]] = await Promise.all([
		text(child.stdout),
		text(child.stderr),
		once(child, "exit"),
	]);
	return { stdout, stderr, code };
}

test("--check prints a line per flow on each plugin server and in process, and exits 0", async () => {
	const { stdout, code } = await outcome(npmStart("--check"));
	const servers = stdout.trim().split(/^(the .*|in process.*):\n/m);
	expect([servers[1], servers[3], servers[5]]).toEqual([
		"the dedicated plugin server",
		"the stock kong-js-pluginserver",
		"in process, handler.lua",
	]);
	expect(servers[4]).toBe(servers[2]);
	expect(`${servers[6]}\n`).toBe(servers[2]);
	for (const line of servers[2]?.trim().split("\n") ?? [])
		expect(line).toMatch(/^ok {5}\S.* {2}\d{3} {2}(verified|no token) /);
	expect(servers[2]).toMatch(
		/^ok {5}Basic .* 200 {2}verified {2}basic {5}client_id my-user$/m,
	);
	expect(servers[2]?.trim().split("\n").length).toBeGreaterThanOrEqual(14);
	expect(code).toBe(0);
});

test("--check exits 1 when a flow fails, and says which", async () => {
	const { stdout, code } = await outcome(
		npmStart("--check", "--stock", "--resolve", "httpbin:9000=localhost:1"),
	);
	expect(stdout).toMatch(/^FAILED API key .*502/m);
	expect(code).toBe(1);
});

/** Processes with this environment, by their command lines (Linux). */
function processes(): string[] {
	return readdirSync("/proc")
		.filter((name) => /^\d+$/.test(name))
		.flatMap((pid) => {
			try {
				const environment = readFileSync(`/proc/${pid}/environ`, "utf8");
				return environment.includes(`TMPDIR=${temporary}\0`)
					? [readFileSync(`/proc/${pid}/cmdline`, "utf8")]
					: [];
			} catch {
				// It has ended, or is somebody else's.
				return [];
			}
		});
}

/** The command lines of the processes that a process has started (Linux). */
const childrenOf = ({ pid }: ChildProcess) =>
	readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8")
		.split(" ")
		.filter(Boolean)
		.map((child) => readFileSync(`/proc/${child}/cmdline`, "utf8"));

const hasFolder = () =>
	readdirSync(temporary).some((name) => name.startsWith("x-custom-jwt-"));

/** Moments of the start, each with how to tell that it is there. */
const MOMENTS: Record<string, (child: ChildProcess) => boolean> = {
	"at its first moment": () => true,
	"while the query command runs": (child) =>
		childrenOf(child).some((line) => line.includes("--dump-all-plugins")),
	"when the plugin server gets a folder": hasFolder,
	"while the plugin server starts": (child) =>
		childrenOf(child).some((line) => line.includes("--sock-name")),
};

// Where there is no /proc the run says that it skipped these.
const onLinux = process.platform === "linux" ? describe : describe.skip;

onLinux("a signal", () => {
	test.each([
		["SIGINT", "at its first moment", []],
		["SIGTERM", "while the query command runs", []],
		["SIGINT", "while the query command runs", ["--stock"]],
		["SIGTERM", "when the plugin server gets a folder", ["--check"]],
		["SIGINT", "while the plugin server starts", []],
		["SIGHUP", "while the plugin server starts", ["--check"]],
		["SIGTERM", "while the plugin server starts", ["--stock"]],
	] as const)(
		"%s %s leaves no process and no socket: %j",
		async (signal, moment, args) => {
			const child = npmStart(...args, ...FREE_PORTS);
			await until(moment, () => MOMENTS[moment]?.(child) ?? false);
			child.kill(signal);
			await once(child, "close");
			expect(processes()).toEqual([]);
			expect(hasFolder()).toBe(false);
			// At the first moment the signal itself ends it.
			if (child.signalCode) expect(child.signalCode).toBe(signal);
			else expect(child.exitCode).toBe(128 + constants.signals[signal]);
		},
	);

	test.each(["SIGINT", "SIGTERM"] as const)(
		"%s ends everything when all is started, and that is a success",
		async (signal) => {
			const child = npmStart(...FREE_PORTS);
			const printed = await introduction(child);
			expect(printed.match(/^curl /gm)).toHaveLength(3);
			expect(printed).toMatch(/token inspector: http:\/\/localhost:\d+\/\n$/);
			expect(childrenOf(child)).toHaveLength(1);
			child.kill(signal);
			const [code] = await once(child, "close");
			expect(code).toBe(0);
			expect(processes()).toEqual([]);
			expect(hasFolder()).toBe(false);
		},
	);
});
