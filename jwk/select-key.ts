import { JwkError } from "./error";

/**
 * The key that signs: of a JWK Set (RFC 7517 §5) the one with the active kid, by default the first; a
 * single JWK is that key.
 *
 * @param json a JWK or a JWK Set, as parsed
 * @param activeKid its `kid`
 * @throws {JwkError} when there is no such key, or more than one
 */
export function selectKey(json: unknown, activeKid?: string): unknown {
	const keys = keysOf(json);
	if (activeKid === undefined) return keys[0];
	const active = keys.filter(
		(key) => (key as { kid?: unknown } | null | undefined)?.kid === activeKid,
	);
	if (active.length === 1) return active[0];
	throw new JwkError(
		"",
		`${active.length === 0 ? "no key" : "more than one key"} of the JWK Set has this kid`,
		{ option: "select" },
	);
}

function keysOf(json: unknown): unknown[] {
	const isSet =
		typeof json === "object" && json !== null && Object.hasOwn(json, "keys");
	if (!isSet) return [json];
	const { keys } = json as { keys: unknown };
	if (!Array.isArray(keys))
		throw new JwkError("keys", "must be a list (RFC 7517 §5)");
	if (keys.length === 0) throw new JwkError("keys", "must not be empty");
	return keys;
}
