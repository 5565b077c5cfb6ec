/** What became of a claim or header parameter between the incoming token and the gateway's. */
export type Change = "kept" | "changed" | "added" | "removed";

/** A member that either token has. */
export interface ComparedMember {
	name: string;
	/** Value in the incoming token; missing when it is `added`. */
	incoming?: unknown;
	/** Value in the gateway's token; missing when it is `removed`. */
	outgoing?: unknown;
	change: Change;
}

/**
 * Compares the claims or the header parameters of two tokens, by name and JSON value.
 *
 * @param incoming members of the token that came with the request
 * @param outgoing members of the gateway's token
 * @returns the gateway's members in their order, then those that it removed
 */
export function compareMembers(
	incoming: Record<string, unknown>,
	outgoing: Record<string, unknown>,
): ComparedMember[] {
	const before = new Map(Object.entries(incoming));
	const after = new Map(Object.entries(outgoing));
	const names = new Set([...after.keys(), ...before.keys()]);
	return [...names].map((name): ComparedMember => {
		if (!after.has(name))
			return { name, incoming: before.get(name), change: "removed" };
		const value = { name, outgoing: after.get(name) };
		if (!before.has(name)) return { ...value, change: "added" };
		const both = { ...value, incoming: before.get(name) };
		const isSame =
			JSON.stringify(both.incoming) === JSON.stringify(both.outgoing);
		return { ...both, change: isSame ? "kept" : "changed" };
	});
}
