import { REFUSALS, TITLES } from "../../schema/refusals";
import { type Refused, refusedChannel } from "./diagnostics";
import type { Decision } from "./facts";

/** A request that must not reach the backend. */
export class Refusal extends Error {
	/**
	 * @param status HTTP status of the response
	 * @param reason why, in one word that does not change, for metrics
	 * @param message why, for Kong's log and with `verbose` for the client
	 */
	constructor(
		readonly status: keyof typeof TITLES,
		readonly reason: string,
		message: string,
	) {
		// Nobody reads its stack, which takes longer to capture than all else of a refusal.
		const { stackTraceLimit } = Error;
		Error.stackTraceLimit = 0;
		super(message);
		Error.stackTraceLimit = stackTraceLimit;
	}
}

/** The configuration is unusable. Becomes 500. */
export class Misconfigured extends Refusal {
	/**
	 * @param message names the field, and never a value that may be secret
	 * @param field the field at fault, where the caller cannot know it
	 */
	constructor(
		message: string,
		readonly field?: string,
	) {
		super(500, "configuration", message);
	}
}

/** The names in braces in a text. */
type Blanks<Text extends string> =
	Text extends `${string}{${infer Name}}${infer Rest}`
		? Name | Blanks<Rest>
		: never;

type Causes = typeof REFUSALS;

/**
 * A refusal of the table, to be thrown.
 *
 * @param cause see schema/refusals.ts
 * @param blanks what its text leaves open
 */
export function refused<Cause extends keyof Causes>(
	cause: Cause,
	blanks: Record<Blanks<Causes[Cause]["text"]>, string | number>,
): Refusal {
	const { status, reason, text } = REFUSALS[cause];
	const message = text.replace(/\{(\w+)\}/g, (_, name: keyof typeof blanks) =>
		String(blanks[name]),
	);
	return new Refusal(status, reason, message);
}

/**
 * Refuses a request for whatever was thrown; publishes `Refused`.
 *
 * @param thrown anything a `catch` can catch, an unusable configuration too
 * @param verbose whether the client gets to see the reason
 * @param challenge the value of `WWW-Authenticate` in a 401
 */
export function refusal(
	thrown: unknown,
	{ verbose, challenge }: { verbose: boolean; challenge?: string },
): Decision {
	const { status, message, reason } = toRefusal(thrown);
	refusedChannel.publish({ reason } satisfies Refused);
	return {
		log: [{ level: status < 500 ? "warn" : "err", message }],
		logValues: [],
		exit: {
			status,
			...(status === 401 &&
				challenge && { headers: { "WWW-Authenticate": challenge } }),
			body: { message: TITLES[status], ...(verbose && { detail: message }) },
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
		return refused("unexpected", { what: `${typeof thrown} thrown` });
	const code =
		"code" in thrown && typeof thrown.code === "string" ? thrown.code : "";
	const place = stackFrames(thrown)[0] ?? "";
	const what = [thrown.name, code, place].filter(Boolean).join(" ");
	return refused("unexpected", { what });
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
