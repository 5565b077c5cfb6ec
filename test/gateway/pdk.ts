import type { Log } from "./log";
import {
	type Exit,
	fromBytes,
	type GatewayRequest,
	type Headers,
} from "./request";

/** What the gateway does with a PDK call: give its result back, or end the request. */
export type PdkOutcome = { result?: unknown } | { exit: Exit };

/** A PDK function that raises in Lua: the request ends with 500 (Kong fact). */
export class LuaError extends Error {}

type PdkFunction = (
	request: GatewayRequest,
	args: unknown[],
	log: Log,
) => PdkOutcome;

const logAt =
	(level: Parameters<Log>[0]): PdkFunction =>
	(_, args, log) => {
		log(level, `[x-custom-jwt] ${args.join("")}`);
		return {};
	};

const functions: Record<string, PdkFunction> = {
	"kong.client.get_credential": ({ credential }) => ({ result: credential }),
	"kong.client.get_consumer": ({ consumer }) => ({ result: consumer }),
	"kong.client.tls.get_full_client_certificate_chain": ({ client }) => ({
		result: client?.chain,
	}),
	"kong.ctx.shared.get": ({ shared }, [key]) => ({
		result: shared[String(key)],
	}),
	"kong.log.debug": logAt("debug"),
	"kong.log.info": logAt("info"),
	"kong.log.notice": logAt("notice"),
	"kong.log.warn": logAt("warn"),
	"kong.log.err": logAt("error"),
	"kong.log.crit": logAt("crit"),
	"kong.nginx.get_ctx": ({ ngxCtx }, [key]) => ({
		result: ngxCtx[String(key)],
	}),
	"kong.nginx.get_var": ({ client, headers }, [name]) => ({
		result:
			headerVariable(headers, String(name)) ??
			{
				ssl_server_name: client?.serverName,
				ssl_client_verify: client?.verify,
				ssl_client_s_dn: client?.subject,
				ssl_client_raw_cert: client?.chain,
			}[String(name)],
	}),
	"kong.request.get_header": (request, [name]) => ({
		result: requestHeader(request, String(name)),
	}),
	"kong.request.get_headers": ({ headers }) => ({
		result: Object.fromEntries(
			[...headers].map(([name, values]) => [name, values.map(fromBytes)]),
		),
	}),
	"kong.response.exit": (_, [status, body, headers]) => ({
		exit: {
			status: Number(status),
			body: body as Exit["body"],
			headers: Object.fromEntries(
				Object.entries(headers ?? {}).map(([name, value]) => [
					name.toLowerCase(),
					String(value),
				]),
			),
		},
	}),
	"kong.response.set_header": (request, [name, value]) => {
		request.responseHeaders[headerText(name).toLowerCase()] = headerText(value);
		return {};
	},
	"kong.router.get_route": ({ route }) => ({ result: route.entity }),
	"kong.router.get_service": ({ route }) => ({ result: route.service }),
	"kong.service.request.clear_header": (request, [name]) => {
		request.setHeader(headerText(name), undefined);
		return {};
	},
	"kong.service.request.set_header": (request, [name, value]) => {
		request.setHeader(headerText(name), headerText(value));
		return {};
	},
};

/** First value of a header, found by nginx's variable: whether with `-` or `_` in its name (Kong: tools/http.lua). */
function requestHeader(
	request: GatewayRequest,
	name: string,
): string | undefined {
	const variable = `http_${name.toLowerCase().replaceAll("-", "_")}`;
	const value = headerVariable(request.headers, variable);
	// Values of several headers, or one that looks like it, are looked up by the name as it is.
	return value?.includes(", ") ? request.header(name) : value;
}

/** nginx's `$http_…`: one variable for all spellings of a header's name, the values joined. */
function headerVariable(
	headers: Headers,
	variable: string,
): string | undefined {
	const values = [...headers]
		.filter(([name]) => `http_${name.replaceAll("-", "_")}` === variable)
		.flatMap(([, values]) => values.map(fromBytes));
	return values.length > 0 ? values.join(", ") : undefined;
}

function headerText(value: unknown): string {
	if (value === null || value === undefined)
		throw new LuaError("a header's name and value must be given");
	return String(value);
}

/** Answers a PDK call as Kong does; an unknown function is logged and answers nothing (Kong fact). */
export function callPdk(
	request: GatewayRequest,
	method: string,
	args: unknown[],
	log: Log,
): PdkOutcome {
	const pdkFunction = functions[method];
	if (pdkFunction) return pdkFunction(request, args, log);
	log("error", `could not find pdk method: ${method}`);
	return {};
}

const STEPS: Record<string, string> = {
	"kong.client.get_credential": "plugin.StepCredential",
	"kong.client.get_consumer": "plugin.StepConsumer",
	"kong.router.get_route": "plugin.StepRoute",
	"kong.router.get_service": "plugin.StepService",
	"kong.request.get_headers": "plugin.StepMultiMap",
};

/** The RPC method that carries the result of a PDK call back to the plugin server. */
export function stepMethod(pdkMethod: string): string {
	return STEPS[pdkMethod] ?? "plugin.Step";
}
