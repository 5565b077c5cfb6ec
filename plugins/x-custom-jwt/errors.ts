import { type Refused, refusedChannel } from "./diagnostics";
import type { Decision } from "./facts";

/** A request that must not reach the backend, and what its client gets to see instead. */
export abstract class Refusal extends Error {
	/** HTTP status of the response. */
	abstract readonly status: 401 | 413 | 500;
	/** The `message` member of the body, in Kong's words for this status. */
	abstract readonly title: string;

	/**
	 * @param message why, for Kong's log and with `verbose` for the client
	 * @param reason the same in one word that does not change, for metrics
	 */
	constructor(
		message: string,
		readonly reason: string,
	) {
		super(message);
	}
}

/** Nobody authenticated, the wanted method did not, or a claim cannot be had. Becomes 401. */
export class Unauthorized extends Refusal {
	override readonly status = 401;
	override readonly title = "Unauthorized";

	constructor(
		message: string,
		reason:
			| "nobody_authenticated"
			| "method_not_accepted"
			| "no_client_id"
			| "claim_refused" = "no_client_id",
	) {
		super(message, reason);
	}
}

/** The body of a request that the token is to be bound to is larger than allowed. Becomes 413. */
export class PayloadTooLarge extends Refusal {
	override readonly status = 413;
	override readonly title = "Payload too large";

	constructor(message: string) {
		super(message, "payload_too_large");
	}
}

/** The gateway is at fault: an unusable configuration, a wrong instance, a defect. Becomes 500. */
export class Misconfigured extends Refusal {
	override readonly status = 500;
	override readonly title = "An unexpected error occurred";

	constructor(
		message: string,
		reason:
			| "configuration"
			| "no_audience"
			| "wrong_instance"
			| "unexpected" = "configuration",
	) {
		super(message, reason);
	}
}

/**
 * Refuses a request for whatever was thrown; publishes `Refused`.
 *
 * @param thrown anything a `catch` can catch, an unusable configuration too
 * @param verbose whether the client gets to see the reason
 */
export function refusal(
	thrown: unknown,
	{ verbose }: { verbose: boolean },
): Decision {
	const { status, title, message, reason } = toRefusal(thrown);
	refusedChannel.publish({ reason } satisfies Refused);
	return {
		log: [{ level: status < 500 ? "warn" : "err", message }],
		logValues: [],
		exit: {
			status,
			body: { message: title, ...(verbose && { detail: message }) },
		},
		clearedHeaders: [],
		upstreamHeaders: [],
		downstreamHeaders: [],
	};
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
		return new Misconfigured(
			`unexpected ${typeof thrown} thrown`,
			"unexpected",
		);
	const code =
		"code" in thrown && typeof thrown.code === "string" ? thrown.code : "";
	const place = stackFrames(thrown)[0] ?? "";
	return new Misconfigured(
		["unexpected", thrown.name, code, place].filter(Boolean).join(" "),
		"unexpected",
	);
}

/** The stack without the text before it, which may have several lines and look like a stack itself. */
function stackFrames({ stack = "", message }: Error): string[] {
	const start = stack.indexOf(message);
	if (start < 0) return [];
	const frames = stack.slice(start + message.length).split("\n");
	return frames
		.map((line) => line.trim())
		.filter((line) => line.startsWith("at "));
}
