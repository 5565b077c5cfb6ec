import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { Events } from "./events";

/**
 * Collects garbage once when the server comes to rest: V8 collects only while something is
 * allocated, so what a busy hour left behind would stay resident through a quiet night.
 *
 * @param interval at rest is who got no event for as long, in milliseconds
 */
export function collectAtRest(events: Events, interval: number): void {
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
