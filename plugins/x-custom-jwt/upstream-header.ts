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

/** Above it there are too many spellings to clear. */
const MAX_SEPARATORS = 5;

/** Whether all spellings of a header's name can be cleared. */
export function isClearable(name: string): boolean {
	return name.split(/[-_]/).length <= MAX_SEPARATORS + 1;
}

/**
 * All names that a backend may take for a header's: CGI and its descendants do not tell `-` from `_`. Their
 * case does not matter to Kong.
 *
 * @param name that `isClearable`
 */
export function spellings(name: string): string[] {
	const [first = "", ...others] = name.split(/[-_]/);
	return others.reduce(
		(names, part) =>
			names.flatMap((begun) => [`${begun}-${part}`, `${begun}_${part}`]),
		[first],
	);
}
