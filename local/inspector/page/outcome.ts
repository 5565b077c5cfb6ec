import type { FlowOutcome, Settings } from "../protocol";
import type { Shown } from "./verdict";

/** What is told of a flow; `unknown` when it did not go as it should. */
export type Telling = Pick<Shown, "state" | "headline" | "detail">;

/**
 * Tells what became of a flow.
 *
 * @param flow its name and the status it should get
 */
export function tellingOf(
	flow: Settings["flows"][number],
	{ status, body, backend }: FlowOutcome,
): Telling {
	const isExpected = status === flow.status;
	const accepted = status < 400 ? "verified" : "invalid";
	const from = backend ? "from the backend" : "from the gateway itself";
	const isVerified = backend && status < 400;
	return {
		state: isExpected ? accepted : "unknown",
		headline: `${flow.name}: ${status}${isVerified ? ", and the backend verified the token" : ` ${from}`}`,
		detail: [
			isExpected ? "" : `${flow.status} was expected.`,
			isVerified ? "" : `It says “${wordsOf(body)}”.`,
			backend ? "" : "The backend did not see the request.",
		]
			.filter(Boolean)
			.join(" "),
	};
}

/** Characters of an answer that are shown. */
const MAX_WORDS = 300;

/**
 * What an answer says, in one line. Kong's are JSON objects, mostly with a `message`.
 *
 * @example wordsOf('{"message":"Unauthorized"}') // "Unauthorized"
 */
export function wordsOf(body: string): string {
	const words = wordsIn(body).replace(/\s+/g, " ").trim() || "nothing";
	return words.length > MAX_WORDS ? `${words.slice(0, MAX_WORDS)} …` : words;
}

function wordsIn(body: string): string {
	try {
		// The id is for Kong's log.
		const { message, request_id, ...others } = JSON.parse(body);
		const pairs = Object.entries(others).map(
			([name, value]) =>
				`${name}: ${typeof value === "string" ? value : JSON.stringify(value)}`,
		);
		return [message, ...pairs].filter(Boolean).join("; ") || body;
	} catch {
		return body;
	}
}

/**
 * How long each part of a flow took, and all of it.
 *
 * @returns milliseconds with one decimal; those of the parts add up to the last
 */
export function timesOf({
	totalMs,
	backend,
}: FlowOutcome): { part: string; ms: string }[] {
	const { arrivalMs = 0, request: { verifyMs } = { verifyMs: 0 } } =
		backend ?? {};
	const parts: [part: string, milliseconds: number][] = backend
		? [
				["Gateway, plugins, to the backend", arrivalMs],
				["Verifying in the backend", verifyMs],
				["Back to the client", totalMs - arrivalMs - verifyMs],
			]
		: [["Gateway and plugins", totalMs]];
	const tenths = parts.map(([, ms]) => Math.round(ms * 10));
	const all = tenths.reduce((sum, one) => sum + one, 0);
	return [...parts.map(([part]) => part), "In all"].map((part, index) => ({
		part,
		ms: ((tenths[index] ?? all) / 10).toFixed(1),
	}));
}
