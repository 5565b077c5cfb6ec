/** One request, decided by both builds of the plugin: in JavaScript on Node.js, and in Lua. */
import { isDeepStrictEqual } from "node:util";
import type { Decision } from "../../core/decisions";
import type { InProcess, Machine } from "../../local/lua/in-process";
import { Plugin } from "../../plugins/x-custom-jwt";
import { refusal } from "../../plugins/x-custom-jwt/errors";
import { nodePlatform } from "../../plugins/x-custom-jwt/platform";
import { asking, type KnownRequest } from "./facts";
import { decideInLua, withDefaults } from "./in-process";

/** The machine of both builds, on which nothing is left to chance. */
export const MACHINE: Machine = {
	now: () => 1_800_000_000_123,
	random: () => 0.25,
	uuid: () => "2f1c8a34-5b8e-4b0e-9a56-0a9d6c0f7e21",
};

/** Has the JavaScript build use it too, in this test file. */
export function stopTime(): void {
	Object.assign(nodePlatform, MACHINE);
}

/** Both decisions, in a form in which equal ones are equal. */
export interface Pair {
	node: Comparable;
	lua: Comparable;
}

/** Decides about a request with a plugin entry that has had none before. */
export async function decideTwice(
	handler: InProcess,
	config: object,
	request: KnownRequest,
): Promise<Pair> {
	let node: Decision;
	try {
		const plugin = new Plugin(config, { ownInstance: true });
		node = await plugin.decide(asking(request).ask);
	} catch (thrown) {
		const verbose = "verbose" in config && config.verbose === true;
		node = refusal(thrown, { verbose });
	}
	const lua = decideInLua(handler, withDefaults(config), request);
	return { node: comparable(node), lua: comparable(lua) };
}

/** Whether both are the same. */
export function isSame({ node, lua }: Pair): boolean {
	return isDeepStrictEqual(node, lua);
}

type Comparable = ReturnType<typeof comparable>;

/** Without what may differ: the order of log lines and members, how a text is escaped for a log, and the signature. */
function comparable(decision: Decision) {
	const { log, logValues, exit, upstreamHeaders, downstreamHeaders } = decision;
	return {
		log: log
			// Only the JavaScript build looks at the key so closely.
			.filter(
				({ level, message }) =>
					level !== "warn" || !message.startsWith("private_jwk"),
			)
			.map(({ level, message }) => `${level} ${plain(message)}`)
			.sort(),
		logValues: sorted(logValues),
		exit: exit && {
			status: exit.status,
			headers: exit.headers ?? {},
			body: Object.fromEntries(
				Object.entries(exit.body).map(([name, value]) => [
					name,
					plain(String(value)),
				]),
			),
		},
		clearedHeaders: decision.clearedHeaders,
		upstream: upstreamHeaders.map(readToken),
		downstream: downstreamHeaders.map(readToken),
	};
}

function plain(logged: string): string {
	// Of claims of one size any may be named.
	const message = logged.replace(/; largest claims: .*/, "");
	return /^(?!.*\\[ux])[ -~]{0,900}$/.test(message)
		? message
		: "of other characters";
}

function readToken([name, value]: [string, string]) {
	const [prefix = ""] = /^.* /.exec(value) ?? [];
	const [header = "", payload = ""] = value.slice(prefix.length).split(".");
	const decode = (part: string) =>
		JSON.parse(Buffer.from(part, "base64url").toString());
	return {
		name,
		prefix,
		header: decode(header),
		claims: sorted(decode(payload)),
	};
}

/** A value with the members of all objects in one order, and numbers without a sign of zero. */
function sorted(value: unknown): unknown {
	if (Object.is(value, -0)) return 0;
	if (typeof value === "string" && /^[[{]/.test(value)) return embedded(value);
	if (typeof value !== "object" || value === null) return value;
	if (Array.isArray(value)) return value.map(sorted);
	return Object.entries(value)
		.map(([name, member]) => [name, sorted(member)])
		.sort(([one], [other]) => (String(one) < String(other) ? -1 : 1));
}

/** JSON in a text. */
function embedded(text: string): unknown {
	try {
		return { json: sorted(JSON.parse(text)) };
	} catch {
		return text;
	}
}
