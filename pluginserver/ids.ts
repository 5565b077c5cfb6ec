import { randomInt } from "node:crypto";

/** The largest `int32`. */
const MAX = 2 ** 31 - 1;

/**
 * Makes positive ids of 32 bits (Kong: pluginsocket.proto) that do not repeat. They start anywhere:
 * Kong's workers keep the ids of an earlier process, and one that fits again would reach another entry's key.
 *
 * @returns a function that gives the next id
 * @throws when all were given
 */
export function uniqueIds(): () => number {
	let last = randomInt(MAX);
	let given = 0;
	return () => {
		if (given === MAX) throw new Error("no instance ids left");
		given += 1;
		last = (last % MAX) + 1;
		return last;
	};
}
