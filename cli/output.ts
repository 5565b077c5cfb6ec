import { InvalidArgumentError, Option } from "@commander-js/extra-typings";
import { printable, printableLine } from "../jwk/printable";

/** What a command answers to the shell. */
export const EXIT = {
	/** The question was answered, or the step taken. */
	ok: 0,
	/** The answer is no: not verified, faults found, the step refused. */
	no: 1,
	/** No answer: a wrong option, something that cannot be read or reached. */
	badUse: 2,
} as const;

/** Writes a command's answer, with a line end; nothing in it acts on a terminal. */
export function print(text: string): void {
	process.stdout.write(printable(text.endsWith("\n") ? text : `${text}\n`));
}

/** Writes what a command reports beside a file that goes to standard output. */
export function report(text: string): void {
	process.stderr.write(printable(`${text}\n`));
}

/** Writes one line of a command's answer, which stays one whatever it quotes. */
export function printLine(text: string): void {
	print(printableLine(text));
}

/** Writes what is done, but better otherwise, beside a command's answer. */
export function warn(text: string): void {
	process.stderr.write(`warning: ${printableLine(text)}\n`);
}

/** The option `--json`. */
export function asJson(): Option<"--json", undefined, false> {
	return new Option("--json", "print JSON, for scripts").default(
		false as const,
	);
}

/** Seconds since the epoch. */
export function now(): number {
	return Date.now() / 1000;
}

/** Reads an option's TCP port. */
export function port(text: string): number {
	if (/^\d{1,5}$/.test(text) && Number(text) <= 65535) return Number(text);
	throw new InvalidArgumentError("A port is expected.");
}

/** Reads an option's duration in seconds. */
export function seconds(text: string): number {
	const number = Number(text);
	if (text && Number.isFinite(number) && number >= 0) return number;
	throw new InvalidArgumentError("Seconds are expected.");
}
