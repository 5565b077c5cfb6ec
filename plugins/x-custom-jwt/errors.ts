/** A request that must not reach the backend, and what its client gets to see instead. */
export abstract class Refusal extends Error {
	/** HTTP status of the response. */
	abstract readonly status: 401 | 500;
	/** The `message` member of the body, in Kong's words for this status. */
	abstract readonly title: string;
}

/** Nobody authenticated, the wanted method did not, or no `client_id` can be had. Becomes 401. */
export class Unauthorized extends Refusal {
	override readonly status = 401;
	override readonly title = "Unauthorized";
}

/** The gateway is at fault: an unusable configuration, a wrong instance, a defect. Becomes 500. */
export class Misconfigured extends Refusal {
	override readonly status = 500;
	override readonly title = "An unexpected error occurred";
}

/**
 * Turns whatever was thrown into a refusal.
 *
 * The text of an unforeseen error is dropped, because it may quote what it choked on (V8 quotes the
 * JSON it cannot parse); its name, code and place in our code are kept.
 *
 * @param thrown anything a `catch` can catch
 */
export function toRefusal(thrown: unknown): Refusal {
	if (thrown instanceof Refusal) return thrown;
	if (!(thrown instanceof Error))
		return new Misconfigured(`unexpected ${typeof thrown} thrown`);
	const code =
		"code" in thrown && typeof thrown.code === "string" ? thrown.code : "";
	const place =
		thrown.stack?.split("\n").find((line) => /^\s+at /.test(line)) ?? "";
	return new Misconfigured(
		["unexpected", thrown.name, code, place.trim()].filter(Boolean).join(" "),
	);
}
