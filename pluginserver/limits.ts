import { readFileSync } from "node:fs";
import type { Log } from "./log";

/** An event holds one connection for all its time, and one file at most beside it. */
const FILES_WANTED = 11_000;

/**
 * Warns when the process may not have the open files of 10,000 requests in flight. Node.js takes what the
 * hard limit gives; more can only be had from whoever starts it (`ulimit -n`, `LimitNOFILE`).
 *
 * @param path where Linux tells the limits of this process; other systems tell none
 */
export function warnOfFewFiles(log: Log, path = "/proc/self/limits"): void {
	let limits: string;
	try {
		limits = readFileSync(path, "utf8");
	} catch {
		return;
	}
	const [, limit] = /^Max open files +(\d+)/m.exec(limits) ?? [];
	if (limit && Number(limit) < FILES_WANTED)
		log("warn", "few open files: a burst of connections may get 500", {
			limit,
			wanted: FILES_WANTED,
		});
}
