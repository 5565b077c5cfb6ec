import { randomInt } from "node:crypto";

/**
 * Makes ids that do not repeat, not across restarts either: Kong's workers keep the ids of an earlier
 * process, and one that fits again would reach another entry's key or another client's request.
 *
 * @returns a function that gives the next id, from a random origin of 48 bits; all stay below 2^53,
 * which JavaScript, Lua and MessagePack hold exactly
 */
export function uniqueIds(): () => number {
	let next = randomInt(2 ** 48 - 1);
	return () => next++;
}
