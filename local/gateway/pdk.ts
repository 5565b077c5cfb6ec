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
		log(level, args.join(""));
		return {};
	};

/** Answered when the request's body has been read. */
export const GET_RAW_BODY = "kong.request.get_raw_body";

/** nginx's `client_body_buffer_size` in bytes; a larger body is in a file (Kong's default). */
export const BODY_BUFFER = 8192;

const functions: Record<string, PdkFunction> = {
	"kong.client.get_credential": ({ credential }) => ({ result: credential }),
	"kong.client.get_consumer": ({ consumer }) => ({ result: consumer }),
	// No proxy is trusted (Kong's default), so the client is whoever connects.
	"kong.client.get_forwarded_ip": ({ incoming }) => ({
		result: incoming.socket.remoteAddress,
	}),
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
	"kong.log.set_serialize_value": (request, [name, value], log) => {
		request.logValues.set(String(name), value);
		log("info", `access log: ${name} ${JSON.stringify(value)}`);
		return {};
	},
	"kong.nginx.get_ctx": ({ ngxCtx }, [key]) => ({
		result: ngxCtx[String(key)],
	}),
	"kong.nginx.get_var": ({ client, headers, id, incoming }, [name]) => ({
		result:
			headerVariable(headers, String(name)) ??
			{
				kong_request_id: id,
				request_uri: incoming.url,
				server_protocol: `HTTP/${incoming.httpVersion}`,
				ssl_server_name: client?.serverName,
				ssl_client_verify: client?.verify,
				ssl_client_s_dn: client?.subject,
				ssl_client_raw_cert: client?.chain,
			}[String(name)],
	}),
	"kong.request.get_forwarded_scheme": ({ client }) => ({
		result: client ? "https" : "http",
	}),
	"kong.request.get_forwarded_host": (request) => ({
		result: request.header("host")?.replace(/:\d+$/, "").toLowerCase(),
	}),
	"kong.request.get_forwarded_port": ({ incoming }) => ({
		result: incoming.socket.localPort,
	}),
	"kong.request.get_raw_path": ({ incoming }) => ({
		result: incoming.url?.replace(/\?.*$/s, ""),
	}),
	"kong.request.get_method": ({ method }) => ({ result: method }),
	"kong.request.get_query_arg": ({ url }, [name]) => ({
		result: queryArgument(url, String(name)),
	}),
	"kong.request.get_query": ({ url }) => ({ result: queryArguments(url) }),
	[GET_RAW_BODY]: ({ body = Buffer.of() }, [maxSize = -1]) => {
		const isTooLarge =
			Number(maxSize) < 0 || (maxSize !== 0 && body.length > Number(maxSize));
		if (body.length > BODY_BUFFER && isTooLarge)
			throw new LuaError("the request's body is in a file");
		return { result: body };
	},
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
	return value?.includes(", ") ? request.listedHeader(name) : value;
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

/** The first of that name; one without `=` is `true`, as in ngx.req.get_uri_args. */
function queryArgument(url: URL, name: string): string | true | undefined {
	const value = url.searchParams.get(name);
	if (value !== "") return value ?? undefined;
	const first = url.search
		.slice(1)
		.split("&")
		.find((pair) => new URLSearchParams(pair).has(name));
	return first?.includes("=") ? "" : true;
}

/** All arguments: `true` for one without value, a list of those that come several times. */
function queryArguments(url: URL): Record<string, unknown> {
	return Object.fromEntries(
		[...new Set(url.searchParams.keys())].map((name) => {
			const values = url.searchParams.getAll(name);
			return [name, values.length > 1 ? values : queryArgument(url, name)];
		}),
	);
}

function headerText(value: unknown): string {
	if (value === null || value === undefined)
		throw new LuaError("a header's name and value must be given");
	return String(value);
}

/**
 * Answers a PDK call as Kong does; an unknown function is logged and answers nothing (Kong fact). Those
 * of the request's URL and query, of the client's IP and of the log follow Kong's source, as no
 * recording has them.
 *
 * @throws {LuaError} when the function raises
 */
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
