import type {
	Consumer,
	Credential,
	Kong,
	Route,
	Service,
} from "../../plugins/x-custom-jwt/pdk";

/** What Kong knows of a request when the plugin's turn comes. */
export interface FakeRequest {
	credential?: Credential;
	consumer?: Consumer;
	service?: Service;
	route?: Route;
	method?: string;
	/** As the client asked for it. */
	url?: string;
	body?: string | Uint8Array;
	ip?: string;
	/** The client's headers and those Kong's security plugins have set; names in lower case. */
	headers?: Record<string, string>;
	/** `kong.ctx.shared`. */
	shared?: Record<string, unknown>;
	/** `ngx.ctx`. */
	ctx?: Record<string, unknown>;
	/** nginx variables. */
	vars?: Record<string, string>;
	/** The client's certificate chain, PEM. */
	chain?: string;
	/** PDK calls that fail, e.g. `router.getService`, each with what it is rejected with. */
	failing?: Record<string, unknown>;
	/** A PDK call that is never answered, as when the client goes away. */
	unanswered?: string;
}

/** What the plugin did with a request. */
export interface Seen {
	/** Names of all PDK calls, in order, e.g. `router.getService`. */
	calls: string[];
	upstreamHeaders: Record<string, string>;
	downstreamHeaders: Record<string, string>;
	/** What Kong's log plugins get. */
	serialized: Record<string, unknown>;
	logs: { level: "warn" | "err"; message: string }[];
	exit?: { status: number; body: Record<string, unknown> };
}

/** Kong's PDK for one request, without Kong. As on Kong, no call after `exit` is ever answered. */
export function fakeKong(request: FakeRequest = {}): Kong & { seen: Seen } {
	const url = new URL(request.url ?? "http://kong:8000/");
	const { headers, shared, ctx, vars, failing = {} } = request;
	const seen: Seen = {
		calls: [],
		upstreamHeaders: {},
		downstreamHeaders: {},
		serialized: {},
		logs: [],
	};

	async function call<T>(name: string, answer: () => T): Promise<T> {
		seen.calls.push(name);
		if (seen.exit || name === request.unanswered)
			return new Promise<never>(() => {});
		if (name in failing) throw failing[name];
		return answer();
	}
	const log = (level: "warn" | "err") => (message: string) =>
		call(`log.${level}`, () => {
			seen.logs.push({ level, message });
		});

	/** nginx's `$http_…`: a header in any spelling. */
	const headerVariable = (variable: string) =>
		Object.entries(headers ?? {})
			.filter(([name]) => `http_${name.replaceAll("-", "_")}` === variable)
			.map(([, value]) => value)
			.join(", ") || undefined;

	return {
		seen,
		client: {
			getCredential: () =>
				call("client.getCredential", () => request.credential),
			getConsumer: () => call("client.getConsumer", () => request.consumer),
			getForwardedIp: () => call("client.getForwardedIp", () => request.ip),
			tls: {
				getFullClientCertificateChain: () =>
					call("client.tls.getFullClientCertificateChain", () => request.chain),
			},
		},
		ctx: {
			shared: { get: (key) => call("ctx.shared.get", () => shared?.[key]) },
		},
		log: {
			warn: log("warn"),
			err: log("err"),
			setSerializeValue: (name, value) =>
				call("log.setSerializeValue", () => {
					seen.serialized[name] = value;
				}),
		},
		nginx: {
			getCtx: (key) => call("nginx.getCtx", () => ctx?.[key]),
			getVar: (name) =>
				call("nginx.getVar", () => vars?.[name] ?? headerVariable(name)),
		},
		request: {
			getForwardedScheme: () =>
				call("request.getForwardedScheme", () => url.protocol.slice(0, -1)),
			getForwardedHost: () =>
				call("request.getForwardedHost", () => url.hostname),
			getForwardedPort: () =>
				call(
					"request.getForwardedPort",
					() => Number(url.port) || (url.protocol === "https:" ? 443 : 80),
				),
			getRawPath: () => call("request.getRawPath", () => url.pathname),
			getHeader: (name) =>
				call("request.getHeader", () => headers?.[name.toLowerCase()]),
			getMethod: () => call("request.getMethod", () => request.method ?? "GET"),
			getQueryArg: (name) =>
				call(
					"request.getQueryArg",
					() => url.searchParams.get(name) ?? undefined,
				),
			getRawBody: () =>
				call("request.getRawBody", () => Buffer.from(request.body ?? "")),
		},
		response: {
			exit: (status, body) =>
				call("response.exit", () => {
					seen.exit = { status, body };
				}),
			setHeader: (name, value) =>
				call("response.setHeader", () => {
					seen.downstreamHeaders[name] = value;
				}),
		},
		router: {
			getRoute: () => call("router.getRoute", () => request.route),
			getService: () => call("router.getService", () => request.service),
		},
		service: {
			request: {
				setHeader: (name, value) =>
					call("service.request.setHeader", () => {
						seen.upstreamHeaders[name] = value;
					}),
			},
		},
	};
}
