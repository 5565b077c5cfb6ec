import { randomUUID } from "node:crypto";
import {
	closeSync,
	existsSync,
	fchmodSync,
	fsyncSync,
	lstatSync,
	openSync,
	readlinkSync,
	realpathSync,
	renameSync,
	rmSync,
	writeFileSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import { errorCode } from "../declarative/read-file";

/** The command cannot be carried out as it was given: bad use, exit code 2. Its message is for the user as it is. */
export class BadUse extends Error {}

/**
 * Writes a file as a whole or not at all: whoever reads it meanwhile gets the old or the new content.
 *
 * @param path where it goes; what a symbolic link points to is replaced, not the link
 * @param text its content, without a private key; see `writePrivate`
 * @param mode permissions, e.g. 0o644, also when the file was there with others
 * @throws {BadUse} naming the file
 */
export function writeAtomically(
	path: string,
	text: string,
	mode: number,
): void {
	replace(existsSync(path) ? realpathSync(path) : path, path, text, mode);
}

/**
 * Writes a file with a private key in it, as a whole or not at all. It is never there with more permissions
 * than these, and where a symbolic link that somebody else put there points to nothing is written.
 *
 * @param mode permissions
 * @throws {BadUse} naming the file, also when it is a symbolic link
 */
export function writePrivate(path: string, text: string, mode = 0o600): void {
	refuseLink(path);
	// Should a link appear now, it is the link that is replaced.
	replace(path, path, text, mode);
}

/**
 * Writes a file for its owner only that is not there yet.
 *
 * @param path a file; `-` is standard output
 * @throws {BadUse} naming the file, when it is there too, or is a symbolic link
 */
export function writeNew(path: string, text: string): void {
	if (path === "-") {
		process.stdout.write(text);
		return;
	}
	refuseLink(path);
	if (existsSync(path)) throw new BadUse(`${path} is there already`);
	writePrivate(path, text);
}

/**
 * Refuses to write a private key where a symbolic link points to.
 *
 * @throws {BadUse} naming the link and what to give instead
 */
export function refuseLink(path: string): void {
	if (!lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink()) return;
	const target = resolve(dirname(path), readlinkSync(path));
	throw new BadUse(
		`${path} is a symbolic link, and no private key is written through one; if its target is meant, give ${target}`,
	);
}

/** @param path what the file is called in messages */
function replace(
	target: string,
	path: string,
	text: string,
	mode: number,
): void {
	const temporary = join(dirname(target), `.${randomUUID()}.tmp`);
	try {
		// Fails when something has that name, also a symbolic link. From here on the open file counts, not its name.
		const file = openSync(temporary, "wx", mode);
		try {
			// The umask has taken its part of the mode.
			fchmodSync(file, mode);
			writeFileSync(file, text);
			fsyncSync(file);
		} finally {
			closeSync(file);
		}
		renameSync(temporary, target);
	} catch (error) {
		rmSync(temporary, { force: true });
		throw new BadUse(`${path} cannot be written: ${errorCode(error)}`);
	}
}

/** What went wrong with a `fetch`, e.g. `ECONNREFUSED`. */
export function networkFault(error: unknown): string {
	if (!(error instanceof Error)) return "unknown error";
	if (error.name === "TimeoutError") return "no answer in time";
	const { cause } = error;
	if (cause instanceof Error && !("code" in cause)) return cause.message;
	return errorCode(cause);
}
