/** The headers that a token arrives in, and those that must not stand in its way. */

/** Headers of one connection, which are not forwarded (RFC 9110 §7.6.1). */
export const HOP_BY_HOP = [
	"connection",
	"keep-alive",
	"proxy-connection",
	"te",
	"trailer",
	"transfer-encoding",
	"upgrade",
];

/** Headers of one connection, about the message, or that Kong writes over (Kong: nginx_kong.lua): no token arrives in them. */
export const NOT_FORWARDED = [
	...HOP_BY_HOP,
	"content-length",
	"host",
	"proxy",
	"via",
	"x-forwarded-for",
	"x-forwarded-host",
	"x-forwarded-path",
	"x-forwarded-port",
	"x-forwarded-prefix",
	"x-forwarded-proto",
	"x-kong-request-id",
	"x-real-ip",
];

/** Above it there are too many spellings to clear. */
const MAX_SEPARATORS = 5;

/** Whether all spellings of a header's name can be cleared. */
export function isClearable(name: string): boolean {
	return partsOf(name).length <= MAX_SEPARATORS + 1;
}

/**
 * All names that a backend may take for a header's: CGI and its descendants do not tell `-` from `_`. Their
 * case does not matter to Kong.
 *
 * @param name that `isClearable`
 */
export function spellings(name: string): string[] {
	let names: string[] = [];
	partsOf(name).forEach((part, index) => {
		names =
			index === 0
				? [part]
				: names.flatMap((begun) => [`${begun}-${part}`, `${begun}_${part}`]);
	});
	return names;
}

function partsOf(name: string): string[] {
	return name.split("_").join("-").split("-");
}

/**
 * Whether a `Connection` header names another one, whatever separates the names: Kong's own reading is not relied on.
 *
 * @param connection its value
 * @param name of the other header
 */
export function isNamedBy(connection: string, name: string): boolean {
	if (connection === "") return false;
	const inside = connection.toLowerCase();
	const sought = name.toLowerCase();
	let at = inside.indexOf(sought);
	while (at >= 0) {
		const isWhole =
			!isOfName(inside.charAt(at - 1)) &&
			!isOfName(inside.charAt(at + sought.length));
		if (isWhole) return true;
		at = inside.indexOf(sought, at + 1);
	}
	return false;
}

function isOfName(character: string): boolean {
	return (
		character !== "" &&
		"abcdefghijklmnopqrstuvwxyz0123456789_-".includes(character)
	);
}
