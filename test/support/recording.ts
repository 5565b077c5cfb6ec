import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const DIRECTORY = join(__dirname, "../fixtures/kong-wire");

/** A frame from Kong: `[0, message id, RPC method, [argument]]`. */
export type RequestFrame = [
	type: 0,
	id: number,
	method: string,
	args: [Record<string, unknown>],
];

/** A frame from the plugin server: `[1, message id, error, result]`. */
export type ResponseFrame = [
	type: 1,
	id: number,
	error: string | null,
	result: Record<string, unknown>,
];

/** A call of the plugin, as the plugin server hands it to Kong. */
export interface PdkCall {
	Method: string;
	Args: unknown[];
}

/** What Kong carries back to the plugin: the RPC method, and its argument but for the event's id. */
export interface PdkAnswer {
	method: string;
	argument: { Data?: unknown };
}

/** A frame of Kong and what the plugin server answered. */
interface Exchange {
	request: RequestFrame;
	response: ResponseFrame;
}

/** What was said between real Kong and the stock plugin server about one or two HTTP requests. */
export interface Recording {
	/** In their order; the first one starts the instance. */
	exchanges: Exchange[];
	/** The configuration of that instance, Kong's own members among it. */
	config: Record<string, unknown>;
}

/** Recordings whose requests ran on an instance that was started in another one. */
const STARTED_IN: Record<string, string> = {
	"https-no-client-cert": "https-client-cert",
	"key-auth-consumer-custom-id-only": "key-auth",
	"key-auth-consumer-without-custom-id": "key-auth",
	"lab-body-empty": "lab-body",
};

/** Names of all recordings. */
export const recordingNames = readdirSync(DIRECTORY)
	.filter((file) => file.endsWith(".jsonl"))
	.map((file) => file.slice(0, -".jsonl".length));

/**
 * Reads a recording; the start of its instance is added to one that has none.
 *
 * @param name e.g. `basic-auth`
 */
export function readRecording(name: string): Recording {
	const started = STARTED_IN[name];
	const exchanges = [
		...(started ? readExchanges(started).slice(0, 1) : []),
		...readExchanges(name),
	];
	const config = JSON.parse(String(exchanges[0]?.request[3][0].Config));
	return { exchanges, config };
}

function readExchanges(name: string): Exchange[] {
	const frames = readFileSync(join(DIRECTORY, `${name}.jsonl`), "utf8")
		.trim()
		.split("\n")
		.map((line) => JSON.parse(line, reviveBinary).frame);
	const requests: RequestFrame[] = frames.filter(([type]) => type === 0);
	const responses: ResponseFrame[] = frames.filter(([type]) => type === 1);
	return requests.map((request) => {
		const response = responses.find(([, id]) => id === request[1]);
		if (!response) throw new Error(`${name}: no response to #${request[1]}`);
		return { request, response };
	});
}

/** Bytes of MessagePack's binary type stand in a recording as `{"$bin": hex}`. */
function reviveBinary(_: string, value: unknown): unknown {
	return typeof value === "object" && value !== null && "$bin" in value
		? Buffer.from(String(value.$bin), "hex")
		: value;
}

/** The PDK call in a response; undefined when it is none. */
export function pdkCallOf([, , , result]: ResponseFrame): PdkCall | undefined {
	const { Data } = result as { Data?: "ret" | PdkCall };
	return typeof Data === "object" ? Data : undefined;
}

/** Each PDK call of a recording that Kong answered, with the answer. */
function answeredCalls({ exchanges }: Recording) {
	return exchanges.flatMap(({ response }, index) => {
		const call = pdkCallOf(response);
		const [, , method = "", [argument] = []] =
			exchanges[index + 1]?.request ?? [];
		if (!call || !method.startsWith("plugin.Step")) return [];
		const { EventId, ...rest } = argument ?? {};
		return [{ call, answer: { method, argument: rest } }];
	});
}

/**
 * What real Kong answered to a PDK call.
 *
 * @param name the recording
 * @param method e.g. `kong.client.get_consumer`
 * @throws when the recording has no such call
 */
export function recordedAnswer(name: string, method: string): unknown {
	const recorded = answeredCalls(readRecording(name)).find(
		({ call }) => call.Method === method,
	);
	if (!recorded) throw new Error(`${name}: no answer to ${method}`);
	return recorded.answer.argument.Data;
}

const stepMethods = new Map(
	recordingNames
		.flatMap((name) => answeredCalls(readRecording(name)))
		.map(({ call, answer }) => [call.Method, answer.method]),
);

/** Answers PDK calls in Kong's place; undefined when Kong never answers the call. */
export type Kong = (call: PdkCall) => PdkAnswer | undefined;

/**
 * Makes what answers PDK calls as real Kong did in a recording: the same call, arguments and all,
 * gets the same answer, and a call that was not recorded an absent one. Two follow from what was
 * recorded: single headers from all headers, the route's id from the instance's configuration.
 */
export function kongOf(recording: Recording): Kong {
	const answers = new Map<string, PdkAnswer>(
		answeredCalls(recording).map(({ call, answer }) => [key(call), answer]),
	);
	const headers = answers.get(
		key({ Method: "kong.request.get_headers", Args: [] }),
	)?.argument.Data as Record<string, string[]> | undefined;

	function derived({ Method, Args }: PdkCall): unknown {
		if (Method === "kong.request.get_header")
			return headers?.[String(Args[0]).toLowerCase()]?.[0];
		const [, header] = /^http_(.*)$/.exec(String(Args[0])) ?? [];
		if (Method === "kong.nginx.get_var" && header)
			return headers?.[header.replaceAll("_", "-")]?.[0];
		// Every recorded request was one of HTTP/1.1.
		if (Method === "kong.nginx.get_var" && Args[0] === "server_protocol")
			return "HTTP/1.1";
		if (Method === "kong.router.get_route")
			return { id: recording.config.route_id };
		return undefined;
	}

	return (call) => {
		if (call.Method === "kong.response.exit") return undefined;
		const recorded = answers.get(key(call));
		if (recorded) return recorded;
		const Data = derived(call);
		return {
			method: stepMethods.get(call.Method) ?? "plugin.Step",
			argument: Data === undefined ? {} : { Data },
		};
	};
}

function key({ Method, Args }: PdkCall): string {
	return JSON.stringify([Method, Args]);
}

const recordedShapes = recordingNames
	.flatMap((name) => readRecording(name).exchanges)
	.map(({ response }) => ({
		name: nameOf(response),
		shape: shapeOf(response),
	}));

/**
 * Shapes that the recorded frames of a plugin server have, of those that say the same as `frame`:
 * the same PDK call, the end of a phase, a started instance. All PDK calls of ours that were never
 * recorded have one text as argument, as a read of an nginx variable has.
 */
export function recordedShapesLike(frame: ResponseFrame): unknown[] {
	const shapesOf = (wanted: string) =>
		recordedShapes
			.filter(({ name }) => name === wanted)
			.map(({ shape }) => shape);
	const shapes = shapesOf(nameOf(frame));
	return shapes.length > 0 ? shapes : shapesOf("kong.nginx.get_var");
}

function nameOf(frame: ResponseFrame): string {
	return pdkCallOf(frame)?.Method ?? Object.keys(frame[3]).sort().join();
}

/** A value's members and their types, without the values: for comparing frames by kind. */
export function shapeOf(value: unknown): unknown {
	if (value === null) return "null";
	if (Array.isArray(value)) return value.map(shapeOf);
	if (typeof value !== "object") return typeof value;
	return Object.fromEntries(
		Object.entries(value).map(([name, member]) => [name, shapeOf(member)]),
	);
}
