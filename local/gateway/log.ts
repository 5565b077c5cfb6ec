import { printableLine } from "../../jwk/printable";

/** Levels of nginx's error log, least urgent first. */
const LEVELS = ["debug", "info", "notice", "warn", "error", "crit"] as const;

/** Level of a log line. */
export type Level = (typeof LEVELS)[number];

/** Takes a line for the gateway's error log. */
export type Log = (level: Level, message: string) => void;

/**
 * An error log on standard error.
 *
 * @param least lines below this level are dropped, as with Kong's `log_level`
 */
export function stderrLog(least: Level): Log {
	return (level, message) => {
		if (LEVELS.indexOf(level) >= LEVELS.indexOf(least))
			console.error(`[${level}] ${printableLine(message)}`);
	};
}
