/** What the plugin asks and decides, as calls of Kong's PDK. */
import { isPromise } from "node:util/types";
import type { Decision } from "../core/decisions";
import type { Question } from "../core/questions";
import { refused } from "../core/refusals";
import { pathOf } from "../core/url";
import { refusal } from "../plugins/x-custom-jwt/errors";
import { EncodedAnswer } from "../plugins/x-custom-jwt/facts";
import { logLine } from "../plugins/x-custom-jwt/log-line";
import { digestOf } from "./body";
import { type FrameWriter, framesOf, TOO_LONG } from "./frames";
import type { Instance } from "./instances";
import { type Json, PDK, type PdkMethod, RpcReturn } from "./messages";
import { decode } from "./protobuf";

export type { Decision };

/** The phases of the plugin (Kong: a plugin server tells them). */
export const PHASES = ["access"];

/** A frame that Kong answered with. */
export type Result = Buffer | typeof TOO_LONG;

/** A PDK call, ready to go out, with what makes an answer of its result. */
export interface Call {
	frames: Buffer;
	answer(result: Result): unknown;
}

/**
 * Lets the plugin decide about a request. Whatever it does, there is a decision.
 *
 * @param exchange makes PDK calls; resolves with their results, in their order
 */
export async function decisionOf(
	{ decide }: Instance,
	phase: string,
	exchange: (calls: Call[]) => Promise<Result[]>,
): Promise<Decision> {
	try {
		if (!PHASES.includes(phase))
			throw refused("unexpected", { what: `phase ${phase}` });
		return await decide(async (questions) => {
			const calls = questions.map(callFor);
			const results = await exchange(calls);
			const answers = calls.map((call, index) =>
				call.answer(results[index] as Result),
			);
			// Few are still to come: of bodies that Kong keeps in files.
			return answers.some(isPromise) ? Promise.all(answers) : answers;
		});
	} catch (thrown) {
		return refusal(thrown, { verbose: false });
	}
}

/** So many arguments Kong reads of a query, unless told otherwise. */
const MAX_QUERY_ARGUMENTS = 100;

/** Most questions are the same objects for all requests of an instance. */
const calls = new WeakMap<Question, Call>();

/** The call that answers a question. */
export function callFor(question: Question): Call {
	const known = calls.get(question);
	if (known) return known;
	const made = newCall(question);
	calls.set(question, made);
	return made;
}

/**
 * Where Kong has a typed call and a context, it is the one that gives the whole entity and does not raise:
 * `kong.client.get_credential` has no more than the id, `kong.request.get_query_arg` ends a request whose
 * argument has no value with 500 (Kong facts).
 */
function newCall({ about, name = "", maxBytes = 0 }: Question): Call {
	switch (about) {
		case "credential":
			return unread(call(PDK.getCtx, { v: "authenticated_credential" }));
		case "consumer":
			return unread(call(PDK.getCtx, { v: "authenticated_consumer" }));
		case "service":
			return call(PDK.getService, {});
		case "route":
			return call(PDK.getRoute, {});
		case "forwarded_ip":
			return call(PDK.getForwardedIp, {}, value);
		case "forwarded_scheme":
			return call(PDK.getForwardedScheme, {}, value);
		case "forwarded_host":
			return call(PDK.getForwardedHost, {}, value);
		case "forwarded_port":
			return call(PDK.getForwardedPort, {}, value);
		case "method":
			return call(PDK.getMethod, {}, value);
		case "path":
			return call(PDK.getVar, { v: "request_uri" }, ({ v }) => v && pathOf(v));
		case "certificate":
			return call(PDK.getVar, { v: "ssl_client_raw_cert" }, value);
		case "header":
			return call(PDK.getHeader, { v: name }, value);
		case "query":
			return call(PDK.getQuery, { v: MAX_QUERY_ARGUMENTS }, (query) =>
				Object.hasOwn(query, name) ? first(query[name]) : undefined,
			);
		case "variable":
			return call(PDK.getVar, { v: name }, value);
		case "ctx":
			return call(PDK.getCtx, { v: name });
		case "shared":
			return call(PDK.getSharedCtx, { v: name });
		case "body_digest":
			return bodyCall(maxBytes);
	}
}

function value<T>({ v }: { v?: T }): T | undefined {
	return v;
}

/** Kong gives an argument that comes several times as a list. */
function first(argument: Json): Json {
	return Array.isArray(argument) ? argument[0] : argument;
}

function call<Argument, Content>(
	method: PdkMethod<Argument, Content>,
	argument: Argument,
	answer: (content: Content) => unknown = (content) => content,
): Call {
	return {
		frames: framesOf((frames) => writeCall(frames, method, argument)),
		answer(result) {
			if (result === TOO_LONG)
				throw refused("long_answer", { method: method.name });
			// Kong's `nil`.
			if (result.length === 0) return undefined;
			return answer(decode(method.gives, result));
		},
	};
}

/** A call whose result is read when it is needed. */
function unread({ frames, answer }: Call): Call {
	return {
		frames,
		answer: (result) =>
			result === TOO_LONG || result.length === 0
				? answer(result)
				: new EncodedAnswer(result, () => answer(result)),
	};
}

function bodyCall(maxBytes: number): Call {
	const { frames, answer } = call(PDK.getRawBody, {}, (body) =>
		digestOf(body, maxBytes),
	);
	return {
		frames,
		answer: (result) =>
			result === TOO_LONG ? { tooLarge: true } : answer(result),
	};
}

function writeCall<Argument>(
	frames: FrameWriter,
	method: PdkMethod<Argument, unknown>,
	argument: Argument,
): void {
	frames.text(method.name);
	frames.message(method.takes, argument);
}

const LOGS = { info: PDK.logInfo, warn: PDK.logWarn, err: PDK.logErr };

/**
 * Writes all that a decision comes to, up to the end of the event.
 *
 * @param sequence of the call that Kong waits for
 * @returns how many results will come that nobody reads; undefined when the request ends here: Kong then
 * closes the connection, and gives no results any more
 */
export function writeDecision(
	frames: FrameWriter,
	decision: Decision,
	sequence: number | undefined,
): number | undefined {
	let results = 0;
	function write<Argument>(
		method: PdkMethod<Argument, unknown>,
		argument: Argument,
	): void {
		writeCall(frames, method, argument);
		results += 1;
	}
	// Kong names no plugin in such a line.
	for (const { level, message } of decision.log)
		write(LOGS[level], [`x-custom-jwt: ${logLine(message)}`]);
	for (const [k, v] of decision.logValues)
		write(PDK.setSerializeValue, { k, v: v as Json });
	if (decision.exit) {
		const { status, headers, body } = decision.exit;
		write(PDK.exit, {
			status,
			body: Buffer.from(JSON.stringify(body)),
			// Kong adds none to bytes.
			headers: {
				"content-type": "application/json; charset=utf-8",
				...headers,
			},
		});
		return undefined;
	}
	for (const v of decision.clearedHeaders) write(PDK.clearHeader, { v });
	for (const [k, v] of decision.upstreamHeaders) write(PDK.setHeader, { k, v });
	for (const [k, v] of decision.downstreamHeaders)
		write(PDK.setResponseHeader, { k, v });
	frames.text("");
	frames.message(RpcReturn, { sequence });
	return results;
}
