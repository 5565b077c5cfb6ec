import { randomUUID } from "node:crypto";
import {
	chmodSync,
	existsSync,
	realpathSync,
	renameSync,
	rmSync,
	writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { errorCode } from "../declarative/read-file";

/** The command cannot be carried out as it was given: bad use, exit code 2. Its message is for the user as it is. */
export class BadUse extends Error {}

/**
 * Writes a file as a whole or not at all: whoever reads it meanwhile gets the old or the new content.
 *
 * @param path where it goes; what a symbolic link points to is replaced, not the link
 * @param text its content
 * @param mode permissions, e.g. 0o600, also when the file was there with others
 * @throws {BadUse} naming the file
 */
export function writeAtomically(
	path: string,
	text: string,
	mode: number,
): void {
	const target = existsSync(path) ? realpathSync(path) : path;
	const temporary = join(dirname(target), `.${randomUUID()}.tmp`);
	try {
		writeFileSync(temporary, text, { flag: "wx", mode, flush: true });
		// The umask has taken its part of the mode.
		chmodSync(temporary, mode);
		renameSync(temporary, target);
	} catch (error) {
		rmSync(temporary, { force: true });
		throw new BadUse(`${path} cannot be written: ${errorCode(error)}`);
	}
}

/**
 * Writes a file that is not there yet.
 *
 * @throws {BadUse} naming the file, when it is there too
 */
export function writeNew(path: string, text: string, mode: number): void {
	if (existsSync(path)) throw new BadUse(`${path} is there already`);
	writeAtomically(path, text, mode);
}

/** What went wrong with a `fetch`, e.g. `ECONNREFUSED`. */
export function networkFault(error: unknown): string {
	if (!(error instanceof Error)) return "unknown error";
	if (error.name === "TimeoutError") return "no answer in time";
	const { cause } = error;
	if (cause instanceof Error && !("code" in cause)) return cause.message;
	return errorCode(cause);
}
