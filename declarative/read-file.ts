import { readFileSync } from "node:fs";

/** A file that cannot be read, or is empty. Its message is for the user as it is. */
export class Unreadable extends Error {}

/** Whether standard input has been read, which can be done once. */
let isInputRead = false;

/**
 * Reads a text file, or standard input.
 *
 * @param path a file; `-` is standard input
 * @throws {Unreadable} naming the file, also when standard input is to be read again
 */
export function readInput(path: string): string {
	if (path === "-") {
		if (isInputRead)
			throw new Unreadable("-: standard input can be read only once");
		isInputRead = true;
	}
	try {
		return readFileSync(path === "-" ? 0 : path, "utf8");
	} catch (error) {
		throw new Unreadable(`${path} cannot be read: ${errorCode(error)}`);
	}
}

/** What the system says, e.g. `ENOENT`, without the text around it. */
export function errorCode(error: unknown): string {
	return error instanceof Error && "code" in error
		? String(error.code)
		: "unknown error";
}
