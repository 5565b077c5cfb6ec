/**
 * A member of an object by its whole name, which may have dots in it, as URLs have; else one of a member.
 *
 * @param path e.g. `https://example.com/roles`, `realm_access.roles`
 * @returns undefined when there is none
 * @example memberAt({ act: { sub: "a" } }, "act.sub") // "a"
 */
export function memberAt(value: unknown, path: string): unknown {
	if (typeof value !== "object" || value === null) return undefined;
	if (Object.hasOwn(value, path)) return value[path as keyof typeof value];
	for (
		let dot = path.indexOf(".");
		dot >= 0;
		dot = path.indexOf(".", dot + 1)
	) {
		const name = path.slice(0, dot);
		if (!Object.hasOwn(value, name)) continue;
		const rest = path.slice(dot + 1);
		const found = memberAt(value[name as keyof typeof value], rest);
		if (found !== undefined) return found;
	}
	return undefined;
}
