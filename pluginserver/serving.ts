import { setTimeout as sleep } from "node:timers/promises";
import type { Log } from "./log";
import { logRefusals } from "./refusals";
import { collectAtRest } from "./rest";
import type { PluginServerRpc } from "./rpc";

/** Ends the process once its events have ended, or have had their time. Only the first call does it. */
export type Stop = (signal: string) => Promise<void>;

/**
 * What each process that serves Kong does beside its connections: it ends what takes too long, forgets what nobody uses,
 * counts refusals, and stops in order.
 *
 * @param phaseTimeout of the plugin's work on a request, in milliseconds
 * @param idleTimeout of an instance, in milliseconds
 * @param close takes no new connections any more; resolves when what else is to end has ended
 */
export function keepServing(
	rpc: PluginServerRpc,
	log: Log,
	phaseTimeout: number,
	idleTimeout: number,
	close: (signal: string) => void | Promise<void> = () => {},
): Stop {
	const { events, instances } = rpc;
	const flushRefusals = logRefusals(log, 10_000);
	setInterval(() => events.failOverdue(phaseTimeout), phaseTimeout / 20);
	setInterval(() => instances.closeIdle(idleTimeout), idleTimeout / 20);
	collectAtRest(events, 2 * phaseTimeout);
	return async (signal) => {
		if (events.isStopping) return;
		log("info", "stopping", { signal, events: events.size });
		// Kong repeats new events on the server that takes the socket over, those that are left at last too.
		events.isStopping = true;
		const closed = close(signal);
		const deadline = performance.now() + phaseTimeout;
		while (events.size > 0 && performance.now() < deadline) await sleep(10);
		await closed;
		flushRefusals();
		log("info", "stopped", { events: events.size });
		process.exit(0);
	};
}
