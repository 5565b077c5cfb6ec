/**
 * Whether a PDK call only concerns Kong's logs: a warning at instance start, or a token that log entries
 * must not show.
 */
export function isNote(method: string, [value, text]: unknown[]): boolean {
	return (
		(method === "kong.log.warn" && /config\//.test(String(value))) ||
		(method === "kong.log.set_serialize_value" && text === "REDACTED")
	);
}
