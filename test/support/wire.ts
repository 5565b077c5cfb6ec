import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Json } from "../../pluginserver/messages";
import * as messages from "../../pluginserver/messages";
import type { Message } from "../../pluginserver/protobuf";

const DIRECTORY = join(__dirname, "../fixtures/kong-wire-protobuf");

/** One line of a recording of Kong's ProtoBuf protocol: a frame, or a note of what happened without one. */
export interface RecordedFrame {
	from?: "kong" | "server";
	/** Its payload. */
	bytes: Buffer;
	/** The message type; absent for the name of a PDK method. */
	type?: string;
	/** What it says; absent when it is empty. */
	decoded: unknown;
	/** The PDK method that it names. */
	method?: string;
	/** Whether it is the result of a PDK call. */
	reply: boolean;
	/** Whether it ends an event. */
	end: boolean;
	note?: string;
}

/** Names of all recordings of the ProtoBuf protocol. */
export const wireRecordings = readdirSync(DIRECTORY)
	.filter((file) => file.endsWith(".jsonl"))
	.map((file) => file.slice(0, -".jsonl".length));

/**
 * Reads a recording.
 *
 * @param name e.g. `basic-auth`
 */
export function readWire(name: string): RecordedFrame[] {
	return readFileSync(join(DIRECTORY, `${name}.jsonl`), "utf8")
		.trim()
		.split("\n")
		.map((line) => {
			const { frame = "", ...said } = JSON.parse(line);
			return {
				reply: false,
				end: false,
				...said,
				bytes: Buffer.from(frame, "hex"),
				decoded: plain(said.decoded ?? {}),
			};
		});
}

const { PDK, ...types } = messages;

/** The message types of the recordings, by their names there; the tests' types share our definitions. */
export const typesByName: Record<string, Message<unknown>> = {
	RpcCall: types.RpcCall,
	RpcReturn: types.RpcReturn,
	"google.protobuf.Value": types.Value as Message<unknown>,
	"google.protobuf.Struct": types.Struct as Message<unknown>,
	"google.protobuf.ListValue": types.ListValue as Message<unknown>,
	"google.protobuf.Empty": PDK.getService.takes,
	ExitArgs: PDK.exit.takes,
	Int: PDK.getForwardedPort.gives,
	KV: PDK.setHeader.takes,
	RawBodyResult: PDK.getRawBody.gives,
	Route: PDK.getRoute.gives,
	Service: PDK.getService.gives,
	String: PDK.getVar.gives,
};

/** What a recording says, with `google.protobuf.Value` as plain JavaScript. */
function plain(said: unknown): Json {
	if (Array.isArray(said)) return said.map(plain);
	if (typeof said !== "object" || said === null) return said as Json;
	const members = said as Record<string, unknown>;
	const [kind = "", value] = Object.entries(members)[0] ?? [];
	if (kind === "nullValue") return undefined;
	if (kind === "listValue") return plain({ values: [], ...(value as object) });
	if (/^(string|number|bool|struct)Value$/.test(kind)) return plain(value);
	if (kind === "fields") return plain(value);
	if (kind === "values") return plain(value);
	return Object.fromEntries(
		Object.entries(members).map(([name, member]) => [name, plain(member)]),
	);
}

/** What Kong answered to a PDK call in a recording; undefined when it was not made there. */
export function recordedResult(
	name: string,
	{ method, args }: { method: string; args: unknown[] },
): Buffer | undefined {
	// Every recorded request was one of HTTP/1.1.
	if (method === PDK.getVar.name && args[0] === "server_protocol")
		return Buffer.from("\n\bHTTP/1.1");
	const frames = readWire(name);
	const index = frames.findIndex(
		(frame, index) =>
			frame.method === method &&
			JSON.stringify(Object.values(frames[index + 1]?.decoded ?? {})) ===
				JSON.stringify(args),
	);
	return index < 0 ? undefined : frames[index + 2]?.bytes;
}
