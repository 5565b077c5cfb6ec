import { hash } from "node:crypto";
import type {
	Consumer,
	Credential,
	Facts,
	Question,
	Route,
	Service,
} from "../../core/questions";
import { type Ask, AskedFacts } from "../../plugins/x-custom-jwt/facts";

/** What Kong knows of a request when the plugin's turn comes. */
export interface KnownRequest {
	credential?: Credential;
	consumer?: Consumer;
	service?: Service;
	route?: Route;
	method?: string;
	/** As the client asked for it. */
	url?: string;
	/** In place of the one in `url`. */
	host?: string;
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
	/** The client's certificate, PEM. */
	certificate?: string;
	/** Questions that fail, e.g. `service`, each with what it is rejected with. */
	failing?: Record<string, unknown>;
	/** A question that is never answered, as when the client goes away. */
	unanswered?: string;
}

/** Asks about a request; keeps what was asked, e.g. `header x-tenant-id`, one list per call. */
export function asking(request: KnownRequest): {
	ask: Ask;
	rounds: string[][];
} {
	const rounds: string[][] = [];
	const { failing = {}, unanswered } = request;
	const ask: Ask = async (questions) => {
		const names = questions.map((question) => question.id);
		rounds.push(names);
		for (const name of names) {
			if (name === unanswered) return new Promise<never>(() => {});
			if (name in failing) throw failing[name];
		}
		return questions.map((question) => answer(request, question));
	};
	return { ask, rounds };
}

/** What is known of a request once these questions are answered. */
export async function factsOf(
	request: KnownRequest,
	questions: readonly Question[],
): Promise<Facts> {
	const facts = new AskedFacts(asking(request).ask);
	await facts.learn(questions);
	return facts;
}

/** Kong's answer to a question about a request. */
export function answer(
	request: KnownRequest,
	{ about, name = "", maxBytes = 0 }: Question,
): unknown {
	const url = new URL(request.url ?? "http://kong:8000/");
	switch (about) {
		case "credential":
		case "consumer":
		case "service":
		case "route":
		case "certificate":
			return request[about];
		case "forwarded_ip":
			return request.ip;
		case "forwarded_scheme":
			return url.protocol.slice(0, -1);
		case "forwarded_host":
			return request.host ?? url.hostname;
		case "forwarded_port":
			return Number(url.port) || (url.protocol === "https:" ? 443 : 80);
		case "method":
			return request.method ?? "GET";
		case "path":
			return url.pathname;
		case "header":
			return request.headers?.[name.toLowerCase()];
		case "query":
			return queryArgument(url, name);
		case "variable":
			return (
				{ server_protocol: "HTTP/1.1", ...request.vars }[name] ??
				headerVariable(request, name)
			);
		case "ctx":
			return request.ctx?.[name];
		case "shared":
			return request.shared?.[name];
		case "body_digest": {
			const body = Buffer.from(request.body ?? "");
			return body.length > maxBytes
				? { tooLarge: true }
				: { sha256: hash("sha256", body, "base64") };
		}
	}
}

/** As Kong has it: `true` without `=`. */
function queryArgument({ search, searchParams }: URL, name: string) {
	const isBare = search.slice(1).split("&").includes(name);
	return isBare || (searchParams.get(name) ?? undefined);
}

/** nginx's `$http_…`: a header in any spelling. */
function headerVariable({ headers = {} }: KnownRequest, variable: string) {
	return (
		Object.entries(headers)
			.filter(([name]) => `http_${name.replaceAll("-", "_")}` === variable)
			.map(([, value]) => value)
			.join(", ") || undefined
	);
}
