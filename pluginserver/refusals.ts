import {
	type Refused,
	refusedChannel,
} from "../plugins/x-custom-jwt/diagnostics";
import type { Log } from "./log";

/**
 * Logs why requests are refused, however many are: for each reason one line at once and, at the end
 * of the interval, one with the number of the others.
 *
 * @param interval in milliseconds
 */
export function logRefusals(log: Log, interval: number): void {
	const others = new Map<string, number>();
	refusedChannel.subscribe((message) => {
		const { reason } = message as Refused;
		const count = others.get(reason);
		if (count === undefined) log("warn", "request refused", { reason });
		others.set(reason, count === undefined ? 0 : count + 1);
	});
	setInterval(() => {
		for (const [reason, count] of others)
			if (count > 0) log("warn", "more requests refused", { reason, count });
		others.clear();
	}, interval);
}
