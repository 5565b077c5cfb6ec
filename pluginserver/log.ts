import { printableLine } from "../jwk/printable";
import { MAX_LINE_LENGTH } from "../plugins/x-custom-jwt/log-line";

/** Levels, least urgent first. */
export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;

/** Level of a log line. */
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Writes one line: a message and what it is about. Never key material, a password or a token. */
export type Log = (
	level: LogLevel,
	message: string,
	fields?: Record<string, string | number | undefined>,
) => void;

/**
 * A log of plain `key=value` lines, without colours: Kong takes them into its own error log.
 *
 * @param least lines below this level are dropped
 * @param write takes a line with its line feed
 */
export function createLog(
	least: LogLevel,
	write: (line: string) => unknown,
): Log {
	return (level, message, fields = {}) => {
		if (LOG_LEVELS.indexOf(level) < LOG_LEVELS.indexOf(least)) return;
		const pairs = Object.entries({ level, msg: message, ...fields })
			.filter(([, value]) => value !== undefined)
			.map(([name, value]) => `${name}=${quote(String(value))}`);
		write(`${pairs.join(" ")}\n`);
	};
}

/** Quotes what is not one plain word, so that a line stays a line. */
function quote(text: string): string {
	const value = text.slice(0, MAX_LINE_LENGTH);
	return /^[\w./:@+-]+$/.test(value)
		? value
		: printableLine(JSON.stringify(value));
}
