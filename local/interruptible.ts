import { constants } from "node:os";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/**
 * Runs what starts processes, which must not outlive this one: the first signal aborts it, so that it can end them, and
 * another one exits at once. The exit code is then that of a shell for the signal, 130 after Ctrl-C.
 *
 * @param run starts no process before it looks at the signal, and rejects or returns soon after it was aborted
 */
export async function interruptible(
	run: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
	const controller = new AbortController();
	const interrupt = (name: NodeJS.Signals) => {
		process.exitCode = 128 + constants.signals[name];
		if (controller.signal.aborted) process.exit();
		controller.abort();
	};
	for (const name of SIGNALS) process.on(name, interrupt);
	try {
		await run(controller.signal);
	} catch (error) {
		if (!controller.signal.aborted) throw error;
	} finally {
		for (const name of SIGNALS) process.off(name, interrupt);
	}
}
