/** What each process that serves Kong does beside its connections. */
import { setTimeout as sleep } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import {
	type Refused,
	refusedChannel,
} from "../plugins/x-custom-jwt/diagnostics";
import type { Connections } from "./connections";
import type { Events } from "./events";
import type { Log } from "./log";

/** Refusals are logged once in so many milliseconds. */
const REFUSALS_INTERVAL = 10_000;

/** Ends the process once its connections have ended, or have had their time. Only the first call does it. */
export type Stop = (reason: string) => Promise<void>;

/** Times of a process, in milliseconds. */
export interface Timeouts {
	/** How long the plugin may work on a request, and connections may take to end. */
	phase: number;
	/** How long an instance may go unused. */
	idle: number;
}

/**
 * Ends what takes too long, forgets what nobody uses, counts refusals, and stops in order.
 *
 * @param leave lets no connections come any more; resolves when everything beside the connections has ended
 */
export function keepHouse(
	connections: Connections,
	log: Log,
	{ phase, idle }: Timeouts,
	leave: (reason: string) => void | Promise<void>,
): Stop {
	const { events, instances } = connections.rpc;
	const flushRefusals = logRefusals(log);
	setInterval(() => events.failOverdue(phase), phase / 20);
	setInterval(() => instances.closeIdle(idle), idle / 20);
	collectAtRest(events, 2 * phase);
	let isStopping = false;
	return async (reason) => {
		if (isStopping) return;
		isStopping = true;
		log("info", "stopping", { signal: reason, events: events.size });
		await leave(reason);
		await Promise.race([connections.retire(), sleep(phase)]);
		flushRefusals();
		log("info", "stopped", { events: events.size });
		process.exit(0);
	};
}

/**
 * Logs how many requests were refused, a line for each reason and interval. Why each one was is in Kong's
 * own log.
 *
 * @returns a function that logs those since the last line
 */
function logRefusals(log: Log): () => void {
	const counts = new Map<string, number>();
	refusedChannel.subscribe((message) => {
		const { reason } = message as Refused;
		counts.set(reason, (counts.get(reason) ?? 0) + 1);
	});
	const flush = () => {
		for (const [reason, count] of counts)
			log("warn", "requests refused", { reason, count });
		counts.clear();
	};
	setInterval(flush, REFUSALS_INTERVAL);
	return flush;
}

/**
 * Collects garbage once when the server comes to rest: V8 collects only while something is
 * allocated, so what a busy hour left behind would stay resident through a quiet night.
 *
 * @param interval at rest is who got no event for as long, in milliseconds
 */
function collectAtRest(events: Events, interval: number): void {
	// The one way to V8's collector without a flag at the start of the process.
	setFlagsFromString("--expose-gc");
	const collect: () => void = runInNewContext("gc");
	let seen = 0;
	let collected = 0;
	setInterval(() => {
		const isAtRest = events.size === 0 && events.started === seen;
		seen = events.started;
		if (!isAtRest || collected === seen) return;
		collected = seen;
		collect();
	}, interval);
}
