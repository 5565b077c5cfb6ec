/** Readings of another process, by proc(5): Linux only. */
import { readdirSync, readFileSync } from "node:fs";

/** CPU time of the threads there are, so far, in microseconds. */
export function cpuMicroseconds(pid: number): number {
	// Not of `stat`, which counts in steps of 10 ms.
	return readdirSync(`/proc/${pid}/task`)
		.map((thread) =>
			readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8"),
		)
		.reduce((sum, schedstat) => sum + Number.parseInt(schedstat, 10) / 1000, 0);
}

/** Resident memory, in MB. */
export function residentMegabytes(pid: number): number {
	const status = readFileSync(`/proc/${pid}/status`, "utf8");
	return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024;
}

/**
 * The processes that have a text in their command line.
 *
 * @throws when there is none
 */
export function processesNamed(text: string): number[] {
	const pids = readdirSync("/proc")
		.filter((name) => /^\d+$/.test(name))
		.map(Number)
		.filter((pid) => pid !== process.pid && commandLine(pid).includes(text));
	if (pids.length === 0) throw new Error(`no process has ${text} in its name`);
	return pids;
}

function commandLine(pid: number): string {
	try {
		return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
	} catch {
		// It ended meanwhile.
		return "";
	}
}
