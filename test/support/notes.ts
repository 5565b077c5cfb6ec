/** Whether a log line warns of the configuration, as the first request of an instance brings them. */
export function isConfigWarning(message: string): boolean {
	return /config\/|private_jwk/.test(message);
}

/**
 * Whether a PDK call only concerns Kong's logs: a warning at instance start, or a token that log entries
 * must not show.
 */
export function isNote(method: string, [value, text]: unknown[]): boolean {
	return (
		(method === "kong.log.warn" && isConfigWarning(String(value))) ||
		(method === "kong.log.set_serialize_value" && text === "REDACTED")
	);
}
