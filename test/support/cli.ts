/** The command x-custom-jwt as a process, bundled before the file's tests. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { packageRoot } from "../../schema/package-root";
import { build } from "./server";

const DIST = join(packageRoot(), "dist");

/** What a command printed, and its exit code. */
export interface Outcome {
	stdout: string;
	stderr: string;
	code: number;
}

/** Runs the command with arguments; standard input is empty unless given. */
export type Run = (
	args: string[],
	options?: { input?: string; env?: NodeJS.ProcessEnv },
) => Promise<Outcome>;

/** Bundles the command. It finds what the package holds only as deep in it as `npm run build` puts it. */
export function bundledCli(): Run {
	mkdirSync(DIST, { recursive: true });
	const folder = mkdtempSync(join(DIST, "test-"));
	const bundle = join(folder, "x-custom-jwt.js");
	beforeAll(() => build("build:cli", bundle));
	afterAll(() => rmSync(folder, { recursive: true }));
	return async (args, { input = "", env } = {}) => {
		const child = spawn(process.execPath, [bundle, ...args], {
			env: { ...process.env, ...env },
		});
		// It may end before it has read its input.
		child.stdin.on("error", () => {});
		child.stdin.end(input);
		const [stdout, stderr, [code]] = await Promise.all([
			text(child.stdout),
			text(child.stderr),
			once(child, "exit"),
		]);
		return { stdout, stderr, code };
	};
}

/** All pieces of nine characters of the private members of a JWK. */
export function secretsOf(jwk: object): string[] {
	return Object.entries(jwk)
		.filter(([name]) => ["d", "p", "q", "dp", "dq", "qi", "k"].includes(name))
		.flatMap(([, value]) =>
			typeof value === "string"
				? Array.from({ length: Math.max(0, value.length - 8) }, (_, i) =>
						value.slice(i, i + 9),
					)
				: [],
		);
}
