/** What a process can know of the one that started it, which is a worker of Kong's nginx where Kong runs the plugin server. */
import { closeSync, openSync, readFileSync } from "node:fs";

/** How nginx names its workers, and those that end when their requests have ended. */
const WORKER = "nginx: worker process";
const ENDING = `${WORKER} is shutting down`;

const parent = process.ppid;
const master = masterOf(parent);

/** Whether the process that started this one is gone, or is a worker of nginx that is shutting down. */
export function isParentLeaving(): boolean {
	return process.ppid !== parent || commandOf(parent).includes(ENDING);
}

/** Whether Kong's worker that started this process leaves, but Kong has others, one of which starts another server. */
export function isKongReloading(): boolean {
	return isParentLeaving() && workersOf(master).some(isRunning);
}

/**
 * Whether all of Kong ends: no worker of its nginx goes on. When it reloads, new workers have started before the others
 * shut down.
 *
 * @param worker one of its workers
 */
export function isKongEnding(worker = parent): boolean {
	const workers = workersOf(masterOf(worker));
	// Where the kernel does not list them, nobody knows.
	return (
		commandOf(worker).includes(ENDING) &&
		workers.length > 0 &&
		!workers.some(isRunning)
	);
}

function masterOf(worker: number): string {
	return /^PPid:\s*(\d+)/m.exec(read(worker, "status"))?.[1] ?? "";
}

/** The command lines of the workers that nginx has. */
function workersOf(pid: string): string[] {
	const children = read(pid, `task/${pid}/children`).trim().split(" ");
	return children.map(commandOf).filter((name) => name.startsWith(WORKER));
}

const isRunning = (command: string) => !command.includes(ENDING);

const commandOf = (pid: number | string) => read(pid, "cmdline");

/** A file that Linux has of a process; empty when the process is gone, and on other systems. */
function read(pid: number | string, name: string): string {
	try {
		return readFileSync(`/proc/${pid}/${name}`, "utf8");
	} catch {
		return "";
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
