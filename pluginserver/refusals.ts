import {
	type Refused,
	refusedChannel,
} from "../plugins/x-custom-jwt/diagnostics";
import type { Log } from "./log";

/**
 * Logs how many requests were refused, a line for each reason and interval. Why each one was is in Kong's
 * own log.
 *
 * @param interval in milliseconds
 * @returns a function that logs those since the last line
 */
export function logRefusals(log: Log, interval: number): () => void {
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
	setInterval(flush, interval);
	return flush;
}
