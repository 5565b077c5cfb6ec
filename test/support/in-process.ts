/** The built handler.lua, fed with the requests that the decision tests feed the plugin with. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Decision } from "../../core/decisions";
import type { Question } from "../../core/questions";
import {
	type InProcess,
	inProcess,
	type Machine,
	type Pdk,
} from "../../local/lua/in-process";
import { configSchema } from "../../schema/fields";
import { packageRoot } from "../../schema/package-root";
import { answer, type KnownRequest } from "./facts";

/** The text of the built handler. */
export const handlerText = readFileSync(
	join(packageRoot(), "dist/lua/handler.lua"),
	"utf8",
);

/** The built handler, loaded. */
export function loadHandler(machine?: Machine): Promise<InProcess> {
	return inProcess(handlerText, machine);
}

const DEFAULTS = Object.fromEntries(
	Object.entries(configSchema.properties).flatMap(([name, field]) =>
		"default" in field ? [[name, field.default]] : [],
	),
);

/** A configuration as Kong hands it to Lua plugins: with its defaults. */
export function withDefaults(config: object): object {
	return { ...DEFAULTS, ...config };
}

/** What a PDK function of Kong answers by. */
const ABOUT: Record<string, Question["about"]> = {
	"kong.client.get_credential": "credential",
	"kong.client.get_consumer": "consumer",
	"kong.client.get_forwarded_ip": "forwarded_ip",
	"kong.router.get_service": "service",
	"kong.router.get_route": "route",
	"kong.request.get_forwarded_scheme": "forwarded_scheme",
	"kong.request.get_forwarded_host": "forwarded_host",
	"kong.request.get_forwarded_port": "forwarded_port",
	"kong.request.get_method": "method",
	"kong.request.get_header": "header",
	"kong.request.get_query_arg": "query",
	"kong.nginx.get_var": "variable",
	"kong.nginx.get_ctx": "ctx",
	"kong.ctx.shared.get": "shared",
};

function answered(request: KnownRequest, method: string, name: string) {
	if (method === "kong.request.get_raw_body")
		return Buffer.from(request.body ?? "");
	if (method === "kong.nginx.get_var" && name === "ssl_client_raw_cert")
		return request.certificate;
	if (method === "kong.nginx.get_var" && name === "request_uri") {
		const { pathname, search } = new URL(request.url ?? "http://kong:8000/");
		return pathname + search;
	}
	const about = ABOUT[method];
	if (about === undefined) throw new Error(`no such PDK function: ${method}`);
	return answer(request, { about, name, id: "" });
}

/** What U+FFFD stands for in a request: bytes that are not UTF-8. */
function withBrokenBytes(value: unknown): unknown {
	if (typeof value === "string" && value.includes("\uFFFD"))
		return Buffer.concat(
			value
				.split("\uFFFD")
				.flatMap((part, index) => [
					...(index > 0 ? [Buffer.of(0xff)] : []),
					Buffer.from(part),
				]),
		);
	if (typeof value !== "object" || value === null || Buffer.isBuffer(value))
		return value;
	return Array.isArray(value)
		? value.map(withBrokenBytes)
		: Object.fromEntries(
				Object.entries(value).map(([name, member]) => [
					name,
					withBrokenBytes(member),
				]),
			);
}

type Level = Decision["log"][number]["level"];

/** What the handler decides about a request. @param conf made by `withDefaults`, the same object for the same entry */
export function decideInLua(
	handler: InProcess,
	conf: object,
	request: KnownRequest,
): Decision {
	const decision: Decision = {
		log: [],
		logValues: [],
		clearedHeaders: [],
		upstreamHeaders: [],
		downstreamHeaders: [],
	};
	const pdk: Pdk = (method, args) => {
		const [first, second, third] = args;
		const pair = [String(first), String(second)] as [string, string];
		switch (method) {
			case "kong.log.info":
			case "kong.log.warn":
			case "kong.log.err": {
				const level = method.slice("kong.log.".length) as Level;
				decision.log.push({ level, message: String(first) });
				return undefined;
			}
			case "kong.log.set_serialize_value":
				decision.logValues.push([String(first), second as string]);
				return undefined;
			case "kong.service.request.clear_header":
				decision.clearedHeaders.push(String(first));
				return undefined;
			case "kong.service.request.set_header":
				decision.upstreamHeaders.push(pair);
				return undefined;
			case "kong.response.set_header":
				decision.downstreamHeaders.push(pair);
				return undefined;
			case "kong.response.exit":
				decision.exit = {
					status: Number(first),
					body: second as Record<string, unknown>,
					...(third ? { headers: third as Record<string, string> } : {}),
				};
				return undefined;
			default:
				return withBrokenBytes(answered(request, method, String(first)));
		}
	};
	handler.access(conf, pdk);
	return decision;
}
