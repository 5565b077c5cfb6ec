const RELATIVE = new Intl.RelativeTimeFormat("en");

/** Units of time with their seconds, and from how many seconds on they are used. */
const UNITS = [
	{ unit: "year", seconds: 31_556_952, from: 2 * 31_556_952 },
	{ unit: "day", seconds: 86_400, from: 2 * 86_400 },
	{ unit: "hour", seconds: 3600, from: 2 * 3600 },
	{ unit: "minute", seconds: 60, from: 120 },
	{ unit: "second", seconds: 1, from: 0 },
] as const;

/**
 * A point in time for people, e.g. `in 27 minutes (2026-11-23T15:38:16Z)`.
 *
 * @param time seconds since the epoch, a NumericDate (RFC 7519 §2)
 * @param now the same, of this moment
 */
export function when(time: number, now: number): string {
	const distance = time - now;
	const { unit, seconds } =
		UNITS.find(({ from }) => Math.abs(distance) >= from) ?? UNITS[4];
	const relative = RELATIVE.format(Math.trunc(distance / seconds), unit);
	return `${relative} (${iso(time)})`;
}

/** A NumericDate as ISO 8601 in UTC, to the second. */
export function iso(time: number): string {
	const date = new Date(Math.floor(time) * 1000);
	return Number.isNaN(date.getTime())
		? "beyond all calendars"
		: date.toISOString().replace(".000Z", "Z");
}
