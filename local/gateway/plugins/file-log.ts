import { appendFileSync } from "node:fs";
import type { GatewayRequest } from "../request";
import { standIn } from "./stand-in";

/** Kong's file-log: a line of JSON for each request, as far as headers go. */
export const fileLog = {
	...standIn(9, { path: { type: "string" } }, () => undefined),
	log: (request: GatewayRequest, { path }: Record<string, unknown>) =>
		appendFileSync(String(path), `${JSON.stringify(entryOf(request))}\n`),
};

/** What Kong redacts by itself (Kong fact). */
const REDACTED = ["authorization", "proxy-authorization"];

function entryOf(request: GatewayRequest): Record<string, unknown> {
	const headers = Object.fromEntries(
		[...request.headers].map(([name, values]) => [
			name,
			REDACTED.includes(name) ? "REDACTED" : values.join(", "),
		]),
	);
	const entry = {
		request: { method: request.method, uri: request.incoming.url, headers },
		response: { headers: { ...request.responseHeaders } },
	};
	for (const [name, value] of request.logValues) setAt(entry, name, value);
	return entry;
}

/** `kong.log.set_serialize_value`: dots in the name lead into the entry (Kong fact). */
function setAt(
	entry: Record<string, unknown>,
	name: string,
	value: unknown,
): void {
	const [first = "", ...rest] = name.split(".");
	if (rest.length === 0) {
		entry[first] = value;
		return;
	}
	entry[first] ??= {};
	setAt(entry[first] as Record<string, unknown>, rest.join("."), value);
}
