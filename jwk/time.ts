/** Points in time as people say them. All are NumericDates: seconds since the epoch (RFC 7519 §2). */

const UNITS: [name: string, seconds: number][] = [
	["y", 365 * 86400],
	["d", 86400],
	["h", 3600],
	["min", 60],
	["s", 1],
];

/**
 * How far a point in time is away, in its two largest units.
 *
 * @example fromNow(1797, 0) // "in 29 min 57 s"
 */
export function fromNow(time: number, now: number): string {
	const distance = Math.round(time - now);
	return distance > 0
		? `in ${duration(distance)}`
		: `${duration(-distance)} ago`;
}

/** The same and the date, e.g. `in 27 min (2026-11-23T15:38:16Z)`. */
export function when(time: number, now: number): string {
	return `${fromNow(time, now)} (${iso(time)})`;
}

/** A NumericDate as ISO 8601 in UTC, to the second. */
export function iso(time: number): string {
	return (
		dateOf(Math.floor(time))?.toISOString().replace(".000Z", "Z") ??
		"beyond all calendars"
	);
}

/** The date of a NumericDate; undefined when the value is none. */
export function dateOf(value: unknown): Date | undefined {
	if (typeof value !== "number") return undefined;
	const date = new Date(value * 1000);
	return Number.isNaN(date.getTime()) ? undefined : date;
}

const CLAIMS: Record<string, { past: string; future: string } | undefined> = {
	iat: { past: "issued", future: "issued" },
	exp: { past: "expired", future: "expires" },
	nbf: { past: "valid since", future: "valid" },
	auth_time: { past: "authenticated", future: "authenticated" },
};

/**
 * What a claim's time means: `expires in 29 min 57 s`, `issued 3 s ago`.
 *
 * @param name the claim
 * @param value the claim's value, whatever a token has there
 * @returns undefined when the claim is no time
 */
export function timeInWords(
	name: string,
	value: unknown,
	now: number,
): string | undefined {
	const words = Object.hasOwn(CLAIMS, name) ? CLAIMS[name] : undefined;
	if (!words) return undefined;
	if (!dateOf(value)) return "not a time in seconds";
	const time = Number(value);
	const isPast = Math.round(time - now) <= 0;
	return `${isPast ? words.past : words.future} ${fromNow(time, now)}`;
}

function duration(seconds: number): string {
	const first = UNITS.findIndex(([, size]) => seconds >= size);
	if (first < 0) return "0 s";
	let left = seconds;
	const words: string[] = [];
	for (const [name, size] of UNITS.slice(first, first + 2)) {
		const count = Math.floor(left / size);
		left -= count * size;
		if (count) words.push(`${count} ${name}`);
	}
	return words.join(" ");
}
