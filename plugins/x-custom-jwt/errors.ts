import { type Decision, refuse } from "../../core/decisions";
import { isRefusal, type Refusal, refused } from "../../core/refusals";
import { type Refused, refusedChannel } from "./diagnostics";

/**
 * Refuses a request for whatever was thrown; publishes `Refused`.
 *
 * @param thrown anything a `catch` can catch, an unusable configuration too
 * @param verbose whether the client gets to see the reason
 * @param challenge the value of `WWW-Authenticate` in a 401
 */
export function refusal(
	thrown: unknown,
	options: { verbose: boolean; challenge?: string },
): Decision {
	const cause = toRefusal(thrown);
	refusedChannel.publish({ reason: cause.reason } satisfies Refused);
	return refuse(cause, options);
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
	if (isRefusal(thrown)) return thrown;
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
