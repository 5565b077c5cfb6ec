/** What a process can know of the one that started it, which is a worker of Kong's nginx where Kong runs the plugin server. */
import { closeSync, openSync, readFileSync } from "node:fs";

const parent = process.ppid;

/** Whether the process that started this one is gone, or is nginx's and ends when its requests have ended. */
export function isParentLeaving(): boolean {
	if (process.ppid !== parent) return true;
	try {
		return readFileSync(`/proc/${parent}/cmdline`, "utf8").includes(
			"nginx: worker process is shutting down",
		);
	} catch {
		return false;
	}
}

/**
 * Closes standard output and error. A worker of Kong's that ends reads them until nothing has come for 10 seconds (Kong:
 * process.lua, `grab_logs`), unless they are closed.
 */
export function closeOutput(): void {
	// Each gets the number that was freed, so that nothing else does.
	for (const descriptor of [1, 2]) {
		closeSync(descriptor);
		openSync("/dev/null", "w");
	}
}
