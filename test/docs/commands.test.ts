/**
 * The shell blocks of all pages, run as they stand, on each page one after the other, with the local gateway where
 * `npm start` has it. A block that cannot run here says so right before it: `<!-- not run: why -->`. Of benchmarks, which
 * take minutes, only names and options are checked.
 */

import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
	cpSync,
	existsSync,
	mkdirSync,
	mkdtempSync,
	readFileSync,
	rmSync,
	writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { IDP_ISSUER } from "../../local/backend/backend";
import { type Demo, startDemo } from "../../local/demo/demo";
import { signToken } from "../../local/demo/flows";
import { dedicatedServer } from "../../local/gateway/plugin-server";
import { packageRoot } from "../../schema/package-root";

import { pages } from "./pages";

interface Block {
	script: string;
	/** Why it is not run here. */
	notRun: string | undefined;
}

const BLOCK = /(?:<!-- not run: ([^>]*?) -->\s*)?^ *```sh\n([\s\S]*?)^ *```$/gm;

const documented = pages()
	.map(({ path, text }) => ({
		path,
		blocks: [...text.matchAll(BLOCK)].map(
			([, notRun, script = ""]): Block => ({ script, notRun }),
		),
	}))
	.filter(({ blocks }) => blocks.length > 0);

const has = (command: string) =>
	spawnSync("sh", ["-c", `command -v ${command}`]).status === 0;

let demo: Demo;
let token: string;
beforeAll(async () => {
	demo = await startDemo({
		pluginServerCommand: dedicatedServer(),
		log: () => {},
	});
	token = await signToken("idp-jwk-private.json", {
		iss: IDP_ISSUER,
		clientId: "web-shop",
	});
});
afterAll(() => demo.close());

/** Like a clone, and within this one, so that the test keys in it are still those of the package's examples. */
const clones: string[] = [];
afterAll(() => {
	for (const folder of clones) rmSync(folder, { recursive: true });
});

/** A folder like a clone, in which blocks may write. */
function clone(): string {
	const folder = mkdtempSync(join(packageRoot(), "dist/clone-"));
	clones.push(folder);
	for (const name of ["kong.yml", "test-keys", "deck", "docs"])
		cpSync(join(packageRoot(), name), join(folder, name), { recursive: true });
	mkdirSync(join(folder, "bin"));
	const command = join(packageRoot(), "dist/cli/x-custom-jwt.js");
	writeFileSync(
		join(folder, "bin/npx"),
		`#!/bin/sh\nshift\nexec "${process.execPath}" "${command}" "$@"\n`,
		{ mode: 0o755 },
	);
	writeFileSync(join(folder, "bin/npm"), NPM, { mode: 0o755 });
	return folder;
}

/** Writes what it is told to do, an argument a line, into `npm.log`. */
const NPM = `#!/bin/sh
printf '%s\n' "$@" "" >>"$(dirname "$0")/npm.log"
`;

/** What blocks of a page told npm to do. */
function npmCalls(folder: string): string[][] {
	const log = join(folder, "bin/npm.log");
	if (!existsSync(log)) return [];
	const calls = readFileSync(log, "utf8").split("\n\n");
	return calls.map((call) => call.split("\n")).slice(0, -1);
}

/** @throws for what is not a benchmark, or not one of their options */
function checkBenchmark([run, script, dashes, ...args]: string[]): void {
	expect([run, script, dashes]).toEqual(["run", "bench", "--"]);
	const report = readFileSync(join(packageRoot(), "bench/report.ts"), "utf8");
	for (const arg of args) {
		const [, option] = /^--(\w+)/.exec(arg) ?? [];
		if (option) expect(report).toMatch(new RegExp(`\\b${option}: \\{ type:`));
		else
			expect(existsSync(join(packageRoot(), "bench", `${arg}.ts`))).toBe(true);
	}
}

/** Runs a block as a shell does in which `set -e` holds. */
async function run(script: string, folder: string) {
	const child = spawn("bash", ["-euo", "pipefail", "-c", script], {
		cwd: folder,
		env: {
			...process.env,
			PATH: `${join(folder, "bin")}:${process.env.PATH}`,
			TOKEN: token,
		},
		stdio: ["ignore", "pipe", "pipe"],
	});
	const [stdout, stderr, [code]] = await Promise.all([
		text(child.stdout),
		text(child.stderr),
		once(child, "exit"),
	]);
	return { code, output: stdout + stderr };
}

/** The block with the ports of this run. */
function onThisMachine(script: string): string {
	const { httpUrl, httpsUrl } = demo.gateway;
	return script
		.replaceAll("http://localhost:8000", httpUrl)
		.replaceAll("https://localhost:8443", httpsUrl);
}

test.each(documented)("the commands of $path work", async ({ blocks }) => {
	const folder = clone();
	for (const { script, notRun } of blocks) {
		if (notRun !== undefined) continue;
		const missing = ["curl", "jq"].find(
			(command) => script.includes(`${command} `) && !has(command),
		);
		if (missing) {
			console.warn(`SKIPPED, there is no ${missing} here: ${script}`);
			continue;
		}
		// The gateway is in this process, which must not be blocked.
		const { code, output } = await run(onThisMachine(script), folder);
		expect({ script, code, output }).toMatchObject({ script, code: 0 });
		if (script.includes("curl")) expect(output).not.toMatch(/"message"/);
	}
	for (const call of npmCalls(folder)) checkBenchmark(call);
});

test("reasons why a command is not run are given", () => {
	const blocks = documented.flatMap(({ path, blocks }) =>
		blocks.map((block) => ({ path, ...block })),
	);
	const left = blocks.filter(({ notRun }) => notRun !== undefined);
	for (const { notRun } of left) expect(notRun).toMatch(/\w+ \w+/);
	const list = left.map(
		({ path, script, notRun }) =>
			`${path}: ${script.trim().split("\n")[0]} (${notRun})`,
	);
	console.warn(
		`NOT RUN, ${left.length} of ${blocks.length} shell blocks:\n${list.join("\n")}`,
	);
});
