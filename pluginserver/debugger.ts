/**
 * Keeps Node.js's debugger closed: any local user who reaches its port can read the private key. Import this module
 * before all others, so that it runs first.
 */
import { setImmediate } from "node:timers/promises";
import type { Log } from "./log";

/** How often an open debugger is looked for, in milliseconds. */
const INTERVAL = 1000;

/** Node.js's debugger, unless this Node.js was built without one. */
const inspector = process.features.inspector
	? process.getBuiltinModule("node:inspector")
	: undefined;

/** Whether the debugger was open when this process started, by a flag, NODE_OPTIONS or SIGUSR1. */
const wasOpen = close();

// Node.js opens its debugger on this signal, unless it has a listener.
process.on("SIGUSR1", () => {});

/**
 * Closes the debugger and disconnects its clients.
 *
 * @returns whether it was open
 */
function close(): boolean {
	if (inspector?.url() === undefined) return false;
	inspector.close();
	return true;
}

/**
 * Keeps the debugger closed from now on. A signal that arrived before this module had its listener opens the debugger
 * twice: wherever the code is, and again in the first turn of the event loop, after which this resolves.
 *
 * @param log takes an error whenever the debugger was open
 */
export async function keepDebuggerClosed(log: Log): Promise<void> {
	const report = () =>
		log("error", "the debugger of Node.js was open and is closed now", {
			hint: "somebody may have read the private key: replace it, and start Node.js without --inspect",
		});
	await setImmediate();
	if (close() || wasOpen) report();
	setInterval(() => {
		if (close()) report();
	}, INTERVAL).unref();
}

/** Flags of Node.js that keep the debugger of a process closed, also against NODE_OPTIONS. This Node.js has them all. */
export const NO_DEBUGGER = [
	"--disable-sigusr1",
	"--no-inspect",
	"--no-inspect-brk",
	"--no-inspect-wait",
].filter((flag) => process.allowedNodeEnvironmentFlags.has(flag));
