/** The command x-custom-jwt as a process, as `npm run build` bundles it. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { packageRoot } from "../../schema/package-root";

const BUNDLE = join(packageRoot(), "dist/cli/x-custom-jwt.js");

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

/** Runs the command. */
export const run: Run = async (args, { input = "", env } = {}) => {
	const child = spawn(process.execPath, [BUNDLE, ...args], {
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
